"""Spark and HiveServer2 side by side: the same files give the same rows, whoever builds them and whoever reads.

The data is the sample with all the nasty messages behind it, from the same raw tables.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from commands import Run, beeline_words
from comparing import TABLES, assert_tables_are_right, in_order, rows
from hostile import VALUES
from messages import attempt, publish, text

from etl import sqlfile, sqltext
from etl.servers import hive_session as connect
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive, StatementError
from etl.settings import Settings
from etl.store import landings
from etl.validate import run_suite
from etl.validate.suites import load
from etl.validate.validate import published
from stack import engines
from stack.layout import PORTS, Layout

pytestmark = pytest.mark.usefixtures("nasty")

ENGINES = ("spark", "hive")
RAW = ("raw.assessments", "raw.rejected_messages", "raw.landings")
OPS = ("ops.topic_offsets", "ops.stored_files", "ops.releases")
OFTEN, RARELY = "America/New_York", ("UTC", "Asia/Kolkata")  # zones: the latter with --long
ZONE = {"spark": "spark.sql.session.timeZone", "hive": "hive.local.time.zone"}


def on(settings: Settings, engine: str) -> Settings:
    return settings.model_copy(update={"engine": engine})


@pytest.fixture(scope="module")
def sessions(settings: Settings) -> Iterator[dict[str, Hive]]:
    """An open session on each engine."""
    with Hive(on(settings, "spark")) as spark, Hive(on(settings, "hive")) as hive:
        yield {"spark": spark, "hive": hive}


def exact(some: list[dict[str, Any]]) -> list[str]:
    """Rows with the type of every value and every digit of it."""
    return [repr(sorted(row.items())) for row in in_order(some)]


@pytest.fixture(scope="module")
def reports(settings: Settings, quick_build: Callable[..., None]) -> dict[tuple[str, str, str], list[str]]:
    """{(table, who built it, who read it): rows}, each engine having built everything from the same raw tables."""
    answers = {}
    hdfs = Hdfs(settings)
    quick_build()  # what other modules have landed
    for builder in reversed(ENGINES):  # Spark last: as the other modules expect to find the tables
        for database in ("flat", "marts"):
            hdfs.remove(database)
        quick_build(engine=builder)
        for reader, table in itertools.product(ENGINES, TABLES):
            with Hive(on(settings, reader)) as fresh:
                answers[table, builder, reader] = exact(rows(fresh, table))
    return answers


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_the_same_whoever_builds_and_whoever_reads_it(
    table: str, reports: dict[tuple[str, str, str], list[str]]
) -> None:
    by = {(builder, reader): reports[table, builder, reader] for builder in ENGINES for reader in ENGINES}
    first = by.pop(("spark", "spark"))
    assert len(first) > 40
    for who, other in by.items():
        different = [pair for pair in zip(first, other, strict=False) if pair[0] != pair[1]]
        assert not different, f"{len(different)} rows of {who} differ from Spark's own, as {different[0]}"
        assert len(other) == len(first), who


@pytest.mark.usefixtures("reports")
def test_what_hive_reads_is_what_an_independent_computation_says(settings: Settings, sessions: dict[str, Hive]) -> None:
    assert_tables_are_right(settings, sessions["hive"])


@pytest.mark.usefixtures("reports")
@pytest.mark.parametrize("table", RAW + OPS)
def test_a_table_of_json_lines_is_read_the_same_by_both(table: str, sessions: dict[str, Hive]) -> None:
    spark, hive = (sessions[engine].query(f"SELECT * FROM {table}").dictionaries() for engine in ENGINES)
    assert len(spark) > 0 and _without_nested(spark) == _without_nested(hive)


def _without_nested(some: list[dict[str, Any]]) -> list[str]:
    """A struct as a whole is text that each engine writes its own way; flat.* compares all that is in it."""
    return exact(
        _without(
            some, {"payload", "headers", "unknown_fields", "more_base64", "files", "replayed_offsets", "table_versions"}
        )
    )


# Time zones


BEFORE_10000 = {  # PyHive cannot read what a zone in the east makes of the last day
    table: f"(SELECT * FROM {table} WHERE started_date IS NULL OR started_date < '9999-12-31') AS a"
    for table in ("flat.messages", "flat.attempts")
}


@pytest.mark.usefixtures("reports")
@pytest.mark.parametrize(
    ("engine", "zone"),
    [
        ("spark", OFTEN),
        pytest.param("spark", RARELY[1], marks=pytest.mark.long),
        pytest.param("hive", OFTEN, marks=pytest.mark.long),
        pytest.param("hive", RARELY[1], marks=pytest.mark.long),
    ],
)
def test_a_session_in_another_zone_reads_the_same_but_for_timestamps_of_spark(
    engine: str, zone: str, settings: Settings, sessions: dict[str, Hive], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one difference that is left: Spark shows a TIMESTAMP in the zone of its session, Hive as it stands."""
    monkeypatch.setitem(connect.SESSION[engine], ZONE[engine], zone)
    with Hive(on(settings, engine)) as elsewhere:
        for table in (BEFORE_10000.get(table, table) for table in TABLES):
            expected = rows(sessions[engine], table)
            if engine == "spark":
                expected = [{name: _moved(value, zone) for name, value in row.items()} for row in expected]
            assert len(expected) > 40
            assert exact(rows(elsewhere, table)) == exact(expected), table


