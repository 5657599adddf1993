"""Recognizes input that does not hold messages, by its first bytes, and names the next step. Pure.

Messages are JSON objects; a web page, an archive or a table in CSV would be published line by line for good.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Any, NoReturn

from etl.errors import WarehouseError

UNPACK = "unpack it, then publish the file in it"
CONVERT = "convert it to JSON lines, an object per line"
AGAIN = "get the file itself again"
FORCE = "--force publishes its lines as they are"
NOTHING = "nothing was published"

SIGNATURES = {
    b"PK\x03\x04": ("a zip archive", UNPACK),
    b"PK\x05\x06": ("an empty zip archive", AGAIN),
    b"BZh": ("a bzip2 file", UNPACK),
    b"\xfd7zXZ\0": ("an xz file", UNPACK),
    b"\x28\xb5\x2f\xfd": ("a zstd file", UNPACK),
    b"\x04\x22\x4d\x18": ("an lz4 file", UNPACK),
    b"\x1f\x8b": ("a gzip file within a gzip file", "unzip it once"),
    b"\x1f\x9d": ("a compress (.Z) file", UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", UNPACK),
    b"Rar!": ("a RAR archive", UNPACK),
    b"PAR1": ("a Parquet file", CONVERT),
    b"ORC": ("an ORC file", CONVERT),
    b"Obj\x01": ("an Avro file", CONVERT),
    b"SQLite format 3\0": ("an SQLite database", CONVERT),
    b"%PDF": ("a PDF document", CONVERT),
    b"version https://git-lfs.github.com/": ("a Git LFS pointer, not the file", "get the file with git lfs pull"),
    b"/annex/objects/": ("a git-annex pointer, not the file", "get the file with git annex get"),
    b"---": ("YAML", CONVERT),
}
UTF_16 = re.compile(rb"\xff\xfe|\xfe\xff|[{\[]\0|\0[{\[]")
TAR = 257, b"ustar"  # where its mark stands
BINARY = re.compile(rb"[\x00-\x08\x0e-\x1d]")
SEPARATED = re.compile(rb"[^,;\t]+[,;\t][^,;\t]+")
LISTS = {"result", "results", "data", "items", "records", "rows", "messages", "events", "value", "values"}


def refuse_encoding(name: str, head: bytes) -> None:
    """Raise WarehouseError where the first bytes are those of UTF-16."""
    if UTF_16.match(head):
        raise WarehouseError(f"{name} is UTF-16", "convert it to UTF-8")


def refuse(name: str, head: bytes) -> NoReturn:
    """Raise WarehouseError that says what an input looks like whose first line, `head`, begins no JSON object."""
    for mark, (look, step) in SIGNATURES.items():
        if head.startswith(mark):
            _refuse(name, look, step)
    start, mark = TAR
    if head[start:].startswith(mark):
        _refuse(name, "a tar archive", UNPACK)
    if head.startswith(b"<?xml"):
        _refuse(name, "XML", CONVERT)
    if head.startswith(b"<"):
        _refuse(name, "a web page", AGAIN)
    if BINARY.search(head):
        _refuse(name, "binary data", CONVERT)
    if SEPARATED.match(head):
        _refuse(name, "CSV", CONVERT)
    _refuse(name, "text, not JSON objects: it begins with " + repr(head[:20].decode(errors="replace").strip()), CONVERT)


def refuse_list(name: str, record: Any) -> None:
    """Raise WarehouseError where a record, parsed, is the answer of an API that holds the messages as a list."""
    for key, value in record.items():
        others = [item for other, item in record.items() if other != key]
        is_alone = not others or (key in LISTS and not any(isinstance(item, dict | list) for item in others))
        if is_alone and isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            _refuse(
                name,
                f"one object around {len(value):,} messages, in {key!r}",
                f"publish the inner array: jq {shlex.quote(f'.[{json.dumps(key)}]')}",
            )


def _refuse(name: str, look: str, step: str) -> NoReturn:
    raise WarehouseError(f"{NOTHING}: {name} looks like {look}", f"{step}; {FORCE}")
