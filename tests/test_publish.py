"""publish: what is a record of a file, byte for byte, and what Kafka is asked to acknowledge."""

from __future__ import annotations

import gzip
import io
import json
import socket
import time
import tracemalloc
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import ServerError, UsageError, WarehouseError
from etl.publish import records as module
from etl.publish.publish import publish
from etl.publish.records import records
from etl.settings import load

# Elements whose text is easily cut in the wrong place; each is kept to the byte.
ELEMENTS = {
    "an object": b'{"a":1}',
    "nested brackets": b'{"a":[[],[{"b":[1,2,{"c":[]}]}]]}',
    "brackets and commas in a string": b'{"a":"],[}{\\",]","b]":"["}',
    "a backslash before the closing quote": b'{"a":"\\\\","b":"\\\\\\""}',
    "spaces that mean nothing": b'{ "a"\t: 1 ,\r\n  "b" : [ ] }',
    "characters of two, three and four bytes": '{"é":"→😀\u2028\x85\xa0"}'.encode(),
    "escaped characters": b'{"a":"\\u00e9\\ud83d\\ude00\\n"}',
    "bytes that are no UTF-8": b'{"a":"\xff\xc3"}',
    "a control character, for the loader to reject": b'{"a":"\x01\x00"}',
    "half a surrogate pair": b'{"a":"\\ud800"}',
    "a name given twice": b'{"a":1,"a":2}',
    "an integer of 5,000 digits": b'{"a":' + b"7" * 5000 + b"}",
    "a number": b"-12.5e+3",
    "a digit": b"0",
    "a string": b'"x,]"',
    "true": b"true",
    "null": b"null",
    "NaN, for the loader to reject": b"NaN",
    "an array in the array": b"[1,[2]]",
    "an empty object": b"{}",
    "an empty string": b'""',
}


class Drip(io.RawIOBase):
    """A stream that hands out so many bytes at a time, as a slow pipe does."""

    def __init__(self, content: bytes, size: int) -> None:
        self._left, self._size = content, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(self._size, len(buffer))
        piece, self._left = self._left[:size], self._left[size:]
        buffer[: len(piece)] = piece
        return len(piece)


def read(content: bytes, size: int = 1 << 20) -> list[bytes]:
    return list(records(cast(BinaryIO, Drip(content, size))))


def failing(content: bytes) -> tuple[list[bytes], str]:
    found: list[bytes] = []
    with pytest.raises(WarehouseError) as caught:
        for record in records(io.BytesIO(content), "x.json"):
            found.append(record)
    assert "\n" not in str(caught.value)
    return found, str(caught.value)


@pytest.mark.parametrize("element", ELEMENTS.values(), ids=ELEMENTS)
def test_an_element_of_an_array_keeps_its_bytes(element: bytes) -> None:
    assert read(b"[" + element + b"]") == [element]
    assert read(b" [ " + element + b" ,\n" + element + b"\r\n] \n") == [element, element]


@pytest.mark.parametrize("size", [*range(1, 40), 97, 1000, 8191, 8192, 8193])
def test_chunks_of_every_size_give_the_same_records(size: int) -> None:
    elements = list(ELEMENTS.values())
    assert read(b"[" + b" , ".join(elements) + b"]", size) == elements
    lines = [element.replace(b"\r\n", b" ") for element in elements]
    assert read(b"\n".join([lines[0], b"", *lines[1:]]), size) == lines
    if size > 1:  # a gzip file shows in its first two bytes
        assert read(gzip.compress(b"[" + b",".join(elements) + b"]"), size) == elements


def test_a_line_stays_as_it_is_even_if_it_is_no_json() -> None:
    assert read(b'{"a":1}\n  {"b": 2}\t\n\n \t\r\nnot json\n\xff\xfe\n{"c":3}\r\n{"d":') == [
        b'{"a":1}',
        b'  {"b": 2}\t',
        b"not json",
        b"\xff\xfe",
        b'{"c":3}',
        b'{"d":',
    ]


def test_the_last_line_needs_no_end() -> None:
    assert read(b'{"a":1}\n{"a":2}') == read(b'{"a":1}\n{"a":2}\n') == [b'{"a":1}', b'{"a":2}']


@pytest.mark.parametrize("body", [b'[{"a":1}]', b'{"a":1}', b'\n{"a":1}'])
def test_a_byte_order_mark_is_part_of_no_record(body: bytes) -> None:
    assert read(b"\xef\xbb\xbf" + body) == [b'{"a":1}']


def test_white_space_before_the_array_does_not_hide_it() -> None:
    assert read(b"\n \r\n\t[1,2]") == [b"1", b"2"]


def test_an_empty_array_holds_no_record() -> None:
    assert read(b"[]") == read(b" [ \n ] ") == read(b"[\n]", 1) == []


def test_a_gzip_file_of_two_members_is_one_content() -> None:
    assert read(gzip.compress(b"[1,") + gzip.compress(b"2]")) == [b"1", b"2"]