def _moved(value: Any, zone: str) -> Any:
    if not isinstance(value, datetime.datetime):
        return value
    return value.replace(tzinfo=datetime.UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@pytest.mark.parametrize("zone", [OFTEN, *(pytest.param(zone, marks=pytest.mark.long) for zone in RARELY)])
def test_hive_builds_the_same_in_a_session_of_any_zone_but_for_times_that_come_as_numbers(
    zone: str, settings: Settings, sessions: dict[str, Hive], monkeypatch: pytest.MonkeyPatch
) -> None:
    """FROM_UNIXTIME speaks in the zone of the session: one reason why every session is in UTC."""
    monkeypatch.setitem(connect.SESSION["hive"], ZONE["hive"], zone)
    numbers = {"received_at", "kafka_published_at"}
    with Hive(on(settings, "hive")) as hive:
        other = built_in(hive, settings, "flat.messages_v1")
    there = built_in(sessions["hive"], settings, "flat.messages_v1")
    assert exact(_without(other, numbers)) == exact(_without(there, numbers))
    assert (exact(other) == exact(there)) == (zone == "UTC")


def _without(some: list[dict[str, Any]], names: set[str]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in names} for row in some]


def built_in(hive: Hive, settings: Settings, table: str) -> list[dict[str, Any]]:
    """The rows that a session gives a flat table of the newest folder, in a staging table that nobody reads."""
    (file,) = [file for file in sqlfile.files("2_*") if file.table == table]
    hdfs = Hdfs(settings)
    seen = landings.current(hdfs)
    staging, folder = "staging.in_another_zone", seen.folders[0]
    values = {"warehouse_root": f"{settings.warehouse_root}/staging/zone", **seen.parameters}
    values |= {"folder_compaction": str(folder.compaction), "folder_landing": str(folder.last)}
    try:
        for statement in [*file.tables(values), *file.fills(values)]:
            hive.query(statement.replace(file.table, staging))
        return _without(hive.query(f"SELECT * FROM {staging}").dictionaries(), {"compaction", "last_landing"})
    finally:
        hive.query(f"DROP TABLE IF EXISTS {staging}")
        hdfs.remove("staging", "zone")


# One writes, the other reads


@pytest.mark.usefixtures("reports")
def test_a_new_landing_and_its_build_are_seen_by_the_other_engine_at_once(
    run: Run, settings: Settings, sessions: dict[str, Hive], quick_build: Callable[..., None]
) -> None:
    """The partition of a landing that Hive registers, and the view that Hive switches, meet a Spark that is open."""
    statement = "SELECT COUNT(*) FROM raw.assessments"
    counted = "SELECT COUNT(*), MAX(landing) FROM flat.attempts"
    before, built = sessions["spark"].query(statement).rows[0][0], sessions["spark"].query(counted).rows[0]
    publish(settings, text(attempt("seen by both, 'quoted' \u202eRTL\u202c")))
    run("--set", "engine=hive", "land")
    quick_build(engine="hive")
    for engine in ENGINES:
        assert sessions[engine].query(statement).rows[0][0] == before + 1
        count, landing = sessions[engine].query(counted).rows[0]
        assert (count, landing > built[1]) == (built[0] + 1, True)
    assert "readers see everything that was landed" in run("build", "--engine", "spark").stderr


