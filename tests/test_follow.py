"""`land --follow` on no servers: what it does when a step fails, waits or is interrupted."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from etl.build import follow
from etl.errors import BusyError, ExpectationError, ServerError
from etl.land.land import Landed
from etl.settings import Settings
from etl.store.lock import exclusive


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
    came, messages = iter(faults), list[str]()

    def land(*_: object) -> object:
        raise next(came)

    monkeypatch.setattr(follow, "land", land)
    with follow.stopped_by_signals() as stop, pytest.raises(ExpectationError):
        follow.follow(settings_of_nothing, messages.append, stop)
    assert messages == ["no broker at 127.0.0.1:9; retrying in 0 s", "another land; retrying in 0 s"]


def test_what_was_landed_is_built_after_a_failed_build_though_nothing_more_comes(
    settings_of_nothing: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed = iter([Landed(1, []), Landed(0, [])])
    builds, messages = list[int](), list[str]()
    monkeypatch.setattr(follow, "has_landings", lambda _: False)
    monkeypatch.setattr(follow, "land", lambda *_: next(landed))
    with follow.stopped_by_signals() as stop:

        def build(*_: object, **__: object) -> None:
            builds.append(1)
            if len(builds) == 1:
                raise ServerError("no Spark at 127.0.0.1:9")
            stop.set()

        monkeypatch.setattr(follow, "build", build)
        follow.follow(settings_of_nothing, messages.append, stop)
    assert len(builds) == 2 and messages == ["no Spark at 127.0.0.1:9; retrying in 0 s"]


def test_what_keeps_house_waits_for_a_step_to_end(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with contextlib.ExitStack() as step:
        step.enter_context(exclusive(settings, "build"))
        with pytest.raises(BusyError, match="another build is running here"), exclusive(settings, "build"):
            pass
        ends = threading.Timer(0.5, step.close)
        ends.start()
        with exclusive(settings, "build", patience=20):
            assert ends.finished.is_set()


def test_the_second_signal_interrupts() -> None:
    with follow.stopped_by_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
