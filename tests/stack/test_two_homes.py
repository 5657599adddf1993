"""Two homes with stacks of their own: in every order of up, down and a kill, a command acts on its own warehouse."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import runner
from reliability import Case

from etl import settings as settings_module
from etl.servers import kafka
from etl.servers.hdfs import Hdfs
from etl.settings import PROJECT
from etl.store.ledger import Ledger
from stack import processes

pytestmark = pytest.mark.long("homes")
COMMANDS = (["publish", "-"], ["land"], ["build"], ["query", "SELECT COUNT(*) FROM flat.attempts"], ["clean", "--yes"])


def tried(home: Path, *words: str, stdin: bytes = b"") -> int:
    """Run a command that may fail, in one line; its exit code."""
    environment = {**os.environ, "WAREHOUSE_HOME": str(home), "NO_COLOR": "1"}
    ended = subprocess.run(
        [PROJECT / "warehouse", *words], input=stdin, capture_output=True, env=environment, timeout=400, check=False
    )
    assert b"Traceback" not in ended.stderr, ended.stderr
    return ended.returncode


def content(home: Path) -> object:
    """All that a warehouse holds, as far as a command could change it."""
    settings = settings_module.load(home=home)
    hdfs = Hdfs(settings)
    return Ledger(hdfs).events(), hdfs.files("."), kafka.describe(settings).offsets


@contextmanager
def unchanged(home: Path) -> Iterator[None]:
    """Whatever happens meanwhile, this warehouse stays as it is."""
    before = content(home)
    yield
    assert content(home) == before


def kill(home: Path, *names: str) -> None:
    """SIGKILL for servers of a home, all where none is named."""
    started = processes.read(settings_module.load(home=home))["processes"]
    for name in names or started:
        if handle := started[name].handle():
            handle.kill()
            handle.wait(20)


def test_no_command_of_a_home_touches_the_warehouse_of_another(tmp_path: Path, case: Case) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    of_first, of_second = (runner({"WAREHOUSE_HOME": str(home)}) for home in (first, second))
    sample = of_first("generate").stdout.encode()
    few = b"\n".join(sample.splitlines()[:20]) + b"\n"
    count = 0

    def strangers(home: Path, is_up: bool) -> None:
        nonlocal count
        for words in COMMANDS:
            code = tried(home, *words, stdin=few)
            assert (code == 0) == is_up, (words, code)
            count += 1

    try:
        of_first("up")
        of_first("publish", "-", stdin=few)
        of_first("land")
        of_first("build")
        with unchanged(first):
            strangers(second, is_up=False)  # never up
            of_second("up")
            strangers(second, is_up=True)
            of_second("down")
            strangers(second, is_up=False)
            of_second("up")
            kill(second, "namenode")
            tried(second, "land")
            kill(second)
            strangers(second, is_up=False)
            of_second("up")
        with unchanged(second):
            strangers(first, is_up=True)
            kill(first)
            strangers(first, is_up=False)
            of_first("down")
            strangers(first, is_up=False)
    finally:
        for home in (first, second):
            tried(home, "down")
    case("Two homes with stacks of their own", "commands in orders of up, down, kill", "each acts on its own", count)
