"""Runs the expectation suites over one build, published or about to be; the results become a table and pages.

A suite lies under expectations/ where its table lies under sql/, in Great Expectations' own JSON, with `${build_id}`
and `${landing}` for what is looked at. Every expectation becomes SQL on the same server that answers the readers.
"""

from __future__ import annotations

import contextlib
import json
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl import sqlfile
from etl.errors import ExpectationError, UsageError
from etl.servers import kafka
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive, Query
from etl.settings import PROJECT, Settings
from etl.store import landings, ledger
from etl.store import published as release
from etl.store.ledger import Built, Ledger
from etl.terminal import progress
from etl.validate import checkpoint, data_docs
from etl.validate import summary_page as summary
from etl.validate.failing_rows import ALL
from etl.validate.look import Look

EXPECTATIONS = PROJECT / "expectations"
CRITICAL = "critical"
STORED = "ops.stored_files_v1"
PARAMETERS = {"build_id": "identifier", "landing": "integer", "since": "integer", "first_part": "identifier"}
WHOLE = {"since": "0", "first_part": ALL}
BUILT = ("flat.", "marts.")  # databases of tables that builds fill
AT_ONCE = 3  # suites: each waits for the server most of the time


@dataclass(frozen=True)
class Validated:
    """What a validation found: a row per expectation (as in ops.expectation_results), its pages, its seconds."""

    rows: list[dict[str, Any]]
    summary: Path
    data_docs: Path
    seconds: float

    @property
    def failed(self) -> list[dict[str, Any]]:
        """What is not met, critical ones first."""
        return sorted((row for row in self.rows if not row["is_met"]), key=lambda row: str(row["severity"] != CRITICAL))

    @property
    def worst(self) -> str:
        """The first critical expectation that is not met, in words."""
        row = self.failed[0]
        return f"{row['table_name']}: {row['expectation']}: {row['observed']}"

    @property
    def is_good(self) -> bool:
        """Whether every critical expectation is met."""
        return not any(row["severity"] == CRITICAL for row in self.failed)


def scope(built: Built | None, before: Built | None) -> dict[str, str]:
    """What of a table to look at, where an earlier build of it was validated: the parts and landings that are new.

    The files of the other parts are those that were looked at then: their checksums are compared.
    """
    if built is None or before is None or built.sha256 != before.sha256:
        return WHOLE
    known = {part["name"] for part in before.parts}
    fresh = min((part["name"] for part in built.parts if part["name"] not in known), default="")
    if not fresh.startswith("part=") or any(part["name"] >= fresh for part in built.parts if part["name"] in known):
        return WHOLE
    return {"since": str(before.landing), "first_part": fresh.partition("/")[0].partition("=")[2]}


def is_divided(built: Built) -> bool:
    """Whether a build of the table has parts, by which it goes on from an earlier one."""
    return any(part["name"] for part in built.parts)


def suites(
    values: Mapping[str, str], scopes: Mapping[str, Mapping[str, str]] | None = None
) -> list[tuple[str, dict[str, Any]]]:
    """(the versioned table, the suite) of every file under expectations/, in stage order, with the values put in.

    `scopes` says of a table what is to be looked at, where that is not all of it.
    """
    found = []
    for path in sorted(EXPECTATIONS.glob("*/*.json")):
        table = f"{path.parent.name.partition('_')[2]}.{path.stem}"
        try:
            suite = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UsageError(f"{path} is not JSON: {error}", "mend the file") from error
        for one in suite["expectations"]:
            if query := one["kwargs"].get("unexpected_rows_query"):
                known = {**WHOLE, **(scopes or {}).get(table, {}), **values}
                (one["kwargs"]["unexpected_rows_query"],) = sqlfile.statements(query, PARAMETERS, known, str(path))
        found.append((table, suite))
    return found


