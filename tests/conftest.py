"""What all tests share: their order, the start and end of the servers, the page that they write, a browser."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

import hypothesis  # noqa: F401 (here, since Python 3.11 cannot import it behind the tests that raise a BaseException)
import pytest
from browsing import browsing
from own_stack import STACK, OwnStack
from playwright.sync_api import Browser
from reliability import Case, Cases

from etl import sqlfile
from etl.settings import PROJECT

ORDER = {
    "test_readme.py": -4,
    "test_rehearsal.py": -3,
    "test_report_page.py": -2,
    "test_adding_a_table.py": -2,
    "test_catalog.py": -2,
    "test_cli.py": -2,
    "test_end_to_end.py": -1,
    "test_messages.py": 1,
    "test_erase.py": 2,
}
LEFT = pytest.StashKey[Counter[str]]()
FAILED = pytest.StashKey[bool]()


def pytest_configure() -> None:
    """Hide the settings of the user who runs the tests; let them, and what they start, be interrupted.

    A shell starts its background jobs with interrupts ignored.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith("WAREHOUSE_") and name != "WAREHOUSE_VENV"]:
        del os.environ[name]


def part_of(item: pytest.Item) -> str | None:
    """The part of `--long` that a test belongs to, None where it runs always; without a name it is its module's."""
    marks = [mark for mark in item.iter_markers("long")]
    return (marks[0].args or (item.path.stem.removeprefix("test_"),))[0] if marks else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was not chosen; what needs no server comes first, while the servers start.

    The README, the rehearsal and the pages show the plain sample: they come before others publish what is wrong.
    The corpus comes late: behind it every table is larger and slower to read. An erasure is last: it empties the topic,
    with which others compare the tables.
    """
    parts = {item: part_of(item) for item in items}
    left = left_out(config.getoption("--long"), parts)
    config.stash[LEFT] = Counter(part for part in map(part_of, left) if part)
    config.hook.pytest_deselected(items=left)
    gone = set(left)
    items[:] = [item for item in items if item not in gone]
    items.sort(key=lambda item: (needs_stack(item), item.path.parent.name == "stack", ORDER.get(item.path.name, 0)))


def left_out(chosen: str | None, parts: Mapping[pytest.Item, str | None]) -> list[pytest.Item]:
    """The tests that do not run: all but those of the chosen parts, or the long ones where no part was chosen.

    Raises UsageError for a part that no test belongs to.
    """
    named = set(chosen.split(",")) if chosen else set()
    existing = {part for part in parts.values() if part}
    if unknown := sorted(named - existing - {"all"}):
        raise pytest.UsageError(f"--long has no part {unknown[0]!r}: it may be {', '.join(sorted(existing))}")
    if "all" in named:
        return []
    return [item for item, part in parts.items() if (part not in named if named else part)]


def needs_stack(item: pytest.Item) -> bool:
    """Whether a test uses the servers."""
    return "own_stack" in getattr(item, "fixturenames", ())


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the servers, when a test needs them."""
    if not session.config.option.collectonly and any(map(needs_stack, session.items)):
        session.config.stash[STACK] = OwnStack()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the servers."""
    if STACK in config.stash:
        config.stash[STACK].close(keep=config.stash.get(FAILED, True))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long` runs the long tests as well, `--long kills,login` those of these parts alone.

    `--write-docs` writes what the tests did into docs/reliability.md, and pictures of pages into docs/pictures/.
    """
    parser.addoption("--long", nargs="?", const="all", metavar="PARTS", help="run long tests too, or these parts")
    parser.addoption("--write-docs", action="store_true", help="write docs/reliability.md and docs/pictures/")


CASES = Cases()


COUNTED = pytest.StashKey[list[tuple[str, str, str, int]]]()


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    """`case("Two loaders", "started at once", "one lands")` counts a line of docs/reliability.md when it passes."""
    counted = request.node.stash[COUNTED] = []

    def count(case: str, done: str, outcome: str, times: int = 1) -> None:
        counted.append((case, done, outcome, times))

    return count


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """`@pytest.mark.case("Two loaders", "started at once", "one lands")` counts that line when the test has passed."""
    report = yield
    if report.when == "call" and report.passed:
        for mark in item.iter_markers("case"):
            CASES.add(*mark.args, **mark.kwargs)
        for counted in item.stash.get(COUNTED, []):
            CASES.add(*counted)
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the page if --write-docs was given."""
    session.config.stash[FAILED] = exitstatus != 0
    if session.config.getoption("--write-docs"):
        CASES.write()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """Say which long tests did not run, and where the logs of the servers are when a test has failed."""
    if left := config.stash.get(LEFT, None):
        parts = ", ".join(f"{part} {count}" for part, count in sorted(left.items()))
        terminalreporter.write_line(f"long tests that did not run (--long [PART,PART] runs them): {parts}")
    if STACK in config.stash and exitstatus:
        terminalreporter.write_line(f"logs of the servers: {config.stash[STACK].home}/logs")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium, one for all tests."""
    with browsing() as chromium:
        yield chromium


@pytest.fixture
def sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of sql/, to be changed."""
    copy = Path(shutil.copytree(PROJECT / "sql", tmp_path / "sql"))
    monkeypatch.setattr(sqlfile, "SQL", copy)
    return copy
