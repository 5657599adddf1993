"""`connect` and docs/connect.md: what each client needs, and that the examples of the page run on both servers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas
import pytest
from conftest import Run
from sqlalchemy import create_engine, inspect

from etl.servers.clients import clients
from etl.settings import PROJECT, Settings

PAGE = (PROJECT / "docs" / "connect.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
both_engines = pytest.mark.parametrize("engine", ["spark", "hive"])


def test_the_page_shows_what_the_command_prints() -> None:
    needs = clients(Settings(hive_user="ada"))
    width = max(map(len, needs))
    printed = "".join(f"{name:{width}}  {need}\n" for name, need in needs.items())
    assert f"$ ./warehouse connect\n{printed}```" in PAGE


@pytest.mark.parametrize(
    ("settings", "client", "need"),
    [
        ({"engine": "hive"}, "JDBC (DBeaver, Tableau)", "jdbc:hive2://127.0.0.1:10001/flat, user ada"),
        ({"hive_auth": "NOSASL"}, "PyHive", "hive.connect('127.0.0.1', 10000, username='ada', auth='NOSASL', "),
        ({"hive_auth": "NOSASL"}, "JDBC (DBeaver, Tableau)", "jdbc:hive2://127.0.0.1:10000/flat;auth=noSasl, "),
        ({"hive_auth": "NOSASL"}, "Superset", "hive://ada@127.0.0.1:10000/flat?auth=NOSASL"),
        ({"hive_auth": "LDAP"}, "Superset", "hive://ada:PASSWORD@127.0.0.1:10000/flat?auth=LDAP"),
        ({"hive_auth": "KERBEROS"}, "Superset", "hive://127.0.0.1:10000/flat?auth=KERBEROS&kerberos_service_name=hive"),
        ({"hive_auth": "KERBEROS"}, "JDBC (DBeaver, Tableau)", "jdbc:hive2://127.0.0.1:10000/flat;principal=hive/HOST"),
        ({"hive_tls": True}, "JDBC (DBeaver, Tableau)", "jdbc:hive2://127.0.0.1:10000/flat;ssl=true, user ada"),
        ({"hive_tls": True}, "Python", "etl.servers.hive_session.Connection("),
    ],
    ids=str,
)
def test_the_login_of_the_settings_is_in_what_a_client_needs(settings: dict[str, Any], client: str, need: str) -> None:
    assert clients(Settings(hive_user="ada", **settings))[client].startswith(need)


def test_no_password_is_shown() -> None:
    needs = clients(Settings(hive_user="ada", hive_auth="LDAP", hive_password="s3cret"))  # noqa: S106
    assert "s3cret" not in str(needs)


# On the stack


@pytest.mark.usefixtures("built")
@both_engines
def test_the_examples_of_the_page_run(
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


def all_exams(server: str) -> list[tuple[str, int]]:
    query = "SELECT exam_name, attempt_count FROM marts.exams ORDER BY attempt_count DESC"
    rows = pandas.read_sql_query(query, create_engine(f"hive://analyst@{server}/flat"))
    return list(rows.itertuples(index=False, name=None))


@pytest.mark.usefixtures("built")
def test_what_the_page_says_of_pyhives_dialect_on_spark_is_so(settings: Settings) -> None:
    """When these pass the other way, the page can drop its advice."""
    engine = create_engine(f"hive://analyst@{settings.spark_thrift}/flat")
    assert set(inspect(engine).get_table_names()) == {"flat"}
    with pytest.raises(Exception, match=r"cannot be found|syntax"):
        pandas.read_sql("SELECT 1 AS n", engine)


@both_engines
def test_the_jdbc_address_that_is_printed_connects(engine: str, run: Run) -> None:
    needs = json.loads(run("connect", "--engine", engine, "--json").stdout)["clients"]
    address = needs["JDBC (DBeaver, Tableau)"].partition(",")[0].replace("/flat", "/default")
    words = ("-u", address, "--silent=true", "--outputformat=csv2", "-e", "SELECT 1 AS n")
    assert run("beeline", *words).stdout.split() == ["n", "1"]
