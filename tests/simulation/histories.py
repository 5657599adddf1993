"""Histories: all of a kind, or by chance; what fails is shrunk and printed as Python that runs again."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from hdfs_in_memory import FakeHdfs
from hive_in_memory import FakeHive
from simulated_core import simulated
from world import COMMANDS, KILLED, LATE, LOST, MEANWHILE, Step, World, finish, run


@dataclass
class Reached:
    """A state, one history that leads to it, and how many do."""

    world: World
    history: list[Step]
    count: int


def stopped(reached: Reached, command: str) -> Iterator[Reached]:
    """The states in which a command leaves this one, killed before any of its calls or not at all.

    Between two changes it is the same state wherever the command is killed, so each is counted that often.
    """
    world = reached.world.copy()
    FakeHdfs.world = FakeHive.world = world
    states = [(reached.world, 0)]
    world.record = lambda changed, calls: states.append((changed.copy(), calls))
    try:
        calls = len(world.run(Step(command)))
    except Exception as error:
        raise Failed([*reached.history, Step(command)]) from error
    ends = [calls for _, calls in states[1:]] + [calls + 1]
    for (state, begin), end in zip(states, ends, strict=True):
        yield Reached(state, [*reached.history, Step(command, 0, begin, KILLED)], reached.count * (end - begin))


class Failed(AssertionError):
    """A history that fails, as Python that runs it again."""

    def __init__(self, history: Sequence[Step]) -> None:
        self.history = list(history)
        super().__init__(f"run([\n    {(chr(10) + '    ').join(f'{step},' for step in history)}\n])")


def merged(states: Iterable[Reached]) -> list[Reached]:
    """Each state once, with the histories that lead to it counted together."""
    by_world: dict[int, Reached] = {}
    for reached in states:
        same = by_world.setdefault(reached.world.fingerprint(), reached)
        if same is not reached:
            same.count += reached.count
    return list(by_world.values())


def shrunk(history: Sequence[Step], fails: Callable[[Sequence[Step]], bool]) -> list[Step]:
    """The shortest history found that still fails, by dropping steps, what happens in them, and inner steps."""
    best = list(history)
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for candidate in _smaller(best):
            if fails(candidate):
                best, is_smaller = list(candidate), True
                break
    return best


def _smaller(history: list[Step]) -> Iterator[list[Step]]:
    for at, step in enumerate(history):
        yield history[:at] + history[at + 1 :]
        for simpler in _simpler(step):
            yield [*history[:at], simpler, *history[at + 1 :]]


def _simpler(step: Step) -> Iterator[Step]:
    if step.event:
        yield Step(step.command, step.home)
    if step.inner:
        yield step.inner
        yield from (replace(step, inner=inner) for inner in _simpler(step.inner))


def drawn(random_: random.Random, calls: dict[str, int], depth: int = 2) -> Step:
    """A step by chance; `calls` are the most calls that each command was seen to make."""
    command = random_.choice(COMMANDS)
    home = random_.randrange(2)
    event = random_.choice(("", KILLED, LOST, LATE, MEANWHILE, MEANWHILE))
    if not event or (event == MEANWHILE and not depth):
        return Step(command, home)
    at = random_.randrange(calls.get(command, 60))
    inner = drawn(random_, calls, depth - 1) if event == MEANWHILE else None
    return Step(command, home, at, event, inner)


def after(commands: str) -> Reached:
    """The state behind commands that nothing happened to, such as "land build"."""
    history = [Step(command) for command in commands.split()]
    world = World()
    FakeHdfs.world = FakeHive.world = world
    with simulated():
        for step in history:
            world.run(step)
    return Reached(world, history, 1)


def check(reached: Reached, steps: Sequence[Step]) -> None:
    """Run steps from a state, and a last build; raises Failed with the whole history."""
    try:
        run(steps, reached.world)
    except Exception as error:
        raise Failed([*reached.history, *steps]) from error


def complete(end: Reached) -> None:
    """Complete what a history began, on a copy of its state; raises Failed with the history."""
    world = end.world.copy()
    FakeHdfs.world = FakeHive.world = world
    try:
        finish(world)
    except Exception as error:
        raise Failed(end.history) from error


def check_stops(reached: Reached, depth: int) -> int:
    """All histories of so many commands, each killed before any of its calls or not at all; how many these are."""
    level, count, done = [reached], 0, set()
    with simulated():
        for _ in range(depth - 1):
            level = merged(end for start in level for command in COMMANDS for end in stopped(start, command))
        for end in (end for start in level for command in COMMANDS for end in stopped(start, command)):
            count += end.count
            fingerprint = end.world.fingerprint()
            if fingerprint in done:
                continue
            done.add(fingerprint)
            complete(end)
    return count


def calls_of(reached: Reached) -> dict[str, int]:
    """The calls that each command makes from a state."""
    calls = {}
    with simulated():
        for command in COMMANDS:
            world = reached.world.copy()
            FakeHdfs.world = FakeHive.world = world
            calls[command] = len(world.run(Step(command)))
    return calls


def check_pairs(reached: Reached) -> int:
    """All histories of a command that stands still before any of its calls while another machine runs one."""
    count = 0
    with simulated():
        for outer, calls in calls_of(reached).items():
            for inner in COMMANDS:
                for at in range(calls):
                    check(reached, [Step(outer, 0, at, MEANWHILE, Step(inner, 1))])
                    count += 1
    return count


def check_behind(reached: Reached, command: str, meanwhile: str) -> int:
    """All histories of a command that stands still before a call while another machine runs several commands.

    But for a call that alters a view: a metastore has no compare-and-swap, so this one cannot be refused.
    """
    count = 0
    with simulated():
        world = reached.world.copy()
        FakeHdfs.world = FakeHive.world = world
        for at, name in enumerate(world.run(Step(command))):
            if not name.startswith("ALTER VIEW"):
                check(reached, [Step(command, 0, at, MEANWHILE, Step(meanwhile, 1))])
                count += 1
    return count


def check_random(starts: Sequence[Reached], count: int, seed: int = 0) -> int:
    """So many histories by chance: kills, lost answers, statements that go on, commands inside commands inside them."""
    calls: dict[str, int] = {}
    for start in starts:
        for command, number in calls_of(start).items():
            calls[command] = max(calls.get(command, 0), number)
    with simulated():
        for number in range(seed, seed + count):
            chance = random.Random(number)
            check(chance.choice(starts), [drawn(chance, calls) for _ in range(chance.randint(1, 4))])
    return count


def fails(history: Sequence[Step]) -> bool:
    """Whether a history fails."""
    try:
        run(history)
    except Exception:
        return True
    return False
