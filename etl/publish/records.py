"""Cuts a file or stdin into its records, byte for byte: a JSON array, JSON lines or JSON objects, plain or gzipped.

The first record decides which. Objects that are not one per line (pretty-printed, `}{`, with separators as in RFC 7464)
and the elements of an array are cut out of the text. A line is a record as it is, even where it is not JSON: `land`
rejects it. No file is held in memory as a whole.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, NoReturn, cast

from etl.errors import WarehouseError
from etl.publish import input_format
from etl.publish.input_format import FORCE, NOTHING

CHUNK = 1 << 20
RECORD_BYTES = 64 << 20

_BLANK = b" \t\n\r"
_SEPARATOR = b"\x1e"  # before each record, as in RFC 7464
_SPACE = re.compile(r"[ \t\n\r]*")
_GAP = re.compile(r"[ \t\n\r\x1e]*")
# Only the end of an element matters: nothing is built, and what strict JSON forbids is left to `land`.
_ELEMENT = json.JSONDecoder(object_pairs_hook=len, parse_int=len, parse_float=len, strict=False)


class Content:
    """The content of a file, unzipped where it is gzipped, read once from start to end; counts and hashes it."""

    def __init__(self, stream: BinaryIO, name: str, blob_bytes: int = 0) -> None:
        buffered = stream if hasattr(stream, "peek") else io.BufferedReader(cast(io.RawIOBase, stream))
        self.name, self.length, self._blob_bytes = name, 0, blob_bytes
        with self._readable():
            is_zipped = buffered.peek(2)[:2] == b"\x1f\x8b"
        self._file = cast(io.BufferedReader, gzip.GzipFile(fileobj=buffered) if is_zipped else buffered)
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

    def refuse(self, record: int, at: int, fault: str, step: str = "fix the file") -> NoReturn:
        """Raise WarehouseError naming the record and where it starts."""
        raise WarehouseError(f"record {record:,} of {self.name}, at byte {at:,}, {fault}", step)

    def _read(self, read: Callable[[int], bytes], size: int) -> bytes:
        with self._readable():
            data = read(size)
        self.length += len(data)
        if self.length <= self._blob_bytes:
            self._blob.update(data)
        return data

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            where = f"{self.name} is damaged or cut off after byte {self.length:,} of its content"
            raise WarehouseError(f"{where}: {error}", "get the file again") from error
        except OSError as error:  # the disk or the network, not the file
            where = f"cannot read {self.name} after byte {self.length:,} of its content"
            raise WarehouseError(f"{where}: {error.strerror or error}", "check its disk or server") from error


def records(stream: BinaryIO, name: str = "the input", is_forced: bool = False) -> Iterator[bytes]:
    """Yield the records of a JSON array, JSON lines or JSON objects, gzipped or not, each with its exact bytes.

    Raises WarehouseError before the first record for input that looks like something else, unless `is_forced`, which
    yields its lines; and after the last good record for damaged input, text that is not JSON, a record beyond 64 MB.
    """
    return records_of(Content(stream, name), is_forced)


def records_of(content: Content, is_forced: bool = False) -> Iterator[bytes]:
    """Yield the records of a content, as `records` does."""
    line = content.line(CHUNK)
    if is_forced:
        yield from _lines(content, line)
        return
    input_format.refuse_encoding(content.name, line)
    line = line.removeprefix(b"\xef\xbb\xbf")  # it marks the file and is part of no record
    while not line.strip(_BLANK):
        line = content.line(CHUNK)
        if not line:
            raise WarehouseError(f"{content.name} holds no record", "publish a JSON array or JSON lines")
    head = line.lstrip(_BLANK)
    if head.startswith(b"["):
        yield from _elements(content, head)
        return
    if not head.lstrip(_BLANK + _SEPARATOR).startswith(b"{"):
        input_format.refuse(content.name, head)
    first, is_line = _first_record(content, line)
    yield from _lines(content, first) if is_line else _objects(content, first.decode("latin-1"))


def _first_record(content: Content, line: bytes) -> tuple[bytes, bool]:
    """Return what was read up to the end of the first record, and whether the records are lines.

    Raises WarehouseError where the record is not JSON, or is one object that holds the messages as a list.
    """
    while True:
        text = line.decode("latin-1")
        start = _skip(_GAP, text, 0)
        try:
            end = _ELEMENT.raw_decode(text, start)[1]
            break
        except RecursionError:
            return line, True
        except json.JSONDecodeError as error:
            more = b"" if _is_malformed(text, error) else _next_lines(content, len(line))
            if not more:
                place = content.length - len(line) + start
                content.refuse(1, place, f"is not JSON or not whole: {error.msg}; {NOTHING}", f"fix the file; {FORCE}")
            line += more
    input_format.refuse_list(content.name, json.loads(text[start:end], strict=False, parse_int=str, parse_float=str))
    is_line = not re.search(r"[\r\n\x1e]", text[:end].lstrip(" \t\r\n"))
    after = text[end:].lstrip(" \t")
    if is_line and (not after or after.startswith(("\n", "\r\n"))):
        return line, True
    if is_line and not after.startswith(("{", "\r", "\x1e")):
        place = content.length - len(line)
        step = "put the objects between [ and ]" if after.startswith(",") else "fix the file"
        content.refuse(1, place, f"has {after[:1]!r} after it on its line; {NOTHING}", f"{step}; {FORCE}")
    return line, False


def _is_malformed(text: str, error: json.JSONDecodeError) -> bool:
    """Whether whole lines hold something that is not JSON: an error before their end, which more lines do not cure."""
    return text.endswith("\n") and error.pos < len(text.rstrip()) - 1


def _next_lines(content: Content, length: int) -> bytes:
    """Return the next lines, about as much as there is already; nothing at the end or beyond the limit."""
    parts: list[bytes] = []
    while sum(map(len, parts)) < length and (part := content.line(max(RECORD_BYTES + 1 - length, 0))):
        parts.append(part)
    return b"".join(parts)


def _objects(content: Content, text: str) -> Iterator[bytes]:
    """Yield objects that follow each other in any way; a text as in `_elements`."""
    at = count = 0
    while True:
        at = _skip(_GAP, text, at)
        if at == len(text):
            text, at = content.chunk().decode("latin-1"), 0
            if not text:
                return
            continue
        if text[at] != "{":
            content.refuse(count + 1, content.length - len(text) + at, "does not begin with {")
        try:
            end = _ELEMENT.raw_decode(text, at)[1]
        except (ValueError, RecursionError) as error:
            text, at = _extended(content, text[at:], count + 1, error), 0
            continue
        count += 1
        yield text[at:end].encode("latin-1")
        at = end


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
            start, end, after = _element(text, at, count == 0)
        except (ValueError, RecursionError) as error:
            text, at = _extended(content, text[at:], count + 1, error), 0
            continue
        if end > start:
            count += 1
            yield text[start:end].encode("latin-1")
        at = after + 1
        if text[after] == "]":
            break
    rest = text[at:].encode("latin-1")
    while not rest.strip(_BLANK):
        if not (rest := content.chunk()):
            return
    where = f"byte {content.length - len(rest.lstrip(_BLANK)):,} of {content.name}"
    raise WarehouseError(f"the array ends before {where}, but the file continues", "fix the file")


def _element(text: str, at: int, is_first: bool) -> tuple[int, int, int]:
    """Return where the next element starts and ends, and where the comma or bracket after it is.

    Raises ValueError where the text is not whole or not JSON.
    """
    start = _skip(_SPACE, text, at)
    if is_first and text.startswith("]", start):
        return start, start, start
    end = _ELEMENT.raw_decode(text, start)[1]
    after = _skip(_SPACE, text, end)
    if not text.startswith((",", "]"), after):
        raise json.JSONDecodeError("Expecting ',' or ']'", text, after)
    return start, end, after


def _skip(gap: re.Pattern[str], text: str, at: int) -> int:
    return cast(re.Match[str], gap.match(text, at)).end()


def _extended(content: Content, rest: str, record: int, error: Exception) -> str:
    """Return a record's text with as much again after it: however long it is, it is read about twice."""
    at = content.length - len(rest) + _skip(_SPACE, rest, 0)
    if isinstance(error, RecursionError):
        content.refuse(record, at, "is nested too deep to be cut out; JSON lines can hold it")
    cause = str(getattr(error, "msg", error))
    if len(rest) > RECORD_BYTES:
        content.refuse(record, at, f"is not JSON or longer than {RECORD_BYTES:,} bytes: {cause}")
    parts, missing = [rest], max(len(rest), 1)
    while missing > 0 and (chunk := content.chunk()):
        parts.append(chunk.decode("latin-1"))
        missing -= len(chunk)
    if len(parts) == 1:
        content.refuse(record, at, f"is not JSON or not whole: {cause}")
    return "".join(parts)
