"""What `keep_months` means: the days, the messages and the files, without servers."""

from __future__ import annotations

import datetime
import gzip
from pathlib import Path
from typing import Any

import pytest
from contract_messages import RULES_OF_CONTRACT as RULES
from messages import attempt, text
from test_worker import PLACE

from etl import settings as settings_module
from etl.build import retention
from etl.errors import UsageError
from etl.land import choice, raw_lines, rewrite, spark_job
from etl.land.check_message import Accepted, contract
from etl.servers import kafka
from etl.settings import Settings
from etl.store import erasures

ACCEPTED, REJECTED = spark_job.ACCEPTED, spark_job.REJECTED
DAY = 86_400_000


def keeping(tmp_path: Path, **months: int) -> Settings:
    tables = {name.replace("__", "."): count for name, count in months.items()}
    return settings_module.load(home=tmp_path, keep_months=tables)


@pytest.mark.parametrize(
    ("today", "months", "day"),
    [("2026-05-31", 3, "2026-02-01"), ("2026-05-01", 5, "2025-12-01"), ("2026-01-15", 24, "2024-01-01")],
)
def test_a_table_keeps_whole_months(today: str, months: int, day: str, tmp_path: Path) -> None:
    (end,) = retention.ends(keeping(tmp_path, raw__assessments=months), datetime.date.fromisoformat(today)).values()
    assert (f"{end:%Y-%m-%d}", end.utcoffset()) == (day, datetime.timedelta(0))


@pytest.mark.parametrize("table", ["flat.messages", "marts.exams", "raw.assesments", "ops.releases"])
def test_a_table_that_follows_from_others_or_does_not_exist_is_refused(table: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"keep_months cannot limit {table}; (it may name|did you mean)"):
        retention.ends(settings_module.load(home=tmp_path, keep_months={table: 3}), datetime.date(2026, 5, 1))


def lines(*published: int, is_accepted: bool) -> bytes:
    """A file of messages that were published on these days since 1970, at offsets from 0 on."""
    value, content = text(attempt("a")) if is_accepted else b"no json", b""
    for offset, day in enumerate(published):
        envelope = PLACE._replace(offset=offset, timestamp=day * DAY if day >= 0 else -1)
        verdict = contract(*RULES).check(value)
        if isinstance(verdict, Accepted):
            content += raw_lines.line_accepted(envelope, verdict).encode() + b"\n"
        else:
            content += raw_lines.line_rejected(envelope, verdict.reason, value).encode() + b"\n"
    return gzip.compress(content)


def left_out(table: str, content: bytes, chosen: choice.Choice) -> list[int]:
    gone: list[Any] = []
    list(rewrite._kept(content, table, chosen, gone, []))
    return [offset for _, _, offset in gone]


def test_messages_published_before_the_day_are_left_out_by_table() -> None:
    chosen = choice.older_than({ACCEPTED: 10 * DAY}, set())
    assert left_out(ACCEPTED, lines(9, 10, 11, -1, 0, is_accepted=True), chosen) == [0, 4]
    assert left_out(REJECTED, lines(9, is_accepted=False), chosen) == []


def test_a_rejected_message_that_a_replay_accepted_is_kept_as_long_as_the_accepted_one() -> None:
    content = lines(5, 5, is_accepted=False)
    replayed = {(PLACE.partition, 1)}
    assert left_out(REJECTED, content, choice.older_than({REJECTED: 10 * DAY}, replayed)) == [0]
    assert left_out(REJECTED, content, choice.older_than({ACCEPTED: 10 * DAY}, replayed)) == [1]


class Files:
    """Folders of HDFS in memory."""

    def __init__(self, **held: list[str]) -> None:
        self.held, self.stored = held, {}  # type: ignore[var-annotated]

    def files(self, _: str, table: str) -> list[tuple[str, int]]:
        return [(name, 7) for name in self.held.get(table, [])]

    def names(self, *_: str) -> list[str]:
        return sorted(self.stored)

    def rows(self, *path: str) -> Any:
        return self.stored[path[-1]]

    def put_rows(self, rows: Any, *path: str) -> None:
        self.stored[path[-1]] = rows


def test_results_of_old_validations_go_and_the_newest_stays(tmp_path: Path) -> None:
    hdfs: Any = Files(topic_offsets_v1=["r20250101T000000000000.json", "r20260202T000000000000.json"])
    limits = retention.ends(keeping(tmp_path, ops__topic_offsets=3), datetime.date(2026, 5, 1))
    assert retention._files(hdfs, limits) == [
        ("ops.topic_offsets", "ops/topic_offsets_v1/r20250101T000000000000.json", 7)
    ]
    hdfs.held["topic_offsets_v1"].pop()
    assert retention._files(hdfs, limits) == []
    hdfs.held["topic_offsets_v1"] = ["a copy.json", "r20260202T000000000000.json"]
    assert retention._files(hdfs, limits) == []


def test_an_empty_warehouse_has_no_landing_that_may_lose_messages() -> None:
    hdfs: Any = Files()
    assert retention._last(hdfs) == 0


def test_raw_tables_are_rewritten_once_a_month(tmp_path: Path) -> None:
    hdfs: Any = Files()
    own = keeping(tmp_path, raw__assessments=3)
    may, june = (retention.ends(own, datetime.date(2026, month, 7)) for month in (5, 6))
    assert list(retention._due(hdfs, may)) == ["raw.assessments"]
    erasures.record_expiry(hdfs, {"raw.assessments": "2026-02-01"})
    assert list(retention._due(hdfs, may)) == [] and list(retention._due(hdfs, june)) == ["raw.assessments"]
    assert erasures.read(own, hdfs) is None, "no attempt was erased"


@pytest.mark.parametrize(("days", "words"), [(None, "forever"), (400.0, "for 400 days"), (60.0, "")])
def test_kafka_must_not_keep_longer(
    days: float | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "retention_days", lambda _: days)
    assert words in retention.longer_in_kafka(keeping(tmp_path, raw__assessments=2))
    assert bool(retention.longer_in_kafka(keeping(tmp_path, raw__assessments=2))) == bool(words)
    assert retention.longer_in_kafka(keeping(tmp_path)) == ""
