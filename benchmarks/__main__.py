"""One command that measures everything; `python -m benchmarks --help` says how, docs/performance.md what."""

from __future__ import annotations

import argparse
import datetime
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import answers, dbt, follow, layouts, machine, messages, others, ours, page, plot, saved
from benchmarks import stack as stacks
from benchmarks.measure import BenchmarkError
from benchmarks.messages import Expected, Parts
from benchmarks.stack import Stack
from benchmarks.steps import Size
from etl.errors import WarehouseError
from etl.terminal import say

ATTEMPTS = [10_000, 100_000, 1_000_000]
CONTESTANTS = (
    "ours",
    "hive",
    "answers",
    "layouts",
    "script",
    "scalars",
    "copy",
    "duckdb",
    "pyspark",
    "dbt",
    "later",
    "follow",
)
DUMPED = ("duckdb", "pyspark")  # contestants that read the dump of the topic
BEHIND = ("hive", "answers", "layouts", "dbt", "later", "follow")  # steps that need the tables of `ours`


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--attempts", type=int, nargs="+", help="the sizes; by default 10000 100000 1000000")
    parser.add_argument("--repeats", type=int, nargs="+", default=[3], help="of each step, or one number per size")
    parser.add_argument("--seed", type=int, default=1, help="of the generated messages")
    parser.add_argument("--home", type=Path, help="an empty folder for servers and files; else a temporary one")
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=CONTESTANTS, help="these contestants")
    parser.add_argument("--hive-up-to", type=int, default=100_000, help="the largest size that HiveServer2 builds")
    parser.add_argument("--follow-rate", type=float, default=100, help="messages a second while `follow` runs")
    parser.add_argument("--follow-minutes", type=float, default=10, help="how long they are published")
    parser.add_argument("--follow-at", type=int, default=100_000, help="the size at which `follow` runs")
    parser.add_argument("--add-to", metavar="RUN", help="a saved run, to which this one adds steps and sizes")
    parser.add_argument(
        "--write-docs", action="store_true", help="write docs/performance.md, without --attempts of the last run saved"
    )
    given = parser.parse_args(words)
    given.is_run = not given.write_docs or given.attempts is not None
    given.attempts = sorted(given.attempts or ATTEMPTS)
    if len(given.repeats) == 1:
        given.repeats *= len(given.attempts)
    if len(given.repeats) != len(given.attempts) or min(given.repeats + given.attempts) < 1:
        parser.error("--repeats takes one number, or one per size; sizes and repeats begin at 1")
    if "ours" not in given.only:
        given.only = [name for name in given.only if name not in BEHIND]
    return given


def main() -> None:
    """Measure, save, print; with --write-docs also write the page."""
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("benchmarks: ended"))  # so that the servers end, too
    try:
        if given.is_run and "dbt" in given.only:
            dbt.install()
        measurement = measured(given) if given.is_run else saved.newest()
    except (BenchmarkError, WarehouseError) as error:
        sys.exit(f"benchmarks: {error}")
    print(page.text(measurement))
    if given.write_docs:
        page.write(measurement)
        plot.write(saved.sizes_of(measurement))


def measured(given: argparse.Namespace) -> dict[str, Any]:
    """Measure every size; what is done is saved after each, also where a later step of it fails."""
    about = {"date": now(), "seed": given.seed, "machine": machine.described()}
    sizes: dict[int, Size] = {}
    if given.add_to:
        about = saved.run(given.add_to)
        given.seed = about["seed"]
        sizes = {size.attempts: size for size in saved.sizes_of(about)}
    for attempts, repeats in zip(given.attempts, given.repeats, strict=True):
        home = given.home or Path(tempfile.mkdtemp(prefix="benchmarks-"))
        home.mkdir(parents=True, exist_ok=True)
        folder = home / f"{attempts}"
        folder.mkdir()
        size = Size(attempts, repeats, loads={now(): machine.load()})
        try:
            measure_size(given, size, folder)
        finally:
            shutil.rmtree(folder if given.home else home, ignore_errors=True)
            if attempts in sizes:
                sizes[attempts].extend(size)
            sizes.setdefault(attempts, size)
            measurement = saved.document(about, [sizes[attempts] for attempts in sorted(sizes)])
            say(f"saved {saved.save(measurement).name}")
    return measurement


