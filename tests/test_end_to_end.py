"""The whole path on real servers, and what every table holds compared with an independent computation.

The tests follow the warehouse through its life and stand in that order: the sample, then nasty messages, then
faults. Each fixture takes it one step further.
"""

from __future__ import annotations

import base64
import datetime
import json
import math
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from conftest import Run
from oracle import Message, is_accepted, tables

from etl import build, sqlfile
from etl.errors import UsageError
from etl.hdfs import Hdfs
from etl.hive import Hive
from etl.settings import PROJECT, Settings

TABLES = (
    "flat.attempts",
    "flat.attempt_questions",
    "flat.question_options",
    "marts.exams",
    "marts.questions",
    "marts.daily_activity",
)


@pytest.fixture(scope="module")
def hive(settings: Settings) -> Iterator[Hive]:
    with Hive(settings) as session:
        yield session


@pytest.fixture(scope="module")
def sample(built: str) -> str:
    return built


def consumed(settings: Settings) -> list[Message]:
    """Every message of the topic, with its coordinates."""
    consumer = Consumer({"bootstrap.servers": settings.bootstrap_servers, "group.id": "end-to-end"})
    try:
        topic = consumer.list_topics(settings.topic, 10).topics[settings.topic]
        ends = {
            one: consumer.get_watermark_offsets(TopicPartition(settings.topic, one), 10) for one in topic.partitions
        }
        consumer.assign([TopicPartition(settings.topic, one, ends[one][0]) for one in ends])
        expected = sum(end - first for first, end in ends.values())
        found: list[Message] = []
        deadline = time.monotonic() + 30
        while len(found) < expected and time.monotonic() < deadline:
            for one in consumer.consume(2000, 0.5):
                partition, offset = one.partition(), one.offset()
                assert one.error() is None and partition is not None and offset is not None
                found.append(Message(settings.topic, partition, offset, one.timestamp()[1], one.value()))
        assert len(found) == expected
        return found
    finally:
        consumer.close()


def rows(hive: Hive, table: str) -> list[dict[str, Any]]:
    """The rows that readers see, without the build that wrote them."""
    found = hive.query(f"SELECT * FROM {table}").dictionaries()
    return [{name: value for name, value in row.items() if name != "build_id"} for row in found]


def plain(some: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Dates as the HiveServer2 protocol gives them: as text."""
    return [
        {name: str(value) if type(value) is datetime.date else value for name, value in row.items()} for row in some
    ]


def in_order(some: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sorted by all that is exact."""

    def key(row: dict[str, Any]) -> list[str]:
        return [repr(row[name]) for name in sorted(row) if not isinstance(row[name], float)]

    return sorted(some, key=key)


def is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other) and type(one) is type(other)


