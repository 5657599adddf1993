"""Locks of one home: what may run once at a time on this machine; between machines a rename decides."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from filelock import FileLock, Timeout

from etl.errors import BusyError
from etl.settings import Settings

STEP_SECONDS = 120.0  # how long clean and compact wait for a running step of `land --follow`


@contextlib.contextmanager
def exclusive(settings: Settings, verb: str, patience: float = 0) -> Iterator[None]:
    """Be the one `verb` on this machine, where it ends within so many seconds; between machines a rename decides.

    Raises BusyError when another one is at work.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings.home / f"{verb}.lock", timeout=patience):
            yield
    except Timeout:
        raise BusyError(f"another {verb} is at work here", "wait for it to end and run it again") from None


@contextlib.contextmanager
def between_steps(settings: Settings) -> Iterator[None]:
    """Be the one build and the one loader here, when a step of `land --follow` has ended. Raises BusyError."""
    with exclusive(settings, "build", STEP_SECONDS), exclusive(settings, "land", STEP_SECONDS):
        yield
