"""The commands as they are on servers in memory: killed, interrupted and robbed of answers at every call.

Behind every change readers are asked: they see exactly one release that was published, whole, and each raw message
once. Behind every history a last build must leave what the plain model says. What fails is printed as Python.
"""

from __future__ import annotations

from collections.abc import Iterator

import mutants
import pytest
from hdfs_in_memory import FakeHdfs
from histories import (
    Failed,
    Reached,
    after,
    check,
    check_behind,
    check_pairs,
    check_random,
    check_stops,
    fails,
    shrunk,
)
from hive_in_memory import FakeHive, Metastore
from reliability import Case
from simulated_core import simulated
from world import COMMANDS, KILLED, LATE, MEANWHILE, Process, Step, Violation, World, check_readers, run

BUSY = "land build land build compact land build land"
OUTCOME = "nothing lost, nothing doubled, readers saw whole releases"


def test_commands_stopped_before_any_of_their_calls_lose_and_double_nothing(case: Case) -> None:
    count = check_stops(after(BUSY), depth=2)
    assert count > 100_000
    case("Simulated servers", "two commands, each killed before any call, and a build", OUTCOME, count)


def test_a_command_of_another_machine_may_run_before_any_call(case: Case) -> None:
    count = check_pairs(after(BUSY))
    assert count > 3_500
    case("Simulated servers", "a command of another machine before any call of one", OUTCOME, count)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_behind_two_compactions_and_a_clean_shows_nobody_what_was_removed(command: str, case: Case) -> None:
    count = check_behind(after(BUSY), command, "build compact land build land build compact clean")
    case("Simulated servers", "two compactions and a clean of another machine before any call of one", OUTCOME, count)


def set_back(start: Reached, command: str) -> Iterator[tuple[World, World]]:
    """Of each view that a suspended command sets back: the state behind that call, and behind the command."""
    with simulated():
        for at, name in enumerate(run_on(start.world.copy(), Step(command))):
            if name.startswith("ALTER VIEW"):
                world, behind = start.world.copy(), []
                world.record = lambda changed, calls, world=world, behind=behind, at=at: behind.extend(
                    [changed.copy()] if len(world.running) == 1 and calls == at + 1 else []
                )
                meanwhile = Step("build compact land build land build compact clean", 1)
                run_on(world, Step(command, 0, at, MEANWHILE, meanwhile))
                yield behind[0], world


def test_a_view_that_a_suspended_command_sets_back_is_right_when_it_or_clean_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one limit: a metastore has no compare-and-swap for views, so a query finds fewer rows until then."""
    is_wrong = []
    for command in COMMANDS:
        with monkeypatch.context() as patch:
            patch.setattr("world.check_readers", lambda _: None)
            for behind, ended in set_back(after(BUSY), command):
                is_wrong.append(not is_right(behind))
                run_on(behind, Step("clean", 1))
                assert is_right(behind) and is_right(ended)
    assert any(is_wrong)


def is_right(world: World) -> bool:
    """Whether readers see a whole release."""
    FakeHdfs.world = FakeHive.world = world
    world.running.append(Process(Step("test")))
    try:
        with simulated():
            check_readers(world)
    except Violation:
        return False
    finally:
        world.running.pop()
    return True


def run_on(world: World, step: Step) -> list[str]:
    """Run a step on a state; the names of its calls."""
    FakeHdfs.world = FakeHive.world = world
    return world.run(step)


def test_what_chance_brings_loses_and_doubles_nothing(case: Case) -> None:
    count = check_random(starts(), 3_000)
    case("Simulated servers", "kills, lost answers, up to three machines at once, by chance", OUTCOME, count)


def test_a_release_whose_candidate_was_moved_while_the_suites_read_it_is_not_published() -> None:
    start = after("land build land")
    with simulated():
        at = run_on(start.world.copy(), Step("build")).index("validate")
    check(start, [Step("build", 0, at, MEANWHILE, Step("repair", 1))])


def test_a_replay_leaves_out_what_another_machine_landed_after_it_began() -> None:
    for at in range(40):
        run([Step("replay", 0, at, MEANWHILE, Step("land", 1)), Step("replay")])


def test_a_table_is_retired_though_commands_at_work_meanwhile_saved_no_hash_of_its_views() -> None:
    for at in range(60, 100, 3):
        for inner in range(40, 100, 3):
            rejected = Step("reject", 0, inner, LATE)
            first = Step("land", 0, 13, MEANWHILE, Step("build", 1, at, MEANWHILE, rejected))
            run([Step("replay", 1), first, Step("clean"), Step("retire", 1, 0, KILLED)])


def test_landings_and_the_log_alone_bring_everything_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a restore from a backup without flat and marts; readers see no rows between the two commands."""
    world = run([Step(command) for command in f"{BUSY} compact land build".split()])
    world.metastore = Metastore()
    for folder in ("flat", "marts"):
        world.files.pop(folder)
    with monkeypatch.context() as patch, simulated():
        patch.setattr("world.check_readers", lambda _: None)
        world.run(Step("repair"))
        world.run(Step("build"))
    run([], world)


