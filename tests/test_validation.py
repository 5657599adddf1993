"""The pages of a validation: results in, a summary, Data Docs and failing rows out, which tell nothing personal.

Great Expectations runs real suites here, on a small SQLite file; the last test looks at the pages of the stack.
"""

from __future__ import annotations

import contextlib
import datetime
import html
import re
import sqlite3
import types
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlglot
from browsing import WIDTHS, Scheme, dead_links, faults, firsts, is_wider_than_screen, opened
from playwright.sync_api import Browser
from test_report import NASTY, Page, visible

from etl.catalog.catalog_pages import write_start
from etl.pages.words import DASH
from etl.servers.hive import Result, StatementError
from etl.servers.kafka import Topic
from etl.settings import Settings, load
from etl.validate import data_docs, run_suite, validate
from etl.validate import failing_rows as failing
from etl.validate import summary_page as summary
from etl.validate.run_suite import Outcome
from etl.validate.scope import Scope
from etl.validate.suites import QUERY, Suite
from etl.validate.summary_page import History, Spark, row_count
from etl.validate.validate import Validated

# Values that a producer could put into any field, and that must be in no page.
EMAIL, NAME, PHONE = "jane.doe@example.org", "Jane Doe", "+44 20 7946 0958"
PLANTED = (EMAIL, "jane.doe", NAME, PHONE, "7946")
ROWS, RELEASE = 124, 7


def expectation(kind: str, severity: str = "critical", **kwargs: Any) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs, "severity": severity, "notes": f"It matters that {kind} holds."}


def query(sql: str, description: str, **meta: Any) -> dict[str, Any]:
    wanted = expectation(QUERY, unexpected_rows_query=sql)
    return {**wanted, "description": description, "meta": meta}


COLUMNS = [
    expectation("expect_column_values_to_not_be_null", column="id"),
    expectation("expect_column_values_to_not_be_null", "warning", column="name"),
    expectation("expect_column_values_to_be_null", "warning", column="name", mostly=0.9),
    expectation("expect_column_values_to_be_between", column="number", min_value=2, strict_max=True, max_value=120),
    expectation("expect_column_values_to_be_in_set", "info", column="name", value_set=["x", "y"]),
]
OTHERS = [
    expectation("expect_table_row_count_to_be_between", "info", min_value=0, max_value=10),
    query("SELECT id, name, number, place FROM things WHERE number > 100", "<i>few</i> & low", names=["id", "place"]),
    query(f"SELECT '{NAME}' FROM \"{EMAIL}\"", "it cannot be checked"),
]
DECLARED = {
    "name": "flat.things",
    "meta": {"keys": ["id", "place"], "not_personal": ["place"]},
    "expectations": COLUMNS + OTHERS,
}
SUITE = Suite("things", "SELECT * FROM things", ["id", "number", "name", "place"], DECLARED)


