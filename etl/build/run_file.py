"""Runs one SQL file of a build: fills the flat folders that a table lacks, or computes a mart.

A folder is filled in a staging table with the columns of the real one, and then becomes the real table's by one
rename. So a statement that still runs after its build was killed writes where no reader sees it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

from etl.errors import WarehouseError
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import Settings
from etl.sqlfile import SqlFile
from etl.store import flat_folders, landings, ledger
from etl.store.landings import Folder, Generation


def fill(
    settings: Settings,
    hive: Hive,
    hdfs: Hdfs,
    file: SqlFile,
    folders: Sequence[Folder],
    generation: Generation,
    run: str,
) -> None:
    """Fill the flat folders of these raw folders, in their order; `run` names the staging table of this run."""
    staging = f"{flat_folders.STAGING}.{file.path.stem}_{run}"
    root = (flat_folders.STAGING, run)
    values = {"warehouse_root": f"{settings.warehouse_root}/{'/'.join(root)}", **generation.parameters}

    def staged(statement: str) -> str:
        return re.sub(rf"(?<![\w.]){re.escape(file.table)}(?!\w)", staging, statement)

    hdfs.put_rows([], *root, *file.table.split("."), flat_folders.MARKER)
    for statement in file.tables(values):
        hive.query(staged(statement))
    for folder in folders:
        began = time.monotonic()
        values |= {"folder_compaction": str(folder.compaction), "folder_landing": str(folder.last)}
        for statement in file.fills(values):
            hive.query(staged(statement))
        seconds = round(time.monotonic() - began, 3)
        landings.refuse_replaced(hdfs, generation)
        figures = {"engine": settings.engine, "seconds": seconds}
        flat_folders.commit(hdfs, (*root, *file.table.split("."), *folder.partition.split("/")), file, folder, figures)
        _remove_unneeded(hdfs, file, folder)
    hive.query(f"DROP TABLE IF EXISTS {staging}")
    hdfs.remove(*root, *file.table.split("."))


def _remove_unneeded(hdfs: Hdfs, file: SqlFile, folder: Folder) -> None:
    """Remove a flat folder that came after its raw folder was replaced twice and cleaned, as by an erasure."""
    generations = landings.generations(hdfs)
    if all(folder.origin not in {other.origin for other in generation.folders} for generation in generations):
        hdfs.remove(*flat_folders.place(file.table, folder))
        raise WarehouseError(f"the landings up to {folder.last} were replaced while a build read them", "run it again")


def compute(settings: Settings, hive: Hive, hdfs: Hdfs, file: SqlFile, release: int) -> dict[str, Any]:
    """Compute a mart from the candidate's views; returns its entry in the log of releases."""
    began = time.monotonic()
    for statement in file.fills({"warehouse_root": settings.warehouse_root, "release": str(release)}):
        hive.query(statement)
    seconds = round(time.monotonic() - began, 3)
    files = ledger.file_rows(hdfs, *file.table.split("."), f"release={release}")
    return version(file, seconds, files)


def version(file: SqlFile, seconds: float = 0.0, files: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """The entry for one file of a release in the log of releases."""
    row = {"table_name": file.table, "view_name": file.name, "sha256": file.sha256}
    return row | {"seconds": seconds, "files": list(files)}
