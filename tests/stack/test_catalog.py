"""The catalog of the sample's tables, in a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browsing import opened
from commands import Run
from pictures import take
from playwright.sync_api import Browser


def test_docs_describes_what_was_built(
    remote: Run, built: str, browser: Browser, request: pytest.FixtureRequest
) -> None:
    assert built
    output = remote("docs").stderr
    start = Path(output.strip().rpartition(": ")[2])
    assert "incomplete" not in output
    with opened(browser, start.parent / "catalog" / "flat.messages_v1.html") as page:
        figures = page.locator("#the-table").inner_text()
        assert re.search(r"rows\s+[\d,]+", figures) and "not checked" not in figures
        assert re.search(r"on HDFS, in \d files\s+[\d.]+ KB", figures)
        assert "published, built on spark" in figures
        assert page.locator("tr#certification td.number").inner_text() == "4.0%"
    if request.config.getoption("--write-docs"):
        pages = {"start": "index.html", "catalog": "catalog/index.html", "table": "catalog/flat.messages_v1.html"}
        for name, path in pages.items():
            take(browser, start.parent / path, name)
