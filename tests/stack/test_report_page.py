"""The report of the sample, in a browser."""

from __future__ import annotations

import json
import socket

import pytest
from browsing import dead_links, is_wider_than_screen, opened
from commands import Run
from pictures import take
from playwright.sync_api import Browser, Page

from etl.report.report import questions
from etl.settings import PROJECT, Settings

DRAWN = sum(not file.header["Chart"].startswith("none") for file in questions())


def assert_is_good(page: Page) -> None:
    """Nothing to scroll sideways, no dead link, every chart seen at one of its sizes."""
    assert not is_wider_than_screen(page)
    assert not dead_links(page)
    assert page.locator("svg.chart:visible").count() == DRAWN


@pytest.mark.usefixtures("built")
def test_the_report_of_the_sample_is_one_page_and_one_notebook(
    run: Run, settings: Settings, browser: Browser, request: pytest.FixtureRequest
) -> None:
    assert "report.ipynb" in run("report").stderr
    with opened(browser, settings.reports / "report.html") as page:
        assert_is_good(page)
        assert page.locator(".equation .state").all_inner_texts() == ["holds", "holds"]
    if request.config.getoption("--write-docs"):
        take(browser, settings.reports / "report.html", "report")
    text = (settings.reports / "report.ipynb").read_text()
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert len(cells) == len(questions()) + 2
    assert {output["output_type"] for cell in cells for output in cell["outputs"]} == {"display_data"}
    assert not [word for word in (str(PROJECT), str(settings.home), socket.gethostname() + ":") if word in text]
