"""Reads the logs of the servers: the error that ended one, and which have ended."""

from __future__ import annotations

import re
from pathlib import Path

from etl import local_stack
from etl.settings import Settings

TAIL_BYTES = 64 << 10


def last_words(log: Path) -> str:
    """The last line of a log that reports an error."""
    lines = _tail(log)
    telling = [line for line in lines if any(word in line for word in ("Exception", "Error", "ERROR", "FATAL"))]
    return (telling or lines or ["no error in its log"])[-1].strip()[:300]


def _tail(log: Path) -> list[str]:
    """The last lines of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-200:]
    except OSError:
        return []


def ended(settings: Settings) -> list[str]:
    """A sentence for each server that `up` started and that ended by itself: when, and out of memory or by what."""
    sentences = []
    for name in local_stack.read(settings.home).ended:
        log = settings.home / "logs" / f"{name}.log"
        lines = _tail(log)
        is_full = any("OutOfMemoryError" in line for line in lines[-50:])
        times = [line[:19] for line in lines if re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", line)]
        cause = "out of memory" if is_full else f"see {log}"
        when = f", last line at {times[-1]} UTC" if times else ""
        sentences.append(f"{name} has ended ({cause}{when})")
    return sentences
