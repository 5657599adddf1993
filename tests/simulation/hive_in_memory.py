"""The metastore in memory, behind the calls of etl.servers.hive.Hive that the commands use.

Each statement is a call, before and after which its World is asked. Statements that write rows are done by a model in
plain Python that reads what the real statement would read: registered partitions and the literals in its text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec

from etl.servers.hive import Result, StatementError
from etl.sqlfile import SqlFile

ROOT = "hdfs://simulated/warehouse"
Rows = tuple[tuple[Any, ...], ...]
Literals = tuple[int, int]  # of a view: the compaction whose folders it shows, and the last landing that this covers


@cache
def rows_in(content: bytes) -> Rows:
    """The rows of a file of the model."""
    return tuple(tuple(msgspec.json.decode(line)) for line in content.splitlines())


@dataclass
class Metastore:
    """Tables with their location and partitions, and views by their text."""

    databases: set[str] = field(default_factory=set)
    tables: dict[str, tuple[tuple[str, ...], dict[str, tuple[str, ...]]]] = field(default_factory=dict)
    views: dict[str, str] = field(default_factory=dict)

    def copy(self) -> Metastore:
        """The same objects, to be changed on their own."""
        tables = {name: (place, dict(partitions)) for name, (place, partitions) in self.tables.items()}
        return Metastore(set(self.databases), tables, dict(self.views))

    def literals(self, view: str) -> Literals:
        """The generation of folders that a view shows."""
        return _literals(self.views[view])

    def pointer(self, name: str) -> tuple[int, int]:
        """Release and landing of ops.published or ops.candidate."""
        return _pointer(self.views[name])


@cache
def _literals(text: str) -> Literals:
    match = re.search(r"compaction = (\d+)\s+OR \((?:\w+\.)?compaction = 0 AND (?:\w+\.)?last_landing > (\d+)\)", text)
    assert match, text
    return int(match[1]), int(match[2])


@cache
def _pointer(text: str) -> tuple[int, int]:
    release, landing = re.findall(r"CAST\((\d+) AS BIGINT\)", text)
    return int(release), int(landing)


Operation = Callable[[Any], list[tuple[Any, ...]]]


class FakeHive:
    """A session, in which each statement is one call."""

    world: Any = None

    def __init__(self, settings: Any, _watch: Any = None) -> None:
        self.address = f"{settings.engine} simulated"

    def __enter__(self) -> FakeHive:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def query(self, statement: str) -> Result:
        kind, operation = parsed(statement)
        if kind == "read":
            self.world.before_call("query")
            return Result([], operation(self.world))
        if kind == "insert":  # what is overwritten is gone before the new rows are there
            self.world.change("OVERWRITE", lambda: overwrite(self.world, statement))
        return Result([], self.world.change(statement, lambda: operation(self.world)))

    def tables(self, database: str) -> list[str]:
        return [row[0] for row in self.query(f"SHOW TABLES IN {database}").rows]


@cache
def parsed(statement: str) -> tuple[str, Operation]:
    """Whether a statement reads or changes, and what does it."""
    for pattern, kind, make in STATEMENTS:
        if match := re.match(pattern, statement, re.DOTALL):
            return kind, make(*match.groups())
    raise AssertionError(f"the simulation does not know {statement}")


def refused(text: str) -> StatementError:
    """What an engine says of an object that is not there."""
    return StatementError(f"simulated: {text}", "look at it")


def _database(name: str) -> Operation:
    return lambda world: world.metastore.databases.add(name) or []


def _create_table(name: str, location: str) -> Operation:
    place = tuple(location.removeprefix(f"{ROOT}/").split("/"))
    return lambda world: world.metastore.tables.setdefault(name, (place, {})) and []


def _create_view(name: str, text: str) -> Operation:
    return lambda world: world.metastore.views.setdefault(name, text) and []


def _alter_view(name: str, text: str) -> Operation:
    def run(world: Any) -> list[tuple[Any, ...]]:
        if name not in world.metastore.views:
            raise refused(f"no view {name}")
        world.metastore.views[name] = text
        return []

    return run


def _add_partitions(table: str, texts: str) -> Operation:
    rows = []
    for spec, _, location in re.findall(r"PARTITION \(([^)]*)\)( LOCATION '([^']*)')?", texts):
        name = spec.replace(", ", "/").replace(" ", "")
        rows.append((name, tuple(location.removeprefix(f"{ROOT}/").split("/")) if location else ()))

    def run(world: Any) -> list[tuple[Any, ...]]:
        root, partitions = _table(world, table)
        for name, place in rows:
            place = partitions.setdefault(name, place or (*root, *name.split("/")))
            if world.files.get(*place) is None:
                world.files.put({}, *place)  # as the metastore does
        return []

    return run


def _drop_partitions(table: str, texts: str) -> Operation:
    names = [spec.replace(", ", "/").replace(" ", "") for spec in re.findall(r"PARTITION \(([^)]*)\)", texts)]

    def run(world: Any) -> list[tuple[Any, ...]]:
        for name in names:
            _table(world, table)[1].pop(name, None)
        return []

    return run


def _table(world: Any, name: str) -> Any:
    if name not in world.metastore.tables:
        raise refused(f"no table {name}")
    return world.metastore.tables[name]


def _drop_table(name: str) -> Operation:
    return lambda world: world.metastore.tables.pop(name, None) and []


def _drop_view(name: str) -> Operation:
    return lambda world: world.metastore.views.pop(name, None) and []


def _show_partitions(name: str) -> Operation:
    return lambda world: [(partition,) for partition in sorted(_table(world, name)[1])]


def _show_tables(database: str) -> Operation:
    def run(world: Any) -> list[tuple[Any, ...]]:
        if database not in world.metastore.databases:
            raise refused(f"no database {database}")
        there = sorted({*world.metastore.tables, *world.metastore.views})
        return [(name.partition(".")[2],) for name in there if name.startswith(f"{database}.")]

    return run


def _describe(name: str) -> Operation:
    def run(world: Any) -> list[tuple[Any, ...]]:
        _table(world, name)
        file: SqlFile = world.file_of[name]
        return [(column, kind, file.comments.get(column, "")) for column, kind in file.columns]

    return run


def _read_metastore() -> Operation:
    def run(world: Any) -> list[tuple[Any, ...]]:
        views = world.metastore.views
        if "ops.metastore" not in views or "ops.published" not in views:
            raise refused("no view ops.metastore")
        return [(_hashes(views["ops.metastore"]), *_pointer(views["ops.published"]))]

    return run


@cache
def _hashes(text: str) -> str:
    match = re.search(r"'([^']*)' AS hashes", text)
    assert match
    return re.sub(r"\\u([0-9a-f]{4})", lambda code: chr(int(code[1], 16)), match[1])


def _read_candidate() -> Operation:
    return lambda world: [world.metastore.pointer("ops.candidate")]


def visible_rows(world: Any, table: str, literals: Literals, landing: int) -> list[tuple[Any, ...]]:
    """The rows of registered partitions that a view with these literals shows up to a landing; the landing is last."""
    compaction, compacted = literals
    rows: list[tuple[Any, ...]] = []
    for name, place in _table(world, table)[1].items():
        own, last = (int(part.partition("=")[2]) for part in name.split("/"))
        if own == compaction or (own == 0 and last > compacted):
            rows += (row for row in stored(world, place) if row[-1] <= landing)
    return rows


def stored(world: Any, place: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """The rows of the files in a partition's folder; engines pass over names that begin with _ or a point."""
    entry = world.files.get(*place)
    if not isinstance(entry, dict):
        return []
    return [row for name, content in entry.items() if name[0] not in "_." for row in rows_in(content)]