def test_hive_counts_what_spark_wrote_over_its_own_rows(settings: Settings, sessions: dict[str, Hive]) -> None:
    """Hive keeps counts of what it wrote in the metastore and would answer from them."""
    hive, spark = sessions["hive"], sessions["spark"]
    hive.query("CREATE DATABASE IF NOT EXISTS scratch")
    hive.query(
        "CREATE EXTERNAL TABLE scratch.counted (n INT) STORED AS PARQUET "
        f"LOCATION '{settings.warehouse_root}/scratch/counted'"
    )
    try:
        hive.query("INSERT INTO scratch.counted VALUES (1), (2), (3)")
        assert hive.query("SELECT COUNT(*), MAX(n) FROM scratch.counted").rows == [(3, 3)]
        spark.query("REFRESH TABLE scratch.counted")
        spark.query("INSERT OVERWRITE scratch.counted VALUES (10), (20), (30), (40)")
        assert hive.query("SELECT COUNT(*), MAX(n) FROM scratch.counted").rows == [(4, 40)]
    finally:
        hive.query("DROP TABLE scratch.counted")


# Validation, reports, beeline


@pytest.mark.usefixtures("reports")
def test_both_engines_count_the_rows_of_all_tables_for_the_suites(
    settings: Settings, sessions: dict[str, Hive]
) -> None:
    suites = load(published(settings), "r0")
    spark, hive = (run_suite.row_counts(sessions[engine].query, suites) for engine in ENGINES)
    assert spark == hive and len(spark) > 5


@pytest.mark.long
@pytest.mark.usefixtures("reports")
def test_every_expectation_finds_the_same_on_both_engines(run: Run, sessions: dict[str, Hive]) -> None:
    """Each engine validates the published build. The nasty messages break rules, so that there is something to find."""
    columns = "table_name, expectation, column_name, severity, is_met, observed"
    newest = "(SELECT MAX(run_id) FROM ops.expectation_results)"
    outputs = []
    for engine in ENGINES:
        assert "warning: " in run("validate", "--engine", engine).stderr
        results = sessions["spark"].query(f"SELECT {columns} FROM ops.expectation_results WHERE run_id IN {newest}")
        outputs.append(sorted(map(repr, results.rows)))
    assert len(outputs[0]) > 100
    assert outputs[0] == outputs[1]


@pytest.mark.long
def test_a_report_gives_the_same_answers_on_both_engines(run: Run) -> None:
    spark, hive = (run("report", "--engine", engine).stdout for engine in ENGINES)
    assert spark == hive and spark.count("\n") > 15


@pytest.mark.long
@pytest.mark.usefixtures("reports")
def test_beeline_runs_every_file_on_hive_too(run: Run, settings: Settings, quick_build: Callable[..., None]) -> None:
    for file in sqlfile.files("[0-4]_*"):
        if file.name not in ("ops.metastore", "ops.candidate"):
            run("beeline", "--engine", "hive", *beeline_words(settings, file))
    quick_build()
    with Hive(on(settings, "hive")) as fresh:
        assert_tables_are_right(settings, fresh)


# Every shape of query, through the views

SHAPES = [
    "SELECT exam_id, score FROM flat.attempts SORT BY score LIMIT 3",
    "SELECT exam_id FROM flat.attempts DISTRIBUTE BY exam_id LIMIT 3",
    "SELECT exam_id FROM flat.attempts CLUSTER BY exam_id LIMIT 3",
    "SELECT exam_id FROM flat.attempts TABLESAMPLE (10 ROWS)",
    "SELECT COUNT(DISTINCT exam_id, exam_name) FROM flat.attempts",
    "SELECT letter FROM flat.attempts LATERAL VIEW OUTER EXPLODE(SPLIT(exam_name, ' ')) words AS letter LIMIT 3",
    "EXPLAIN FORMATTED SELECT COUNT(*) FROM flat.question_options",
    "FROM flat.attempt_questions SELECT result, COUNT(*) GROUP BY result",
    "SELECT * FROM marts.exams LIMIT 2",
    "SELECT COUNT(*) FROM flat.attempts AS a JOIN flat.attempt_questions AS b ON a.attempt_id = b.attempt_id",
]
MISTAKES = {
    "SELECT no_such_column FROM flat.attempts": "no_such_column",
    "SELECT exam_id, COUNT(*) FROM flat.attempts": "exam_id|GROUP BY|group by",
    "SELECT exam_id FROM flat.attempts AS a JOIN marts.exams AS b ON a.exam_id = b.exam_id": "mbiguous|more than One",
}


@pytest.mark.parametrize("cbo", ["true", pytest.param("false", marks=pytest.mark.long)])
def test_every_shape_of_query_answers_on_hive(cbo: str, settings: Settings) -> None:
    with Hive(on(settings, "hive")) as hive:
        hive.query(f"SET hive.cbo.enable={cbo}")
        for shape in SHAPES:
            assert hive.query(shape).rows, shape


