"""Kills at random points, and servers that fail: nothing lost, nothing duplicated, nothing half-published.

Everything is killed by SIGKILL: the loader, the build, and each server. The random points come from a seed.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest
from commands import Run
from comparing import assert_tables_are_right, consumed
from messages import attempt, publish, text
from oracle import is_accepted
from reliability import Case

from etl.errors import WarehouseError
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import PROJECT, Settings
from etl.store.ledger import Ledger
from stack import processes, servers
from stack.layout import Layout

pytestmark = pytest.mark.usefixtures("nasty")

SERVERS = ("kafka", "namenode", "datanode", "metastore", "spark")
LOADER_AND_SERVERS = [who for server in SERVERS for who in ("loader", server)]
SECONDS = 6.0  # that a landing takes, more or less
UNVALIDATED = """
from quick_builds import unvalidated
from etl import cli
with unvalidated():
    cli.main()
"""


def start(
    settings: Settings, *words: str, is_quick: bool = False, variables: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """A command as a process group of its own; a quick one validates nothing."""
    program = [sys.executable, "-c", UNVALIDATED] if is_quick else [str(PROJECT / "warehouse")]
    path = os.pathsep.join(map(str, (PROJECT, PROJECT / "tests", PROJECT / "tests/stack")))
    environment = {**os.environ, "WAREHOUSE_HOME": str(settings.home), "NO_COLOR": "1", "PYTHONPATH": path}
    environment |= variables or {}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*program, *words], stdout=pipe, stderr=pipe, text=True, env=environment, start_new_session=True
    )


def kill(settings: Settings, victim: str, command: subprocess.Popen[str]) -> None:
    """SIGKILL for the command or a server."""
    if victim in SERVERS:
        handle = processes.read(settings)["processes"][victim].handle()
        assert handle, f"{victim} was not running"
        handle.kill()
        handle.wait(20)
    elif command.poll() is None:
        os.killpg(command.pid, signal.SIGKILL)


def ended(command: subprocess.Popen[str], victim: str) -> bool:
    """Whether the command did what it should; if a server failed it, it said so in one line."""
    _, output = command.communicate(timeout=400)
    if victim in SERVERS and command.returncode:
        assert "Traceback" not in output and "unexpected" not in output, output
        assert command.returncode == 1 and output.splitlines()[-1].startswith("warehouse: "), output
    return command.returncode == 0


def assert_each_message_is_landed_once(settings: Settings, run: Run) -> None:
    run("land")
    with Hive(settings) as hive:
        landed = "SELECT kafka_partition, kafka_offset FROM raw"
        rows = hive.query(f"{landed}.assessments UNION ALL {landed}.rejected_messages").rows
    assert sorted(rows) == sorted((message.partition, message.offset) for message in consumed(settings))


@pytest.mark.parametrize("kills", [3, pytest.param(60, marks=pytest.mark.long("kills"))])
def test_no_kill_loses_or_doubles_a_message(
    kills: int, settings: Settings, run: Run, case: Case, quick_build: Callable[..., None]
) -> None:
    chance = random.Random(kills)
    victims = list(itertools.islice(itertools.cycle(LOADER_AND_SERVERS), kills))
    for number, victim in enumerate(victims, 1):
        publish(settings, *(text(attempt(f"kill {number} of {kills}, {place}")) for place in range(5)))
        command = start(settings, "land")
        time.sleep(chance.uniform(0.5, SECONDS))
        kill(settings, victim, command)
        ended(command, victim)
        if victim in SERVERS:
            processes.up(settings, print, "all")
        if number % 5 == 0:
            assert_each_message_is_landed_once(settings, run)
    assert_each_message_is_landed_once(settings, run)
    quick_build()
    with Hive(settings) as hive:
        assert_tables_are_right(settings, hive)
    for victim, times in Counter(victims).items():
        case(f"SIGKILL of the {victim}", "at a random moment of a landing", "0 lost, 0 duplicated, tables right", times)


class Reader(threading.Thread):
    """Asks in a loop, in one query, what all tables say; a reader that is cut off by a killed server asks again."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self.settings, self.stop = settings, threading.Event()
        self.answers, self.partial = 0, list[object]()

    def run(self) -> None:
        statement = """SELECT
            (SELECT COUNT(*) FROM flat.messages) AS messages,
            (SELECT COUNT(*) FROM flat.superseded_messages) AS superseded,
            (SELECT COUNT(*) FROM flat.attempts) AS attempts,
            (SELECT COUNT(*) FROM flat.attempt_questions) AS questions,
            (SELECT SUM(attempt_count) FROM marts.exams) AS by_exam,
            (SELECT SUM(attempt_count) FROM marts.daily_activity) AS by_hour,
            (SELECT SUM(shown_count) FROM marts.questions) AS by_question"""
        while not self.stop.is_set():
            try:
                with Hive(self.settings) as hive:
                    while not self.stop.is_set():
                        (row,) = hive.query(statement).dictionaries()
                        self.answers += 1
                        if not (
                            row["attempts"] == row["by_exam"] == row["by_hour"] > 3000
                            and row["messages"] == row["attempts"] + row["superseded"]
                            and row["questions"] == row["by_question"] > 0
                        ):
                            self.partial.append(row)
            except (
                WarehouseError
            ) as error:  # a server was killed; but a table or file that is not there is half a build
                if re.search(r"NOT_FOUND|does not exist|No such file|FileNotFound|[Pp]arquet", str(error)):
                    self.partial.append(str(error))
                time.sleep(0.2)


