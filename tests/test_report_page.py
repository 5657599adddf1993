"""The report in a real browser, made from rows by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from browsing import Scheme, dead_links, faults, is_wider_than_screen, opened
from playwright.sync_api import Browser, Page
from question_rows import rows_of

from etl.catalog.catalog_pages import write_start
from etl.report.report import questions, report
from etl.settings import load

DRAWN = sum(not file.header["Chart"].startswith("none") for file in questions())


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of all questions, made without a server."""
    answers = {file.statements()[0]: rows_of(file) for file in questions()}
    settings = load(home=tmp_path_factory.mktemp("home"))
    write_start(settings)
    return report(settings, [answers.__getitem__]).html


def assert_is_good(page: Page) -> None:
    """Nothing to scroll sideways, no dead link, every chart seen at one of its sizes."""
    assert not is_wider_than_screen(page)
    assert not dead_links(page)
    assert page.locator("svg.chart:visible").count() == DRAWN


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_report_is_readable_at_a_desk_and_on_a_phone(
    page_file: Path, browser: Browser, width: int, scheme: Scheme
) -> None:
    with opened(browser, page_file, width, scheme) as page:
        assert_is_good(page)
        for name in ("All SQL", "All tables"):
            button = page.get_by_role("button", name=name)
            assert button.get_attribute("aria-pressed") == "false"
            button.click()
        assert page.locator("details:not([open])").count() == 0
        assert not is_wider_than_screen(page) and not faults(page)


def test_a_chart_tells_its_values_to_the_pointer_and_to_the_keys(page_file: Path, browser: Browser) -> None:
    with opened(browser, page_file) as page:
        chart, tip = page.locator("#activity_by_weekday svg.chart:visible"), page.locator(".tip.open")
        assert tip.count() == 0
        mark = chart.locator(".role-mark path, .mark-rect path").nth(1)
        mark.scroll_into_view_if_needed()
        mark.hover(force=True)
        pointed = tip.inner_text()
        assert "attempts: " in pointed
        page.mouse.move(0, 0)
        assert tip.count() == 0
        chart.focus()
        page.keyboard.press("End")
        last = tip.inner_text()
        page.keyboard.press("ArrowLeft")
        assert "attempts: " in last and "attempts: " in tip.inner_text() != last
        at = tip.bounding_box()
        assert at and at["x"] >= 0 and at["x"] + at["width"] <= 1280
        page.keyboard.press("Escape")
        assert tip.count() == 0


def test_paper_shows_what_is_open_and_is_light(page_file: Path, browser: Browser) -> None:
    with opened(browser, page_file, 700, "dark") as page:
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(28, 34, 41)"
        assert not page.locator("section pre:visible").count() and page.locator("nav li:visible").count()
        assert not page.locator("button:visible").count() and not is_wider_than_screen(page)
        paper = page.pdf(format="A4")
        assert paper.startswith(b"%PDF") and paper.count(b"/Type /Page\n") > 5
        page.locator("details.sql").evaluate_all("all => all.forEach(one => { one.open = true })")
        assert len(page.pdf(format="A4")) > len(paper)


def test_without_scripts_the_report_lacks_nothing_but_comfort(page_file: Path, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(page_file.as_uri())
        assert page.locator("svg.chart title").count() and page.locator("table").count()
        assert not page.locator("button:visible").count()
    finally:
        context.close()
