"""Messages made from the contract, the type of `payload` in sql/1_raw/: whatever can be wrong at each path of it.

Each is a plain attempt but for one place; PATHS says which there are. ACCEPTED and REJECTED hold them.
"""

from __future__ import annotations

import functools
import itertools
import json
import operator
from collections.abc import Callable, Iterator
from typing import Any

from messages import REQUIRED, attempt
from sqlglot import exp

from etl import sqlfile
from etl.land.spark_job import limits

Path = tuple[str | int, ...]
Kind = Any  # {key: kind}, [kind of the elements], or the name of a scalar type

_RULE = {"string": "string", "bigint": "integer", "boolean": "boolean", dict: "object", list: "array"}
_FRACTION = "number with fraction or exponent"
LITERALS = {"string": '"1"', "integer": "1", _FRACTION: "1.5", "boolean": "true", "array": "[]", "object": "{}"}
FITTING = ("0", "-0", str(2**63 - 1), str(-(2**63)))
UNFITTING = f"{2**63} {-(2**63) - 1} {2**64} {10**30} 1.0 -0.0 1e3 1E0 1e400 NaN Infinity".split()


def _kind(type_: exp.DataType) -> Kind:
    if type_.is_type(exp.DataType.Type.STRUCT):
        return {column.name: _kind(column.args["kind"]) for column in type_.expressions}
    if type_.is_type(exp.DataType.Type.ARRAY):
        return [_kind(type_.expressions[0])]
    return type_.sql("hive").lower()


def _paths(kind: Kind, path: Path = ()) -> Iterator[tuple[Path, Kind]]:
    yield path, kind
    below = kind.items() if isinstance(kind, dict) else [(0, kind[0])] if isinstance(kind, list) else []
    for step, inner in below:
        yield from _paths(inner, (*path, step))


(FILE,) = (file for file in sqlfile.files("1_raw") if "payload" in dict(file.columns))
CONTRACT = _kind(exp.DataType.build(dict(FILE.columns)["payload"], dialect="hive"))


def _spark_type(kind: Kind) -> Any:
    """A type as Spark writes it in `StructType.json()`."""
    if isinstance(kind, dict):
        return {
            "type": "struct",
            "fields": [{"name": name, "type": _spark_type(member)} for name, member in kind.items()],
        }
    scalars = {"string": "string", "bigint": "long", "boolean": "boolean"}
    return {"type": "array", "elementType": _spark_type(kind[0])} if isinstance(kind, list) else scalars[kind]


RULES_OF_CONTRACT = json.dumps(_spark_type(CONTRACT)), *limits(FILE)
PATHS = dict(_paths(CONTRACT))
KEYS = [path for path in PATHS if path and isinstance(path[-1], str)]
INTEGERS = [path for path, kind in PATHS.items() if kind == "bigint"]
STRINGS = [path for path, kind in PATHS.items() if kind == "string"]
IDS = [(name,) for name in REQUIRED]
LONGEST = 65_536  # bytes of UTF-8 of a text
OBJECTS = {path: kind for path, kind in PATHS.items() if isinstance(kind, dict)}


def word(path: Path) -> str:
    """The JSON type that a path must have."""
    kind = PATHS[path]
    return _RULE[kind if isinstance(kind, str) else type(kind)]