class Site(NamedTuple):
    """The pages of a validation, and its results."""

    settings: Settings
    outcome: Outcome
    first_pages: dict[tuple[Any, ...], str]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.outcome.rows

    @property
    def pages(self) -> list[Path]:
        return sorted(self.settings.reports.rglob("*.html"))

    def result(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return self.rows[SUITE.expectations.index(wanted)]

    def rows_page(self, wanted: dict[str, Any]) -> str:
        return self.first_pages[summary.key(self.result(wanted))]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A table with something personal in every third row, as its id too; pages of a suite that fails on it."""
    path = tmp_path_factory.mktemp("things") / "things.db"
    planted = (EMAIL, NAME, PHONE)
    personal = [planted[n % 9 // 3] if n % 3 == 0 else None for n in range(ROWS)]
    settings = load(home=tmp_path_factory.mktemp("site"))
    with contextlib.closing(sqlite3.connect(path)) as connection:

        def send(statement: str) -> Result:
            try:
                cursor = connection.execute(statement)
            except sqlite3.Error as error:
                raise StatementError(str(error)) from error
            return Result([column[0] for column in cursor.description], cursor.fetchall())

        connection.execute("CREATE TABLE things (id TEXT, number BIGINT, name TEXT, place TEXT)")
        rows = [(name or f"{n:024x}", n, name) for n, name in enumerate(personal)]
        connection.executemany("INSERT INTO things VALUES (?, ?, ?, 'part-0')", rows)
        outcome = run_suite.run(run_suite.load(), SUITE, send, "r1")
    with data_docs.draft(settings, "r1") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(summary, "PAGE_ROWS", 30)
        data_docs.pages(folder, "things", outcome.suite, outcome.results)
        first_pages = summary.failing_pages(folder, "things", outcome)
    before = {summary.key(row): History([0, 3, None, 12], "2026-01-01T02:03:04.567Z") for row in outcome.rows[:-1]}
    summary.write_summary(settings, outcome.rows, about("r1", outcome.rows), 12.34, before, first_pages)
    data_docs.keep(settings, about("r1", outcome.rows))
    write_start(settings)
    return Site(settings, outcome, first_pages)


def about(run_id: str, rows: Sequence[dict[str, Any]] = ()) -> data_docs.Run:
    unmet = [row for row in rows if not row["is_met"]]
    critical = sum(row["severity"] == "critical" for row in unmet)
    return data_docs.Run(run_id, RELEASE, 12, "2026-01-02T03:04:05.678Z", len(rows), len(unmet), critical)


def test_no_page_tells_anything_personal(site: Site) -> None:
    assert len(site.pages) > 10
    texts = {path.name: html.unescape(path.read_text()) for path in site.pages}
    assert [(name, word) for name, text in texts.items() for word in PLANTED if word in text] == []
    observed = " ".join(row["observed"].partition(run_suite.CAUSE)[0] for row in site.rows)
    assert not [word for word in PLANTED if word in observed]
    assert EMAIL in site.rows[-1]["observed"], "the server's answer is kept in the table"


@pytest.mark.parametrize("wanted", COLUMNS, ids=lambda rule: str(rule["type"]))
def test_the_rows_are_as_many_as_great_expectations_counts(site: Site, wanted: dict[str, Any]) -> None:
    if wanted["type"] == "expect_column_values_to_not_be_null" and wanted["kwargs"]["column"] == "id":
        assert site.result(wanted)["is_met"]
        return
    count = int(re.match(r"([\d,]+) of 124 rows", site.result(wanted)["observed"])[1].replace(",", ""))  # type: ignore[index]
    first = site.settings.reports / "data_docs/r1" / site.rows_page(wanted)
    listed = [row for page in first.parent.glob(f"{first.name.removesuffix('.html')}*") for row in table(page)]
    assert len(listed) == count > 0
    assert sorted(int(row[0].replace(",", "")) for row in listed) == list(range(1, count + 1))


def table(page: Path) -> list[list[str]]:
    """The cells of a page's one table."""
    body = page.read_text().partition("<tbody>")[2].partition("</tbody>")[0]
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in body.split("</tr>")[:-1]]


def test_a_query_is_counted_and_named_by_its_rows(site: Site) -> None:
    wanted = OTHERS[1]
    assert site.result(wanted)["observed"].startswith("23 rows fail ((not shown), 000000000000000000000065, ")
    rows = table(site.settings.reports / "data_docs/r1" / site.rows_page(wanted))
    assert rows[0] == ["1", "000000000000000000000065", DASH, "101", "part-0"]
    assert rows[1] == ["2", failing.HIDDEN, failing.HIDDEN, "102", "part-0"]


def test_an_expectation_about_no_rows_has_figures_and_no_page(site: Site) -> None:
    assert site.result(OTHERS[0])["observed"] == "124 rows"
    assert site.result(OTHERS[2])["observed"].startswith("could not be checked; the server answered: ")
    assert summary.key(site.result(OTHERS[0])) not in site.first_pages
    assert summary.key(site.result(OTHERS[2])) not in site.first_pages


