"""check: which messages fit the contract, why the others do not, and that nothing of either is lost."""

from __future__ import annotations

import base64
import json
import pickle
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rfc8259 import INVALID, VALID

from etl.land import check_message as check
from etl.land.check_message import Accepted, Rejected, contract
from etl.land.raw_lines import Envelope, line_accepted, line_rejected, message_of, rejected_message_of
from stack import parts

PLACE = Envelope(3, "topic", 0, 7, 1_500_000_000_000)
HEADERS = [("a", b"\xff"), ("a", b""), ("none", None), ('a "name",\n"payload":', b"x")]
FULL = PLACE._replace(key=b"\x00k", headers=HEADERS)
PLACE_JSON = {
    "landing": 3,
    "kafka_topic": "topic",
    "kafka_partition": 0,
    "kafka_offset": 7,
    "kafka_timestamp": 1_500_000_000_000,
}
FULL_JSON = {
    "key_base64": "AGs=",
    "headers": [
        {"name": "a", "value_base64": "/w=="},
        {"name": "a", "value_base64": ""},
        {"name": "none", "value_base64": None},
        {"name": 'a "name",\n"payload":', "value_base64": "eA=="},
    ],
}


def struct(**types: Any) -> dict[str, Any]:
    """A struct as Spark writes it in `StructType.json()`."""
    fields = [{"name": name, "type": type_, "nullable": True, "metadata": {}} for name, type_ in types.items()]
    return {"type": "struct", "fields": fields}


def array(element: Any) -> dict[str, Any]:
    return {"type": "array", "elementType": element, "containsNull": True}


def mapping(value: Any, key: str = "string") -> dict[str, Any]:
    return {"type": "map", "keyType": key, "valueType": value, "valueContainsNull": True}


INNER = struct(id="string", items=array(struct(id="string", count="long", is_set="boolean")), small="byte")
PLAIN = struct(n="long", i="integer", s="string", k="boolean", inner=INNER, words=array("string"))
OPEN = struct(n="long", d="double", m=mapping("long"), parts=mapping(struct(n="long")))
CHECK = contract(json.dumps(PLAIN)).check
CHECK_OPEN = contract(json.dumps(OPEN)).check
LIMIT = 400  # bytes of UTF-8 per text
RULED = contract(json.dumps(PLAIN), ["s"], LIMIT)


def reason(message: bytes | None, checked: Callable[[bytes | None], Accepted | Rejected] = CHECK) -> str:
    outcome = checked(message)
    assert isinstance(outcome, Rejected), outcome
    assert "\n" not in outcome.reason
    return outcome.reason


def accepted(message: bytes, checked: Callable[[bytes | None], Accepted | Rejected] = CHECK) -> Accepted:
    """Check a message that must be accepted, and that nothing of it is lost."""
    outcome = checked(message)
    assert isinstance(outcome, Accepted), outcome
    for envelope in (PLACE, FULL):
        line = line_accepted(envelope, outcome)
        assert "\n" not in line and "\r" not in line
        assert message_of(line) == message
        row = json.loads(line)
        assert row.pop("payload") == json.loads(message)
        assert row.pop("original") == outcome.original
        assert [(unknown["path"], unknown["example"]) for unknown in row.pop("unknown_fields", [])] == list(
            outcome.unknown
        )
        assert row == {**PLACE_JSON, **(FULL_JSON if envelope is FULL else {})}
    return outcome


# --- what fits ---

