"""Builds that are refused, killed, raced, rolled back and cleaned up, on real servers: what readers see all the while.

The builds here are validated by one small suite, so that they take seconds; the real suites judge in other modules.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from comparing import TABLES, assert_tables_are_right, rows
from reliability import Case

from etl import sqlfile
from etl.build import build, clean
from etl.errors import ExpectationError, UsageError, WarehouseError
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import PROJECT, Settings
from etl.store import published as release
from etl.store.ledger import Ledger
from etl.validate import validate

pytestmark = pytest.mark.usefixtures("nasty")

EXAMS, ACTIVITY = "marts.exams", "marts.daily_activity"


class Killed(BaseException):
    """Ends a build where it stands, as SIGKILL would: nothing catches it."""


@pytest.fixture(scope="module")
def hive(settings: Settings) -> Iterator[Hive]:
    with Hive(settings) as session:
        yield session


@pytest.fixture
def expect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], None]:
    """`expect(5)` makes "marts.exams has at least 5 rows" the one expectation there is."""

    def write(least: int) -> None:
        path = tmp_path / "expectations/3_marts/exams_v1.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        only = {
            "type": "expect_table_row_count_to_be_between",
            "kwargs": {"min_value": least},
            "severity": "critical",
            "notes": "For the test.",
        }
        path.write_text(json.dumps({"name": "marts.exams_v1", "expectations": [only]}))
        monkeypatch.setattr(validate, "EXPECTATIONS", tmp_path / "expectations")

    write(1)
    return write


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of sql/ that is used from here on."""
    folder = Path(shutil.copytree(PROJECT / "sql", tmp_path / "sql"))
    monkeypatch.setattr(sqlfile, "SQL", folder)
    return folder


@pytest.fixture
def ledger(settings: Settings) -> Ledger:
    return Ledger(Hdfs(settings))


def said(text: str) -> None:
    """What a build tells is not looked at here."""


def seen(hive: Hive) -> Any:
    """What readers see: the build, and that every table of it is there and says the same."""
    asked = " UNION ALL ".join(f"SELECT '{table}', COUNT(*), MAX(build_id) FROM {table}" for table in TABLES)
    counts = {table: (count, build_id) for table, count, build_id in hive.query(asked).rows}
    assert len({build_id for _, build_id in counts.values()}) == 1, counts
    return counts


def digests(hive: Hive) -> Any:
    """What readers see of every table: how many rows, and a sum over hashes of all their cells but the build."""
    columns = {
        file.name: [f"`{name}`" for name, _ in file.columns if name not in ("build_id", "part", "questions")]
        for file in sqlfile.files("[23]_*")
    }
    asked = " UNION ALL ".join(
        f"SELECT '{table}', COUNT(*), SUM(CAST(XXHASH64({', '.join(columns[table])}) AS DECIMAL(38, 0))) FROM {table}"
        for table in TABLES
    )
    return sorted(hive.query(asked).rows)


@pytest.mark.usefixtures("expect")
def test_a_build_that_fails_a_critical_expectation_leaves_readers_what_they_had(
    settings: Settings, hive: Hive, ledger: Ledger, expect: Callable[[int], None], case: Case
) -> None:
    build.build(settings, [], said)
    before, contents = seen(hive), rows(hive, EXAMS)
    expect(10**9)
    with pytest.raises(ExpectationError, match=r"is not published.*marts\.exams_v1"):
        build.build(settings, [EXAMS], said)
    assert seen(hive) == before and rows(hive, EXAMS) == contents
    assert ledger.decision(ledger.decisions()[0]).action == "refused"
    assert build.build(settings, [], said) is None, "a refused build is not gone on from"
    expect(1)
    assert build.build(settings, [EXAMS], said)
    assert seen(hive) != before
    case("Build that fails a critical expectation", "built", "readers keep the build before")


def killed_after(hive_class: type[Hive], monkeypatch: pytest.MonkeyPatch, count: int) -> list[str]:
    """Let a build die before its statement number `count`; the statements that it sent."""
    sent: list[str] = []
    query = hive_class.query

    def counting(self: Hive, statement: str) -> Any:
        if len(sent) == count:
            raise Killed
        sent.append(statement)
        return query(self, statement)

    monkeypatch.setattr(hive_class, "query", counting)
    return sent


