"""Calls Superset's API as a person's browser does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from commands import Run

from etl.settings import Settings
from stack import superset as server


def address(printed: str) -> str:
    """The address in what `./warehouse superset` printed."""
    match = re.search(r"Superset is at (http://127\.0\.0\.1:\d+); log in as admin with the password in", printed)
    assert match, printed
    return match[1]


@dataclass(frozen=True)
class Superset:
    """A running Superset: its home, its address, `run`, which runs ./warehouse there, and who calls it."""

    home: Path
    address: str
    run: Run
    user: str = "admin"
    user_password: str = ""

    @property
    def password(self) -> str:
        """The administrator's."""
        return server.password_file(Settings(home=self.home)).read_text()

    def get(self, path: str) -> Any:
        """What the API answers."""
        return self._called("GET", path).json()

    def text(self, path: str) -> str:
        """What the API answers, whatever it is."""
        return self._called("GET", path).text

    def post(self, path: str, document: dict[str, Any]) -> Any:
        """What the API answers to a document."""
        return self._called("POST", path, document).json()

    def _called(self, method: str, path: str, document: dict[str, Any] | None = None) -> requests.Response:
        with requests.Session() as session:
            who = {"username": self.user, "password": self.user_password or self.password, "provider": "db"}
            login = session.post(f"{self.address}/api/v1/security/login", json=who, timeout=60).json()
            session.headers["Authorization"] = f"Bearer {login['access_token']}"
            session.headers.update({"Referer": self.address, "Accept": "application/json"})
            if method != "GET":
                token = session.get(f"{self.address}/api/v1/security/csrf_token/", timeout=60).json()
                session.headers["X-CSRFToken"] = token["result"]
            return session.request(method, f"{self.address}/api/v1/{path}", json=document, timeout=400)

    def rows(self, sql: str, limit: int = 1000) -> Any:
        """What SQL Lab shows for a query."""
        [database] = self.get("database/")["result"]
        return self.query(database["id"], "flat", sql, limit)

    def query(self, database: int, schema: str, sql: str, limit: int = 1000) -> Any:
        """What SQL Lab shows for a query of a connection."""
        document = {"database_id": database, "schema": schema, "sql": sql, "queryLimit": limit}
        return self.post("sqllab/execute/", document)

    def named(self, kind: str, label: str) -> dict[str, Any]:
        """The assets of a kind by name."""
        return {each[label]: each for each in self.get(f"{kind}/?q=(page_size:100)")["result"]}
