"""publish: what is a record of a file, byte for byte, and what Kafka is asked to acknowledge."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import json
import lzma
import re
import shlex
import socket
import time
import tracemalloc
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import ServerError, UsageError, WarehouseError
from etl.publish import records as module
from etl.publish.publish import publish
from etl.publish.records import records
from etl.servers import kafka
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
    values: list[bytes] = []
    with pytest.raises(WarehouseError) as caught:
        for record in records(io.BytesIO(content), "x.json"):
            values.append(record)
    assert "\n" not in str(caught.value)
    return values, str(caught.value)


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


@pytest.mark.parametrize(
    "content", [b"", b" ", b"\n\r\n\t", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n", gzip.compress(b"", mtime=0)]
)
def test_an_input_without_a_record_is_an_error(content: bytes) -> None:
    assert failing(content) == ([], "x.json holds no record; publish a JSON array or JSON lines")


MALFORMED = {
    "cut off in an object": (b'[{"a":1}, {"a":', 1, "record 2 of x.json, at byte 10,"),
    "cut off in a string": (b'[1,2,"abc', 2, "record 3 of x.json, at byte 5,"),
    "cut off after a record": (b'[{"a":1}', 0, "record 1 of x.json, at byte 1,"),
    "cut off after a comma": (b"[1,", 1, "record 2 of x.json, at byte 3,"),
    "cut off after the bracket": (b"[", 0, "record 1 of x.json, at byte 1,"),
    "a comma before the end": (b"[1,]", 1, "record 2 of x.json, at byte 3,"),
    "two commas": (b"[1,,2]", 1, "record 2 of x.json, at byte 3,"),
    "no comma": (b"[1 2]", 0, "record 1 of x.json, at byte 1,"),
    "a name without quotes": (b"[1,{a:1}]", 1, "record 2 of x.json, at byte 3,"),
    "a bracket of the wrong kind": (b"[1,[2}]", 1, "record 2 of x.json, at byte 3,"),
    "half a number": (b"[1,2.,3]", 1, "record 2 of x.json, at byte 3,"),
    "something after the array": (b"[1,2] x", 2, "ends before byte 6 of x.json, but the file continues"),
    "a second array": (b"[1][2]", 1, "ends before byte 3 of x.json, but the file continues"),
    "nested 100,000 deep": (b"[1," + b"[" * 100_000, 1, "record 2 of x.json, at byte 3, is nested too deep"),
}


@pytest.mark.parametrize(("content", "good", "words"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_array_gives_the_records_before_and_names_the_record_and_the_byte(
    content: bytes, good: int, words: str
) -> None:
    records, message = failing(content)
    assert (len(records), words in message) == (good, True), message


def test_a_truncated_gzip_file_gives_what_it_holds_and_a_clear_error() -> None:
    lines = [json.dumps({"id": str(uuid.uuid4())}).encode() for _ in range(20_000)]
    records, message = failing(gzip.compress(b"\n".join(lines))[:-5000])
    assert records == lines[: len(records)] and len(records) > 10_000
    assert message.startswith("x.json is damaged or cut off after byte ")


def test_a_damaged_gzip_file_is_a_clear_error() -> None:
    damaged = bytearray(gzip.compress(b'{"a":1}\n' * 1000))
    damaged[20:24] = b"\0\0\0\0"
    assert "is damaged or cut off" in failing(bytes(damaged))[1]


def test_utf_16_is_told() -> None:
    assert failing('[{"a":1}]'.encode("utf-16"))[1] == "x.json is UTF-16; convert it to UTF-8"


def test_a_record_of_many_megabytes_passes_and_one_beyond_the_limit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = b'{"a":"' + b"x" * (9 << 20) + b'"}'
    assert read(b"[{}," + huge + b",2]") == read(b"{}\n" + huge + b"\n2") == [b"{}", huge, b"2"]
    monkeypatch.setattr(module, "RECORD_BYTES", 4 << 20)
    for content in (b"[{}," + huge + b"]", b"{}\n" + huge, b"{\n}\n" + huge):
        records, message = failing(content)
        assert len(records) == 1 and message.startswith("record 2 of x.json, at byte ") and "longer than" in message


@pytest.mark.parametrize("shape", ["array", "array in one line", "lines", "objects", "objects in one line"])
def test_memory_does_not_grow_with_the_file(shape: str) -> None:
    record = b'{"id":"' + b"x" * 3000 + b'","list":[1,2,3]}'
    opening, between, end = {
        "array": (b"[\n", b",\n", b"]"),
        "array in one line": (b"[", b",", b"]"),
        "lines": (b"", b"\n", b""),
        "objects": (b'{\n"id": 1}', b"\n", b""),
        "objects in one line": (b"{}", b"", b""),
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
    assert count == 30_001 + shape.startswith("objects")
    assert peak < 12 << 20  # of 90 MB


@given(st.lists(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists)), st.data())
def test_any_array_is_cut_into_its_elements(values: list[object], data: st.DataObject) -> None:
    texts = [json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "replace") for value in values]
    size = data.draw(st.integers(1, 50))
    assert read(b"[" + b", ".join(texts) + b"]", size) == texts


# --- input that does not hold messages, or holds them in another layout ---

MESSAGE = b'{"id": "x", "list": [{"a": 1}]}'
NO_MESSAGES = {
    "a web page": (b"<!DOCTYPE html>\n<html><title>404</title></html>\n", "a web page; get the file itself again"),
    "a web page in capitals, after blank lines": (b"\n\n<HTML>\n", "a web page"),
    "XML": (b'<?xml version="1.0"?>\n<a/>\n', "XML; convert it to JSON lines"),
    "a zip archive": (b"PK\x03\x04\x14\0" + b"\0" * 20 + MESSAGE, "a zip archive; unpack it"),
    "bzip2": (bz2.compress(MESSAGE), "a bzip2 file; unpack it"),
    "xz": (lzma.compress(MESSAGE), "an xz file; unpack it"),
    "zstd": (b"\x28\xb5\x2f\xfd" + b"\x04\0\x59\0", "a zstd file; unpack it"),
    "gzip in gzip": (gzip.compress(gzip.compress(MESSAGE)), "a gzip file within a gzip file; unzip it once"),
    "a tar archive": (b"attempts.json".ljust(257, b"\0") + b"ustar\0" + b"00" + MESSAGE, "a tar archive; unpack it"),
    "a gzipped tar archive": (gzip.compress(b"a".ljust(257, b"\0") + b"ustar\x0000"), "a tar archive; unpack it"),
    "Parquet": (b"PAR1\x15\x04", "a Parquet file; convert it"),
    "Avro": (b"Obj\x01\x04", "an Avro file; convert it"),
    "a Git LFS pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
        "a Git LFS pointer, not the file; get the file with git lfs pull",
    ),
    "CSV": (b"keen_id,exam_name\nx,Hunt\n", "CSV; convert it to JSON lines, an object per line"),
    "CSV in quotes": (b'"keen_id";"exam_name"\n', "CSV; convert it"),
    "values between tabs": (b"keen_id\texam_name\n", "CSV; convert it"),
    "YAML": (b"---\nkeen_id: x\n", "YAML; convert it"),
    "binary data": (b"\0\0\0\0\x07" + MESSAGE, "binary data; convert it"),
    "text": (b"Moved to another place\n", "text, not JSON objects: it begins with 'Moved to another pla'"),
    "strings": (b'"x"\n"y"\n', "text, not JSON objects"),
    "numbers": (b"1\n2\n", "text, not JSON objects"),
    "a terminal's colours": (b"\x1b[1mx\x1b[0m\n", "binary data"),
    "the answer of an API": (
        b'{"result": [{"a":1},{"a":2}]}',
        "one object around 2 messages, in 'result'; publish the inner array: jq '.[\"result\"]'",
    ),
    "a page of an answer": (
        b'{"next": "x", "count": 1,\n "items": [{"a":1}]}',
        "one object around 1 messages, in 'items'",
    ),
}


@pytest.mark.parametrize(("content", "look"), NO_MESSAGES.values(), ids=NO_MESSAGES)
def test_input_that_holds_no_messages_is_named_before_a_record_is_read(content: bytes, look: str) -> None:
    records, message = failing(content)
    assert not records
    assert message.startswith(f"nothing was published: x.json looks like {look}")
    assert message.endswith("; --force publishes its lines as they are")


@pytest.mark.parametrize("content", [b"{\0a", b"\0{\0a", b"[\0"])
def test_utf_16_without_a_mark_is_named_too(content: bytes) -> None:
    assert failing(content)[1] == "x.json is UTF-16; convert it to UTF-8"


@pytest.mark.parametrize(("content", "look"), NO_MESSAGES.values(), ids=NO_MESSAGES)
def test_force_sends_lines_as_they_are(content: bytes, look: str) -> None:
    assert look
    plain = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    lines = [line.removesuffix(b"\r") for line in plain.split(b"\n")]
    assert list(records(io.BytesIO(content), is_forced=True)) == [line for line in lines if line.strip(b" \t\r")]


NOT_WHOLE = {
    "a first line that is cut off": (b'{"a":1\n{"a":2}\n', "record 1 of x.json, at byte 0, is not JSON or not whole"),
    "a first line with single quotes": (b"{'a': 1}\n{'a': 2}\n", "record 1 of x.json, at byte 0, is not JSON"),
    "a first line with a comma too many": (b'\n{"a":1,}\n{"a":2}\n', "record 1 of x.json, at byte 1, is not JSON"),
    "a pretty-printed object that is cut off": (b'{\n  "a": 1,\n', "record 1 of x.json, at byte 0, is not JSON or not"),
    "commas between lines": (b'{"a":1},\n{"a":2}\n', "has ',' after it on its line"),
    "a word after the object": (b'{"a":1} x\n', "has 'x' after it on its line"),
}


@pytest.mark.parametrize(("content", "words"), NOT_WHOLE.values(), ids=NOT_WHOLE)
def test_a_first_record_that_is_not_whole_is_refused_before_anything_is_sent(content: bytes, words: str) -> None:
    records, message = failing(content)
    assert not records and words in message and "nothing was published" in message and "--force" in message


def test_commas_between_objects_are_an_array_without_its_brackets() -> None:
    assert "put the objects between [ and ]" in failing(b'{"a":1},\n{"a":2}\n')[1]


OBJECTS = [b'{\n  "a": 1,\n  "b": ["}{"]\n}', b"{ }", b'{"a":{"b":{}}}', '{"é":"→\x1e😀"}'.encode(), b'{\r"a":\t1}']
LAYOUTS = {
    "pretty-printed": (b"", b"\n"),
    "with nothing between them": (b"", b""),
    "with spaces between them": (b"", b"  "),
    "with CR between them": (b"", b"\r"),
    "with record separators": (b"\x1e", b"\n"),
    "with record separators alone": (b"\x1e", b""),
    "with blank lines between them": (b"", b"\n\n \r\n"),
}


@pytest.mark.parametrize(("before", "after"), LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("size", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"\n \n"])
def test_objects_in_any_layout_are_cut_out_of_the_text(before: bytes, after: bytes, size: int, mark: bytes) -> None:
    content = mark + b"".join(before + each + after for each in OBJECTS)
    assert read(content, size) == OBJECTS
    if size > 1:
        assert read(gzip.compress(content), size) == OBJECTS


@pytest.mark.parametrize("between", [b"", b"\r", b"\x1e", b" "])
def test_objects_on_one_line_are_told_apart(between: bytes) -> None:
    assert read(MESSAGE + between + MESSAGE + b"\n") == [MESSAGE, MESSAGE]


def test_a_single_object_may_be_pretty_printed_and_needs_no_line_end() -> None:
    pretty = json.dumps(json.loads(MESSAGE), indent=2).encode()
    assert read(pretty) == read(b"\n" + pretty + b"\n") == [pretty]


def test_a_fault_behind_the_first_object_gives_the_objects_before_and_names_the_record() -> None:
    for rest in (b'{\n"a": x}', b'{\n"a": 1', b"[1]", b"x"):
        records, message = failing(b'{\n"a": 0}\n' + rest)
        assert records == [b'{\n"a": 0}'] and message.startswith("record 2 of x.json, at byte 10, ")


@pytest.mark.parametrize(
    "content",
    [
        b'{"result": []}',
        b'{"result": [1, 2]}',
        b'{"result": {"a": 1}}',
        b'{"a": [{"b":1}], "c": 1}',
        b'{"data": [{"b":1}], "c": {"d":1}}',
        b'{"a": {"result": [{"b":1}]}}',
    ],
)
def test_an_object_that_only_resembles_an_answer_is_a_message(content: bytes) -> None:
    assert read(content) == [content]


def test_a_first_line_of_many_megabytes_is_a_line() -> None:
    huge = b'{"a":"' + b"x" * (3 << 20) + b'","n":' + b"7" * 5000 + b"}"
    for rest in (b"", b"\n", b"\nnot json", b"\r\n{}"):
        assert read(huge + rest)[0] == huge
    assert read(huge + huge) == [huge, huge]


def test_a_first_line_that_is_nested_too_deep_to_be_parsed_is_a_line() -> None:
    deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert read(deep + b"\n{}") == [deep, b"{}"]


@hypothesis.settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists), max_size=3),
        min_size=1,
    ),
    st.sampled_from([None, 0, 2]),
    st.sampled_from([b"", b"\n", b"\r\n", b"\n\x1e", b" "]),
    st.integers(1, 50),
)
def test_any_objects_in_any_layout_are_read(
    values: list[dict[str, object]], indent: int | None, between: bytes, size: int
) -> None:
    texts = [json.dumps({"id": 1, **value}, indent=indent, ensure_ascii=False).encode() for value in values]
    mark = b"\x1e" if b"\x1e" in between else b""
    assert read(mark + between.join(texts), size) == texts


def test_a_disk_that_fails_is_not_taken_for_a_damaged_file() -> None:
    class Failing(Drip):
        def readinto(self, buffer: Any) -> int:
            if not self._left:
                raise OSError(errno.EIO, "Input/output error")
            return super().readinto(buffer)

    with pytest.raises(WarehouseError) as caught:
        list(records(cast(BinaryIO, Failing(b'{"a":1}\n' * 10, 1 << 20)), "x.json"))
    assert str(caught.value).startswith("cannot read x.json after byte ")


def test_an_input_that_cannot_be_read_at_all_is_told() -> None:
    with Path("/proc/self/mem").open("rb") as stream, pytest.raises(WarehouseError) as caught:
        list(records(stream, "x.json"))
    assert str(caught.value).startswith("cannot read x.json after byte 0 ")


def test_the_suggested_command_holds_a_key_as_one_word() -> None:
    key = "x'; touch y; '\" "
    with pytest.raises(WarehouseError) as caught:
        read(json.dumps({key: [{"a": 1}]}).encode())
    command = re.search(r"the inner array: (jq .*); --force", caught.value.step)
    assert command and shlex.split(command[1]) == ["jq", f".[{json.dumps(key)}]"]


# --- Kafka ---


def test_a_closed_port_is_named_within_30_seconds(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_bytes(b'{"a":1}')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    started = time.monotonic()
    with pytest.raises(ServerError, match=f"no Kafka broker answers at {address}: "):
        publish(load(bootstrap_servers=address), str(file), "t")
    assert time.monotonic() - started < 30


def test_of_several_brokers_one_that_listens_is_enough() -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        kafka._connect(f"127.0.0.1:1,127.0.0.1:{broker.getsockname()[1]}")
    with pytest.raises(ConnectionRefusedError):
        kafka._connect("127.0.0.1:1,127.0.0.1:1")


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*; name a file, or - for stdin"):
        publish(load(), str(tmp_path / name))
