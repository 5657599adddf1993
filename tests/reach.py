"""A plugin of pytest for tests/small_faults.py: which test runs which functions, and chosen tests in their order.

REACH names the file to write: {test: [seconds, {module: [names of functions]}]} of the tests that pass.
CHOSEN names a file with a list of tests: those run, in this order, up to the first that fails.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

PROJECT = str(Path(__file__).parents[1]) + os.sep
SERVERS = {"own_stack", "browser"}  # fixtures of tests that need more than Python
reached: dict[str, tuple[float, dict[str, list[str]]]] = {}
failed: set[str] = set()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs servers, and all that was not chosen."""
    items[:] = [item for item in items if not SERVERS & set(getattr(item, "fixturenames", ()))]
    if path := os.environ.get("CHOSEN"):
        config.option.maxfail = 1
        order = {test: number for number, test in enumerate(json.loads(Path(path).read_text(encoding="utf-8")))}
        items[:] = sorted((item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Note which functions a test runs, in all threads."""
    if "REACH" not in os.environ:
        return (yield)
    codes: set[CodeType] = set()

    def note(frame: FrameType, _event: str, _argument: object) -> None:
        codes.add(frame.f_code)

    began = time.monotonic()
    threading.settrace(note)
    sys.settrace(note)
    try:
        return (yield)
    finally:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
        names: dict[str, list[str]] = {}
        for code in codes:
            if code.co_filename.startswith(f"{PROJECT}etl{os.sep}"):
                names.setdefault(code.co_filename.removeprefix(PROJECT), []).append(code.co_qualname)
        reached[item.nodeid] = (round(time.monotonic() - began, 2), names)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what fails."""
    if report.failed:
        failed.add(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write what was noted."""
    if path := os.environ.get("REACH"):
        passed = {test: reach for test, reach in reached.items() if test not in failed}
        Path(path).write_text(json.dumps(passed), encoding="utf-8")
