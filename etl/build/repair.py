"""Recreates the metastore from HDFS and the SQL files, and lists what was missing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from etl import sqlfile
from etl.build.build import restore
from etl.build.plan import Plan, plan
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import Settings
from etl.sqlfile import SqlFile, files
from etl.store import customer_schema, flat_folders, landings, lock
from etl.store.ledger import PARTITION, Ledger
from etl.store.release_files import newest_versions
from etl.store.schema import DATABASES, RAW, Schema


def repair(settings: Settings) -> list[str]:
    """Recreate every database, table, partition, view and pointer; returns what was missing, in words.

    Raises BusyError when a build or a loader is running here.
    """
    hdfs = Hdfs(settings)
    ledger = Ledger(hdfs)
    with lock.between_steps(settings), Hive(settings) as hive:
        todo = plan(hdfs, ledger)
        schema = Schema(settings, hive, hdfs)
        lost = missing(schema, hdfs, todo)
        state = ledger.state()
        schema.forget()
        schema.published = (0, 0)
        schema.ops()
        customer_schema.create_shared(schema, todo.customers)
        for file in todo.files:
            if file.columns and not file.is_flat:  # first, since the views that readers have show them at once
                schema.table(file, is_released=file.table not in todo.changed)
                _mart_partitions(schema, hive, hdfs, file)
        restore(settings, schema, hdfs, ledger, todo)
        if state.started:
            event = state.published
            release, landing = (event.release, event.landing) if event else (0, 0)
            schema.point("candidate", release, landing)  # what readers see, where nothing is being built
            for file in todo.files:
                if file.is_flat and not flat_folders.missing(hdfs, file.table, todo.generation.folders):
                    schema.flat_partitions(file.table, todo.generation, todo.landing)
            customer_schema.add_partitions(schema, todo.files, todo.customers)
            tables = [file.table for file in todo.files if file.is_flat]
            generations = landings.generations(hdfs)
            generation = flat_folders.visible(hdfs, tables, generations, landing)
            schema.views(newest_versions(todo.files), generation or generations[-1], is_candidate=True)
        schema.save()
        return lost


def check(settings: Settings) -> list[str]:
    """What the metastore lacks, in words; changes nothing."""
    hdfs = Hdfs(settings)
    with Hive(settings) as hive:
        return missing(Schema(settings, hive, hdfs), hdfs, plan(hdfs, Ledger(hdfs)))


def missing(schema: Schema, hdfs: Hdfs, todo: Plan) -> list[str]:
    """What the metastore lacks of that which was landed and published, in words."""
    partitions = {file.table: {folder.partition for folder in todo.generation.folders} for file in files(RAW)}
    if todo.published is None:
        return _lost(schema, [], partitions)
    for file in todo.files:
        if file.is_flat and file.table not in todo.changed:
            flat = flat_folders.partitions(hdfs, file.table)
            partitions[file.table] = {folder.partition for folder in todo.generation.folders if folder.origin in flat}
        elif file.columns and file.table in todo.published.hashes:
            release = f"release={todo.published.release}"
            partitions[file.table] = {name for name in _partitions(hdfs, file) if name.split("/")[0] == release}
    return _lost(schema, [*files("0_ops"), *files(RAW), *todo.files], partitions)


def _lost(schema: Schema, expected: Sequence[SqlFile], partitions: Mapping[str, set[str]]) -> list[str]:
    """The tables and views of these files, and the partitions, that are not in the metastore, in words."""
    databases = {*DATABASES, *(file.database for file in expected)}
    there: set[str] = set().union(*map(schema.listed, sorted(databases)))
    lost = [f"table {file.table}" for file in expected if file.columns and file.table not in there]
    views = [file.name for file in expected]
    views += [sqlfile.candidate_text(file.name) for file in expected if file.stage[0] in "235"]
    lost += [f"view {name}" for name in dict.fromkeys(views) if name not in there]
    for table, names in partitions.items():
        if table in there:
            gone = sorted(names - schema.partition_names(table))
            lost += [f"partition {name} of {table}" for name in gone]
    return lost


def _partitions(hdfs: Hdfs, file: SqlFile) -> list[str]:
    """The names of the partitions that a table has on HDFS: release=2 or release=2/customer=c_1."""
    place = file.table.split(".")
    names = [name for name in hdfs.names(*place) if PARTITION.fullmatch(name)]
    if file.is_per_customer:
        names = [f"{name}/{owner}" for name in names for owner in hdfs.names(*place, name)]
    return [name for name in names if PARTITION.fullmatch(name)]


def _mart_partitions(schema: Schema, hive: Hive, hdfs: Hdfs, file: SqlFile) -> None:
    there = schema.partition_names(file.table)
    names = [name for name in _partitions(hdfs, file) if name not in there]
    if names:
        specs = [re.sub("/customer=(.*)", r", customer='\1'", name) for name in names]
        places = " ".join(f"PARTITION ({spec})" for spec in specs)
        hive.query(f"ALTER TABLE {file.table} ADD IF NOT EXISTS {places}")
