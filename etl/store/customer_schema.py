"""The databases of customers in the metastore: tables that hold the rows of one customer alone, and their views.

A table of a customer has the partitions of that customer of a shared table, so that nothing is stored twice and no
filter separates customers. Its view has the name that everybody knows and shows the published release.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from etl import sqlfile
from etl.sqlfile import CUSTOMERS, SqlFile
from etl.store.customers import PERIODS, Customer, Customers, refuse_missing_keys
from etl.store.ledger import PARTITION
from etl.store.periods import Period
from etl.store.release_files import newest_versions
from etl.store.schema import Schema

SHARED = "owned_"  # begins the names of shared tables: owned_attempts_v1 is attempts_v1 of each customer
EMPTY = "customers/empty"  # the folder of a table whose partitions are elsewhere
TABLES, VIEWS = "tables of ", "views of "  # begin the names under which Schema has the hashes of what a customer has


def shared(files: Iterable[SqlFile]) -> list[SqlFile]:
    """The files whose tables hold a partition per customer."""
    return [file for file in files if file.is_per_customer]


def table_of(file: SqlFile, customer: Customer) -> str:
    """The customer's own table of a shared one: c_1.attempts_v1."""
    return f"{customer.database}.{file.path.stem.removeprefix(SHARED)}"


def view_of(file: SqlFile, customer: Customer) -> str:
    """The view that readers of the customer use: c_1.attempts."""
    return f"{customer.database}.{file.name.partition('.')[2].removeprefix(SHARED)}"


def views(customer: Customer) -> list[str]:
    """The views that readers of the customer use, of the newest versions."""
    return [view_of(file, customer) for file in shared(newest_versions(sqlfile.files(CUSTOMERS)))]


def create_shared(schema: Schema, customers: Sequence[Customer]) -> None:
    """Create the database of the shared tables, where there are customers."""
    if customers:
        schema.make("database customers", ["CREATE DATABASE IF NOT EXISTS customers"])


def create(schema: Schema, files: Sequence[SqlFile], customers: Iterable[Customer]) -> None:
    """Create the databases and tables of customers, and views where there are none yet.

    What a customer has is one object, with one hash: a hundred customers have a thousand tables and views.
    """
    tables = [(file, file.tables(schema.values)[0]) for file in shared(files)]
    newest = shared(newest_versions(files))
    location = f"LOCATION '{schema.root}/{EMPTY}'"
    for customer in customers:
        statements = [f"CREATE DATABASE IF NOT EXISTS {customer.database}"]
        for file, statement in tables:
            own = statement.replace(f" {file.table} ", f" {table_of(file, customer)} ")
            statements.append(re.sub(r"LOCATION '[^']*'", lambda _: location, own))
        statements += [_view(file, customer)[0] for file in newest]
        schema.make(f"{TABLES}{customer.database}", statements)


def show(schema: Schema, files: Sequence[SqlFile]) -> None:
    """Let the views of customers read the tables of a release; a customer added meanwhile has none yet."""
    if newest := shared(newest_versions(files)):
        for customer in Customers(schema.hdfs).current():
            if f"{TABLES}{customer.database}" in schema:
                schema.make(f"{VIEWS}{customer.database}", [_view(file, customer)[1] for file in newest])


def _view(file: SqlFile, customer: Customer) -> tuple[str, str]:
    """The statements that create and alter a view, which has the columns that do not partition the table."""
    table = table_of(file, customer)
    name = table.partition(".")[2]
    columns = ", ".join(f"{name}.{column}" for column in file.comments)
    body = (
        f"{view_of(file, customer)} AS SELECT {columns} FROM {table} AS {name} "  # noqa: S608
        f"CROSS JOIN ops.published AS published WHERE {name}.release = published.release"
    )
    return f"CREATE VIEW IF NOT EXISTS {body}", f"ALTER VIEW {body}"


def add_periods(schema: Schema, release: int, customers: Sequence[Customer], periods: Sequence[Period]) -> None:
    """Put the periods of a release into its partition, for the statements that compute the tables."""
    if customers:
        refuse_missing_keys(schema.hdfs, customers)
        Customers(schema.hdfs).write_released(release, periods)
        schema.hive.query(f"ALTER TABLE {'.'.join(PERIODS)} ADD IF NOT EXISTS PARTITION (release={release})")


def add_partitions(
    schema: Schema, files: Sequence[SqlFile], customers: Sequence[Customer], release: int | None = None
) -> None:
    """Register what a release, or each that there is, holds of the customers in the customers' own tables."""
    for file in shared(files) if customers else ():
        place = file.table.split(".")
        releases = schema.hdfs.names(*place) if release is None else [f"release={release}"]
        for name in filter(PARTITION.fullmatch, releases):
            there = set(schema.hdfs.names(*place, name))
            for customer in customers:
                folder = f"customer={customer.database}"
                if folder in there:
                    schema.hive.query(
                        f"ALTER TABLE {table_of(file, customer)} ADD IF NOT EXISTS PARTITION "
                        f"({name}, customer='{customer.database}') "
                        f"LOCATION '{schema.root}/{'/'.join(place)}/{name}/{folder}'"
                    )


def own_tables(files: Sequence[SqlFile], customers: Iterable[Customer]) -> Iterator[str]:
    """The customers' own tables."""
    return (table_of(file, customer) for customer in customers for file in shared(files))


def drop(schema: Schema, customer: Customer) -> None:
    """Drop the database of a customer with its tables and views; files stay."""
    there = schema.listed(customer.database)
    for file in shared(sqlfile.files(CUSTOMERS)):
        if not there.isdisjoint({table_of(file, customer), view_of(file, customer)}):
            schema.drop(table_of(file, customer), [view_of(file, customer)])
    schema.hive.query(f"DROP DATABASE IF EXISTS {customer.database} CASCADE")
    schema.discard(f"{TABLES}{customer.database}", f"{VIEWS}{customer.database}")


def drop_removed(schema: Schema) -> None:
    """Drop the databases of removed customers that a killed command left, or another machine's made once more."""
    saved = schema.saved(TABLES)
    for customer in Customers(schema.hdfs).removed() if saved else ():
        if f"{TABLES}{customer.database}" in saved:
            drop(schema, customer)