@pytest.mark.parametrize("dialect", ["hive", "spark"])
def test_texts_of_a_suite_stay_in_their_quotes(dialect: str) -> None:
    wanted = expectation("expect_column_values_to_be_in_set", column="name", value_set=["it's", "a\\b", "'; DROP", 5])
    tree = sqlglot.parse_one(failing.statement(SUITE, wanted) or "", read=dialect)
    (values,) = tree.find_all(sqlglot.exp.In)
    assert [literal.name for literal in values.expressions] == ["it's", "a\\b", "'; DROP", "5"]


def test_results_stand_in_the_order_of_the_suite(site: Site) -> None:
    """Great Expectations returns those that failed with an error first."""
    assert [row["reason"] for row in site.rows] == [rule["notes"] for rule in SUITE.expectations]


@pytest.mark.parametrize(("width", "scheme"), [*zip(WIDTHS, ("light", "dark"), strict=True)])
def test_every_page_opens_without_a_fault(site: Site, browser: Browser, width: int, scheme: Scheme) -> None:
    for path, is_first in firsts(site.pages):
        with opened(browser, path, width, scheme) as page:
            assert not is_wider_than_screen(page), path
            assert dead_links(page) == []
            assert not is_first or faults(page) == [], path


def test_no_page_names_another_host(site: Site) -> None:
    for path in site.pages:
        assert not re.search(r"https?://|<script|<link (?!rel=\"icon\" href=\"data:,\")", path.read_text()), path


def test_data_docs_say_what_great_expectations_says(site: Site) -> None:
    results = (site.settings.reports / "data_docs/r1/things.html").read_text()
    assert "values must never be null." in results
    assert "42 unexpected values found." in results
    assert "&lt;i&gt;few&lt;/i&gt; &amp; low" in results
    assert "could not be checked" in results
    assert "Traceback" not in results
    suite = (site.settings.reports / "data_docs/r1/things.suite.html").read_text()
    assert "It matters that expect_column_values_to_be_between holds." in suite
    assert "&lt;i&gt;few&lt;/i&gt; &amp; low" in suite


def test_the_last_validations_are_kept_and_the_older_ones_forgotten(tmp_path: Path) -> None:
    settings = load(home=tmp_path)
    place = data_docs.folder(settings)
    (place / "static").mkdir(parents=True)  # of an earlier version
    (place / ".r00.killed").mkdir()
    for number in range(data_docs.KEPT + 3):
        with data_docs.draft(settings, f"r{number:02}") as folder:
            (folder / "index.html").write_text("a page")
            if number == data_docs.KEPT + 2:  # another validation is at work
                data_docs.keep(settings, about(f"r{number - 1:02}"))
                assert folder.exists()
        data_docs.keep(settings, about(f"r{number:02}"))
    kept = [f"r{number:02}" for number in range(3, data_docs.KEPT + 3)]
    assert sorted(path.name for path in place.iterdir()) == ["index.html", *kept]
    links = re.findall(r'href="(r\d+)/index.html"', (place / "index.html").read_text())
    assert links == kept[::-1]


def test_a_validation_that_another_command_removes_meanwhile_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, read = load(home=tmp_path), Path.read_bytes
    data_docs.keep(settings, about("r01"))

    def removed(path: Path) -> bytes:
        if path.parent.name == "r01":
            raise FileNotFoundError(path)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", removed)
    assert "r02" in data_docs.keep(settings, about("r02")).read_text()


def test_a_validation_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    settings = load(home=tmp_path)
    with pytest.raises(OSError, match="full"), data_docs.draft(settings, "r1") as folder:
        (folder / "page.html").write_text("half a page")
        raise OSError("full")
    assert list(data_docs.folder(settings).iterdir()) == []