FITTING = {
    "every field": b'{"n":1,"i":2,"s":"x","k":true,"inner":{"id":"y","items":[{"id":"z","count":3}]},"words":["w"]}',
    "no field": b"{}",
    "nulls everywhere": b'{"n":null,"i":null,"s":null,"k":null,"inner":null,"words":null}',
    "nulls in arrays": b'{"words":[null,"x",null],"inner":{"items":[null,{"count":null}]}}',
    "empty arrays and objects": b'{"words":[],"inner":{}}',
    "the largest integers": b'{"n":9223372036854775807,"i":2147483647,"inner":{"small":127}}',
    "the smallest integers": b'{"n":-9223372036854775808,"i":-2147483648,"inner":{"small":-128}}',
    "minus zero": b'{"n":-0}',
    "fields in another order": b'{"words":[],"n":1}',
    "a field given twice": b'{"n":1,"n":2}',
    "an object given twice": b'{"inner":{"id":"x"},"inner":{"small":1}}',
    "a field given again as null": b'{"n":1,"n":null}',
    "a field's name in escapes": b'{"\\u006e":5}',
    "spaces around everything": b'  { "n" : 1 ,\t"s" : "x" } \t',
    "all short escapes": b'{"s":"\\"\\\\\\/\\b\\f\\n\\r\\t"}',
    "NUL as an escape": b'{"s":"a\\u0000b"}',
    "DEL and C1 controls": '{"s":"\x7f\x80\x9f\x85"}'.encode(),
    "line separators of Unicode": '{"s":"\u2028\u2029"}'.encode(),
    "an emoji, raw and as a pair": '{"s":"😀\\ud83d\\ude00"}'.encode(),
    "right-to-left text and a byte order mark inside": '{"s":"\u202eאבג\ufeff\ufffe\uffff"}'.encode(),
    "an unknown field": b'{"n":1,"z":{"n":"free","q":[1,{"x":2}]}}',
    "unknown fields at every level": b'{"z":1,"inner":{"z":2,"items":[{"z":3,"count":1}]}}',
    "an unknown field with an empty name": b'{"":1,"inner":{"":null}}',
    "an unknown field in another case, below an unknown one": b'{"z":{"N":1,"_col9":2,"0":3}}',
    "unknown names like a column's, yet not": b'{"_col":1,"_COL0":1,"col0":1,"6":1,"1.0":1,"x0":1,"-":1}',
    "an unknown name that only looks like a field's": '{"\u017f":1,"n ":2,"n\\u0000":3}'.encode(),
    "an unknown number beyond a double": b'{"z":1e99999,"y":-1E-99999}',
    "an unknown integer beyond 64 bits": b'{"z":123456789012345678901234567890}',
    "an unknown integer of 1,000 digits": b'{"z":' + b"7" * 1000 + b"}",
    "an unknown name of 50,000 bytes": b'{"' + b"n" * 50_000 + b'":1}',
    "an unknown field nested 100 levels deep": b'{"z":' + b"[" * 99 + b"]" * 99 + b"}",
    "an unknown field named like the envelope's": b'{"payload":{"kafka_offset":"x"},"original":null}',
    "text that imitates the envelope": b'{"s":",\\"original\\":null}","z":[{"payload":1,"original":null}]}',
}
FITTING_OPEN = {
    "a map": b'{"m":{"a":1,"N":2,"":null,"_col7":3,"0":4}}',
    "a map of structs": b'{"parts":{"a":{"n":1},"b":null,"c":{"z":1}}}',
    "doubles": b'{"d":-12.5e-3}',
    "an integer for a double": b'{"d":12}',
    "a double that is nearly nothing": b'{"d":1e-400}',
    "a double of many digits": b'{"d":0.' + b"3" * 998 + b"}",
}


@pytest.mark.parametrize("message", FITTING.values(), ids=FITTING)
def test_a_message_that_fits_is_landed_as_it_is(message: bytes) -> None:
    assert accepted(message)[:2] == (message.decode(), None)


@pytest.mark.parametrize("message", FITTING_OPEN.values(), ids=FITTING_OPEN)
def test_maps_and_doubles_fit_too(message: bytes) -> None:
    assert accepted(message, CHECK_OPEN)[:2] == (message.decode(), None)


@pytest.mark.parametrize("message", [b'{"n":1,\n"s":"x"}', b'{\r\n  "n": 1\r\n}\n', b'\n{"z":[1,\r2]}', b"{}\r"])
def test_line_breaks_leave_the_payload_and_stay_in_the_original(message: bytes) -> None:
    outcome = accepted(message)
    assert outcome.original == message.decode()
    assert json.loads(outcome.payload_text) == json.loads(message)


def test_a_message_of_20_000_000_bytes_fits_and_no_longer_one() -> None:
    longest = b'{"s":"' + b"x" * (20_000_000 - 8) + b'"}'
    assert accepted(longest).original is None
    assert reason(longest + b" ") == "20,000,001 bytes, more than the 20,000,000 that Hive reads"


def test_65_536_elements_fit() -> None:
    accepted(json.dumps({"inner": {"items": [{"id": "x", "count": 1}] * 65_536}}).encode())


def test_a_known_message_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "Inspection", None)
    accepted(FITTING["every field"])


# --- what the contract does not name ---

