"""Histories of commands on several machines: run, checked after every change, and shrunk where they fail.

A history is a list of Steps. Each runs a real command of the core on one of three homes (machines with locks of
their own); at one of its calls it can be killed, lose the answer, leave its statement to the server, or stand still
while another step runs as a whole, in which the same can happen. A history that fails prints as Python that runs again.
"""

from __future__ import annotations

import contextlib
import marshal
import random
import re
import sys
import types
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import servers_in_memory as fakes
from servers_in_memory import ROOT, FakeHdfs, FakeHive, Files, Metastore

from etl import sqlfile
from etl.build import build, clean, plan, repair, rollback
from etl.errors import BusyError, ServerError, WarehouseError
from etl.land import compact, land, spark_job
from etl.servers import kafka
from etl.sqlfile import SqlFile
from etl.sqltext import ESCAPED
from etl.store import landings, ledger, schema
from etl.store.ledger import Ledger
from etl.terminal import Bar

KILLED, LOST, LATE, MEANWHILE = "killed", "answer lost", "statement goes on", "meanwhile"
COMMANDS = ("land", "build", "reject", "compact", "clean", "rollback", "repair")
TABLES = (
    *("candidate", "metastore", "published", "releases_v1"),
    *("assessments_v1", "landings_v1", "rejected_messages_v1"),
    *("messages_v1", "superseded_messages_v1", "attempts_v1", "exams_v1"),
)
PARTITIONS = 2  # of the topic
# The changes by which readers may see something else; all others touch the log, drafts, staging or the candidate.
SHOWS = re.compile(
    r"ALTER VIEW (?!candidate|ops\.(?!published))|ALTER TABLE|DROP (?!TABLE IF EXISTS staging)|re(name|move)"
)


class Killed(BaseException):
    """A command ends as by SIGKILL: nothing that it does afterwards reaches a server."""


class Violation(AssertionError):
    """Something that no history may show."""


@dataclass(frozen=True)
class Step:
    """A command on a home, 0 to 2, and what happens at its call number `at`."""

    command: str
    home: int = 0
    at: int = -1
    event: str = ""
    inner: Step | None = None

    def __repr__(self) -> str:
        parts = [repr(self.command), repr(self.home)]
        parts += [repr(self.at), repr(self.event)] if self.event else []
        parts += [repr(self.inner)] if self.inner else []
        return f"Step({', '.join(parts)})"


@dataclass
class Process:
    """A command at work: the calls it has made."""

    step: Step
    calls: int = 0
    is_dead: bool = False


@dataclass
class Settings:
    """What the commands ask the settings for."""

    home: Path
    engine: str = "spark"
    warehouse_root: str = ROOT
    topic: str = "assessments"
    bootstrap_servers: str = "simulated"


HOMES = tuple(Settings(Path(f"/simulated/{name}")) for name in ("first", "second", "third"))


