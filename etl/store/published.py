"""Switches readers from one build to another: one view holds the build that all views of flat and marts look at.

The ledger is the truth and the view follows it: a run that was killed between the two is mended by the next.
"""

from __future__ import annotations

from collections.abc import Callable

from etl import sqlfile
from etl.errors import UsageError, WarehouseError
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive, StatementError
from etl.settings import Settings
from etl.sqlfile import SqlFile
from etl.store import landings, lock
from etl.store.ledger import ROLLED_BACK, Built, Ledger, Release

POINTER = "published"


def prepare(settings: Settings, hive: Hive, hdfs: Hdfs) -> int:
    """Make the ops and raw tables, their partitions and views; returns the newest landing's number, 0 for none."""
    values = {"warehouse_root": settings.warehouse_root}
    for file in sqlfile.files("0_ops"):
        if file.path.stem != POINTER:
            hive.make(file.tables(values) + file.views(values))
    return landings.publish(settings, hive, hdfs).last


def mend(hive: Hive, ledger: Ledger) -> Release | None:
    """Make readers see what the ledger says they see; returns that release, None before the first."""
    release = ledger.published()
    if release is None:
        return None
    try:
        seen = hive.query("SELECT release FROM ops.published").rows[0][0]
    except StatementError:
        seen = 0  # not there yet
    show(hive, ledger, release, is_new=seen != release.release)
    return release


def show(hive: Hive, ledger: Ledger, release: Release, is_new: bool = True) -> None:
    """Switch readers to a release. Each step leaves them with whole tables, and all may be done again.

    A view moves to another version of its table while the pointer shows a build that has both: a build carries
    the version it supersedes along.
    """
    (pointer,) = [file for file in sqlfile.files("0_ops") if file.path.stem == POINTER]
    values = {
        "release": str(release.release),
        "build_id": release.build_id,
        "previous_build_id": release.previous_build_id or "none",
        "landing": str(release.landing),
    }
    switch = pointer.tables(values) + pointer.views(values) if is_new else []
    before = ledger.published(below=release.release)
    known = {built.table_name for built in newest(ledger.tables(before.build_id)).values()} if before else set()
    files = shown(ledger.tables(release.build_id)).values()
    views = [statement for file in files if file.table not in known for statement in file.views()]
    for statement in views + switch if release.action == ROLLED_BACK else switch + views:
        hive.query(statement)


def newest(tables: dict[str, Built]) -> dict[str, Built]:
    """The newest version that a build has of each table, by the name that readers know."""
    by_version = sorted(tables.values(), key=lambda one: int(one.table_name.rpartition("_v")[2]))
    return {built.table_name.rpartition("_v")[0]: built for built in by_version}


def shown(tables: dict[str, Built]) -> dict[str, SqlFile]:
    """The file whose view readers have under each name: that of the newest version in the build.

    Raises UsageError when that file is gone.
    """
    files = {file.table: file for file in sqlfile.files("[23]_*")}
    found = newest(tables)
    for built in found.values():
        if built.table_name not in files:
            raise UsageError(
                f"{built.file} is not there; the published {built.table_name} was made by its statements, "
                f"sha256 {built.sha256}",
                "put it back",
            )
    return {name: files[built.table_name] for name, built in found.items()}


def rollback(settings: Settings, say: Callable[[str], None]) -> Release:
    """Let readers see the build before the published one.

    Raises WarehouseError when there is none, or its files were removed.
    """
    hdfs = Hdfs(settings)
    ledger = Ledger(hdfs)
    with lock.exclusive(settings, "build"), Hive(settings) as hive:
        release = mend(hive, ledger)
        if release is None or release.previous_build_id is None:
            raise WarehouseError("there is no build to go back to", "run ./warehouse build")
        tables = ledger.tables(release.previous_build_id)
        folders = {part["folder"] for built in tables.values() for part in built.parts}
        if gone := sorted(folder for folder in folders if not hdfs.names(*folder.split("/"))):
            raise WarehouseError(
                f"cannot go back to {release.previous_build_id}: {gone[0]} was removed", "run ./warehouse build"
            )
        before = ledger.publication(release.previous_build_id)
        earlier = before.previous_build_id if before else None
        landing = next(iter(tables.values())).landing
        number = max(ledger.decisions()) + 1
        back = ledger.decide(number, ROLLED_BACK, release.previous_build_id, earlier, landing)
        show(hive, ledger, back)
        say(f"readers see build {back.build_id} of landing {back.landing} again, no longer {release.build_id}")
        return back
