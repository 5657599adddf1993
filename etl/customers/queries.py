"""Copies the log of the customers' door into ops.queries: who queried what, when, and how it ended."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

from etl.servers.hdfs import Hdfs
from etl.servers.logins import AUDIT
from etl.settings import Settings
from etl.store import lock

TABLE = ("ops", "queries_v1")
COPY = re.compile(r"([0-9a-f]{12})e*-[0-9]{15}-([0-9]{15})\.json")  # the log and its bytes; an e for each erasure
UNREADABLE = "unreadable"  # a line that a full disk cut


def collect(settings: Settings) -> list[dict[str, Any]]:
    """Put the lines that were logged since the last call into a file of ops.queries; returns them.

    The file is named after its log and the bytes that it has of it, so that no line is copied twice; an erasure puts
    another in its place, whose name only begins so.
    """
    path = settings.home / "logs" / AUDIT
    if not path.exists():
        return []
    hdfs = Hdfs(settings)
    with lock.exclusive(settings, "queries", lock.STEP_SECONDS), path.open("rb") as log:
        name = hashlib.sha256(log.readline()).hexdigest()[:12]
        copies = map(COPY.fullmatch, hdfs.names(*TABLE))
        begin = max((int(copy[2]) for copy in copies if copy and copy[1] == name), default=0)
        log.seek(begin)
        content = log.read()
        content = content[: content.rfind(b"\n") + 1]  # the last line may be half written
        rows = [_row(line) for line in content.split(b"\n") if line]
        if rows:
            hdfs.put_rows(rows, *TABLE, f"{name}-{begin:015}-{begin + len(content):015}.json")
    return rows


def _row(line: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = line.decode("utf-8", "replace")
        return {"started_at": None, "user_name": None, "statement_text": text, "outcome": UNREADABLE}