@dataclass
class World:
    """All state there is, and the commands at work on it, the last one running."""

    files: Files = field(default_factory=Files)
    metastore: Metastore = field(default_factory=Metastore)
    published: int = 0  # messages in the topic
    landed: dict[int, tuple[int, int]] = field(default_factory=dict)  # by landing: end of what it brought, by partition
    late: list[Callable[[], object]] = field(default_factory=list)
    running: list[Process] = field(default_factory=list)
    locks: set[tuple[Path, str]] = field(default_factory=set)
    is_rejecting: bool = False
    names: int = 0  # given to drafts so far
    record: Callable[[World, int], None] | None = None  # gets the state after each change, and the calls before it
    file_of = property(lambda _: files_by_table())

    def copy(self) -> World:
        """The same state between two commands, to go on from on its own."""
        return World(self.files.copy(), self.metastore.copy(), self.published, dict(self.landed), names=self.names)

    def fingerprint(self) -> int:
        """The same for the same state."""
        state = (self.files.top, self.metastore.tables, self.metastore.views, self.published)
        return hash(marshal.dumps(state, 2))

    def uuid4(self) -> Any:
        """A name for a draft that no other has, the same whenever the history runs."""
        self.names += 1
        return uuid.UUID(int=self.names << 96)

    def before_call(self, _name: str) -> None:
        """A call of the running command; here it can be killed or interrupted."""
        process = self.running[-1]
        step = process.step
        if process.is_dead:
            raise Killed
        number = process.calls
        process.calls += 1
        if number == step.at:
            if step.event == MEANWHILE and step.inner:
                self.run(step.inner)
            elif step.event == KILLED:
                process.is_dead = True
                raise Killed

    def change(self, name: str, effect: Callable[[], Any]) -> Any:
        """A call that changes something, after which readers are asked."""
        process = self.running[-1]
        step = process.step
        self.before_call(name)
        is_at = process.calls - 1 == step.at
        if is_at and step.event == LATE and name.startswith(("INSERT", "WITH")):
            self.late.append(effect)
            process.is_dead = True
            raise Killed
        result = effect()
        if name.startswith("rename"):
            self._landed()
        if SHOWS.match(name):
            check_readers(self)
        if self.record:
            self.record(self, process.calls)
        if is_at and step.event == LOST:
            raise ServerError(f"the answer to {name[:60]} was lost", "run it again")
        return result

    def run(self, step: Step) -> int:
        """Run a step until it ends; its calls."""
        process = Process(step)
        self.running.append(process)
        locks = set(self.locks)
        try:
            with contextlib.suppress(Killed, WarehouseError):
                COMMAND[step.command](self, HOMES[step.home])
        finally:
            self.running.pop()
            self.locks = locks
        return process.calls

    def _landed(self) -> None:
        """Record a landing that appeared, which must go on where the newest ended."""
        for name in self.files.get("landings") or ():
            number = int(name.removeprefix("landing=")) if name.startswith("landing=") else 0
            if number and number not in self.landed:
                rows = fakes_rows(self.files.get("landings", name, "table=landings", "landing.json"))
                before = self.landed.get(number - 1, (0, 0))
                starts = tuple(row["start_offset"] for row in rows)
                if number != len(self.landed) + 1 or starts != before:
                    raise Violation(f"landing {number} begins at {starts}, not at {before}")
                self.landed[number] = tuple(row["end_offset"] for row in rows)

    @contextlib.contextmanager
    def exclusive(self, settings: Any, verb: str, _patience: float = 0) -> Iterator[None]:
        """The lock of a home."""
        key = (settings.home, verb)
        if key in self.locks:
            raise BusyError(f"another {verb} is running here", "wait for it")
        self.locks.add(key)
        try:
            yield
        finally:
            self.locks.discard(key)


@cache
def fakes_rows(content: bytes) -> list[dict[str, Any]]:
    """The rows of a JSON-lines file."""
    import msgspec

    return [msgspec.json.decode(line) for line in content.splitlines()]


def message(partition: int, offset: int) -> tuple[int, int, str, int]:
    """A message of the topic: its attempt and its time follow from its place."""
    number = offset * PARTITIONS + partition
    return partition, offset, f"a{(number * 7) % 5 % 3}", (number * 5) % 4 + number // 3


@cache
def messages(ends: tuple[int, ...]) -> list[tuple[int, int, str, int]]:
    """All messages in front of these offsets."""
    return [message(partition, offset) for partition, end in enumerate(ends) for offset in range(end)]


@cache
def newest(ends: tuple[int, ...]) -> fakes.Rows:
    """The plain model of flat.attempts: of each attempt its newest message."""
    found: dict[str, tuple[int, int, int]] = {}
    for partition, offset, attempt, time in messages(ends):
        found[attempt] = max(found.get(attempt, (-1, -1, -1)), (time, partition, offset))
    return tuple(sorted((attempt, partition, offset) for attempt, (_, partition, offset) in found.items()))


