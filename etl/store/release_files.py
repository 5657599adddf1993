"""The SQL files of a release, and of each name the version that readers have."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from etl import sqlfile
from etl.errors import UsageError
from etl.sqlfile import SqlFile
from etl.store.ledger import Event


def release_files(event: Event, retired: Collection[str]) -> list[SqlFile]:
    """The SQL files of a release without the tables that were retired since, in stage order.

    Raises UsageError where one is gone or was changed since.
    """
    files = {file.table: file for file in sqlfile.files("[235]_*")}
    hashes = {table: sha256 for table, sha256 in event.hashes.items() if table not in retired}
    for table, sha256 in hashes.items():
        if table not in files:
            raise UsageError(
                f"the SQL file of {table}, which release {event.release} shows, is gone (sha256 {sha256})",
                f"put it back, or run ./warehouse retire {table}",
            )
        if files[table].sha256 != sha256:
            raise UsageError(
                f"{files[table].place} was changed after it was published: its statements have sha256 "
                f"{files[table].sha256}, not {sha256}",
                f"undo the change and put it into a new file {files[table].following}",
            )
    return [file for table, file in files.items() if table in hashes]


def newest_versions(files: Iterable[SqlFile]) -> list[SqlFile]:
    """Of each name the newest version, whose view readers have, in stage order."""
    files = list(files)
    newest = {file.name: file for file in sorted(files, key=lambda file: file.version)}
    return [file for file in files if newest[file.name] is file]
