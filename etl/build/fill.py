"""Fills one table of a build: runs the statements of its file, and carries along what an earlier build wrote.

How a file goes on from an earlier build is said by its parameters. `since` and `previous`: it reads only newer
landings, and its query names the partitions of the previous build to be written anew; these it finds as partitions of
a build named `... rewritten`, with those that became too many and too small. `first_part`: it reads only the parts of
its source from that one on, and has of every part just the rows made from it. A file with neither is filled anew.
"""

from __future__ import annotations

import enum
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import Settings
from etl.sqlfile import SqlFile
from etl.store import ledger
from etl.store.ledger import Built, Ledger


class How(enum.Enum):
    """What a build does: what is new, all of it again from raw, or the same rows in fewer files."""

    NEW, FULL, COMPACT = range(3)


SMALL = "small files"
SMALL_BYTES = 32 << 20  # of a partition: a larger one is not written again
MOST_PARTS = 12  # small ones of one month, before a build writes them as one


@dataclass(frozen=True)
class Step:
    """What is to be done with one table, and why.

    `kept` is its row in the ledger where nothing changed, `base` the one to go on from where something is new.
    """

    file: SqlFile
    why: str
    kept: Built | None = None
    base: Built | None = None

    @property
    def is_due(self) -> bool:
        """Whether the table is to be built."""
        return self.kept is None


def fill(settings: Settings, hive: Hive, step: Step, build_id: str, landing: int, done: Mapping[str, Built]) -> Built:
    """Run the file's statements; its row in the ledger. `done` are the tables of the build that it may read."""
    file, base, hdfs = step.file, step.base, Hdfs(settings)
    values = {"warehouse_root": settings.warehouse_root, "landing": str(landing), "build_id": build_id}
    carried = base.parts if base else []
    if "first_part" in file.parameters:
        carried, values["first_part"] = _by_part(Ledger(hdfs), file, base, done)
    elif "since" in file.parameters:
        values |= {"since": str(base.landing if base else 0), "previous": base.build_id if base else "none"}
    else:
        carried = []
    started_at, began = ledger.now(), time.monotonic()
    aside = f"{build_id} rewritten"
    names = small(base, most=1 if step.why == SMALL else MOST_PARTS) if base and "since" in file.parameters else set()
    for statement in file.tables(values):
        if "INSERT" in statement:
            add(settings, hive, file.table, aside, [part for part in carried if part["name"] in names])
            carried = [part for part in carried if part["name"] not in names]
            hive.query(statement)
        elif file.asks(statement):
            rows = hive.query(statement).dictionaries() if base else []
            names |= {"/".join(f"{key}={value}" for key, value in row.items()) for row in rows}
        else:
            hive.make([statement])
    if names:
        hive.query(f"ALTER TABLE {file.table} DROP IF EXISTS PARTITION (build_id = '{aside}')")
    add(settings, hive, file.table, build_id, carried)
    seconds = round(time.monotonic() - began, 3)
    rows = hive.query(f"SELECT COUNT(*) FROM {file.table} WHERE build_id = '{build_id}'").rows[0][0]  # noqa: S608
    written = ledger.stored(hdfs, *folder(file.table, build_id))
    return Built(
        build_id=build_id,
        table_name=file.table,
        file=file.place,
        sha256=file.sha256,
        engine=settings.engine,
        landing=landing,
        written_by=build_id,
        started_at=started_at,
        seconds=seconds,
        row_count=rows,
        parts=_parts(file.table, build_id, written) + carried,
        files=written + _files(base, carried),
    )


def small(row: Built, most: int) -> set[str]:
    """The partitions below a build that are small, where more of them than this are of one kind: of one month."""
    sizes: Counter[str] = Counter()
    for file in row.files:
        sizes[_partition(file["path"])] += file["bytes"]
    kinds: dict[str, list[str]] = {}
    for part in row.parts:
        if sizes[part["folder"]] < SMALL_BYTES:
            kinds.setdefault(part["name"].partition("/")[2], []).append(part["name"])
    return {name for names in kinds.values() if len(names) > most for name in names}


def _by_part(
    book: Ledger, file: SqlFile, base: Built | None, done: Mapping[str, Built]
) -> tuple[list[dict[str, str]], str]:
    """Which parts of the base a file carries along, and from which part of its source on it reads; `a` is all."""
    (source,) = [done[name] for name in file.reads]
    now = {part["name"] for part in source.parts}
    before = {part["name"] for part in book.tables(base.build_id)[source.table_name].parts} if base else set()
    carried = [part for part in base.parts if part["name"] in now] if base else []
    missing = min(now - before, default=None)
    if not base or not before.issuperset(part["name"] for part in base.parts):  # not made from the same parts
        return [], "a"
    if missing is None:
        return carried, "z"
    if any(name >= missing for name in now & before):
        return [], "a"
    return carried, missing.partition("/")[0].partition("=")[2]


def _parts(table: str, build_id: str, files: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """The partitions below a build that its files lie in."""
    root = "/".join(folder(table, build_id))
    folders = sorted({_partition(file["path"]) for file in files})
    return [{"name": one.removeprefix(root).lstrip("/"), "folder": one} for one in folders]


def _partition(path: str) -> str:
    """The folder of the partition that a file lies in, perhaps deeper than an engine reads."""
    names = path.split("/")[:-1]
    return "/".join(names[: max(number for number, name in enumerate(names, 1) if "=" in name)])


def _files(base: Built | None, carried: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """The files of the partitions that are carried along."""
    folders = {part["folder"] for part in carried}
    return [file for file in base.files if _partition(file["path"]) in folders] if base else []


def carry(settings: Settings, hive: Hive, kept: Built, build_id: str) -> Built:
    """Let the build hold what an earlier one has; its row in the ledger."""
    add(settings, hive, kept.table_name, build_id, kept.parts)
    return replace(kept, build_id=build_id)


def add(settings: Settings, hive: Hive, table: str, build_id: str, parts: Sequence[dict[str, str]]) -> None:
    """Make folders that hold rows already partitions of a build."""
    places = []
    for part in parts:
        pairs = [pair.partition("=") for pair in f"build_id={build_id}/{part['name']}".rstrip("/").split("/")]
        named = ", ".join(f"{key} = '{value}'" for key, _, value in pairs)
        places.append(f"PARTITION ({named}) LOCATION '{settings.warehouse_root}/{part['folder']}'")
    if places:
        hive.query(f"ALTER TABLE {table} ADD IF NOT EXISTS {' '.join(places)}")


def folder(table: str, build_id: str) -> tuple[str, str, str]:
    """Where a build wrote its rows of a table, from warehouse_root on."""
    database, _, name = table.partition(".")
    return database, name, f"build_id={build_id}"
