"""Runs one suite: Great Expectations counts its rules in one statement, each check is a statement of its own.

A row per expectation comes out, as in ops.expectation_results, with the rows that violate it.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from typing import Any

from etl.errors import ServerError
from etl.servers.hive import Query, StatementError, reduced
from etl.validate.failing_rows import Failing, fetch, statement
from etl.validate.rule_connection import RuleConnection
from etl.validate.suites import QUERY, Suite, wording

UNCHECKED = "could not be checked"
CAUSE = "; the server answered: "  # the rest may cite a value of the data, so no page shows it
BATCH = "\n-- {batch}"  # without it Great Expectations prints a hint for every query, each time it sees it
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
        modules[name].__spec__ = ModuleSpec(name, None)  # pyspark asks for it, where that is loaded only in part
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


def row_counts(query: Query, suites: Sequence[Suite]) -> dict[str, int]:
    """The rows of each table that has rules, by one statement for all; none where the server cannot count them."""
    tables = [suite for suite in suites if any(rule["type"] != QUERY for rule in suite.expectations)]
    query_of = "SELECT '{0.table}' AS name, COUNT(*) AS row_count FROM ({0.rows}) AS counted"
    counts = [query_of.format(suite) for suite in tables]
    try:
        return {name: int(count) for name, count in query("\nUNION ALL\n".join(counts)).rows} if counts else {}
    except StatementError:
        return {}  # a suite that cannot read its table says so


def run(
    context: Any, suite: Suite, query: Query, run_id: str, count: Callable[[], int | None] = lambda: None
) -> Outcome:
    """Run a suite by the statements that `query` sends; `count` is the number of the table's rows, if counted already.

    Raises ServerError when the server goes away.
    """
    from great_expectations.core import ExpectationSuiteValidationResult, RunIdentifier
    from great_expectations.validator import validator

    declared = _suite(suite, suite.expectations)
    results = [_unchecked(rule.configuration) for rule in declared.expectations]
    failing: dict[int, Failing] = {}
    rules = [place for place, rule in enumerate(suite.expectations) if rule["type"] != QUERY]
    for place in range(len(results)):
        if place not in rules:
            _find(suite, place, results[place], query, failing)
    total = count() if rules else None
    for place, result in zip(rules, _count(context, suite, query, total), strict=True):
        result.expectation_config = results[place].expectation_config
        results[place] = result
        _find(suite, place, result, query, failing)
    if total is None and any(map(_is_failed_rule, suite.expectations, results)):
        total = row_counts(query, [suite]).get(suite.table)
    table = {"table_name": suite.table, "suite": suite.content["name"]}
    rows = [
        table | _row(expectation, result, failing.get(place), total)
        for place, (expectation, result) in enumerate(zip(suite.expectations, results, strict=True))
    ]
    statistics = validator.calc_validation_statistics(results)  # type: ignore[attr-defined]
    done = ExpectationSuiteValidationResult(
        results=results,
        success=statistics.success,
        suite_name=declared.name,
        statistics=statistics._asdict(),
        meta={"run_id": RunIdentifier(run_name=run_id), "active_batch_definition": {"data_asset_name": suite.table}},
    )
    return Outcome(declared, done, rows, failing)


def _suite(suite: Suite, expectations: list[dict[str, Any]]) -> Any:
    """Great Expectations' object of a suite with these expectations."""
    import great_expectations as gx

    named = [
        {**rule, "kwargs": {"unexpected_rows_query": rule["kwargs"]["unexpected_rows_query"] + BATCH}}
        if rule["type"] == QUERY
        else rule
        for rule in expectations
    ]
    return gx.ExpectationSuite(**{**suite.content, "expectations": named})


def _count(context: Any, suite: Suite, query: Query, total: int | None) -> list[Any]:
    """The results of the rules in their order, by one statement for all of them."""
    rules = [expectation for expectation in suite.expectations if expectation["type"] != QUERY]
    if not rules:
        return []
    connection = RuleConnection(query, suite.rows, suite.columns, total)
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


def _unchecked(config: Any) -> Any:
    """Great Expectations' object for a result, before the expectation ran."""
    from great_expectations.core import ExpectationValidationResult

    return ExpectationValidationResult(success=True, expectation_config=config, result={}, exception_info={})


def _find(suite: Suite, place: int, result: Any, query: Query, failing: dict[int, Failing]) -> None:
    """Fetch the rows that violate an expectation, where it is a check or failed; a check gets its result from them."""
    expectation = suite.expectations[place]
    is_check = expectation["type"] == QUERY
    sql = statement(suite, expectation)
    if sql is None or not (is_check or _is_failed_rule(expectation, result)):
        return
    try:
        rows = fetch(query, sql, suite.meta.get("not_personal", ()))
    except StatementError as error:
        if is_check:
            result.success = False
            result.exception_info = {"raised_exception": True, "exception_message": reduced(error)}
        return
    if rows.rows:
        failing[place] = rows
        if is_check:
            result.success, result.result = False, {"observed_value": len(rows.rows)}


def _is_failed_rule(expectation: Mapping[str, Any], result: Any) -> bool:
    return not result.success and expectation["type"] != QUERY and not failure(result)


def _row(expectation: Mapping[str, Any], result: Any, failing: Failing | None, total: int | None) -> dict[str, Any]:
    """The row of ops.expectation_results for one expectation."""
    return {
        "expectation": wording(expectation),
        "column_name": expectation["kwargs"].get("column"),
        "severity": expectation["severity"],
        "is_met": bool(result.success) and not failure(result),
        "observed": _observed(expectation, result, failing, total),
        "reason": expectation["notes"],
    }


def _observed(expectation: Mapping[str, Any], result: Any, failing: Failing | None, total: int | None) -> str:
    """The result in words; the result of a rule gets its figures too, for Great Expectations' pages."""
    if error := failure(result):
        return f"{UNCHECKED}{CAUSE}{reduced(error)}"
    if result.success:
        return "as expected"
    if failing and expectation["type"] == QUERY:
        verb = "row fails" if len(failing.rows) == 1 else "rows fail"
        return f"{failing.count} {verb}{failing.names(expectation.get('meta', {}).get('names', ()))}"
    if total is None:
        return "it fails"
    if failing:
        count = len(failing.rows)
        share = 100 * count / total if total else None
        result.result = {"element_count": total, "unexpected_count": count, "unexpected_percent": share}
        return f"{failing.count} of {total:,} rows fail"
    result.result = {"observed_value": total}
    return f"{total:,} rows"


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
