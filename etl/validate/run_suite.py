"""Runs one suite: Great Expectations counts its rules in one statement, each check is a statement of its own.

A row per expectation comes out, as in ops.expectation_results, with the rows that violate it.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import sys
import threading
import types
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from etl.errors import ServerError
from etl.servers.hive import Query, StatementError, reduced
from etl.validate.failing_rows import Failing, fetch, redacted, statement
from etl.validate.rule_connection import RuleConnection
from etl.validate.suites import QUERY, Suite, wording

UNCHECKED = "could not be checked"
CAUSE = "; the server answered: "  # the rest may cite a value of the data, so no page shows it
# Great Expectations imports these, which takes a second and 80 MB; counting by SQL does not use them.
OPTIONAL, UNUSED = ("pyspark", "pyarrow"), ("altair", "scipy")


@dataclass
class Outcome:
    """The result of a suite: rows of ops.expectation_results, and by their place those that violate it.

    `suite` and `results` are the same as Great Expectations' objects.
    """

    suite: Any
    results: Any
    rows: list[dict[str, Any]]
    failing: dict[int, Failing] = field(default_factory=dict)


def preload() -> None:
    """Import Great Expectations, which takes seconds, in parallel with the steps before a validation."""
    threading.Thread(target=_import, daemon=True).start()


def _import() -> Any:
    """Great Expectations without modules that it does not use here, unless they are loaded already."""
    modules: dict[str, Any] = sys.modules
    hidden = [name for name in (*OPTIONAL, *UNUSED) if name not in modules]
    modules.update(dict.fromkeys(set(hidden) & set(OPTIONAL)))
    for name in set(hidden) & set(UNUSED):
        modules[name] = types.ModuleType(name)
        modules[name].stats = None  # `from scipy import stats`
    try:
        return importlib.import_module("great_expectations")
    finally:
        for name in hidden:
            modules.pop(name, None)


def load() -> Any:
    """A Great Expectations context, which lives as long as the process: it stores nothing."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gx = _import()
        from great_expectations.data_context.types.base import ProgressBarsConfig
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def run(context: Any, suite: Suite, query: Query, run_id: str) -> Outcome:
    """Run a suite by the statements that `query` sends. Raises ServerError when the server goes away."""
    from great_expectations.core import ExpectationSuiteValidationResult, RunIdentifier
    from great_expectations.validator.validator import calc_validation_statistics

    with contextlib.redirect_stdout(io.StringIO()):  # it prints a hint about queries that do not name their batch
        declared = _suite(suite, suite.expectations)
    rules = [expectation for expectation in suite.expectations if expectation["type"] != QUERY]
    counted = iter(_count(context, suite, rules, query))
    results, failing = [], {}
    for place, expectation in enumerate(suite.expectations):
        is_rule = expectation["type"] != QUERY
        config = declared.expectations[place].configuration
        result = next(counted) if is_rule else _result(config)
        result.expectation_config = config
        rows = _rows(suite, expectation, result, query, is_rule)
        if rows is not None:
            failing[place] = rows
        results.append(result)
    total = _total(suite, query) if _needs_total(suite, results) else None
    rows = [
        {
            "table_name": suite.table,
            "suite": suite.declared["name"],
            **_row(expectation, result, failing.get(place), total),
        }
        for place, (expectation, result) in enumerate(zip(suite.expectations, results, strict=True))
    ]
    statistics = calc_validation_statistics(results)
    done = ExpectationSuiteValidationResult(
        results=results,
        success=statistics.success,
        suite_name=declared.name,
        statistics=statistics._asdict(),
        meta={"run_id": RunIdentifier(run_name=run_id), "active_batch_definition": {}},
    )
    return Outcome(declared, done, rows, failing)


def _suite(suite: Suite, expectations: list[dict[str, Any]]) -> Any:
    import great_expectations as gx

    return gx.ExpectationSuite(**{**suite.declared, "expectations": expectations})