def check_readers(world: World) -> None:
    """What readers see now is one whole release that was published, and all raw tables up to some landing."""
    views = world.metastore.views
    if "raw.assessments" in views:
        rows = fakes.visible_rows(world, "raw.assessments_v1", world.metastore.literals("raw.assessments"), 10**9)
        last = max((row[-1] for row in rows), default=0)
        expect("raw.assessments", {row[:2] for row in rows}, {row[:2] for row in messages(world.landed.get(last, ()))})
        expect("rows of raw.assessments", len(rows), len({row[:2] for row in rows}))
    if "ops.published" not in views:
        return
    release, landing = world.metastore.pointer("ops.published")
    if not release:
        return
    if (release, landing) not in decided(world):
        raise Violation(f"readers see release {release} of landing {landing}, which was never published")
    if not views.keys() >= {"flat.messages", "flat.superseded_messages", "flat.attempts", "marts.exams"}:
        expect("releases before all views are there", len(decided(world)), 1)  # an error is no wrong row
        return
    ends = world.landed[landing]
    seen = fakes.visible_rows(world, "flat.messages_v1", world.metastore.literals("flat.messages"), landing)
    expect("flat.messages", sorted(row[:2] for row in seen), sorted(row[:2] for row in messages(ends)))
    expect("flat.attempts", fakes.attempts(world, "flat", "ops.published", landing), newest(ends))
    place = world.metastore.tables["marts.exams_v1"][1].get(f"release={release}")
    expect("marts.exams", tuple(sorted(fakes.stored(world, place))) if place else (), newest(ends))


def expect(what: str, seen: Any, right: Any) -> None:
    """Raise Violation where readers see something else."""
    if seen != right:
        raise Violation(f"{what} shows {seen}, not {right}")


def decided(world: World) -> set[tuple[int, int]]:
    """The releases that the log says were published, with their landings."""
    names = world.files.get(*ledger.RELEASES) or {}
    events = [row for content in names.values() for row in fakes_rows(content)]
    return {(row["release"], row["landing"]) for row in events if row["action"] == ledger.PUBLISHED}


def check_end(world: World) -> None:
    """After a last build: the state is the plain model's, with every landing."""
    state = Ledger(FakeHdfs(None)).state()
    last = len(world.landed)
    if not last:
        return
    assert state.published
    expect("the log", state.published.landing, last)
    visible = 0
    for event in Ledger(FakeHdfs(None)).events():
        if event.action == ledger.PUBLISHED and event.landing < visible:
            raise Violation(f"release {event.release} shows landing {event.landing} after {visible}")
        visible = event.landing if event.action in (ledger.PUBLISHED, ledger.ROLLED_BACK) else visible
    expect("ops.published", world.metastore.pointer("ops.published"), (state.published.release, last))
    seen = landings.current(FakeHdfs(None))
    expect("the newest landing", seen.last, last)
    rows = [row for folder in seen.folders for row in landings.account(FakeHdfs(None), folder)]
    numbers = sorted({row["landing"] for row in rows})
    expect("raw.landings", numbers, list(range(1, last + 1)))
    expect("rows of raw.landings", len(rows), PARTITIONS * last)
    lines = [row[:2] for folder in seen.folders for row in fakes.stored(world, folder.of("assessments"))]
    expect("lines on HDFS", sorted(lines), sorted(row[:2] for row in messages(world.landed[last])))
    views = world.metastore
    shown = {views.literals(view) for view in ("flat.messages", "flat.superseded_messages", "raw.assessments")}
    expect("generation of the views", shown, {(seen.compaction, seen.compacted)})


def run(history: Sequence[Step], world: World | None = None) -> World:
    """Run a history and a last build; raises Violation, or what a command raised that is no WarehouseError."""
    world = world.copy() if world else World()
    FakeHdfs.world = FakeHive.world = world
    with simulated():
        for step in history:
            world.run(step)
            for effect in world.late:
                with contextlib.suppress(WarehouseError):
                    effect()
                check_readers(world)
            world.late = []
        finish(world)
    return world


def finish(world: World) -> None:
    """Build, and compare with the plain model."""
    world.running.append(Process(Step("build")))
    if world.landed:
        build.build(HOMES[0], silent)
        check_readers(world)
        check_end(world)
    world.running.pop()


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
        calls = world.run(Step(command))
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
    found: dict[int, Reached] = {}
    for reached in states:
        same = found.setdefault(reached.world.fingerprint(), reached)
        if same is not reached:
            same.count += reached.count
    return list(found.values())


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


@cache
def files_by_table() -> dict[str, SqlFile]:
    """The SQL files of the simulation by table."""
    return {file.table: file for file in ORIGINAL_FILES() if file.path.stem in TABLES}


