"""`land --follow`: what is published is in the tables a little later, until it is told to stop."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Run
from comparing import assert_tables_are_right
from messages import attempt, publish, text
from reliability import Case
from test_faults import QUICK

from etl.build import follow
from etl.errors import BusyError, ExpectationError, ServerError
from etl.land import land
from etl.servers.hive import Hive
from etl.settings import PROJECT, Settings


def started(settings: Settings, suites: Path) -> subprocess.Popen[str]:
    """`./warehouse land --follow`, validating by these suites."""
    environment = {**os.environ, "WAREHOUSE_HOME": str(settings.home), "NO_COLOR": "1", "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", QUICK, str(suites), "land", "--follow"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


def seen(settings: Settings, name: str, seconds: float = 300) -> bool:
    """Whether readers see an attempt of this exam, in time."""
    ends = time.monotonic() + seconds
    with Hive(settings) as hive:
        while time.monotonic() < ends:
            if hive.query(f"SELECT COUNT(*) FROM flat.attempts WHERE exam_name = '{name}'").rows[0][0]:
                return True
            time.sleep(0.5)
    return False


@pytest.mark.usefixtures("nasty")
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
def test_it_goes_on_until_it_is_stopped(number: int, settings: Settings, suites: Path, case: Case) -> None:
    command = started(settings, suites)
    try:
        for step in range(2):
            publish(settings, *(text(attempt(f"followed {number} {step}, {one}")) for one in range(3)), b"no json")
            assert seen(settings, f"followed {number} {step}, 2")
        command.send_signal(number)
        _, said = command.communicate(timeout=300)
    finally:
        command.kill()
    lines = said.splitlines()
    assert command.returncode == 0 and lines[-1].startswith("stopped; "), said
    assert all(line.startswith("landing ") for line in lines[:-1]) and len(lines) >= 3, said
    with Hive(settings) as hive:
        assert_tables_are_right(settings, hive)
    told = "the step at work ends; exit code 0, tables right"
    case("`land --follow` stopped by a signal", signal.Signals(number).name, told)


@pytest.mark.usefixtures("nasty")
def test_a_killed_one_leaves_nothing_that_the_next_run_does_not_mend(
    settings: Settings, suites: Path, quick_build: Callable[..., None], run: Run, case: Case
) -> None:
    command = started(settings, suites)
    publish(settings, *(text(attempt(f"followed and killed {one}")) for one in range(3)))
    time.sleep(8)
    command.kill()
    command.communicate()
    run("land")
    quick_build()
    with Hive(settings) as hive:
        assert_tables_are_right(settings, hive)
    case("`land --follow` killed", "landed and built again", "0 lost, 0 doubled, tables right")


# Without servers


@pytest.fixture
def settings_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(follow, "PATIENCE", 0.01)
    monkeypatch.setattr(follow, "PAUSE", 0.01)
    monkeypatch.setattr(follow, "has_landings", lambda _: True)
    return Settings(home=tmp_path)


def test_a_server_that_fails_is_asked_again_and_an_unmet_expectation_ends_it(
    settings_of_nothing: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [ServerError("no broker at 127.0.0.1:9"), BusyError("another land"), ExpectationError("not published")]
    came, said = iter(faults), list[str]()

    def land(*_: object) -> object:
        raise next(came)

    monkeypatch.setattr(follow, "land", land)
    with follow.stopped_by_signals() as stop, pytest.raises(ExpectationError):
        follow.follow(settings_of_nothing, said.append, stop)
    assert said == ["no broker at 127.0.0.1:9; asked again in 0 s", "another land; asked again in 0 s"]


def test_what_keeps_house_waits_for_a_step_to_end(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with contextlib.ExitStack() as step:
        step.enter_context(land.alone(settings, "build"))
        with pytest.raises(BusyError, match="another build is at work here"), land.alone(settings, "build"):
            pass
        ends = threading.Timer(0.5, step.close)
        ends.start()
        with land.alone(settings, "build", patience=20):
            assert ends.finished.is_set()


def test_the_second_signal_interrupts() -> None:
    with follow.stopped_by_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
