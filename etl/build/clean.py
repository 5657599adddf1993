"""Removes what nobody needs any more: old builds, refused ones, and what killed runs left behind.

What is published and the build one step back always stay, with every folder they point to; so does a build that
is newer than the published one and not decided on, since the next build may go on from it. Landings are never
removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from etl import sqlfile
from etl.errors import WarehouseError
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import Settings
from etl.store import landings, lock
from etl.store import published as release
from etl.store.landings import Current
from etl.store.ledger import Ledger

AT_ONCE = 100  # partitions that one statement drops


@dataclass(frozen=True)
class Leftover:
    """A folder or file to be removed: its path from warehouse_root on, its length, and why nobody needs it."""

    path: str
    bytes: int
    why: str


def clean(settings: Settings, is_done: bool) -> list[Leftover]:
    """What may be removed; with `is_done` it is removed.

    Raises WarehouseError when a build or a loader is at work, or nothing is published.
    """
    hdfs = Hdfs(settings)
    book = Ledger(hdfs)
    with lock.between_steps(settings), Hive(settings) as hive:
        current = release.mend(hive, book)
        if current is None:
            raise WarehouseError("nothing is published, so nothing is old", "run ./warehouse build")
        kept = {current.build_id, current.previous_build_id}
        undecided = {built.build_id for built in book.undecided().values()}
        kept |= {build_id for build_id in undecided if build_id > current.build_id}
        tables = [built for build_id in kept if build_id for built in book.tables(build_id).values()]
        needed = {part["folder"] for built in tables for part in built.parts}
        databases = sorted({file.name.partition(".")[0] for file in sqlfile.files("[23]_*")})
        seen = landings.publish(settings, hive, hdfs)
        found = _builds(hdfs, databases, needed) + _replaced(hdfs, seen) + _drafts(hdfs)
        if is_done:
            _drop_partitions(hive, databases, kept)
            _drop_replaced(hive, seen)
            for one in found:
                hdfs.remove(*one.path.split("/"))
        return found


def _builds(hdfs: Hdfs, databases: list[str], needed: set[str]) -> list[Leftover]:
    """Folders of builds that no kept build points to."""
    tables = [(database, table) for database in databases for table in hdfs.names(database)]
    builds = [(*table, name) for table in tables for name in hdfs.names(*table) if name.startswith("build_id=")]
    found = [place for build in builds for place in _unneeded(hdfs, build, needed)]
    return [
        Leftover("/".join(place), hdfs.size(*place), "of a build that is two steps back or refused") for place in found
    ]


def _unneeded(hdfs: Hdfs, place: tuple[str, ...], needed: set[str]) -> list[tuple[str, ...]]:
    """This folder, or where a kept build points to some in it, the others."""
    path = "/".join(place)
    if path in needed:
        return []
    if not any(one.startswith(f"{path}/") for one in needed):
        return [place]
    return [found for name in hdfs.names(*place) for found in _unneeded(hdfs, (*place, name), needed)]


def _replaced(hdfs: Hdfs, seen: Current) -> list[Leftover]:
    """Folders of landings and of compactions that readers see no longer, since a later compaction holds their rows."""
    needed = {folder.path for folder in seen.folders} | {f"{landings.ROOT}/compaction={seen.compaction}"}
    places = [(landings.ROOT, name) for name in hdfs.names(landings.ROOT) if not name.startswith(".")]
    found = [place for one in places for place in _unneeded(hdfs, one, needed)]
    return [Leftover("/".join(place), hdfs.size(*place), "of landings that were put together") for place in found]


def _drop_replaced(hive: Hive, seen: Current) -> None:
    """Forget the partitions of such folders. That of a landing which is lost stays, so that this is told."""
    for file in sqlfile.files("1_raw"):
        names = [row[0] for row in hive.query(f"SHOW PARTITIONS {file.table}").rows]
        _drop(hive, file.table, [landings.spec(name) for name in names if _is_replaced(name, seen)])


def _is_replaced(partition: str, seen: Current) -> bool:
    compaction, last = (int(pair.partition("=")[2]) for pair in partition.split("/"))
    return 0 < compaction < seen.compaction or (compaction == 0 and last <= seen.compacted)


def _drafts(hdfs: Hdfs) -> list[Leftover]:
    """What killed runs left: landings and ledger rows that never got their name."""
    folders = [(landings.ROOT,), *(("ops", name) for name in hdfs.names("ops"))]
    places = [(*folder, name) for folder in folders for name in hdfs.names(*folder) if name.startswith(".")]
    return [Leftover("/".join(place), hdfs.size(*place), "left by a run that was killed") for place in places]


def _drop_partitions(hive: Hive, databases: list[str], kept: set[str | None]) -> None:
    """Forget the partitions of all other builds; their tables are external, so that no file goes."""
    for database in databases:
        for table in hive.tables(database):
            if "_v" not in table:
                continue
            names = [row[0].partition("/")[0] for row in hive.query(f"SHOW PARTITIONS {database}.{table}").rows]
            builds = sorted({unquote(name.partition("=")[2]) for name in names} - kept)
            _drop(hive, f"{database}.{table}", [f"build_id = '{old}'" for old in builds])


def _drop(hive: Hive, table: str, partitions: list[str]) -> None:
    """Forget partitions, many by one statement: each statement costs the server more than a partition does."""
    for at in range(0, len(partitions), AT_ONCE):
        some = ", ".join(f"PARTITION ({one})" for one in partitions[at : at + AT_ONCE])
        hive.query(f"ALTER TABLE {table} DROP IF EXISTS {some}")
