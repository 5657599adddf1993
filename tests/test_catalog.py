"""docs: where every column comes from, and the pages that say so."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from browsing import WIDTHS, dead_links, faults, is_wider_than_screen, opened
from playwright.sync_api import Browser

from etl import sqlfile
from etl.catalog import catalog_pages as site
from etl.catalog import table_facts
from etl.catalog.catalog import Catalog, Expected, catalog, described
from etl.catalog.column_sources import Source
from etl.catalog.lineage import Lineage
from etl.catalog.lineage_drawing import BOX, GAP, TALL, picture
from etl.catalog.table_facts import Counted
from etl.errors import UsageError
from etl.pages.links import links
from etl.settings import PROJECT, Settings, load
from etl.sqlfile import SqlFile

FILES = sqlfile.files()
LINEAGE = Lineage(FILES)
FILLED = [file for file in FILES if file.stage[0] in "234"]
POINTERS = {"ops.published", "ops.candidate", "ops.metastore"}
COUNTS = "payload.sequences.counts"
QUESTION = "payload.sequences.questions[]"
NASTY = "</td><script>document.title = 'taken'</script><img src=x onerror=alert(1)> ${x} {{ 7 * 7 }} \" '"
# By hand: table, column, and what it is computed from.
SOURCES = [
    ("flat.messages_v1", "exam_name", {"payload.exam_name"}),
    ("flat.messages_v1", "correct_count", {f"{COUNTS}.correct"}),
    ("flat.messages_v1", "score", {f"{COUNTS}.correct", f"{COUNTS}.total"}),
    ("flat.messages_v1", "started_date", {"payload.started_at"}),
    ("flat.messages_v1", "last_landing", set()),
    ("flat.attempts_v1", "score", {"score"}),
    ("flat.message_questions_v1", "question_position", {"payload.sequences.questions"}),
    ("flat.message_questions_v1", "result", {f"{QUESTION}.user_result"}),
    ("flat.message_options_v1", "is_correct", {f"{QUESTION}.options[]", f"{QUESTION}.options[].correct"}),
    ("marts.exams_v1", "mean_score", {"score"}),
    ("marts.exams_v1", "attempt_count", {""}),
    ("marts.daily_activity_v1", "started_hour", {"started_at"}),
    ("marts.questions_v1", "exam_name", {"exam_name"}),
    ("reports.unknown_fields", "field_path", {"unknown_fields"}),
    ("reports.learning_git", "exam_name", set()),
]
THINGS = """-- raw.things: one row per thing.
-- Reads: nothing

