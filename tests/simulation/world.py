"""All state of a simulated warehouse, the commands at work on it, and what readers and the last build must find.

A history is a list of Steps. Each runs a real command of the core on one of three homes (machines with locks of
their own); at one of its calls it can be killed, lose the answer, leave its statement to the server, or stand still
while another step runs as a whole, in which the same can happen.
"""

from __future__ import annotations

import contextlib
import marshal
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import hive_in_memory as hive
import msgspec
from hdfs_in_memory import FakeHdfs, Files
from hive_in_memory import FakeHive, Metastore
from simulated_core import (
    HOMES,
    PARTITIONS,
    RETIRED,
    files_by_table,
    fits,
    fits_later,
    message,
    silent,
    simulated,
)

from etl.build import build, clean, erase, repair, retire, rollback
from etl.errors import BusyError, ServerError, UsageError, WarehouseError
from etl.land import compact, land, replay
from etl.store import erasures, landings, ledger
from etl.store.ledger import Ledger

KILLED, LOST, LATE, MEANWHILE = "killed", "answer lost", "statement goes on", "meanwhile"


ERASED = "a1"  # the attempt that `erase` erases
COMMANDS = ("land", "replay", "build", "reject", "compact", "clean", "rollback", "repair", "retire")


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
    """A command on a home, 0 to 2, or several one after the other, and what happens at their call number `at`."""

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
    names: list[str] = field(default_factory=list)  # of the calls
    is_dead: bool = False


class Extent(NamedTuple):
    """What all landings up to one hold: of each partition the end, and the end of what was rejected and replayed."""

    ends: tuple[int, ...]
    replayed: tuple[int, ...]


NOTHING = Extent((0,) * PARTITIONS, (0,) * PARTITIONS)


@dataclass
class World:
    """All state there is, and the commands at work on it, the last one running."""

    files: Files = field(default_factory=Files)
    metastore: Metastore = field(default_factory=Metastore)
    published: int = 0  # messages in the topic
    landed: dict[int, Extent] = field(default_factory=dict)  # by landing
    last_event: int = 0  # of the log
    validated: set[int] = field(default_factory=set)  # releases that the candidate showed to their suites
    is_removed: bool = False  # the SQL file of the table that is retired
    late: list[Callable[[], object]] = field(default_factory=list)
    running: list[Process] = field(default_factory=list)
    locks: set[tuple[Path, str]] = field(default_factory=set)
    is_rejecting: bool = False
    deleted: int = 0  # offsets before it are no longer in the topic
    pending: dict[Path, dict[str, Any]] = field(default_factory=dict)  # erasures that a home has begun
    names: int = 0  # given to drafts so far
    record: Callable[[World, int], None] | None = None  # gets the state after each change, and the calls before it
    file_of = property(lambda _: files_by_table())

    def copy(self) -> World:
        """The same state between two commands, to go on from on its own."""
        new = World(self.files.copy(), self.metastore.copy(), self.published, dict(self.landed))
        new.last_event, new.is_removed, new.names = self.last_event, self.is_removed, self.names
        new.deleted, new.pending = self.deleted, {home: dict(erasures) for home, erasures in self.pending.items()}
        return new

    def fingerprint(self) -> int:
        """The same for the same state."""
        pending = sorted(str(home) for home, erasures in self.pending.items() if erasures)
        topic = (self.published, self.deleted, pending)
        state = (self.files.top, self.metastore.tables, self.metastore.views, topic, self.is_removed)
        return hash(marshal.dumps(state, 2))

    def right(self, rows: Iterable[tuple[Any, ...]], seen: set[tuple[Any, ...]], at: int = 2) -> set[tuple[Any, ...]]:
        """These rows; those of an attempt that is being erased may be seen or not, and never once it is erased.

        `at` is the column of the attempt.
        """
        steps = self.files.get(*erasures.TABLE) or {}
        if not steps:
            return set(rows)
        kept = {row for row in rows if row[at] != ERASED}
        return kept if "e1.completed.json" in steps else kept | {row for row in seen if row[at] == ERASED}

    def uuid4(self) -> Any:
        """A name for a draft that no other has, the same whenever the history runs."""
        self.names += 1
        return uuid.UUID(int=self.names << 96)

    def before_call(self, name: str) -> None:
        """A call of the running command; here it can be killed or interrupted."""
        process = self.running[-1]
        step = process.step
        if process.is_dead:
            raise Killed
        number = process.calls
        process.calls += 1
        process.names.append(name)
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
        if result and name.startswith("put ops/releases_v1/event-"):
            self._logged(int(name[-17:-5]))
        if SHOWS.match(name):
            check_readers(self)
        if self.record:
            self.record(self, process.calls)
        if is_at and step.event == LOST:
            raise ServerError(f"the answer to {name[:60]} was lost", "run it again")
        return result

    def run(self, step: Step) -> list[str]:
        """Run a step until it ends; the names of its calls."""
        process = Process(step)
        self.running.append(process)
        locks = set(self.locks)
        try:
            with contextlib.suppress(Killed):
                for command in step.command.split():
                    with contextlib.suppress(WarehouseError):
                        COMMAND[command](self, HOMES[step.home])
        finally:
            self.running.pop()
            self.locks = locks
        return process.names

    def _logged(self, number: int) -> None:
        """Record an event of the log, which must come behind all others and publish nothing that no suite read."""
        if number != self.last_event + 1:
            raise Violation(f"event {number} comes behind event {self.last_event}")
        (row,) = json_rows(self.files.get(*ledger.RELEASES, f"event-{number:012d}.json"))
        if row["action"] == ledger.PUBLISHED and row["release"] not in self.validated:
            raise Violation(f"release {row['release']} is published, and the suites read another one")
        self.last_event = number

    def _landed(self) -> None:
        """Record a landing that appeared, which must go on where the newest ended."""
        for number in landings.numbers(self.files.get("landings") or (), "landing"):
            if number not in self.landed:
                name = f"landing={number}"
                rows = json_rows(self.files.get("landings", name, "table=landings", "landing.json"))
                before = self.landed.get(number - 1, NOTHING)
                starts = tuple(row["start_offset"] for row in rows)
                if number != len(self.landed) + 1 or starts != before.ends:
                    raise Violation(f"landing {number} begins at {starts}, not at {before.ends}")
                is_replay = any(row["replayed_offsets"] for row in rows)
                ends = tuple(row["end_offset"] for row in rows)
                after = Extent(ends, before.ends if is_replay else before.replayed)
                self.landed[number] = after
                lines = hive.stored(self, ("landings", name, "table=assessments"))
                new = self.right(set(messages(after)) - set(messages(before)), {row[:4] for row in lines})
                expect(name, sorted(row[:4] for row in lines), sorted(new))

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
def json_rows(content: bytes) -> list[dict[str, Any]]:
    """The rows of a JSON-lines file."""
    return [msgspec.json.decode(line) for line in content.splitlines()]