UNKNOWN = {
    "none": (b'{"n":1,"inner":{"items":[{"id":"x"}]}}', ()),
    "at the top": (b'{"z":1}', (("$.z", "1"),)),
    "in an object and in elements": (
        b'{"inner":{"y":null,"items":[{},null,{"z":"a"},{"z":"b"}]}}',
        (("$.inner.y", "null"), ("$.inner.items[].z", '"a"')),
    ),
    "below an unknown one": (b'{"z":{"n":[1,{"x":2}]}}', (("$.z", '{"n":[1,{"x":2}]}'),)),
    "given twice": (b'{"z":1,"z":2}', (("$.z", "1"),)),
    "numbers as they came": (
        b'{"z":[1.50,-0,1E400,12345678901234567890123]}',
        (("$.z", "[1.50,-0,1E400,12345678901234567890123]"),),
    ),
    "text in escapes": (b'{"z":"\\ud83d\\ude00\\n\\u0000"}', (("$.z", '"😀\\n\\u0000"'),)),
    "a name in escapes": (b'{"\\u007a\\"":1}', (('$["z\\""]', "1"),)),
    "a name with a dot beside a nested one": (
        b'{"inner.z":1,"inner":{"z":2,"items":[{"a.b":3,"a":{"b":4}}]}}',
        (
            ('$["inner.z"]', "1"),
            ("$.inner.z", "2"),
            ('$.inner.items[]["a.b"]', "3"),
            ("$.inner.items[].a", '{"b":4}'),
        ),
    ),
    "names that look like an element": (
        b'{"words[]":1,"":2,"a b":3}',
        (('$["words[]"]', "1"), ('$[""]', "2"), ('$["a b"]', "3")),
    ),
    "a name with a line break": (b'{"a\\n":1}', (('$["a\\n"]', "1"),)),
}


