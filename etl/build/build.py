"""Runs the SQL files of the flat and mart stages, in stage order, validates what they made and publishes it.

A build is a whole: it writes what is new into partitions of its own `build_id` and carries the rest along, as
partitions that point to the folders of the build that wrote them. Readers see it when it is validated, all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl import sqlfile
from etl.build.fill import SMALL, How, Step, carry, fill, small
from etl.errors import ExpectationError, UsageError, WarehouseError
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive, StatementError
from etl.settings import Settings
from etl.sqlfile import SqlFile
from etl.store import ledger, lock
from etl.store import published as release
from etl.store.ledger import PUBLISHED, REFUSED, Built, Ledger
from etl.terminal import progress

if TYPE_CHECKING:
    from etl.servers.hive_session import Watch
    from etl.validate.validate import Validated


@dataclass(frozen=True)
class Plan:
    """A step per table in stage order; which landing is read, and the build that readers see (None for none)."""

    landing: int
    steps: list[Step]
    published: str | None
    number: int

    @property
    def due(self) -> list[Step]:
        """What is to be built."""
        return [step for step in self.steps if step.is_due]


def plan(settings: Settings, hive: Hive, tables: Sequence[str] = (), how: How = How.NEW) -> Plan:
    """What build would do. Changes no reader's table.

    Raises UsageError for an unknown table, and for a published version whose file was changed, doubled or is gone:
    before any statement is sent.
    """
    hdfs = Hdfs(settings)
    book = Ledger(hdfs)
    number = max(book.decisions(), default=0) + 1
    current = book.published()
    seen = book.tables(current.build_id) if current else {}
    files = needed(sqlfile.files("[23]_*"), seen)
    if unknown := set(tables) - {file.name for file in files}:
        raise UsageError(f"there is no table {min(unknown)}", f"known are {', '.join(file.name for file in files)}")
    newest = release.prepare(settings, hive, hdfs)
    release.mend(hive, book)
    # A table asked for by name is made from what the others were made from, so that they fit.
    landing = current.landing if current and (tables or how is How.COMPACT) else newest
    left = {name: built for name, built in book.undecided().items() if built.landing == landing}
    steps: list[Step] = []
    for file in files:
        refuse_changed_columns(hive, file)
        steps.append(_step(file, {**seen, **left}.get(file.table), landing, tables, steps, how))
    return Plan(landing, steps, current.build_id if current else None, number)


def _step(file: SqlFile, row: Built | None, landing: int, tables: Sequence[str], before: list[Step], how: How) -> Step:
    inputs = [step for step in before if step.file.table in file.reads]
    if row is None or row.sha256 != file.sha256:  # the latter only in a build that was never published
        return Step(file, "new")
    if file.name in tables or how is How.FULL:
        return Step(file, "asked for")
    if how is How.COMPACT and "since" in file.parameters and small(row, most=1):
        return Step(file, SMALL, base=row)
    newer = any(step.kept is None or step.kept.written_by > row.written_by for step in inputs)
    if how is How.COMPACT and "first_part" not in file.parameters:
        newer = False  # the same rows in other files
    if newer and "first_part" in file.parameters:
        return Step(file, "new data", base=row)  # it mirrors the parts of its source, also where that was asked for
    if not tables and (newer or (file.stage.startswith("2") and row.landing < landing)):
        return Step(file, "new data", base=row)
    return Step(file, "up to date", row)


def needed(files: Sequence[SqlFile], seen: dict[str, Built]) -> list[SqlFile]:
    """The files of a build: the newest version of each name, what these read, and what readers still see.

    Raises UsageError for two files of one version, or a published one that is gone or says something else.
    """
    by_version: dict[tuple[str, int], SqlFile] = {}
    for file in files:
        twin = by_version.setdefault((file.name, file.version), file)
        if twin is not file:
            raise UsageError(
                f"{twin.place}, sha256 {twin.sha256}, and {file.place}, sha256 {file.sha256}, "
                f"are both version {file.version} of {file.name}",
                "give one of them the next version",
            )
        if file.table in seen and seen[file.table].sha256 != file.sha256:
            raise UsageError(
                f"{file.place} was changed after it was published: its statements have sha256 {file.sha256}, "
                f"not {seen[file.table].sha256}",
                f"take the change back and put it into a new file {file.following}",
            )
    newest = {file.name: file for file in sorted(files, key=lambda one: one.version)}
    wanted = {file.table for file in newest.values()} | {file.table for file in release.shown(seen).values()}
    for file in reversed(files):  # what reads comes behind what is read
        wanted |= {name for name in file.reads if file.table in wanted}
    return [file for file in files if file.table in wanted]


def refuse_changed_columns(hive: Hive, file: SqlFile) -> None:
    """A version keeps its columns: its readers and its old partitions stand on them. Raises UsageError."""
    try:
        rows = hive.query(f"DESCRIBE {file.table}").rows
    except StatementError:
        return  # not there yet
    heads = [n for n, row in enumerate(rows) if not row[0] or row[0].startswith("#")]
    there = [(row[0], row[1].lower().replace(" ", "").replace("`", "")) for row in rows[: heads[0] if heads else None]]
    wanted = [(name, kind.replace("`", "")) for name, kind in file.columns]
    if there == wanted:
        return
    (name, kind) = next(iter(set(wanted) ^ set(there)), ("their order", ""))
    raise UsageError(
        f"{file.place} changes the columns of {file.table}, which was made: {name} {kind}".rstrip(),
        f"take the change back and put it into a new file {file.following}",
    )


def build(
    settings: Settings,
    tables: Sequence[str],
    say: Callable[[str], None],
    watch: Watch | None = None,
    how: How = How.NEW,
    is_brief: bool = False,
) -> Validated | None:
    """Build what is due, validate it and let readers see it; None where nothing is due. `watch` as for Hive.

    A brief validation leaves out what could only be warned of.
    Raises WarehouseError when another build is at work or nothing was landed yet, ExpectationError when a
    critical expectation is not met: then readers see what they saw before.
    """
    from etl.validate.checkpoint import preload
    from etl.validate.validate import validate

    hdfs = Hdfs(settings)
    book = Ledger(hdfs)
    patience = lock.STEP_SECONDS if how is How.COMPACT else 0
    with lock.exclusive(settings, "build", patience), progress("build") as bar, Hive(settings, watch) as hive:
        todo = plan(settings, hive, tables, how)
        if not todo.landing:
            raise WarehouseError(
                "nothing was landed yet, so there is nothing to build from", "run ./warehouse publish and land"
            )
        if not todo.due and all(step.kept and step.kept.build_id == todo.published for step in todo.steps):
            return None
        preload()
        build_id = ledger.stamp("b")
        done: dict[str, Built] = {}
        for step in bar.each(todo.steps, lambda step: step.file.name):
            kept, table = step.kept, step.file.table
            made = (
                carry(settings, hive, kept, build_id)
                if kept
                else fill(settings, hive, step, build_id, todo.landing, done)
            )
            done[table] = made
            book.add(made)
            if step.is_due:
                say(f"{step.file.name:24} {made.row_count:>9,} rows {made.seconds:6.1f} s  {step.why}")
        before = book.tables(todo.published) if todo.published and how is How.NEW else {}
        validated = validate(settings, say, build_id, todo.landing, before, is_brief)
        action = PUBLISHED if validated.is_good else REFUSED
        decided = book.decide(todo.number, action, build_id, todo.published, todo.landing)
        if not validated.is_good:
            raise ExpectationError(
                f"build {build_id} is not published, critical expectations are not met: {validated.worst}",
                f"look at {validated.summary}; readers see what they saw before",
            )
        release.show(hive, book, decided)
        say(f"published build {build_id}: {len(todo.due)} tables built, {len(todo.steps) - len(todo.due)} kept")
        return validated
