"""Runs the SQL files of the flat and mart stages, in stage order, and records each in ops.builds.

A build fills a new `build_id` partition beside the old one; the file's last statement switches the view that
readers use. Every file of a build reads the same landings.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from etl import land, sqlfile
from etl.errors import UsageError, WarehouseError
from etl.hdfs import Hdfs
from etl.hive import Hive, StatementError
from etl.settings import Settings
from etl.sqlfile import SqlFile

if TYPE_CHECKING:
    from etl.connect import Watch

LEDGER = "ops.builds"


@dataclass(frozen=True)
class Step:
    """What is to be done with one table, and why: new, changed text, new data, asked for, up to date."""

    file: SqlFile
    why: str

    @property
    def is_due(self) -> bool:
        """Whether the table is to be built."""
        return self.why != "up to date"


@dataclass(frozen=True)
class Built:
    """One row of ops.builds."""

    build_id: str
    table_name: str
    file: str
    version: int
    sha256: str
    engine: str
    landing: int
    started_at: str
    seconds: float
    row_count: int


def prepare(settings: Settings, hive: Hive) -> int:
    """Make the ops and raw tables and their partitions; returns the number of the newest landing, 0 for none."""
    for file in sqlfile.files("0_ops"):
        for statement in file.statements({"warehouse_root": settings.warehouse_root}):
            hive.query(statement)
    return max(land.publish_landings(settings, hive, Hdfs(settings)), default=0)


def plan(settings: Settings, hive: Hive, tables: Sequence[str] = ()) -> tuple[int, list[Step]]:
    """What build would do: (the newest landing, a step per file in stage order). Changes no reader's table.

    Raises UsageError for an unknown table, or a released file whose columns are no longer its table's.
    """
    landing = prepare(settings, hive)
    files = sqlfile.files("[23]_*")
    if unknown := set(tables) - {file.name for file in files}:
        raise UsageError(f"there is no table {min(unknown)}", f"known are {', '.join(file.name for file in files)}")
    ledger = {row["table_name"]: row for row in hive.query(_last_builds()).dictionaries()}
    steps: list[Step] = []
    for file in files:
        _refuse_changed_columns(hive, file)
        row = ledger.get(file.name)
        newer = [name for name in file.reads if row and name in ledger and ledger[name]["build_id"] > row["build_id"]]
        due = {step.file.name for step in steps if step.is_due}
        if tables:
            why = "asked for" if file.name in tables else "up to date"
        elif row is None or row["file"] != _where(file):
            why = "new"
        elif row["sha256"] != file.sha256:
            why = "changed text"
        elif (file.stage.startswith("2") and row["landing"] < landing) or newer or due & set(file.reads):
            why = "new data"
        else:
            why = "up to date"
        steps.append(Step(file, why))
    return landing, steps


def _last_builds() -> str:
    """The newest row of the ledger per table; build ids sort by time."""
    return f"""SELECT builds.table_name, builds.file, builds.sha256, builds.landing, builds.build_id
FROM {LEDGER} AS builds
JOIN (SELECT table_name, MAX(build_id) AS build_id FROM {LEDGER} GROUP BY table_name) AS newest
    ON builds.table_name = newest.table_name AND builds.build_id = newest.build_id"""  # noqa: S608


def _where(file: SqlFile) -> str:
    return f"sql/{file.stage}/{file.path.name}"


def _refuse_changed_columns(hive: Hive, file: SqlFile) -> None:
    """A released version keeps its columns: its readers and its old partitions stand on them."""
    try:
        rows = hive.query(f"DESCRIBE {file.table}").rows
    except StatementError:
        return  # not there yet
    heads = [n for n, row in enumerate(rows) if not row[0] or row[0].startswith("#")]
    there = [(row[0], row[1].lower().replace(" ", "")) for row in rows[: heads[0] if heads else None]]
    if there == file.columns:
        return
    (name, kind) = next(iter(set(file.columns) ^ set(there)), ("their order", ""))
    following = f"{file.path.stem.rpartition('_v')[0]}_v{file.version + 1}.sql"
    raise UsageError(
        f"{_where(file)} changes the columns of {file.table}, which is released: {name} {kind}".rstrip(),
        f"take the change back and put it into a new file {following}",
    )


def build(
    settings: Settings, tables: Sequence[str], say: Callable[[str], None], watch: Watch | None = None
) -> list[Built]:
    """Build what is due, in stage order; returns a ledger row per table built. `watch` as for Hive.

    Raises WarehouseError when another build is at work or nothing was landed yet.
    """
    with land.alone(settings, "build"), Hive(settings, watch) as hive:
        landing, steps = plan(settings, hive, tables)
        if not landing:
            raise WarehouseError(
                "nothing was landed yet, so there is nothing to build from", "run ./warehouse publish and land"
            )
        build_id = datetime.datetime.now(datetime.UTC).strftime("b%Y%m%dT%H%M%S%f")
        return [_build_one(settings, hive, step, build_id, landing, say) for step in steps if step.is_due]


def _build_one(
    settings: Settings, hive: Hive, step: Step, build_id: str, landing: int, say: Callable[[str], None]
) -> Built:
    file = step.file
    values = {"warehouse_root": settings.warehouse_root, "landing": str(landing), "build_id": build_id}
    started_at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    began = time.monotonic()
    for statement in file.statements(values):
        hive.query(statement)
    seconds = round(time.monotonic() - began, 3)
    rows = hive.query(f"SELECT COUNT(*) FROM {file.name}").rows[0][0]  # noqa: S608
    built = Built(
        build_id=build_id,
        table_name=file.name,
        file=_where(file),
        version=file.version,
        sha256=file.sha256,
        engine=settings.engine,
        landing=landing,
        started_at=started_at,
        seconds=seconds,
        row_count=rows,
    )
    Hdfs(settings).put_rows([asdict(built)], "ops", "builds_v1", f"{build_id}-{file.name}.json")
    say(f"{file.name:24} {rows:>9,} rows {seconds:6.1f} s  {step.why}")
    return built
