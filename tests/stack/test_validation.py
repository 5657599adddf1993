"""A validation on the real servers: few statements, tampered files, two at once; its pages in a browser."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from browsing import dead_links, faults, firsts, opened
from commands import Run
from pictures import take
from playwright.sync_api import Browser
from reliability import Case

from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive, Result
from etl.settings import Settings
from etl.validate import data_docs
from etl.validate.failing_rows import MOST
from etl.validate.suites import load
from etl.validate.validate import published, validate


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
        if is_first or request.config.getoption("--long"):
            with opened(browser, path) as page:
                assert dead_links(page) == []
                assert not is_first or faults(page) == [], path
    if request.config.getoption("--write-docs"):
        take(browser, settings.reports / "validation.html", "validation")
        take(browser, newest / "flat.messages.html", "data-docs")


@pytest.mark.long
@pytest.mark.usefixtures("built")
def test_a_validation_sends_few_statements(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 40 for all suites, one for the history of their results, and one for the rows of each that is unmet."""
    sent: list[str] = []
    query = Hive.query

    def counting(self: Hive, statement: str) -> Result:
        sent.append(statement)
        return query(self, statement)

    monkeypatch.setattr(Hive, "query", counting)
    validated = validate(settings, print, published(settings))
    assert validated.is_good
    assert len(validated.rows) == sum(len(suite.expectations) for suite in load(published(settings), "r1"))
    rows = [statement for statement in sent if statement.endswith(f"LIMIT {MOST}")]
    assert len(rows) <= len(validated.failed)
    assert len([text for text in sent if text not in rows and "ops.expectation_results" not in text]) <= 40


@pytest.mark.long
@pytest.mark.usefixtures("built")
def test_two_validations_at_once_do_not_mix_what_they_recorded(settings: Settings) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: validate(settings, print, published(settings)), range(2)))
    assert [validated.is_good for validated in both] == [True, True]


@pytest.mark.long
@pytest.mark.usefixtures("built")
def test_a_foreign_a_lost_and_a_changed_file_are_named(settings: Settings, case: Case) -> None:
    hdfs = Hdfs(settings)
    paths = [str(file["path"]) for file in published(settings).recorded]
    for kind in ("landings/", "flat/", "marts/"):
        path = next(path for path in paths if path.startswith(kind))
        place = tuple(path.split("/"))
        foreign, aside = (*place[:-1], f"copied_by_hand.{place[-1]}"), ("aside",)

        def worst() -> str:
            validated = validate(settings, print, published(settings))
            assert not validated.is_good
            return " ".join(row["observed"] for row in validated.failed)

        try:
            hdfs.filesystem.pipe_file(hdfs.path(*foreign), hdfs.filesystem.cat_file(hdfs.path(*place)))
            assert "/".join(foreign) in worst()
            hdfs.remove(*foreign)
            assert hdfs.rename_new(place, aside)
            assert path in worst()
        finally:
            hdfs.remove(*foreign)
            hdfs.rename_new(aside, place)
    assert validate(settings, print, published(settings)).is_good
    case("Foreign file in a folder of a table or a landing", "validated", "reported with its path, critical", 3)
    case("File of a published table or a landing lost", "validated", "reported with its path, critical", 3)
