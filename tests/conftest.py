"""What all tests share: their order, the two processes that run them, the page that they write, a browser."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import hypothesis  # noqa: F401 (here, since Python 3.11 cannot import it behind the tests that raise a BaseException)
import pytest
from browsing import browsing
from own_stack import LOGS
from playwright.sync_api import Browser
from reliability import Case, Cases

from etl import sqlfile
from etl.settings import PROJECT

FOLDERS = {"stack": -3, "sql": -2, "simulation": -1}  # what takes longest starts first
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
LONGEST = ["test_faults.py", "test_customers.py", "test_engines.py", "test_release.py"]  # of the files of long tests
LEFT = pytest.StashKey[Counter[str]]()


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
    """Leave out what was not chosen; sort the others.

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
    order = dict(zip(LONGEST, range(-len(LONGEST), 0), strict=True)) if config.getoption("--long") else ORDER
    items.sort(key=lambda item: (FOLDERS.get(item.path.parent.name, 0), order.get(item.path.name, 0)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where tests run in several processes: those of the servers in one, those of the local Spark in one.

    Of the long ones, each file may run in another process, which then has servers of its own.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByServers(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            folder = file.rpartition("/")[0]
            is_whole = folder == "tests/sql" or (folder == "tests/stack" and not config.getoption("--long"))
            return folder if is_whole else file

    config.option.loadscopereorder = False  # the order of the tests is the order of the scopes
    return ByServers(config, log)


def left_out(chosen: str | None, parts: Mapping[pytest.Item, str | None]) -> list[pytest.Item]:
    """The tests that do not run: all but those of the chosen parts, or the long ones where none was chosen.

    Raises UsageError for a part that no test belongs to.
    """
    named = set(chosen.split(",")) if chosen else set()
    existing = {part for part in parts.values() if part}
    if unknown := sorted(named - existing - {"all"}):
        raise pytest.UsageError(f"--long has no part {unknown[0]!r}: it may be {', '.join(sorted(existing))}")
    if "all" in named:
        named = existing
    return [item for item, part in parts.items() if (part not in named if named else part)]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long` runs the long tests, `--long kills,login` those of these parts.

    `--write-docs` writes what the tests did into docs/reliability.md, and pictures of pages into docs/pictures/.
    """
    parser.addoption("--long", nargs="?", const="all", metavar="PARTS", help="run the long tests, or these parts")
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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the page if --write-docs was given; one of several processes sends its part to the first."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["left"] = dict(config.stash[LEFT])
        config.workeroutput["cases"] = list(CASES.counts.items())
        config.workeroutput["logs"] = config.stash.get(LOGS, [])
    elif config.getoption("--write-docs"):
        CASES.write()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what another process did, once it has ended; one that crashed has sent nothing."""
    sent = getattr(node, "workeroutput", {})
    node.config.stash[LEFT] = Counter(sent.get("left"))
    for case, times in sent.pop("cases", []):
        CASES.add(*case, times)
    node.config.stash.setdefault(LOGS, []).extend(sent.pop("logs", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which long tests did not run, and where the logs of the servers are when a test has failed."""
    if left := config.stash.get(LEFT, None):
        parts = ", ".join(f"{part} {count}" for part, count in sorted(left.items()))
        terminalreporter.write_line(f"long tests that did not run (--long [PART,PART] runs them): {parts}")
    for folder in filter(os.path.exists, config.stash.get(LOGS, [])):
        terminalreporter.write_line(f"logs of the servers: {folder}")


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
