"""Removes a table from builds, views and suites; the next `clean` removes its files."""

from __future__ import annotations

from collections.abc import Callable

from etl import sqlfile
from etl.build.build import finish_switch
from etl.errors import UsageError
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import Settings
from etl.store import lock
from etl.store.ledger import Ledger
from etl.store.schema import Schema


def retire(settings: Settings, table: str, say: Callable[[str], None]) -> None:
    """Retire a versioned table such as marts.exams_v1, whose SQL file was removed.

    Raises UsageError while its file is there, or where it was never published.
    """
    if any(file.table == table for file in sqlfile.files("[235]_*")):
        raise UsageError(f"{table} still has its SQL file", "remove the file and its suite, then run this again")
    hdfs = Hdfs(settings)
    ledger = Ledger(hdfs)
    with lock.exclusive(settings, "build"):
        retired = ledger.state().retired
        views = {
            row["table_name"]: row.get("view_name", "") for event in ledger.events() for row in event.table_versions
        }
        if table in retired or table not in views:
            tables = ", ".join(sorted(views.keys() - retired.keys())) or "none"
            raise UsageError(f"{table} was never published, or is retired", f"published were {tables}")
        with Hive(settings) as hive:
            ledger.retire(table, views[table])
            schema = Schema(settings, hive, hdfs)
            finish_switch(schema, hdfs, ledger)
            schema.save()
    say(f"{table} is retired and no longer part of builds, views and suites; ./warehouse clean --yes removes its files")
