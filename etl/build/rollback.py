"""Shows readers the previous release."""

from __future__ import annotations

from collections.abc import Callable

from etl import sqlfile
from etl.build.build import finish_switch, restore
from etl.build.plan import plan
from etl.errors import WarehouseError
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import Settings
from etl.store import customer_schema, lock
from etl.store.ledger import Event, Ledger
from etl.store.release_files import release_files
from etl.store.schema import Schema


def rollback(settings: Settings, say: Callable[[str], None]) -> Event:
    """Go back one release; the next build publishes a new one.

    Raises WarehouseError when there is no release before, or its files were removed.
    """
    from etl.validate.summary_page import mark_published

    hdfs = Hdfs(settings)
    ledger = Ledger(hdfs)
    with lock.exclusive(settings, "build"), Hive(settings) as hive:
        state = ledger.state()
        if state.published is None or state.previous is None:
            raise WarehouseError("there is no release to go back to", "run ./warehouse build")
        release_files(state.previous, state.retired)
        for row in state.previous.table_versions:
            if row["table_name"] in state.retired:
                continue
            folders = {file["path"].rpartition("/")[0] for file in row["files"]}
            for folder in sorted(folders):
                if not hdfs.names(*folder.split("/")):
                    raise WarehouseError(
                        f"cannot go back to release {state.previous.release}: {folder} was removed",
                        "run ./warehouse build",
                    )
        schema = Schema(settings, hive, hdfs)
        restore(settings, schema, hdfs, ledger, plan(hdfs, ledger))
        # A loader that read ops.metastore before the publication and saved it after says that views are as they were.
        schema.discard(*(file.name for file in sqlfile.files("[235]_*")), *schema.saved(customer_schema.VIEWS))
        schema.list_all()
        event = ledger.roll_back(state.published)
        finish_switch(schema, hdfs, ledger)
        schema.save()
        mark_published(settings, event.release, event.landing)
        say(f"readers see release {event.release} again, not {state.published.release}: landings up to {event.landing}")
        return event