@pytest.mark.parametrize("engine", ENGINES)
def test_a_mistake_in_a_query_gets_its_own_message(engine: str, settings: Settings) -> None:
    with Hive(on(settings, engine)) as hive:
        for mistake, named in MISTAKES.items():
            with pytest.raises(StatementError, match=named) as error:
                hive.query(mistake)
            assert "Unsupported SubQuery" not in str(error.value)


# One task at a time


def test_hiveserver2_runs_one_task_at_a_time(settings: Settings, tmp_path: Any) -> None:
    """Two tasks in its process once gave wrong counts without a word: the settings that keep it at one are these."""
    engines.hiveserver2(Layout(settings.model_copy(update={"home": tmp_path}), PORTS))
    site = (tmp_path / "conf/hiveserver2/hiveserver2-site.xml").read_text()
    for name, value in {
        "tez.am.inline.task.execution.max-tasks": "1",
        "hive.server2.tez.initialize.default.sessions": "true",
        "hive.server2.tez.sessions.per.default.queue": "1",
        "hive.server2.tez.sessions.custom.queue.allowed": "false",
    }.items():
        assert f"<name>{name}</name><value>{value}</value>" in site


@pytest.mark.long
def test_three_users_of_hiveserver2_at_once_each_get_the_right_answer(settings: Settings) -> None:
    questions = [
        "SELECT COUNT(*), COUNT(DISTINCT option_id), SUM(option_position) FROM flat.question_options",
        "SELECT result, COUNT(*) FROM flat.attempt_questions GROUP BY result ORDER BY result",
        "SELECT COUNT(*) FROM raw.assessments LATERAL VIEW EXPLODE(payload.sequences.questions) shown AS question",
        "SELECT COUNT(*), MAX(score) FROM flat.attempts",
        "SELECT exam_id, attempt_count FROM marts.exams ORDER BY attempt_count DESC, exam_id LIMIT 5",
    ]
    with Hive(on(settings, "spark")) as fresh:  # a session that was open still looks for files that Hive has replaced
        right = {question: fresh.query(question).rows for question in questions}
    plain = "SELECT attempt_id FROM flat.attempts WHERE exam_name = 'Learning Git'"  # read without Tez

    def ask(first: int) -> list[str]:
        with Hive(on(settings, "hive")) as hive:
            wrong = []
            for number in range(len(questions)):
                question = questions[(first + number) % len(questions)]
                if (answer := hive.query(question).rows) != right[question]:
                    wrong.append(f"{question}: {answer}, not {right[question]}")
                if len(hive.query(plain).rows) != 390:
                    wrong.append(plain)
            return wrong

    with ThreadPoolExecutor(3) as pool:
        assert [wrong for some in pool.map(ask, range(3)) for wrong in some] == []


# What no value may do


@pytest.mark.parametrize("engine", ENGINES)
def test_every_hostile_text_arrives_as_the_text_it_is(engine: str, sessions: dict[str, Hive]) -> None:
    names = [f"v{number}" for number in range(len(VALUES))]
    quotes = itertools.cycle("'\"")
    columns = ",\n".join(f"{quote}${{{name}}}{quote} AS {name}" for name, quote in zip(names, quotes, strict=False))
    (statement,) = sqltext.statements(
        f"SELECT {columns}", dict.fromkeys(names, "text"), dict(zip(names, VALUES, strict=True)), "the test"
    )
    (row,) = sessions[engine].query(statement).rows
    assert len(row) >= 200
    assert [(value, got) for value, got in zip(VALUES, row, strict=True) if value != got] == []


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("variable", ["${env:HOME}", "${system:user.name}", "${hiveconf:hive.metastore.uris}"])
def test_a_server_puts_no_variable_of_its_own_in(engine: str, variable: str, sessions: dict[str, Hive]) -> None:
    """The client refuses it before it is sent; were it sent, the session would leave it as it is."""
    assert sessions[engine].query(f"SELECT '{variable}' AS kept").rows == [(variable,)]


@pytest.mark.parametrize("engine", ENGINES)
def test_both_engines_read_comments_and_hints_as_the_splitter_does(engine: str, sessions: dict[str, Hive]) -> None:
    text = "SELECT -- one; 'two\n1 /* three; ' */ AS a, '-- four' AS b, '/*' AS c, `d;` FROM (SELECT 5 AS `d;`) AS t;"
    (statement,) = sqltext.split(text)
    assert sessions[engine].query(statement).rows == [(1, "-- four", "/*", 5)]


@pytest.mark.parametrize("engine", ENGINES)
def test_two_statements_at_once_are_refused_by_the_server_too(engine: str, sessions: dict[str, Hive]) -> None:
    with pytest.raises(StatementError):
        sessions[engine].query("SELECT 1; SELECT 2")
