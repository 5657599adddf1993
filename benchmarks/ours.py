"""The warehouse's own steps, each run as a user runs it: publish, land, build, validate, report, then a little more."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import messages
from benchmarks.messages import Expected, check
from benchmarks.stack import Stack
from benchmarks.steps import Size

FLAT, MARTS = ("events", "flat"), ("marts",)
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


def _build(stack: Stack, size: Size, step: str, count: int, *tables: str, engine: str = "spark") -> None:
    """Build, with its validation and its tables as steps of their own."""
    done = stack.warehouse("build", *tables, "--json", engine=engine)
    document = json.loads(done.output)
    size.add(step, done, messages=count)
    size.add(f"{step}.validation", document["seconds"], messages=count)
    written = f"build_id = '{document['build_id']}' AND written_by = build_id"
    for row in stack.rows(f"SELECT table_name, seconds FROM ops.builds WHERE {written} ORDER BY started_at"):  # noqa: S608
        size.add(f"{step}.{row['table_name']}", row["seconds"], messages=count)


def check_tables(stack: Stack, expected: Expected, engine: str = "spark") -> None:
    """Compare the readers' views with the expected counts."""
    parts = [f"SELECT '{name}' AS name, COUNT(*) AS row_count FROM {view}" for name, view in VIEWS.items()]  # noqa: S608
    counts = {row["name"]: row["row_count"] for row in stack.rows(" UNION ALL ".join(parts), engine)}
    check(f"the warehouse on {engine}", counts, expected.counts)


def by_hive(stack: Stack, size: Size, expected: Expected) -> None:
    """Build every table again by HiveServer2, from what Spark has landed."""
    steps = json.loads(stack.warehouse("plan", "--json").output)["steps"]
    _build(stack, size, "hive", size.attempts, *(step["table"] for step in steps), engine="hive")
    check_tables(stack, expected, "hive")


def later(stack: Stack, size: Size, expected: Expected, hundredth: Path, few: Path) -> None:
    """Land and build what comes later: a hundredth, then a few, whose cost is what is fixed."""
    for name, path, count in (("more", hundredth, messages.more(size.attempts)), ("few", few, messages.FEW)):
        stack.warehouse("publish", str(path), engine="")
        _land(stack, size, f"{name}.land", count)
        _build(stack, size, f"{name}.build", count)
        check_tables(stack, expected.add_file(path))