@cache
def messages(extent: Extent) -> list[tuple[int, int, str, int]]:
    """All messages that are accepted."""
    return [
        message(partition, offset)
        for partition, (end, replayed) in enumerate(zip(*extent, strict=True))
        for offset in range(end)
        if fits(partition, offset) or (fits_later(partition, offset) and offset < replayed)
    ]


@cache
def rejected(extent: Extent) -> list[tuple[int, int]]:
    """The places of all messages that are not."""
    accepted = {row[:2] for row in messages(extent)}
    places = ((partition, offset) for partition, end in enumerate(extent.ends) for offset in range(end))
    return [place for place in places if place not in accepted]


@cache
def newest(extent: Extent) -> hive.Rows:
    """The plain model of flat.attempts: of each attempt its newest message."""
    spans: dict[str, tuple[int, int, int]] = {}
    for partition, offset, attempt, time in messages(extent):
        spans[attempt] = max(spans.get(attempt, (-1, -1, -1)), (time, partition, offset))
    return tuple(sorted((attempt, partition, offset) for attempt, (_, partition, offset) in spans.items()))


def check_readers(world: World) -> None:
    """What readers see now is one whole release that was published, and all raw tables up to some landing."""
    views = world.metastore.views
    if "raw.assessments" in views and not is_stale(world, "raw.assessments"):
        rows = hive.visible_rows(world, "raw.assessments_v1", world.metastore.literals("raw.assessments"), 10**9)
        last = max((row[-1] for row in rows), default=0)
        right = world.right({row[:3] for row in messages(world.landed.get(last, NOTHING))}, {row[:3] for row in rows})
        expect("raw.assessments", {row[:3] for row in rows}, right)
        expect("rows of raw.assessments", len(rows), len({row[:2] for row in rows}))
    if "ops.published" not in views:
        return
    release, landing = world.metastore.pointer("ops.published")
    if not release:
        return
    if (release, landing) not in decided(world):
        raise Violation(f"readers see release {release} of landing {landing}, which was never published")
    if not views.keys() >= {"flat.messages", "flat.superseded_messages", "flat.attempts", "marts.exams"}:
        expect("releases before all views are there", len(decided(world)), 1)
        return
    if any(is_stale(world, view) for view in ("ops.published", "flat.messages", "flat.superseded_messages")):
        return
    extent = world.landed[landing]
    seen = hive.visible_rows(world, "flat.messages_v1", world.metastore.literals("flat.messages"), landing)
    visible = {row[:3] for row in seen}
    expect("rows of flat.messages", len(seen), len(visible))
    expect("flat.messages", visible, world.right({row[:3] for row in messages(extent)}, visible))
    attempts = set(hive.attempts(world, "flat", landing))
    expect("flat.attempts", attempts, world.right(newest(extent), attempts, 0))
    for mart in ("marts.exams", "marts.questions"):
        if mart in views and f"{mart}_v1" in world.metastore.tables:  # an error is no wrong row
            place = world.metastore.tables[f"{mart}_v1"][1].get(f"release={release}")
            in_mart = set(hive.stored(world, place)) if place else set()
            expect(mart, in_mart, world.right(newest(extent), in_mart, 0))


