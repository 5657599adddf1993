"""The pictures of docs/pictures/: the first screen of a page, at a desk and on a phone, written with --write-docs."""

from __future__ import annotations

from pathlib import Path

from browsing import WIDTHS, opened
from playwright.sync_api import Browser

from etl.settings import PROJECT

FOLDER = PROJECT / "docs" / "pictures"
HEIGHT = 660
MOST_BYTES = 150_000


def take(browser: Browser, address: str | Path, name: str) -> None:
    """Write <name>-1280.png and <name>-390.png, as light as a page of the docs should be."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for width in WIDTHS:
        with opened(browser, address, width) as page:
            path = FOLDER / f"{name}-{width}.png"
            page.screenshot(path=path, clip={"x": 0, "y": 0, "width": width, "height": HEIGHT})
            assert path.stat().st_size < MOST_BYTES, path
