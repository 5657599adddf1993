"""Checks one Kafka message: accepted as it is, or rejected with the reason.

A message is accepted when both JsonSerDes that later read the raw table (Spark's and Hive's: different
programs on different Jacksons) are sure to read it, and to read the same. So it must be UTF-8 without a
byte order mark, strict JSON (RFC 8259), an object, and fit the type of the table's payload column, which is
the contract. The contract also names the fields that a message must have and the longest text; every other
field may be missing or null. Beyond that:

- Unknown fields are kept, recorded, and no reason to reject a message, unless Hive would read them as a
  column: it finds a field in any case, by `_col7`, and by position (`"7"`).
- Of a field given twice the last counts, as for every reader, but each must fit: Spark's reads them all.
- Integers have no fraction and no exponent and fit their width: Spark's reader cuts `1.5` and fails on 2^63,
  Hive's turns 2^63 into a negative number.
- Half a surrogate pair (`"\\ud800"`) is not text and is rejected; `"\\u0000"` is text and is accepted.
- Jackson refuses names beyond 50,000 bytes, numbers beyond 1,000 digits, strings beyond 20,000,000
  characters and 1,000 levels. Here the sign and point of a number count too, the whole message must not
  exceed the third, and 100 levels are enough.

Nearly all messages hold only fields of the contract: one strict decoder accepts them. The others take the
long way (message_fields.py), which finds the reason or the unknown fields.

This module is pickled by value into Spark's Python workers: the standard library, msgspec and
message_fields.py, nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import msgspec

from etl.land.message_fields import CHARACTER_BYTES, LEVELS, Fields, Inspection, pairs_decoder, path_text, shape_of

MESSAGE_BYTES = 20_000_000

_INTEGERS = {"byte": 8, "short": 16, "integer": 32, "long": 64}  # by width
_WORDS = {"int": "integer", "str": "string", "bool": "boolean", "float": "number"}
_LATE_HALF_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}[^\\]{0,5}\Z")


class Accepted(NamedTuple):
    """A message that fits: its text on one line, its exact text where that differs, the unknown fields."""

    payload_text: str
    original: str | None
    unknown: Fields = ()


class Rejected(NamedTuple):
    """A message that does not fit, and the reason in one sentence."""

    reason: str


class Contract:
    """The rules for a message: the type of the raw table's payload column, required fields and the longest text."""

    def __init__(self, struct_json: str, required: Sequence[str], text_bytes: int) -> None:
        self._arguments = struct_json, tuple(required), text_bytes
        self._required, self._text_bytes = tuple(required), text_bytes
        struct = json.loads(struct_json)
        self._shape = shape_of(struct)
        if wrong := set(required) - {field["name"] for field in struct["fields"] if field["type"] == "string"}:
            raise ValueError(f"{min(wrong)} is required, but is not a string at the top of the contract")
        self._tolerant = msgspec.json.Decoder(_type(struct, "$")).decode
        self._strict = msgspec.json.Decoder(_type(struct, "$", self._required, text_bytes)).decode
        self._pairs = pairs_decoder()
        # A name in a map and a double can be too long for Jackson: with them every message takes the long way.
        self._is_bounded = '"map"' not in struct_json and '"double"' not in struct_json

    def __reduce__(self) -> tuple[Any, ...]:
        return contract, self._arguments

    def check(self, value: bytes | None) -> Accepted | Rejected:
        """Decide whether a message can be landed in the raw table; never raises."""
        return _accepted(value.decode()) if value and self.is_plain(value) else self.inspect(value)

    def is_plain(self, value: bytes) -> bool:
        """Whether a message certainly fits and holds no unknown field; False leaves the decision to `inspect`."""
        try:
            if not value.isascii():
                value.decode()  # msgspec takes bytes in a text as they are
            self._strict(value)
        except ValueError:
            return False
        return self._is_bounded and len(value) <= MESSAGE_BYTES

    def inspect(self, value: bytes | None) -> Accepted | Rejected:
        """Decide as `check` does, field by field."""
        if not value:
            return Rejected("no value (a tombstone)" if value is None else "empty message")
        if len(value) > MESSAGE_BYTES:
            return Rejected(f"{len(value):,} bytes, more than the {MESSAGE_BYTES:,} that Hive reads")
        try:
            text = value.decode()
            self._tolerant(value)
            pairs = self._pairs(text)
            inspection = Inspection(self._text_bytes)
            inspection.visit(pairs, self._shape)
            _refuse_absent(self._required, pairs)
        except (ValueError, RecursionError) as error:  # every error of msgspec is a ValueError
            return Rejected(_reason(error, value))
        return _accepted(text, inspection.fields)