def validate(
    settings: Settings,
    say: Callable[[str], None],
    build_id: str | None = None,
    landing: int = 0,
    before: Mapping[str, Built] | None = None,
    is_brief: bool = False,
) -> Validated:
    """Look at a build, by default the one that readers see, and write results and pages.

    `before` are the tables of a build that was validated: of those that go on from it, only what is new is looked at.
    A brief look leaves out what could only be warned of.
    What the broker and HDFS hold at this moment is recorded first, for the expectations to hold against.
    Raises ExpectationError when nothing is published, or a table cannot be read.
    """
    began = time.monotonic()
    run_id, at = ledger.stamp("r"), ledger.now()
    hdfs = Hdfs(settings)
    if build_id is None:  # a build that is about to be published has prepared its tables itself
        with Hive(settings) as hive:
            release.prepare(settings, hive, hdfs)
            published = release.mend(hive, Ledger(hdfs))
        if published is None:
            raise ExpectationError("nothing is published, so there is nothing to validate", "run ./warehouse build")
        build_id, landing = published.build_id, published.landing
    tables = Ledger(hdfs).tables(build_id)
    scopes = {table: scope(built, (before or {}).get(table)) for table, built in tables.items()}
    since = min((int(scopes[table]["since"]) for table, built in tables.items() if is_divided(built)), default=0)
    _record_offsets(settings, hdfs, run_id, at)
    _record_files(hdfs, run_id, tables.values(), since)
    context = checkpoint.load()
    looks = []
    scopes[STORED] = {**WHOLE, "since": str(since)}
    for table, suite in suites({"build_id": build_id, "landing": str(landing)}, scopes):
        if is_brief:
            critical = [one for one in suite["expectations"] if one["severity"] == CRITICAL]
            suite = {**suite, "expectations": critical}
        if table in tables or not table.startswith(BUILT):
            only, first = (build_id, scopes[table]["first_part"]) if table in tables else (None, ALL)
            checks = checkpoint.define(settings, context, table, suite, only, first)
            looks.append(Look(context, table, suite, only, checks, lambda: _asking(settings), first))
    rows: list[dict[str, Any]] = []
    with data_docs.draft(settings, run_id) as folder:
        with ThreadPoolExecutor(AT_ONCE) as pool, progress("validate") as bar, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            history = pool.submit(_before, settings, run_id)
            shown = bar.each(looks, lambda one: one.table)
            for look, found in zip(shown, pool.map(lambda one: one.run(folder, run_id), looks), strict=True):
                met = sum(row["is_met"] for row in found)
                say(f"{look.table:24} {met:>3} of {len(found)} expectations met")
                known = {"run_id": run_id, "build_id": build_id, "validated_at": at}
                rows += [{**known, **row} for row in found]
        hdfs.put_rows(rows, "ops", "expectation_results_v1", f"{run_id}.json")
    seconds = time.monotonic() - began
    validated = Validated(
        rows, settings.reports / "validation.html", data_docs.folder(settings) / "index.html", seconds
    )
    critical = sum(row["severity"] == CRITICAL for row in validated.failed)
    run = data_docs.Run(run_id, build_id, at, len(rows), len(validated.failed), critical)
    pages = {page for look in looks for page in look.pages.items()}
    summary.write_summary(settings, rows, run, seconds, history.result(), dict(pages))
    data_docs.keep(settings, run)
    return validated


@contextlib.contextmanager
def _asking(settings: Settings) -> Iterator[Query]:
    with Hive(settings) as hive:
        yield hive.query


def _before(settings: Settings, run_id: str) -> dict[tuple[Any, ...], summary.History]:
    with _asking(settings) as query:
        return summary.histories(query, run_id)


def _record_offsets(settings: Settings, hdfs: Hdfs, run_id: str, at: str) -> None:
    topic = kafka.describe(settings)
    rows = [
        {
            "run_id": run_id,
            "kafka_topic": topic.name,
            "topic_id": topic.id,
            "kafka_partition": partition,
            "start_offset": first,
            "end_offset": end,
            "observed_at": at,
        }
        for partition, (first, end) in sorted(topic.offsets.items())
    ]
    hdfs.put_rows(rows, "ops", "topic_offsets_v1", f"{run_id}.json")


def _record_files(hdfs: Hdfs, run_id: str, tables: Iterable[Built], since: int = 0) -> None:
    """What lies in the folders of the landings behind that one, and of the build's tables."""
    folders = {tuple(part["folder"].split("/")) for built in tables for part in built.parts}
    folders |= {tuple(one.path.split("/")) for one in landings.current(hdfs).folders if one.last > since}
    rows = [{"run_id": run_id, **file} for folder in sorted(folders) for file in ledger.stored(hdfs, *folder)]
    hdfs.put_rows(rows, "ops", "stored_files_v1", f"{run_id}.json")