@pytest.mark.parametrize(("message", "fields"), UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_fields_are_recorded_once_with_their_first_value(
    message: bytes, fields: tuple[tuple[str, str]]
) -> None:
    assert accepted(message).unknown == fields


def test_of_unknown_fields_are_kept_20_and_of_their_names_and_values_the_beginning() -> None:
    names = [f"z{number}" for number in range(30)]
    assert [path for path, _ in accepted(json.dumps(dict.fromkeys(names, 1)).encode()).unknown] == [
        f"$.{name}" for name in names[:20]
    ]
    ((path, example),) = accepted(json.dumps({"😀" * 10_000: "😀" * 10_000}).encode()).unknown
    assert (path, example) == ('$["' + "😀" * 60 + '"]', '"' + "😀" * 199)


def test_fields_of_structs_in_a_map_are_not_confused_with_its_names() -> None:
    assert accepted(b'{"parts":{"a":{"n":1,"z":2},"b":{"z":3}}}', CHECK_OPEN).unknown == (("$.parts.a.z", "2"),)


# --- what does not ---

UNFIT = {
    "a tombstone": (None, "no value (a tombstone)"),
    "an empty message": (b"", "empty message"),
    "only white space": (b" \n", "not JSON: ends too early"),
    "a byte order mark": (b'\xef\xbb\xbf{"n":1}', "not JSON: begins with a byte order mark"),
    "UTF-16": ('{"n":1}'.encode("utf-16"), "not UTF-8 at byte 0"),
    "UTF-16 without a mark": ('{"n":1}'.encode("utf-16-le"), "not JSON: "),
    "Latin-1": ('{"s":"é"}'.encode("latin-1"), "not UTF-8 at byte 6"),
    "no UTF-8 in an unknown field": (b'{"z":"\xff"}', "not UTF-8 at byte 6"),
    "a surrogate in UTF-8": (b'{"z":"\xed\xa0\x80"}', "not UTF-8 at byte 6"),
    "an overlong slash": (b'{"z":"\xc0\xaf"}', "not UTF-8 at byte 6"),
    "beyond Unicode": (b'{"z":"\xf4\x90\x80\x80"}', "not UTF-8 at byte 6"),
    "cut off in a character": (b'{"z":"\xe2\x82', "not UTF-8 at byte 6"),
    "an array": (b"[]", "expected object, got array at $"),
    "a string": (b'"x"', "expected object, got string at $"),
    "an integer": (b"1", "expected object, got integer at $"),
    "true": (b"true", "expected object, got boolean at $"),
    "null": (b"null", "expected object, got null at $"),
    "cut off": (b'{"n":1', "not JSON: ends too early"),
    "two messages": (b"{}{}", "not JSON: trailing characters (byte 3)"),
    "a string for an integer": (b'{"n":"1"}', "expected integer, got string at $.n"),
    "a boolean for an integer": (b'{"n":true}', "expected integer, got boolean at $.n"),
    "a fraction for an integer": (b'{"n":1.5}', "expected integer, got number with fraction or exponent at $.n"),
    "1.0 for an integer": (b'{"n":1.0}', "expected integer, got number with fraction or exponent at $.n"),
    "1e2 for an integer": (b'{"n":1e2}', "expected integer, got number with fraction or exponent at $.n"),
    "1e400 for an integer": (b'{"n":1e400}', "number out of range at $.n"),
    "2^63": (b'{"n":9223372036854775808}', "expected integer <= 9223372036854775807 at $.n"),
    "-2^63 - 1": (b'{"n":-9223372036854775809}', "expected integer >= -9223372036854775808 at $.n"),
    "2^64": (b'{"n":18446744073709551616}', "expected integer <= 9223372036854775807 at $.n"),
    "2^31 in 32 bits": (b'{"i":2147483648}', "expected integer <= 2147483647 at $.i"),
    "128 in 8 bits": (b'{"inner":{"small":128}}', "expected integer <= 127 at $.inner.small"),
    "an integer for a string": (b'{"s":1}', "expected string, got integer at $.s"),
    "a string for a boolean": (b'{"k":"true"}', "expected boolean, got string at $.k"),
    "0 for a boolean": (b'{"k":0}', "expected boolean, got integer at $.k"),
    "a string for an array": (b'{"inner":{"items":"x"}}', "expected array, got string at $.inner.items"),
    "an object for an array": (b'{"words":{}}', "expected array, got object at $.words"),
    "an array for an object": (b'{"inner":[]}', "expected object, got array at $.inner"),
    "an array for a string": (b'{"s":["x"]}', "expected string, got array at $.s"),
    "a wrong element": (b'{"words":["x",1]}', "expected string, got integer at $.words[1]"),
    "a wrong type in an element": (
        b'{"inner":{"items":[{},{"count":"x"}]}}',
        "expected integer, got string at $.inner.items[1].count",
    ),
    "a wrong type beside unknown fields": (b'{"z":1,"n":"x"}', "expected integer, got string at $.n"),
    "a field given twice, wrong at first": (b'{"n":"x","n":1}', "expected integer, got string at $.n"),
    "a field given twice, wrong at last": (b'{"n":1,"n":"x"}', "expected integer, got string at $.n"),
    "an object given twice, wrong at first": (b'{"inner":{"id":1},"inner":{}}', "expected string, got integer"),
    "a field in another case": (b'{"N":1}', "key N at $ differs only in case from n"),
    "a field in both cases": (b'{"n":1,"N":"x"}', "key N at $ differs only in case from n"),
    "a field in another case, deep": (
        b'{"inner":{"items":[{},{"Count":1}]}}',
        "key Count at $.inner.items[1] differs only in case from count",
    ),
    "a field in another case, in an object given twice": (
        b'{"inner":{"ID":1},"inner":{}}',
        "key ID at $.inner differs",
    ),
    "the Kelvin sign for a k": ('{"\u212a":true}'.encode(), "key \u212a at $ differs only in case from k"),
    "Hive's name for a column": (b'{"_col0":1}', "key _col0 at $ is how Hive names a column by its position"),
    "Hive's name for a column there is not": (b'{"_col99999999999":1}', "key _col99999999999 at $ is how Hive names"),
    "Hive's name for a column, deep": (b'{"inner":{"_col7":1}}', "key _col7 at $.inner is how Hive names"),
    "a position": (b'{"0":1}', "key 0 at $ is how Hive names a column by its position"),
    "a position with a sign and zeros": (b'{"+005":1}', 'key "+005" at $ is how Hive names'),
    "a position in Arabic digits": ('{"\u0662":1}'.encode(), "key \u0662 at $ is how Hive names"),
    "a position of 5,000 zeros": (b'{"' + b"0" * 5000 + b'":1}', "is how Hive names a column by its position"),
    "an unknown integer of 1,001 digits": (
        b'{"z":[' + b"7" * 1001 + b"]}",
        "number of 1,001 characters, more than 1,000, at $.z[0]",
    ),
    "an unknown fraction of 5,000 digits": (b'{"z":0.' + b"7" * 5000 + b"}", "number of 5,002 characters"),
    "an unknown number too long, hidden by a second one": (b'{"z":' + b"7" * 1001 + b',"z":1}', "number of 1,001"),
    "an unknown name of 50,001 bytes": (b'{"' + b"n" * 50_001 + b'":1}', "key of 50,001 bytes, more than 50,000, at $"),
    "a deep unknown name of two-byte characters": (
        b'{"z":[{"' + "é".encode() * 25_001 + b'":1}]}',
        "key of 50,002 bytes, more than 50,000, at $.z[0]",
    ),
    "nested 101 levels deep": (b'{"z":' + b"[" * 100 + b"]" * 100 + b"}", "nested deeper than 100 levels"),
    "nested 101 levels deep in objects": (b'{"z":' * 101 + b"1" + b"}" * 101, "nested deeper than 100 levels"),
    "nested 100,000 levels deep": (b'{"z":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested deeper than 100 levels"),
    "nested 100,000 levels deep in objects": (b'{"z":' * 100_000, "nested deeper than 100 levels"),
    "nested 100,000 levels deep in a known field": (b'{"words":' + b"[" * 100_000, "expected string, got array"),
}
UNFIT_OPEN = {
    "a wrong value in a map": (b'{"m":{"a":"x"}}', "expected integer, got string at $.m[...]"),
    "a field in another case in a map's struct": (
        b'{"parts":{"a":{"N":1}}}',
        "key N at $.parts.a differs only in case",
    ),
    "a name in a map of 50,001 bytes": (b'{"m":{"' + b"n" * 50_001 + b'":1}}', "key of 50,001 bytes"),
    "a double of 1,001 digits": (b'{"d":0.' + b"3" * 1001 + b"}", "number of 1,003 characters"),
    "a double out of range": (b'{"d":1e999}', "number out of range at $.d"),
    "a string for a double": (b'{"d":"1.5"}', "expected number, got string at $.d"),
}


@pytest.mark.parametrize(("message", "words"), UNFIT.values(), ids=UNFIT)
def test_a_message_that_does_not_fit_is_rejected_with_path_and_types(message: bytes | None, words: str) -> None:
    assert reason(message).startswith(words) or words in reason(message)


@pytest.mark.parametrize(("message", "words"), UNFIT_OPEN.values(), ids=UNFIT_OPEN)
def test_maps_and_doubles_have_their_limits(message: bytes, words: str) -> None:
    assert reason(message, CHECK_OPEN).startswith(words)


def test_a_reason_stays_short() -> None:
    name = b'{"' + b"n" * 40_000 + b'":'
    assert len(reason(name * 50 + b"7" * 1001 + b"}" * 50)) < 700


# --- what a message must have, and how long a text may be ---

ABSENT = {
    "missing": (b"{}", "required field is missing at $.s"),
    "missing beside others": (b'{"n":1,"z":{"s":"x"}}', "required field is missing at $.s"),
    "null": (b'{"s":null}', "required field is null at $.s"),
    "empty": (b'{"s":""}', "required field is empty at $.s"),
    "null at first": (b'{"s":null,"s":"x"}', "required field is null at $.s"),
    "empty at last": (b'{"s":"x","s":""}', "required field is empty at $.s"),
    "in an envelope": (b'{"schema":{},"payload":{"s":"x"}}', "required field is missing at $.s"),
    "in another case": (b'{"S":"x"}', "key S at $ differs only in case from s"),
    "of another type": (b'{"s":1}', "expected string, got integer at $.s"),
}


@pytest.mark.parametrize(("message", "words"), ABSENT.values(), ids=ABSENT)
def test_a_message_without_a_required_field_is_rejected_with_its_path(message: bytes, words: str) -> None:
    assert reason(message, RULED.check) == words


@pytest.mark.parametrize("message", [b'{"s":" "}', b'{"s":"x","s":"y"}', b'{"z":1,"s":"x"}', b'{"s":"\\u0000"}'])
def test_any_text_but_the_empty_one_is_there(message: bytes) -> None:
    accepted(message, RULED.check)


PLACES = {
    "a required field": ('{"s":%s}', "text", "$.s"),
    "an element": ('{"s":"x","words":["y",%s]}', "text", "$.words[1]"),
    "a nested field": ('{"s":"x","inner":{"items":[{"id":%s}]}}', "text", "$.inner.items[0].id"),
    "an unknown field": ('{"s":"x","z":%s}', "text", "$.z"),
    "an element of an unknown field": ('{"s":"x","z":[{"y":%s}]}', "text", "$.z[0].y"),
    "a key": ('{"s":"x",%s:1}', "key", "$"),
    "a key in an unknown field": ('{"s":"x","z":{%s:1}}', "key", "$.z"),
    "a text that a second one replaces": ('{"s":%s,"s":"x"}', "text", "$.s"),
}


@pytest.mark.parametrize(("form", "kind", "path"), PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("character", ["x", "é", "→", "😀"])
@pytest.mark.parametrize("is_ascii", [False, True])
def test_a_text_has_at_most_so_many_bytes_of_utf_8(
    form: str, kind: str, path: str, character: str, is_ascii: bool
) -> None:
    """Whatever the characters, and however they are written: an escape counts as the character it stands for."""
    width = len(character.encode())
    longest = character * (LIMIT // width) + "x" * (LIMIT % width)
    fits, too_long = (form % json.dumps(text, ensure_ascii=is_ascii) for text in (longest, longest + "x"))
    accepted(fits.encode(), RULED.check)
    assert reason(too_long.encode(), RULED.check) == f"{kind} of 401 bytes, more than 400, at {path}"


@pytest.mark.parametrize("required", [["missing"], ["n"], ["s", "inner"]])
def test_only_a_string_at_the_top_can_be_required(required: list[str]) -> None:
    with pytest.raises(ValueError, match=f"{required[-1]} is required, but is not a string at the top"):
        contract(json.dumps(PLAIN), required)


# --- strict JSON: values as RFC 8259 has them, and as it has them not ---


@pytest.mark.parametrize("value", VALID.values(), ids=VALID)
def test_valid_json_is_accepted(value: bytes) -> None:
    for message in (b'{"z":%b}', b'{"z":[%b,1]}', b'{"inner":{"z":%b},"n":1}'):
        accepted(message % value)
    if value.startswith(b'"'):  # the fields of the contract take another way
        accepted(b'{"s":%b,"words":[%b]}' % (value, value))


@pytest.mark.parametrize("value", INVALID.values(), ids=INVALID)
def test_invalid_json_is_rejected(value: bytes) -> None:
    for message in (b'{"z":%b}', b'{"inner":{"z":%b},"n":1}', b'{"n":1,"z":{"z":%b}}'):
        assert reason(message % value).startswith(("not JSON: ", "not UTF-8 "))
    assert reason(b'{"s":%b}' % value).startswith(("not JSON: ", "not UTF-8 ", "expected "))


# --- what is kept ---


def test_a_rejected_message_keeps_its_bytes_and_its_key() -> None:
    kept = {"reason": 'a "reason"\n', "message_base64": "/wA="}
    assert json.loads(line_rejected(FULL, kept["reason"], b"\xff\x00")) == {**PLACE_JSON, **FULL_JSON, **kept}
    assert json.loads(line_rejected(PLACE, kept["reason"], b"\xff\x00")) == {**PLACE_JSON, **kept}


def test_a_tombstone_has_no_bytes_and_an_empty_message_has_none_of_them() -> None:
    for value, encoded in ((None, None), (b"", "")):
        row = json.loads(line_rejected(PLACE, "x", value))
        assert row["message_base64"] == encoded and rejected_message_of(row) == value


@pytest.mark.parametrize(("length", "pieces"), [(1, 0), (15_000_000, 0), (15_000_001, 1), (31_000_000, 2)])
def test_a_rejected_message_of_any_length_is_kept_in_pieces_that_hive_reads(length: int, pieces: int) -> None:
    message = (b"\x00\xff\n" * (length // 3 + 1))[:length]
    row = json.loads(line_rejected(PLACE, "r", message))
    texts = [row["message_base64"], *row.get("more_base64", [])]
    assert len(texts) == 1 + pieces and all(len(text) <= 20_000_000 for text in texts)
    assert rejected_message_of(row) == message


def test_of_a_key_or_header_beyond_what_hive_reads_the_beginning_is_kept() -> None:
    long = b"x" * 15_000_001
    row = json.loads(line_rejected(PLACE._replace(key=long, headers=[("h", long)]), "r", b""))
    assert base64.b64decode(row["key_base64"]) == base64.b64decode(row["headers"][0]["value_base64"]) == long[:-1]


NAMES = st.sampled_from(
    ["n", "i", "s", "k", "inner", "items", "id", "count", "words", "small", "N", "ID", "z", "_col0"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(NAMES | st.text(), inside, max_size=6),
)
OBJECTS = st.dictionaries(NAMES | st.text(), VALUES, max_size=8)
ITEMS = st.fixed_dictionaries({}, optional={"id": st.text(), "count": st.integers(-9, 9) | st.none(), "z": VALUES})
MATCHING = st.fixed_dictionaries(
    {},
    optional={
        "n": st.integers(-(2**63), 2**63 - 1) | st.none(),
        "s": st.text() | st.none(),
        "k": st.booleans(),
        "inner": st.fixed_dictionaries(
            {}, optional={"id": st.text(), "items": st.lists(ITEMS | st.none()), "q": VALUES}
        ),
        "words": st.lists(st.text() | st.none()),
        "z": VALUES,
    },
)


@given(OBJECTS | MATCHING, st.booleans(), st.sampled_from([None, 0, 2]))
def test_any_object_is_accepted_whole_or_rejected(value: dict[str, Any], is_ascii: bool, indent: int | None) -> None:
    message = json.dumps(value, ensure_ascii=is_ascii, indent=indent).encode()
    if isinstance(outcome := CHECK(message), Accepted):
        assert json.loads(outcome.payload_text) == value
        accepted(message)
    else:
        assert outcome.reason


@given(OBJECTS | MATCHING, st.booleans(), st.sampled_from(["", "x", "x" * 101, "é" * 201]))
def test_the_quick_way_accepts_only_what_the_long_one_does(value: dict[str, Any], is_ascii: bool, text: str) -> None:
    for each in (value, {**value, "s": text}, {**value, "s": "x", "words": ["y", text]}):
        message = json.dumps(each, ensure_ascii=is_ascii).encode()
        inspected = RULED.inspect(message)
        assert RULED.check(message) == inspected
        if RULED.is_plain(message):
            assert isinstance(inspected, Accepted) and not inspected.unknown


@given(MATCHING, st.booleans())
def test_any_object_of_the_contract_is_accepted(value: dict[str, Any], is_ascii: bool) -> None:
    accepted(json.dumps(value, ensure_ascii=is_ascii).encode())


@given(st.binary() | st.text(alphabet='{}[]",:\\u0dD8ne1.- \n\x00').map(str.encode), MATCHING, st.data())
def test_any_bytes_are_accepted_only_if_they_are_json(noise: bytes, value: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(value).encode()
    at = data.draw(st.integers(0, len(text)))
    for message in (noise, text[:at] + noise + text[at + len(noise) :], text[:at]):
        if isinstance(CHECK(message), Accepted):
            accepted(message)


# --- the contract ---


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        ({"type": "struct", "fields": struct(a="timestamp")["fields"]}, "the type \"timestamp\" of $.a"),
        (struct(a=array(struct(b="decimal(10,2)"))), "the type \"decimal(10,2)\" of $.a[].b"),
        (struct(a=mapping("long", key="integer")), "\"keyType\": \"integer\""),
    ],
    ids=["a timestamp", "a decimal", "a map by numbers"],
)  # fmt: skip
def test_a_type_that_json_cannot_fill_exactly_is_refused(type_: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as caught:
        contract(json.dumps(type_))
    assert words in str(caught.value)


def test_field_names_may_be_anything() -> None:
    odd = contract(json.dumps(struct(**{"class": "long", "a-b": "string", "_x": "long", "ä": "long", "map": "long"})))
    accepted('{"class":1,"a-b":"x","_x":2,"ä":3,"map":4}'.encode(), odd.check)
    assert reason(b'{"class":"x"}', odd.check) == "expected integer, got string at $.class"


def test_a_contract_pickles() -> None:
    copy = pickle.loads(pickle.dumps(RULED))  # noqa: S301
    for message in (b'{"n":1,"s":"x"}', b'{"n":1}', b'{"s":"' + b"x" * 500 + b'"}'):
        assert copy.check(message) == RULED.check(message)


# --- the readers: what is accepted is read by Hive's JsonSerDe and by Spark's, and as the same row ---

ENVELOPE = "landing,kafka_topic,kafka_partition,kafka_offset,kafka_timestamp"
ENVELOPE_TYPES = "bigint:string:int:bigint:bigint"
SENT, SENT_TYPES = "key_base64,headers", "string:array<struct<name:string,value_base64:string>>"
HIVE_TYPES = {"long": "bigint", "integer": "int", "byte": "tinyint"}


def hive_type(node: Any) -> str:
    if isinstance(node, str):
        return HIVE_TYPES.get(node, node)
    if node["type"] == "struct":
        return f"struct<{','.join(field['name'] + ':' + hive_type(field['type']) for field in node['fields'])}>"
    if node["type"] == "array":
        return f"array<{hive_type(node['elementType'])}>"
    return f"map<string,{hive_type(node['valueType'])}>"


def projected(value: Any, node: Any) -> Any:
    """What the table shows of a value: its known fields, null for the missing ones."""
    if value is None or isinstance(node, str):
        return value
    if node["type"] == "struct":
        return {field["name"]: projected(value.get(field["name"]), field["type"]) for field in node["fields"]}
    if node["type"] == "array":
        return [projected(item, node["elementType"]) for item in value]
    return {key: projected(item, node["valueType"]) for key, item in value.items()}


class Reader:
    """The JsonSerDe of one engine, in a Java process of its own."""

    def __init__(self, gateway: Any) -> None:
        self._gateway, self._java = gateway, gateway.jvm

    def table(self, columns: str, types: str) -> Callable[[str], Any]:
        serde = self._java.org.apache.hive.hcatalog.data.JsonSerDe()
        properties = self._java.java.util.Properties()
        properties.setProperty("columns", columns)
        properties.setProperty("columns.types", types)
        initialize = [self._java.org.apache.hadoop.conf.Configuration(False), properties]
        try:
            serde.initialize(*initialize, None)
        except self._errors():
            serde.initialize(*initialize)
        inspector = serde.getObjectInspector()

        def read(line: str) -> Any:
            row = serde.deserialize(self._java.org.apache.hadoop.io.Text(line.encode()))
            text = self._java.org.apache.hadoop.hive.serde2.SerDeUtils.getJSONString(row, inspector)
            return json.loads(text, strict=False)

        return read

    @staticmethod
    def _errors() -> type[Exception]:
        from py4j.protocol import Py4JError  # type: ignore[import-untyped,unused-ignore]

        return Py4JError  # type: ignore[no-any-return,unused-ignore]


@pytest.fixture(scope="module", params=["spark", "hive"])
def reader(request: pytest.FixtureRequest) -> Iterator[Reader]:
    from py4j.java_gateway import JavaGateway, launch_gateway  # type: ignore[import-untyped,unused-ignore]

    parts.ensure_jars(lambda _: None)
    (py4j,) = parts.pyspark_jars().glob("py4j-*.jar")
    own = f"{parts.SHARE / request.param}/*"
    options = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("lang", "net", "util")]
    port = launch_gateway(
        jarpath=str(py4j),
        classpath=own if request.param == "hive" else f"{own}:{parts.pyspark_jars()}/*",
        javaopts=["-Xmx2g", *options],
        java_path=str(parts.java()),
        die_on_exit=True,
        redirect_stderr=subprocess.DEVNULL,
    )
    from py4j.java_gateway import GatewayParameters

    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auto_convert=False))
    yield Reader(gateway)
    gateway.shutdown()


@pytest.mark.parametrize(("struct_type", "cases"), [(PLAIN, FITTING), (OPEN, FITTING_OPEN)], ids=["plain", "open"])
def test_both_engines_read_what_fits(reader: Reader, struct_type: Any, cases: dict[str, bytes]) -> None:
    read = reader.table(f"{ENVELOPE},payload,original", f"{ENVELOPE_TYPES}:{hive_type(struct_type)}:string")
    checked = contract(json.dumps(struct_type)).check
    for message in [*cases.values(), b'{\n"n":\r\n1}']:
        row = read(line_accepted(PLACE, outcome := accepted(message, checked)))
        assert row["payload"] == projected(json.loads(message), struct_type), message[:100]
        assert row["original"] == outcome.original
        assert (row["kafka_topic"], row["kafka_offset"]) == ("topic", 7)


def test_both_engines_read_any_valid_json(reader: Reader) -> None:
    read = reader.table(f"{ENVELOPE},payload,original", f"{ENVELOPE_TYPES}:{hive_type(PLAIN)}:string")
    for value in VALID.values():
        message = b'{"z":%b,"inner":{"z":[%b]},"n":1}' % (value, value)
        assert read(line_accepted(PLACE, accepted(message)))["payload"]["n"] == 1, value


def test_both_engines_read_any_object_that_is_accepted(reader: Reader) -> None:
    read = reader.table(f"{ENVELOPE},payload,original", f"{ENVELOPE_TYPES}:{hive_type(PLAIN)}:string")

    @settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
    @given(OBJECTS | MATCHING, st.booleans())
    def compare(value: dict[str, Any], is_ascii: bool) -> None:
        outcome = CHECK(json.dumps(value, ensure_ascii=is_ascii).encode())
        if isinstance(outcome, Accepted):
            assert read(line_accepted(PLACE, outcome))["payload"] == projected(value, PLAIN)

    compare()


def test_both_engines_read_the_longest_strings(reader: Reader) -> None:
    read = reader.table(f"{ENVELOPE},payload,original", f"{ENVELOPE_TYPES}:{hive_type(PLAIN)}:string")
    message = b'{"s":"' + b"x" * 9_999_000 + b'"}\n'
    assert read(line_accepted(PLACE, accepted(message)))["original"] == message.decode()


def test_both_engines_read_what_is_rejected(reader: Reader) -> None:
    names, types = f"{ENVELOPE},{SENT},reason,message_base64,more_base64", f"{ENVELOPE_TYPES}:{SENT_TYPES}"
    read = reader.table(names, f"{types}:string:string:array<string>")
    absent = dict.fromkeys(("key_base64", "headers", "more_base64"))
    for message in [*(message for message, _ in UNFIT.values()), b"\xff" * 15_000_001]:
        for envelope in (PLACE, FULL):
            line = line_rejected(envelope, reason(message), message)
            assert read(line) == {**absent, **json.loads(line)}


def test_both_engines_read_what_was_sent_with_a_message_and_what_is_unknown_of_it(reader: Reader) -> None:
    unknown = "array<struct<path:string,example:string>>"
    names, types = f"{ENVELOPE},{SENT},unknown_fields,payload,original", f"{ENVELOPE_TYPES}:{SENT_TYPES}:{unknown}"
    read = reader.table(names, f"{types}:{hive_type(PLAIN)}:string")
    absent = dict.fromkeys(("key_base64", "headers", "unknown_fields"))
    for message, _ in UNKNOWN.values():
        for envelope in (PLACE, FULL):
            line = line_accepted(envelope, accepted(message))
            row = {**absent, **json.loads(line)}
            assert read(line) == {**row, "payload": projected(row["payload"], PLAIN)}
