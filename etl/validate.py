"""Runs the expectation suites over one build, published or about to be; the results become a table and pages.

A suite lies under expectations/ where its table lies under sql/, in Great Expectations' own JSON, with `${build_id}`
and `${landing}` for what is looked at. Every expectation becomes SQL on the same server that answers the readers.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl import build, kafka, land, ledger, release, report, sqlfile
from etl.errors import ExpectationError, UsageError
from etl.hdfs import Hdfs
from etl.hive import Hive, reduced
from etl.ledger import Built, Ledger
from etl.settings import PROJECT, Settings
from etl.terminal import progress

EXPECTATIONS = PROJECT / "expectations"
CRITICAL = "critical"
PARAMETERS = {"build_id": "identifier", "landing": "integer"}
BUILT = ("flat.", "marts.")  # databases of tables that builds fill
NAMED = 5  # things that the unexpected rows of one expectation are about
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


def preload() -> None:
    """Load Great Expectations, which takes seconds, beside the steps that come before."""
    threading.Thread(target=importlib.import_module, args=("great_expectations",), daemon=True).start()


def suites(values: Mapping[str, str]) -> list[tuple[str, dict[str, Any]]]:
    """(the versioned table, the suite) of every file under expectations/, in stage order, with the values put in."""
    found = []
    for path in sorted(EXPECTATIONS.glob("*/*.json")):
        try:
            suite = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UsageError(f"{path} is not JSON: {error}", "mend the file") from error
        for one in suite["expectations"]:
            if query := one["kwargs"].get("unexpected_rows_query"):
                (one["kwargs"]["unexpected_rows_query"],) = sqlfile.statements(query, PARAMETERS, values, str(path))
        found.append((f"{path.parent.name.partition('_')[2]}.{path.stem}", suite))
    return found


def validate(
    settings: Settings, say: Callable[[str], None], build_id: str | None = None, landing: int = 0
) -> Validated:
    """Look at a build, by default the one that readers see, and write results and pages.

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
    _record_offsets(settings, hdfs, run_id, at)
    _record_files(hdfs, run_id, tables.values())
    context = load(settings)
    values = {"build_id": build_id, "landing": str(landing)}
    checkpoints = [
        (table, suite, _checkpoint(settings, context, table, suite, build_id if table in tables else None))
        for table, suite in suites(values)
        if table in tables or not table.startswith(BUILT)
    ]
    rows = []
    with ThreadPoolExecutor(AT_ONCE) as pool, progress("validate") as bar, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shown = bar.each(checkpoints, lambda one: one[0])
        for (table, suite, _), found in zip(shown, pool.map(lambda one: _run(one[2]), checkpoints), strict=True):
            _name(settings, table, suite, found)
            known = {"run_id": run_id, "build_id": build_id, "table_name": table}
            met = sum(row["is_met"] for row in found)
            say(f"{table:24} {met:>3} of {len(found)} expectations met")
            rows += [{**known, "suite": suite["name"], "validated_at": at, **row} for row in found]
    hdfs.put_rows(rows, "ops", "expectation_results_v1", f"{run_id}.json")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.build_data_docs()
    seconds = time.monotonic() - began
    summary = report.write_validation(settings, rows, seconds, at)
    return Validated(rows, summary, settings.reports / "data_docs" / "index.html", seconds)


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


def _record_files(hdfs: Hdfs, run_id: str, tables: Iterable[Built]) -> None:
    """What lies in the folders of all landings and of the build's tables."""
    folders = {build.folder(built.table_name, built.written_by) for built in tables} | {(land.FOLDER,)}
    rows = [{"run_id": run_id, **file} for folder in sorted(folders) for file in ledger.stored(hdfs, *folder)]
    hdfs.put_rows(rows, "ops", "stored_files_v1", f"{run_id}.json")