def test_no_more_rows_are_fetched_than_a_page_is_for(
    monkeypatch: pytest.MonkeyPatch, site: Site, tmp_path: Path
) -> None:
    monkeypatch.setattr(failing, "MOST", 10)
    sent = []

    def send(statement: str) -> Result:
        sent.append(statement)
        return Result(["id"], [(number,) for number in range(10)])

    rows = failing.fetch(send, "SELECT id FROM things", ())
    assert sent == ["SELECT id FROM things\nLIMIT 10"]
    assert rows.count == "at least 10"
    page = Page(tmp_path / summary.rows_pages(tmp_path, "x", site.result(COLUMNS[1]), rows))
    assert "At least 10 rows fail" in page.text


@pytest.mark.parametrize("value", [None, True, 3, 1.5, Decimal("2.50"), datetime.date(2026, 1, 2)])
def test_what_cannot_name_a_person_is_shown(value: Any) -> None:
    assert failing.redact(value) is value


@pytest.mark.parametrize(
    ("value", "is_shown"),
    [
        ("37f0a30a-7464-11e6-aa92-a8667f27e5dc", True),
        ("5A6745F602A32D8E1E1E0F7D", True),
        ("2018-01-28", True),
        ("2018-01-28T19:17:53.123Z", True),
        ("2018-01-28 Jane", False),
        ("example-id", False),
        (EMAIL, False),
        ("deadbeef", False),
        ("442079460958", False),
        ("37f0a30a-7464-11e6-aa92-a8667f27e5dc Jane", False),
        ("\u0662018-01-28", False),
        ("", False),
        ('[{"name":"Jane"}]', False),
        (b"bytes", False),
        (["Jane"], False),
    ],
)
def test_a_text_is_shown_only_by_its_form(value: Any, is_shown: bool) -> None:
    assert failing.redact(value) == (value if is_shown else failing.HIDDEN)


def test_a_text_is_shown_where_the_suite_says_so() -> None:
    assert failing.redact("landings/landing=1", is_open=True) == "landings/landing=1"
    assert failing.redact(["a list"], is_open=True) == failing.HIDDEN


@pytest.mark.parametrize(
    ("observed", "count"),
    [
        ("1,204 of 3,242 rows fail", 1204),
        ("59 rows fail", 59),
        ("1 row fails (a/path, 3 things)", 1),
        ("at least 100,000 rows fail", 100_000),
        ("124 rows", 124),
        ("could not be checked; the server answered: 5 rows", None),
        ("it fails", None),
        ("2018-01-28", None),
        ("0 rows", None),
    ],
)
def test_a_count_is_read_from_a_result_in_words(observed: str, count: int | None) -> None:
    assert row_count(observed) == count


def test_a_sparkline_is_higher_where_more_rows_were_wrong() -> None:
    spark = Spark.of([0, 5, 10, None, 0])
    heights = [int(height) for height in re.findall(r"v-(\d+)", spark.unmet)]
    assert spark.met.count("M") == 2
    assert heights[0] < heights[1] == heights[2] == summary.HEIGHT
    assert spark.words == "met in 2 of the last 5 validations"
    assert Spark.of([0]).words == "met in 1 of the last 1 validation"


def test_history_is_per_expectation_oldest_first() -> None:
    rows = [
        ("s", "e", None, "r", True, "as expected", "2026-01-01T00:00:00.000Z"),
        ("s", "other", "c", "r", True, "as expected", None),
        ("s", "e", None, "r", False, "1,000 rows fail (a)", "2026-01-01T00:00:00.000Z"),
    ]

    def query(statement: str) -> Any:
        assert "run_id < 'r9'" in statement
        return types.SimpleNamespace(columns=[], rows=rows)

    past = summary.histories(query, "r9")
    assert past["s", "e", None, "r"] == History([0, 1000], "2026-01-01T00:00:00.000Z")
    assert past["s", "other", "c", "r"].counts == [0]


