"""The folders on HDFS that hold what was landed, and which of them count.

A landing is a folder `landings/landing=N`. A compaction is one folder, `landings/compaction=N`: a folder in it for each
run of neighbors that it merged, and `folders.json`, which lists what counts in place of all landings up to the last in
it. Both appear by one rename and never change. Each folder holds one folder per raw table and is a partition of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from etl.errors import WarehouseError
from etl.servers.hdfs import Hdfs

ROOT = "landings"  # HDFS folder of all landings, beside the tables'
TABLE = "landings"  # the raw table that holds the account of each
ACCOUNT, LIST = "landing.json", "folders.json"
NUMBER = "(0|[1-9][0-9]{0,17})"  # as the warehouse writes it: landing=007 and landing=2.bak are of somebody else
PARTITION = re.compile(f"compaction={NUMBER}/last_landing={NUMBER}")
PATH = re.compile(f"{ROOT}/(?:landing={NUMBER}|{PARTITION.pattern})")


@dataclass(frozen=True)
class Folder:
    """What one landing brought, or several neighbors up to `last`; `path` goes from warehouse_root on.

    `compaction` is the compaction that lists it, 0 for a landing of its own.
    """

    compaction: int
    last: int
    path: str

    def of(self, table: str) -> tuple[str, ...]:
        """Where it holds the lines of a raw table, named without its database."""
        return (*self.path.split("/"), f"table={table}")

    @property
    def partition(self) -> str:
        """The name of its partition in the metastore, which is new with each compaction that lists it."""
        return f"compaction={self.compaction}/last_landing={self.last}"

    @property
    def origin(self) -> str:
        """The partition name it had first: the place of what is computed from it, since its lines never change."""
        match = PATH.fullmatch(self.path)
        if match is None:
            raise ValueError(f"{self.path} is no folder of landings")
        return f"compaction={match[2] or 0}/last_landing={match[1] or match[3]}"


@dataclass(frozen=True)
class Generation:
    """The folders that count in their order: those a compaction lists (0 for none), and the landings after it.

    `compacted` is the last landing that the compaction covers.
    """

    compaction: int
    compacted: int
    folders: Sequence[Folder]

    @property
    def last(self) -> int:
        """The newest landing, 0 for none."""
        return self.folders[-1].last if self.folders else 0

    def up_to(self, landing: int) -> list[Folder]:
        """The folders that hold landings up to this one; the last of them may hold later ones, too."""
        before = [0, *(folder.last for folder in self.folders)]
        return [folder for last, folder in zip(before, self.folders, strict=False) if last < landing]

    @property
    def parameters(self) -> dict[str, str]:
        """The values of `compaction` and `compacted` in the SQL files."""
        return {"compaction": str(self.compaction), "compacted": str(self.compacted)}


def current(hdfs: Hdfs) -> Generation:
    """What counts now; HDFS alone says so."""
    names = hdfs.names(ROOT)
    return _listed(hdfs, names, max(numbers(names, "compaction"), default=0))


def generations(hdfs: Hdfs) -> list[Generation]:
    """What counts now and, behind a compaction, what counted before: readers may still use its folders."""
    names = hdfs.names(ROOT)
    return [_listed(hdfs, names, number) for number in _newest(names)]


def refuse_replaced(hdfs: Hdfs, generation: Generation) -> None:
    """Raise WarehouseError when `clean` may have removed folders of this generation, since two compactions came."""
    if generation.compaction not in _newest(hdfs.names(ROOT)):
        raise WarehouseError("landings were compacted twice while this command read them", "run it again")


def _newest(names: Sequence[str]) -> list[int]:
    """The compactions of the generations that are kept, the newest first; 0 is the generation before all."""
    return [*sorted(numbers(names, "compaction"), reverse=True), 0][:2]


def _listed(hdfs: Hdfs, names: Sequence[str], compaction: int) -> Generation:
    rows = hdfs.rows(ROOT, f"compaction={compaction}", LIST) if compaction else []
    folders = [Folder(compaction, row["last_landing"], row["folder"]) for row in rows]
    compacted = folders[-1].last if folders else 0
    behind = sorted(number for number in numbers(names, "landing") if number > compacted)
    return Generation(compaction, compacted, folders + [Folder(0, n, f"{ROOT}/landing={n}") for n in behind])


def numbers(names: Iterable[str], kind: str) -> list[int]:
    """The numbers of `kind=N`."""
    matches = (re.fullmatch(f"{kind}={NUMBER}", name) for name in names)
    return [int(match[1]) for match in matches if match]


def account(hdfs: Hdfs, folder: Folder) -> list[dict[str, Any]]:
    """The rows of raw.landings that a folder holds."""
    return hdfs.rows(*folder.of(TABLE), ACCOUNT)
