"""Lands and builds in small steps until it is stopped, each step by the rules of `land` and `build` alone.

Every 200 landings it compacts and cleans, so that a year of steps leaves no more files and partitions than a day.
It keeps no state: a step that is killed is continued by the next, on any machine. It waits for servers that go away
and for other commands that hold a lock, such as `clean` and `compact`; what needs a person, such as a failed
critical expectation, ends it.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from etl.build.build import build, refill
from etl.build.clean import clean
from etl.build.retention import expire
from etl.errors import BusyError, ServerError, WarehouseError
from etl.land.compact import compact
from etl.land.land import land
from etl.servers.hdfs import Hdfs
from etl.settings import Settings
from etl.store import landings

WHOLE = 600.0  # seconds between two full validations; those between run critical expectations only
PAUSE = 2.0  # seconds between two polls of a topic where nothing is new
PATIENCE = 10.0  # seconds before a retry after a server failed
TIDY_LANDINGS = 200  # landings after the last compaction, before the next


def follow(
    settings: Settings, say: Callable[[str], None], stop: threading.Event, after_step: Callable[[], None] = lambda: None
) -> int:
    """Land and build what is new until `stop` is set, which ends it after the current step; returns the messages.

    `after_step` is called when a step has landed and published all there was.

    Raises WarehouseError as `land` and `build` do, but retries after failed servers and while others hold a lock.
    """
    total, before, warned = 0, time.monotonic(), -WHOLE
    is_behind = has_landings(settings)  # perhaps: a killed run may have left them
    tidied = 0  # the landing at which it last compacted and cleaned; at the first step of a run it does, too
    while not stop.is_set():
        began = time.monotonic()
        try:
            landed = land(settings, quiet)
            landed_at = time.monotonic()
            if landed.landing or is_behind:
                is_behind = True  # until it is published
                is_brief = landed_at < warned + WHOLE
                build(settings, quiet, is_brief=is_brief)
                warned, is_behind = warned if is_brief else landed_at, False
            after_step()
        except (ServerError, BusyError) as error:
            say(f"{error}; retrying in {PATIENCE:.0f} s")
            stop.wait(PATIENCE)
            continue
        now = time.monotonic()
        if landed.landing:
            count = landed.accepted + landed.rejected
            total += count
            say(
                f"landing {landed.landing}: {count:,} messages in {landed_at - began:.1f} s, built and validated in "
                f"{now - landed_at:.1f} s; {count / (now - before):,.0f} a second, at most {now - before:.0f} s behind"
            )
            if landed.landing >= tidied + TIDY_LANDINGS:
                tidied = landed.landing
                tidy(settings, say)
        before = began  # what was published since then comes with the next step
        stop.wait(0 if landed.landing else PAUSE)
    return total


def has_landings(settings: Settings) -> bool:
    """Whether there is anything to build from."""
    return bool(landings.current(Hdfs(settings)).folders)


def tidy(settings: Settings, say: Callable[[str], None]) -> None:
    """Compact small landings and clean; what prevents it is reported, and the steps continue."""
    try:
        if compact(settings, quiet):
            refill(settings, quiet)
        expire(settings, quiet)
        clean(settings, is_removed=True)
    except WarehouseError as error:
        say(f"not compacted and cleaned: {error}")


def quiet(_: str) -> None:
    """Say nothing: a step reports in one line of its own."""


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; the second signal interrupts at once."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    kept = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
