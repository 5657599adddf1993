"""Conditions that fail and become good again, and who is notified: real receivers that are slow, away or answer 500."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import opened
from playwright.sync_api import Browser, expect
from pydantic import SecretStr
from receiver import Receiver, receiving
from test_cli import start

from etl.catalog.catalog_pages import write_start
from etl.cli.shared import recorded
from etl.cli.shared import state as call
from etl.errors import BusyError, ExpectationError
from etl.monitoring import conditions
from etl.settings import Settings


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def lines() -> list[str]:
    """What the commands say."""
    return []


def settings_of(home: Path, target: str | None) -> Settings:
    return Settings(home=home, notify=SecretStr(target) if target else None)


def test_a_failure_is_reported_once_and_so_is_its_end(tmp_path: Path, receiver: Receiver, lines: list[str]) -> None:
    settings = settings_of(tmp_path, receiver.url)
    assert not conditions.record(settings, "build", None, lines.append)
    assert conditions.record(settings, "build", "release 7 is not published", lines.append)
    assert not conditions.record(settings, "build", "release 8 is not published", lines.append)
    assert conditions.record(settings, "build", None, lines.append)
    assert not conditions.record(settings, "build", None, lines.append)
    assert receiver.reports == [("build", False), ("build", True)] and lines == []
    first, second = receiver.documents
    assert first["message"] == "release 7 is not published" and first["topic"] == "assessments"
    assert set(first) == set(second) and first["since"].endswith("Z")


def test_each_condition_counts_for_itself(tmp_path: Path, receiver: Receiver, lines: list[str]) -> None:
    settings = settings_of(tmp_path, receiver.url)
    for condition in ("landing", "follower"):
        conditions.record(settings, condition, "lost", lines.append)
    conditions.record(settings, "landing", None, lines.append)
    assert [record["condition"] for record in conditions.failing(settings)] == ["follower"]
    assert receiver.reports == [("landing", False), ("follower", False), ("landing", True)]


@pytest.mark.parametrize("condition_is_good", [False, True])
def test_what_could_not_be_delivered_is_sent_by_the_next_command(
    condition_is_good: bool, tmp_path: Path, receiver: Receiver, lines: list[str]
) -> None:
    settings = settings_of(tmp_path, receiver.url)
    if condition_is_good:
        conditions.record(settings, "landing", "lost", lines.append)
    fault = None if condition_is_good else "lost"
    receiver.code = 500
    conditions.record(settings, "landing", fault, lines.append)
    assert lines == ["the notification about landing was not delivered: its URL answers 500"]
    assert bool(conditions.failing(settings)) is not condition_is_good
    receiver.code = 204
    receiver.documents.clear()
    for _ in range(2):
        conditions.record(settings, "landing", fault, lines.append)
    assert receiver.reports == [("landing", condition_is_good)] and len(lines) == 1


def test_the_end_of_a_failure_that_was_never_delivered_is_not_reported(
    tmp_path: Path, receiver: Receiver, lines: list[str]
) -> None:
    settings = settings_of(tmp_path, receiver.url)
    receiver.code = 302
    conditions.record(settings, "landing", "lost", lines.append)
    receiver.code = 200
    conditions.record(settings, "landing", None, lines.append)
    assert receiver.reports == [("landing", False)] and not conditions.failing(settings)


def test_a_receiver_that_does_not_answer_delays_nothing(
    tmp_path: Path, receiver: Receiver, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conditions, "SECONDS", 0.1)
    receiver.answers.clear()
    conditions.record(settings_of(tmp_path, receiver.url), "landing", "lost", lines.append)
    assert receiver.documents == [] and len(lines) == 1 and "was not delivered" in lines[0]


NOWHERE = {
    "http://127.0.0.1:1/t0ken": "its URL cannot be reached (ConnectionError)",
    "http://[t0ken": "its URL cannot be reached (InvalidURL)",
    "no-such-program t0ken": "its command does not run: [Errno 2] No such file or directory: 'no-such-program'",
    "false t0ken": "its command ended with exit code 1",
    "sleep 60": "its command was ended after 0 s",
    "'t0ken": "its command does not run: No closing quotation",
    "  ": "its command is blank",
}


@pytest.mark.parametrize("target", NOWHERE)
def test_a_receiver_that_is_away_fails_nothing_and_no_secret_is_shown(
    target: str, tmp_path: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conditions, "SECONDS", 0.3)
    settings = settings_of(tmp_path, target)
    assert conditions.record(settings, "landing", "lost", lines.append)
    assert lines == [f"the notification about landing was not delivered: {NOWHERE[target]}"]
    assert conditions.failing(settings)[0]["message"] == "lost"
    assert "t0ken" not in repr(settings)


def test_a_command_gets_the_document_as_its_input(tmp_path: Path, lines: list[str]) -> None:
    program = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"
    words = [sys.executable, "-c", program, str(tmp_path / "got")]
    conditions.record(settings_of(tmp_path, shlex.join(words)), "validation", "3 rows fail", lines.append)
    assert json.loads((tmp_path / "got").read_text())["message"] == "3 rows fail" and lines == []


def test_a_record_that_is_damaged_counts_as_none(tmp_path: Path, lines: list[str]) -> None:
    settings = settings_of(tmp_path, None)
    conditions.record(settings, "landing", "lost", lines.append)
    (tmp_path / "conditions" / "landing.json").write_text('{"is_good": false')
    assert conditions.failing(settings) == []
    assert conditions.record(settings, "landing", "lost", lines.append)
    assert len(conditions.failing(settings)) == 1


def test_the_error_of_a_command_is_recorded_and_another_process_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(call, "flags", {"home": str(tmp_path)})
    settings = settings_of(tmp_path, None)
    with pytest.raises(BusyError), recorded("build"):
        raise BusyError("another build is running here")
    assert conditions.failing(settings) == []
    with pytest.raises(ExpectationError), recorded("build"):
        raise ExpectationError("release 7 is not published", "see the page")
    assert conditions.failing(settings)[0]["message"] == "release 7 is not published; see the page"
    assert "Build fails" in (settings.reports / "index.html").read_text()
    with recorded("build"):
        pass
    assert "Build fails" not in (settings.reports / "index.html").read_text()


@pytest.mark.parametrize(
    ("command", "condition"),
    [("land", "landing"), ("land --follow", "follower"), ("build", "build"), ("validate", "validation")],
)
def test_each_command_reports_the_condition_that_it_stands_for(
    command: str, condition: str, tmp_path: Path, receiver: Receiver
) -> None:
    done = start(tmp_path, *command.split(), WAREHOUSE_NOTIFY=receiver.url)
    assert receiver.reports == [(condition, False)]
    assert done.stderr == f"warehouse: {receiver.documents[0]['message']}\n"
    assert done.returncode == 1 and f"{condition} fails" in (tmp_path / "reports/index.html").read_text().lower()


def test_the_start_page_shows_a_failure_red_named_and_first(tmp_path: Path, browser: Browser, lines: list[str]) -> None:
    settings = settings_of(tmp_path, None)
    conditions.record(settings, "landing", "<b>lost</b> 0:100-199", lines.append)
    with opened(browser, write_start(settings).as_uri()) as page:
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("Landing fails <b>lost</b> 0:100-199 Since 20", use_inner_text=True)
        colour = alert.locator("h2").evaluate("(e) => getComputedStyle(e).color.match(/[0-9]+/g).map(Number)")
        assert colour[0] > 2 * max(colour[1:])
        assert page.evaluate("document.querySelector('[role=alert]').compareDocumentPosition("
                             "document.querySelector('.cards')) & Node.DOCUMENT_POSITION_FOLLOWING")  # fmt: skip
