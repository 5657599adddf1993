"""Releases that are rejected, killed, raced, rolled back, compacted and repaired on real servers.

What readers see all the while is compared with the independent computation. Most builds here are not validated, so
that they take seconds; the suites have tests of their own. All interleavings are proven by simulation.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import Run, beeline_words
from comparing import TABLES, assert_tables_are_right, rows
from messages import attempt, publish, text
from quick_builds import unvalidated
from reliability import Case

from etl import sqlfile
from etl.build import build, clean, repair, retire, rollback
from etl.errors import ExpectationError, UsageError, WarehouseError
from etl.land import compact
from etl.land.land import land
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import PROJECT, Settings
from etl.store import flat_folders, landings
from etl.store.ledger import Ledger
from etl.validate import validate

pytestmark = pytest.mark.usefixtures("nasty")

EXAMS = "marts.exams"


class Killed(BaseException):
    """Ends a command where it stands, as SIGKILL would: nothing catches it."""


@pytest.fixture(scope="module")
def hive(settings: Settings) -> Iterator[Hive]:
    with Hive(settings) as session:
        yield session


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of sql/ that is used from here on."""
    folder = Path(shutil.copytree(PROJECT / "sql", tmp_path / "sql"))
    monkeypatch.setattr(sqlfile, "SQL", folder)
    return folder


def silent(_: str) -> None:
    """What a command prints is of no interest here."""


def land_some(settings: Settings, *messages: bytes) -> int:
    """Publish and land messages; the number of the landing."""
    publish(settings, *messages)
    return land(settings, silent).landing


def published(settings: Settings) -> tuple[int, int]:
    """The release and the landing that the log says readers see."""
    event = Ledger(Hdfs(settings)).state().published
    assert event
    return event.release, event.landing


def pointed(hive: Hive) -> tuple[int, int]:
    """The release and the landing that the views look at."""
    return tuple(hive.query("SELECT release, landing FROM ops.published").rows[0])  # type: ignore[return-value]


def contents(hive: Hive) -> Any:
    """What readers see of every table: the number of rows, and a sum over hashes of all their cells."""
    columns = {}
    for table in TABLES:
        names = set(hive.query(f"SELECT * FROM {table} LIMIT 0").columns) - {"compaction", "last_landing", "release"}
        columns[table] = ", ".join(f"`{name}`" for name in sorted(names))
    statement = " UNION ALL ".join(
        f"SELECT '{table}', COUNT(*), SUM(CAST(XXHASH64({columns[table]}) AS DECIMAL(38, 0))) FROM {table}"
        for table in TABLES
    )
    return sorted(hive.query(statement).rows)


def test_a_rejected_build_leaves_readers_what_they_had_and_can_be_queried(
    settings: Settings, hive: Hive, quick_build: Callable[..., None], case: Case
) -> None:
    quick_build()
    before = contents(hive)
    land_some(settings, text(attempt("rejected build")))
    failed = {"severity": "critical", "is_met": False, "table_name": EXAMS, "column_name": None}
    rejected = validate.Validated([{**failed, "expectation": "x", "observed": "y"}], Path(), 0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validate, "validate", lambda *_: rejected)
        with pytest.raises(ExpectationError, match=r"is not published.*marts\.exams"):
            build.build(settings, silent)
    assert contents(hive) == before and pointed(hive) == published(settings)
    count = "SELECT COUNT(*) FROM {}.attempts WHERE attempt_id = 'attempt rejected build'"
    assert hive.query(count.format("candidate")).rows == [(1,)]
    assert hive.query(count.format("flat")).rows == [(0,)]
    quick_build()
    assert hive.query(count.format("flat")).rows == [(1,)]
    case("Build that fails a critical expectation", "built", "readers keep the release before")


STEPS = range(60)


@pytest.mark.parametrize("count", [pytest.param(n, marks=[] if n == 20 else [pytest.mark.long]) for n in STEPS])
def test_a_build_killed_before_any_statement_is_finished_by_the_next(
    count: int, settings: Settings, hive: Hive, quick_build: Callable[..., None], case: Case
) -> None:
    quick_build()
    before = contents(hive)
    land_some(settings, text(attempt(f"killed {count}")), text(attempt("killed again and again")))
    sent: list[str] = []
    query = Hive.query

    def counting(self: Hive, statement: str) -> Any:
        if len(sent) == count:
            raise Killed
        sent.append(statement)
        return query(self, statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Hive, "query", counting)
        try:
            with unvalidated():
                build.build(settings, silent)
        except Killed:
            pass
        else:
            pytest.skip(f"a build has {len(sent)} statements")
    if published(settings) == pointed(hive):
        assert contents(hive) == before, "readers see the release before, whole"
    quick_build()
    assert pointed(hive) == published(settings)
    assert_tables_are_right(settings, hive)
    case("Build killed before a statement", "every statement in turn, then built again", "the tables are right")


