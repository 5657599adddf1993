"""The pictures of docs/pictures/: the first screen of a page, at a desk and on a phone, written with --write-docs."""

from __future__ import annotations

from pathlib import Path

from browsing import WIDTHS, opened
from playwright.sync_api import Browser, Page

from etl.settings import PROJECT

FOLDER = PROJECT / "docs" / "pictures"
HEIGHT = 660
MOST_BYTES = 150_000


def take(browser: Browser, address: str | Path, name: str) -> None:
    """Write <name>-1280.png and <name>-390.png."""
    for width in WIDTHS:
        with opened(browser, address, width) as page:
            keep(page, f"{name}-{width}")


def keep(page: Page, name: str) -> None:
    """Write <name>.png of an opened page, as light as a page of the docs should be."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.png"
    width = page.evaluate("document.documentElement.clientWidth")
    page.screenshot(path=path, clip={"x": 0, "y": 0, "width": width, "height": HEIGHT})
    assert path.stat().st_size < MOST_BYTES, path
