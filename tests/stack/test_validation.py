"""The pages of a validation, in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from browsing import dead_links, faults, opened
from commands import Run
from pictures import take
from playwright.sync_api import Browser

from etl.settings import Settings
from etl.validate import data_docs


def firsts(pages: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Each page, and whether it is the first of its template: axe takes longest, the others have the same faults."""
    seen = set()
    for path in pages:
        kind = (path.parent.name == "data_docs", path.name.partition("v1")[2] or path.name)
        if found := re.search(r"\.rows|\.suite|index|validation", path.name):
            kind = (kind[0], found[0])
        yield path, kind not in seen
        seen.add(kind)


@pytest.mark.usefixtures("nasty")
def test_the_pages_of_the_stack_open_without_a_fault(
    settings: Settings, run: Run, browser: Browser, request: pytest.FixtureRequest
) -> None:
    """Of a build with nasty messages, so that some rows are not as expected."""
    run("validate")
    newest = max(path for path in data_docs.folder(settings).iterdir() if path.is_dir())
    pages = [settings.reports / "validation.html", *sorted(newest.glob("*.html"))]
    assert len(pages) > 20
    assert any(".rows" in path.name for path in pages)
    for path, is_first in firsts(pages):
        with opened(browser, path) as page:
            assert dead_links(page) == []
            assert not is_first or faults(page) == [], path
    if request.config.getoption("--write-docs"):
        take(browser, settings.reports / "validation.html", "validation")