CREATE EXTERNAL TABLE raw.things_v1 (
    id STRING COMMENT 'The thing', n INT, parts ARRAY<STRUCT<id: STRING, sizes: ARRAY<INT>>>, more MAP<STRING, INT>
);
"""
# A query over raw.things and, per column, what it is computed from.
QUERIES = {
    "a subquery as a value": ("SELECT (SELECT MAX(n) FROM raw.things) AS a", [{"n"}]),
    "a correlated subquery": (
        "SELECT (SELECT MAX(other.n + things.more['x']) FROM raw.things AS other) AS a FROM raw.things",
        [{"n", "more[]"}],
    ),
    "a union by place": (
        "SELECT both.b FROM (SELECT id AS a, n AS b FROM raw.things UNION ALL SELECT 'x' AS c, parts[0].sizes[1] AS d"
        " FROM raw.things) AS both",
        [{"n", "parts[].sizes[]"}],
    ),
    "arrays of arrays": (
        "SELECT size.one AS a, size.place AS b FROM raw.things LATERAL VIEW EXPLODE(parts) p AS part"
        " LATERAL VIEW POSEXPLODE(p.part.sizes) size AS place, one",
        [{"parts[].sizes[]"}, {"parts[].sizes"}],
    ),
    "STACK": (
        "SELECT STACK(2, 'x', MAX(n), 'y', COUNT(*)) AS (name, value) FROM raw.things",
        [set(), {"n", ""}],
    ),
    "rows of a CTE": (
        "WITH chosen AS (SELECT id FROM raw.things) SELECT COUNT(*) AS a, COUNT(id) AS b FROM chosen",
        [{""}, {"id"}],
    ),
    "elements that are counted": (
        "SELECT COUNT(*) AS a FROM raw.things LATERAL VIEW EXPLODE(parts) p AS part",
        [{"", "parts[]"}],
    ),
    "a window": ("SELECT ROW_NUMBER() OVER (PARTITION BY id ORDER BY n) AS a FROM raw.things", [{"id", "n"}]),
    "a struct passed on": (
        "WITH w AS (SELECT parts[0] AS part FROM raw.things) SELECT (w.part).id AS a FROM w",
        [{"parts[].id"}],
    ),
}


def question(query: str, name: str = "asked") -> SqlFile:
    """A question of the report that asks this."""
    header = f"-- reports.{name}: what is it?\n-- Reads: raw.things\n-- Assumes: a < b.\n\n"
    return SqlFile(PROJECT / "sql" / "4_reports" / f"{name}.sql", f"{header}{query};\n")


def things(text: str = THINGS) -> SqlFile:
    """The table of things."""
    return SqlFile(PROJECT / "sql" / "1_raw" / "things_v1.sql", text)


def paths(sources: tuple[Source, ...] | set[Source]) -> set[str]:
    """Their paths alone."""
    return {source.path for source in sources}


@pytest.mark.parametrize("file", FILLED, ids=lambda file: file.table)
def test_every_column_is_traced_to_columns_that_are_there(file: SqlFile) -> None:
    traces = LINEAGE.traces[file.table]
    assert not LINEAGE.untraced
    assert list(traces) == [name for name, _ in file.columns] or not file.columns
    there = {(other.table, column.place) for other in FILES for column in described(other)[0]}
    there |= {(table, column) for table, traced in LINEAGE.traces.items() for column in traced}
    for column, trace in traces.items():
        assert {(source.table, source.place) for source in trace.sources if source.path} <= there, column
        if file.columns:
            assert trace.sources or trace.parameters, column
        for origin in LINEAGE.origins(Source(file.table, column)):
            assert origin.table.startswith(("raw.", "ops.")), column


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.table)
def test_what_the_header_says_it_reads_is_what_the_sql_reads(file: SqlFile) -> None:
    views = [name for name in LINEAGE.viewed[file.table] if name != "ops.published"]  # which every view reads
    assert {*LINEAGE.reads[file.table], *views} == {LINEAGE.names[name] for name in file.reads}


@pytest.mark.parametrize(("table", "column", "expected"), SOURCES)
def test_sources_are_those_found_by_hand(table: str, column: str, expected: set[str]) -> None:
    assert paths(LINEAGE.traces[table][column].sources) == expected


def test_what_only_a_view_reads_is_kept_apart() -> None:
    assert LINEAGE.viewed["flat.messages_v1"] == ["ops.published"]
    assert LINEAGE.viewed["flat.message_options_v1"] == ["flat.superseded_messages_v1", "ops.published"]
    assert LINEAGE.viewed["raw.rejected_messages_v1"] == []


def test_a_mart_comes_from_the_message_in_the_end() -> None:
    assert paths(LINEAGE.origins(Source("marts.exams_v1", "mean_score"))) == {f"{COUNTS}.correct", f"{COUNTS}.total"}
    assert LINEAGE.origins(Source("marts.exams_v1", "attempt_count")) == {Source("raw.assessments_v1", "")}
    uses = LINEAGE.uses()["raw.assessments_v1", f"{COUNTS}.correct"]
    assert uses == [Source("flat.messages_v1", "correct_count"), Source("flat.messages_v1", "score")]
    origins = LINEAGE.origins(Source("flat.message_options_v1", "option_id"))
    assert origins == {Source("raw.assessments_v1", f"{QUESTION}.options[].id")}


@pytest.mark.parametrize("name", QUERIES)
def test_columns_are_traced_through(name: str) -> None:
    query, expected = QUERIES[name]
    lineage = Lineage([things(), question(query)])
    assert not lineage.untraced
    assert [paths(trace.sources) for trace in lineage.traces["reports.asked"].values()] == expected


def test_fields_and_comments_are_those_of_the_create() -> None:
    columns, _ = described(things())
    assert [(column.path, column.kind) for column in columns] == [
        ("id", "STRING"),
        ("n", "INT"),
        ("parts", "ARRAY of STRUCT"),
        ("parts[].id", "STRING"),
        ("parts[].sizes", "ARRAY of INT"),
        ("more", "MAP of INT"),
    ]
    assert columns[0].comment == "The thing"


def test_a_view_without_a_table_has_the_types_and_comments_of_the_columns_that_it_shows(alone: Settings) -> None:
    tables = {table.file.table: table for table in catalog(alone, ask=False).tables}
    columns = {column.path: column for column in tables["flat.attempts_v1"].columns}
    own = {column.path: column for column in tables["flat.messages_v1"].columns}
    assert columns["score"] == own["score"] and columns["score"].comment
    assert list(columns) == list(own)


def test_a_picture_has_a_box_per_table_and_a_curve_per_read() -> None:
    drawn = picture(FILES, LINEAGE.reads)
    places = [(box.left, box.top) for box in drawn.boxes]
    for left, top in places:
        near = [place for place in places if abs(place[0] - left) < BOX and abs(place[1] - top) < TALL]
        assert near == [(left, top)], "boxes lie upon each other"
    raw = [file for file in FILES if file.stage == "1_raw"]
    reads = [name for names in LINEAGE.reads.values() for name in names if name not in POINTERS]
    assert len(drawn.curves) == len(reads) + len(raw)
    assert {box.table for box in drawn.boxes} >= {file.table for file in FILES if file.stage[0] != "0"}


def test_tables_of_ops_stand_beside_the_reports_that_read_them_and_pointers_nowhere() -> None:
    drawn = picture(FILES, LINEAGE.reads)
    left = {box.table: box.left for box in drawn.boxes}
    assert [text for text, _ in drawn.heads] == ["Kafka", "raw", "flat", "marts", "customers", "ops", "reports"]
    assert {left[name] for name in left if name.startswith("ops.")} == {left["reports.headline"] - BOX - GAP}
    assert not POINTERS & set(left)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a warehouse whose servers are not there."""
    nobody = {name: "127.0.0.1:1" for name in ("bootstrap_servers", "spark_thrift", "hiveserver2")}
    return load(home=tmp_path_factory.mktemp("alone"), webhdfs="http://127.0.0.1:1", **nobody)


