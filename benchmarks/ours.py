"""The warehouse's own steps, each run as a user runs it: publish, land, build, validate, report, then a little more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from benchmarks import messages
from benchmarks.messages import Expected, check
from benchmarks.stack import Stack
from benchmarks.steps import Size
from etl.servers.hdfs import Hdfs
from etl.store import flat_folders, landings
from etl.store.ledger import Ledger

FLAT, MARTS = ("flat",), ("marts",)
VIEWS = {"attempts": "flat.attempts", "questions": "flat.attempt_questions", "options": "flat.question_options"}


def publish(stack: Stack, size: Size, path: Path) -> None:
    """Publish the messages into the topic of all contestants, and once per further repeat into one that is deleted."""
    settings = stack.settings
    for repeat in range(size.repeats):
        topic = settings.topic if not repeat else f"{settings.topic}-{repeat}"
        done = stack.warehouse("publish", str(path), "--topic", topic, "--json", engine="")
        size.add("publish", done)
        check("publish", {"messages": json.loads(done.output)["acknowledged"]}, {"messages": size.attempts})
        if repeat:
            messages.forget(settings.bootstrap_servers, topic)


def full(stack: Stack, size: Size, expected: Expected) -> None:
    """Land, build, validate and report, from nothing; what readers see at the end is checked."""
    stack.reset()
    _land(stack, size, "land", size.attempts)
    _build(stack, size, "build", size.attempts)
    check_tables(stack, expected)
    folders = stack.sizes()
    size.folders, size.heap = folders, stack.heap
    size.steps["land"].bytes = folders.get("landings", 0)
    size.steps["build"].bytes = sum(folders.get(name, 0) for name in (*FLAT, *MARTS))
    size.add("validate", stack.warehouse("validate", "--json"))
    size.add("report", stack.warehouse("report", "--json"))


def _land(stack: Stack, size: Size, step: str, count: int) -> None:
    done = stack.warehouse("land", "--json")
    landed = json.loads(done.output)
    size.add(step, done, messages=count)
    check(step, {name: landed[name] for name in ("accepted", "rejected")}, {"accepted": count, "rejected": 0})


def _build(stack: Stack, size: Size, step: str, count: int, engine: str = "spark", is_rebuilt: bool = False) -> None:
    """Build, with its validation and its tables as steps of their own; flat tables are filled at the same time."""
    hdfs = Hdfs(stack.settings)
    before = Ledger(hdfs).state().published
    done = stack.warehouse("build", "--json", engine=engine)
    document = json.loads(done.output)
    size.add(step, done, messages=count)
    size.add(f"{step}.validation", document["seconds"], messages=count)
    event = Ledger(hdfs).state().published
    since = before.landing if before and not is_rebuilt else 0
    folders = [folder for folder in landings.current(hdfs).folders if folder.last > since]
    for row in event.table_versions if event else ():
        name = row["table_name"]
        filled = [flat_folders.manifest(hdfs, name, folder).get("seconds", 0.0) for folder in folders]
        size.add(f"{step}.{name}", row["seconds"] or sum(filled), messages=count)


def check_tables(stack: Stack, expected: Expected, engine: str = "spark") -> None:
    """Compare the readers' views with the expected counts."""
    parts = [f"SELECT '{name}' AS name, COUNT(*) AS row_count FROM {view}" for name, view in VIEWS.items()]  # noqa: S608
    counts = {row["name"]: row["row_count"] for row in stack.rows(" UNION ALL ".join(parts), engine)}
    check(f"the warehouse on {engine}", counts, expected.counts)


def by_hive(stack: Stack, size: Size, expected: Expected) -> None:
    """Build every table again by HiveServer2, from what Spark has landed."""
    hdfs = Hdfs(stack.settings)
    for database in (FLAT[-1], *MARTS):
        hdfs.remove(database)
    _build(stack, size, "hive", size.attempts, engine="hive", is_rebuilt=True)
    check_tables(stack, expected, "hive")


def later(
    stack: Stack, size: Size, expected: Expected, hundredth: Path, few: Path, then: Callable[[str, int], None]
) -> None:
    """Land and build what comes later: a hundredth, then a few, whose cost is what is fixed.

    `then` is called after each with the name and the number of messages, for others that work on the same landings.
    """
    for name, path, count in (("more", hundredth, messages.more(size.attempts)), ("few", few, messages.FEW)):
        stack.warehouse("publish", str(path), engine="")
        _land(stack, size, f"{name}.land", count)
        _build(stack, size, f"{name}.build", count)
        check_tables(stack, expected.add_file(path))
        then(name, count)
