"""A real Chromium, headless: its errors, its requests to other machines, and the findings of axe."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

Scheme = Literal["light", "dark"]
WIDTHS = (1280, 390)  # a desk and a phone
SERIOUS = ("serious", "critical")


def path_of_chromium() -> str | None:
    """The machine's own: Playwright would download one of its own, which CI may not."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextlib.contextmanager
def browsing() -> Iterator[Browser]:
    """A running browser; the test is skipped where the machine has none."""
    path = path_of_chromium()
    if path is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def opened(browser: Browser, address: str | Path, width: int = 1280, scheme: Scheme = "light") -> Iterator[Page]:
    """An open page; fails at the end if it logged an error or sent a request to another machine."""
    problems: list[str] = []

    def logged(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            problems.append(f"console: {message.text}")

    def requested(request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme in ("http", "https", "ws", "wss") and url.hostname != "127.0.0.1":
            problems.append(f"asked for {request.url}")

    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    try:
        page = context.new_page()
        page.on("console", logged)
        page.on("pageerror", lambda error: problems.append(f"script: {error}"))
        page.on("requestfailed", lambda request: problems.append(f"failed: {request.url}: {request.failure}"))
        page.on("request", requested)
        page.goto(address.as_uri() if isinstance(address, Path) else address)
        yield page
        assert not problems, problems
    finally:
        context.close()


def faults(page: Page) -> list[str]:
    """What axe finds serious or critical on the page, a line each."""
    violations: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:200]} {node.get('failureSummary', '')}"
        for violation in violations
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]


def is_wider_than_screen(page: Page) -> bool:
    """Whether a reader must scroll the page as a whole sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def dead_links(page: Page) -> list[str]:
    """Links and sources of the page that lead to no file or no place in this page; others' pages are not asked."""
    missing = []
    for link in page.eval_on_selector_all("a[href]", "all => all.map(one => one.href)"):
        target = urlsplit(link)
        if target.scheme != "file":
            continue
        is_here = link.partition("#")[0] == page.url.partition("#")[0]
        has_place = not (is_here and target.fragment) or page.evaluate(
            "id => document.getElementById(id) !== null", target.fragment
        )
        if not Path(target.path).exists() or not has_place:
            missing.append(link)
    return missing


def firsts(pages: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Each page, and whether it is the first of its template: axe takes longest, the others have the same faults."""
    seen = set()
    for path in pages:
        match = re.search(r"\.rows|\.suite|index|validation", path.name)
        kind = (path.parent.name == "data_docs", match[0] if match else "of a table")
        yield path, kind not in seen
        seen.add(kind)
