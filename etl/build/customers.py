"""Adds and removes customers, with their databases in the metastore."""

from __future__ import annotations

from etl.build.build import restore
from etl.build.plan import plan
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import Settings
from etl.store import customer_schema, lock
from etl.store.customers import Customer, Customers
from etl.store.ledger import Ledger
from etl.store.schema import Schema


def add(settings: Settings, name: str, database: str | None) -> Customer:
    """Add a customer and create its database, whose views have no row before the next build.

    Raises UsageError where a name cannot be used, or is taken also by a database that is none of a customer.
    """
    hdfs = Hdfs(settings)
    with lock.exclusive(settings, "build", lock.STEP_SECONDS), Hive(settings) as hive:
        there = {row[0] for row in hive.query("SHOW DATABASES").rows}
        customer = Customers(hdfs).add(name, database, there)
        ledger = Ledger(hdfs)
        schema = Schema(settings, hive, hdfs)
        restore(settings, schema, hdfs, ledger, plan(hdfs, ledger))
        return customer


def remove(settings: Settings, name: str) -> None:
    """Remove a customer and drop its database, or complete that; its rows stay until `clean` removes their releases."""
    hdfs = Hdfs(settings)
    with lock.exclusive(settings, "build", lock.STEP_SECONDS), Hive(settings) as hive:
        customer = Customers(hdfs).remove(name)
        schema = Schema(settings, hive, hdfs)
        customer_schema.drop(schema, customer)
        schema.save()
