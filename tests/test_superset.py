"""Superset without its server: which SQL it lets through, the assets of the SQL files, its lock file and secrets."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sqlglot.errors import ParseError

from etl.catalog.catalog import catalog
from etl.errors import UsageError, WarehouseError
from etl.report.report import questions
from etl.settings import PROJECT, Settings
from etl.sqlfile import SqlFile, files
from etl.store.customers import Customer
from etl.superset import assets, connections
from etl.superset.charts import COLUMNS, tiles
from stack import superset as server
from stack.engines import REFUSED_FUNCTIONS
from superset import corrections, fence

FOLDER = PROJECT / "superset"
SERVERS = {"spark_thrift": "127.0.0.1:10000", "hiveserver2": "127.0.0.1:10001"}


@pytest.fixture(scope="module")
def written() -> assets.Assets:
    """The assets of the SQL files."""
    return assets.assets(Settings(**SERVERS))


def of_kind(written: assets.Assets, kind: str) -> dict[str, dict[str, Any]]:
    """The assets of a kind by name."""
    return {name.split("/")[1].removesuffix(".yaml"): each for name, each in written.items() if name.startswith(kind)}


# Which SQL is let through


@pytest.mark.parametrize("file", questions(), ids=lambda file: file.name)
def test_the_questions_of_the_report_are_allowed(file: SqlFile) -> None:
    fence.check(file.text)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "WITH a AS (SELECT 1 AS n) SELECT n FROM a UNION ALL SELECT 2",
        "SELECT e.y FROM t LATERAL VIEW EXPLODE(x) e AS y",
        "SELECT * FROM flat.attempts TABLESAMPLE (10 ROWS)",
        "SHOW TABLES IN flat",
        "DESCRIBE flat.attempts",
        "EXPLAIN FORMATTED SELECT PMOD(3, 2)",
    ],
)
def test_sql_that_reads_is_allowed(sql: str) -> None:
    fence.check(sql)


@pytest.mark.parametrize(
    "sql",
    [
        *(f"SELECT {name}('a', 'b')" for name in (*REFUSED_FUNCTIONS, "try_reflect", "from_xml", "schema_of_xml")),
        "SELECT `java_method`('a', 'b')",
        "SELECT system.builtin.java_method('a', 'b')",
        "EXPLAIN EXTENDED SELECT java_method('a', 'b')",
        "SELECT * FROM t LATERAL VIEW java_method('a') e AS y",
        "SELECT * FROM python_worker_logs()",
        "SELECT input_file_name()",
        "SELECT TRANSFORM(a) USING 'id' AS (b) FROM t",
        "FROM t MAP a USING 'id' AS b",
        "SELECT * FROM text.`/etc/passwd`",
        "SELECT * FROM csv.`file:///etc/passwd`",
        "SELECT 1; DROP TABLE t",
        "INSERT INTO t VALUES (1)",
        "INSERT OVERWRITE LOCAL DIRECTORY '/x' SELECT 1",
        "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a",
        "EXPLAIN DROP TABLE t",
        "CREATE TEMPORARY VIEW v AS SELECT 1",
        "ADD JAR /x.jar",
        "SET a=b",
        "USE flat",
        "CACHE TABLE t",
        "LOAD DATA LOCAL INPATH '/x' INTO TABLE t",
        "EXECUTE IMMEDIATE 'DROP TABLE t'",
        "CALL x()",
        "!ls",
        "DFS -ls /",
        "KILL QUERY 'x'",
    ],
)
def test_sql_that_does_more_is_refused(sql: str) -> None:
    with pytest.raises((fence.Refused, ParseError)):
        fence.check(sql)


def test_a_refusal_names_the_statement_or_the_function() -> None:
    with pytest.raises(fence.Refused, match="only statements that read are allowed, not DROP"):
        fence.check("SELECT 1; DROP TABLE t")
    with pytest.raises(fence.Refused, match="the function java_method is not allowed"):
        fence.check("SELECT java_method('a', 'b')")


# Corrections


def test_the_name_of_a_table_is_where_either_engine_puts_it() -> None:
    assert corrections.names([("flat", "attempts", False), ("flat", "messages", False)]) == ["attempts", "messages"]
    assert corrections.names([("attempts",), ("messages",)]) == ["attempts", "messages"]


def test_an_error_ends_where_the_trace_or_the_plan_begins() -> None:
    assert corrections.message("no such table; line 3 pos 5;\n'Project [*]\n+- x") == "no such table; line 3 pos 5"
    assert corrections.message("FAILED: no such table\\n\\tat org.apache.Hive") == "FAILED: no such table"


# Assets


def test_every_view_of_readers_is_a_dataset_with_a_comment_on_each_column(written: assets.Assets) -> None:
    datasets = of_kind(written, "datasets")
    views = {file.name for file in files() if file.stage[:1] in "23"}
    assert views <= set(datasets) and {"flat.attempts", "marts.exams"} <= views
    for name in views:
        assert datasets[name]["columns"] and datasets[name]["description"].endswith(".")
        assert not [column for column in datasets[name]["columns"] if not (column["description"] and column["type"])]
    times = {column["column_name"]: column["is_dttm"] for column in datasets["flat.attempts"]["columns"]}
    assert times["started_at"] and times["started_date"] and not times["score"]


def test_every_question_is_a_saved_query_with_its_header(written: assets.Assets) -> None:
    saved = of_kind(written, "queries")
    assert set(saved) == {file.name for file in questions()}
    for file in questions():
        assert saved[file.name]["sql"] == file.text.strip().removesuffix(";")
        assert saved[file.name]["label"].lower() == file.title.lower()


def test_every_chart_draws_columns_of_its_dataset(written: assets.Assets) -> None:
    by_uuid = {dataset["uuid"]: dataset for dataset in of_kind(written, "datasets").values()}
    drawn = {file.name for file in questions() if file.header["Chart"] != "none"}
    assert drawn <= set(of_kind(written, "charts"))
    for name, chart in of_kind(written, "charts").items():
        columns = {column["column_name"] for column in by_uuid[chart["dataset_uuid"]]["columns"]}
        params = chart["params"]
        metrics = [*params.get("metrics", []), *([params["metric"]] if "metric" in params else [])]
        measured = {re.fullmatch(r"MAX\((\w+)\)", metric["sqlExpression"]) for metric in metrics}
        assert metrics and {match[1] for match in measured if match} <= columns, name
        assert params.get("x_axis", next(iter(columns))) in columns, name


def test_the_dashboard_has_the_charts_of_the_headers_in_full_rows(written: assets.Assets) -> None:
    [dashboard] = of_kind(written, "dashboards").values()
    cells = dashboard["position"]
    rows = [cells[name] for name in cells["GRID_ID"]["children"]]
    widths = [sum(cells[child]["meta"]["width"] for child in row["children"]) for row in rows]
    assert set(widths) == {COLUMNS}, "a gap at the end of a row"
    uuids = {cell["meta"]["uuid"] for cell in cells.values() if isinstance(cell, dict) and cell["type"] == "CHART"}
    assert uuids <= {chart["uuid"] for chart in of_kind(written, "charts").values()}
    wished = [file for file in questions() if "Dashboard" in file.header]
    assert len(uuids) == sum(len(file.header["Dashboard"].split(",")) for file in wished) > 10


def test_a_header_that_names_no_column_is_refused() -> None:
    text = "-- reports.x: what?\n-- Chart: none\n-- Dashboard: n, m\n\nSELECT 1 AS n"
    with pytest.raises(UsageError, match="draws the column m, which its result does not have; it has n"):
        tiles(SqlFile(PROJECT / "sql/4_reports/x.sql", text), ["n"])


def test_the_database_takes_no_writes_and_limits_the_time_of_a_statement(written: assets.Assets) -> None:
    [database] = of_kind(written, "databases").values()
    assert not [name for name, value in database.items() if name.startswith("allow_") and value]
    config = (FOLDER / "superset_config.py").read_text(encoding="utf-8")
    assert f"\nSECONDS = {assets.SECONDS} " in config
    for engine, name in (("spark", "spark.sql.thriftServer.queryTimeout"), ("hive", "hive.query.timeout.seconds")):
        extra = assets.database(Settings(**SERVERS, engine=engine))["extra"]
        pins = extra["engine_params"]["connect_args"]["configuration"]
        assert pins[f"set:hiveconf:{name}"] == "300s" and len(pins) > 4


def test_the_file_is_the_same_each_time_and_holds_no_password(tmp_path: Path) -> None:
    given = Settings(**SERVERS, hive_auth="LDAP", hive_password="s3cret")  # noqa: S106
    assets.write(given, tmp_path / "a.zip")
    assets.write(given, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        texts = {name: file.read(name).decode() for name in file.namelist()}
    database = json.loads(texts["warehouse/databases/warehouse.yaml"])
    assert "s3cret" not in str(texts) and f":{assets.MASK}@" in database["sqlalchemy_uri"]


@pytest.mark.parametrize("login", [{"hive_tls": True}, {"hive_auth": "KERBEROS"}])
def test_a_login_that_the_driver_lacks_is_refused(login: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="neither TLS nor Kerberos"):
        assets.database(Settings(**SERVERS, **login))


def test_each_customer_has_a_connection_of_its_own_to_the_door_with_its_views_as_datasets() -> None:
    door = Settings(**SERVERS, customers_door="127.0.0.1:10002")
    more = connections.assets(door, [Customer("acme", "c_a"), Customer("bolt", "c_b")])
    databases, datasets = of_kind(more, "databases"), of_kind(more, "datasets")
    assert {each["database_name"]: each["sqlalchemy_uri"] for each in databases.values()} == {
        f"{name} ({database})": f"hive://superset_{database}:{assets.MASK}@127.0.0.1:10002/{database}?auth=LDAP"
        for name, database in (("acme", "c_a"), ("bolt", "c_b"))
    }
    by_uuid = {each["uuid"]: each["database_name"].split()[0] for each in databases.values()}
    triples = {(by_uuid[each["database_uuid"]], each["schema"], each["table_name"]) for each in datasets.values()}
    views = ["attempts", "attempt_questions", "question_options", "exams", "questions", "daily_activity"]
    assert triples == {(name, f"c_{name[0]}", view) for name in ("acme", "bolt") for view in views}
    columns = {column["column_name"] for each in datasets.values() for column in each["columns"]}
    assert "attempt_id" in columns and not columns & {"release", "customer"}


def test_the_catalog_describes_what_the_datasets_need() -> None:
    """Without a server."""
    assert not [table.file.name for table in catalog(Settings(**SERVERS), ask=False).tables if not table.columns]


# Installation


def test_the_lock_pins_each_package_by_hash_and_holds_what_was_wished_for() -> None:
    lock = server.LOCK.read_text(encoding="utf-8")
    packages = re.findall(r"^([\w.-]+)==\S+(?: ; [^\\]+)? \\\n    --hash=sha256:[0-9a-f]{64}", lock, re.MULTILINE)
    assert len(packages) == len(re.findall(r"==", re.sub(r" ; .*", "", lock))) > 100
    wished = re.findall(
        r"^([\w-]+)(?:==(\S+))?", (FOLDER / "requirements.in").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {name for name, _ in wished} <= set(packages)
    assert all(f"\n{name}=={version} " in lock for name, version in wished if version)
    assert server.version() == dict(wished)["apache-superset"]


def test_the_secrets_are_generated_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    given = Settings(home=tmp_path)
    server.folder(given).mkdir(parents=True)
    server._write_secrets(given)
    paths = [server.password_file(given), server.folder(given) / "secret.key"]
    texts = [path.read_text() for path in paths]
    server._write_secrets(given)
    assert [path.read_text() for path in paths] == texts and min(map(len, texts)) >= 40 and len(set(texts)) == 2
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    assert [text for is_good, text, _ in server.checks(given) if not is_good] == [
        f"the packages of Superset {server.version()} are as locked"
    ]
    paths[0].chmod(0o644)
    assert (False, f"{paths[0]} can be read by other users", f"chmod 600 {paths[0]}") in list(server.checks(given))


def test_a_home_without_superset_has_nothing_to_check(tmp_path: Path) -> None:
    assert not list(server.checks(Settings(home=tmp_path)))


def test_an_installation_that_fails_names_the_error_and_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("apache-superset==6.1.0 \\\n    --hash=sha256:0\n")
    monkeypatch.setattr(server, "LOCK", lock)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    given = Settings(home=tmp_path)
    with pytest.raises(WarehouseError, match=r"Superset could not be set up: .*ERROR.*superset-install\.log"):
        server.start(given, lambda _: None, {}, print)
    assert not server.is_installed(given)