def is_stale(world: World, view: str) -> bool:
    """Whether a command that was suspended for two compactions and a `clean`, as an erasure is, has set a view back.

    A metastore has no compare-and-swap for views: until that command goes on, readers miss what was removed.
    """
    if not world.files.get(*erasures.TABLE):
        return False
    if view == "ops.published":
        names = world.files.get(*ledger.RELEASES)
        events = sorted((row for content in names.values() for row in json_rows(content)), key=lambda row: row["event"])
        kept = ledger.fold([ledger.Event(**row) for row in events]).publications[-2:]
        return world.metastore.pointer(view)[0] not in {event.release for event in kept}
    numbers = [int(name.partition("=")[2]) for name in world.files.get("landings") if name.startswith("compaction=")]
    return world.metastore.literals(view)[0] not in sorted([0, 0, *numbers])[-2:]


def expect(claim: str, seen: Any, right: Any) -> None:
    """Raise Violation where readers see something else."""
    if seen != right:
        raise Violation(f"{claim} shows {seen}, not {right}")


def decided(world: World) -> set[tuple[int, int]]:
    """The releases that the log says were published, with their landings."""
    names = world.files.get(*ledger.RELEASES) or {}
    events = [row for content in names.values() for row in json_rows(content)]
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
    generation = landings.current(FakeHdfs(None))
    expect("the newest landing", generation.last, last)
    rows = [row for folder in generation.folders for row in landings.account(FakeHdfs(None), folder)]
    numbers = sorted({row["landing"] for row in rows})
    expect("raw.landings", numbers, list(range(1, last + 1)))
    expect("rows of raw.landings", len(rows), PARTITIONS * last)
    lines = [row[:3] for folder in generation.folders for row in hive.stored(world, folder.of("assessments"))]
    right = world.right({row[:3] for row in messages(world.landed[last])}, set(lines))
    expect("lines on HDFS", sorted(lines), sorted(right))
    refused = {row[:3] for row in hive.rejected(world)}
    right = world.right({message(*place)[:3] for place in rejected(world.landed[last])}, refused)
    expect("raw.rejected_messages", refused, right)
    expect("the accepted of the account", len(lines), sum(row["accepted_count"] for row in rows))
    counts = ("accepted_count", "rejected_count", "absent_count", "erased_count")
    offsets = sum(row[count] for row in rows for count in counts) - sum(len(row["replayed_offsets"]) for row in rows)
    expect("the offsets of the account", sum(world.landed[last].ends), offsets)
    views = world.metastore
    retired = {name for name in ("marts.questions", "candidate.questions") if name in views.views and state.retired}
    expect("views of a retired table", retired, set())
    literals = {views.literals(view) for view in ("flat.messages", "flat.superseded_messages", "raw.assessments")}
    expect("generation of the views", literals, {(generation.compaction, generation.compacted)})


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
    """Complete what was begun, build, and compare with the plain model."""
    world.running.append(Process(Step("build")))
    if world.landed:
        for home in HOMES:
            if world.pending.get(home.home):
                erase.erase(home, [], "", silent)
        with contextlib.suppress(UsageError):  # it is retired already, or was never published
            if world.is_removed:
                retire.retire(HOMES[0], RETIRED, silent)
        build.build(HOMES[0], silent)
        check_readers(world)
        check_end(world)
        check_erased(world)
    world.running.pop()


def check_erased(world: World) -> None:
    """Behind an erasure no file and no message of the topic that was landed holds the attempt."""
    if "e1.completed.json" not in (world.files.get(*erasures.TABLE) or {}):
        return
    holding = ["/".join(path) for path, content in world.files.walk() if f'"{ERASED}"'.encode() in content]
    expect("files that hold the erased attempt", holding, [])
    state = Ledger(FakeHdfs(None)).state()
    if state.previous and state.previous.release < state.erased:
        raise Violation(f"a rollback may show release {state.previous.release}, which held the erased attempt")
    if not world.deleted:
        raise Violation("the topic still holds the erased attempt")


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


def _erase(_world: World, settings: Any) -> None:
    erase.erase(settings, [ERASED], "request 17", silent)


def _replay(_world: World, settings: Any) -> None:
    replay.replay(settings, silent)


def _retire(world: World, settings: Any) -> None:
    world.is_removed = True
    retire.retire(settings, RETIRED, silent)


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
        world.running.append(Process(Step("build")))  # so that nothing happens while the test itself reads the log
        event = Ledger(FakeHdfs(None)).state().published
        world.running.pop()
        pointer = world.metastore.pointer("ops.published")
        expect("ops.published", pointer, (event.release, event.landing) if event else (0, 0))


COMMAND: dict[str, Callable[[World, Any], None]] = {
    "land": _land,
    "replay": _replay,
    "build": _build,
    "reject": _reject,
    "compact": _compact,
    "clean": _clean,
    "rollback": _rollback,
    "repair": _repair,
    "erase": _erase,
    "retire": _retire,
}
