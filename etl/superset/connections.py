"""What Superset has of each customer: a connection to the customers' door, and the customer's views as datasets. Pure.

superset/provision.py adds a role per connection, by which its users reach no other.
"""

from __future__ import annotations

from collections.abc import Iterable

from etl.catalog.catalog import catalog
from etl.customers.door import SUPERSET, at_door
from etl.settings import Settings
from etl.store.customer_schema import shared, view_of
from etl.store.customers import Customer
from etl.store.release_files import newest_versions
from etl.superset.assets import MASK, Assets, connection, dataset, to_file


def key(customer: Customer) -> str:
    """What names the connection in the ZIP file; a database is never used by two customers."""
    return f"customer.{customer.database}"


def title(customer: Customer) -> str:
    """The name of the connection, and of the role that reaches it."""
    return f"{customer.name} ({customer.database})"


def assets(settings: Settings, customers: Iterable[Customer]) -> Assets:
    """The connections and datasets of customers."""
    tables = {table.file.table: table for table in catalog(settings, ask=False).tables}
    views = shared(newest_versions(table.file for table in tables.values()))
    written: Assets = {}
    for customer in customers:
        door = at_door(settings, f"{SUPERSET}{customer.database}", "")
        address = f"hive://{door.hive_user}:{MASK}@{door.sql_server}/{customer.database}?auth=LDAP"
        written |= to_file("databases", key(customer), connection(title(customer), address, {}))
        for file in views:
            described = dataset(tables[file.table], view_of(file, customer), key(customer))
            written |= to_file("datasets", f"{key(customer)}.{file.name}", described)
    return written
