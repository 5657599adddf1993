"""One stack of real servers for all tests that a process runs, in a folder of its own.

It has other ports, another HDFS root and another user than the defaults, and the sample comes in by `remote`, which
knows of it by settings alone: so everything here rehearses a cluster (test_rehearsal.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import Run, runner
from messages import ACCEPTED, REJECTED, publish, text
from own_stack import LOGS, USER, OwnStack
from quick_builds import unvalidated

from etl.build import build
from etl.errors import WarehouseError
from etl.settings import Settings
from stack import processes


@pytest.fixture(scope="session")
def own_stack(request: pytest.FixtureRequest) -> Iterator[OwnStack]:
    """The stack of all tests of a process; its folder stays where one of them failed."""
    stack = OwnStack()
    request.config.stash[LOGS] = [f"{stack.home}/logs"]
    yield stack
    stack.close(keep=request.session.testsfailed > 0)


@pytest.fixture(scope="session")
def settings(own_stack: OwnStack, request: pytest.FixtureRequest) -> Settings:
    """The settings of the running stack; where it does not start, the tests end: none that can pass is left."""
    try:
        return own_stack.settings()
    except WarehouseError as error:
        request.session.shouldfail = str(error)
        raise


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
    publish(settings, *map(text, ACCEPTED), *(value for value, _ in REJECTED))
    return len(ACCEPTED) + len(REJECTED)


@pytest.fixture(scope="session")
def nasty(run: Run, unlanded: int, quick_build: Callable[..., None]) -> str:
    """They are landed and built; what the landing said."""
    assert unlanded
    landed = run("land").stderr
    quick_build()
    return landed


@pytest.fixture(scope="session")
def quick_build(settings: Settings) -> Callable[..., None]:
    """`quick_build(engine="hive")` builds and publishes without a validation."""

    def call(engine: str = "spark") -> None:
        with unvalidated():
            build.build(settings.model_copy(update={"engine": engine}), print)

    return call
