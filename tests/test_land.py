"""What a landing takes from a topic, and which contract holds, without a server."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest

from etl.errors import BusyError, ExpectationError, UsageError, WarehouseError
from etl.land import compact, offsets, spark_job
from etl.land.land import Landed
from etl.servers.kafka import Topic
from etl.settings import load
from etl.store import contract, lock
from etl.store.landings import Folder


def topic(**partitions: tuple[int, int]) -> Topic:
    return Topic("exams", "id one", {int(name[1:]): held for name, held in partitions.items()})


def row(partition: int, end: int, topic_id: str = "id one") -> dict[str, Any]:
    return {"kafka_partition": partition, "end_offset": end, "topic_id": topic_id}


def spans(rows: list[dict[str, Any]]) -> list[tuple[int, int, int, int]]:
    names = ("kafka_partition", "start_offset", "end_offset", "lost_count")
    return [tuple(row[name] for name in names) for row in rows]  # type: ignore[misc]


def test_the_first_landing_starts_where_kafka_does() -> None:
    assert spans(offsets.ranges(topic(p0=(7, 9), p1=(0, 0)), [], set())) == [(0, 7, 9, 0), (1, 0, 0, 0)]


def test_the_next_one_starts_where_the_newest_ended_and_takes_added_partitions_whole() -> None:
    assert spans(offsets.ranges(topic(p0=(2, 9), p1=(0, 4)), [row(0, 5)], set())) == [(0, 5, 9, 0), (1, 0, 4, 0)]


LOST = topic(p0=(5, 9), p1=(3, 4), p2=(8, 8)), [row(0, 5), row(2, 2)]


@pytest.mark.parametrize("named", ["", "1:0-2", "2:2-7"])
def test_offsets_that_kafka_lost_end_the_landing_and_are_named(named: str) -> None:
    with pytest.raises(ExpectationError) as caught:
        offsets.ranges(*LOST, offsets.gaps_of([named] if named else []))
    assert "lost 9 offsets" in str(caught.value) and "--accept-loss 1:0-2,2:2-7" in str(caught.value)


@pytest.mark.parametrize("named", [["1:0-2,2:2-7"], ["2:2-7", "1:0-2"], ["1:0-2, 2:2-7"]])
def test_losses_that_are_all_named_are_accepted_and_counted(named: list[str]) -> None:
    ranges = offsets.ranges(*LOST, offsets.gaps_of(named))
    assert spans(ranges) == [(0, 5, 9, 0), (1, 3, 4, 3), (2, 8, 8, 6)]


@pytest.mark.parametrize(("named", "words"), [("0:0-4", "did not lose 0:0-4"), ("1:0-1", "did not lose 1:0-1")])
def test_a_loss_that_is_none_is_not_accepted(named: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        offsets.ranges(*LOST, {named})
    with pytest.raises(UsageError, match="land without --accept-loss"):
        offsets.ranges(topic(p0=(0, 9)), [], {named})


@pytest.mark.parametrize("typed", ["", "0", "0:1", "0:1-", "a:1-2", "0:1-2;"])
def test_a_loss_is_named_by_partition_and_offsets(typed: str) -> None:
    with pytest.raises(UsageError, match="partition:first-last"):
        offsets.gaps_of([typed])


def test_a_topic_that_ends_before_what_was_landed_is_refused() -> None:
    with pytest.raises(ExpectationError, match=r"ends at offset 4, but was landed up to 5: .*another WAREHOUSE_"):
        offsets.ranges(topic(p0=(0, 4)), [row(0, 5)], set())


def test_a_topic_that_was_made_anew_is_refused() -> None:
    with pytest.raises(WarehouseError, match=r"its id is id one, not id two; .*another WAREHOUSE_WAREHOUSE_ROOT"):
        offsets.ranges(topic(p0=(0, 9)), [row(0, 5, "id two")], set())


def test_an_open_transaction_before_the_first_offset_ends_nothing() -> None:
    assert spans(offsets.ranges(topic(p0=(9, 7)), [row(0, 5)], {"0:5-8"})) == [(0, 9, 9, 4)]


def add_version(sql: Path, number: int, *changes: tuple[str, str]) -> None:
    """Write the next version of the contract: the one before with changes."""
    old = (sql / "1_raw" / f"assessments_v{number - 1}.sql").read_text()
    new = old.replace(f"assessments_v{number - 1}", f"assessments_v{number}")
    for before, after in changes:
        assert before in new
        new = new.replace(before, after)
    (sql / "1_raw" / f"assessments_v{number}.sql").write_text(new)


def landed(partition: int, start: int, end: int, **counts: int) -> dict[str, Any]:
    none = dict.fromkeys(("accepted_count", "rejected_count", "absent_count", "erased_count", "lost_count"), 0)
    return none | {"kafka_partition": partition, "start_offset": start, "end_offset": end} | counts


def test_a_landing_names_its_offsets_and_those_that_brought_no_message() -> None:
    rows = [landed(0, 3, 9, absent_count=1_200, lost_count=2), landed(1, 5, 5), landed(2, 0, 1, erased_count=1)]
    words = ", offsets 3-8 of partition 0, offsets 0-0 of partition 2"
    notes = "; offsets without a message: 1,200; offsets of erased attempts: 1; offsets lost in Kafka: 2"
    assert Landed(4, rows).spans == words + notes
    assert Landed(0, [landed(0, 3, 3)]).spans == ""


def test_a_second_command_of_a_machine_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    settings = load(home=tmp_path / "home")
    with lock.exclusive(settings, "land"):
        with pytest.raises(BusyError, match="another land is running here"), lock.exclusive(settings, "land"):
            pass
        with lock.exclusive(settings, "build"):
            pass
    with lock.between_steps(settings):
        pass


SMALL, HALF, LARGE = 1 << 20, compact.SMALL_BYTES - 1, compact.SMALL_BYTES


@pytest.mark.parametrize(
    ("sizes", "runs"),
    [
        ([], []),
        ([SMALL, SMALL, SMALL], [[1, 2, 3]]),
        ([SMALL, LARGE, SMALL, SMALL], [[1], [2], [3, 4]]),
        ([HALF, HALF, 2, 1], [[1, 2, 3], [4]]),
        ([HALF, HALF, 3], [[1, 2], [3]]),
    ],
)
def test_small_neighbors_are_merged_up_to_a_size(sizes: list[int], runs: list[list[int]]) -> None:
    folders = [Folder(0, number, f"landings/landing={number}") for number in range(1, len(sizes) + 1)]
    hdfs: Any = types.SimpleNamespace(size=lambda _, name: sizes[int(name.partition("=")[2]) - 1])
    assert [[folder.last for folder in run] for run in compact.runs(hdfs, folders)] == runs


def test_the_newest_version_is_the_contract(sql: Path) -> None:
    assert contract.newest().table == "raw.assessments_v1"
    for number in range(2, 11):
        add_version(sql, number)
    assert contract.newest().table == "raw.assessments_v10"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            "attempt: BIGINT",
            "attempt: STRING",
            "makes $.sequences.attempt string, which is bigint in raw.assessments_v1",
        ),
        ("attempt: BIGINT,", "", "leaves out $.sequences.attempt, which is bigint"),
        ("attempt: BIGINT", "attempt: ARRAY<BIGINT>", "makes $.sequences.attempt array, which is bigint"),
        ("checked: BOOLEAN", "checked: STRING", "makes $.sequences.questions[].options[].checked string"),
        ("exam_name: STRING", "examname: STRING", "leaves out $.exam_name, which is string"),
    ],
)
@pytest.mark.case("Contract `_v2` that changes a type or drops a field", "landed", "refused, path and both types named")
def test_a_version_that_does_more_than_add_is_refused(before: str, after: str, words: str, sql: Path) -> None:
    add_version(sql, 2, (before, after))
    with pytest.raises(UsageError) as caught:
        contract.newest()
    assert words in str(caught.value) and "assessments_v2.sql" in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("-- Required: keen_id", "-- Requires: keen_id"),
        ("-- Limit: 65,536 bytes", "-- Limit: 64 kB"),
        ("-- Limit: 65,536 bytes", "-- Longest: 65,536 bytes"),
    ],
)
def test_a_contract_without_required_fields_or_limit_is_refused(before: str, after: str, sql: Path) -> None:
    add_version(sql, 2, (before, after))
    with pytest.raises(
        UsageError, match=r"assessments_v2\.sql does not say which messages .*`-- Required: field, field`"
    ):
        spark_job.limits(contract.newest())