def test_of_two_builds_on_two_machines_the_later_one_is_published_whole(
    settings: Settings, hive: Hive, tmp_path: Path, case: Case
) -> None:
    """On one machine a lock stops the second; this one has another home, as on another machine."""
    land_some(settings, text(attempt("two machines")))
    other = settings.model_copy(update={"home": tmp_path / "other"})
    ends = validate.Validated([], Path(), 0.0)

    def overtaken(*_: Any) -> Any:
        with unvalidated():
            build.build(other, silent)
        return ends

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validate, "validate", overtaken)
        with pytest.raises(WarehouseError, match=r"another command moved ops\.candidate to release"):
            build.build(settings, silent)
    assert pointed(hive) == published(settings)
    assert_tables_are_right(settings, hive)
    case("Two builds on two machines", "one begins while the other validates", "the later one is published, whole")


def test_rollback_shows_the_release_before_also_behind_a_compaction(
    settings: Settings, hive: Hive, quick_build: Callable[..., None], case: Case
) -> None:
    quick_build()
    first, at = contents(hive), pointed(hive)
    for number in range(2):
        landing = land_some(settings, text(attempt(f"rolled back {number}")), text(attempt("increment 0")))
    quick_build()
    second = contents(hive)
    land_some(settings, b"no json")  # the newest landing is not merged
    number = compact.compact(settings, silent)
    build.refill(settings, silent)
    assert number and contents(hive) == second, "a compaction changes no row"
    assert landings.current(Hdfs(settings)).compacted == landing
    assert rollback.rollback(settings, silent).release == at[0]
    assert contents(hive) == first and pointed(hive) == at
    quick_build()
    assert contents(hive) == second
    paths = {leftover.path for leftover in clean.clean(settings, is_removed=False)}
    assert {leftover.path for leftover in clean.clean(settings, is_removed=True)} == paths
    assert contents(hive) == second
    assert_tables_are_right(settings, hive)
    case("Rollback, also into a compacted range", "rolled back", "the release before, whole")
    case("Compaction", "landings merged, then cleaned", "the same rows")


def test_a_plan_beside_a_build_sends_no_statement_and_moves_no_reader(
    settings: Settings, hive: Hive, run: Run, quick_build: Callable[..., None]
) -> None:
    quick_build()
    before = pointed(hive)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Hive, "query", lambda *_: pytest.fail("a statement was sent"))
        assert not build.plan(Hdfs(settings), Ledger(Hdfs(settings))).is_due
        clean.clean(settings, is_removed=False)
    assert pointed(hive) == before
    assert "0 of 7 tables to build" in run("plan").stderr


def test_a_second_version_takes_the_name_over_and_gives_it_back(
    settings: Settings, hive: Hive, copy: Path, quick_build: Callable[..., None], case: Case
) -> None:
    quick_build()
    before = rows(hive, EXAMS)
    sql = (copy / "3_marts/exams_v1.sql").read_text().replace("exams_v1", "exams_v2")
    sql = sql.replace("    last_date DATE", "    is_new BOOLEAN COMMENT 'A column more',\n    last_date DATE")
    sql = sql.replace("    MAX(started_date) AS last_date", "    TRUE AS is_new,\n    MAX(started_date) AS last_date")
    (copy / "3_marts/exams_v2.sql").write_text(sql)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("etl.validate.suites.refuse_incomplete", lambda _: None)
        quick_build()
        assert [{name: value for name, value in row.items() if name != "is_new"} for row in rows(hive, EXAMS)] == before
        assert all(row["is_new"] for row in rows(hive, EXAMS))
        rollback.rollback(settings, silent)
        assert rows(hive, EXAMS) == before
        quick_build()
        (copy / "3_marts/exams_v1.sql").unlink()  # no longer built, nor read by anything
        assert not build.plan(Hdfs(settings), Ledger(Hdfs(settings))).is_due
        (copy / "3_marts/exams_v2.sql").unlink()
        with pytest.raises(UsageError, match="is gone"):
            quick_build()
        shutil.copy(PROJECT / "sql/3_marts/exams_v1.sql", copy / "3_marts/exams_v1.sql")
        retire.retire(settings, "marts.exams_v2", silent)
        quick_build()
    assert rows(hive, EXAMS) == before
    assert "exams_v2" not in hive.tables("marts")
    case("A new version of a table", "published, rolled back, retired", "readers have its columns, then the old ones")


