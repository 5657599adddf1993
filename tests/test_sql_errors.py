"""What people read of a server's error: the cause, the place, a near name, and nothing that the server adds."""

from __future__ import annotations

import pytest

from etl.servers.sql_errors import DOCTOR, FIX, explained, is_lost

BUILD = "./warehouse build makes it"

SPARK_TABLE = """org.apache.hive.service.cli.HiveSQLException: Error running query: [TABLE_OR_VIEW_NOT_FOUND] \
org.apache.spark.sql.catalyst.ExtendedAnalysisException: [TABLE_OR_VIEW_NOT_FOUND] The table or view `flat`.`attempt` \
cannot be found. Verify the spelling and correctness of the schema and catalog.
If you did not qualify the name with a schema, verify the current_schema() output, or qualify the name with the \
correct schema and catalog.
To tolerate the error on drop use DROP VIEW IF EXISTS or DROP TABLE IF EXISTS. SQLSTATE: 42P01; line 1 pos 14;
'Project [*]
+- 'UnresolvedRelation [flat, attempt], [], false
\tat org.apache.spark.sql.hive.thriftserver.SparkExecuteStatementOperation.run(Spark.scala:9)"""
SPARK_COLUMN = """org.apache.spark.sql.catalyst.ExtendedAnalysisException: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A \
column, variable, or function parameter with name `exam_nam` cannot be resolved. Did you mean one of the following? \
[`exam_id`, `exam_name`, `score`]. SQLSTATE: 42703; line 2 pos 7;
'Project ['exam_nam]"""
SPARK_SYNTAX = """org.apache.spark.sql.catalyst.parser.ParseException:
[PARSE_SYNTAX_ERROR] Syntax error at or near 'FORM': extra input 'FORM'. SQLSTATE: 42601 (line 1, pos 9)

== SQL ==
SELECT 1 FORM x
---------^^^
"""
SPARK_DIVISION = """org.apache.spark.SparkArithmeticException: [DIVIDE_BY_ZERO] Division by zero. Use `try_divide` to \
tolerate divisor being 0 and return NULL instead. If necessary set "spark.sql.ansi.enabled" to "false" to bypass this \
error. SQLSTATE: 22012
== SQL (line 1, position 8) ==
SELECT 1 / 0
       ^^^^^
"""
HIVE_TABLE = (
    "Error while compiling statement: FAILED: SemanticException [Error 10001]: Line 1:14 Table not found 'attempts'"
)
HIVE_COLUMN = (
    "Error while compiling statement: FAILED: SemanticException [Error 10004]: Line 2:7 Invalid table alias or column "
    "reference 'exam_nam': (possible column names are: attempts.exam_id, attempts.exam_name)"
)
HIVE_DATABASE = HIVE_TABLE.replace("1:14", "2:5")
HIVE_SYNTAX = (
    "Error while compiling statement: FAILED: ParseException line 1:14 cannot recognize input near 'x' '<EOF>' '<EOF>' "
    "in from source"
)


@pytest.mark.parametrize(
    ("text", "statement", "cause", "step", "caret"),
    [
        (
            SPARK_TABLE,
            "SELECT * FROM flat.attempt",
            "there is no table or view flat.attempt",
            "did you mean flat.attempts?",
            14,
        ),
        (SPARK_COLUMN, "SELECT\n       exam_nam FROM x", "there is no column exam_nam", "did you mean exam_name?", 7),
        (SPARK_SYNTAX, "SELECT 1 FORM x", "Syntax error at or near 'FORM': extra input 'FORM'", FIX, 9),
        (SPARK_DIVISION, "SELECT 1 / 0", "Division by zero", DOCTOR, None),
        (HIVE_TABLE, "SELECT * FROM attempts", "there is no table or view attempts", "did you mean flat.attempts?", 14),
        (
            HIVE_DATABASE,
            "SELECT *\nFROM flta.`attempts`",
            "there is no table or view flta.attempts",
            "did you mean flat.attempts?",
            5,
        ),
        (HIVE_COLUMN, "SELECT\n       exam_nam FROM x", "there is no column exam_nam", "did you mean exam_name?", 7),
        (
            SPARK_TABLE.replace("attempt`", "attempts`"),
            "SELECT 1",
            "there is no table or view flat.attempts",
            BUILD,
            None,
        ),
        (HIVE_SYNTAX, "SELECT 1 FROM x", "cannot recognize input near 'x' '<EOF>' '<EOF>' in from source", FIX, 14),
    ],
    ids=[
        "spark table",
        "spark column",
        "spark syntax",
        "spark run",
        "hive table",
        "hive database",
        "hive column",
        "not built",
        "hive syntax",
    ],
)
def test_a_servers_error_is_its_cause_its_place_and_a_near_name(
    text: str, statement: str, cause: str, step: str, caret: int | None
) -> None:
    error = explained(text, statement)
    assert (error.cause, error.step) == (cause, step)
    if caret is None:
        assert error.excerpt == ()
    else:
        line, below = error.excerpt
        assert below.index("^") == line.index("|") + 2 + caret


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Error while compiling statement: FAILED: SemanticException [Error 10011]: Invalid function f", True),
        ("Error while compiling statement: FAILED: SemanticException Column a Found in more than One Tables", True),
        (SPARK_TABLE.replace("line 1 pos 14", ""), True),
        (SPARK_DIVISION, False),
        ("Error while processing statement: FAILED: Execution Error, return code 2", False),
    ],
)
def test_a_mistake_is_told_from_what_happened_while_a_statement_ran(text: str, expected: bool) -> None:
    assert (explained(text, "SELECT 1").step == DOCTOR) is not expected


def test_a_long_line_is_shown_around_the_place_without_what_a_terminal_would_obey() -> None:
    statement = "SELECT '" + "x" * 500 + "\x1b数' FORM " + "y" * 500
    error = explained(f"Syntax error at or near 'FORM' (line 1, pos {statement.index('FORM')})", statement)
    line, below = error.excerpt
    assert len(line) < 150 and "\\x1b" in line and line.startswith("   1 | …xxx")
    assert below.index("^") == line.index("FORM") + 1  # the wide character takes two places


@pytest.mark.parametrize("text", ["", "\n\tat a.b", "x" * 100_000, "line 9 pos 9", "Line 1:99999 x", "(" * 5000])
def test_any_text_gives_a_cause(text: str) -> None:
    error = explained(text, "SELECT 1")
    assert error.cause and len(error.cause) <= 400 and "\n" not in error.cause and error.excerpt == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("java.net.ConnectException: Call From a to b:8020 failed on connection exception", True),
        ("Job 3 cancelled because SparkContext was shut down", True),
        ("org.apache.hive.service.cli.HiveSQLException: Invalid SessionHandle: SessionHandle [x]", True),
        ("MetaException(message:Could not connect to meta store using any of the URIs provided.", True),
        (SPARK_TABLE, False),
        (HIVE_COLUMN, False),
        ("[CAST_INVALID_INPUT] The value 'Connection' of the type STRING cannot be cast", False),
    ],
)
def test_a_lost_server_is_told_from_a_wrong_statement(text: str, expected: bool) -> None:
    assert is_lost(text) is expected