def load(settings: Settings) -> Any:
    """A Great Expectations context; nothing of it is stored but its pages."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        importlib.import_module("etl.expectation")  # to import it is to make it known
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    site: Any = {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(settings.reports / "data_docs"),
        },
    }
    if "local_site" in (context.variables.data_docs_sites or {}):
        context.delete_data_docs_site("local_site")  # its pages lie in a temporary folder
    context.add_data_docs_site("warehouse", site)
    return context


def _checkpoint(settings: Settings, context: Any, table: str, suite: dict[str, Any], build_id: str | None) -> Any:
    """What runs one suite on a build's rows of its table, over a connection of its own so that several can run at once.

    Raises ExpectationError when the table is there but cannot be read, as when its files are lost.
    """
    import great_expectations as gx
    from great_expectations.datasource.fluent.interfaces import TestConnectionError

    from etl.connect import Connection

    database, _, name = table.partition(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = context.data_sources.add_sql(
            f"hive {table}",
            connection_string="hive://",
            kwargs={"creator": lambda: Connection(settings)},
            create_temp_table=False,
        )
        try:
            if build_id is None:
                asset = source.add_table_asset(table, table_name=name, schema_name=database)
            else:
                asset = source.add_query_asset(table, f"SELECT * FROM {table} WHERE build_id = '{build_id}'")  # noqa: S608
        except TestConnectionError as error:
            raise ExpectationError(
                f"{table} cannot be read: {reduced(error)}",
                f"look for what its files lack: ./warehouse query on {table}",
            ) from error
        definition = gx.ValidationDefinition(
            name=table,
            data=asset.add_batch_definition_whole_table("whole table"),
            suite=context.suites.add(gx.ExpectationSuite(**suite)),
        )
        known = context.validation_definitions.add(definition)
        return context.checkpoints.add(
            gx.Checkpoint(name=table, validation_definitions=[known], result_format="BOOLEAN_ONLY")
        )


def _run(checkpoint: Any) -> list[dict[str, Any]]:
    """Run one suite; a row per expectation, in the suite's order.

    Asked first is only what is met: figures and examples cost two more statements per expectation, so they are
    asked for where something is not.
    """
    done = checkpoint.run()
    if not done.success:
        checkpoint.result_format = "BASIC"
        checkpoint.save()
        done = checkpoint.run()
    (run,) = done.run_results.values()
    return [_row(one) for one in run.results]


def _row(result: Any) -> dict[str, Any]:
    config = result.expectation_config
    kwargs = config.kwargs
    column = kwargs.get("column") or ", ".join(kwargs.get("column_list") or ()) or None
    failure = next((one for one in _exceptions(result.exception_info)), None)
    details = result.result or {}
    if failure:
        observed = f"could not be checked: {reduced(failure)}"
    elif not details:
        observed = "as expected"
    elif "observed_value" in details:
        observed = str(details["observed_value"])
    else:
        unexpected, count = details.get("unexpected_count") or 0, details.get("element_count") or 0
        observed = f"{unexpected:,} of {count:,} rows are not so"
    return {
        "expectation": config.description or config.type,
        "column_name": column,
        "severity": str(getattr(config.severity, "value", config.severity)),
        "is_met": bool(result.success) and not failure,
        "observed": observed,
        "reason": config.notes if isinstance(config.notes, str) else " ".join(config.notes or ()),
    }


def _name(settings: Settings, table: str, suite: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Add to what was observed what it is about: values of the columns that the suite says name an unexpected row."""
    for told, row in zip(suite["expectations"], rows, strict=True):
        names = told.get("meta", {}).get("names")
        if names and not row["is_met"]:
            query = told["kwargs"]["unexpected_rows_query"].format(batch=table)
            with Hive(settings) as hive:
                found = hive.query(f"SELECT {', '.join(names)} FROM ({query}) AS unexpected LIMIT 1000").rows  # noqa: S608
            values = sorted({str(value) for one in found for value in one if value is not None})
            row["observed"] += f": {', '.join(values[:NAMED])}"


def _exceptions(info: Any) -> list[str]:
    """The messages of the exceptions in Great Expectations' `exception_info`, which is nested by metric."""
    if not isinstance(info, dict):
        return []
    if info.get("raised_exception"):
        return [str(info.get("exception_message") or "an exception without a message")]
    return [message for one in info.values() for message in _exceptions(one)]