def contract(struct_json: str, required: Sequence[str] = (), text_bytes: int = MESSAGE_BYTES) -> Contract:
    """Make a contract from a column type in the form of Spark's `StructType.json()`.

    `required` names string fields at the top that a message must have, neither null nor empty; `text_bytes` is
    the longest text and name in bytes of UTF-8. Raises ValueError naming the field whose type no JSON value fits
    exactly on both engines, or that cannot be required.
    """
    return Contract(struct_json, required, text_bytes)


def _accepted(text: str, unknown: Fields = ()) -> Accepted:
    if "\n" in text or "\r" in text:  # strict JSON has them only as white space
        return Accepted(text.replace("\n", " ").replace("\r", " "), text, unknown)
    return Accepted(text, None, unknown)


def _type(node: Any, path: str, required: Sequence[str] = (), text_bytes: int = 0) -> Any:
    """Return the msgspec type of a column type.

    With a limit of texts it is strict: it allows no other fields, and only texts that are certain to keep the limit.
    """
    kind = node if isinstance(node, str) else node["type"]
    if kind in _INTEGERS:
        half = 1 << (_INTEGERS[kind] - 1)
        return Annotated[int, msgspec.Meta(ge=-half, le=half - 1)]
    if kind == "struct":
        fields = []
        for number, field in enumerate(node["fields"]):
            inner: Any = _type(field["type"], f"{path}.{field['name']}", (), text_bytes)
            is_required = field["name"] in required
            full = Annotated[inner, msgspec.Meta(min_length=1)]
            fields.append((f"field_{number}", full) if is_required else (f"field_{number}", inner | None, None))
        names = {f"field_{number}": field["name"] for number, field in enumerate(node["fields"])}
        is_strict = text_bytes > 0
        return msgspec.defstruct(
            "Object", fields, rename=names, forbid_unknown_fields=is_strict, kw_only=True, gc=False
        )
    if kind == "array":
        return list[_type(node["elementType"], f"{path}[]", (), text_bytes) | None]  # type: ignore[misc]
    if kind == "map" and node["keyType"] == "string":
        return dict[str, _type(node["valueType"], f"{path}{{}}", (), text_bytes) | None]  # type: ignore[misc]
    if kind == "string" and text_bytes:
        return Annotated[str, msgspec.Meta(max_length=text_bytes // CHARACTER_BYTES)]
    if kind in ("string", "boolean", "double"):
        return {"string": str, "boolean": bool, "double": float}[kind]
    raise ValueError(f"no JSON value fits the type {json.dumps(node)} of {path} exactly on both engines")


def _refuse_absent(required: Sequence[str], pairs: Sequence[tuple[str, Any]]) -> None:
    """Raise ValueError for a required field that is missing, null or empty; given twice, each must be there."""
    for name in required:
        values = [value for key, value in pairs if key == name]
        if not values or not all(values):
            state = "missing" if not values else "null" if None in values else "empty"
            raise ValueError(f"required field is {state} at {path_text(((), name))}")


def _reason(error: Exception, value: bytes) -> str:
    """Say in JSON's words what msgspec says in Python's."""
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    if isinstance(error, RecursionError):
        return f"nested deeper than {LEVELS} levels"
    if not isinstance(error, msgspec.DecodeError):
        return str(error)
    cause, _, path = str(error).partition(" - at ")
    if isinstance(error, msgspec.ValidationError):
        cause = cause.replace(" | null`", "`").replace("got `float`", "got number with fraction or exponent")
        cause = re.sub("`([^`]*)`", lambda quoted: _WORDS.get(quoted[1], quoted[1]), cause)
        return f"{cause[:1].lower()}{cause[1:]} at {path.strip('`') or '$'}"
    cause = cause.removeprefix("JSON is malformed: ")
    if value.startswith(b"\xef\xbb\xbf"):
        cause = "begins with a byte order mark"
    elif cause == "Input data was truncated":
        cause = "half a surrogate pair" if _LATE_HALF_PAIR.search(value[-20:]) else "ends too early"
    return f"not JSON: {cause}"
