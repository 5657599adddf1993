"""Runs the expectation suites on one release, published or about to be; the results become a table and pages.

What the broker and HDFS hold at this moment is recorded first; the suites compare it with what was landed and built.
"""

from __future__ import annotations

import contextlib
import queue
import re
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl.errors import ExpectationError, ServerError
from etl.pages.links import VALIDATION
from etl.servers import kafka
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive, Result
from etl.settings import Settings
from etl.store import landings, ledger, recorded_files
from etl.store.ledger import Ledger
from etl.store.release_files import newest_versions, release_files
from etl.terminal import progress
from etl.validate import data_docs, run_suite, summary_page
from etl.validate.run_suite import Outcome
from etl.validate.scope import Scope
from etl.validate.suites import CRITICAL, Suite, load

AT_ONCE = 3  # suites: each waits for the server most of the time
LANDING = re.compile(r"(landings/(?:compaction=\d+/)?\w+=\d+)/")  # the folder of a landing, in a path
ACCOUNT = re.compile(
    rf"landings/.*/table=landings/{re.escape(landings.ACCOUNT)}"
)  # a landing's own record, which lists the other files


@dataclass(frozen=True)
class Validated:
    """The results of a validation: a row per expectation (as in ops.expectation_results), its page, its seconds."""

    rows: list[dict[str, Any]]
    summary: Path
    seconds: float

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The expectations that are not met, critical ones first."""
        return sorted((row for row in self.rows if not row["is_met"]), key=lambda row: str(row["severity"] != CRITICAL))

    @property
    def worst(self) -> str:
        """The first critical expectation that is not met, in words."""
        return sentence(self.failed[0])

    @property
    def is_good(self) -> bool:
        """Whether every critical expectation is met."""
        return not any(row["severity"] == CRITICAL for row in self.failed)


def sentence(row: dict[str, Any]) -> str:
    """An unmet expectation in words: `flat.attempts: 10 rows fail: counts are present and add up`."""
    column = f" {row['column_name']}" if row["column_name"] else ""
    return f"{row['table_name']}{column}: {row['observed']}: {row['expectation']}"


def published(settings: Settings) -> Scope:
    """All that readers see. Raises ExpectationError when nothing is published."""
    hdfs = Hdfs(settings)
    state = Ledger(hdfs).state()
    event = state.published
    if event is None:
        raise ExpectationError("nothing is published, so there is nothing to validate", "run ./warehouse build")
    versions = [row for row in event.table_versions if row["table_name"] not in state.retired]
    files = release_files(event, state.retired)
    recorded = recorded_files.of(hdfs, files, landings.current(hdfs), 0, event.landing, versions)
    tables = [file.table for file in newest_versions(files)]
    return Scope(event.release, event.landing, is_published=True, recorded=recorded, tables=tables)


def validate(settings: Settings, say: Callable[[str], None], scope: Scope) -> Validated:
    """Check a release and write the results and pages. Raises ServerError when a server goes away."""
    began = time.monotonic()
    run_id, at = ledger.stamp("r"), ledger.now()
    hdfs = Hdfs(settings)
    suites = load(scope, run_id)
    with ThreadPoolExecutor(AT_ONCE + 2) as pool:
        recorded = [
            pool.submit(_record_offsets, settings, hdfs, run_id, at),
            pool.submit(_record_files, hdfs, run_id, scope),
        ]
        context = run_suite.load()
        for step in recorded:
            step.result()
    rows: list[dict[str, Any]] = []
    pages: dict[tuple[Any, ...], str] = {}
    with data_docs.draft(settings, run_id) as folder, _sessions(settings) as sessions:
        with ThreadPoolExecutor(AT_ONCE) as pool, progress("validate") as bar, warnings.catch_warnings():
            warnings.simplefilter("ignore")

            def query(statement: str) -> Result:
                with _session(settings, sessions) as hive:
                    return hive.query(statement)

            def run(suite: Suite) -> Outcome:
                return run_suite.run(context, suite, query, run_id, lambda: counts.result().get(suite.table))

            counts = pool.submit(run_suite.row_counts, query, suites)  # it runs before a suite waits for it
            history = pool.submit(summary_page.histories, query, run_id)
            outcomes = pool.map(run, suites)
            for suite, outcome in zip(bar.each(suites, lambda suite: suite.table), outcomes, strict=True):
                met = sum(row["is_met"] for row in outcome.rows)
                say(f"{suite.table:24} {met:>3} of {len(outcome.rows)} expectations met")
                rows += [
                    {"run_id": run_id, "release": scope.release, "validated_at": at, **row} for row in outcome.rows
                ]
                data_docs.pages(folder, suite.table, outcome.suite, outcome.results)
                pages |= summary_page.failing_pages(folder, suite.table, outcome)
        hdfs.put_rows(rows, "ops", "expectation_results_v1", f"{run_id}.json")
    seconds = time.monotonic() - began
    validated = Validated(rows, settings.reports / VALIDATION, seconds)
    critical = sum(row["severity"] == CRITICAL for row in validated.failed)
    about = data_docs.Run(run_id, scope.release, scope.landing, at, len(rows), len(validated.failed), critical)
    summary_page.write_summary(settings, rows, about, seconds, history.result(), pages)
    if scope.is_published:
        summary_page.mark_published(settings, scope.release, scope.landing)
    data_docs.keep(settings, about)
    return validated


@contextlib.contextmanager
def _sessions(settings: Settings) -> Iterator[queue.SimpleQueue[Hive]]:
    """Open sessions, as many as suites run at once."""
    sessions: queue.SimpleQueue[Hive] = queue.SimpleQueue()
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for session in pool.map(Hive, [settings] * AT_ONCE):
                sessions.put(session)
        yield sessions
    finally:
        while not sessions.empty():
            sessions.get().close()


@contextlib.contextmanager
def _session(settings: Settings, sessions: queue.SimpleQueue[Hive]) -> Iterator[Hive]:
    """A session for a statement; where one ran too long, which ends its session, the next gets another."""
    session = sessions.get()
    try:
        yield session
    finally:
        if not session.is_open:
            with contextlib.suppress(ServerError):
                session = Hive(settings)
        sessions.put(session)


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


def _record_files(hdfs: Hdfs, run_id: str, scope: Scope) -> None:
    folders = folders_of(scope)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        stored = [
            file
            for files in pool.map(lambda folder: ledger.file_rows(hdfs, *folder.split("/")), folders)
            for file in files
        ]
    hdfs.put_rows(compared(run_id, scope.recorded, stored), "ops", "stored_files_v1", f"{run_id}.json")


def folders_of(scope: Scope) -> list[str]:
    """The folders whose files are compared: whole landings, and the folder of every other recorded file."""
    paths = [str(file["path"]) for file in scope.recorded]
    landed = {match[1] for path in paths if (match := LANDING.match(path))}
    others = {path.rpartition("/")[0] for path in paths if not LANDING.match(path)}
    return sorted(landed | others)


def compared(run_id: str, recorded: Sequence[Any], stored: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows of ops.stored_files: each file as it was recorded and as it is stored, None where it was not."""
    before = {file["path"]: file for file in recorded}
    now = {file["path"]: file for file in stored if not ACCOUNT.fullmatch(file["path"]) or file["path"] in before}
    return [
        {
            "run_id": run_id,
            "path": path,
            "recorded_bytes": before.get(path, {}).get("bytes"),
            "stored_bytes": now.get(path, {}).get("bytes"),
            "recorded_checksum": before.get(path, {}).get("file_checksum"),
            "stored_checksum": now.get(path, {}).get("file_checksum"),
        }
        for path in sorted(before.keys() | now.keys())
    ]
