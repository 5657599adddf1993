"""One Kafka message in, a verdict out: accepted as it is, or rejected with the reason.

A message is accepted when both JsonSerDes that read the raw table later (Spark's and Hive's: different
programs on different Jacksons) are sure to read it, and to read the same. So it must be UTF-8 without a
byte order mark, strict JSON (RFC 8259), an object, and fit the type of the table's payload column, which is
the contract; any field may be missing or null. Beyond that:

- Unknown fields are kept, recorded, and are no reason to reject, unless they would reach a column all the
  same: Hive finds a field in any case, by `_col7`, and by position (`"7"`).
- Of a field given twice the last counts, as for every reader, but each must fit: Spark's reads them all.
- Integers have no fraction and no exponent and fit their width: Spark's reader cuts `1.5` and fails on 2^63,
  Hive's turns 2^63 into a negative number.
- Half a surrogate pair (`"\\ud800"`) is no text and is rejected; `"\\u0000"` is text and is accepted.
- Jackson refuses names beyond 50,000 bytes, numbers beyond 1,000 digits, strings beyond 20,000,000
  characters and 1,000 levels. Here a number's sign and point count too, the whole message is held to the
  third, and 100 levels are enough.

This module is pickled by value into Spark's Python workers: the standard library and msgspec, nothing else.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, NamedTuple

import msgspec

MESSAGE_BYTES = 20_000_000
NAME_BYTES = 50_000
NUMBER_LENGTH = 1_000
LEVELS = 100
PATH_LENGTH = 500
UNKNOWN_FIELDS = 20  # recorded of one message
EXAMPLE_LENGTH = 200

Path = tuple[Any, ...]  # () or (the path to the parent, a name or an index)
Fields = tuple[tuple[str, str], ...]  # (path, example)
Unknown = dict[tuple[int, str], tuple[Path, Any]]  # by the struct that does not name it (its id) and its name

_INTEGERS = {"byte": 8, "short": 16, "integer": 32, "long": 64}  # by width
_WORDS = {"int": "integer", "str": "string", "bool": "boolean", "float": "number"}
_INTERNAL_NAME = re.compile(r"_col[0-9]+")
_POSITION = re.compile(r"[+-]?\d+")  # as Java's Integer.parseInt: digits of every script
_LATE_HALF_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}[^\\]{0,5}\Z")


class Accepted(NamedTuple):
    """A message that fits: it on one line, its exact text where that is another, the unknown fields."""

    payload_text: str
    original: str | None
    unknown: Fields = ()


class _Number(str):
    """The text of a number, which may be too large for any type."""


class Rejected(NamedTuple):
    """A message that does not, and why, in one sentence."""

    reason: str


class Contract:
    """What a message must fit: the type of the raw table's payload column. Pickles as that type's JSON."""

    def __init__(self, struct_json: str) -> None:
        self._struct_json = struct_json
        struct = json.loads(struct_json)
        self._shape = _shape(struct)
        self._tolerant = msgspec.json.Decoder(_type(struct, "$", False)).decode
        self._strict = msgspec.json.Decoder(_type(struct, "$", True)).decode
        self._parts = json.JSONDecoder(object_pairs_hook=tuple, parse_int=_Number, parse_float=_Number).decode
        # A name in a map and a double can be too long for Jackson: with them every message takes the long way.
        self._is_bounded = '"map"' not in struct_json and '"double"' not in struct_json

    def __reduce__(self) -> tuple[Any, ...]:
        return contract, (self._struct_json,)

    def check(self, value: bytes | None) -> Accepted | Rejected:
        """Say whether a message can be landed in the raw table; never raises."""
        if not value:
            return Rejected("no value (a tombstone)" if value is None else "empty message")
        if len(value) > MESSAGE_BYTES:
            return Rejected(f"{len(value):,} bytes, more than the {MESSAGE_BYTES:,} that Hive reads")
        try:
            text = value.decode()
            unknown: Fields = ()
            if not (self._is_bounded and self._is_known(value)):
                self._tolerant(value)
                unknown = self._unknown(text)
        except (ValueError, RecursionError) as error:  # every error of msgspec is a ValueError
            return Rejected(_reason(error, value))
        if "\n" in text or "\r" in text:  # strict JSON has them only where they mean nothing
            return Accepted(text.replace("\n", " ").replace("\r", " "), text, unknown)
        return Accepted(text, None, unknown)

    def _unknown(self, text: str) -> Fields:
        """Return the unknown fields; raise ValueError at what a JsonSerDe could not read."""
        found: Unknown = {}
        _walk(self._parts(text), self._shape, found)
        return tuple((_text(path, True), _json(item)[:EXAMPLE_LENGTH]) for path, item in found.values())

    def _is_known(self, value: bytes) -> bool:
        """Whether the message is strict JSON that fits and holds no unknown field: the quick way for most."""
        try:
            self._strict(value)
        except msgspec.MsgspecError:
            return False
        return True


def contract(struct_json: str) -> Contract:
    """Make the contract of a column type in the form of Spark's `StructType.json()`.

    Raises ValueError naming the field whose type no JSON value fits exactly on both engines.
    """
    return Contract(struct_json)


def _type(node: Any, path: str, is_strict: bool) -> Any:
    """Return the msgspec type of a column type; a strict one knows no field but its own."""
    kind = node if isinstance(node, str) else node["type"]
    if kind in _INTEGERS:
        half = 1 << (_INTEGERS[kind] - 1)
        return Annotated[int, msgspec.Meta(ge=-half, le=half - 1)]
    if kind == "struct":
        names = {f"field_{number}": field["name"] for number, field in enumerate(node["fields"])}
        types = [_type(field["type"], f"{path}.{field['name']}", is_strict) for field in node["fields"]]
        fields = [(name, type_ | None, None) for name, type_ in zip(names, types, strict=True)]
        return msgspec.defstruct("Object", fields, rename=names, forbid_unknown_fields=is_strict, gc=False)
    if kind == "array":
        return list[_type(node["elementType"], f"{path}[]", is_strict) | None]  # type: ignore[misc]
    if kind == "map" and node["keyType"] == "string":
        return dict[str, _type(node["valueType"], f"{path}{{}}", is_strict) | None]  # type: ignore[misc]
    if kind in ("string", "boolean", "double"):
        return {"string": str, "boolean": bool, "double": float}[kind]
    raise ValueError(f"no JSON value fits the type {json.dumps(node)} of {path} exactly on both engines")


def _shape(node: Any) -> Any:
    """Return where the structs of a type are: {name in lower case: (name, shape)}, [shape of all], or None."""
    kind = node if isinstance(node, str) else node["type"]
    if kind == "struct":
        return {field["name"].lower(): (field["name"], _shape(field["type"])) for field in node["fields"]}
    return [_shape(node.get("elementType", node.get("valueType")))] if kind in ("array", "map") else None


def _walk(value: Any, shape: Any, unknown: Unknown, path: Path = (), level: int = 1) -> None:
    """Raise ValueError at what a JsonSerDe could not read in a message that fits; collect what is unknown.

    An object comes as a tuple of pairs, so that each of a repeated name is looked at.
    """
    if isinstance(value, tuple | list) and level > LEVELS:
        raise RecursionError
    if isinstance(value, tuple):
        for name, item in value:
            below = _below(name, shape, path)
            _walk(item, below, unknown, (path, name), level + 1)
            if isinstance(shape, dict) and name.lower() not in shape and len(unknown) < UNKNOWN_FIELDS:
                unknown.setdefault((id(shape), name), ((path, name), item))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _walk(item, shape[0] if shape else None, unknown, (path, index), level + 1)
    elif isinstance(value, _Number) and len(value) > NUMBER_LENGTH:
        raise ValueError(f"number of {len(value):,} characters, more than {NUMBER_LENGTH:,}, at {_text(path)}")


def _below(name: str, shape: Any, path: Path) -> Any:
    """Return the shape of an object's member; raise ValueError where Hive would misread the name."""
    if (length := len(name.encode())) > NAME_BYTES:
        raise ValueError(f"key of {length:,} bytes, more than {NAME_BYTES:,}, at {_text(path)}")
    if not isinstance(shape, dict):
        return shape[0] if shape else None
    known, below = shape.get(name.lower(), (None, None))
    if known is not None and known != name:
        raise ValueError(f"key {name} at {_text(path)} differs only in case from {known}")
    if known is None and _is_position(name, len(shape)):
        raise ValueError(f"key {name[:100]} at {_text(path)} is how Hive names a column by its position")
    return below


