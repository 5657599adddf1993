"""Which warehouse and which Kafka a home writes to: after the first one, no other unless a setting says so.

A warehouse has an id in `<root>/warehouse.json`, given by the first command that writes. The home keeps the id of the
warehouse that it wrote to in `warehouse.id`, and that of the Kafka cluster in `kafka.id`.
"""

from __future__ import annotations

import uuid

from etl.errors import UsageError, WarehouseError
from etl.servers import kafka
from etl.servers.hdfs import Hdfs
from etl.settings import Settings

NAME = "warehouse.json"


def confirm_warehouse(settings: Settings) -> None:
    """Give the warehouse of the settings an id where it has none, and compare it with the one this home wrote to.

    Raises UsageError where it is another, unless the setting `adopt` allows it.
    """
    settings.require_home()
    hdfs = Hdfs(settings)
    if NAME not in hdfs.names():
        if not settings.adopt and (last := _last(settings, "warehouse")):
            raise _another(settings, "warehouse", settings.warehouse_root, "a warehouse without an id", last)
        hdfs.put_rows([{"id": str(uuid.uuid4())}], NAME)  # where another command is first, its id counts
    _confirm(settings, "warehouse", settings.warehouse_root, str(hdfs.rows(NAME)[0]["id"]))


def confirm_kafka(settings: Settings) -> None:
    """Compare the Kafka cluster of the settings with the one that this home published to.

    Raises UsageError where it is another, unless the setting `adopt` allows it.
    """
    settings.require_home()
    _confirm(settings, "kafka", settings.address("bootstrap_servers"), kafka.cluster_id(settings))


def _confirm(settings: Settings, kind: str, address: str, current: str) -> None:
    last = _last(settings, kind)
    if last == current:
        return
    if last and not settings.adopt:
        raise _another(settings, kind, address, f"the {kind} {current}", last)
    draft = settings.home / f".{kind}.id.{uuid.uuid4().hex}"
    draft.write_text(f"{current}\n", encoding="utf-8")
    draft.replace(settings.home / f"{kind}.id")


def _last(settings: Settings, kind: str) -> str:
    """The id that this home wrote to last; empty where it wrote to none."""
    path = settings.home / f"{kind}.id"
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise WarehouseError(f"{path} cannot be read: {error}", "delete it and use --set adopt=true") from error


def _another(settings: Settings, kind: str, address: str, current: str, last: str) -> UsageError:
    return UsageError(
        f"{address} is {current}, but {settings.home} wrote to the {kind} {last}",
        "set WAREHOUSE_HOME to the home of that one, or switch with --set adopt=true",
    )