@pytest.fixture(scope="module")
def pages(alone: Settings) -> Path:
    """The folder of all pages, made without a server."""
    path, content = site.docs(alone)
    assert len(content.notes) == 2
    return path.parent


def ids(path: Path) -> set[str]:
    """What can be linked to in a page."""
    return set(re.findall(r'\bid="([^"]+)"', path.read_text(encoding="utf-8")))


def test_every_link_leads_to_a_place_that_is_there(pages: Path) -> None:
    ids_of = {path: ids(path) for path in pages.rglob("*.html")}
    assert len(ids_of) == len(FILES) + 2
    for path in ids_of:
        source = path.read_text(encoding="utf-8")
        assert len(re.findall(r'\bid="', source)) == len(ids_of[path]), "an id stands twice"
        for link in re.findall(r'href="([^"]+)"', source):
            target = urlsplit(link)
            if target.scheme == "data":
                continue
            other = (path.parent / target.path).resolve() if target.path else path
            assert other in ids_of, link
            assert not target.fragment or unquote(target.fragment) in ids_of[other], f"{path.name}: {link}"


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_are_good_in_a_browser(browser: Browser, pages: Path, width: int) -> None:
    names = (
        "index",
        "catalog/index",
        "catalog/raw.assessments_v1",
        "catalog/marts.exams_v1",
        "catalog/reports.headline",
    )
    for name in names:
        with opened(browser, pages / f"{name}.html", width, "dark" if width < 1000 else "light") as page:
            assert faults(page) == []
            assert dead_links(page) == []
            assert not is_wider_than_screen(page), name


def test_no_page_complains_or_asks_another_machine(browser: Browser, pages: Path) -> None:
    with opened(browser, pages / "index.html", 390) as page:
        for path in pages.rglob("*.html"):
            page.goto(path.as_uri())
            assert page.locator("h1").is_visible()
            assert not is_wider_than_screen(page), path.name


def test_a_box_leads_to_its_table_and_shows_its_way(browser: Browser, pages: Path) -> None:
    with opened(browser, pages / "catalog" / "index.html") as page:
        box = page.locator('a.box[href="marts.questions_v1.html"]')
        other = page.locator('a.box[href="marts.exams_v1.html"]')
        source = page.locator('a.box[href="flat.attempts_v1.html"]')
        box.focus()
        page.wait_for_function("one => getComputedStyle(one).opacity < 0.2", arg=other.element_handle())
        assert source.evaluate("one => getComputedStyle(one).opacity") == "1"
        box.click()
        assert page.locator("h1").inner_text() == "marts.questions"


