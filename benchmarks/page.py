"""The results as text: tables between two marks of docs/performance.md, and the same at the end of a run."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import answers, layouts, queries, saved
from benchmarks.aims import AIMS, AT, RUN, ratio
from benchmarks.measure import BenchmarkError
from benchmarks.messages import FEW
from benchmarks.stack import ENGINE_SERVERS
from benchmarks.steps import Size, Step
from etl.settings import PROJECT

PAGE = PROJECT / "docs" / "performance.md"
BEGIN, END = "<!-- written by python -m benchmarks --write-docs -->", "<!-- end -->"
LABELS = {
    "generate": "generate the messages",
    "publish": "publish",
    "land": "land",
    "build": "build, validation included",
    "build.validation": "of which validation",
    "run": "**land and build: the whole run**",
    "validate": "validate alone",
    "report": "report",
    "hive": "build by HiveServer2, validation included",
    "hive.validation": "of which validation",
    "script": "usual script",
    "scalars": "usual script, without what is nested",
    "copy": "plain copy",
    "dump": "dump the topic for the next two",
    "duckdb": "DuckDB, to local Parquet",
    "pyspark": "plain PySpark",
    "dbt": "dbt build, tests included",
    "dbt.models": "of which its models",
    "dbt.tests": "of which its tests",
    "more.land": "land 1 % more",
    "more.build": "build with 1 % more",
    "more.build.validation": "of which validation",
    "more.dbt": "dbt build with 1 % more",
    "more.dbt.models": "of which its models",
    "more.dbt.tests": "of which its tests",
    "few.land": "land 10 more",
    "few.build": "build with 10 more",
    "few.build.validation": "of which validation",
    "few.dbt": "dbt build with 10 more",
    "few.dbt.models": "of which its models",
    "few.dbt.tests": "of which its tests",
}
FOLLOW = {
    "median": "from publication to a query of `flat.attempts` that shows it, median",
    "p95": "95th percentile",
    "slowest": "slowest",
    "land": "a step: landing",
    "tables": "its flat tables and marts",
    "validation": "its validation, until it is published",
}
INNER = ("hive", "more.build", "few.build")  # builds whose tables are in the file of results alone
MB = 1e6


def named_by(page: Path = PAGE, folder: Path = saved.RESULTS) -> dict[str, Any]:
    """The saved run that the page names. Raises BenchmarkError where it names none."""
    text = page.read_text(encoding="utf-8").partition(BEGIN)[2]
    for path in sorted(folder.glob("*.json"), reverse=True):
        if f"/{path.name})" in text:
            return saved.run(path.stem, folder)
    raise BenchmarkError(f"{page.name} names no saved run: run python -m benchmarks --write-docs")


def text(measurement: dict[str, Any]) -> str:
    """A run in Markdown: where, the aims, a table per size."""
    sizes = saved.sizes_of(measurement)
    parts = [_where(measurement), _aims(sizes), *(_size(size) for size in reversed(sizes))]
    return "\n\n".join(parts)


def write(measurement: dict[str, Any], page: Path = PAGE) -> None:
    """Put a run between the marks of the page."""
    head, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    foot = rest.partition(END)[2]
    page.write_text(f"{head}{BEGIN}\n{text(measurement)}\n{END}{foot}", encoding="utf-8")


def _where(measurement: dict[str, Any]) -> str:
    machine = measurement["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    memory = round(machine["memory_bytes"] / 2**30)
    patient = f", at niceness {machine['niceness']}" if machine["niceness"] else ""
    is_busy = machine["load_before"] > machine["cores"] / 2
    note = (
        " **That is over half of its cores: if it was other work, these figures are a trial, not a result.**"
        if is_busy
        else ""
    )
    return (
        f"Measured {measurement['date'][:10]} on {machine['cores']} cores, {memory} GiB, {machine['system']}{patient}; "
        f"the load of the machine just before was {machine['load_before']}. {versions}. "
        f"Seed {measurement['seed']}. Saved as {_link(measurement)}.{note}"
    )


def _link(measurement: dict[str, Any]) -> str:
    """The saved run, as the page names it: another run, such as one of a part, changes nothing there."""
    name = f"{measurement['date']}.json"
    return f"[{name}](../benchmarks/results/{name})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; all columns but the first are numbers."""
    marks = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, marks, *rows])


def _aims(sizes: Sequence[Size]) -> str:
    head = [
        "Aim, a ratio within the run or as named",
        *(f"{size.attempts:,}" for size in sizes),
        "at most",
        f"at {AT:,}",
    ]
    rows = [
        [aim.text, *(aim.text_of(size) for size in sizes), aim.form.format(aim.limit), aim.verdict(sizes)]
        for aim in AIMS
    ]
    return table(head, rows)


