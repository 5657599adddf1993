"""Cuts a file or stdin into its records, byte for byte: a JSON array or JSON lines, plain or gzipped.

The first bytes tell which. A line is a record as it is, even where it is no JSON (the loader rejects it where
it can be seen); an element of an array is cut out of the text. No file is held in memory as a whole.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, NoReturn, cast

from etl.errors import WarehouseError

CHUNK = 1 << 20
RECORD_BYTES = 64 << 20

_BLANK = b" \t\n\r"
_SPACE = re.compile(r"[ \t\n\r]*")
# Only where an element ends matters: nothing is built, and what strict JSON forbids is left to the loader.
_ELEMENT = json.JSONDecoder(object_pairs_hook=len, parse_int=len, parse_float=len, strict=False)


class Content:
    """What a file says, unzipped where it is gzipped, read once from start to end; counts and hashes it."""

    def __init__(self, stream: BinaryIO, name: str, blob_bytes: int = 0) -> None:
        buffered = stream if hasattr(stream, "peek") else io.BufferedReader(cast(io.RawIOBase, stream))
        is_zipped = buffered.peek(2)[:2] == b"\x1f\x8b"
        self._file = cast(io.BufferedReader, gzip.GzipFile(fileobj=buffered) if is_zipped else buffered)
        self.name, self.length, self._blob_bytes = name, 0, blob_bytes
        self._blob = hashlib.sha1(b"blob %d\0" % blob_bytes, usedforsecurity=False)

    def line(self, limit: int) -> bytes:
        """Return the next line with its end, or the part of it that the limit allows; nothing at the end."""
        return self._read(self._file.readline, limit)

    def chunk(self) -> bytes:
        """Return what can be had at once, at least a byte; nothing at the end."""
        return self._read(self._file.read1, CHUNK)

    def is_blob(self, blob: str) -> bool:
        """Whether all that was read is the content of this git blob."""
        return self.length == self._blob_bytes and self._blob.hexdigest() == blob

    def refuse(self, record: int, at: int, why: str) -> NoReturn:
        """Raise WarehouseError naming the record and where it starts."""
        raise WarehouseError(f"record {record:,} of {self.name}, at byte {at:,}, {why}", "mend the file")

    def _read(self, read: Callable[[int], bytes], size: int) -> bytes:
        try:
            found = read(size)
        except (EOFError, OSError, zlib.error) as error:
            where = f"{self.name} is damaged or cut off behind byte {self.length:,} of its content"
            raise WarehouseError(f"{where}: {error}", "get the file again") from error
        self.length += len(found)
        if self.length <= self._blob_bytes:
            self._blob.update(found)
        return found


def records(stream: BinaryIO, name: str = "the input") -> Iterator[bytes]:
    """Yield the records of a JSON array or of JSON lines, gzipped or not, each with its exact bytes.

    Raises WarehouseError behind the last good record: empty or damaged input, an array that is no JSON, a
    record beyond 64 MB.
    """
    return records_of(Content(stream, name))


def records_of(content: Content) -> Iterator[bytes]:
    line = content.line(CHUNK)
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise WarehouseError(f"{content.name} is UTF-16", "convert it to UTF-8")
    line = line.removeprefix(b"\xef\xbb\xbf")  # it marks the file and is part of no record
    while not line.strip(_BLANK):
        line = content.line(CHUNK)
        if not line:
            raise WarehouseError(f"{content.name} holds no record", "publish a JSON array or JSON lines")
    is_array = line.lstrip(_BLANK).startswith(b"[")
    yield from _elements(content, line.lstrip(_BLANK)) if is_array else _lines(content, line)


def _lines(content: Content, line: bytes) -> Iterator[bytes]:
    """Yield the lines that are not blank, without their ends."""
    count = 0
    while line:
        if not line.endswith(b"\n"):  # a long line, or the last
            line += content.line(RECORD_BYTES + 1 - len(line))
        record = line.removesuffix(b"\n").removesuffix(b"\r")
        if record.strip(_BLANK):
            count += 1
            if len(line) > RECORD_BYTES:
                content.refuse(count, content.length - len(line), f"is longer than {RECORD_BYTES:,} bytes")
            yield record
        line = content.line(CHUNK)


def _elements(content: Content, head: bytes) -> Iterator[bytes]:
    """Yield the elements of an array. Latin-1 makes one character of each byte, whatever the bytes mean."""
    text, at, count = head.decode("latin-1"), 1, 0
    while True:
        try:
            start, end, behind = _element(text, at, count == 0)
        except (ValueError, RecursionError) as error:
            text, at = _longer(content, text[at:], count + 1, error), 0
            continue
        if end > start:
            count += 1
            yield text[start:end].encode("latin-1")
        at = behind + 1
        if text[behind] == "]":
            break
    rest = text[at:].encode("latin-1")
    while not rest.strip(_BLANK):
        rest = content.chunk()
        if not rest:
            return
    where = f"byte {content.length - len(rest.lstrip(_BLANK)):,} of {content.name}"
    raise WarehouseError(f"the array ends before {where}, but the file goes on", "mend the file")


def _element(text: str, at: int, is_first: bool) -> tuple[int, int, int]:
    """Return where the next element starts and ends, and where the comma or bracket behind it is.

    Raises ValueError (what is wrong) where the text is not whole or no JSON.
    """
    start = _behind_space(text, at)
    if is_first and text.startswith("]", start):
        return start, start, start
    end = _ELEMENT.raw_decode(text, start)[1]
    behind = _behind_space(text, end)
    if not text.startswith((",", "]"), behind):
        raise json.JSONDecodeError("Expecting ',' or ']'", text, behind)
    return start, end, behind


def _behind_space(text: str, at: int) -> int:
    return cast(re.Match[str], _SPACE.match(text, at)).end()


def _longer(content: Content, rest: str, record: int, error: Exception) -> str:
    """Return a record's text with as much again behind it: however long it is, it is read about twice."""
    at = content.length - len(rest) + _behind_space(rest, 0)
    if isinstance(error, RecursionError):
        content.refuse(record, at, "is nested too deep to be cut out of its array; JSON lines can hold it")
    what = str(getattr(error, "msg", error))
    if len(rest) > RECORD_BYTES:
        content.refuse(record, at, f"is no JSON or longer than {RECORD_BYTES:,} bytes: {what}")
    parts, wanted = [rest], max(len(rest), 1)
    while wanted > 0 and (chunk := content.chunk()):
        parts.append(chunk.decode("latin-1"))
        wanted -= len(chunk)
    if len(parts) == 1:
        content.refuse(record, at, f"is no JSON or not whole: {what}")
    return "".join(parts)
