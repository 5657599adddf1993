"""Checks messages that landed under an older contract against the newest one."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from etl.errors import UsageError
from etl.land import spark_job
from etl.servers import spark
from etl.servers.hdfs import Hdfs
from etl.settings import Settings
from etl.store import contract, landings
from etl.store.landings import Folder


def refuse_unfit(settings: Settings, hdfs: Hdfs, folders: Sequence[Folder]) -> None:
    """Raise UsageError where a message that landed under an older contract does not fit the newest one.

    An unknown field of the message may be a field of the new version, which has another type there.
    """
    table = contract.newest().table
    older = [
        f"{settings.warehouse_root}/{'/'.join(folder.of(spark_job.ACCEPTED))}"
        for folder in folders
        if any(row["contract"] != table and row["accepted_count"] for row in landings.account(hdfs, folder))
    ]
    if not older:
        return
    with spark.session(settings, str(uuid.uuid4()), f"check landed messages against {table}") as session:
        for number, offset, reason in spark_job.unfit(session, older):
            raise UsageError(
                f"message {number}:{offset} was landed, but does not fit {table}: {reason}",
                "give the new field the type that landed messages have, or another name",
            )