def chosen_files(stages: str = "[0-9]_*") -> list[SqlFile]:
    """The SQL files of some stages."""
    return list(_of_stages(stages))


@cache
def _of_stages(stages: str) -> list[SqlFile]:
    return [file for file in files_by_table().values() if file.path.parent.match(stages)]


def silent(_text: str) -> None:
    """Says nothing."""


def by_cache(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of SqlFile that is asked once for the same values; the text of ops.metastore never is the same."""
    known: dict[Any, Any] = {}

    def call(file: SqlFile, values: Any = None, is_candidate: bool = False) -> Any:
        values = values or {}
        objects = values.get("objects")
        key = (file.path.stem, is_candidate, objects is None, *(item for item in values.items() if objects is None))
        if key not in known:
            given = values if objects is None else {"objects": "OBJECTS"}
            known[key] = method(file, given, is_candidate) if method.__name__ == "view" else method(file, given)
        if objects is None:
            return known[key]
        return tuple(text.replace("OBJECTS", ESCAPED.sub(_escaped, objects)) for text in known[key])

    return call


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def by_place(method: Callable[[SqlFile], Any]) -> Callable[[SqlFile], Any]:
    """A property of SqlFile that is asked once for each file."""
    known: dict[int, tuple[SqlFile, Any]] = {}

    def call(file: SqlFile) -> Any:
        key = id(file)
        if key not in known:
            known[key] = file, method(file)
        return known[key][1]

    return call


class Serial:
    """An executor that does at once what it is given."""

    def __init__(self, _workers: int) -> None: ...

    def __enter__(self) -> Serial:
        return self

    def __exit__(self, *_: object) -> None: ...

    map = staticmethod(map)


@contextlib.contextmanager
def no_bar(*_: Any) -> Iterator[Bar]:
    """No progress bar."""
    yield Bar()


def _validate(_settings: Any, _say: Any, _scope: Any) -> Any:
    is_good = not FakeHdfs.world.is_rejecting
    return types.SimpleNamespace(is_good=is_good, worst="simulated", summary="", rows=[], failed=[], seconds=0.0)


def _describe(_settings: Any) -> kafka.Topic:
    end = FakeHdfs.world.published // PARTITIONS
    return kafka.Topic("assessments", "t", {partition: (0, end) for partition in range(PARTITIONS)})


def _write(lines: Any, staging: str, partitions: Sequence[int]) -> dict[tuple[int, str], int]:
    """The Spark job: one file of lines, which the raw table reads."""
    import msgspec

    ranges, landing = lines
    rows = [
        (*message(row["kafka_partition"], offset), landing)
        for row in ranges
        for offset in range(row["start_offset"], row["end_offset"])
    ]
    content = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    FakeHdfs(None).put(content, *staging.removeprefix(f"{ROOT}/").split("/"), "table=assessments", "part-0.txt.gz")
    counts = {(partition, spark_job.ACCEPTED): 0 for partition in partitions}
    for row in rows:
        counts[row[0], spark_job.ACCEPTED] += 1
    return counts


def _land(world: World, settings: Any) -> None:
    world.published += PARTITIONS
    land.land(settings, silent)


def _build(world: World, settings: Any) -> None:
    build.build(settings, silent)
    after_switch(world)


def _reject(world: World, settings: Any) -> None:
    world.is_rejecting = True
    try:
        build.build(settings, silent)
    finally:
        world.is_rejecting = False


def _compact(_world: World, settings: Any) -> None:
    if compact.compact(settings, silent):
        build.refill(settings, silent)


def _clean(_world: World, settings: Any) -> None:
    clean.clean(settings, True)


def _rollback(world: World, settings: Any) -> None:
    rollback.rollback(settings, silent)
    after_switch(world)


def _repair(world: World, settings: Any) -> None:
    repair.repair(settings)
    after_switch(world)


def within(step: Step) -> Iterator[Step]:
    """A step and those inside it."""
    yield step
    if step.inner:
        yield from within(step.inner)


def after_switch(world: World) -> None:
    """A command that ended well while no other was at work leaves readers what the log says."""
    is_whole = len(world.running) == 1 and not any(
        step.event in (KILLED, LOST, LATE) for step in within(world.running[0].step)
    )
    if is_whole and "ops.published" in world.metastore.views:
        event = Ledger(FakeHdfs(None)).state().published
        pointer = world.metastore.pointer("ops.published")
        expect("ops.published", pointer, (event.release, event.landing) if event else (0, 0))


COMMAND: dict[str, Callable[[World, Any], None]] = {
    "land": _land,
    "build": _build,
    "reject": _reject,
    "compact": _compact,
    "clean": _clean,
    "rollback": _rollback,
    "repair": _repair,
}
ORIGINAL_FILES = sqlfile.files
STUBS = {
    "etl.validate.run_suite": {"preload": lambda: None},
    "etl.validate.scope": {"Scope": lambda *_, **__: None},
    "etl.validate.suites": {"refuse_incomplete": lambda _: None},
    "etl.validate.summary_page": {"mark_published": lambda *_: None},
    "etl.validate.validate": {"validate": _validate},
}


QUICK = [
    (sqlfile, "candidate_text", cache(sqlfile.candidate_text)),
    *((SqlFile, name, by_cache(getattr(SqlFile, name))) for name in ("view", "tables", "fills")),
    (SqlFile, "read", cache(SqlFile.read)),
    *((SqlFile, name, property(by_place(getattr(SqlFile, name).fget))) for name in ("table", "name", "version")),
]
_depth = 0


@contextlib.contextmanager
def simulated() -> Iterator[None]:
    """The core with the simulated servers in place of the real ones; the same again inside changes nothing."""
    global _depth
    with contextlib.ExitStack() as stack:
        if not _depth:
            for patch in patches():
                stack.enter_context(patch)
        _depth += 1
        try:
            yield
        finally:
            _depth -= 1


def patches() -> Iterator[Any]:
    """What stands in the core in place of servers, locks, threads, bars, the validation and Spark."""
    modules = {}
    for name, members in STUBS.items():
        modules[name] = types.ModuleType(name)
        modules[name].__dict__.update(members)
    files_by_table()
    yield mock.patch.dict(sys.modules, modules)
    for module in (build, clean, compact, repair, rollback, land, plan, landings, ledger, schema):
        for name, fake in (
            ("Hdfs", FakeHdfs),
            ("Hive", FakeHive),
            ("ThreadPoolExecutor", Serial),
            ("progress", no_bar),
        ):
            if hasattr(module, name):
                yield mock.patch.object(module, name, fake)
    for module in (build, compact, land):
        yield mock.patch.object(module, "uuid", types.SimpleNamespace(uuid4=lambda: FakeHdfs.world.uuid4()))
    yield mock.patch.object(sqlfile, "files", chosen_files)
    for place, name, quick in QUICK:
        yield mock.patch.object(place, name, quick)
    yield mock.patch("etl.store.lock.exclusive", lambda *arguments: FakeHdfs.world.exclusive(*arguments))
    yield mock.patch("etl.build.repair.files", chosen_files)
    yield mock.patch("etl.servers.kafka.describe", _describe)
    yield mock.patch("etl.servers.spark.session", lambda *_: contextlib.nullcontext())
    yield mock.patch("etl.servers.spark.end", lambda *_: None)
    yield mock.patch.object(spark_job, "messages", lambda _session, _settings, ranges: ranges)
    yield mock.patch.object(spark_job, "checked", lambda _session, ranges, number: (ranges, number))
    yield mock.patch.object(spark_job, "write", _write)
    yield mock.patch("etl.store.contract.newest", lambda: files_by_table()["raw.assessments_v1"])
    yield mock.patch.object(land, "staging_prefix", lambda settings: f".staging-{settings.home.name}-")
    yield mock.patch.object(clean, "staging_prefix", lambda settings: f".staging-{settings.home.name}-")


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
            world = end.world.copy()
            FakeHdfs.world = FakeHive.world = world
            try:
                finish(world)
            except Exception as error:
                raise Failed(end.history) from error
    return count


def calls_of(reached: Reached) -> dict[str, int]:
    """The calls that each command makes from a state."""
    calls = {}
    with simulated():
        for command in COMMANDS:
            world = reached.world.copy()
            FakeHdfs.world = FakeHive.world = world
            calls[command] = world.run(Step(command))
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
