"""Exports the rows of a query to a Parquet, CSV or JSON Lines file: as they come, and the whole file or none."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from etl import terminal
from etl.errors import UsageError, WarehouseError
from etl.query import formats, nested
from etl.query.statements import check_reads, read
from etl.servers.hive import Hive, Result
from etl.settings import Settings

if TYPE_CHECKING:
    import pyarrow

TABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?")
GROUP_ROWS, GROUP_BYTES = 100_000, 64 << 20  # of a row group: what is in memory at a time
DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def export(settings: Settings, query: str, path: Path, watch: Callable[[int], None]) -> int:
    """Write the rows of a query, or of the table of that name, to a file; the number of rows.

    `watch` is called with the rows written so far. Raises UsageError for another suffix or a statement without rows,
    WarehouseError where the file cannot be written, and as Hive does; the file is then as it was before.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise UsageError(f"cannot export to {path}", f"end the name in {', '.join(WRITERS)}")
    statements = read(f"SELECT * FROM {query}" if TABLE.fullmatch(query) else query, None, {})  # noqa: S608
    if len(statements) > 1:
        raise UsageError(f"{len(statements)} statements do not fit into one file", "export them one by one")
    check_reads(statements)
    rows = 0

    def counted(blocks: Iterator[Result]) -> Iterator[Result]:
        nonlocal rows
        for block in blocks:
            yield block
            rows += len(block.rows)
            watch(rows)

    with Hive(settings, terminal.watch) as hive, replaced(path) as stream:
        blocks = nested.blocks(hive, settings.engine, statements[0])
        first = next(blocks)
        if not first.columns:
            raise UsageError("the statement has no rows to export", "export a SELECT")
        formats.check_names(first.columns)
        with write_errors(path):
            writer(counted(itertools.chain([first], blocks)), first, stream)
    return rows


@contextlib.contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Raise an error of the file system as WarehouseError."""
    try:
        yield
    except OSError as error:
        raise WarehouseError(f"cannot write {path}: {error.strerror or error}", "check the disk and the path") from (
            error
        )


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[IO[bytes]]:
    """A stream into a file beside the path that takes its place at the end, and goes away after an error."""
    with write_errors(path):
        path = Path(os.path.realpath(path))  # what a link leads to is replaced, not the link
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is not a file", "name a file")
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        stream = partial.open("xb")
    try:
        with stream:
            yield stream
            with write_errors(path):
                stream.flush()
                os.fsync(stream.fileno())
        with write_errors(path):
            partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _parquet(blocks: Iterator[Result], first: Result, stream: IO[bytes]) -> None:
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema(
        [pyarrow.field(name, arrow_type(kind)) for name, kind in zip(first.columns, first.types, strict=True)]
    )
    group: list[pyarrow.RecordBatch] = []
    with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
        for block in blocks:
            group.append(_batch(block, schema))
            if (
                sum(batch.num_rows for batch in group) >= GROUP_ROWS
                or sum(batch.nbytes for batch in group) >= GROUP_BYTES
            ):
                writer.write_table(pyarrow.Table.from_batches(group, schema))
                group = []
        if group:
            writer.write_table(pyarrow.Table.from_batches(group, schema))


def arrow_type(kind: str) -> pyarrow.DataType:
    """The Arrow type of a column type of Hive. What Parquet has no plain type for is text, nested values as JSON."""
    import pyarrow

    if match := DECIMAL.fullmatch(kind):
        return pyarrow.decimal128(int(match[1]), int(match[2]))
    plain = {
        "BOOLEAN": pyarrow.bool_(),
        "TINYINT": pyarrow.int8(),
        "SMALLINT": pyarrow.int16(),
        "INT": pyarrow.int32(),
        "BIGINT": pyarrow.int64(),
        "FLOAT": pyarrow.float32(),
        "DOUBLE": pyarrow.float64(),
        "DATE": pyarrow.date32(),
        "TIMESTAMP": pyarrow.timestamp("us"),
        "BINARY": pyarrow.binary(),
    }
    return plain.get(kind, pyarrow.string())


def _batch(block: Result, schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    import pyarrow

    columns = zip(*block.rows, strict=True) if block.rows else [() for _ in schema]
    arrays = []
    for values, field in zip(columns, schema, strict=True):
        if pyarrow.types.is_string(field.type) or pyarrow.types.is_date(field.type):  # a DATE comes as text
            texts = [value if value is None else formats.exact(value) for value in values]
            arrays.append(pyarrow.array(texts, pyarrow.string()).cast(field.type))
        else:
            arrays.append(pyarrow.array(values, field.type))
    return pyarrow.RecordBatch.from_arrays(arrays, schema=schema)


def _csv(blocks: Iterator[Result], _: Result, stream: IO[bytes]) -> None:
    for text in formats.csv_lines(blocks):
        stream.write(text.encode())


def _json_lines(blocks: Iterator[Result], _: Result, stream: IO[bytes]) -> None:
    for line in formats.lines(blocks):
        stream.write(line + b"\n")


WRITERS: dict[str, Callable[[Iterator[Result], Result, IO[bytes]], None]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".jsonl": _json_lines,
}
