"""The examples of docs/connect.md and docs/first_hour.md run on both servers."""

from __future__ import annotations

import datetime
import json
import re
import shlex
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas
import pytest
from commands import Run
from pyhive import hive
from sqlalchemy import create_engine, inspect

from etl.settings import PROJECT, Settings

PAGE = (PROJECT / "docs" / "connect.md").read_text(encoding="utf-8")
FIRST_HOUR = (PROJECT / "docs" / "first_hour.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE + FIRST_HOUR, re.DOTALL)
both_engines = pytest.mark.parametrize("engine", ["spark", "hive"])


@pytest.mark.usefixtures("built")
@both_engines
def test_the_examples_of_the_pages_run(
    engine: str, settings: Settings, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = settings.model_copy(update={"engine": engine}).sql_server
    monkeypatch.chdir(tmp_path)
    run("export", "--engine", engine, "marts.exams", "--to", str(tmp_path / "exams.parquet"))
    names: dict[str, Any] = {}
    for example in EXAMPLES:
        code = example.replace("127.0.0.1:10000", server).replace("10000", server.rpartition(":")[2])
        code = code.replace("ada", "analyst").replace("tableName", "tableName" if engine == "spark" else "tab_name")
        exec(compile(code, str(PROJECT / "docs" / "connect.md"), "exec"), names)  # noqa: S102
    assert len(names["rows"]) == 3 and {"attempts", "messages"} <= set(names["names"])
    assert len(names["attempts"]) == sum(attempts for _, attempts in all_exams(server))
    assert names["most"] == all_exams(server)[:3] and len(names["exams"]) == 10
    assert (tmp_path / "exams.html").stat().st_size > 0


@pytest.mark.long
@pytest.mark.usefixtures("built")
def test_the_commands_of_the_page_run_and_a_mistake_is_shown_as_there(
    settings: Settings, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^\$ \./warehouse (.+)$", PAGE, re.MULTILINE)
    commands.remove("superset")  # its own tests run it
    for command in commands:
        run(*shlex.split(command))
    assert len(commands) == 4 and (tmp_path / "scores.csv").read_text().startswith("exam_name,score\n")
    mistake = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)[0]
    query = re.search("`(.+)`", mistake)
    assert query and run("query", query[1], code=1).stderr == mistake.replace("127.0.0.1:10000", settings.spark_thrift)


def all_exams(server: str) -> list[tuple[str, int]]:
    query = "SELECT exam_name, attempt_count FROM marts.exams ORDER BY attempt_count DESC"
    rows = pandas.read_sql_query(query, create_engine(f"hive://analyst@{server}/flat"))
    return list(rows.itertuples(index=False, name=None))


@pytest.mark.usefixtures("built")
def test_what_the_page_says_of_pyhives_dialect_on_spark_is_so(settings: Settings) -> None:
    """When these pass the other way, the page can drop its advice."""
    engine = create_engine(f"hive://analyst@{settings.spark_thrift}/flat")
    assert set(inspect(engine).get_table_names()) == {"flat"}
    with pytest.raises(Exception, match="Could not reflect"):
        pandas.read_sql("SELECT 1 AS n", engine)


@pytest.mark.long
@pytest.mark.usefixtures("built")
def test_pyhives_dialect_works_on_hiveserver2(settings: Settings) -> None:
    engine = create_engine(f"hive://analyst@{settings.hiveserver2}/flat")
    assert {"attempts", "messages"} <= set(inspect(engine).get_table_names())
    assert pandas.read_sql("SELECT 1 AS n", engine)["n"].tolist() == [1]


@pytest.mark.long
@both_engines
def test_values_come_as_the_page_says(engine: str, settings: Settings) -> None:
    host, _, port = settings.model_copy(update={"engine": engine}).sql_server.rpartition(":")
    cursor = hive.connect(host, int(port), username="analyst").cursor()
    decimal, instant = "CAST(1.5 AS DECIMAL(3, 1))", "CAST('2018-01-28 19:17:53.796' AS TIMESTAMP)"
    cursor.execute(f"SELECT {decimal}, {instant}, CAST('2018-01-28' AS DATE), ARRAY(1, 2)")
    time = datetime.datetime(2018, 1, 28, 19, 17, 53, 796000)
    assert cursor.fetchall() == [(Decimal("1.5"), time, "2018-01-28", "[1,2]")]


@pytest.mark.usefixtures("built")
@both_engines
def test_the_jdbc_address_that_is_printed_connects(engine: str, run: Run) -> None:
    needs = json.loads(run("connect", "--engine", engine, "--json").stdout)["clients"]
    address = needs["JDBC (DBeaver, Tableau)"].partition(",")[0]
    words = ("-u", address, "--silent=true", "--outputformat=csv2", "-e", "SELECT 1 AS n")
    assert run("beeline", *words).stdout.split()[-2:] == ["n", "1"]
