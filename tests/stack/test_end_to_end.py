"""The whole path on real servers, and what every table holds compared with an independent computation.

The tests follow the warehouse through its life and stand in that order: the sample, then nasty messages, then
faults. Each fixture takes it one step further.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from commands import Run, beeline_words
from comparing import assert_tables_are_right, consumed, rows
from messages import ACCEPTED, REJECTED, attempt, publish, text
from oracle import is_accepted

from etl import sqlfile
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import PROJECT, Settings


@pytest.fixture(scope="module")
def hive(settings: Settings) -> Iterator[Hive]:
    with Hive(settings) as session:
        yield session


@pytest.fixture(scope="module")
def sample(built: str) -> str:
    return built


def value(hive: Hive, statement: str) -> Any:
    """The one value of the one row."""
    return hive.query(statement).rows[0][0]


# The sample


def test_the_sample_lands_whole(landed: str) -> None:
    assert "landed 3,280 messages, rejected 0, offsets 0-3279 of partition 0" in landed


def test_every_table_of_the_sample_equals_the_independent_computation(
    settings: Settings, hive: Hive, sample: str
) -> None:
    assert "published release 1, which shows all landings up to 1" in sample
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
    assert "readers see everything that was landed" in run("build").stderr


# Validation


def failures(run: Run, code: int = 3) -> list[str]:
    """The tables of which a critical expectation is not met."""
    lines = run("validate", code=code).stderr.splitlines()
    return [line.split(": ")[1] for line in lines if line.startswith("critical: ")]


@pytest.mark.long  # tests/stack/test_rehearsal.py sees it at each run of the tests
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
        assert failures(run) == ["ops.stored_files"]
    finally:
        assert hdfs.rename_new(aside, kept)


@pytest.mark.long
@pytest.mark.usefixtures("unlanded")
def test_messages_that_were_not_landed_are_told_by_a_warning(run: Run) -> None:
    assert re.search(r"^warning: raw\.landings: .*: every message in Kafka is landed$", run("validate").stderr, re.M)


# Nasty messages


def test_no_nasty_message_is_lost(nasty: str, settings: Settings, hive: Hive) -> None:
    assert f"landed {len(ACCEPTED)} messages, rejected {len(REJECTED)}, offsets 3280-" in nasty
    landed = "SELECT kafka_partition, kafka_offset FROM raw"
    there = hive.query(f"{landed}.assessments UNION ALL {landed}.rejected_messages").rows
    assert sorted(there) == sorted((message.partition, message.offset) for message in consumed(settings))


@pytest.mark.usefixtures("nasty")
def test_a_rejected_message_keeps_its_bytes_and_says_what_is_wrong(settings: Settings, hive: Hive) -> None:
    kept = rows(hive, "raw.rejected_messages")
    refused = [record for record in consumed(settings) if not is_accepted(record.value)][: len(REJECTED)]
    assert [record.value for record in refused] == [value for value, _ in REJECTED]
    by_offset = {row["kafka_offset"]: row for row in kept}
    for record, (message, reason) in zip(refused, REJECTED, strict=True):
        row = by_offset[record.offset]
        encoded = row["message_base64"]
        assert (None if encoded is None else base64.b64decode(encoded)) == message
        assert base64.b64decode(row["key_base64"]).startswith(b"\xff key ")
        assert row["kafka_timestamp"] == record.timestamp
        assert reason in row["reason"]


@pytest.mark.usefixtures("nasty")
def test_every_table_with_nasty_messages_equals_the_independent_computation(settings: Settings, hive: Hive) -> None:
    assert_tables_are_right(settings, hive)


@pytest.mark.usefixtures("nasty")
def test_every_report_answers_in_spite_of_nasty_messages(run: Run) -> None:
    run("report")


# Faults


def loader(home: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "WAREHOUSE_HOME": str(home), "NO_COLOR": "1"}
    return subprocess.Popen([PROJECT / "warehouse", "land"], stderr=subprocess.PIPE, text=True, env=environment)


@pytest.mark.usefixtures("nasty")
def test_two_loaders_at_once_land_each_message_once(settings: Settings, hive: Hive) -> None:
    publish(settings, *(text(attempt(f"raced {number}")) for number in range(5)))
    loaders = [loader(settings.home) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[1] for process in loaders]
    for code, line in zip((process.returncode for process in loaders), outputs, strict=True):
        assert (code, "another land is running here" in line) in ((0, False), (1, True))
    assert sum("landed 5 messages" in line for line in outputs) == 1
    landed = hive.query("SELECT kafka_partition, kafka_offset FROM raw.assessments").rows
    accepted = [(record.partition, record.offset) for record in consumed(settings) if is_accepted(record.value)]
    assert sorted(landed) == sorted(accepted)


@pytest.mark.long
@pytest.mark.usefixtures("nasty")
def test_beeline_runs_every_file_unmodified(
    run: Run, settings: Settings, hive: Hive, quick_build: Callable[..., None]
) -> None:
    for file in sqlfile.files("[0-3]_*"):
        if file.name not in ("ops.metastore", "ops.candidate"):
            run("beeline", *beeline_words(settings, file))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda file: run("beeline", *beeline_words(settings, file)), sqlfile.files("4_*")))
    hive.query("REFRESH TABLE flat.messages_v1")
    quick_build()
    with Hive(settings) as fresh:
        assert_tables_are_right(settings, fresh)
