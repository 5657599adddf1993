"""Inspects every field of one Kafka message: which are unknown, and which a JsonSerDe could not read.

This module is pickled by value into Spark's Python workers: the standard library and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

NAME_BYTES = 50_000
NUMBER_LENGTH = 1_000
LEVELS = 100
PATH_LENGTH = 500
UNKNOWN_FIELDS = 20  # recorded per message
EXAMPLE_LENGTH = 200
CHARACTER_BYTES = 4  # the most that UTF-8 takes for a character

Path = tuple[Any, ...]  # () or (the path to the parent, a name or an index)
Fields = tuple[tuple[str, str], ...]  # (path, example)

_INTERNAL_NAME = re.compile(r"_col[0-9]+")
_POSITION = re.compile(r"[+-]?\d+")  # as Java's Integer.parseInt: digits of every script
_PLAIN_NAME = re.compile(r"[\w-]+")


class _Number(str):
    """The text of a number, which may be too large for any type."""


def pairs_decoder() -> Callable[[str], Any]:
    """Return a parser of strict JSON: an object becomes a tuple of (name, value), and a number keeps its text.

    So each value of a repeated name is there to be inspected.
    """
    return json.JSONDecoder(object_pairs_hook=tuple, parse_int=_Number, parse_float=_Number).decode


def shape_of(node: Any) -> Any:
    """Return where the structs of a type are: {name in lower case: (name, shape)}, [shape of all], or None."""
    kind = node if isinstance(node, str) else node["type"]
    if kind == "struct":
        return {field["name"].lower(): (field["name"], shape_of(field["type"])) for field in node["fields"]}
    return [shape_of(node.get("elementType", node.get("valueType")))] if kind in ("array", "map") else None


class Inspection:
    """Goes through a message that fits the types; collects its unknown fields, and raises ValueError at a misfit."""

    def __init__(self, text_bytes: int) -> None:
        self._text_bytes = text_bytes
        self._name_bytes = min(NAME_BYTES, text_bytes)
        self._unknown: dict[tuple[int, str], tuple[Path, Any]] = {}  # by (id of the struct without it, its name)

    @property
    def fields(self) -> Fields:
        """The unknown fields, each path once, with its first value."""
        return tuple(
            (path_text(path, is_general=True), _json(item)[:EXAMPLE_LENGTH]) for path, item in self._unknown.values()
        )

    def visit(self, value: Any, shape: Any, path: Path = (), level: int = 1) -> None:
        """Inspect a value and all within it; `shape` is None where the contract names nothing."""
        if isinstance(value, tuple | list) and level > LEVELS:
            raise RecursionError
        if isinstance(value, tuple):
            fields = shape if isinstance(shape, dict) else {}
            for name, item in value:
                exact, below = fields.get(name, (None, None))
                if exact != name:  # nearly all names are those of the contract
                    below = self._below(name, shape, path)
                    if fields and name.lower() not in fields and len(self._unknown) < UNKNOWN_FIELDS:
                        self._unknown.setdefault((id(shape), name), ((path, name), item))
                if item is not None and item is not True and item is not False:
                    self.visit(item, below, (path, name), level + 1)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self.visit(item, shape[0] if shape else None, (path, index), level + 1)
        elif isinstance(value, _Number):
            if len(value) > NUMBER_LENGTH:
                raise ValueError(
                    f"number of {len(value):,} characters, more than {NUMBER_LENGTH:,}, at {path_text(path)}"
                )
        elif isinstance(value, str):
            _refuse_long("text", value, self._text_bytes, path)

    def _below(self, name: str, shape: Any, path: Path) -> Any:
        """Return the shape of an object's member; raise ValueError where Hive would misread the name."""
        _refuse_long("key", name, self._name_bytes, path)
        if not isinstance(shape, dict):
            return shape[0] if shape else None
        spelling, below = shape.get(name.lower(), (None, None))
        if spelling is not None and spelling != name:
            raise ValueError(f"key {_name(name)} at {path_text(path)} differs only in case from {spelling}")
        if spelling is None and _is_position(name, len(shape)):
            raise ValueError(f"key {_name(name)} at {path_text(path)} is how Hive names a column by its position")
        return below


def _refuse_long(kind: str, text: str, limit: int, path: Path) -> None:
    if len(text) * CHARACTER_BYTES > limit and (length := len(text.encode())) > limit:
        raise ValueError(f"{kind} of {length:,} bytes, more than {limit:,}, at {path_text(path)}")


def _is_position(name: str, count: int) -> bool:
    """Whether Hive may take a name for the position of one of `count` columns."""
    if _POSITION.fullmatch(name):
        return len(name) > 100 or int(name) < count
    return _INTERNAL_NAME.fullmatch(name) is not None


def path_text(path: Path, is_general: bool = False) -> str:
    """Write a path as msgspec does: `$.sequences.questions[0]`, with the middle left out of a very long one.

    A name that is not a plain word is quoted, `$["a.b"]`, so that different paths differ. A general path stands for
    all elements of an array: `$.sequences.questions[]`.
    """
    steps: list[str] = []
    while path:
        path, step = path
        if isinstance(step, str):
            name = _name(step[:60])
            steps.append(f"[{name}]" if name.startswith('"') else f".{name}")
        else:
            steps.append("[]" if is_general else f"[{step}]")
    text = "$" + "".join(reversed(steps))
    return text if len(text) <= PATH_LENGTH else f"{text[:240]} ... {text[-240:]}"


def _name(name: str) -> str:
    """Write a key: as it is where it is a plain word, else quoted as in JSON; a long one is cut."""
    return name[:100] if _PLAIN_NAME.fullmatch(name) else json.dumps(name[:100], ensure_ascii=False)


def _json(value: Any) -> str:
    """Write a part of a message as JSON again, numbers as they came."""
    if isinstance(value, tuple):
        return "{" + ",".join(f"{_json(name)}:{_json(item)}" for name, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    return value if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)
