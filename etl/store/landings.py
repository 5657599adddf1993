"""The folders on HDFS that hold what was landed, and which of them readers see.

A landing is a folder `landings/landing=N`. A compaction is one folder, `landings/compaction=N`: a folder in it for each
run of neighbours that it put together, and `folders.json`, the list of what readers see in place of all landings up to
the last in it. Both appear by one rename and never change. Each folder holds one folder per raw table and is a
partition of each; which of the partitions are seen is said by the views, so that they change at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from etl import sqlfile
from etl.errors import UsageError
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import Settings
from etl.store import contract

ROOT = "landings"  # HDFS folder of all landings, beside the tables'
TABLE = "landings"  # the raw table that holds the account of each
ACCOUNT, LIST = "landing.json", "folders.json"


@dataclass(frozen=True)
class Folder:
    """What one landing brought, or several neighbours up to `last`; `path` goes from warehouse_root on.

    `compaction` is the compaction that lists it, 0 for a landing of its own.
    """

    compaction: int
    last: int
    path: str

    def of(self, table: str) -> tuple[str, ...]:
        """Where it holds the lines of a raw table, named without its database."""
        return (*self.path.split("/"), f"table={table}")


@dataclass(frozen=True)
class Current:
    """What readers see: the newest compaction (0 for none), the last landing in it, and all folders in their order."""

    compaction: int
    compacted: int
    folders: list[Folder]

    @property
    def last(self) -> int:
        """The newest landing, 0 for none."""
        return self.folders[-1].last if self.folders else 0


def current(hdfs: Hdfs) -> Current:
    """What HDFS says readers see; there is no other record of it."""
    names = hdfs.names(ROOT)
    compaction = max(_numbers(names, "compaction"), default=0)
    rows = hdfs.rows(ROOT, f"compaction={compaction}", LIST) if compaction else []
    folders = [Folder(compaction, row["last_landing"], row["folder"]) for row in rows]
    compacted = folders[-1].last if folders else 0
    behind = sorted(number for number in _numbers(names, "landing") if number > compacted)
    return Current(
        compaction, compacted, folders + [Folder(0, number, f"{ROOT}/landing={number}") for number in behind]
    )


def _numbers(names: Sequence[str], kind: str) -> list[int]:
    return [int(name.removeprefix(f"{kind}=")) for name in names if name.startswith(f"{kind}=")]


def account(hdfs: Hdfs, folder: Folder) -> list[dict[str, Any]]:
    """The rows of raw.landings that a folder holds."""
    return hdfs.rows(*folder.of(TABLE), ACCOUNT)


def publish(settings: Settings, hive: Hive, hdfs: Hdfs) -> Current:
    """Make the raw tables where they are missing, what readers are to see partitions of each, and the views.

    Who died between a rename and here is mended by the next.
    """
    seen, newest, views = current(hdfs), contract.newest(), []
    values = {"warehouse_root": settings.warehouse_root}
    shown = {"compaction": str(seen.compaction), "compacted": str(seen.compacted)}
    raw = sorted(sqlfile.files("1_raw"), key=lambda file: file.version)
    for file in raw:
        views += file.views(values | shown)
        hive.make(file.tables(values))
    for file in raw:
        known = {row[0] for row in hive.query(f"SHOW PARTITIONS {file.table}").rows}
        missing = [one for one in seen.folders if partition(one) not in known]
        if file.table == newest.table:
            try:
                from etl.land.recheck import refuse_unfit

                refuse_unfit(settings, hdfs, missing)
            except UsageError:
                if not known:  # it was made just now, and its file is to be changed
                    hive.drop(file.table)
                raise
        places = [
            f"PARTITION ({spec(partition(one))}) "
            f"LOCATION '{settings.warehouse_root}/{'/'.join(one.of(file.name.partition('.')[2]))}'"
            for one in missing
        ]
        if places:
            hive.query(f"ALTER TABLE {file.table} ADD IF NOT EXISTS {' '.join(places)}")
    hive.make(views)  # last, so that a reader of a new version or compaction finds every landing
    return seen


def partition(folder: Folder) -> str:
    """What the metastore calls a folder as a partition of a raw table."""
    return f"compaction={folder.compaction}/last_landing={folder.last}"


def spec(partition: str) -> str:
    """How SQL writes the name of such a partition."""
    return partition.replace("/", ", ")
