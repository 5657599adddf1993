"""What stands before every request to `serve`: it comes from our own pages, and pages get no further rights.

A browser sends requests for any site that a person has open. So the Host must be ours (no other name may be turned
to this address), what comes from another site or another port is refused, and what does something needs JSON and
the token of this process, which only our own page can read.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN = "x-warehouse-token"  # noqa: S105 (the header's name)
MOST_BYTES = 300_000
ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
ASK = f"{NOTHING}; script-src 'self'; style-src 'self'; connect-src 'self'; img-src blob: data:"
# Pages that were made of data: their own scripts and styles work, but as on a site of their own, which can ask us
# nothing, and nobody else.
MADE = (
    f"{NOTHING}; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox allow-modals"
)


class Guard:
    """Refuses what does not come from our own pages; adds the headers that keep pages in their place."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], token: str) -> None:
        self.app = app
        self.hosts = hosts
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in {**ALWAYS, "content-security-policy": NOTHING}.items():
                    headers.setdefault(name, value)
            await send(message)

        if reason := refusal(Request(scope).method, scope["path"], Headers(scope=scope), self.hosts, self.token):
            await JSONResponse({"error": reason}, 403)(scope, receive, guarded)
            return
        await self.app(scope, receive, guarded)


def refusal(method: str, path: str, headers: Mapping[str, str], hosts: frozenset[str], token: str) -> str:
    """Why a request is refused, "" where it is not."""
    host = headers.get("host", "")
    if host not in hosts:
        return f"this server is not {host[:100] or 'without a name'}; open http://{min(hosts)}/"
    if method not in ("GET", "HEAD", "POST"):
        return f"{method[:20]} is not answered here"
    if headers.get("origin", f"http://{host}") != f"http://{host}":
        return "another site's page sent this; open the page of this server"
    site = headers.get("sec-fetch-site", "same-origin")
    if path.startswith("/api/") and site not in ("same-origin", "none"):
        return "another site's page sent this; open the page of this server"
    if method != "POST":
        return ""
    if site != "same-origin" or not secrets.compare_digest(headers.get(TOKEN, "").encode(), token.encode()):
        return "this page is from another run of the server; load it again"
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return "a question comes as application/json"
    if not headers.get("content-length", "").isdecimal() or int(headers["content-length"]) > MOST_BYTES:
        return f"a question comes with its length, up to {MOST_BYTES:,} bytes"
    return ""
