"""Builds a release: fills the flat folders of new landings, computes the marts, validates and publishes.

A release is built where no reader sees it: flat rows of landings that are not published, marts in a partition of their
own. The views of the database candidate show it, the suites check these, and one change of ops.published shows it to
readers.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from etl.build import run_file
from etl.build.plan import Plan, plan
from etl.errors import ExpectationError, WarehouseError
from etl.land import recheck
from etl.servers.hdfs import Hdfs, discarded
from etl.servers.hive import Hive
from etl.settings import Settings
from etl.sqlfile import SqlFile
from etl.store import customer_schema, flat_folders, landings, lock, recorded_files
from etl.store.landings import Generation
from etl.store.ledger import PUBLISHED, REJECTED, Event, Ledger, State
from etl.store.release_files import newest_versions, release_files
from etl.store.schema import Schema
from etl.terminal import progress

if TYPE_CHECKING:
    from etl.servers.hive_session import Watch
    from etl.validate.validate import Validated

AT_ONCE = 3  # flat tables that do not read each other


def build(
    settings: Settings,
    say: Callable[[str], None],
    watch: Watch | None = None,
    is_brief: bool = False,
    patience: float = 0,
) -> Validated | None:
    """Build what is due, validate it and publish it; None where nothing is due. `watch` as for Hive.

    `is_brief` runs critical expectations only; `patience` are the seconds to wait for another build to end.
    Raises WarehouseError when another build is running or nothing was
    landed yet, ExpectationError when a critical expectation fails: then readers keep the previous release.
    """
    from etl.validate.run_suite import preload
    from etl.validate.scope import Scope
    from etl.validate.suites import refuse_incomplete
    from etl.validate.summary_page import mark_published
    from etl.validate.validate import validate

    hdfs = Hdfs(settings)
    ledger = Ledger(hdfs)
    with lock.exclusive(settings, "build", patience), progress("build") as bar, Hive(settings, watch) as hive:
        todo = plan(hdfs, ledger)
        if not todo.landing:
            raise WarehouseError(
                "nothing was landed yet, so there is nothing to build from", "run ./warehouse publish and land"
            )
        refuse_incomplete(todo.files)
        schema = Schema(settings, hive, hdfs)
        restore(settings, schema, hdfs, ledger, todo)
        if not todo.is_due:
            return None
        preload()
        release = ledger.start(todo.landing, settings.engine)
        todo = plan(hdfs, ledger)  # another build may have published since, but none before this one can any more
        bar.at(0, text="flat tables")
        fill(settings, schema, hdfs, todo, f"r{release}", say)
        schema.point("candidate", release, todo.landing)
        schema.views(newest_versions(todo.files), todo.generation, is_candidate=True)
        schema.save()
        customer_schema.add_periods(schema, release, todo.customers, todo.periods)
        versions: list[dict[str, Any]] = []
        for file in bar.each(todo.files, lambda file: file.name):
            if file.is_computed:
                versions.append(run_file.compute(settings, hive, hdfs, file, release))
                say(f"{file.table:32} {versions[-1]['seconds']:6.1f} s  {todo.reason(file)}")
            else:
                versions.append(run_file.version(file))
        customer_schema.add_partitions(schema, todo.files, todo.customers, release)
        before = todo.published
        since = before.landing if before and not todo.changed and not todo.holds_erased else 0
        recorded = recorded_files.of(hdfs, todo.files, todo.generation, since, todo.landing, versions)
        tables = [file.table for file in newest_versions(todo.files)]
        scope = Scope(release, todo.landing, since, is_brief=is_brief, recorded=recorded, tables=tables)
        validated = validate(settings, say, scope)
        _refuse_disturbed(hive, hdfs, release, todo)
        action = PUBLISHED if validated.is_good else REJECTED
        ledger.decide(action, release, todo.landing, settings.engine, versions)
        if not validated.is_good:
            raise ExpectationError(
                f"release {release} is not published, critical expectations failed: {validated.worst}",
                f"see {validated.summary}; readers keep the previous release",
            )
        finish_switch(schema, hdfs, ledger)
        schema.save()
        ledger.merge()
        mark_published(settings, release, todo.landing)
        say(f"published release {release}, which shows all landings up to {todo.landing}")
        return validated


def _refuse_disturbed(hive: Hive, hdfs: Hdfs, release: int, todo: Plan) -> None:
    """Raise WarehouseError where the marts may have been computed from another release, or the suites read one."""
    candidate = hive.query("SELECT candidate.release, candidate.landing FROM ops.candidate AS candidate").rows[0]
    if tuple(candidate) != (release, todo.landing):
        raise WarehouseError(
            f"another command moved ops.candidate to release {candidate[0]} while release {release} was built",
            "run ./warehouse build again when that one has ended",
        )
    landings.refuse_replaced(hdfs, todo.generation)


def fill(settings: Settings, schema: Schema, hdfs: Hdfs, todo: Plan, run: str, say: Callable[[str], None]) -> None:
    """Fill the folders that the flat tables lack and register them; independent tables run at the same time."""
    raw(settings, schema, hdfs, todo.generation)  # a loader may have landed since, and not registered it yet
    flat = [file for file in todo.files if file.is_flat]
    for file in flat:
        if file.table in todo.changed:
            flat_folders.remove_outdated(hdfs, file, todo.generation.folders)
    tables = {file.table for file in flat}
    with discarded(hdfs, flat_folders.STAGING, run):
        for batch in _batches(flat, tables):
            with ThreadPoolExecutor(AT_ONCE) as pool:
                texts = pool.map(lambda file: _fill(settings, hdfs, file, todo, run), batch)
                for file, text in zip(batch, texts, strict=True):
                    schema.flat_partitions(file.table, todo.generation, todo.landing)
                    if text:
                        say(text)
    hdfs.remove(flat_folders.STAGING, run)


def refill(settings: Settings, say: Callable[[str], None]) -> None:
    """Fill the flat folders of a compaction and move the views to it; they show the same rows before and after."""
    hdfs = Hdfs(settings)
    ledger = Ledger(hdfs)
    with lock.exclusive(settings, "build", lock.STEP_SECONDS), Hive(settings) as hive:
        todo = plan(hdfs, ledger)
        schema = Schema(settings, hive, hdfs)
        restore(settings, schema, hdfs, ledger, todo)
        fill(settings, schema, hdfs, todo, f"c{todo.generation.compaction}_{uuid.uuid4().hex[:8]}", say)
        schema.views(newest_versions(todo.files), todo.generation, is_candidate=True)
        finish_switch(schema, hdfs, ledger)
        schema.save()


def _fill(settings: Settings, hdfs: Hdfs, file: SqlFile, todo: Plan, run: str) -> str:
    folders = flat_folders.missing(hdfs, file.table, todo.generation.folders)
    if not folders:
        return ""
    began = time.monotonic()
    with Hive(settings) as hive:
        run_file.fill(settings, hive, hdfs, file, folders, todo.generation, run)
    return f"{file.table:32} {time.monotonic() - began:6.1f} s  {todo.reason(file)}"


def _batches(flat: Sequence[SqlFile], tables: set[str]) -> list[list[SqlFile]]:
    """First the tables that read none of the others, then those that do."""
    first = [file for file in flat if not tables & (set(file.reads) - {file.table})]
    return [first, [file for file in flat if file not in first]]


def restore(settings: Settings, schema: Schema, hdfs: Hdfs, ledger: Ledger, todo: Plan) -> None:
    """Create what the metastore lacks: databases, tables, partitions, views, and the pointer to the published release.

    Sends only what changed since the last command.
    """
    schema.ops()
    raw(settings, schema, hdfs, todo.generation)
    customer_schema.create_shared(schema, todo.customers)
    for file in todo.files:
        if file.columns:
            schema.table(file, is_released=file.table not in todo.changed)
    customer_schema.create(schema, todo.files, todo.customers)
    customer_schema.drop_removed(schema)
    finish_switch(schema, hdfs, ledger)
    schema.save()


def raw(settings: Settings, schema: Schema, hdfs: Hdfs, generation: Generation) -> None:
    """Register these folders in the raw tables."""
    schema.raw(generation, partial(recheck.refuse_unfit, settings, hdfs))


def finish_switch(schema: Schema, hdfs: Hdfs, ledger: Ledger) -> Event | None:
    """Make readers see what the log says; if a command dies between the two, the next one does this for it.

    Another machine may publish, retire or compact meanwhile, so it repeats until HDFS says what it switched to.
    """
    while True:
        state = ledger.state()
        event = state.published
        if event is None:
            return None
        schema.retire(state.retired)
        files = release_files(event, state.retired)
        tables = [file.table for file in files if file.is_flat]
        generations = landings.generations(hdfs)
        complete = flat_folders.visible(hdfs, tables, generations, event.landing)
        generation = complete or generations[-1]
        for table in tables if complete else ():  # the metastore makes the folders that it registers
            schema.flat_partitions(table, generation, event.landing)
        if not _is_current(hdfs, ledger, state, generations):
            continue
        if schema.published != (event.release, event.landing):
            schema.point("published", event.release, event.landing)
            schema.published = (event.release, event.landing)
        schema.views(newest_versions(files), generation, is_candidate=False)
        customer_schema.show(schema, files)
        if _is_current(hdfs, ledger, state, generations):
            return event


def _is_current(hdfs: Hdfs, ledger: Ledger, state: State, generations: Sequence[Generation]) -> bool:
    """Whether HDFS still says what it said: what is published and retired, and which folders count."""
    now = ledger.state()
    is_same = (now.published, now.retired) == (state.published, state.retired)
    return is_same and landings.generations(hdfs)[0] == generations[0]
