"""Lists the statements that run on the SQL engines, and ends them.

Spark's web address lists running jobs with their statements. HiveServer2 4.0.1 has no SHOW PROCESSLIST, and its web
page is off; the local stack's keeps a log of each statement in the home until the statement is closed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException
from typing import Any

from etl import local_stack
from etl.errors import ServerError, UsageError
from etl.servers.hive import GONE, reduced
from etl.settings import Settings

SECONDS = 30.0


@dataclass(frozen=True)
class Statement:
    """A running statement: `id` ends it, `since` is in UTC, `jobs` are Spark's numbers of what it runs just now."""

    engine: str
    id: str
    since: datetime
    text: str
    jobs: tuple[int, ...] = ()


def running(settings: Settings) -> list[Statement]:
    """What runs on the engines, the oldest first. Raises ServerError where Spark's web address does not answer."""
    return sorted([*_on_spark(settings), *_on_hive(settings)], key=lambda statement: statement.since)


def _on_spark(settings: Settings) -> list[Statement]:
    try:
        (application,) = _get(settings, "/api/v1/applications")[:1]
        return _statements(_get(settings, f"/api/v1/applications/{application['id']}/jobs?status=running"))
    except (ValueError, LookupError, TypeError) as error:
        address = settings.address("spark_web")
        raise ServerError(f"what answers at {address} is not Spark: {error}", "correct WAREHOUSE_SPARK_WEB") from error


def _statements(jobs: Any) -> list[Statement]:
    """The statements of running jobs, as Spark's web address lists these."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for job in jobs:
        groups.setdefault(job.get("jobGroup") or f"job-{job['jobId']}", []).append(job)
    return [
        Statement(
            "spark",
            name,
            min(datetime.strptime(job["submissionTime"], "%Y-%m-%dT%H:%M:%S.%fGMT") for job in jobs),
            str(jobs[0].get("description") or jobs[0]["name"]),
            tuple(job["jobId"] for job in jobs),
        )
        for name, jobs in groups.items()
    ]


def _on_hive(settings: Settings) -> list[Statement]:
    """What the local stack's HiveServer2 has begun and not completed, by its logs of operations."""
    if "hiveserver2" not in local_stack.read(settings.home).running:  # one that was killed leaves its logs
        return []
    statements = []
    for path in settings.home.glob("tmp/hive/operations/*/*_*"):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:  # closed in between
            continue
        began = re.match(r"[^_]+_(\d{14})_", path.name)
        statement = re.search(r"Compiling command\(queryId=[^)]*\): (.*)", text)
        if began and statement and not re.search(r"^(INFO|ERROR) +: (Completed executing|FAILED)", text, re.MULTILINE):
            since = datetime.strptime(began[1], "%Y%m%d%H%M%S")
            statements.append(Statement("hive", path.name, since, statement[1]))
    return statements


def end(settings: Settings, identity: str) -> Statement:
    """End a statement by its id, or by the beginning of it; it fails for the client that waits for it.

    HiveServer2 in Tez' local mode drops its rows at once, but first ends the DAG that runs. Raises UsageError where
    none or several of that id run.
    """
    matches = [statement for statement in running(settings) if statement.id.startswith(identity)]
    if len(matches) != 1 or not identity:
        raise UsageError(f"{len(matches)} running statements have the id {identity}", "see ./warehouse running")
    if matches[0].engine == "hive":
        _kill_query(settings, matches[0].id)
    for job in matches[0].jobs:
        _call(settings, f"/jobs/job/kill/?id={job}", b"")
    return matches[0]


def _kill_query(settings: Settings, identity: str) -> None:
    """Send KILL QUERY and do not wait: in Tez' local mode it answers when the DAG has ended."""
    from pyhive import hive
    from thrift.Thrift import TException

    from etl.servers.hive_session import Connection

    try:
        connection = Connection(settings.model_copy(update={"engine": "hive"}))
        hive.Cursor(connection).execute(f"KILL QUERY '{identity}'", async_=True)
    except (*GONE, TException, hive.Error) as error:
        raise ServerError(f"HiveServer2 did not end {identity}: {reduced(error)}", "see ./warehouse status") from error


def _get(settings: Settings, path: str) -> Any:
    return json.loads(_call(settings, path))


def _call(settings: Settings, path: str, body: bytes | None = None) -> bytes:
    address = settings.address("spark_web")
    request = urllib.request.Request(f"{address}{path}", body)  # noqa: S310 (the pattern of the setting is http)
    if token := settings.token():
        request.add_header("Authorization", f"Bearer {_signed(token)}")
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            return bytes(answer.read())
    except (OSError, ValueError, HTTPException) as error:
        raise ServerError(f"Spark does not answer at {address}: {error}", "see ./warehouse status") from error


def _signed(token: str) -> str:
    """A JSON Web Token signed by the token, which Spark's JWSFilter requires."""
    text = ".".join(map(_encoded, (b'{"alg":"HS256"}', b'{"sub":"warehouse"}')))
    try:
        key = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError as error:
        raise UsageError("the token of Spark's web address is not base64", "correct spark_token") from error
    return f"{text}.{_encoded(hmac.new(key, text.encode(), hashlib.sha256).digest())}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
