"""`land --follow`: what is published is in the tables a little later, until it is told to stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest
from commands import Run
from comparing import assert_tables_are_right
from messages import attempt, publish, text
from reliability import Case
from test_faults import start

from etl.servers.hive import Hive
from etl.settings import Settings


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
@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_goes_on_until_it_is_stopped(number: int, settings: Settings, case: Case) -> None:
    command = start(settings, "land", "--follow", is_quick=True)
    try:
        for step in range(2):
            publish(settings, *(text(attempt(f"followed {number} {step}, {place}")) for place in range(3)), b"no json")
            assert seen(settings, f"followed {number} {step}, 2")
        command.send_signal(number)
        _, output = command.communicate(timeout=300)
    finally:
        command.kill()
    lines = output.splitlines()
    assert command.returncode == 0 and lines[-1].startswith("stopped; "), output
    assert all(line.startswith("landing ") for line in lines[:-1]) and len(lines) >= 3, output
    with Hive(settings) as hive:
        assert_tables_are_right(settings, hive)
    outcome = "the running step ends; exit code 0, tables right"
    case("`land --follow` stopped by a signal", signal.Signals(number).name, outcome)


@pytest.mark.long
@pytest.mark.usefixtures("nasty")
def test_a_killed_one_leaves_nothing_that_the_next_run_does_not_mend(
    settings: Settings, quick_build: Callable[..., None], run: Run, case: Case
) -> None:
    command = start(settings, "land", "--follow", is_quick=True)
    publish(settings, *(text(attempt(f"followed and killed {place}")) for place in range(3)))
    time.sleep(8)
    command.kill()
    command.communicate()
    run("land")
    quick_build()
    with Hive(settings) as hive:
        assert_tables_are_right(settings, hive)
    case("`land --follow` killed", "landed and built again", "0 lost, 0 duplicated, tables right")


# Without servers
