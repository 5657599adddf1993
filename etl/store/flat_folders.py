"""The folders that hold the rows of flat tables: one per table and raw folder, which appears by one rename.

A flat folder is a function of its raw folder and of the SQL file that filled it. Its manifest says which file that was
and lists what was written; a validation reports a folder without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from etl.errors import WarehouseError
from etl.servers.hdfs import Hdfs
from etl.sqlfile import SqlFile
from etl.store import ledger
from etl.store.landings import PARTITION, Folder, Generation

MANIFEST = "_manifest.json"  # engines ignore names that begin with an underscore
STAGING = "staging"
MARKER = "_run"  # in the staging folder of a table from before its first row, so that a removal shows


def place(table: str, folder: Folder) -> tuple[str, ...]:
    """Where a table's rows of a raw folder lie, from warehouse_root on."""
    return (*table.split("."), *folder.origin.split("/"))


def partitions(hdfs: Hdfs, table: str) -> set[str]:
    """The partition names of the folders that a table has."""
    root = table.split(".")
    return {
        f"{compaction}/{last}"
        for compaction in hdfs.names(*root)
        if compaction.startswith("compaction=")
        for last in hdfs.names(*root, compaction)
        if PARTITION.fullmatch(f"{compaction}/{last}")
    }


def missing(hdfs: Hdfs, table: str, folders: Iterable[Folder]) -> list[Folder]:
    """The raw folders of which the table has no rows yet."""
    there = partitions(hdfs, table)
    return [folder for folder in folders if folder.origin not in there]


def remove_outdated(hdfs: Hdfs, file: SqlFile, folders: Iterable[Folder]) -> None:
    """Remove what an earlier text of a file wrote that was never published."""
    there = partitions(hdfs, file.table)
    for folder in folders:
        if folder.origin in there and manifest(hdfs, file.table, folder).get("sha256") != file.sha256:
            hdfs.remove(*place(file.table, folder))


def manifest(hdfs: Hdfs, table: str, folder: Folder) -> Mapping[str, Any]:
    """What a build recorded of a folder: {table_name, sha256, engine, filled_at, seconds, files}; {} for nothing."""
    try:
        return hdfs.rows(*place(table, folder), MANIFEST)[0]
    except FileNotFoundError:
        return {}


def commit(hdfs: Hdfs, staged: tuple[str, ...], file: SqlFile, folder: Folder, figures: Mapping[str, Any]) -> None:
    """Rename a staged folder into the table; where another build was first, its folder holds the same rows and stays.

    Raises WarehouseError where `clean` removed the rows on their way: an empty folder would count as filled.
    """
    target = place(file.table, folder)
    row = {"table_name": file.table, "sha256": file.sha256, "filled_at": ledger.now(), **figures}
    hdfs.put_rows([row | {"files": ledger.file_rows(hdfs, *staged, named=target)}], *staged, MANIFEST)
    if MARKER not in hdfs.names(*staged[:-2]):
        raise WarehouseError(f"{'/'.join(staged)} was removed while a build filled it", "run it again")
    hdfs.rename_new(staged, target)


def is_complete(hdfs: Hdfs, tables: Iterable[str], generation: Generation, landing: int) -> bool:
    """Whether the tables have the rows of all folders that hold landings up to this one."""
    return not any(missing(hdfs, table, generation.up_to(landing)) for table in tables)


def visible(hdfs: Hdfs, tables: Sequence[str], generations: Sequence[Generation], landing: int) -> Generation | None:
    """The newest generation of folders of which the tables have all rows up to a landing, None where rows are lost."""
    complete = (generation for generation in generations if is_complete(hdfs, tables, generation, landing))
    return next(complete, None)
