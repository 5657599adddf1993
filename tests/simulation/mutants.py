"""Faults put into the core one at a time, to prove that the simulation finds such."""

from __future__ import annotations

import contextlib
import itertools
import types
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from hdfs_in_memory import FakeHdfs, parts
from world import KILLED, MEANWHILE, Step

from etl.build import build, clean
from etl.land import compact
from etl.store import flat_folders, landings, ledger
from etl.store.landings import Generation
from etl.store.ledger import Event, Ledger
from etl.store.schema import Schema

Patches = Callable[[], Iterator[Any]]


def decide_without_looking() -> Iterator[Any]:
    """A release is published though a later one was started."""

    def decide(self: Ledger, action: str, release: int, landing: int, engine: str, tables: Any) -> Event:
        return self._add(lambda state: Event(state.next, action, release, landing, engine, tables))

    yield mock.patch.object(Ledger, "decide", decide)


def switch_once() -> Iterator[Any]:
    """What was published meanwhile is not looked at behind the switch."""

    def finish_switch(schema: Any, hdfs: Any, ledger_: Ledger) -> Any:
        events = ledger_.events()
        frozen = types.SimpleNamespace(state=lambda: ledger.fold(events))
        return original(schema, hdfs, frozen)

    original = build.finish_switch
    for module in ("build", "rollback"):
        yield mock.patch(f"etl.build.{module}.finish_switch", finish_switch)


def rename_over() -> Iterator[Any]:
    """A rename takes the place of what is there."""

    def rename_new(self: FakeHdfs, source: Any, target: Any) -> bool:
        if self.world.files.get(*parts(source)) is not None:
            self.world.files.pop(*parts(target))
        return bool(original(self, source, target))

    original = FakeHdfs.rename_new
    yield mock.patch.object(FakeHdfs, "rename_new", rename_new)


def one_generation() -> Iterator[Any]:
    """The folders that a compaction replaced count no more, whether or not the flat tables have the new ones."""
    original = landings.generations
    yield mock.patch.object(landings, "generations", lambda hdfs: original(hdfs)[:1])


def unregistered_switch() -> Iterator[Any]:
    """The switch shows folders that nobody registered."""
    original = build.finish_switch

    def finish_switch(schema: Any, *rest: Any) -> Any:
        with mock.patch.object(schema, "flat_partitions", lambda *_: None):
            return original(schema, *rest)

    for module in ("build", "rollback"):
        yield mock.patch(f"etl.build.{module}.finish_switch", finish_switch)


def whole_folders_only() -> Iterator[Any]:
    """A folder whose last landing is behind the published one is not asked about."""
    yield mock.patch.object(
        Generation, "up_to", lambda self, landing: [folder for folder in self.folders if folder.last <= landing]
    )


def raw_not_registered() -> Iterator[Any]:
    """A build fills folders of landings that nobody registered."""
    original = build.fill

    def fill(*arguments: Any) -> None:
        with mock.patch.object(build, "raw", lambda *_: None):
            original(*arguments)

    yield mock.patch.object(build, "fill", fill)


def no_marker() -> Iterator[Any]:
    """A folder whose rows were removed on their way is committed."""
    original = flat_folders.commit

    def commit(hdfs: Any, staged: Any, *rest: Any) -> None:
        with mock.patch.object(hdfs, "names", lambda *_: [flat_folders.MARKER]):
            original(hdfs, staged, *rest)

    yield mock.patch.object(flat_folders, "commit", commit)


def clean_what_came_since() -> Iterator[Any]:
    """A release that was started behind the log that clean read is removed."""

    def is_over(release: int, state: Any) -> bool:
        return release not in {
            *(event.release for event in (state.published, state.previous) if event),
            state.undecided,
        }

    yield mock.patch.object(clean, "_is_over", is_over)


def clean_unlisted_landings() -> Iterator[Any]:
    """A landing that came behind the list that clean read is removed."""
    original = clean._merged

    def merged(hdfs: Any, generations: Any) -> Any:
        older = [Generation(generation.compaction, 10**9, generation.folders) for generation in generations]
        return original(hdfs, older)

    yield mock.patch.object(clean, "_merged", merged)


def any_candidate() -> Iterator[Any]:
    """Marts are published whatever the candidate was while they were computed."""
    yield mock.patch.object(build, "_refuse_disturbed", lambda *_: None)


def cleaned_in_silence() -> Iterator[Any]:
    """Clean leaves no event, so that a rollback goes back to what is being removed."""
    yield mock.patch.object(Ledger, "clean", Ledger.state)


