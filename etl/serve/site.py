"""The pages below the reports folder as an application: which files it serves, to which hosts, with which headers."""

from __future__ import annotations

import base64
import hashlib
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from etl import pages
from etl.monitoring.facts import facts
from etl.monitoring.metrics import metrics
from etl.settings import Settings

# Another name that is pointed at this address (DNS rebinding) is no host of ours.
HOSTS = ("127.0.0.1", "localhost")
METRICS_SECONDS = 5.0  # how old the facts behind /metrics may be: each reading takes Kafka and HDFS a dozen calls


class Pages(StaticFiles):
    """The files of one folder, which other commands write; it may appear later."""

    async def check_config(self) -> None:
        """Accept a folder that does not exist yet."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file at a path; one whose name begins with a dot is still being written."""
        if any(part.startswith(".") for part in Path(path).parts):
            raise HTTPException(404)
        try:
            return await super().get_response(path, scope)
        except OSError as error:  # such as symbolic links in a circle
            raise HTTPException(404) from error


def application(folder: Path, load: Callable[[], Settings]) -> Starlette:
    """The application that serves a folder, and /metrics of the servers that the settings name at that moment.

    A symbolic link that leads out of the folder is not followed.
    """
    read = _cached(lambda: metrics(facts(load())))
    return Starlette(
        routes=[
            Route("/metrics", lambda _: PlainTextResponse(read(), media_type=CONTENT_TYPE_LATEST)),
            Mount("/", Pages(directory=folder, html=True, check_dir=False)),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)],
        exception_handlers={HTTPException: _error},
    )


def _cached(read: Callable[[], bytes]) -> Callable[[], bytes]:
    """The result of `read`, which runs at most once at a time and once in METRICS_SECONDS, however many call."""
    lock, last = threading.Lock(), (-math.inf, b"")

    def call() -> bytes:
        nonlocal last
        with lock:
            if time.monotonic() > last[0] + METRICS_SECONDS:
                last = time.monotonic(), read()
            return last[1]

    return call


async def _error(request: Request, error: Exception) -> Response:
    code, sent = (error.status_code, error.headers or {}) if isinstance(error, HTTPException) else (500, {})
    if code != 404:  # closed: a body that was sent along is not read to its end
        text = f"{code}: this server answers GET and HEAD for pages\n"
        return PlainTextResponse(text, code, {**sent, "connection": "close"})
    if request.url.path in ("/", "/index.html"):
        return PlainTextResponse("there is no start page yet; ./warehouse docs writes it\n", code)
    return PlainTextResponse("there is no such page; the start page at / lists them\n", code)


def headers() -> list[tuple[str, str]]:
    """What every answer carries. Pages run the scripts of etl/pages, by their hashes, and no other script."""
    scripts = sorted(Path(pages.__file__).parent.glob("*.js"))
    digests = [base64.b64encode(hashlib.sha256(script.read_bytes()).digest()).decode() for script in scripts]
    policy = {
        "default-src": "'none'",
        "script-src": " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return [
        ("content-security-policy", "; ".join(f"{name} {value}" for name, value in policy.items())),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cache-control", "no-cache"),
    ]
