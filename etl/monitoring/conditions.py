"""Records which conditions fail, in a file of the home each, and notifies when one begins or ceases to fail.

A notification is one JSON document for the setting `notify`. It never fails a command, and delays it by SECONDS at
most. What could not be delivered is sent again by the next command that records the condition.
"""

from __future__ import annotations

import datetime
import json
import shlex
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from etl.pages.write import write
from etl.settings import Settings

SECONDS = 5.0  # for a notification, whatever its receiver does
CONDITIONS = ("landing", "build", "validation", "follower", "freshness")


def failing(settings: Settings) -> list[dict[str, Any]]:
    """The conditions that fail, in the order of CONDITIONS: {condition, message, since, ...}."""
    records = (_read(_file(settings, name)) for name in CONDITIONS)
    return [record for record in records if record and not record["is_good"]]


def record(settings: Settings, condition: str, fault: str | None, say: Callable[[str], None]) -> bool:
    """Record that a condition fails, or is good where `fault` is None, and notify; whether that is a change.

    Nothing here fails: what prevents it is said.
    """
    path = _file(settings, condition)
    before = _read(path)
    is_good = fault is None
    if is_good and before is None:
        return False
    is_new = before is None or before["is_good"] != is_good
    document = {
        "condition": condition,
        "is_good": is_good,
        "message": fault or "good again",
        "since": _now() if before is None or is_new else before["since"],
        "topic": settings.topic,
        "warehouse_root": settings.warehouse_root,
        "host": socket.gethostname(),
        "home": str(settings.home),
    }
    is_reported = bool(before and before["is_reported"])  # as failing: what the receiver holds true
    if settings.notify and is_reported == is_good:
        if cause := notify(settings, document):
            say(f"the notification about {condition} was not delivered: {cause}")
        else:
            is_reported = not is_good
    try:
        if is_good and not (is_reported and settings.notify):
            path.unlink(missing_ok=True)
        else:
            write(path, json.dumps({**document, "is_reported": is_reported}, indent=2))
    except OSError as error:
        say(f"{path} cannot be written: {error.strerror}")
    return is_new


def notify(settings: Settings, document: dict[str, Any]) -> str | None:
    """Send a document to the URL or the command of the settings; what prevented it, None where it was delivered."""
    target = settings.notify.get_secret_value() if settings.notify else ""
    send = _post if target.startswith(("http://", "https://")) else _run
    outcome: list[str | None] = [f"no answer within {SECONDS:.0f} s"]

    def run() -> None:
        outcome.append(send(target, json.dumps(document)))

    thread = threading.Thread(target=run, daemon=True)  # it may outlast its time, but not the command
    thread.start()
    thread.join(SECONDS + 0.5)
    return outcome[-1]


def _post(url: str, document: str) -> str | None:
    """POST to a URL, which may hold a secret and is not shown."""
    try:
        headers = {"content-type": "application/json"}
        with requests.post(
            url, document, headers=headers, timeout=SECONDS, allow_redirects=False, stream=True
        ) as answer:
            return None if 200 <= answer.status_code < 300 else f"its URL answers {answer.status_code}"
    except (requests.RequestException, ValueError) as error:
        return f"its URL cannot be reached ({type(error).__name__})"


def _run(command: str, document: str) -> str | None:
    """Run a command, without a shell, with the document as its standard input."""
    try:
        if not (words := shlex.split(command)):
            return "its command is blank"
        done = subprocess.run(
            words,
            input=document.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"its command was ended after {SECONDS:.0f} s"
    except (OSError, ValueError) as error:
        return f"its command does not run: {error}"
    return None if done.returncode == 0 else f"its command ended with exit code {done.returncode}"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _file(settings: Settings, condition: str) -> Path:
    return settings.home / "conditions" / f"{condition}.json"


def _read(path: Path) -> dict[str, Any] | None:
    """A record, None where there is none that can be read."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {**record, **{name: record[name] for name in ("is_good", "is_reported", "since", "message")}}
    except (OSError, ValueError, LookupError, TypeError):
        return None