def test_a_search_finds_tables_questions_and_columns(browser: Browser, pages: Path) -> None:
    with opened(browser, pages / "catalog" / "index.html") as page:
        field = page.get_by_role("searchbox")
        assert not page.locator("#columns").is_visible() and page.locator("#lineage").is_visible()
        field.fill("Option Mislead")
        assert page.locator("tr[data-text]:visible").all_inner_texts()[0].startswith("misleading_options")
        assert not page.locator("#lineage").is_visible()
        field.fill("score_sum")
        links = page.locator("#columns li a:visible").evaluate_all("all => all.map(link => link.getAttribute('href'))")
        assert "marts.exams_v1.html#score_sum" in links and dead_links(page) == []
        assert f"{len(links)} columns" in page.get_by_role("status").inner_text()
        field.fill("")
        assert page.locator("tr[data-text]:visible").count() == len(FILES)


def test_rules_and_checks_of_a_suite_are_listed_with_their_bounds_before_any_validation(alone: Settings) -> None:
    tables = {table.file.table: table for table in catalog(alone, ask=False).tables}
    expected = tables["marts.exams_v1"].expected
    assert ("mean_score", "between 0 and 1", "warning") in {
        (rule.column, rule.text, rule.severity) for rule in expected
    }
    assert all(rule.reason for rule in expected)
    assert [rule.column for rule in expected].count("") == len(
        list((PROJECT / "expectations/3_marts/exams_v1").glob("*.sql"))
    )


def test_the_result_of_an_expectation_stands_beside_it(alone: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"table_name": "marts.exams", "severity": "critical", "validated_at": "2026-01-02T03:04:05Z"}
    results = [
        row
        | {
            "column_name": "mean_score",
            "expectation": "between 0 and 1",
            "is_met": False,
            "observed": "1 of 2 rows fail",
        }
    ]
    monkeypatch.setattr(table_facts, "stored", lambda *_: table_facts.Stored())
    monkeypatch.setattr(table_facts, "answers", lambda *_: table_facts.Answers(results=results))
    tables = {table.file.table: table for table in catalog(alone).tables}
    checked = [rule for rule in tables["marts.exams_v1"].expected if rule.is_met is not None]
    assert [(rule.column, rule.is_met, rule.observed) for rule in checked] == [
        ("mean_score", False, "1 of 2 rows fail")
    ]


