"""The log of releases on HDFS, one JSON-lines file per event, read as ops.releases.

An event takes its number by a rename that fails where the number is taken, so that the log is one line of events on
however many machines. A release has the number of the event that started it, and can be published only while no later
one was started: of two builds the later one is published.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from etl.errors import WarehouseError
from etl.servers.hdfs import Hdfs, rows_of
from etl.store.landings import NUMBER

STARTED, PUBLISHED, REJECTED, ROLLED_BACK, RETIRED = "started", "published", "rejected", "rolled back", "retired"
CLEANED, ERASED = "cleaned", "erased"
RELEASES = ("ops", "releases_v1")
EVENT, MERGED = re.compile(r"event-([0-9]{12})\.json"), re.compile(r"events-to-([0-9]{12})\.json")
PARTITION = re.compile(f"release={NUMBER}(?:/customer=[a-z][a-z0-9_]*)?")  # of a mart, or of a table of customers
TAIL = 40  # newest events that stay files of their own; with as many more, these are merged
KEPT = 1000  # events that merging keeps


@dataclass(frozen=True)
class Event:
    """One row of ops.releases; `table_versions` are {table_name, view_name, sha256, seconds, files}."""

    event: int
    action: str
    release: int
    landing: int
    engine: str
    table_versions: Sequence[dict[str, Any]] = ()
    decided_at: str = ""

    @property
    def hashes(self) -> dict[str, str]:
        """The hash of the SQL file of each table of the release."""
        return {row["table_name"]: row["sha256"] for row in self.table_versions}


@dataclass(frozen=True)
class State:
    """What the log says: the number of the next event, the newest release started, and what readers see.

    `publications` are the releases that were published, each before the next, without those that were rolled back.
    `erased` is the number of the last event by which attempts left the raw tables: older releases may hold them.
    """

    next: int = 1
    started: int = 0
    publications: tuple[Event, ...] = ()
    retired: Mapping[str, str] = field(default_factory=dict)  # table_name: view_name
    undecided: int = 0
    erased: int = 0

    @property
    def published(self) -> Event | None:
        """What readers see, None before the first publication."""
        return self.publications[-1] if self.publications else None

    @property
    def previous(self) -> Event | None:
        """What a rollback shows again."""
        return self.publications[-2] if len(self.publications) > 1 else None


def stamp(letter: str) -> str:
    """An id that sorts by time: a letter and the time in UTC to the microsecond."""
    return datetime.datetime.now(datetime.UTC).strftime(f"{letter}%Y%m%dT%H%M%S%f")


def now() -> str:
    """The time as the ops tables hold it: ISO-8601 in UTC, to the millisecond."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def file_rows(hdfs: Hdfs, *folder: str, named: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The files below a folder, as {path, bytes, file_checksum}: the path from warehouse_root on.

    `named` is the folder that it is to become, whose name the paths then have.
    """
    entries = hdfs.files(*folder)
    checksums = hdfs.checksums("/".join((*folder, path)) for path, _ in entries)
    root = "/".join(named or folder)
    return [
        {"path": f"{root}/{path}", "bytes": size, "file_checksum": checksum}
        for (path, size), checksum in zip(entries, checksums, strict=True)
    ]


@dataclass
class Ledger:
    """The log of one warehouse."""

    hdfs: Hdfs
    _read: dict[str, list[Event]] = field(default_factory=dict)  # files never change

    def events(self) -> list[Event]:
        """All events in their order."""
        for _ in range(5):
            names = self._names()
            unread = [name for name in names if name not in self._read]
            try:
                contents = rows_of(self.hdfs, [(*RELEASES, name) for name in unread])
            except FileNotFoundError:
                continue  # it was merged since the folder was listed
            for name, rows in zip(unread, contents, strict=True):
                self._read[name] = [Event(**row) for row in rows]
            numbered = {event.event: event for name in names for event in self._read[name]}
            return [numbered[number] for number in sorted(numbered)]
        raise WarehouseError("the log of releases keeps changing while it is read", "run it again")

    def _names(self) -> list[str]:
        return [name for name in self.hdfs.names(*RELEASES) if EVENT.fullmatch(name) or MERGED.fullmatch(name)]

    def state(self) -> State:
        """What the events come to."""
        return fold(self.events())

    def start(self, landing: int, engine: str) -> int:
        """Begin a release; its number. From now on no earlier one can be published."""
        return self._add(lambda state: Event(state.next, STARTED, state.next, landing, engine)).event

    def decide(self, action: str, release: int, landing: int, engine: str, tables: Sequence[dict[str, Any]]) -> Event:
        """Publish or reject a release. Raises WarehouseError when a later one was started meanwhile."""

        def event(state: State) -> Event:
            if state.started != release:
                raise WarehouseError(
                    f"another build, release {state.started}, was started while release {release} was built, "
                    f"so release {release} is not published",
                    "run ./warehouse build again when that one has ended",
                )
            if release < state.erased:
                raise WarehouseError(
                    f"attempts were erased while release {release} was built, so it is not published",
                    "run ./warehouse build again",
                )
            return Event(state.next, action, release, landing, engine, tables)

        return self._add(event)

    def roll_back(self, expected: Event) -> Event:
        """Show readers the release before the published one, which is `expected`."""

        def event(state: State) -> Event:
            if state.published != expected or state.previous is None:
                raise WarehouseError("another release was published meanwhile", "see ./warehouse status")
            back = state.previous
            return Event(state.next, ROLLED_BACK, back.release, back.landing, back.engine, back.table_versions)

        return self._add(event)

    def retire(self, table: str, view: str) -> Event:
        """Take a table out of builds, views and suites for good."""
        row = {"table_name": table, "view_name": view, "sha256": ""}
        return self._add(lambda state: Event(state.next, RETIRED, 0, 0, "", [row]))

    def erase(self) -> Event:
        """Say that attempts left the raw tables: no older release is published or shown again from now on."""
        return self._add(lambda state: Event(state.next, ERASED, 0, 0, ""))

    def clean(self) -> State:
        """Drop all releases but the published one and the one before; returns the state after it."""
        self._add(lambda state: Event(state.next, CLEANED, 0, 0, ""))
        return self.state()

    def _add(self, make: Callable[[State], Event]) -> Event:
        while True:
            event = make(self.state())
            row = asdict(event) | {"decided_at": now()}
            if self.hdfs.put_rows([row], *RELEASES, f"event-{event.event:012d}.json"):
                return Event(**row)

    def merge(self) -> None:
        """Merge many files of single events; what is no longer needed is dropped.

        The newest stay: the name of an event that another machine is about to write must not become free.
        """
        names = [name for name in self._names() if EVENT.fullmatch(name)]
        if len(names) <= 2 * TAIL:
            return
        events = self.events()
        state = fold(events)
        events = events[:-TAIL]
        needed = {event.event for event in state.publications[-2:]} | {
            e.event for e in events if e.action in (RETIRED, ERASED)
        }
        kept = [asdict(event) for event in events[:-KEPT] if event.event in needed]
        kept += [asdict(event) for event in events[-KEPT:]]
        merged = f"events-to-{events[-1].event:012d}.json"
        self.hdfs.put_rows(kept, *RELEASES, merged)
        for name in self._names():
            match = EVENT.fullmatch(name) or MERGED.fullmatch(name)
            if match and name != merged and int(match[1]) <= events[-1].event:
                self.hdfs.remove(*RELEASES, name)


def fold(events: Sequence[Event]) -> State:
    """The state after these events."""
    publications: list[Event] = []
    started = undecided = erased = 0
    retired: dict[str, str] = {}
    for event in events:
        if event.action == STARTED:
            started = undecided = event.release
        elif event.action == PUBLISHED:
            publications = [*(older for older in publications if older.release > erased), event]
        elif event.action == ERASED:
            erased, publications = event.event, publications[-1:]
        elif event.action == ROLLED_BACK:
            while publications and publications[-1].release != event.release:
                publications.pop()
            publications = publications or [event]  # what it went back to was dropped by merging
        elif event.action == CLEANED:
            publications = publications[-2:]
        elif event.action == RETIRED:
            retired |= {row["table_name"]: row.get("view_name", "") for row in event.table_versions}
        if event.action in (PUBLISHED, REJECTED):
            undecided = 0
    last = events[-1].event if events else 0
    return State(last + 1, started, tuple(publications), retired, undecided, erased)