ODD = (
    *("landings/landing=2.bak", "landings/landing=007", "landings/landing=\u0662", "landings/landing=", "landings/x"),
    *("landings/compaction=1.bak", "landings/compaction=01", f"landings/landing={'9' * 30}"),
    *("flat/messages_v1/compaction=0/last_landing=1.bak", "flat/messages_v1/compaction=0/last_landing=01"),
    *("flat/messages_v1/compaction=x/last_landing=1", "flat/x", "staging/r1.bak"),
    *("marts/exams_v1/release=007", "marts/exams_v1/release=1.bak", "marts/exams_v1/release=\u0661"),
)


def test_folders_that_somebody_else_named_stop_no_command_and_stay() -> None:
    world = run([Step(command) for command in f"{BUSY} compact".split()])
    for path in ODD:
        world.files.put({"part-0": b""}, *path.split("/"))
    place = ("marts", "exams_v1", "release=__HIVE_DEFAULT_PARTITION__")
    world.metastore.tables["marts.exams_v1"][1][place[-1]] = place
    with simulated():
        world.run(Step("clean repair land build compact land build clean"))
    assert [path for path in ODD if world.files.get(*path.split("/")) is None] == []
    run([], world)


def starts() -> list[Reached]:
    """States of a warehouse that is empty, young, behind and compacted."""
    return [after(commands) for commands in ("", "land build", "land land build land build land", f"{BUSY} compact")]


@pytest.mark.long
def test_what_chance_brings_loses_and_doubles_nothing_for_long() -> None:
    check_random(starts(), 50_000, seed=3_000)
    check_stops(after("land land build land build"), depth=2)
    check_pairs(after("land land build land build"))


@pytest.mark.parametrize(
    ("mutant", "start", "tried"), mutants.MUTANTS, ids=[mutant.__name__ for mutant, _, _ in mutants.MUTANTS]
)
def test_a_fault_in_the_core_is_found(mutant: mutants.Patches, start: str, tried: list[list[Step]]) -> None:
    state = after(start)
    with simulated():
        with mutants.mutated(mutant), pytest.raises(Failed) as failure:
            for steps in tried:
                check(state, steps)
        run(failure.value.history)


def test_a_history_that_fails_is_shrunk_and_printed_as_what_runs_again() -> None:
    noise = [Step("land"), Step("repair"), Step("build"), Step("rollback"), Step("land", 1), Step("reject")]
    with simulated(), mutants.mutated(mutants.clean_unlisted_landings):
        history = [*noise, Step("clean", 0, 8, MEANWHILE, Step("land", 1))]
        short = shrunk(history, fails)
        assert [step.command for step in short] == ["land", "build", "clean"]
        with pytest.raises(AssertionError):
            eval(str(Failed(short)), {"run": run, "Step": Step})  # noqa: S307
