"""Removes what is no longer needed: marts of old releases, merged landings, and what killed commands left behind.

What is published and the release before stay, and so do the folders that counted before the last compaction, for
queries that still read them. Only folders that the warehouse named itself are touched.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from etl import sqlfile
from etl.build.build import restore
from etl.build.plan import plan
from etl.errors import WarehouseError
from etl.land.land import staging_prefix
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import Settings
from etl.store import customer_schema, flat_folders, landings, lock
from etl.store.customers import Customers
from etl.store.landings import Generation
from etl.store.ledger import PARTITION, Ledger, State
from etl.store.schema import Schema

AT_ONCE = 100  # partitions that one statement drops
DEAD_SECONDS = 86_400  # without a change in a draft of another home, before it counts as left behind
RUNS = 50  # validations whose rows the ops tables keep
STAGED = re.compile(f"r{landings.NUMBER}")  # the staging folder of a release
RUN = re.compile(r"r[0-9]{8}T[0-9]{12}\.json")  # the results of a validation
MERGED = "of landings that were merged"
OF_RUNS = ("expectation_results_v1", "stored_files_v1", "topic_offsets_v1")
Place = tuple[str, ...]


@dataclass(frozen=True)
class Leftover:
    """A folder or file to be removed: its path from warehouse_root on, its length, and why it is no longer needed."""

    path: str
    bytes: int
    why: str


def clean(settings: Settings, is_removed: bool, dead_before: float | None = None) -> list[Leftover]:
    """List what may be removed; with `is_removed` remove it.

    Drafts of other homes count as left behind where nothing changed since `dead_before`, by default for a day.
    Raises BusyError when a build or a loader is running here, WarehouseError when nothing is published.
    """
    hdfs = Hdfs(settings)
    ledger = Ledger(hdfs)
    oldest = time.time() - DEAD_SECONDS if dead_before is None else dead_before
    with lock.between_steps(settings):
        state = ledger.state()
        if state.published is None:
            raise WarehouseError("nothing is published, so nothing is old", "run ./warehouse build")
        if not is_removed:
            return _sized(hdfs, _leftovers(settings, hdfs, state, landings.generations(hdfs), oldest))
        state = ledger.clean()
        generations = landings.generations(hdfs)
        with Hive(settings) as hive:
            schema = Schema(settings, hive, hdfs)
            schema.forget()  # another machine may have set a view back to a text that shows an older generation
            restore(settings, schema, hdfs, ledger, plan(hdfs, ledger))
            leftovers = _sized(hdfs, _leftovers(settings, hdfs, state, generations, oldest))
            _drop_partitions(schema, state, generations)
            for leftover in leftovers:
                hdfs.remove(*leftover.path.split("/"))
            _drop_staging(hive, hdfs)
        return leftovers


def _sized(hdfs: Hdfs, leftovers: Iterable[tuple[Place, str]]) -> list[Leftover]:
    """With their lengths; what another machine removes meanwhile is left out."""
    sized = []
    for place, why in leftovers:
        with contextlib.suppress(FileNotFoundError):
            sized.append(Leftover("/".join(place), hdfs.size(*place), why))
    return sized


def _leftovers(
    settings: Settings, hdfs: Hdfs, state: State, generations: list[Generation], oldest: float
) -> Iterator[tuple[Place, str]]:
    origins = {folder.origin for generation in generations for folder in generation.folders}
    for database in ("flat", "marts", "customers"):
        for table in hdfs.names(database):
            name = f"{database}.{table}"
            if name in state.retired:
                yield (database, table), "of a retired table"
            elif database != "flat":
                for partition in hdfs.names(database, table):
                    if _is_of_past(partition, state):
                        yield (database, table, partition), "of a release that is two steps back or was rejected"
            else:
                merged = flat_folders.partitions(hdfs, name) - origins
                for partition in sorted(name for name in merged if _is_merged(name, generations[0])):
                    yield (database, table, *partition.split("/")), MERGED
    yield from _merged(hdfs, generations)
    yield from _drafts(settings, hdfs, state, oldest)
    for table in OF_RUNS:
        runs = [name for name in hdfs.names("ops", table) if RUN.fullmatch(name)]
        for name in runs[:-RUNS]:
            yield ("ops", table, name), "of an old validation"


def _is_over(release: int, state: State) -> bool:
    """Whether a release is not what readers see, nor the one before, nor being built, nor started since."""
    kept = {event.release for event in (state.published, state.previous) if event} | {state.undecided}
    return release < state.next and release not in kept


def _merged(hdfs: Hdfs, generations: list[Generation]) -> Iterator[tuple[Place, str]]:
    """Folders of landings and compactions that no generation lists; of a compaction its list stays with its folders."""
    needed = {folder.path for generation in generations for folder in generation.folders}
    lists = {f"{landings.ROOT}/compaction={generation.compaction}" for generation in generations}
    names = hdfs.names(landings.ROOT)
    for number in landings.numbers(names, "compaction"):
        name, path = f"compaction={number}", f"{landings.ROOT}/compaction={number}"
        if number < generations[0].compaction:
            inside = landings.numbers(hdfs.names(landings.ROOT, name), "last_landing")
            unneeded = [last for last in inside if f"{path}/last_landing={last}" not in needed]
            if path not in lists and unneeded == inside:
                yield (landings.ROOT, name), MERGED
            else:
                yield from (((landings.ROOT, name, f"last_landing={last}"), MERGED) for last in unneeded)
    for number in landings.numbers(names, "landing"):
        if number <= generations[0].compacted and f"{landings.ROOT}/landing={number}" not in needed:
            yield (landings.ROOT, f"landing={number}"), MERGED


def _drafts(settings: Settings, hdfs: Hdfs, state: State, oldest: float) -> Iterator[tuple[Place, str]]:
    """What killed commands left: of this home, which runs no other, and of others where nothing changed since."""
    folders = [(landings.ROOT,), *(("ops", name) for name in hdfs.names("ops"))]
    for folder in folders:
        for name in hdfs.names(*folder):
            if name.startswith("."):
                is_ours = name.startswith(staging_prefix(settings))
                if is_ours or _changed_at(hdfs, *folder, name) < oldest:
                    yield (*folder, name), "left by a command that was killed"
    for name in hdfs.names(flat_folders.STAGING):
        match = STAGED.fullmatch(name)
        is_over = match is not None and _is_over(int(match[1]), state)
        if is_over or _changed_at(hdfs, flat_folders.STAGING, name) < oldest:
            yield (flat_folders.STAGING, name), "left by a build that was killed"


def _changed_at(hdfs: Hdfs, *place: str) -> float:
    """When a draft was last changed; now where its owner has just renamed or removed it."""
    try:
        return hdfs.changed_at(*place)
    except FileNotFoundError:
        return time.time()


def _drop_staging(hive: Hive, hdfs: Hdfs) -> None:
    """Drop the staging tables whose folder is gone; a build makes the folder first."""
    tables = hive.tables(flat_folders.STAGING)
    runs = hdfs.names(flat_folders.STAGING)
    for table in tables:
        if not table.endswith(tuple(f"_{run}" for run in runs)):
            hive.query(f"DROP TABLE IF EXISTS {flat_folders.STAGING}.{table}")


def _drop_partitions(schema: Schema, state: State, generations: Sequence[Generation]) -> None:
    """Drop the partitions of what is removed. That of a landing which is lost stays, so that it is reported."""
    needed = {folder.partition for generation in generations for folder in generation.folders}
    files = sqlfile.files("[1235]_*")  # those of customers also where all customers were removed
    tables = [file.table for file in files if file.columns]
    tables += customer_schema.own_tables(files, Customers(schema.hdfs).current())
    for table in tables:
        if table in schema.listed(table.partition(".")[0]):
            names = sorted(schema.partition_names(table) - needed)
            old = [name for name in names if _is_of_past(name, state) or _is_merged(name, generations[0])]
            _drop(schema.hive, table, old)


def _is_of_past(partition: str, state: State) -> bool:
    """Whether a partition, or its folder, is of a release that is over."""
    match = PARTITION.fullmatch(partition)
    return match is not None and _is_over(int(match[1]), state)


def _drop(hive: Hive, table: str, partitions: Sequence[str]) -> None:
    """Drop partitions by name; one of a customer with all others of its release."""
    specs = list(dict.fromkeys(re.sub("/customer=.*", "", name).replace("/", ", ") for name in partitions))
    for start in range(0, len(specs), AT_ONCE):
        some = ", ".join(f"PARTITION ({spec})" for spec in specs[start : start + AT_ONCE])
        hive.query(f"ALTER TABLE {table} DROP IF EXISTS {some}")


def _is_merged(partition: str, newest: Generation) -> bool:
    match = landings.PARTITION.fullmatch(partition)
    if match is None:
        return False
    compaction, last = map(int, match.groups())
    return 0 < compaction < newest.compaction or (compaction == 0 and last <= newest.compacted)
