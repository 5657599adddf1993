"""The measurements of a size by step: seconds of every repeat, peak memory, bytes written."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.measure import Measured, Memory


@dataclass
class Step:
    """One step: a number per repeat; `start` is the part of the seconds in which a contestant's Spark started."""

    messages: int
    seconds: list[float] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)
    bytes: int | None = None
    files: int | None = None

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)

    @property
    def working(self) -> float:
        """The median of the seconds without the start."""
        if not self.start:
            return self.median
        return statistics.median(whole - start for whole, start in zip(self.seconds, self.start, strict=True))

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.messages / self.median


@dataclass
class Size:
    """All steps of a number of attempts, with the counts that every contestant's result was compared with."""

    attempts: int
    repeats: int
    expected: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    heap: str = ""
    folders: dict[str, int] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)
    follow_rate: float = 0.0  # messages a second that were published while `land --follow` ran
    loads: dict[str, float] = field(default_factory=dict)  # of the machine, just before the measurement of this date

    def add(
        self,
        name: str,
        measured: Measured | float,
        messages: int | None = None,
        size: int | None = None,
        start: float | None = None,
    ) -> None:
        """Add one repeat of a step."""
        step = self.steps.setdefault(name, Step(self.attempts if messages is None else messages))
        if isinstance(measured, Measured):
            step.seconds.append(round(measured.seconds, 3))
            peak = Memory(**step.memory)
            peak.widen(measured.memory)
            step.memory = asdict(peak)
        else:
            step.seconds.append(round(measured, 3))
        if start is not None:
            step.start.append(round(start, 3))
        step.bytes = step.bytes if size is None else size

    def extend(self, later: Size) -> None:
        """Add the steps of a later measurement that this one does not have."""
        self.steps = {**later.steps, **self.steps}
        self.loads |= later.loads
        self.heap, self.follow_rate = self.heap or later.heap, self.follow_rate or later.follow_rate
        self.folders = self.folders or later.folders

    def median(self, *names: str) -> float | None:
        """The sum of the medians of these steps, None where one was not run."""
        steps = [self.steps.get(name) for name in names]
        return sum(step.median for step in steps if step) if names and all(steps) else None

    def tables(self, prefixes: Iterable[str], under: str = "build") -> list[str]:
        """The steps inside a build that made a table of these databases."""
        wanted = tuple(f"{under}.{prefix}." for prefix in prefixes)
        return [name for name in self.steps if name.startswith(wanted)]

    @classmethod
    def of(cls, document: dict[str, Any]) -> Size:
        """Read it from a document of `vars`."""
        steps = {name: Step(**step) for name, step in document["steps"].items()}
        return cls(**{**document, "steps": steps})
