"""`status`, `check` and the metrics: what they say while messages wait, and when all are seen."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import Run, runner
from messages import attempt, publish, text
from receiver import receiving
from test_serve import serving

from etl.servers.hive import Hive
from etl.settings import PROJECT, Settings
from etl.sqlfile import split


def facts(run: Run) -> dict[str, Any]:
    """The facts of `status`."""
    return dict(json.loads(run("status", "--json").stdout)["facts"])


@pytest.fixture(autouse=True)
def nothing_fails(settings: Settings) -> None:
    """Forget the failures that tests of other modules have brought about."""
    shutil.rmtree(settings.home / "conditions", ignore_errors=True)


@pytest.mark.usefixtures("nasty")
def test_messages_that_wait_are_a_lag_until_readers_see_them(
    settings: Settings, run: Run, quick_build: Callable[..., None], tmp_path: Path
) -> None:
    before = facts(run)
    assert (before["lag_messages"], before["lag_seconds"], before["lost"], before["unknown"]) == (0, 0, None, [])
    assert before["landing"] == before["release_landing"] and before["release_since"] > before["landed_at"]
    assert not before["critical_failures"]
    publish(settings, *(text(attempt(f"waiting {number}")) for number in range(3)))
    waiting = facts(run)
    assert waiting["lag_messages"] == 3 and 0 < waiting["lag_seconds"] == waiting["age_seconds"] < 100
    assert waiting["newest_message_at"] > before["newest_message_at"]
    assert "3 messages are in Kafka that readers do not see yet" in run("check", "--max-lag", "2", code=3).stderr
    assert run("check", "--max-lag", "3", "--max-age", "1d").stderr.endswith("3 messages behind Kafka\n")
    run("land")
    landed = facts(run)
    assert (landed["landing"], landed["release"]) == (before["landing"] + 1, before["release"])
    assert landed["lag_messages"] == 3
    quick_build()
    seen = facts(run)
    assert (seen["lag_messages"], seen["lag_seconds"], seen["landing"]) == (0, 0, landed["landing"])
    assert seen["release_landing"] == seen["landing"] and seen["newest_message_at"] == waiting["newest_message_at"]
    assert "published until" in run("check", "--max-age", "0s", code=3).stderr
    run("status", "--metrics", str(tmp_path / "warehouse.prom"))
    with serving(tmp_path, lambda: settings) as served:
        scraped = served.get("/metrics")
    assert scraped.headers["content-type"].startswith("text/plain; version=")
    for metrics in ((tmp_path / "warehouse.prom").read_text(), scraped.text):
        values = dict(re.findall(r"^(warehouse_\w+) (\S+)$", metrics, re.MULTILINE))
        assert float(values["warehouse_release"]) == seen["release"] and float(values["warehouse_lag_messages"]) == 0
        assert float(values["warehouse_newest_message_timestamp_seconds"]) > 1.7e9
        assert "# HELP warehouse_lag_messages Offsets in Kafka that readers do not see yet" in metrics


@pytest.mark.usefixtures("nasty")
def test_what_a_command_finds_wrong_is_notified_and_shown_until_it_is_good_again(settings: Settings) -> None:
    start = settings.reports / "index.html"
    with receiving() as receiver:
        run = runner({"WAREHOUSE_HOME": str(settings.home), "WAREHOUSE_NOTIFY": receiver.url})
        run("--set", "topic=of-nobody", "land", code=1)
        run("check", "--max-age", "0s", code=3)
        assert "Landing fails" in start.read_text() and "Freshness fails" in start.read_text()
        assert "could not read topic of-nobody" in run("status").stdout
        run("land")
        run("check")
    assert "fails" not in start.read_text()
    assert receiver.reports == [("landing", False), ("freshness", False), ("landing", True), ("freshness", True)]
    assert receiver.documents[0]["topic"] == "of-nobody"
    assert receiver.documents[1]["message"].startswith("landing, since 20")


@pytest.mark.usefixtures("nasty")
@pytest.mark.long
def test_a_canary_reaches_the_views_and_no_figure_counts_it(
    settings: Settings, run: Run, quick_build: Callable[..., None]
) -> None:
    figures = [(PROJECT / "sql/4_reports" / f"{name}.sql").read_text() for name in ("completeness", "data_oddities")]
    with Hive(settings) as hive:
        canaries = "SELECT COUNT(*) FROM raw.canaries"
        run("validate")
        before = [hive.query(split(text)[0]).rows for text in figures], hive.query(canaries).rows[0][0]
        run("canary")
        assert facts(run)["lag_messages"] == 1
        landed = run("land").stderr
        assert "landed 0 messages, rejected 0" in landed and "without a message: 1" in landed
        quick_build()
        assert facts(run)["lag_messages"] == 0
        assert "offsets without" not in (validated := run("validate").stderr) and "absent" not in validated
        after = [hive.query(split(text)[0]).rows for text in figures], hive.query(canaries).rows[0][0]
    assert after == (before[0], before[1] + 1)


@pytest.mark.usefixtures("nasty")
def test_a_build_cleans_by_a_setting(run: Run) -> None:
    assert "paths that no release needs" not in run("build").stderr
    assert "paths that no release needs" in run("--set", "clean_after_build=true", "build").stderr
    assert json.loads(run("clean", "--json").stdout)["paths"] == []


def test_a_topic_of_nobody_is_a_server_that_does_not_say(run: Run) -> None:
    done = run("--set", "topic=of-nobody", "check", code=1)
    assert "could not read topic of-nobody" in done.stderr.splitlines()[-1]
