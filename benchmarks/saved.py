"""Saved runs: a file each in benchmarks/results, named by its date."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.measure import BenchmarkError
from benchmarks.steps import Size
from etl.settings import PROJECT

RESULTS = PROJECT / "benchmarks" / "results"


def document(about: dict[str, Any], sizes: Iterable[Size]) -> dict[str, Any]:
    """All of a run, as it is saved."""
    return {**about, "sizes": [asdict(size) for size in sizes]}


def save(measurement: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Write a run into the folder of results, under its date."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{measurement['date']}.json"
    path.write_text(json.dumps(measurement, indent=1) + "\n", encoding="utf-8")
    return path


def run(date: str, folder: Path = RESULTS) -> dict[str, Any]:
    """A saved run by its date: 2026-11-29T0550. Raises BenchmarkError where there is none."""
    try:
        measurement: dict[str, Any] = json.loads((folder / f"{date}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BenchmarkError(f"no run was saved as {date}: see benchmarks/{folder.name}") from None
    return measurement


def newest(folder: Path = RESULTS) -> dict[str, Any]:
    """The last run that was saved. Raises BenchmarkError where there is none."""
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise BenchmarkError("no run was saved yet: run python -m benchmarks first")
    return run(paths[-1].stem, folder)


def sizes_of(measurement: dict[str, Any]) -> list[Size]:
    """The sizes of a saved run."""
    return [Size.of(size) for size in measurement["sizes"]]