def test_changed_files_are_refused_with_both_hashes_and_a_comment_is_no_change(
    settings: Settings, hive: Hive, copy: Path, quick_build: Callable[..., None], case: Case
) -> None:
    quick_build()
    hdfs = Hdfs(settings)
    file = copy / "2_flat/messages_v1.sql"
    old = sqlfile.SqlFile.read(file).sha256
    file.write_text(file.read_text().replace("COMMENT 'The exam (base_exam_id)", "COMMENT 'The exam, base_exam_id"))
    file.write_text(file.read_text().replace("'Name of the exam'", "'What the exam is called'"))
    assert sqlfile.SqlFile.read(file).sha256 == old
    land_some(settings, text(attempt("comment")))
    quick_build()
    described = {row[0]: row[2] for row in hive.query("DESCRIBE flat.messages_v1").rows}
    assert described["exam_name"] == "What the exam is called"
    file.write_text(file.read_text().replace("AS exam_name", "AS exam_name -- x").replace("'no questions'", "'none'"))
    with pytest.raises(UsageError) as error:
        build.plan(hdfs, Ledger(hdfs))
    assert old in str(error.value) and "messages_v2.sql" in str(error.value)
    case("A published SQL file changed", "build", "refused before any statement, with both hashes")


LOST = {
    "table flat.messages_v1": "DROP TABLE flat.messages_v1",
    "view flat.attempts": "DROP VIEW flat.attempts",
    "view candidate.exams": "DROP VIEW candidate.exams",
    "table marts.exams_v1": "DROP TABLE marts.exams_v1",
    "table raw.assessments_v1": "DROP TABLE raw.assessments_v1",
    "view ops.published": "DROP VIEW ops.published",
    "table ops.releases_v1": "DROP TABLE ops.releases_v1",
}


def test_repair_makes_what_was_dropped_again_and_says_what_was_missing(
    settings: Settings, hive: Hive, quick_build: Callable[..., None], case: Case
) -> None:
    quick_build()
    before = contents(hive)
    for statement in LOST.values():
        hive.query(statement)
    partition = sorted(row[0] for row in hive.query("SHOW PARTITIONS flat.message_options_v1").rows)[-1]
    hive.query(f"ALTER TABLE flat.message_options_v1 DROP PARTITION ({partition.replace('/', ', ')})")
    assert set(repair.check(settings)) >= {*LOST, f"partition {partition} of flat.message_options_v1"}
    assert set(repair.repair(settings)) >= set(LOST)
    assert repair.check(settings) == []
    assert contents(hive) == before
    case("Tables, views and partitions dropped", "repaired", "named and created again, the same rows")


@pytest.mark.long
def test_repair_fills_an_empty_metastore(settings: Settings, hive: Hive, case: Case) -> None:
    before = contents(hive)
    for database in ("candidate", "marts", "flat", "raw", "ops", "staging"):
        hive.query(f"DROP DATABASE {database} CASCADE")
    assert repair.repair(settings)
    assert contents(hive) == before
    case("Metastore lost", "repaired", "the same tables")


def test_a_file_run_by_beeline_on_a_published_folder_writes_the_same_rows(
    settings: Settings, hive: Hive, run: Run, quick_build: Callable[..., None]
) -> None:
    quick_build()
    before = contents(hive)
    (file,) = [file for file in sqlfile.files("2_*") if file.table == "flat.message_questions_v1"]
    run("beeline", *beeline_words(settings, file))
    hive.query("REFRESH TABLE flat.message_questions_v1")
    assert contents(hive) == before
    newest = landings.current(Hdfs(settings)).folders[-1]
    Hdfs(settings).remove(*flat_folders.place(file.table, newest))  # written outside of a build, so without a manifest
    assert file.table in {file.table for file in build.plan(Hdfs(settings), Ledger(Hdfs(settings))).files}
    quick_build()
    with Hive(settings) as fresh:  # Spark keeps a list of files per session
        assert contents(fresh) == before