@pytest.mark.parametrize("content", [b"", b" ", b"\n\r\n\t", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n", gzip.compress(b"")])
def test_an_input_without_a_record_is_an_error(content: bytes) -> None:
    assert failing(content) == ([], "x.json holds no record; publish a JSON array or JSON lines")


MALFORMED = {
    "cut off in an object": (b'[{"a":1}, {"a":', 1, "record 2 of x.json, at byte 10,"),
    "cut off in a string": (b'[1,2,"abc', 2, "record 3 of x.json, at byte 5,"),
    "cut off behind a record": (b'[{"a":1}', 0, "record 1 of x.json, at byte 1,"),
    "cut off behind a comma": (b"[1,", 1, "record 2 of x.json, at byte 3,"),
    "cut off behind the bracket": (b"[", 0, "record 1 of x.json, at byte 1,"),
    "a comma before the end": (b"[1,]", 1, "record 2 of x.json, at byte 3,"),
    "two commas": (b"[1,,2]", 1, "record 2 of x.json, at byte 3,"),
    "no comma": (b"[1 2]", 0, "record 1 of x.json, at byte 1,"),
    "a name without quotes": (b"[1,{a:1}]", 1, "record 2 of x.json, at byte 3,"),
    "a bracket of the wrong kind": (b"[1,[2}]", 1, "record 2 of x.json, at byte 3,"),
    "half a number": (b"[1,2.,3]", 1, "record 2 of x.json, at byte 3,"),
    "something behind the array": (b"[1,2] x", 2, "ends before byte 6 of x.json, but the file goes on"),
    "a second array": (b"[1][2]", 1, "ends before byte 3 of x.json, but the file goes on"),
    "nested 100,000 deep": (b"[1," + b"[" * 100_000, 1, "record 2 of x.json, at byte 3, is nested too deep"),
}


@pytest.mark.parametrize(("content", "good", "words"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_array_gives_the_records_before_and_names_the_record_and_the_byte(
    content: bytes, good: int, words: str
) -> None:
    found, message = failing(content)
    assert (len(found), words in message) == (good, True), message


def test_a_truncated_gzip_file_gives_what_it_holds_and_a_clear_error() -> None:
    lines = [json.dumps({"id": str(uuid.uuid4())}).encode() for _ in range(20_000)]
    found, message = failing(gzip.compress(b"\n".join(lines))[:-5000])
    assert found == lines[: len(found)] and len(found) > 10_000
    assert message.startswith("x.json is damaged or cut off behind byte ")


def test_a_damaged_gzip_file_is_a_clear_error() -> None:
    damaged = bytearray(gzip.compress(b'{"a":1}\n' * 1000))
    damaged[20:24] = b"\0\0\0\0"
    assert "is damaged or cut off" in failing(bytes(damaged))[1]


def test_utf_16_is_told() -> None:
    assert failing('[{"a":1}]'.encode("utf-16"))[1] == "x.json is UTF-16; convert it to UTF-8"


def test_a_record_of_many_megabytes_passes_and_one_beyond_the_limit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = b'{"a":"' + b"x" * (9 << 20) + b'"}'
    assert read(b"[1," + huge + b",2]") == read(b"1\n" + huge + b"\n2") == [b"1", huge, b"2"]
    monkeypatch.setattr(module, "RECORD_BYTES", 4 << 20)
    for content in (b"[1," + huge + b"]", b"1\n" + huge):
        found, message = failing(content)
        assert found == [b"1"] and message.startswith("record 2 of x.json, at byte ") and "longer than" in message


@pytest.mark.parametrize("shape", ["array", "array in one line", "lines"])
def test_memory_does_not_grow_with_the_file(shape: str) -> None:
    record = b'{"id":"' + b"x" * 3000 + b'","list":[1,2,3]}'
    opening, between, end = {
        "array": (b"[\n", b",\n", b"]"),
        "array in one line": (b"[", b",", b"]"),
        "lines": (b"", b"\n", b""),
    }[shape]

    class Endless(io.RawIOBase):
        def __init__(self) -> None:
            self.parts: Iterator[bytes] = iter([opening, *[record + between] * 30_000, record, end])

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            piece = next(self.parts, b"")
            buffer[: len(piece)] = piece
            return len(piece)

    tracemalloc.start()
    count = len([None for _ in records(cast(BinaryIO, Endless()))])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 30_001
    assert peak < 12 << 20  # of 90 MB


@given(st.lists(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists)), st.data())
def test_any_array_is_cut_into_its_elements(values: list[object], data: st.DataObject) -> None:
    texts = [json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "replace") for value in values]
    size = data.draw(st.integers(1, 50))
    assert read(b"[" + b", ".join(texts) + b"]", size) == texts


# --- Kafka ---


def test_a_closed_port_is_named_within_30_seconds(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_bytes(b'{"a":1}')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    started = time.monotonic()
    with pytest.raises(ServerError, match=f"could not publish to topic t at {address}: "):
        publish(load(bootstrap_servers=address), str(file), "t")
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*; name a file, or - for stdin"):
        publish(load(), str(tmp_path / name))
