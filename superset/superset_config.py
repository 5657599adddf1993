"""Settings of Apache Superset beside the warehouse; its server and provision.py read them from this file.

SUPERSET_FOLDER names the folder of the secret key and of the metadata database, which Superset itself writes.
"""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path
from typing import Any

import corrections
import fence
from sqlglot.errors import SqlglotError

FOLDER = Path(os.environ["SUPERSET_FOLDER"])
SECONDS = 300  # etl/superset/assets.py sets the same limit in each session, where the server cancels the statement
ROWS = 10_000

SECRET_KEY = (FOLDER / "secret.key").read_text(encoding="utf-8")
GUEST_TOKEN_JWT_SECRET = hashlib.sha256(f"guest {SECRET_KEY}".encode()).hexdigest()
GLOBAL_ASYNC_QUERIES_JWT_SECRET = hashlib.sha256(f"async {SECRET_KEY}".encode()).hexdigest()
SQLALCHEMY_DATABASE_URI = f"sqlite:///{FOLDER}/superset.db"
SESSION_COOKIE_NAME = "warehouse_superset"  # browsers send a cookie to every port of 127.0.0.1
APP_NAME = "Warehouse"

# Superset's own policy names map servers and a tracking pixel. With this one a browser loads nothing from elsewhere.
TALISMAN_CONFIG = {
    "content_security_policy": {
        "default-src": ["'self'"],
        "base-uri": ["'self'"],
        "object-src": "'none'",
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "script-src": ["'self'", "'strict-dynamic'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": False,
}

SQL_MAX_ROW = ROW_LIMIT = NATIVE_FILTER_DEFAULT_ROW_LIMIT = FILTER_SELECT_ROW_LIMIT = ROWS
SQLLAB_TIMEOUT = SUPERSET_WEBSERVER_TIMEOUT = SECONDS + 10  # the SQL server is the first to give up
DB_POLL_INTERVAL_SECONDS = {"hive": 0.2}  # its own 5 s are how long each statement would take at least

logging.getLogger("pyhive").setLevel(logging.WARNING)  # it would log every statement
logging.getLogger("sqlglot").setLevel(logging.ERROR)  # and this that SHOW is no query


def SQL_QUERY_MUTATOR(sql: str, database: Any = None, **_: Any) -> str:
    """Return the SQL of an editor or a chart unchanged, or raise an error where it does more than read tables."""
    from superset.exceptions import SupersetGenericErrorException

    if database is None or database.backend == "hive":
        try:
            fence.check(sql)
        except (fence.Refused, SqlglotError) as error:
            raise SupersetGenericErrorException(str(error), status=400) from error
    return sql


def FLASK_APP_MUTATOR(_: Any) -> None:
    """Apply the corrections, once Superset can be imported."""
    corrections.apply()
