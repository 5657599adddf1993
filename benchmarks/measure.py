"""Runs a command and measures it: seconds by the wall clock, and the peak memory of all processes involved."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.2
WORDS = 400  # of what a failed command said


class BenchmarkError(Exception):
    """A contestant failed, or its result is not the expected one; the measurement is void."""


@dataclass
class Memory:
    """The peak resident memory in bytes: of Java, of the command's own Python, of Spark's Python workers, of all.

    `python` is the largest single Python process. Pages that processes share are counted in each of them.
    """

    jvm: int = 0
    process: int = 0
    workers: int = 0
    total: int = 0
    python: int = 0

    def widen(self, other: Memory) -> None:
        """Keep the larger of each value."""
        for name, value in vars(other).items():
            setattr(self, name, max(getattr(self, name), value))


@dataclass(frozen=True)
class Measured:
    """One run of a command."""

    seconds: float
    memory: Memory
    output: str


@dataclass
class Sampler:
    """Samples processes and all their children until it is ended; `servers` run before the command does."""

    roots: list[int]
    servers: list[int] = field(default_factory=list)
    peak: Memory = field(default_factory=Memory)
    _ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Sample until `end` is called."""
        while not self._ended.wait(SAMPLE_SECONDS):
            self.peak.widen(sample(self.roots, self.servers))

    def end(self) -> None:
        """Let `run` return."""
        self._ended.set()


def sample(roots: Iterable[int], servers: Iterable[int] = ()) -> Memory:
    """The memory of these processes and their children at this moment."""
    seen = Memory()
    for root in {*roots, *servers}:
        try:
            top = psutil.Process(root)
            _count(top, children(top), seen, under_java=False)
        except psutil.Error:
            continue
    seen.total = seen.jvm + seen.process + seen.workers
    return seen


def children(top: psutil.Process) -> dict[int, list[psutil.Process]]:
    """All descendants of a process by their parent: read from the table of processes once."""
    below: dict[int, list[psutil.Process]] = {}
    for child in top.children(recursive=True):
        try:
            below.setdefault(child.ppid(), []).append(child)
        except psutil.Error:
            continue
    return below


def _count(process: psutil.Process, below: Mapping[int, list[psutil.Process]], seen: Memory, under_java: bool) -> None:
    """Add a process and what is below it; what ends meanwhile is left out.

    A Java below a Java is a child that has not become another program yet: its memory is its parent's.
    """
    try:
        resident, is_java = process.memory_info().rss, Path(process.exe()).name == "java"
    except psutil.Error:
        return
    if is_java and under_java:
        return
    if is_java:
        seen.jvm += resident
    elif under_java:
        seen.workers += resident
    else:
        seen.process += resident
    if not is_java:
        seen.python = max(seen.python, resident)
    for child in below.get(process.pid, ()):
        _count(child, below, seen, under_java or is_java)


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    servers: Iterable[int] = (),
    into: Path | None = None,
) -> Measured:
    """Run a command to its end; `servers` are processes whose memory counts as well, `into` takes what it prints.

    Raises BenchmarkError when it fails.
    """
    with tempfile.TemporaryFile() as errors, into.open("w+b") if into else tempfile.TemporaryFile() as out:
        began = time.monotonic()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, env={**os.environ, **environment}
        )
        sampler = Sampler([process.pid], list(servers))
        watching = threading.Thread(target=sampler.run, daemon=True)
        watching.start()
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            seconds = time.monotonic() - began
            sampler.end()
            watching.join()
        out.seek(0)
        errors.seek(0)
        if code:
            words = errors.read().decode(errors="replace").strip()[-WORDS:]
            raise BenchmarkError(f"{' '.join(command[:6])} ended with {code}: {words}")
        return Measured(seconds, sampler.peak, "" if into else out.read().decode())
