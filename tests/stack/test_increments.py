"""A build that goes on from the one before: it reads what is new, and its tables are those of a build of everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from commands import Run
from comparing import TABLES, assert_same, assert_tables_are_right, rows
from messages import attempt, publish, text
from reliability import Case

from etl.build.fill import How, small
from etl.land import compact as compaction
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import Settings
from etl.store import landings
from etl.store.ledger import Built, Ledger
from etl.validate import validate

Rows = dict[str, list[dict[str, Any]]]
EARLY, LATE = "2017-12-04T00:01:02.003Z", "2018-02-01T10:00:00Z"


@pytest.fixture(scope="module")
def hive(settings: Settings) -> Iterator[Hive]:
    with Hive(settings) as session:
        yield session


@pytest.fixture(scope="module")
def based(settings: Settings, nasty: str, quick_build: Callable[..., None]) -> dict[str, Built]:
    """The tables of a build, in which some events are there already."""
    assert nasty
    first = [attempt(f"increment {number}", started_at=started) for number, started in enumerate([EARLY, LATE] * 3)]
    publish(settings, *map(text, first))
    quick_build_of(settings, quick_build)
    return shown(settings)


def quick_build_of(settings: Settings, quick_build: Callable[..., None]) -> None:
    from etl.land.land import land

    land(settings, print)
    quick_build()


def shown(settings: Settings) -> dict[str, Built]:
    book = Ledger(Hdfs(settings))
    published = book.published()
    assert published
    return book.tables(published.build_id)


def read(hive: Hive) -> Rows:
    return {table: rows(hive, table) for table in (*TABLES, "flat.messages")}


def landed(hive: Hive) -> list[list[tuple[Any, ...]]]:
    """What readers see of the raw tables: what each landing brought."""
    counts = "SELECT landing, COUNT(*), MIN(kafka_offset), MAX(kafka_offset) FROM raw."
    asked = [f"{counts}{table} GROUP BY landing" for table in ("assessments", "rejected_messages")]
    accounts = "SELECT kafka_partition, landing, start_offset, end_offset, accepted_count, rejected_count"
    return [sorted(hive.query(one).rows) for one in (*asked, f"{accounts} FROM raw.landings")]


def assert_as_made_from_all(settings: Settings, hive: Hive, quick_build: Callable[..., None]) -> None:
    """The tables that readers see are those of the plain-Python computation, and of a build of everything."""
    assert_tables_are_right(settings, hive)
    found = read(hive)
    quick_build(how=How.FULL)
    for table, expected in read(hive).items():
        assert_same(found[table], expected)


def folders(built: Built) -> set[str]:
    return {part["folder"] for part in built.parts}


NEW: dict[str, list[dict[str, Any]]] = {
    "new events": [attempt("quite new"), attempt("quite new too", started_at=LATE)],
    "a late message, months old": [attempt("late", started_at="2017-06-01T00:00:00Z")],
    "an event twice among the new ones": [attempt("new twice", exam_name=name) for name in ("first", "second")],
    "messages without an id": [{}, {}],
}
OLD: dict[str, list[dict[str, Any]]] = {
    "duplicates of old events": [attempt("increment 0"), attempt("increment 1", started_at=LATE)],
    "a correction of an old attempt": [attempt("increment 2", exam_name="corrected", sequences={"questions": []})],
    "a correction that moves it to another month": [attempt("increment 3", started_at="2018-01-15T00:00:00Z")],
}
STEPS: dict[str, dict[str, list[dict[str, Any]]]] = {"new": NEW, "old": OLD, "none": {"nothing that is accepted": []}}


@pytest.mark.parametrize("step", STEPS)
def test_a_build_goes_on_from_the_one_before(
    step: str, settings: Settings, hive: Hive, based: dict[str, Built], quick_build: Callable[..., None], case: Case
) -> None:
    assert based
    before, counted = shown(settings)["flat.attempts_v1"], "SELECT COUNT(*), SUM(message_count) FROM flat.attempts"
    ((attempts, messages),) = hive.query(counted).rows
    published = [one for some in STEPS[step].values() for one in some]
    publish(settings, *map(text, published), b"no json")
    quick_build_of(settings, quick_build)
    after = shown(settings)["flat.attempts_v1"]
    assert after.build_id != before.build_id and after.landing == before.landing + 1
    new = {"new": len(published) - 1, "old": 0, "none": 0}[step]
    assert hive.query(counted).rows == [(attempts + new, messages + len(published))]
    if step != "old":
        assert folders(before) <= folders(after), "no partition was written again"
    else:
        assert len(folders(before) - folders(after)) == 2 < len(folders(before)), "those of two months were"
    for what in STEPS[step]:
        case("Incremental build", what, "the tables of a build of everything")


def test_all_of_it_equals_a_build_of_everything(
    settings: Settings, hive: Hive, based: dict[str, Built], quick_build: Callable[..., None]
) -> None:
    assert based
    assert_as_made_from_all(settings, hive, quick_build)


def test_a_build_of_what_is_new_is_validated_as_such(settings: Settings, based: dict[str, Built], run: Run) -> None:
    assert based
    publish(settings, text(attempt("validated in part")), text(attempt("increment 4", exam_name="again")))
    before = shown(settings)
    run("land")
    run("build")
    after = shown(settings)
    scope = validate.scope(after["flat.attempts_v1"], before["flat.attempts_v1"])
    assert scope == {"since": str(before["flat.attempts_v1"].landing), "first_part": after["flat.attempts_v1"].build_id}
    assert validate.scope(after["marts.exams_v1"], before["marts.exams_v1"]) == validate.WHOLE


def test_compact_writes_the_same_rows_in_fewer_files(
    settings: Settings, hive: Hive, based: dict[str, Built], run: Run, quick_build: Callable[..., None], case: Case
) -> None:
    assert based
    for number in range(2):
        publish(settings, text(attempt(f"one part more {number}")))
        quick_build_of(settings, quick_build)
    found, before, kept = read(hive), shown(settings), landed(hive)
    run("compact")
    after = shown(settings)
    for table, expected in read(hive).items():
        assert_same(found[table], expected)
    assert landed(hive) == kept
    for name in ("flat.attempts_v1", "flat.question_options_v1", "flat.messages_v1"):
        months = [part["name"].partition("/")[2] for part in after[name].parts]
        assert len(months) == len(set(months)) < len(before[name].parts)
    assert not small(after["flat.attempts_v1"], most=1)
    assert after["marts.exams_v1"].written_by == before["marts.exams_v1"].written_by, "nothing to be done there"
    assert "up to date" in run("compact").stderr
    case("Compaction", f"{len(before['flat.attempts_v1'].parts)} partitions", "the same rows in fewer files")


def test_landings_that_were_put_together_are_gone_on_from(
    settings: Settings, hive: Hive, based: dict[str, Built], run: Run, quick_build: Callable[..., None], case: Case
) -> None:
    """By the test before it."""
    assert based
    hdfs = Hdfs(settings)
    first = landings.current(hdfs)
    assert first.compaction and len(first.folders) == 2, "all but the newest landing are in one folder"
    publish(settings, text(attempt("behind a compaction")), b"no json")
    run("land")
    quick_build()
    assert_tables_are_right(settings, hive)
    before = landed(hive)
    compaction.compact(settings, (said := []).append)
    assert said == [f"compaction {first.compaction + 1}: 2 folders of landings are 1"]
    second = landings.current(hdfs)
    assert (second.compaction, len(second.folders)) == (first.compaction + 1, 2)
    assert landed(hive) == before
    assert "landings/landing=1 " in run("clean").stdout
    run("clean", "--yes")
    assert [name for name in hdfs.names(landings.ROOT) if name.startswith("landing=")] == [f"landing={second.last}"]
    assert len(hive.query("SHOW PARTITIONS raw.landings_v1").rows) == 2
    assert landed(hive) == before
    assert_as_made_from_all(settings, hive, quick_build)
    run("validate")
    case("Compaction", f"{len(before[2])} landings", "the same rows in two folders")


def test_many_small_parts_are_written_as_one_by_a_build(
    settings: Settings, hive: Hive, based: dict[str, Built], quick_build: Callable[..., None], monkeypatch: Any
) -> None:
    assert based
    monkeypatch.setattr("etl.build.fill.MOST_PARTS", 2)
    for number in range(3):
        publish(settings, text(attempt(f"small part {number}")))
        quick_build_of(settings, quick_build)
    months = [part["name"].partition("/")[2] for part in shown(settings)["flat.attempts_v1"].parts]
    assert max(map(months.count, months)) <= 3
    assert_tables_are_right(settings, hive)


def test_a_query_on_some_weeks_reads_only_their_months(hive: Hive, based: dict[str, Built]) -> None:
    assert based
    asked = "SELECT COUNT(*) FROM flat.attempts WHERE started_month = '2018-02'"
    (plan,) = hive.query(f"EXPLAIN {asked}").rows[0]
    assert "started_month" in plan.partition("PartitionFilters")[2].partition("PushedFilters")[0], plan