@contextmanager
def reading(settings: Settings) -> Iterator[Reader]:
    reader = Reader(settings)
    reader.start()
    try:
        yield reader
    finally:
        reader.stop.set()
        reader.join(60)


@pytest.mark.long("kills")
@pytest.mark.parametrize("rebuilds", [16])
def test_a_reader_never_sees_a_partial_result(
    rebuilds: int, settings: Settings, case: Case, quick_build: Callable[..., None]
) -> None:
    chance = random.Random(rebuilds)
    victims = itertools.cycle(["", "build", "metastore", "build", "", "namenode", "build", "datanode"])
    published = 0
    with reading(settings) as reader:
        for number, victim in zip(range(rebuilds), victims, strict=False):
            publish(settings, text(attempt(f"rebuild {number}")), text(attempt("rebuilt again and again")))
            start(settings, "land").wait(400)
            command = start(settings, "build", is_quick=True)
            if victim:
                time.sleep(chance.uniform(2, 20))
                kill(settings, victim, command)
            if victim in SERVERS:
                processes.up(settings, print, "all")
            published += ended(command, victim)
            assert not reader.partial, (number, reader.partial[:3])
    assert reader.answers > rebuilds and not reader.partial, reader.partial[:3]
    quick_build()
    with Hive(settings) as hive:
        assert_tables_are_right(settings, hive)
    assert published
    case(
        "Reader polling during rebuilds with kills", f"{rebuilds} rebuilds, {published} published", "0 partial results"
    )
    case("Reader polling during rebuilds with kills", "answers checked", "all whole", reader.answers)


def test_two_loaders_at_once_one_wins_and_the_other_says_so_within_five_seconds(
    settings: Settings, run: Run, case: Case
) -> None:
    publish(settings, *(text(attempt(f"raced {number}")) for number in range(5)))
    commands = [start(settings, "land") for _ in range(2)]
    began = time.monotonic()
    while all(command.poll() is None for command in commands):
        time.sleep(0.05)
    loser = next(command for command in commands if command.poll() is not None)
    took = time.monotonic() - began
    (winner,) = [command for command in commands if command is not loser]
    assert "another land is running here" in loser.communicate()[1] and loser.returncode == 1
    assert ended(winner, "")
    assert_each_message_is_landed_once(settings, run)
    case("Two loaders at once", "started together", "one lands; the other ends with a message within 5 s")
    assert took < 5 * 4, "that it is told at once, not how busy this machine is"


def test_a_lock_left_by_a_dead_loader_needs_no_hand(settings: Settings, run: Run, case: Case) -> None:
    publish(settings, text(attempt("left behind")))
    command = start(settings, "land")
    time.sleep(2.5)
    kill(settings, "loader", command)
    ended(command, "loader")
    assert (settings.home / "land.lock").exists()
    assert_each_message_is_landed_once(settings, run)
    case("A lock left by a killed loader", "landed again", "lands at once")
    assert all(is_accepted(message.value) for message in consumed(settings)[-1:])


# Servers that fail without being killed


