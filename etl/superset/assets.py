"""The assets of Superset, written as the ZIP file that Superset imports. Pure: no server is called.

Every asset has a uuid that is derived from its name: an import replaces what earlier ones made, and nothing else.
"""

from __future__ import annotations

import json
import math
import uuid
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from etl.catalog.catalog import Table, catalog
from etl.errors import UsageError
from etl.pages.words import heading
from etl.report.question import position, short, title
from etl.servers.clients import clients
from etl.servers.hive_session import SESSION
from etl.settings import Settings
from etl.sqlfile import SqlFile
from etl.superset.charts import COLUMNS, Tile, tiles

NAMESPACE = uuid.UUID("6f0c6a52-3b0f-5b0e-9d0c-5f2f6d1e9a41")
DATABASE = "warehouse"
MASK = "X" * 10  # what Superset writes in place of a password
SECONDS = 300
LIMIT = {"spark": "spark.sql.thriftServer.queryTimeout", "hive": "hive.query.timeout.seconds"}
TIMES = ("date", "timestamp")

Assets = dict[str, dict[str, Any]]  # by the file's path in the ZIP file


def write(settings: Settings, path: Path, more: Assets | None = None) -> Assets:
    """Write the ZIP file, with more assets; returns what is in it.

    Raises UsageError for a login that Superset's driver lacks.
    """
    written = assets(settings) | (more or {})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, asset in written.items():
            text = json.dumps(asset, indent=2, ensure_ascii=False)  # JSON is YAML
            file.writestr(zipfile.ZipInfo(f"{DATABASE}/{name}"), text)
    return written


def assets(settings: Settings) -> Assets:
    """All assets for the SQL server of the settings, from the SQL files."""
    tables = catalog(settings, ask=False).tables
    questions = sorted((table for table in tables if table.is_question), key=lambda table: position(table.file))
    written: Assets = {
        "metadata.yaml": {"version": "1.0.0", "type": "assets", "timestamp": "2018-01-28T00:00:00+00:00"}
    }
    written |= to_file("databases", DATABASE, database(settings))
    drawn = []
    for table in tables:
        if table.file.stage[:1] in "23":
            written |= to_file("datasets", table.file.name, dataset(table))
    for table in questions:
        written |= to_file("queries", table.file.name, saved_query(table.file))
        if charts := tiles(table.file, [column.path for column in table.columns]):
            written |= to_file("datasets", table.file.name, question_dataset(table))
            for tile in charts:
                written |= to_file("charts", tile.key, chart(tile, table.file))
            drawn += charts
    return written | to_file(
        "dashboards", DATABASE, dashboard(heading(settings.topic, "dashboard"), [tile for tile in drawn if tile.width])
    )


def identity(kind: str, name: str) -> str:
    """The uuid of an asset."""
    return str(uuid.uuid5(NAMESPACE, f"{kind}/{name}"))


def to_file(kind: str, name: str, asset: Mapping[str, Any]) -> Assets:
    """An asset with its uuid, by the path of its file."""
    return {f"{kind}/{name}.yaml": {"version": "1.0.0", "uuid": identity(kind, name), **asset}}


def database(settings: Settings) -> dict[str, Any]:
    """The SQL server: nothing writes, and each session has a time limit and the pins of our own sessions."""
    address = clients(settings).get("Superset")
    if address is None or settings.hive_auth == "KERBEROS":
        raise UsageError("Superset's driver has neither TLS nor Kerberos", "name a server without them")
    seconds = min(SECONDS, math.ceil(settings.hive_query_seconds))
    session = {**SESSION[settings.engine], LIMIT[settings.engine]: f"{seconds}s"}
    address = address.replace(":PASSWORD@", f":{MASK}@")
    return connection(DATABASE, address, {f"set:hiveconf:{name}": value for name, value in session.items()})


def connection(name: str, address: str, configuration: Mapping[str, str]) -> dict[str, Any]:
    """A database that nothing writes to, and the configuration of its sessions."""
    return {
        "database_name": name,
        "sqlalchemy_uri": address,
        **({"password": MASK} if f":{MASK}@" in address else {}),
        "expose_in_sqllab": True,
        **dict.fromkeys(("allow_run_async", "allow_ctas", "allow_cvas", "allow_dml", "allow_csv_upload"), False),
        "extra": {
            "allows_virtual_table_explore": True,
            "engine_params": {"connect_args": {"configuration": configuration}},
            "metadata_params": {},
            "schemas_allowed_for_file_upload": [],
        },
        "is_managed_externally": True,
    }


