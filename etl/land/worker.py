"""Runs in Spark's Python workers: batches of messages in, batches of lines of the raw tables out.

The lines of plain messages, nearly all, are joined a column at a time. The others are written one by one.

This module is pickled by value into the workers: they need msgspec and pyarrow, but not this project.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.land import raw_lines
from etl.land.check_message import Contract, Rejected, contract
from etl.land.raw_lines import (
    ACCEPTED,
    CANARIES,
    CANARY,
    ERASED,
    REJECTED,
    Envelope,
    line_accepted,
    line_rejected,
    message_of,
    sent_with,
    to_json,
)

if TYPE_CHECKING:
    from etl.store.erased_attempts import Erased

LINES = "`table` STRING, line STRING, kafka_partition INT"
MISFITS = "kafka_partition INT, kafka_offset BIGINT, reason STRING"

ROWS = 1_000  # written at once: a batch of 16 MB is held in memory only once
Batches = Iterator[pa.RecordBatch]
Rules = tuple[str, Sequence[str], int]  # the arguments of `contract`


def checker(rules: Rules, landing: int, erased: Erased | None = None) -> Callable[[Batches], Batches]:
    """Return the function that turns messages (spark_job.COLUMNS) into LINES, in their order."""

    def run(batches: Batches) -> Batches:
        fits = contract(*rules)
        for batch in batches:
            for start in range(0, batch.num_rows, ROWS):
                some = batch.slice(start, ROWS)
                lines = lines_of(some, fits, landing)
                yield lines if erased is None else _without(lines, some, erased)

    return run


def rechecker(struct_json: str) -> Callable[[Batches], Batches]:
    """Return the function that turns lines of accepted messages into MISFITS: those that a contract does not fit."""

    def run(batches: Batches) -> Batches:
        fits = contract(struct_json)
        for batch in batches:
            misfits = []
            for line in batch.column(0).to_pylist():
                verdict = fits.check(message_of(line))
                if isinstance(verdict, Rejected):
                    row = json.loads(line)
                    misfits.append((row["kafka_partition"], row["kafka_offset"], verdict.reason))
            columns = zip(*misfits, strict=True) if misfits else ((), (), ())
            types = pa.int32(), pa.int64(), pa.string()
            yield pa.RecordBatch.from_arrays(
                [pa.array(column, type_) for column, type_ in zip(columns, types, strict=True)],
                names=["kafka_partition", "kafka_offset", "reason"],
            )

    return run


def lines_of(batch: pa.RecordBatch, fits: Contract, landing: int) -> pa.RecordBatch:
    """Return a batch of LINES, a row per message."""
    values = batch.column("value").to_pylist()
    is_plain = [bool(value) and fits.is_plain(value) and b"\n" not in value and b"\r" not in value for value in values]
    if all(is_plain):
        tables, lines = pa.array([ACCEPTED] * len(values), pa.string()), _plain_lines(batch, landing)
    else:
        plain = pa.array(is_plain, pa.bool_())
        others = _other_lines(batch, values, is_plain, fits, landing)
        tables = pa.array([table for table, _ in others], pa.string())
        lines = pa.array([line for _, line in others], pa.string())
        lines = pc.replace_with_mask(lines, plain, _plain_lines(batch.filter(plain), landing))
    return pa.RecordBatch.from_arrays(
        [tables, lines, batch.column("partition")], names=["table", "line", "kafka_partition"]
    )


def _without(lines: pa.RecordBatch, batch: pa.RecordBatch, erased: Erased) -> pa.RecordBatch:
    """Return the lines, empty and of the table ERASED where the message belongs to an erased attempt."""
    rows = zip(*(batch.column(name).to_pylist() for name in ("value", "key", "headers")), strict=True)
    is_erased = pa.array([erased.holds(value, key, _pairs(headers)) for value, key, headers in rows], pa.bool_())
    if not pc.any(is_erased).as_py():
        return lines
    return pa.RecordBatch.from_arrays(
        [
            pc.if_else(is_erased, ERASED, lines.column("table")),
            pc.if_else(is_erased, "", lines.column("line")),
            lines.column("kafka_partition"),
        ],
        names=["table", "line", "kafka_partition"],
    )


def _plain_lines(batch: pa.RecordBatch, landing: int) -> pa.Array:
    """Return the lines of messages that hold only fields of the contract and no line break."""
    topics = batch.column("topic").dictionary_encode()
    encoded = pa.array(map(to_json, topics.dictionary.to_pylist()), pa.string())
    return pc.binary_join_element_wise(
        f"{raw_lines.LANDING}{landing}{raw_lines.TOPIC}",
        encoded.take(topics.indices),
        raw_lines.PARTITION,
        batch.column("partition").cast(pa.string()),
        raw_lines.OFFSET,
        batch.column("offset").cast(pa.string()),
        raw_lines.TIMESTAMP,
        batch.column("timestamp").cast(pa.string()),
        _sent(batch.column("key"), batch.column("headers")),
        raw_lines.PAYLOAD,
        batch.column("value").cast(pa.string()),
        f"{raw_lines.ORIGINAL}{raw_lines.NO_ORIGINAL}",
        "",
    )


def _sent(keys: pa.Array, headers: pa.Array) -> pa.Array | str:
    if not len(headers.flatten()):
        if keys.null_count == len(keys):
            return ""
        return pa.array([sent_with(key, ()) for key in keys.to_pylist()], pa.string())
    rows = zip(keys.to_pylist(), map(_pairs, headers.to_pylist()), strict=True)
    return pa.array([sent_with(key, pairs) for key, pairs in rows], pa.string())


def _other_lines(
    batch: pa.RecordBatch, values: Sequence[bytes | None], is_plain: Sequence[bool], fits: Contract, landing: int
) -> list[tuple[str, str | None]]:
    """Return (table, line) per message, without the line of a plain one."""
    lines: list[tuple[str, str | None]] = [(ACCEPTED, None)] * len(values)
    columns = [batch.column(name) for name in ("topic", "partition", "offset", "timestamp", "key", "headers")]
    for row, value in enumerate(values):
        if is_plain[row]:
            continue
        *place, headers = (column[row].as_py() for column in columns)
        envelope = Envelope._make((landing, *place, _pairs(headers)))
        verdict = fits.check(value)
        if isinstance(verdict, Rejected):
            table = CANARIES if (value or b"").startswith(CANARY) else REJECTED
            lines[row] = table, line_rejected(envelope, verdict.reason, value)
        else:
            lines[row] = ACCEPTED, line_accepted(envelope, verdict)
    return lines


def _pairs(headers: Sequence[dict[str, Any]] | None) -> list[tuple[str, bytes | None]]:
    return [(header["key"], header["value"]) for header in headers or ()]