def written(path: Path) -> str:
    """A path as a reason writes it."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def original(path: Path) -> str:
    """What a plain attempt has at a path, as JSON."""
    return json.dumps(functools.reduce(operator.getitem, path, attempt("original")))  # type: ignore[arg-type]


def member(path: Path, literal: str) -> str:
    """A literal behind its key, or as an element."""
    return literal if isinstance(path[-1], int) else f'"{path[-1]}":{literal}'


def encoded(text: str) -> bytes:
    """UTF-8, but for "\\udcff", which stands for the byte FF."""
    return text.encode(errors="surrogateescape")


def replaced(name: str, path: Path, members: str, **changes: Any) -> bytes:
    """An attempt of this name that has, in the place of a path, this text: members of an object or elements."""
    message = attempt(name, **changes)
    place: Any = functools.reduce(operator.getitem, path[:-1], message)  # type: ignore[arg-type]
    if isinstance(place, dict):
        del place[path[-1]]
        place["here"] = 0  # it comes last and is not the only one
        mark, before = ', "here": 0', "," if members else ""
    else:
        place[path[-1]] = "here"
        mark, before = '"here"', ""
    whole = json.dumps(message)
    assert whole.count(mark) == 1
    return encoded(whole.replace(mark, before + members))


def within(path: Path, members: str) -> str:
    """An object with more members than a plain attempt has there, in its place."""
    return f"{original(path)[:-1]},{members}}}"


def changed(name: str, path: Path, literal: str, **changes: Any) -> bytes:
    """An attempt that has this JSON at a path."""
    return replaced(name, path, member(path, literal), **changes) if path else encoded(literal)


Accepted = Iterator[tuple[str, bytes]]  # its name and itself
Rejected = Iterator[tuple[str, bytes, str]]  # and words of the reason


def _absent() -> Accepted:
    for path in filter(None, PATHS):
        name = written(path)
        if path not in IDS:
            yield f"no {name}", replaced(f"no {name}", path, "")
            yield f"null at {name}", changed(f"null at {name}", path, "null")


def _absent_ids() -> Rejected:
    for path in IDS:
        for state, members in {"missing": "", "null": member(path, "null"), "empty": member(path, '""')}.items():
            words = f"required field is {state} at {written(path)}"
            yield f"{state} {written(path)}", replaced("wrong", path, members), words
        for state, pair in {"null": ("null", '"x"'), "empty": ('"x"', '""')}.items():
            members = ",".join(member(path, literal) for literal in pair)
            words = f"required field is {state} at {written(path)}"
            yield f"{written(path)} twice, once {state}", replaced("wrong", path, members), words


def _wrong() -> Rejected:
    for path, (got, literal) in itertools.product(PATHS, LITERALS.items()):
        if got != (expected := word(path)):
            message = changed("wrong", path, literal)
            yield f"{got} at {written(path)}", message, f"expected {expected}, got {got} at {written(path)}"
    yield "null at $", b"null", "expected object, got null at $"


UNKNOWN = {
    "object": '{"deep":[1,null,{"id":5,"total":"x"}],"ID":1,"_col0":1,"0":1}',
    "array": '[[],{},"",0.5,null,true]',
    "large integer": str(10**30),
    "large double": "-1.5E999",
    "text": '"\\u0000\\r\\n"',
    "null": "null",
}


def _unknown() -> Accepted:
    for (path, fields), (case, literal) in itertools.product(OBJECTS.items(), UNKNOWN.items()):
        elsewhere = sorted({str(key[-1]) for key in KEYS} - set(fields))
        names = [f'"{name}":{literal}' for name in ("unknown", "", "99", "é", *elsewhere)]
        name = f"unknown {case} in {written(path)}"
        yield name, changed(name, path, within(path, ",".join(names)))


def _positions() -> Rejected:
    for path, name in itertools.product(OBJECTS, ("0", "+1", "_col0", "_col99")):
        text = within(path, f'"{name}":1')
        quoted = f'"{name}"' if name.startswith("+") else name
        yield f"{name} in {written(path)}", changed("wrong", path, text), f"key {quoted} at {written(path)} is how Hive"


CASES: dict[str, Callable[[str], str]] = {
    "upper case": str.upper,
    "title case": str.title,
    "Kelvin sign": lambda key: key.replace("k", "\u212a"),
}


def _other_case() -> Rejected:
    for path, (how, change) in itertools.product(KEYS, CASES.items()):
        key, name = str(path[-1]), change(str(path[-1]))
        if name == key:
            continue
        words = f"key {name} at {written(path[:-1])} differs only in case from {key}"
        other = f'"{name}":{original(path)}'
        yield f"{how} for {written(path)}", replaced("wrong", path, other), words
        yield f"{how} beside {written(path)}", replaced("wrong", path, f"{member(path, original(path))},{other}"), words


AGAIN = {**LITERALS, "string": '"again"', "integer": "2", "boolean": "false"}


def _twice() -> Accepted:
    """Of a key given twice the last counts, for a whole object or array too."""
    for path in KEYS:
        first, again = original(path), AGAIN[word(path)]
        for case, pair in {"again": (first, again), "at last": (again, first), "then null": (first, "null")}.items():
            name = f"{written(path)} {case}"
            if "null" in pair and path in IDS:
                continue
            yield name, replaced(name, path, ",".join(member(path, literal) for literal in pair))


def _twice_wrong() -> Rejected:
    for path in KEYS:
        wrong = LITERALS["integer" if word(path) != "integer" else "string"]
        for case, pair in {"first": (wrong, original(path)), "last": (original(path), wrong)}.items():
            message = replaced("wrong", path, ",".join(member(path, literal) for literal in pair))
            yield f"{written(path)}, wrong at {case}", message, f"expected {word(path)}, got"


def _integers() -> Accepted:
    """Each starts in an hour of its own: the sum of two such counts is no BIGINT any more."""
    for number, (path, literal) in enumerate(itertools.product(INTEGERS, FITTING)):
        name, start = f"{literal} at {written(path)}", f"2031-01-{1 + number // 24:02}T{number % 24:02}:00:00Z"
        yield name, changed(name, path, literal, started_at=start)


def _no_integers() -> Rejected:
    for path, literal in itertools.product(INTEGERS, UNFITTING):
        words = "not JSON: " if literal in ("NaN", "Infinity") else f" at {written(path)}"
        yield f"{literal} at {written(path)}", changed("wrong", path, literal), words


TEXTS = {
    "NUL": '"\\u0000"',
    "a pair": '"\\ud83d\\ude00😀"',
    "line ends": '"\\r\\n\u2028"',
    "empty": '""',
    "right to left": '"\u202eאב"',
}


def _texts() -> Accepted:
    for path, (case, literal) in itertools.product(STRINGS, TEXTS.items()):
        if path in IDS and case == "empty":
            continue
        yield f"{case} at {written(path)}", changed(f"{case} at {written(path)}", path, literal)


def _long(characters: str) -> Iterator[tuple[str, bytes]]:
    """A text at each path of one, and in an unknown field of each object; a character has two bytes."""
    literal = json.dumps(characters, ensure_ascii=False)
    for path in STRINGS:
        yield written(path), changed(f"long {written(path)}", path, literal)
    for path in OBJECTS:
        name = f"long in {written(path)}"
        yield f"unknown in {written(path)}", changed(name, path, within(path, f'"unknown":[{literal}]'))


def _longest() -> Accepted:
    yield from _long("é" * (LONGEST // 2))


def _too_long() -> Rejected:
    for name, message in _long("é" * (LONGEST // 2) + "x"):
        path = f"{name.removeprefix('unknown in ')}.unknown[0]" if name.startswith("unknown") else name
        yield name, message, f"text of 65,537 bytes, more than 65,536, at {path}"


NO_TEXTS = {
    "half a pair": ('"\\ud800"', "surrogate pair"),
    "another half of a pair": ('"\\udc00"', "surrogate pair"),
    "a raw NUL": ('"\0"', "not JSON: "),
    "no UTF-8": ('"\udcff"', "not UTF-8 at byte "),
    "a surrogate in UTF-8": ('"\udced\udca0\udc80"', "not UTF-8 at byte "),
}


def _no_texts() -> Rejected:
    for path, (case, (literal, words)) in itertools.product(STRINGS, NO_TEXTS.items()):
        yield f"{case} at {written(path)}", changed("wrong", path, literal), words


ACCEPTED = {
    f"{group}: {name}": message
    for group, cases in {
        "absent": _absent,
        "unknown": _unknown,
        "twice": _twice,
        "integer": _integers,
        "text": _texts,
        "longest text": _longest,
    }.items()
    for name, message in cases()
}
REJECTED = {
    f"{group}: {name}": (message, words)
    for group, refused in {
        "required": _absent_ids,
        "wrong type": _wrong,
        "position": _positions,
        "another case": _other_case,
        "twice": _twice_wrong,
        "no such integer": _no_integers,
        "no text": _no_texts,
        "too long a text": _too_long,
    }.items()
    for name, message, words in refused()
}
