"""The commands as they are on servers in memory: killed, interrupted and robbed of answers at every call.

Behind every change readers are asked: they see exactly one release that was published, whole, and each raw message
once. Behind every history a last build must leave what the plain model says. What fails is printed as Python.
"""

from __future__ import annotations

import histories
import mutants
import pytest
from histories import Failed, Step, after, check, check_pairs, check_random, check_stops, fails, run, shrunk, simulated

BUSY = "land build land build compact land build land"


def test_commands_stopped_before_any_of_their_calls_lose_and_double_nothing() -> None:
    assert check_stops(after(BUSY), depth=2) > 100_000


def test_a_command_of_another_machine_may_run_before_any_call() -> None:
    assert check_pairs(after(BUSY)) > 4_000


def test_what_chance_brings_loses_and_doubles_nothing() -> None:
    starts = [after(commands) for commands in ("", "land build", "land land build land build land", f"{BUSY} compact")]
    check_random(starts, 1_000)


@pytest.mark.long
def test_what_chance_brings_loses_and_doubles_nothing_for_long() -> None:
    starts = [after(commands) for commands in ("", "land build", "land land build land build land", f"{BUSY} compact")]
    check_random(starts, 50_000, seed=1_000)
    check_stops(after("land land build land build"), depth=2)
    check_pairs(after("land land build land build"))


@pytest.mark.parametrize(
    ("mutant", "start", "tried"), mutants.MUTANTS, ids=[mutant.__name__ for mutant, _, _ in mutants.MUTANTS]
)
def test_a_fault_in_the_core_is_found(mutant: mutants.Patches, start: str, tried: list[list[Step]]) -> None:
    state = after(start)
    with simulated():
        with mutants.mutated(mutant), pytest.raises(Failed) as found:
            for steps in tried:
                check(state, steps)
        run(found.value.history)


def test_a_history_that_fails_is_shrunk_and_printed_as_what_runs_again() -> None:
    noise = [Step("land"), Step("repair"), Step("build"), Step("rollback"), Step("land", 1), Step("reject")]
    with simulated(), mutants.mutated(mutants.clean_unlisted_landings):
        history = [*noise, Step("clean", 0, 8, histories.MEANWHILE, Step("land", 1))]
        short = shrunk(history, fails)
        assert [step.command for step in short] == ["land", "build", "clean"]
        with pytest.raises(AssertionError):
            eval(str(Failed(short)), {"run": run, "Step": Step})  # noqa: S307
