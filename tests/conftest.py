"""One stack of real servers for the whole test session, in a folder of its own.

It has other ports, another HDFS root and another user than the defaults, and the sample comes in by `remote`, which
knows of it by settings alone: so everything here rehearses a cluster (tests/stack/test_rehearsal.py).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import hypothesis  # noqa: F401 (here, since Python 3.11 cannot import it behind the tests that raise a BaseException)
import pytest
from browsing import browsing
from commands import Run, runner
from messages import ACCEPTED, REJECTED, publish, text
from own_stack import USER, OwnStack
from playwright.sync_api import Browser
from reliability import Case, Cases

from etl.build import build
from etl.errors import WarehouseError
from etl.settings import Settings
from etl.validate import validate
from stack import processes

ORDER = {
    "test_readme.py": -4,
    "test_rehearsal.py": -3,
    "test_report_page.py": -2,
    "test_docs.py": -1,
    "test_messages.py": 1,
}
STACK = pytest.StashKey[OwnStack]()
FAILED = pytest.StashKey[bool]()


def pytest_configure() -> None:
    """No test sees the settings of whoever runs it."""
    for name in [name for name in os.environ if name.startswith("WAREHOUSE_") and name != "WAREHOUSE_VENV"]:
        del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs no server comes first, while the servers start.

    The README, the rehearsal and the pages show the plain sample: they come before others publish what is wrong.
    The corpus comes last: behind it every table is larger and slower to read.
    """
    items.sort(key=lambda item: (needs_stack(item), ORDER.get(item.path.name, 0)))


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
    """`--write-docs` writes what the tests did into docs/reliability.md, and pictures of pages into docs/pictures/."""
    parser.addoption("--write-docs", action="store_true", help="write docs/reliability.md and docs/pictures/")


CASES = Cases()


@pytest.fixture
def case() -> Case:
    """`case("Two loaders", "started at once", "one lands")` counts a line of docs/reliability.md."""
    return CASES.add


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """`@pytest.mark.case("Two loaders", "started at once", "one lands")` counts that line when the test has passed."""
    report = yield
    for mark in item.iter_markers("case"):
        if report.when == "call" and report.passed:
            CASES.add(*mark.args, **mark.kwargs)
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the page, where that was asked for."""
    session.config.stash[FAILED] = exitstatus != 0
    if session.config.getoption("--write-docs"):
        CASES.write()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """Say where the logs of the servers are, when a test has failed."""
    if STACK in config.stash and exitstatus:
        terminalreporter.write_line(f"logs of the servers: {config.stash[STACK].home}/logs")


@pytest.fixture(scope="session")
def own_stack(request: pytest.FixtureRequest) -> OwnStack:
    """The stack of all tests; what uses it is a test that needs servers."""
    return request.config.stash[STACK]


@pytest.fixture(scope="session")
def settings(own_stack: OwnStack) -> Settings:
    """The settings of the running stack; where it does not start, the tests end: none that can pass is left."""
    try:
        return own_stack.settings()
    except WarehouseError as error:
        pytest.exit(str(error), returncode=1)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium, one for all tests."""
    with browsing() as found:
        yield found


@pytest.fixture(scope="session")
def run(settings: Settings) -> Run:
    """`run("land")` runs ./warehouse at the home of the stack."""
    return runner({"WAREHOUSE_HOME": str(settings.home)})


@pytest.fixture(scope="session")
def cluster(settings: Settings) -> dict[str, str]:
    """The variables of docs/cluster.md that make the stack a cluster somewhere else."""
    given = {**processes.read(settings)["settings"], "hive_user": USER}
    return {f"WAREHOUSE_{name.upper()}": value for name, value in given.items()}


@pytest.fixture(scope="session")
def remote(cluster: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`remote("land")` runs ./warehouse at an empty home, where only settings say where the servers are."""
    return runner({"WAREHOUSE_HOME": str(tmp_path_factory.mktemp("remote")), **cluster})


@pytest.fixture(scope="session")
def published(remote: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's file, published; the topic holds just its messages."""
    path = tmp_path_factory.mktemp("sample") / "sample.json"
    path.write_text(remote("generate").stdout)
    remote("publish", str(path))
    return path


@pytest.fixture(scope="session")
def landed(remote: Run, published: Path) -> str:
    """What the first landing, of just the sample, said."""
    assert published.exists()
    return remote("land").stderr


@pytest.fixture(scope="session")
def built(remote: Run, landed: str) -> str:
    """What the first build, of just the sample, said."""
    assert landed
    return remote("build").stderr


@pytest.fixture(scope="session")
def unlanded(settings: Settings, built: str) -> int:
    """The nasty messages are published, behind the sample that is built."""
    assert built
    publish(settings, *map(text, ACCEPTED), *(one for one, _ in REJECTED))
    return len(ACCEPTED) + len(REJECTED)


@pytest.fixture(scope="session")
def nasty(run: Run, unlanded: int, quick_build: Callable[..., None]) -> str:
    """They are landed and built; what the landing said."""
    assert unlanded
    landed = run("land").stderr
    quick_build()
    return landed


@contextlib.contextmanager
def unvalidated() -> Iterator[None]:
    """Builds in this block publish without a validation: for tests that want just the tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validate, "validate", lambda *_: validate.Validated([], Path(), Path(), 0.0))
        yield


@pytest.fixture(scope="session")
def quick_build(settings: Settings) -> Callable[..., None]:
    """`quick_build(engine="hive")` builds and publishes without a validation."""

    def call(engine: str = "spark") -> None:
        with unvalidated():
            build.build(settings.model_copy(update={"engine": engine}), print)

    return call