def rejected(world: Any, before: int = 10**9) -> list[tuple[Any, ...]]:
    """The rows of the view raw.rejected_messages from landings before one: without those that were replayed."""
    compaction, compacted = world.metastore.literals("raw.landings")
    replayed = set()
    for name, place in _table(world, "raw.landings_v1")[1].items():
        own, last = (int(part.partition("=")[2]) for part in name.split("/"))
        if own == compaction or (own == 0 and last > compacted):
            replayed |= _replayed(world.files.get(*place, "landing.json") or b"")
    literals = world.metastore.literals("raw.rejected_messages")
    rows = visible_rows(world, "raw.rejected_messages_v1", literals, before - 1)
    return [row for row in rows if row[:2] not in replayed]


@cache
def _replayed(account: bytes) -> frozenset[tuple[int, int]]:
    rows = [msgspec.json.decode(line) for line in account.splitlines()]
    return frozenset((row["kafka_partition"], offset) for row in rows for offset in row["replayed_offsets"])


def _count_rejected(landing: str) -> Operation:
    return lambda world: [(len(rejected(world, int(landing))),)]


def _fill(table: str, compaction: str, landing: str, text: str) -> Operation:
    """INSERT OVERWRITE of one partition of a (staged) flat table."""
    name = f"compaction={compaction}/last_landing={landing}"
    if "superseded_messages" in table:
        literals = _literals(text)

        def rows(world: Any) -> list[tuple[Any, ...]]:
            return superseded(world, name, literals, int(landing))
    else:

        def rows(world: Any) -> list[tuple[Any, ...]]:
            place = _table(world, "raw.assessments_v1")[1].get(name)
            return stored(world, place) if place else []

    def run(world: Any) -> list[tuple[Any, ...]]:
        root, partitions = _table(world, table)
        place = (*root, *name.split("/"))
        content = b"".join(msgspec.json.encode(row) + b"\n" for row in rows(world))
        world.files.pop(*place)
        if content:
            world.files.put(content, *place, "part-0.parquet")
        partitions[name] = place
        return []

    return run


