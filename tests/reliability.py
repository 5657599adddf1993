"""The table of docs/reliability.md, written by the tests themselves: what was done, how often, what came out."""

from __future__ import annotations

import platform
from collections import Counter
from pathlib import Path
from typing import Protocol

import psutil

from etl.settings import PROJECT

PAGE = PROJECT / "docs/reliability.md"
BEGIN, END = "<!-- written by ./warehouse test --long --write-docs -->", "<!-- end -->"


class Case(Protocol):
    """Counts a line of the table, or `times` of them."""

    def __call__(self, case: str, done: str, outcome: str, times: int = 1) -> None: ...


class Cases:
    """What the tests of a session did: {(case, what was done, what came out): how often}."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, str]] = Counter()

    def add(self, case: str, done: str, outcome: str, times: int = 1) -> None:
        """Count one more."""
        self.counts[case, done, outcome] += times

    def write(self, page: Path = PAGE) -> None:
        """Put the lines between the marks of the page; lines of cases that did not run this time stay."""
        text = page.read_text(encoding="utf-8")
        head, _, rest = text.partition(BEGIN)
        old, _, foot = rest.partition(END)
        ran = {case for case, _, _ in self.counts}
        lines = [
            line
            for line in old.splitlines()
            if line.startswith("| ") and line.split(" | ")[0][2:] not in {*ran, "Case"}
        ]
        lines += [f"| {case} | {done} | {times:,} | {out} |" for (case, done, out), times in self.counts.items()]
        memory = round(psutil.virtual_memory().total / 2**30)
        machine = f"{psutil.cpu_count()} cores, {memory} GiB, {platform.system()}, Python {platform.python_version()}"
        table = "\n".join(["| Case | What was done | Times | What came out |", "|---|---|---:|---|", *sorted(lines)])
        page.write_text(f"{head}{BEGIN}\nOn {machine}.\n\n{table}\n{END}{foot}", encoding="utf-8")
