"""Runs one suite on one table by Great Expectations; a row per expectation comes out, as in ops.expectation_results."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from etl.errors import ExpectationError
from etl.servers.hive import reduced
from etl.settings import Settings
from etl.validate.failing_rows import ALL, batch, seen_as, told

UNCHECKED = "could not be checked"
SAID = "; the server said: "  # what follows may cite what it stumbled over, so no page shows it
QUERY = "expect_query_to_return_no_rows"
UNUSED = ("pyspark", "pyarrow")  # Great Expectations loads them where it can: 70 MB that questions in SQL do not need
# No example of a value: a page shows none, and each would be a statement more.
FIGURES = {"result_format": "BASIC", "partial_unexpected_count": 0, "exclude_unexpected_values": True}


def preload() -> None:
    """Load Great Expectations, which takes seconds, beside the steps that come before."""
    threading.Thread(target=_imported, daemon=True).start()


def _imported() -> Any:
    """Great Expectations, told that what it can do without is not installed, unless it is in use already."""
    hidden = [name for name in UNUSED if name not in sys.modules]
    modules: dict[str, Any] = sys.modules
    modules.update(dict.fromkeys(hidden))
    try:
        return importlib.import_module("great_expectations")
    finally:
        for name in hidden:
            modules.pop(name, None)


def load() -> Any:
    """A Great Expectations context, which lives as long as the process: nothing of it is stored."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gx = _imported()
        from great_expectations.data_context.types.base import ProgressBarsConfig

        importlib.import_module("etl.validate.expectation")  # to import it is to make it known
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def define(
    settings: Settings, context: Any, table: str, suite: dict[str, Any], build_id: str | None, first_part: str = ALL
) -> Any:
    """What runs one suite on a build's rows of its table, from a part on, or on what readers see of another table.

    It has a connection of its own, so that several can run at once.
    Raises ExpectationError when the table is there but cannot be read, as when its files are lost.
    """
    from great_expectations.datasource.fluent.interfaces import TestConnectionError

    database, _, name = seen_as(table).partition(".")
    rows = batch(table, build_id, first_part)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = context.data_sources.add_sql(
            f"hive {table}",
            connection_string="hive://",
            kwargs={"creator": lambda: _connected(settings, None if build_id is None else rows)},
            create_temp_table=False,
        )
        try:
            if build_id is None:  # one row is read, which tells whether it can be
                asset = source.add_table_asset(table, table_name=name, schema_name=database)
            else:
                asset = source.add_query_asset(table, rows)
        except TestConnectionError as error:
            raise ExpectationError(
                f"{table} cannot be read: {reduced(error)}",
                f"look for what its files lack: ./warehouse query on {table}",
            ) from error
        return definition(context, asset, table, suite)


def _connected(settings: Settings, rows: str | None) -> Any:
    """A connection on which the query of the rows gives none of them.

    Great Expectations asks it only for the names of its columns, and a server would put all rows together for that.
    """
    from etl.servers.hive_session import Connection, Cursor

    class Named(Cursor):
        def execute(self, operation: str, parameters: Any = None, **options: Any) -> None:
            super().execute(f"{operation} LIMIT 0" if operation == rows else operation, parameters, **options)

    class Naming(Connection):
        def cursor(self, *arguments: Any, **options: Any) -> Cursor:
            return Named(self, *arguments, **options)

    return Naming(settings)


def definition(context: Any, asset: Any, table: str, suite: dict[str, Any]) -> Any:
    """The suite and what it is run on, as Great Expectations wants them."""
    import great_expectations as gx

    return context.validation_definitions.add(
        gx.ValidationDefinition(
            name=table,
            data=asset.add_batch_definition_whole_table("whole table"),
            suite=context.suites.add(gx.ExpectationSuite(**suite)),
        )
    )


def run(context: Any, checks: Any, suite: dict[str, Any], run_id: str) -> Any:
    """Run one suite; its results stand in the suite's order, with figures where something is not met.

    Asked first is only what is met: figures cost two more statements per expectation. What a query of ours finds is
    counted by who fetches its rows (etl/validate/failing_rows.py).
    """
    from great_expectations.core.run_identifier import RunIdentifier

    done = checks.run(result_format="BOOLEAN_ONLY", run_id=RunIdentifier(run_name=run_id))
    done.results = _in_order(done.results, checks.suite)
    open_ones = [
        number
        for number, (wanted, one) in enumerate(zip(suite["expectations"], done.results, strict=True))
        if not one.success and (wanted["type"] != QUERY or failure(one))
    ]
    if open_ones:
        for number, result in zip(open_ones, _figures(context, checks, suite, open_ones), strict=True):
            done.results[number] = result
        done.success = all(one.success for one in done.results)
    return done


def _figures(context: Any, checks: Any, suite: dict[str, Any], numbers: list[int]) -> list[Any]:
    import great_expectations as gx

    few = {**suite, "name": f"{suite['name']} not met", "expectations": [suite["expectations"][n] for n in numbers]}
    again = context.suites.add(gx.ExpectationSuite(**few))
    done = _in_order(checks.data.get_batch().validate(again, result_format=FIGURES).results, again)
    context.suites.delete(again.name)
    return done


def _in_order(results: Iterable[Any], suite: Any) -> list[Any]:
    """Great Expectations gives first what raised an error."""
    by_id = {one.expectation_config.id: one for one in results}
    return [by_id[one.id] for one in suite.expectations]


def row(result: Any) -> dict[str, Any]:
    """The result of one expectation."""
    config = result.expectation_config
    kwargs = config.kwargs
    column = kwargs.get("column") or ", ".join(kwargs.get("column_list") or ()) or None
    error = failure(result)
    details = result.result or {}
    if error:
        observed = f"{UNCHECKED}{SAID}{reduced(error)}"
    elif result.success:
        observed = "as expected"
    elif details.get("observed_value") is not None:
        observed = str(told(details["observed_value"]))
    elif "element_count" in details:
        observed = f"{details['unexpected_count'] or 0:,} of {details['element_count'] or 0:,} rows are not so"
    else:
        observed = "not as expected"
    return {
        "expectation": config.description or config.type,
        "column_name": column,
        "severity": str(getattr(config.severity, "value", config.severity)),
        "is_met": bool(result.success) and not error,
        "observed": observed,
        "reason": config.notes if isinstance(config.notes, str) else " ".join(config.notes or ()),
    }


def failure(result: Any) -> str | None:
    """The message of the error that kept an expectation from being checked."""
    return next(_messages(result.exception_info), None)


def _messages(info: Any) -> Iterator[str]:
    """The messages in Great Expectations' `exception_info`, which is nested by metric."""
    if not isinstance(info, dict):
        return
    if info.get("raised_exception"):
        yield str(info.get("exception_message") or "an exception without a message")
        return
    for one in info.values():
        yield from _messages(one)