def superseded(world: Any, folder: str, literals: Literals, landing: int) -> list[tuple[Any, ...]]:
    """What superseded_messages_v1.sql computes for a folder: (partition, offset, attempt, landing)."""
    place = _table(world, "flat.messages_v1")[1].get(folder)
    first: dict[str, int] = {}
    for row in stored(world, place) if place else []:
        first[row[2]] = min(first.get(row[2], row[-1]), row[-1])
    ranked: dict[str, list[tuple[Any, ...]]] = {}
    for row in visible_rows(world, "flat.messages_v1", literals, landing):
        if row[2] in first:
            ranked.setdefault(row[2], []).append(row)
    rows = []
    for attempt, messages in ranked.items():
        newest = 0
        for partition, offset, _, _, own in sorted(messages, key=lambda row: (row[3], row[0], row[1]), reverse=True):
            if newest and max(own, newest) >= first[attempt]:
                rows.append((partition, offset, attempt, max(own, newest)))
            newest = min(newest or own, own)
    return rows


def attempts(world: Any, prefix: str, landing: int) -> Rows:
    """(attempt, partition, offset) of the view attempts, of readers or of the candidate."""
    views = world.metastore
    messages = visible_rows(world, "flat.messages_v1", views.literals(f"{prefix}.messages"), landing)
    gone = visible_rows(world, "flat.superseded_messages_v1", views.literals(f"{prefix}.superseded_messages"), landing)
    fallen = {(row[0], row[1]) for row in gone}
    return tuple(sorted((row[2], row[0], row[1]) for row in messages if (row[0], row[1]) not in fallen))


def _compute(table: str, text: str) -> Operation:
    """INSERT of a mart, whose partition is the release of the candidate."""
    release = int(re.findall(r"candidate\.release = (\d+)", text)[0])

    def run(world: Any) -> list[tuple[Any, ...]]:
        pointer, landing = world.metastore.pointer("ops.candidate")
        rows = attempts(world, "candidate", landing) if pointer == release else ()
        root, partitions = _table(world, table)
        if rows:
            place = (*root, f"release={release}")
            world.files.pop(*place)
            world.files.put(b"".join(msgspec.json.encode(row) + b"\n" for row in rows), *place, "part-0.parquet")
            partitions[f"release={release}"] = place
        return []

    return run


def _insert(text: str) -> Operation:
    flat = re.search(r"INSERT OVERWRITE TABLE ([\w.]+)\s+PARTITION \(compaction = (\d+), last_landing = (\d+)\)", text)
    if flat:
        return _fill(flat[1], flat[2], flat[3], text)
    mart = re.search(r"INSERT OVERWRITE TABLE ([\w.]+) PARTITION \(release\)", text)
    assert mart, text
    return _compute(mart[1], text)


@cache
def _target(statement: str) -> tuple[str, str]:
    match = re.search(r"INSERT OVERWRITE TABLE ([\w.]+)\s+PARTITION \(([^)]*)\)", statement)
    assert match, statement
    return match[1], match[2].replace(", ", "/").replace(" ", "")


def overwrite(world: Any, statement: str) -> None:
    """Remove what INSERT OVERWRITE replaces."""
    table, partition = _target(statement)
    if "=" in partition:
        world.files.pop(*_table(world, table)[0], *partition.split("/"))


STATEMENTS: list[tuple[str, str, Callable[..., Operation]]] = [
    (r"SELECT metastore\.hashes", "read", _read_metastore),
    (r"SELECT .*FROM ops\.candidate", "read", _read_candidate),
    (r"SELECT COUNT\(\*\) FROM raw\.rejected_messages WHERE landing < (\d+)$", "read", _count_rejected),
    (r"SHOW PARTITIONS ([\w.]+)$", "read", _show_partitions),
    (r"SHOW TABLES IN (\w+)$", "read", _show_tables),
    (r"DESCRIBE ([\w.]+)$", "read", _describe),
    (r"CREATE DATABASE IF NOT EXISTS (\w+)$", "change", _database),
    (r"CREATE EXTERNAL TABLE IF NOT EXISTS ([\w.]+).*LOCATION '([^']*)'", "change", _create_table),
    (r"CREATE VIEW IF NOT EXISTS ([\w.]+) AS(.*)", "change", _create_view),
    (r"ALTER VIEW ([\w.]+) AS(.*)", "change", _alter_view),
    (r"ALTER TABLE ([\w.]+) ADD IF NOT EXISTS (.*)", "change", _add_partitions),
    (r"ALTER TABLE ([\w.]+) DROP IF EXISTS (.*)", "change", _drop_partitions),
    (r"DROP TABLE IF EXISTS ([\w.]+)$", "change", _drop_table),
    (r"DROP VIEW IF EXISTS ([\w.]+)$", "change", _drop_view),
    (r"((?:WITH|INSERT)\b.*)", "insert", _insert),
]
