"""The files that landings and builds recorded, for a validation to compare with HDFS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from etl.servers.hdfs import Hdfs
from etl.sqlfile import SqlFile
from etl.store import flat_folders, landings
from etl.store.landings import Generation


def of(
    hdfs: Hdfs,
    files: Sequence[SqlFile],
    generation: Generation,
    since: int,
    landing: int,
    versions: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """{path, bytes, file_checksum} of the files of landings after `since` up to `landing`, and of a release's marts.

    Paths are relative to warehouse_root. A flat folder whose manifest is lost counts as one file that is missing.
    """
    folders = [folder for folder in generation.folders if since < folder.last <= landing]
    rows = [file for folder in folders for row in landings.account(hdfs, folder) for file in row["files"]]
    for table in (file.table for file in files if file.is_flat):
        for folder in folders:
            manifest = flat_folders.manifest(hdfs, table, folder)
            lost = "/".join((*flat_folders.place(table, folder), flat_folders.MANIFEST))
            rows += manifest.get("files", [{"path": lost, "bytes": 0, "file_checksum": ""}])
    return rows + [file for version in versions for file in version["files"]]