def _size(size: Size) -> str:
    counts = {**size.expected, **({"bytes of JSON": size.bytes} if size.bytes else {})}
    contents = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    times = "once" if size.repeats == 1 else f"{size.repeats} times, medians are shown"
    begun = " and ".join(f"{date} at a load of {load}" for date, load in size.loads.items())
    measured = f" Measured {begun}." if begun else ""
    head = ["Step", "Seconds", "Messages/s", "To the run", "Java MB", "Python MB", "Workers MB", "HDFS MB"]
    rows = [_row(label, step, size.median(*RUN)) for label, step in _steps(size)]
    fixed = size.median("few.land", "few.build")
    fixed_cost = "" if fixed is None else f" The fixed cost, a run after {FEW} more messages: {fixed:,.1f} s."
    about = f"{contents}. Each step ran {times}.{measured}{fixed_cost}"
    parts = [f"### {size.attempts:,} attempts", about, table(head, rows)]
    return "\n\n".join([*parts, *_answers(size), *_follow(size), *_layouts(size)])


def _answers(size: Size) -> list[str]:
    """Latency in seconds: commands that have nothing to do, marts on both engines, flat tables beside DuckDB."""
    rows = [
        [f"`{shlex.join(words)}`", f"{step.median:.2f}"]
        for name, words in answers.COMMANDS.items()
        if (step := size.steps.get(f"command.{name}"))
    ]
    for name in queries.MARTS:
        steps = [size.steps.get(f"answer.{engine}.{name}") for engine in ENGINE_SERVERS]
        if times := [f"{step.median:.2f}" for step in steps if step]:
            rows.append([f"`marts.{name}`, on Spark and on HiveServer2", " and ".join(times)])
    for name, statement in queries.FLAT.items():
        if (spark := size.steps.get(f"query.spark.{name}")) and (duckdb := size.steps.get(f"query.duckdb.{name}")):
            text = " ".join(statement.split())
            rows.append([f"`{text}`, on Spark and in DuckDB", f"{spark.median:.2f} and {duckdb.median:.2f}"])
    return [table(["What a person waits for", "Seconds"], rows)] if rows else []


def _follow(size: Size) -> list[str]:
    """Seconds of messages and steps while `land --follow` ran."""
    rows = [
        [label, f"{step.median:.1f}"] for name, label in FOLLOW.items() if (step := size.steps.get(f"follow.{name}"))
    ]
    return [table([f"`land --follow`, {size.follow_rate:g} messages a second", "Seconds"], rows)] if rows else []


def _layouts(size: Size) -> list[str]:
    """One table in several layouts."""
    rows = []
    for name in layouts.LAYOUTS:
        if (written := size.steps.get(f"layout.{name}.write")) is None:
            continue
        reads = [f"{size.steps[f'layout.{name}.{part}'].median:.2f}" for part in ("all", "week")]
        rows.append([name, f"{written.median:.1f}", f"{written.files:,}", f"{(written.bytes or 0) / MB:,.1f}", *reads])
    head = ["`flat.question_options` by", "Written in s", "Files", "MB", "All of it read in s", "A week in s"]
    return [table(head, rows)] if rows else []


def _steps(size: Size) -> Iterable[tuple[str, Step]]:
    """The steps in the order of the page, with their labels."""
    for name, label in LABELS.items():
        if name == "run" and all(part in size.steps for part in RUN):
            yield label, _whole(size)
        if name not in size.steps:
            continue
        yield label, size.steps[name]
        if name == "build":
            yield from ((f"of which `{table.split('.', 1)[1]}`", size.steps[table]) for table in _parts(size, "build"))
        if name in INNER and (parts := _parts(size, name)):
            total = sum(size.steps[part].median for part in parts)
            yield "of which its tables", Step(size.steps[name].messages, [total])


def _parts(size: Size, build: str) -> list[str]:
    """The steps inside a build that made a table; a view takes no time."""
    inside = [name for name in size.steps if name.startswith(f"{build}.") and name.count(".") == build.count(".") + 2]
    return [name for name in inside if size.steps[name].median]


def _whole(size: Size) -> Step:
    """Land and build as one step."""
    parts = [size.steps[name] for name in RUN]
    seconds = [sum(repeat) for repeat in zip(*(part.seconds for part in parts), strict=True)]
    memory = {name: max(part.memory.get(name, 0) for part in parts) for name in parts[0].memory}
    return Step(size.attempts, seconds, memory=memory, bytes=sum(size.folders.values()))


def _row(label: str, step: Step, run: float | None) -> list[str]:
    if step.start:
        label += f" (Spark's start: {step.median - step.working:.1f} s)"
    memory = [
        f"{step.memory[name] / MB:,.0f}" if step.memory.get(name) else "" for name in ("jvm", "process", "workers")
    ]
    stored = "" if step.bytes is None else f"{step.bytes / MB:,.1f}"
    share = ratio(step.median, run)
    return [
        label,
        f"{step.median:,.1f}",
        f"{step.rate:,.0f}" if step.rate >= 10 else f"{step.rate:.2f}",
        "" if share is None else f"{share:.2f}",
        *memory,
        stored,
    ]