def _count(context: Any, suite: Suite, rules: list[dict[str, Any]], query: Query) -> list[Any]:
    """The results of the rules, in their order, by one statement for all of them."""
    if not rules:
        return []
    connection = RuleConnection(query, suite.rows, suite.columns)
    name = f"{suite.table} {id(connection)}"
    source = context.data_sources.add_sql(
        name, connection_string="hive://", kwargs={"creator": lambda: connection}, create_temp_table=False
    )
    try:
        batch = source.add_query_asset(name, suite.rows).add_batch_definition_whole_table(name).get_batch()
        numbered = [{**rule, "id": str(place)} for place, rule in enumerate(rules)]
        results = batch.validate(_suite(suite, numbered), result_format="BOOLEAN_ONLY").results
    finally:
        context.data_sources.delete(name)
    if isinstance(connection.error, ServerError):
        raise connection.error
    return sorted(results, key=lambda result: int(result.expectation_config.id))


def _result(config: Any, error: str = "") -> Any:
    """A result of Great Expectations for a check, which is met until rows are found."""
    from great_expectations.core import ExpectationValidationResult

    return ExpectationValidationResult(success=not error, expectation_config=config, result={}, exception_info={})


def _rows(suite: Suite, expectation: Mapping[str, Any], result: Any, query: Query, is_rule: bool) -> Failing | None:
    """The rows that violate an expectation, None for none; `result` is completed."""
    sql = statement(suite, expectation)
    if sql is None or (is_rule and (result.success or failure(result))):
        return None
    open_columns = suite.meta.get("not_personal", ())
    try:
        rows = fetch(query, sql, open_columns)
    except StatementError as error:
        if not is_rule:
            result.success = False
            result.exception_info = {"raised_exception": True, "exception_message": reduced(error)}
        return None
    if is_rule:
        return rows
    result.success = not rows.rows
    result.result = {} if result.success else {"observed_value": len(rows.rows)}
    return None if result.success else rows


def _needs_total(suite: Suite, results: list[Any]) -> bool:
    pairs = zip(suite.expectations, results, strict=True)
    return any(not result.success and rule["type"] != QUERY and not failure(result) for rule, result in pairs)


def _total(suite: Suite, query: Query) -> int | None:
    """The number of rows that the rules are about, where one of them failed."""
    try:
        return int(query(f"SELECT COUNT(*) FROM ({suite.rows}) AS checked").rows[0][0])  # noqa: S608
    except StatementError:
        return None


def _row(expectation: Mapping[str, Any], result: Any, failing: Failing | None, total: int | None) -> dict[str, Any]:
    """The row of ops.expectation_results for one expectation; Great Expectations' `result` gets the same figures."""
    is_rule = expectation["type"] != QUERY
    names = failing.names(expectation.get("meta", {}).get("names", ())) if failing else ""
    if error := failure(result):
        observed = f"{UNCHECKED}{CAUSE}{reduced(error)}"
    elif result.success:
        observed = "as expected"
    elif failing and is_rule:
        observed = f"{failing.count} of {total or 0:,} rows fail"
        count = len(failing.rows)
        result.result = {"element_count": total, "unexpected_count": count}
        result.result["unexpected_percent"] = 100 * count / total if total else None
    elif failing:
        observed = f"{failing.count} {'row violates' if len(failing.rows) == 1 else 'rows violate'}{names}"
    elif expectation["type"].startswith("expect_table_row_count") and total is not None:
        observed, result.result = f"{total:,} rows", {"observed_value": total}
    else:
        observed = "it fails"
    return {
        "expectation": wording(expectation),
        "column_name": expectation["kwargs"].get("column"),
        "severity": expectation["severity"],
        "is_met": bool(result.success) and not error,
        "observed": observed,
        "reason": expectation["notes"],
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
    for value in info.values():
        yield from _messages(value)