def _is_position(name: str, count: int) -> bool:
    """Whether Hive may take a name for the position of one of so many columns."""
    if _POSITION.fullmatch(name):
        return len(name) > 100 or int(name) < count
    return _INTERNAL_NAME.fullmatch(name) is not None


def _text(path: Path, is_general: bool = False) -> str:
    """Write a path as msgspec does: `$.sequences.questions[0]`, with the middle left out of a very long one.

    A general one stands for all elements of an array: `$.sequences.questions[]`.
    """
    steps: list[str] = []
    while path:
        path, step = path
        steps.append(f".{step[:60]}" if isinstance(step, str) else "[]" if is_general else f"[{step}]")
    text = "$" + "".join(reversed(steps))
    return text if len(text) <= PATH_LENGTH else f"{text[:240]} ... {text[-240:]}"


def _json(value: Any) -> str:
    """Write a part of a message as JSON again, numbers as they came."""
    if isinstance(value, tuple):
        return "{" + ",".join(f"{_json(name)}:{_json(item)}" for name, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    return value if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)


def _reason(error: Exception, value: bytes) -> str:
    """Say in JSON's words what msgspec says in Python's."""
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    if isinstance(error, RecursionError):
        return f"nested deeper than {LEVELS} levels"
    if not isinstance(error, msgspec.DecodeError):
        return str(error)
    what, _, path = str(error).partition(" - at ")
    if isinstance(error, msgspec.ValidationError):
        what = what.replace(" | null`", "`").replace("got `float`", "got number with fraction or exponent")
        what = re.sub("`([^`]*)`", lambda quoted: _WORDS.get(quoted[1], quoted[1]), what)
        return f"{what[:1].lower()}{what[1:]} at {path.strip('`') or '$'}"
    what = what.removeprefix("JSON is malformed: ")
    if value.startswith(b"\xef\xbb\xbf"):
        what = "begins with a byte order mark"
    elif what == "Input data was truncated":
        what = "half a surrogate pair" if _LATE_HALF_PAIR.search(value[-20:]) else "ends too early"
    return f"not JSON: {what}"