def _dataset(
    name: str, schema: str, description: str, columns: Sequence[Mapping[str, Any]], database: str = DATABASE
) -> dict[str, Any]:
    return {
        "table_name": name,
        "schema": schema,
        "description": description,
        "database_uuid": identity("databases", database),
        "columns": [{"groupby": True, "filterable": True, "is_active": True, **column} for column in columns],
        "metrics": [{"metric_name": "count", "verbose_name": "COUNT(*)", "expression": "COUNT(*)"}],
        "is_managed_externally": True,
    }


def dataset(table: Table, name: str = "", database: str = DATABASE) -> dict[str, Any]:
    """The view of a table, or another view of it, with the comments of its columns."""
    columns = [
        {
            "column_name": column.path,
            "type": column.kind.upper(),
            "description": column.comment,
            "is_dttm": column.kind.lower() in TIMES,
        }
        for column in table.columns
        if not column.is_field and not (name and column.is_partition)
    ]
    schema, _, view = (name or table.file.name).partition(".")
    text = f"{table.file.title[:1].upper()}{table.file.title[1:]} Grain: {table.file.header['Grain']}."
    return _dataset(view, schema, text, columns, database)


def question_dataset(table: Table) -> dict[str, Any]:
    """The rows of a question; of its columns the axis of a line is a time."""
    file = table.file
    time = file.header["Chart"].partition("line x=")[2].split(" ")[0]
    columns = [
        {
            "column_name": column.path,
            "is_dttm": column.path == time,
            **({"type": "DATE"} if column.path == time else {}),
        }
        for column in table.columns
    ]
    named = _dataset(file.name, "flat", f"{title(file)} {file.header['Assumes']}", columns)
    return {**named, "sql": _statement(file), "main_dttm_col": time or None}


def saved_query(file: SqlFile) -> dict[str, Any]:
    """A question for SQL Lab, with its header."""
    return {
        "label": title(file),
        "description": f"{short(file)}: {file.header['Assumes']}",
        "schema": "flat",
        "sql": file.text.strip().rstrip(";"),
        "database_uuid": identity("databases", DATABASE),
    }


def _statement(file: SqlFile) -> str:
    """The statement of a question, without header and semicolon."""
    return "\n".join(_body(file.text)).strip().rstrip(";")


def _body(text: str) -> Iterator[str]:
    is_header = True
    for line in text.splitlines():
        is_header = is_header and line.startswith("--")
        if not is_header:
            yield line


def chart(tile: Tile, file: SqlFile) -> dict[str, Any]:
    """A chart over the rows of its question."""
    return {
        "slice_name": tile.name,
        "description": file.header["Assumes"],
        "viz_type": tile.kind,
        "params": {"viz_type": tile.kind, "time_range": "No filter", "adhoc_filters": [], **tile.params},
        "dataset_uuid": identity("datasets", file.name),
        "is_managed_externally": True,
    }


def dashboard(name: str, drawn: Sequence[Tile]) -> dict[str, Any]:
    """The charts in rows of twelve columns, in the order of the report."""
    grid: dict[str, Any] = {"id": "GRID_ID", "type": "GRID", "children": [], "parents": ["ROOT_ID"]}
    cells: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"id": "ROOT_ID", "type": "ROOT", "children": ["GRID_ID"]},
        "GRID_ID": grid,
        "HEADER_ID": {"id": "HEADER_ID", "type": "HEADER", "meta": {"text": name}},
    }
    room = 0
    row: dict[str, Any] = {}
    for number, tile in enumerate(drawn, 1):
        if tile.width > room:
            room = COLUMNS
            row = {"id": f"ROW-{number}", "type": "ROW", "children": [], "parents": ["ROOT_ID", "GRID_ID"]}
            row["meta"] = {"background": "BACKGROUND_TRANSPARENT"}
            cells[row["id"]] = row
            grid["children"].append(row["id"])
        room -= tile.width
        key = identity("charts", tile.key)
        meta = {"chartId": number, "uuid": key, "sliceName": tile.name, "width": tile.width, "height": tile.height}
        cell: dict[str, Any] = {"id": f"CHART-{number}", "type": "CHART", "children": [], "meta": meta}
        cells[cell["id"]] = {**cell, "parents": [*row["parents"], row["id"]]}
        row["children"].append(cell["id"])
    return {
        "dashboard_title": name,
        "slug": DATABASE,
        "description": "The charts of the report.",
        "position": cells,
        "metadata": {"color_scheme": "supersetColors", "cross_filters_enabled": False},
        "published": True,
        "is_managed_externally": True,
    }