def now() -> str:
    """The date and time of a run, in UTC: 2026-11-29T0550."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H%M")


def measure_size(given: argparse.Namespace, size: Size, folder: Path) -> None:
    """Measure one size on a stack of its own."""
    attempts, repeats = size.attempts, size.repeats
    is_asked = "answers" in given.only
    with_hive = "hive" in given.only and attempts <= given.hive_up_to
    with stacks.running(folder / "home", "all" if with_hive or is_asked else "spark") as stack:
        say(f"{attempts:,} attempts: generating and publishing")
        with_follow = "follow" in given.only and attempts == given.follow_at
        followed = int(given.follow_rate * given.follow_minutes * 60) if with_follow else 0
        parts = prepared(stack, size, given.seed, folder, followed)
        expected = Expected().add_file(parts.first)
        size.expected = {"messages": expected.messages, **expected.counts}
        ours.publish(stack, size, parts.first)
        for repeat in range(repeats if "ours" in given.only else 0):
            say(f"{attempts:,} attempts: the warehouse, {repeat + 1} of {repeats}")
            ours.full(stack, size, expected)
        for repeat in range(repeats if with_hive else 0):
            say(f"{attempts:,} attempts: HiveServer2, {repeat + 1} of {repeats}")
            ours.by_hive(stack, size, expected)
        if is_asked:
            say(f"{attempts:,} attempts: what a person waits for")
            answers.commands(stack, size)
            answers.queries(stack, size)
        if "layouts" in given.only:
            say(f"{attempts:,} attempts: a table in three layouts")
            layouts.compare(stack, size)
        compete(stack, size, expected, [name for name in given.only if name in (*others.SPARK, "duckdb")], folder)
        for repeat in range(repeats if "dbt" in given.only else 0):
            say(f"{attempts:,} attempts: dbt, {repeat + 1} of {repeats}")
            dbt.build(stack, size, "dbt", attempts, folder, is_full=True)

        def follow_up(name: str, count: int) -> None:
            if "dbt" in given.only:
                dbt.build(stack, size, f"{name}.dbt", count, folder)

        for number, (hundredth, few) in enumerate(parts.later if "later" in given.only else [], 1):
            say(f"{attempts:,} attempts: a little more, {number} of {repeats}")
            ours.later(stack, size, expected, hundredth, few, follow_up)
        if with_follow:
            say(f"{attempts:,} attempts: {followed:,} more while land --follow runs")
            follow.run(stack, size, expected, parts.followed, given.follow_rate)


def prepared(stack: Stack, size: Size, seed: int, folder: Path, followed: int) -> Parts:
    """Generate the messages of a size and those of later steps, by ./warehouse generate."""
    whole = folder / "generated.json"
    count = messages.needed(size.attempts, size.repeats, followed)
    done = stack.warehouse("generate", "--attempts", f"{count}", "--seed", f"{seed}", engine="", into=whole)
    size.add("generate", done, messages=count)
    parts = messages.cut(whole, size.attempts, size.repeats, folder, followed)
    whole.unlink()
    size.bytes = parts.first.stat().st_size
    return parts


def compete(stack: Stack, size: Size, expected: Expected, names: Sequence[str], folder: Path) -> None:
    """Run the other contestants, each as often as the warehouse."""
    dump = folder / "dump.json"
    if any(name in DUMPED for name in names):
        began = time.monotonic()
        messages.dump(stack.settings.bootstrap_servers, stack.settings.topic, dump)
        size.add("dump", time.monotonic() - began)
    for name in names:
        for repeat in range(size.repeats):
            say(f"{size.attempts:,} attempts: {name}, {repeat + 1} of {size.repeats}")
            if name == "duckdb":
                others.duckdb(stack, size, expected, dump)
            else:
                others.spark(name, stack, size, expected, dump)
    dump.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