def result(table: str, expectation: str, severity: str, is_met: bool, **more: Any) -> dict[str, Any]:
    filler = {
        "run_id": "r1",
        "suite": table,
        "column_name": None,
        "observed": "3 rows fail",
        "reason": "It matters.",
    }
    return filler | {"table_name": table, "expectation": expectation, "severity": severity, "is_met": is_met} | more


def validated(tmp_path: Path, rows: list[dict[str, Any]], before: Any = None, pages: Any = None) -> Page:
    settings = load(home=tmp_path)
    return Page(summary.write_summary(settings, rows, about("r1", rows), 12.34, before or {}, pages or {}))


def cells(page: Page) -> list[list[str]]:
    """The words of every row of results, cell by cell."""
    bodies = [body.partition("</tbody>")[0] for body in page.source.split("<tbody>")[1:]]
    rows = [row.split("</td>")[:-1] for body in bodies for row in body.split("</tr>")[:-1]]
    return [[" ".join(re.sub(r"<title>.*?</title>|<[^>]*>", " ", cell).split()) for cell in row] for row in rows]


def test_a_statement_that_ran_too_long_ends_one_session_and_no_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []

    def hive(_: Any) -> Any:
        opened.append(types.SimpleNamespace(is_open=True, close=lambda: None))
        return opened[-1]

    monkeypatch.setattr(validate, "Hive", hive)
    settings = load(home=tmp_path)
    with validate._sessions(settings) as sessions:
        with validate._session(settings, sessions) as session:
            session.is_open = False
        assert [sessions.get().is_open for _ in range(validate.AT_ONCE)] == [True] * validate.AT_ONCE
    assert len(opened) == validate.AT_ONCE + 1


def test_a_validation_records_what_kafka_and_hdfs_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[str, Any] = {}
    hdfs: Any = types.SimpleNamespace(
        files=lambda *folder: [("a.parquet", 5)] if folder == ("marts", "exams_v1", "release=2") else [],
        checksums=lambda paths: [f"sum of {path}" for path in paths],
        put_rows=lambda rows, *path: written.update({"/".join(path): rows}),
    )
    monkeypatch.setattr("etl.servers.kafka.describe", lambda _: Topic("exams", "id one", {1: (0, 4), 0: (2, 9)}))
    validate._record_offsets(load(home=tmp_path), hdfs, "r1", "now")
    topic = {"run_id": "r1", "kafka_topic": "exams", "topic_id": "id one", "observed_at": "now"}
    assert written.pop("ops/topic_offsets_v1/r1.json") == [
        topic | {"kafka_partition": 0, "start_offset": 2, "end_offset": 9},
        topic | {"kafka_partition": 1, "start_offset": 0, "end_offset": 4},
    ]
    mart = "marts/exams_v1/release=2/a.parquet"
    recorded = [{"path": mart, "bytes": 5, "file_checksum": f"sum of {mart}"}]
    validate._record_files(hdfs, "r1", Scope(2, 1, recorded=recorded))
    (row,) = written.pop("ops/stored_files_v1/r1.json")
    assert (row["path"], row["recorded_bytes"], row["stored_bytes"]) == (mart, 5, 5) and not written
    assert row["recorded_checksum"] == row["stored_checksum"] == f"sum of {mart}"


def test_only_a_critical_expectation_blocks_a_release() -> None:
    rows = [result("c.warning", "e3", "warning", False), result("b.info", "e2", "info", False)]
    assert Validated(rows, Path(), 0.0).is_good
    blocked = Validated([*rows, result("d.critical", "e4", "critical", False)], Path(), 0.0)
    assert not blocked.is_good and blocked.worst == "d.critical: 3 rows fail: e4"