def compact_again() -> Iterator[Any]:
    """A compaction begins though the flat tables lack the folders of the one before."""
    looks_complete = types.SimpleNamespace(is_complete=lambda *_: True)
    yield mock.patch.object(compact, "flat_folders", looks_complete)


def shared_staging() -> Iterator[Any]:
    """Two machines fill the same flat folder in one staging folder."""
    yield mock.patch.object(build, "uuid", types.SimpleNamespace(uuid4=lambda: uuid.UUID(int=0)))


def merge_nearly_all() -> Iterator[Any]:
    """Merging the log makes the name free that a build on another machine is about to give to its event."""
    yield mock.patch.object(ledger, "TAIL", 1)


def raw_views_of_removed_folders() -> Iterator[Any]:
    """A command sets the raw views to folders that two compactions and a clean have removed."""
    yield mock.patch.object(landings, "refuse_replaced", lambda *_: None)


def switch_to_removed_folders() -> Iterator[Any]:
    """A command moves readers to a release, or to folders, that it read of before others published and cleaned."""
    original = build._is_current
    looks = itertools.count()
    yield mock.patch.object(build, "_is_current", lambda *given: next(looks) % 2 == 0 or original(*given))


def retired_by_one_command() -> Iterator[Any]:
    """What a killed command retired stays in the metastore."""
    yield mock.patch.object(Schema, "retire", lambda *_: None)


@contextlib.contextmanager
def mutated(mutant: Patches) -> Iterator[None]:
    """The core with one fault."""
    with contextlib.ExitStack() as stack:
        for patch in mutant():
            stack.enter_context(patch)
        yield


def two(outer: str, calls: range, inner: Step) -> list[list[Step]]:
    """Histories of a command that stands still at one of its calls while another machine runs a step."""
    return [[Step(outer, 0, at, MEANWHILE, inner)] for at in calls]


def killed(command: str, calls: range, then: str) -> list[list[Step]]:
    """Histories of a command that is killed, and another one."""
    return [[Step(command, 0, at, KILLED), Step(then)] for at in calls]


ANYWHERE = range(140)
LAND_AND_BUILD = Step("build", 1, 0, MEANWHILE, Step("land", 1))
COMPACT_TWICE = Step("build compact land build land build compact clean", 1)
# Each fault with a start and the histories among which it is found.
MUTANTS: list[tuple[Patches, str, list[list[Step]]]] = [
    (decide_without_looking, "land build land", two("build", ANYWHERE, LAND_AND_BUILD)),
    (switch_once, "land build land", two("build", ANYWHERE, LAND_AND_BUILD)),
    (rename_over, "land build", two("land", ANYWHERE, Step("land", 1))),
    (one_generation, "land build land build land", killed("compact", ANYWHERE, "clean")),
    (unregistered_switch, "land build land build land build land", killed("compact", ANYWHERE, "build")),
    (whole_folders_only, "land build land build land", killed("compact", ANYWHERE, "rollback")),
    (
        raw_not_registered,
        "land build land",
        [h for at in range(0, 39, 3) for h in two("build", range(0, 80, 5), Step("land", 1, at, KILLED))],
    ),
    (
        no_marker,
        "land build land",
        [
            h
            for at in range(20, 60, 4)
            for h in two("build", ANYWHERE, Step("clean", 1, 0, MEANWHILE, Step("build", 2, at, KILLED)))
        ],
    ),
    (clean_what_came_since, "land build land", two("clean", ANYWHERE, Step("build", 1))),
    (clean_unlisted_landings, "land build land", two("clean", ANYWHERE, Step("land", 1))),
    (
        compact_again,
        "land build land build land build",
        [[Step("compact", 0, at, KILLED), Step("land"), Step("compact")] for at in ANYWHERE],
    ),
    (
        shared_staging,
        "land build land build land",
        [h for at in range(40, 60) for h in two("compact", range(20, 120), Step("compact", 1, at, KILLED))],
    ),
    (merge_nearly_all, "land build land build land", two("build", ANYWHERE, Step("build", 1))),
    (raw_views_of_removed_folders, "land build land build land", two("build", range(20), COMPACT_TWICE)),
    (
        switch_to_removed_folders,
        "land build land build land build compact land build land",
        two("build", ANYWHERE, COMPACT_TWICE),
    ),
    (retired_by_one_command, "land build", killed("retire", ANYWHERE, "build")),
    (any_candidate, "land build land", two("build", ANYWHERE, Step("repair", 1))),
    (
        cleaned_in_silence,
        "land build land build land build",
        two("clean", ANYWHERE, Step("rollback", 1, 0, MEANWHILE, Step("rollback", 2))),
    ),
]