def assert_same(actual: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Row for row and column for column; doubles to 1e-9."""
    differences = [
        {
            name: (row.get(name), other.get(name))
            for name in {**row, **other}
            if not is_same(row.get(name), other.get(name))
        }
        for row, other in zip(in_order(actual), in_order(plain(expected)), strict=False)
    ]
    different = [one for one in differences if one]
    assert not different, f"{len(different)} rows differ (actual, expected), as {different[:3]}"
    assert len(actual) == len(expected)


def assert_tables_are_right(settings: Settings, hive: Hive) -> None:
    expected = tables(consumed(settings))
    for table in TABLES:
        assert_same(rows(hive, table), expected[table])


def value(hive: Hive, statement: str) -> Any:
    """The one value of the one row."""
    return hive.query(statement).rows[0][0]


def publish(settings: Settings, *values: bytes | None) -> None:
    """Publish bytes as they are, as no user of ./warehouse publish could."""
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers, "enable.idempotence": True})
    for number, one in enumerate(values):
        producer.produce(settings.topic, value=one, key=b"\xff key %d" % number, partition=0)
    assert producer.flush(30) == 0


# The sample


def test_the_sample_lands_whole(landed: str) -> None:
    assert "landed 3,280 messages, rejected 0, offsets 0-3279 of partition 0" in landed


def test_every_table_of_the_sample_equals_the_independent_computation(
    settings: Settings, hive: Hive, sample: str
) -> None:
    assert "built 6 tables" in sample
    assert_tables_are_right(settings, hive)


@pytest.mark.parametrize(
    ("exam", "messages"),
    [
        ("Learning Git", 394),
        ("Introduction to Python", 162),
        ("Introduction to Java 8", 158),
        ("Normal Forms and All That Jazz Master Class", 7),
    ],
)
@pytest.mark.usefixtures("sample")
def test_the_published_answers_come_out(hive: Hive, exam: str, messages: int) -> None:
    where = f"FROM marts.exams WHERE exam_name = '{exam}'"
    assert value(hive, f"SELECT SUM(message_count) {where}") == messages
    if exam == "Learning Git":
        assert value(hive, f"SELECT SUM(attempt_count) {where}") == 390


@pytest.mark.usefixtures("sample")
def test_question_rows_are_those_published_before_and_after_removing_duplicates(hive: Hive) -> None:
    questions = "raw.assessments LATERAL VIEW EXPLODE(payload.sequences.questions) shown AS question"
    assert value(hive, f"SELECT COUNT(*) FROM {questions}") == 14_717
    assert value(hive, "SELECT COUNT(*) FROM flat.attempt_questions") == 14_555


@pytest.mark.usefixtures("sample")
def test_query_prints_json_and_nothing_else(run: Run) -> None:
    done = run("query", "SELECT COUNT(*) AS attempts FROM flat.attempts", "--format", "json")
    assert done.stdout == '[{"attempts":3242}]\n'


@pytest.mark.usefixtures("sample")
def test_landing_and_building_again_does_nothing(run: Run) -> None:
    assert "landed 0 messages, rejected 0" in run("land").stderr
    assert "every table is up to date" in run("build").stderr


@pytest.mark.usefixtures("sample")
def test_a_forced_rebuild_gives_identical_rows_in_a_new_build(run: Run, hive: Hive) -> None:
    question = "SELECT MAX(build_id) FROM flat.attempts"
    before, build_before = rows(hive, "flat.attempts"), value(hive, question)
    assert "built 1 tables" in run("build", "flat.attempts").stderr
    assert value(hive, question) > build_before
    assert in_order(rows(hive, "flat.attempts")) == in_order(before)


def attempt(name: str, **changes: Any) -> dict[str, Any]:
    """A message of an exam of its own, well-formed but for the changes."""
    return {
        "keen_timestamp": "1512345678.123456",
        "keen_created_at": "1512345678.5",
        "keen_id": f"keen {name}",
        "user_exam_id": f"attempt {name}",
        "base_exam_id": f"exam {name}",
        "exam_name": name,
        "certification": "false",
        "max_attempts": "1.0",
        "started_at": "2017-12-04T00:01:02.003Z",
        "sequences": {"id": "set", "attempt": 1, "counts": counts(), "questions": [question()]},
        **changes,
    }


def counts(**changes: Any) -> dict[str, Any]:
    found = {"total": 3, "correct": 1, "incorrect": 1, "incomplete": 0, "submitted": 2, "unanswered": 1}
    return {**found, "all_correct": False, **changes}


def question(**changes: Any) -> dict[str, Any]:
    found = {"id": "question", "user_result": "correct", "user_correct": True, "user_incomplete": False}
    return {**found, "user_submitted": True, "options": [option()], **changes}


def option(**changes: Any) -> dict[str, Any]:
    return {
        "id": "option",
        "checked": True,
        "correct": True,
        "submitted": 1,
        "at": "2017-12-04T00:02:03.4Z",
        **changes,
    }


def holding(name: str, **changes: Any) -> dict[str, Any]:
    """An attempt with changes in its sequences."""
    return attempt(name, sequences={"id": "set", "counts": counts(), "questions": [question()], **changes})


EXTRA = {"unknown": {"deep": [1, None, {"id": "x"}]}}
ACCEPTED: list[Any] = [
    {},
    attempt("no sequences", sequences=None),
    attempt("empty sequences", sequences={}),
    holding("no counts", counts=None),
    holding("empty counts", counts={}),
    holding("no questions", questions=None),
    holding("empty questions", questions=[]),
    holding("null question", questions=[None, question(), None]),
    holding("no options", questions=[question(options=None), question(options=[]), {}]),
    holding("null option", questions=[question(options=[None, option(), {}, option(submitted=0, correct=None)])]),
    holding("no total", counts=counts(total=0)),
    holding("no correct", counts=counts(correct=None, all_correct=True)),
    holding("negative", counts=counts(total=-3, correct=-1)),
    attempt(
        "widest",
        started_at="2030-01-01T00:00:00Z",
        sequences={"counts": counts(total=2**63 - 1, correct=-(2**63), unanswered=2**63 - 1)},
    ),
    {
        **attempt("unknown fields", **EXTRA),
        "sequences": {
            "counts": {**counts(), **EXTRA},
            "questions": [{**question(options=[{**option(), **EXTRA}]), **EXTRA}],
            **EXTRA,
        },
    },
    attempt("twice", exam_name="told first", max_attempts="1"),
    attempt("twice", exam_name="told last", max_attempts="2", sequences={"questions": [question(), question()]}),
    attempt("no id", keen_id=None),
    attempt("no id", keen_id=None),
    attempt("empty id", keen_id=""),
    attempt("empty id", keen_id=""),
    attempt("nobody", user_exam_id=None, base_exam_id=None),
    attempt("two events", keen_id="keen one", exam_name="two events, one attempt"),
    attempt("two events", keen_id="keen two"),
    *(
        attempt(f"start {start}", started_at=start)
        for start in (
            "yesterday",
            "",
            "2017-02-29T00:00:00Z",
            "2017-01-01T24:00:00Z",
            "2017-01-01T00:00:60Z",
            "2017-01-01 00:00:00Z",
            "2017-01-01T00:00:00",
            "2017-01-01T00:00:00.Z",
            "2017-01-01T00:00:00+01:00",
            "1066-10-14T09:00:00Z",
            "1969-12-31T23:59:59.999999Z",
            "2016-02-29T23:59:59.123456789Z",
            "9999-12-31T23:59:59.999999Z",
        )
    ),
    *(
        attempt(f"received {received}", keen_timestamp=received)
        for received in (
            "",
            "NaN",
            "-1",
            "1e9",
            "9999999999.9999999",
            "99999999999",
            "0",
            "1.",
            "1512345678.1",
        )
    ),
    *(attempt(f"allowed {allowed}", max_attempts=allowed) for allowed in ("", "2.5", "-1", "007", "3.", "9999999999")),
    *(attempt(f"certified {text}", certification=text) for text in ("TRUE", "", "true", "1")),
    *(
        attempt("names", keen_id=f"name {number}", exam_name=name)
        for number, name in enumerate(
            (
                "",
                " ",
                "NULL",
                "\\N",
                "naïve 🎓 exam",
                "שלום עולם",
                "a,b;c|d\te",
                'it\'s "quoted"',
                "a\nb\r\nc",
                "nul\0",
            )
        )
    ),
    json.dumps(attempt("pretty"), indent=4).replace("\n", "\r\n").encode(),
    json.dumps(attempt("escaped 🎓"), ensure_ascii=True).encode(),
    b'{"exam_name": "first", "base_exam_id": "said twice", "exam_name": "last"}',
]


def text(message: Any) -> bytes:
    return message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()


REJECTED: list[tuple[bytes | None, str]] = [
    (None, "tombstone"),
    (b"", "empty message"),
    (b"{not json", "not JSON"),
    (b'{"exam_name": "a",}', "not JSON"),
    (b'{"exam_name": NaN}', "not JSON"),
    (b'{"exam_name": "cut', "ends too early"),
    (b"\xef\xbb\xbf{}", "byte order mark"),
    (b'{"exam_name": "\xff"}', "not UTF-8 at byte 15"),
    (b'{"exam_name": "\\ud800"}', "surrogate"),
    (b"[]", "expected object, got array at $"),
    (b"null", "expected object, got null at $"),
    (b'{"unknown": ' + b"[" * 200 + b"]" * 200 + b"}", "nested deeper than 100 levels"),
    (text({"Keen_ID": "a"}), "key Keen_ID at $ differs only in case from keen_id"),
    (text(attempt("a", exam_name=5)), "expected string, got integer at $.exam_name"),
    (text(attempt("a", sequences=[])), "expected object, got array at $.sequences"),
    (text(holding("a", questions="none")), "expected array, got string at $.sequences.questions"),
    (text(holding("a", questions={})), "expected array, got object at $.sequences.questions"),
    (
        text(holding("a", counts=counts(total="3"))),
        "expected integer, got string at $.sequences.counts.total",
    ),
    (text(holding("a", counts=counts(total=2**63))), "at $.sequences.counts.total"),
    (text(holding("a", counts=counts(total=10**30))), "at $.sequences.counts.total"),
    (
        text(holding("a", counts=counts(total=1.5))),
        "got number with fraction or exponent at $.sequences.counts.total",
    ),
    (
        text(holding("a", questions=[question(options=[option(checked="true")])])),
        "expected boolean, got string at $.sequences.questions[0].options[0].checked",
    ),
]


@pytest.fixture(scope="module")
def unlanded(settings: Settings, sample: str) -> int:
    """The nasty messages are published."""
    assert sample
    publish(settings, *map(text, ACCEPTED), *(one for one, _ in REJECTED))
    return len(ACCEPTED) + len(REJECTED)


# Validation


def failures(run: Run, code: int = 3) -> list[str]:
    """The tables of which a critical expectation is not met."""
    lines = run("validate", code=code).stderr.splitlines()
    return [line.split(": ")[1] for line in lines if line.startswith("critical: ")]


@pytest.mark.usefixtures("sample")
def test_the_sample_meets_every_critical_expectation(run: Run) -> None:
    assert failures(run, code=0) == []


@pytest.mark.long
@pytest.mark.usefixtures("sample")
def test_a_lost_file_of_a_landing_fails_the_validation(run: Run, settings: Settings) -> None:
    hdfs = Hdfs(settings)
    kept, aside = ("landings", "landing=1", "table=assessments"), ("lost",)
    assert hdfs.rename_new(kept, aside)
    try:
        assert "raw.assessments cannot be read" in run("validate", code=3).stderr
    finally:
        assert hdfs.rename_new(aside, kept)


@pytest.mark.long
@pytest.mark.usefixtures("unlanded")
def test_messages_that_were_not_landed_are_told_by_a_warning(run: Run) -> None:
    assert "warning: raw.landings: every message in Kafka is landed: 1" in run("validate").stderr


# Nasty messages


@pytest.fixture(scope="module")
def nasty(run: Run, unlanded: int) -> str:
    """They are landed and built."""
    assert unlanded
    landed = run("land").stderr
    run("build")
    return landed


def test_no_nasty_message_is_lost(nasty: str, settings: Settings, hive: Hive) -> None:
    assert f"landed {len(ACCEPTED)} messages, rejected {len(REJECTED)}, offsets 3280-" in nasty
    landed = "SELECT kafka_partition, kafka_offset FROM raw"
    there = hive.query(f"{landed}.assessments UNION ALL {landed}.rejected_messages").rows
    assert sorted(there) == sorted((one.partition, one.offset) for one in consumed(settings))


@pytest.mark.usefixtures("nasty")
def test_a_rejected_message_keeps_its_bytes_and_says_what_is_wrong(settings: Settings, hive: Hive) -> None:
    kept = rows(hive, "raw.rejected_messages")
    refused = [one for one in consumed(settings) if not is_accepted(one.value)]
    assert [one.value for one in refused] == [value for value, _ in REJECTED]
    by_offset = {row["kafka_offset"]: row for row in kept}
    assert sorted(by_offset) == sorted(one.offset for one in refused)
    for one, (message, reason) in zip(refused, REJECTED, strict=True):
        row = by_offset[one.offset]
        encoded = row["message_base64"]
        assert (None if encoded is None else base64.b64decode(encoded)) == message
        assert base64.b64decode(row["key_base64"]).startswith(b"\xff key ")
        assert row["kafka_timestamp"] == one.timestamp
        assert reason in row["reason"]


@pytest.mark.usefixtures("nasty")
def test_every_table_with_nasty_messages_equals_the_independent_computation(settings: Settings, hive: Hive) -> None:
    assert_tables_are_right(settings, hive)


@pytest.mark.usefixtures("nasty")
def test_every_report_answers_in_spite_of_nasty_messages(run: Run) -> None:
    run("report")


# Faults


@pytest.mark.usefixtures("nasty")
def test_landing_mends_what_a_killed_loader_left_out(run: Run, hive: Hive) -> None:
    count = "SELECT COUNT(*) FROM raw.assessments"
    before = value(hive, count)
    hive.query("ALTER TABLE raw.assessments_v1 DROP PARTITION (landing = 1)")
    assert value(hive, count) == before - 3280
    assert "landed 0 messages" in run("land").stderr
    assert value(hive, count) == before


def loader(home: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "WAREHOUSE_HOME": str(home), "NO_COLOR": "1"}
    return subprocess.Popen([PROJECT / "warehouse", "land"], stderr=subprocess.PIPE, text=True, env=environment)


@pytest.mark.usefixtures("nasty")
def test_two_loaders_at_once_land_each_message_once(settings: Settings, hive: Hive) -> None:
    publish(settings, *(text(attempt(f"raced {number}")) for number in range(5)))
    loaders = [loader(settings.home) for _ in range(2)]
    said = [one.communicate(timeout=120)[1] for one in loaders]
    for code, line in zip((one.returncode for one in loaders), said, strict=True):
        assert (code, "another land is at work here" in line) in ((0, False), (1, True))
    assert sum("landed 5 messages" in line for line in said) == 1
    landed = hive.query("SELECT kafka_partition, kafka_offset FROM raw.assessments").rows
    accepted = [(one.partition, one.offset) for one in consumed(settings) if is_accepted(one.value)]
    assert sorted(landed) == sorted(accepted)


# Plans


def replanned(settings: Settings, hive: Hive, monkeypatch: pytest.MonkeyPatch, folder: Path) -> dict[str, str]:
    monkeypatch.setattr(sqlfile, "SQL", folder)
    return {step.file.name: step.why for step in build.plan(settings, hive)[1]}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of sql/, to be changed."""
    return Path(shutil.copytree(PROJECT / "sql", tmp_path / "sql"))


@pytest.mark.usefixtures("nasty")
def test_a_changed_text_is_built_again_and_so_is_what_reads_it(
    run: Run, settings: Settings, hive: Hive, monkeypatch: pytest.MonkeyPatch, copy: Path
) -> None:
    run("land")
    run("build")
    assert set(replanned(settings, hive, monkeypatch, copy).values()) == {"up to date"}
    file = copy / "2_flat" / "attempt_questions_v1.sql"
    file.write_text(file.read_text() + "-- changed\n")
    plan = replanned(settings, hive, monkeypatch, copy)
    assert plan.pop("flat.attempt_questions") == "changed text"
    assert plan.pop("marts.questions") == "new data"
    assert set(plan.values()) == {"up to date"}


@pytest.mark.usefixtures("nasty")
def test_changed_columns_of_a_released_table_are_refused(
    settings: Settings, hive: Hive, monkeypatch: pytest.MonkeyPatch, copy: Path
) -> None:
    file = copy / "2_flat" / "attempts_v1.sql"
    file.write_text(file.read_text().replace("max_attempts INT", "max_attempts BIGINT"))
    with pytest.raises(UsageError, match=r"attempts_v1\.sql changes the columns .*attempts_v2\.sql"):
        replanned(settings, hive, monkeypatch, copy)


def test_building_an_unknown_table_is_wrong_usage(run: Run) -> None:
    assert "there is no table flat.nothing" in run("build", "flat.nothing", code=2).stderr


@pytest.mark.usefixtures("nasty")
def test_beeline_runs_every_file_unmodified(run: Run, settings: Settings, hive: Hive) -> None:
    given = {"warehouse_root": settings.warehouse_root, "landing": "1", "build_id": "by_beeline"}

    def by_beeline(file: sqlfile.SqlFile) -> None:
        variables = [word for name in file.parameters for word in ("--hivevar", f"{name}={given[name]}")]
        run("beeline", "-f", str(file.path), *variables)

    made = sqlfile.files("[0-3]_*")
    for file in made:
        by_beeline(file)
    with ThreadPoolExecutor(2) as pool:
        assert len(list(pool.map(by_beeline, sqlfile.files("4_*")))) > 10
    counted = "COUNT(*), MIN(build_id), MAX(build_id)"
    assert hive.query(f"SELECT {counted} FROM flat.attempts").rows == [(3242, "by_beeline", "by_beeline")]
    run("build", *TABLES)
    assert_tables_are_right(settings, hive)