def test_pages_link_the_other_pages_that_exist(tmp_path: Path) -> None:
    for path in ("report.html", "catalog/index.html"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    assert links(tmp_path, "report.html") == [("index.html", "Start"), ("catalog/index.html", "Catalog")]
    assert links(tmp_path, "catalog/x.html")[:2] == [("../index.html", "Start"), ("../report.html", "Report")]


def test_pages_written_before_others_link_them_too(tmp_path: Path) -> None:
    home = load(home=tmp_path)
    site.write_catalog(home, catalog(home, [things()], ask=False), 0)
    page = home.reports / "catalog" / "raw.things_v1.html"
    written_at = page.stat().st_mtime
    (home.reports / "report.html").write_text("x", encoding="utf-8")
    site.write_start(home)
    assert '<a href="../report.html">Report</a>' in page.read_text(encoding="utf-8")
    assert page.stat().st_mtime == written_at


def test_pages_say_that_nobody_answered(pages: Path) -> None:
    text = (pages / "catalog" / "index.html").read_text(encoding="utf-8")
    assert "HDFS does not answer at 127.0.0.1:1" in text
    assert "cannot connect to spark at 127.0.0.1:1" in text
    assert "Not written yet: <code>./warehouse report</code>" in (pages / "index.html").read_text(encoding="utf-8")


def of_all(described: Catalog, **facts: object) -> Catalog:
    """The catalog with the same facts of every table, as if the servers had answered."""
    return replace(described, tables=[replace(table, **facts) for table in described.tables], notes=[])  # type: ignore[arg-type]


def test_pages_say_what_has_not_been_built(alone: Settings) -> None:
    content = catalog(alone, ask=False)
    assert {table.is_there for table in content.tables} == {None}
    empty = of_all(content, is_there=False)
    home = site.write_catalog(alone, empty, 0).parent
    assert "Nothing has been built yet" in (home / "index.html").read_text(encoding="utf-8")
    assert "The engine has no flat.attempts" in (home / "flat.attempts_v1.html").read_text(encoding="utf-8")


def test_figures_are_for_people(alone: Settings) -> None:
    counted = Counted(20000, {"exam_id": 10000, "exam_name": 1, "started_at": 0, "attempt_id": 20000})
    expected = [
        Expected("exam_id", "between 0 and 1", "critical", False, "5 rows"),
        Expected("", "x", "info", True),
    ]
    content = of_all(catalog(alone, ask=False), counted=counted, sizes=[1_200_000, 34_000], expected=expected)
    home = site.write_catalog(alone, content, 0).parent
    source = (home / "flat.attempts_v1.html").read_text(encoding="utf-8")
    top, rows = (
        words(source[: source.index("<tbody>")]),
        dict(re.findall(r'<tr id="(\w+)"(.*?)</tr>', source, re.DOTALL)),
    )
    assert "20,000 " in top and " 1.2 MB " in top and " 1 of 2 not met " in top
    assert "critical exam_id: between 0 and 1: 5 rows" in top
    assert " exam_id between 0 and 1 critical not met " in words(source)
    assert " 50.0% 1 of 1 not met " in words(rows["exam_id"])
    assert " &lt;0.1% " in words(rows["exam_name"])
    assert " 0% " in words(rows["started_at"])
    assert " 100% " in words(rows["attempt_id"])


def words(source: str) -> str:
    """The text of a page's source, a blank between words."""
    return re.sub(r"(?:<[^>]+>|\s)+", " ", source)


def test_whatever_a_file_or_a_server_says_is_text(browser: Browser, tmp_path: Path) -> None:
    nasty = NASTY.replace("'", "`")
    table = things(THINGS.replace("The thing", nasty).replace("nothing", f"nothing: {nasty}"))
    home = load(home=tmp_path)
    asks = question(f"-- {nasty}\nSELECT n AS `{nasty.replace('`', '')}` FROM raw.things")
    content = catalog(home, [table, asks], ask=False)
    rules = [Expected("id", NASTY, NASTY, False, NASTY)]
    content = of_all(content, counted=Counted(fault=NASTY), expected=rules)
    content = replace(content, strangers=[NASTY], notes=[NASTY], validated_at="2026-01-02T03:04:05Z")
    folder = site.write_catalog(home, content, 0).parent
    for path in folder.glob("*.html"):
        assert "<script>document" not in path.read_text(encoding="utf-8")
        with opened(browser, path) as page:
            assert page.title() != "taken"
            assert page.locator("img").count() == 0
            assert "<script>document.title" in page.locator("body").inner_text()


def test_a_query_that_cannot_be_parsed_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"asked.* cannot be read: .*; correct the statement"):
        catalog(load(home=tmp_path), [things(), question("SELECT a FROM (")], ask=False)


def test_a_query_that_cannot_be_traced_is_told_on_its_page(tmp_path: Path) -> None:
    home = load(home=tmp_path)
    content = catalog(home, [things(), question("SELECT things.nothing AS a FROM raw.things")], ask=False)
    assert list(content.lineage.untraced) == ["reports.asked"]
    text = (site.write_catalog(home, content, 0).parent / "reports.asked.html").read_text(encoding="utf-8")
    assert "could not be traced" in text


def test_pages_of_files_that_are_gone_go(tmp_path: Path) -> None:
    home = load(home=tmp_path)
    site.write_catalog(home, catalog(home, [things(), question("SELECT 1 AS a", "first")], ask=False), 0)
    folder = site.write_catalog(home, catalog(home, [things(), question("SELECT 1 AS a", "next")], ask=False), 0).parent
    assert {path.name for path in folder.iterdir()} == {"index.html", "raw.things_v1.html", "reports.next.html"}


def test_without_a_sql_file_there_is_nothing_to_describe(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no SQL file"):
        catalog(load(home=tmp_path), [])


def test_no_browser_is_opened_where_nobody_sits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", "touch %s")
    assert site.shows(tmp_path / "opened") is False
    assert not (tmp_path / "opened").exists()


def test_the_start_page_links_what_is_there(browser: Browser, tmp_path: Path) -> None:
    home = load(home=tmp_path)
    for path in ("report.html", "validation.html", "data_docs/index.html"):
        (home.reports / path).parent.mkdir(parents=True, exist_ok=True)
        (home.reports / path).write_text("<!DOCTYPE html><title>A page</title>", encoding="utf-8")
    with opened(browser, site.write_start(home)) as page:
        links = page.eval_on_selector_all("main a", "all => all.map(one => one.getAttribute('href'))")
        assert links == ["report.html", "validation.html", "data_docs/index.html"]
        assert dead_links(page) == []