def test_validation_shows_the_worst_first(tmp_path: Path) -> None:
    worst = result("d.critical", "e4", "critical", False, column_name="id")
    rows = [
        result("a.met", "e1", "critical", True),
        result("b.info", "e2", "info", False),
        result("c.warning", "e3", "warning", False),
        worst,
        result("e.unknown", "e5", "fatal", False),
        result("a.met", "e0", "critical", True),
    ]
    before = {summary.key(worst): History([0, 0], "2026-01-01T23:04:05.678Z")}
    page = validated(tmp_path, rows, before, {summary.key(worst): "d.critical-1.rows.html"})
    lines = cells(page)
    assert [row[1] for row in lines[:4]] == ["e.unknown", "d.critical id", "c.warning", "b.info"]
    assert [row[1] for row in lines[4:]] == ["e0", "e1"]
    assert lines[0] == ["fatal", "e.unknown", "e5", "3 rows fail", "never", "", "It matters."]
    assert lines[1] == [
        "critical",
        "d.critical id",
        "e4",
        "3 rows fail the rows",
        "2026-01-01 23:04",
        "",
        "It matters.",
    ]
    assert "4 of 6 expectations fail: 1 fatal, 1 critical, 1 warning, 1 info" in page.text
    assert f"5 tables of release {RELEASE}, landings up to 12, in 12.3 s, at 2026-01-02 03:04:05 UTC" in page.text
    assert 'href="data_docs/r1/d.critical-1.rows.html"' in page.source
    assert "met in 2 of the last 3 validations" in page.source


def test_validation_is_kept_in_the_folder_of_its_run_too(tmp_path: Path) -> None:
    validated(tmp_path, [result("a.b", "e", "critical", True)])
    kept = Page(load(home=tmp_path).reports / "data_docs/r1/index.html")
    assert "All 1 expectations are met" in kept.text
    pages = ["../../index.html", "../../validation.html", "../../data_docs/index.html"]
    assert [link["href"] for link in kept.all("a")] == [*pages, "a.b.html"]


def test_validation_says_when_all_is_met_and_when_nothing_was_checked(tmp_path: Path) -> None:
    assert "All 1 expectations are met" in validated(tmp_path, [result("a.b", "e", "critical", True)]).text
    assert "No expectation was checked" in validated(tmp_path, []).text


def test_validation_says_which_release_readers_see(tmp_path: Path) -> None:
    page = validated(tmp_path, [result("a.b", "e", "critical", True)])
    assert f"Release {RELEASE} was checked before publication." in page.text
    settings = load(home=tmp_path)
    for release in (RELEASE, RELEASE - 1):  # published, and rolled back
        summary.mark_published(settings, release, 12)
        page = Page(settings.reports / "validation.html")
        assert f"Readers see release {release}, which shows all landings up to 12." in page.text
        assert page.text.count("Readers see") == 1


def test_validation_says_that_a_release_is_rejected(tmp_path: Path) -> None:
    page = validated(tmp_path, [result("a.b", "e", "critical", False)])
    assert f"Release {RELEASE} was checked before publication and is rejected" in page.text


def test_no_validation_has_no_page_to_mark(tmp_path: Path) -> None:
    summary.mark_published(load(home=tmp_path), 1, 1)
    assert not (load(home=tmp_path).reports / "validation.html").exists()


def test_validation_escapes_what_was_observed(tmp_path: Path) -> None:
    page = validated(tmp_path, [result("a.b", "e", "critical", False, observed=text) for text in NASTY.values()])
    assert not page.open
    assert not page.all("script") + page.all("img")
    assert all(visible(text) in page.text for text in NASTY.values())


def test_failing_rows_are_escaped(tmp_path: Path) -> None:
    rows = [(text,) for text in NASTY.values()]
    violations = failing.Failing(f"SELECT '{NASTY['the end of a script']}'", ["<b>x</b>"], rows)
    row = result("<i>t</i>", NASTY["the end of a picture"], "critical", False, reason=NASTY["an attribute"])
    page = Page(tmp_path / summary.rows_pages(tmp_path, "x", row, violations))
    assert not page.open
    assert not page.all("script") + page.all("img") + page.all("b") + page.all("i")
    assert all(visible(text) in page.text for text in NASTY.values())
