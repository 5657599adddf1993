"""One stack of real servers for the whole test session, on free ports, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from messages import ACCEPTED, REJECTED, publish, text

from etl import settings as settings_module
from etl.settings import PROJECT, Settings
from etl.stack import processes
from etl.stack.layout import PORTS

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The README shows the plain sample: it is read before other tests publish what is wrong."""
    items.sort(key=lambda item: item.path.name != "test_readme.py")


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings of a running stack, which ends with the session."""
    for name in [name for name in os.environ if name.startswith("WAREHOUSE_") and name != "WAREHOUSE_VENV"]:
        del os.environ[name]
    home = tmp_path_factory.mktemp("warehouse")
    free = settings_module.load(home=home, ports={name: 0 for name in PORTS})
    try:
        processes.up(free, print, "all")
        yield settings_module.load(home=home)
    finally:
        processes.down(free)


@pytest.fixture(scope="session")
def run(settings: Settings) -> Run:
    """`run("land")` runs ./warehouse on that stack, as a user would; `code` is the exit code to expect."""

    def call(*words: str, code: int = 0, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "WAREHOUSE_HOME": str(settings.home), "NO_COLOR": "1"}
        raw = subprocess.run(
            [PROJECT / "warehouse", *words], input=stdin, capture_output=True, env=environment, timeout=300, check=False
        )
        done = subprocess.CompletedProcess(raw.args, raw.returncode, raw.stdout.decode(), raw.stderr.decode())
        assert done.returncode == code, f"{' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return call


@pytest.fixture(scope="session")
def published(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's file, published; the topic holds just its messages."""
    path = tmp_path_factory.mktemp("sample") / "sample.json"
    path.write_text(run("generate").stdout)
    run("publish", str(path))
    return path


@pytest.fixture(scope="session")
def landed(run: Run, published: Path) -> str:
    """What the first landing, of just the sample, said."""
    assert published.exists()
    return run("land").stderr


@pytest.fixture(scope="session")
def built(run: Run, landed: str) -> str:
    """What the first build, of just the sample, said."""
    assert landed
    return run("build").stderr


@pytest.fixture(scope="session")
def unlanded(settings: Settings, built: str) -> int:
    """The nasty messages are published, behind the sample that is built."""
    assert built
    publish(settings, *map(text, ACCEPTED), *(one for one, _ in REJECTED))
    return len(ACCEPTED) + len(REJECTED)


@pytest.fixture(scope="session")
def nasty(run: Run, unlanded: int) -> str:
    """They are landed and built; what the landing said."""
    assert unlanded
    landed = run("land").stderr
    run("build")
    return landed
