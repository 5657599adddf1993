"""Locks of one home: a command runs once at a time on this machine; between machines a rename decides."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from filelock import FileLock, Timeout

from etl.errors import BusyError
from etl.settings import Settings

STEP_SECONDS = 120.0  # how long clean and compact wait for a running step of `land --follow`


@contextlib.contextmanager
def exclusive(settings: Settings, verb: str, patience: float = 0) -> Iterator[None]:
    """Hold the lock of a verb on this machine, waiting up to `patience` seconds.

    Raises BusyError when another one is running.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings.home / f"{verb}.lock", timeout=patience):
            yield
    except Timeout:
        raise BusyError(f"another {verb} is running here", "wait for it to end and run it again") from None


@contextlib.contextmanager
def between_steps(settings: Settings) -> Iterator[None]:
    """Hold the locks of build and land, after waiting for a step of `land --follow` to end. Raises BusyError."""
    with exclusive(settings, "build", STEP_SECONDS), exclusive(settings, "land", STEP_SECONDS):
        yield
