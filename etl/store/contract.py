"""The contract of the messages: the type of `payload` in the newest version of raw.assessments.

A newer version only adds fields, so that it reads what an older one accepted, and the flat tables still fit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from sqlglot import exp

from etl import sqlfile
from etl.errors import UsageError
from etl.sqlfile import SqlFile

NAME, COLUMN = "raw.assessments", "payload"


def newest() -> SqlFile:
    """The file that holds the contract.

    Raises UsageError where a version removes a field of the one before it, or changes its type.
    """
    versions = sqlfile.versions(NAME)
    for older, newer in itertools.pairwise(versions):
        kept = _fields(newer)
        for path, kind in _fields(older).items():
            if kept.get(path) != kind:
                change = f"makes {path} {kept[path]}" if path in kept else f"leaves out {path}"
                raise UsageError(
                    f"{newer.path} {change}, which is {kind} in {older.table}",
                    "a new version only adds fields: leave the existing ones as they are",
                )
    return versions[-1]


def _fields(file: SqlFile) -> dict[str, str]:
    """The type of every field of the contract, by its path."""
    return dict(_typed(exp.DataType.build(dict(file.columns)[COLUMN], dialect="hive"), "$"))


def _typed(node: exp.DataType, path: str) -> Iterator[tuple[str, str]]:
    if not node.expressions:
        yield path, node.sql("hive").lower()
        return
    yield path, node.this.value.lower()
    if node.is_type("struct"):
        for field in node.expressions:
            yield from _typed(field.args["kind"], f"{path}.{field.name.lower()}")
    else:  # of an array its elements, of a map its values
        yield from _typed(node.expressions[-1], f"{path}[]")