STEPS = range(0, 120)


@pytest.mark.parametrize("count", [pytest.param(one, marks=[] if one == 34 else [pytest.mark.long]) for one in STEPS])
@pytest.mark.usefixtures("expect")
def test_a_build_killed_after_any_statement_resumes_to_the_same_end(
    count: int, settings: Settings, hive: Hive, case: Case
) -> None:
    build.build(settings, [], said)
    before = digests(hive)
    with pytest.MonkeyPatch.context() as patch:
        sent = killed_after(Hive, patch, count)
        try:
            build.build(settings, ["flat.attempts", EXAMS, ACTIVITY], said)
        except Killed:
            pass
        else:
            pytest.skip(f"a build has {len(sent)} statements")
    assert digests(hive) == before, "readers see whole tables"
    build.build(settings, [], said)
    seen(hive)
    assert digests(hive) == before
    case("Build killed after a statement", "every statement in turn, then built again", "the same tables")


@pytest.mark.usefixtures("expect")
def test_the_next_build_keeps_the_tables_that_a_killed_one_finished(
    settings: Settings, hive: Hive, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.build(settings, [], said)
    fill, calls = build.fill, []

    def dying(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 3:
            raise Killed
        return fill(*arguments)

    monkeypatch.setattr(build, "fill", dying)
    with pytest.raises(Killed):
        build.build(settings, list(TABLES), said)
    lines: list[str] = []
    build.build(settings, [], lines.append)
    assert lines[-1].endswith("4 tables built, 3 kept"), lines  # options and marts, which read what the killed one made
    assert len(calls) == 3 + 4
    seen(hive)


@pytest.mark.usefixtures("expect")
def test_a_switch_that_was_killed_is_finished_by_the_next_command(
    settings: Settings, hive: Hive, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    build.build(settings, [], said)
    before = seen(hive)
    show, calls = release.show, list[None]()

    def dying(*arguments: Any, **options: Any) -> None:
        calls.append(None)
        if len(calls) == 2:  # the first mends what was before
            raise Killed
        show(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(release, "show", dying)
        with pytest.raises(Killed):
            build.build(settings, [EXAMS], said)
    assert seen(hive) == before
    assert build.build(settings, [], said) is None
    assert seen(hive) != before
    case("Build killed between the ledger and the switch", "the next command run", "the switch is made")


@pytest.mark.usefixtures("expect")
def test_of_two_builds_on_two_machines_the_one_decided_on_first_is_published(
    settings: Settings, hive: Hive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: Case
) -> None:
    """On one machine a lock tells the second at once; this one has another home, as on another machine."""
    build.build(settings, [], said)
    other = settings.model_copy(update={"home": tmp_path / "other"})
    real = validate.validate

    def overtaken(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(validate, "validate", real)
        build.build(other, [ACTIVITY], said)
        return real(*arguments, **options)

    monkeypatch.setattr(validate, "validate", overtaken)
    with pytest.raises(WarehouseError, match="another build was decided on while"):
        build.build(settings, [EXAMS], said)
    published = Ledger(Hdfs(settings)).published()
    assert published and seen(hive)[ACTIVITY][1] == published.build_id
    case("Two builds on two machines", "one ends inside the other", "the first to end is published, the other told")


@pytest.mark.usefixtures("expect")
def test_rollback_returns_to_the_build_before_and_not_beyond_what_was_cleaned(
    settings: Settings, hive: Hive, case: Case
) -> None:
    hdfs = Hdfs(settings)
    build.build(settings, [EXAMS], said)
    first = seen(hive)
    build.build(settings, list(TABLES), said)
    second = seen(hive)
    assert first != second
    hdfs.put_rows([{}], "landings", ".staging-left", "by-a-killed-loader")
    old = clean.clean(settings, is_done=False)
    assert any(one.path == "landings/.staging-left" for one in old)
    assert {one.path for one in clean.clean(settings, is_done=True)} == {one.path for one in old}
    assert clean.clean(settings, is_done=False) == []
    assert seen(hive) == second
    assert_tables_are_right(settings, hive)
    release.rollback(settings, said)
    assert seen(hive) == first
    assert_tables_are_right(settings, hive)
    with pytest.raises(WarehouseError, match=r"cannot go back to b.*was removed|there is no build"):
        release.rollback(settings, said)
    assert seen(hive) == first
    build.build(settings, [EXAMS], said)
    case("Rollback, after everything old was cleaned", "rolled back", "the build before, whole")
    case("Rollback beyond what was cleaned", "rolled back", "refused, readers keep what they had")


@pytest.mark.usefixtures("expect")
def test_a_second_version_takes_the_name_over_and_gives_it_back(
    settings: Settings, hive: Hive, copy: Path, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.build(settings, [], said)
    before = rows(hive, EXAMS)
    text = (copy / "3_marts/exams_v1.sql").read_text().replace("exams_v1", "exams_v2")
    text = text.replace("    last_date DATE", "    is_new BOOLEAN COMMENT 'A column more',\n    last_date DATE")
    text = text.replace("    MAX(started_date) AS last_date", "    TRUE AS is_new,\n    MAX(started_date) AS last_date")
    (copy / "3_marts/exams_v2.sql").write_text(text)
    build.build(settings, [], said)
    assert [{name: value for name, value in row.items() if name != "is_new"} for row in rows(hive, EXAMS)] == before
    assert all(row["is_new"] for row in rows(hive, EXAMS))
    assert build.build(settings, [], said) is None
    release.rollback(settings, said)
    assert rows(hive, EXAMS) == before
    monkeypatch.setattr(sqlfile, "SQL", PROJECT / "sql")
    build.build(settings, [ACTIVITY], said)
    assert rows(hive, EXAMS) == before
    case("A new version of a table", "published, then rolled back", "readers have the new columns, then the old ones")


# What is refused before any statement


def refused(settings: Settings, hive: Hive, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a plan is refused with, without a statement."""
    with monkeypatch.context() as patch:
        patch.setattr(Hive, "query", lambda *_: pytest.fail("a statement was sent"))
        with pytest.raises(UsageError) as error:
            build.plan(settings, hive)
    return str(error.value)


def test_a_changed_file_is_refused_with_both_hashes(
    settings: Settings, hive: Hive, copy: Path, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    file = copy / "2_flat" / "attempts_v1.sql"
    old = sqlfile.SqlFile.read(file).sha256
    file.write_text(file.read_text() + "-- a comment is no change\n")
    assert not build.plan(settings, hive).due
    file.write_text(file.read_text().replace("1 AS message_count", "2 AS message_count"))
    message = refused(settings, hive, monkeypatch)
    assert old in message and sqlfile.SqlFile.read(file).sha256 in message
    assert "sql/2_flat/attempts_v1.sql" in message and "attempts_v2.sql" in message
    case("A published SQL file changed", "build", "refused before any statement, with both hashes")


def test_a_version_told_twice_is_refused_with_both_hashes(
    settings: Settings, hive: Hive, copy: Path, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    file = copy / "2_flat" / "attempts_v1.sql"
    twin = file.with_name("attempts_v01.sql")
    twin.write_text(file.read_text().replace("attempts_v1", "attempts_v01").replace("event_id", "event"))
    message = refused(settings, hive, monkeypatch)
    assert all(sqlfile.SqlFile.read(one).sha256 in message for one in (file, twin))
    case("Two files of one version", "build", "refused before any statement, with both hashes")


def test_a_file_that_is_gone_is_refused_with_its_hash(
    settings: Settings, hive: Hive, copy: Path, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    file = copy / "3_marts" / "exams_v1.sql"
    old = sqlfile.SqlFile.read(file).sha256
    file.unlink()
    message = refused(settings, hive, monkeypatch)
    assert "sql/3_marts/exams_v1.sql is not there" in message and old in message
    case("The file of a published table gone", "build", "refused before any statement, with its hash")


def test_changed_columns_of_a_table_that_was_made_are_refused(hive: Hive, copy: Path) -> None:
    file = sqlfile.SqlFile.read(copy / "2_flat" / "attempts_v1.sql")
    other = sqlfile.SqlFile(file.path, file.text.replace("max_attempts INT", "max_attempts BIGINT"))
    with pytest.raises(UsageError, match=r"attempts_v1\.sql changes the columns .*attempts_v2\.sql"):
        build.refuse_changed_columns(hive, other)
