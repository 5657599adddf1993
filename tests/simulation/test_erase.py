"""Erasing an attempt, killed and interrupted at any call: then no file holds it, and nothing else is missing."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from hdfs_in_memory import FakeHdfs
from histories import Failed, Reached, after, check, complete, stopped
from hive_in_memory import FakeHive
from reliability import Case
from simulated_core import simulated
from world import COMMANDS, MEANWHILE, Process, Step

from etl.build import erase
from etl.land import rewrite
from etl.store import ledger

BUSY = "land build land replay build land build compact land build land"
CASE, OUTCOME = "Erasing an attempt, simulated servers", "no file holds the attempt, all others are whole"


# What a step of the erasure does instead, and where that leaves something behind.
LEFT_OUT: dict[str, Any] = {
    "the request": (erase.erasures, "publish_requests", lambda *_: None),
    "the lines": (erase, "rewrite", lambda *_: rewrite.Left()),
    "the event": (ledger.Ledger, "erase", lambda _: None),
    "the release": (erase, "build", lambda *_, **__: None),
    "the folders that counted before": (erase, "relist", lambda _: False),
    "what is old": (erase, "clean", lambda *_, **__: []),
    "the results": (erase, "_remove_results", lambda *_: None),
    "the topic": (erase.kafka, "delete_before", lambda *_: ""),
}


@pytest.mark.parametrize("step", LEFT_OUT)
def test_leaving_out_a_step_is_found(step: str) -> None:
    place, name, instead = LEFT_OUT[step]
    start = after(BUSY)
    with simulated(), mock.patch.object(place, name, instead), pytest.raises(Failed):
        check(start, [Step("erase")])


def test_results_that_name_another_attempt_stay() -> None:
    with simulated():
        FakeHdfs.world = world = after("land").world
        world.running.append(Process(Step("test")))
        hdfs = FakeHdfs(None)
        for number, attempt in enumerate(("ab", "xb", "a")):
            hdfs.put_rows([{"failing": attempt}], *erase.RESULTS, f"{number}.json")
        erase._remove_results(hdfs, ["ab"])  # type: ignore[arg-type]
        assert hdfs.names(*erase.RESULTS) == ["1.json", "2.json"]


def test_a_loader_that_read_the_offsets_before_cannot_land_them_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    start, real = after(BUSY), erase.land
    histories = [[Step("land", 1, at, MEANWHILE, Step("erase"))] for at in range(0, 60, 3)]
    for history in histories:
        check(start, history)
    with pytest.raises(Failed):
        monkeypatch.setattr(erase, "land", lambda *given, **_: real(*given))
        for history in histories:
            check(start, history)


def calls(start: Reached, command: str) -> int:
    """The calls that a command makes from a state."""
    with simulated():
        world = start.world.copy()
        FakeHdfs.world = FakeHive.world = world
        return len(world.run(Step(command)))


def test_it_is_completed_by_the_next_run_wherever_it_was_killed(case: Case) -> None:
    start, count = after(BUSY), 0
    with simulated():
        for end in stopped(start, "erase"):
            complete(end)
            count += end.count
    assert count > 500
    case(CASE, "killed before any call, and run again", OUTCOME, count)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_another_machine_may_run_within_it(command: str, case: Case) -> None:
    start = after(BUSY)
    ats = range(0, calls(start, "erase"), 31)
    for at in ats:
        check(start, [Step("erase", 0, at, MEANWHILE, Step(command, 1))])
    case(CASE, "a command of another machine before a call of it", OUTCOME, len(ats))


@pytest.mark.parametrize("command", COMMANDS)
def test_it_may_run_within_a_command_of_another_machine(command: str, case: Case) -> None:
    start = after(BUSY)
    ats = range(0, calls(start, command), 9)
    for at in ats:
        check(start, [Step(command, 1, at, MEANWHILE, Step("erase"))])
    case(CASE, "as a whole before a call of a command of another machine", OUTCOME, len(ats))


@pytest.mark.long
@pytest.mark.parametrize("command", COMMANDS)
def test_pairs_with_it_at_every_call(command: str) -> None:
    start = after(BUSY)
    for at in range(calls(start, "erase")):
        check(start, [Step("erase", 0, at, MEANWHILE, Step(command, 1))])
    for at in range(calls(start, command)):
        check(start, [Step(command, 1, at, MEANWHILE, Step("erase"))])