def admin(settings: Settings, *words: str) -> None:
    """`hdfs dfsadmin`, on the NameNode of the stack, as its superuser."""
    layout = Layout(settings, processes.read(settings)["ports"])
    namenode = next(server for server in servers.hdfs(layout) if server.name == "namenode")
    command = [*namenode.command[:-1], "org.apache.hadoop.hdfs.tools.DFSAdmin", *words]
    environment = {**os.environ, "HADOOP_USER_NAME": settings.hdfs_user}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


def full(settings: Settings) -> None:
    admin(settings, "-setSpaceQuota", "1", str(Hdfs(settings).root))


def emptied(settings: Settings) -> None:
    admin(settings, "-clrSpaceQuota", str(Hdfs(settings).root))


def safe(settings: Settings) -> None:
    admin(settings, "-safemode", "enter")


def unsafe(settings: Settings) -> None:
    admin(settings, "-safemode", "leave")


def nothing(_: Settings) -> None:
    """The fault lies in the command's own settings: see VARIABLES."""


def without(server: str) -> Callable[[Settings], None]:
    def stop(settings: Settings) -> None:
        handle = processes.read(settings)["processes"][server].handle()
        assert handle
        handle.kill()
        handle.wait(20)

    return stop


def back(settings: Settings) -> None:
    processes.up(settings, print, "all")


VARIABLES = {"HDFS is read-only to this user": {"WAREHOUSE_HDFS_USER": "somebody"}}
FAULTS: dict[str, tuple[Callable[[Settings], None], Callable[[Settings], None], str]] = {
    "HDFS is full (a space quota)": (full, emptied, r"quota|Quota"),
    "HDFS is in safe mode": (safe, unsafe, r"safe ?mode"),
    "HDFS is read-only to this user": (nothing, nothing, r"Permission denied.*/apps/exams/"),
    "The DataNode is gone": (without("datanode"), back, r"datanode has ended|127\.0\.0\.1:\d+|/apps/exams|hdfs://"),
    "The metastore is gone": (without("metastore"), back, r"metastore|127\.0\.0\.1:\d+|Connection refused"),
    "The NameNode is gone": (without("namenode"), back, r"namenode has ended|127\.0\.0\.1:\d+"),
    "The broker is gone": (without("kafka"), back, r"kafka has ended|127\.0\.0\.1:\d+"),
}


@pytest.mark.parametrize("fault", [pytest.param(fault, marks=pytest.mark.long) for fault in FAULTS])
def test_a_server_that_fails_is_named_and_nothing_advances_and_the_next_run_repairs_it(
    fault: str, settings: Settings, run: Run, case: Case
) -> None:
    begin, mend, named = FAULTS[fault]
    publish(settings, text(attempt(f"landed before {fault}")))
    run("land")
    publish(settings, text(attempt(f"published before {fault}")))
    ledger = Ledger(Hdfs(settings))
    before = Hdfs(settings).names("landings"), ledger.state().published
    begin(settings)
    try:
        for words in (["land"], ["build"]):
            if fault == "The broker is gone" and words[0] == "build":
                continue  # only the validation asks the broker
            command = start(settings, *words, is_quick=True, variables=VARIABLES.get(fault))
            _, output = command.communicate(timeout=400)
            last = output.splitlines()[-1]
            assert command.returncode in (1, 3), output
            assert last.startswith("warehouse: ") and re.search(named, last) and "Traceback" not in output, output
    finally:
        mend(settings)
    visible = [name for name in Hdfs(settings).names("landings") if not name.startswith(".")]
    assert (visible, ledger.state().published) == ([name for name in before[0] if not name.startswith(".")], before[1])
    assert_each_message_is_landed_once(settings, run)
    assert start(settings, "build", is_quick=True).wait(400) == 0
    case(fault, "landed and built", "reported in one line, nothing advanced; the next run repaired it")


def test_a_server_restarted_in_the_middle_of_a_query_ends_it_with_a_line(settings: Settings, case: Case) -> None:
    pairs = "flat.question_options AS a CROSS JOIN flat.question_options AS b"
    slow = f"SELECT COUNT(*) FROM {pairs} WHERE a.option_id > b.option_id"
    command = start(settings, "query", slow)
    time.sleep(6)
    kill(settings, "spark", command)
    back(settings)
    _, output = command.communicate(timeout=100)
    assert command.returncode == 1 and re.search(r"spark at 127\.0\.0\.1:\d+ disconnected", output), output
    assert start(settings, "query", "SELECT COUNT(*) FROM flat.attempts").wait(100) == 0
    case("Server restarted in the middle of a query", "Spark killed and started", "reported in one line")
