"""report: questions and rows in, pages out. No server is asked."""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from altair.utils import schemapi
from markdown_it import MarkdownIt

from etl.errors import ServerError, UsageError
from etl.pages.words import age, display, fence, markdown
from etl.pages.write import write
from etl.report.charts import SVG, Chart, draw
from etl.report.question import EQUATION, PLACE, filled
from etl.report.report import Reported, report
from etl.servers.hive import StatementError
from etl.settings import PROJECT, load
from etl.sqlfile import SqlFile, files

NASTY = {
    "the end of a script": "</script><script>alert(1)</script>",
    "the end of a picture": "</svg></title><img src=x onerror=alert(1)>",
    "an attribute": "\" onmouseover='alert(1)' x=\"",
    "emoji": "Git 👩🏽\u200d💻 für Anfänger",
    "right to left": "مقدمة في Git",
    "an override of direction": "\u202etiG gninraeL",
    "a table in a cell": "a | b\n| c |",
    "markup": "**bold** _x_ `code` [link](https://example.org) ![picture](x.png) # title",
    "a template": "{{ 7 * 7 }} {% raw %} {exam_name}",
    "an entity": "&lt;b&gt; &amp;",
    "control characters": "a\x00b\x0bc\x1bd",
    "half a surrogate pair": "a\ud800b",
    "nothing": "",
}
HEADER = """-- reports.{name}: which {name} is it?
-- Position: {position}
-- Answer: {answer}
-- Assumes: a < b & c.
-- Chart: {chart}
{more}
SELECT '{name}' FROM flat.things;
"""


@dataclass
class Rows:
    """A result, as the server gives it."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


def question(name: str, chart: str = "none", answer: str = "{thing}.", position: int = 10, more: str = "") -> SqlFile:
    text = HEADER.format(name=name, chart=chart, answer=answer, position=position, more=more)
    return SqlFile(PROJECT / "sql" / "4_reports" / f"{name}.sql", text)


def reported(tmp_path: Path, results: dict[str, Rows], questions: Sequence[SqlFile]) -> Reported:
    def query(statement: str) -> Rows:
        return next(rows for name, rows in results.items() if f"'{name}'" in statement)

    return report(load(home=tmp_path), [query], questions)


def answered(tmp_path: Path, rows: Rows, chart: str = "none", answer: str = "{thing}.") -> Reported:
    return reported(tmp_path, {"it": rows}, [question("it", chart, answer)])


class Page(HTMLParser):
    """What a browser would see: elements, their attributes, text, and whether all that opens is closed."""

    VOID = ("meta", "link", "br", "img")

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def visible(text: str) -> str:
    """What is left of a text that holds characters nobody can see, or that no file can hold."""
    return text.replace("\x00", "␀").replace("\x0b", "␋").replace("\x1b", "␛").replace("\n", "␊").replace("\ud800", "?")


@pytest.mark.parametrize("name", NASTY)
def test_whatever_the_data_holds_is_text_in_the_page(tmp_path: Path, name: str) -> None:
    done = answered(tmp_path, Rows(["thing", "count"], [(NASTY[name], 2), ("plain", 1)]), "bar x=count y=thing")
    page = Page(done.html)
    assert not page.open
    assert page.all("script") == [{}] and not page.all("img")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert page.text.count(visible(NASTY[name])) >= 3  # the answer, the table, the chart's tooltip


@pytest.mark.parametrize("name", NASTY)
def test_whatever_the_data_holds_is_one_cell_of_text_in_markdown(tmp_path: Path, name: str) -> None:
    done = answered(tmp_path, Rows(["thing", "count"], [(NASTY[name], 2), ("plain", 1)]))
    tokens = MarkdownIt("commonmark", {"linkify": False}).enable("table").parse(done.markdown.read_text())
    cells = [tokens[place + 1] for place, token in enumerate(tokens) if token.type == "td_open"]
    assert [cell.content for cell in cells[1:]] == ["2", "plain", "1"]
    inside = [child.type for child in cells[0].children or []]
    assert set(inside) <= {"text", "text_special"}
    words = "".join(child.content for child in cells[0].children or [])
    assert words == " ".join(visible(NASTY[name]).split())
    assert not [token for token in tokens if token.type == "html_block" and "script" in token.content]


def test_markdown_makes_no_link_of_an_address() -> None:
    assert markdown("see https://example.org or www.example.org, a@b.c") == (
        "see https&#58;//example.org or www&#46;example.org, a&#64;b.c"
    )


@pytest.mark.parametrize(("text", "expected"), [("SELECT 1", "```"), ("a `b` c", "```"), ("````", "`````")])
def test_a_fence_is_longer_than_what_it_holds(text: str, expected: str) -> None:
    assert fence(text) == expected


def test_the_page_asks_for_nothing_else(tmp_path: Path) -> None:
    rows = Rows(["thing", "count"], [("a", 2), ("b", 1)])
    page = Page(answered(tmp_path, rows, "bar x=count y=thing").html)
    addresses = [
        value for _, all_ in page.elements for name, value in all_.items() if name in ("src", "href", "action")
    ]
    assert addresses
    assert all(value.startswith(("#", "data:", "index.html")) for value in addresses)
    assert "@import" not in page.source
    assert "http" not in page.source.replace(SVG, "").replace("http-equiv", "")
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    script = page.source.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in policy and f"script-src 'sha256-{digest}'" in policy and "use strict" in script


def test_the_page_says_nothing_of_the_machine(tmp_path: Path) -> None:
    done = answered(tmp_path, Rows(["thing"], [("a",), ("b",)]))
    for text in (done.html.read_text(), done.markdown.read_text()):
        assert "sql/4_reports/it.sql" in text
        assert str(PROJECT) not in text
        assert str(tmp_path) not in text


def test_every_link_of_the_contents_has_its_section(tmp_path: Path) -> None:
    rows = Rows(["thing"], [("a",)])
    page = Page(reported(tmp_path, {"it": rows, "that": rows}, [question("it"), question("that")]).html)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {link["href"].removeprefix("#") for link in page.all("a") if link["href"].startswith("#")}
    assert targets == {"it", "that"} <= set(ids)


def test_questions_stand_in_the_order_of_their_positions_those_about_the_data_last(tmp_path: Path) -> None:
    rows = Rows(["thing"], [("a",)])
    positions = {"zebra": 10, "source": 20, "whole": 30, "ant": 100, "bee": 9}
    front = "-- Front: answer\n"
    files_ = [question(name, position=at, more=front if at in (20, 30) else "") for name, at in positions.items()]
    done = reported(tmp_path, dict.fromkeys(positions, rows), files_)
    assert [section.name for section in done.sections] == ["bee", "zebra", "ant", "source", "whole"]
    assert done.answers[0] == "Which bee is it? a."


def at_the_top(tmp_path: Path, rows: Rows, more: str) -> tuple[str, str]:
    """What stands above the contents of the page, and in Markdown above the first question."""
    done = reported(tmp_path, {"it": rows}, [question("it", more=more)])
    return done.html.read_text().partition('<nav aria-label="Contents"')[0], done.markdown.read_text().partition("## ")[
        0
    ]


@pytest.mark.parametrize("standing", ["good", "warn", "bad", "<nonsense>", None])
def test_the_top_gives_the_answer_in_the_colour_of_its_standing(tmp_path: Path, standing: str | None) -> None:
    page, text = at_the_top(tmp_path, Rows(["thing", "standing"], [("a <b", standing)]), "-- Front: answer\n")
    front = page.partition('<div class="front">')[2]
    assert f'<div class="{standing if standing in ("good", "warn", "bad") else ""}">' in front
    assert "a &lt;b" in front and "> **Which it is it?** a &lt;b." in text


@pytest.mark.parametrize(
    ("holds", "sign", "state"), [(True, "=", "holds"), (False, "\u2260", "does not hold"), (None, "?", "unknown")]
)
def test_the_top_shows_an_equation_and_whether_it_holds(
    tmp_path: Path, holds: bool | None, sign: str, state: str
) -> None:
    rows = Rows(["thing", "whole", "part", "rest", "is_so"], [("x", 3280, 3242, 38, holds)])
    page, text = at_the_top(tmp_path, rows, "-- Front: whole = part + rest if is_so\n")
    words = " ".join(re.sub(r"<[^>]+>", " ", page.partition('<p class="equation')[2]).partition(">")[2].split())
    assert words.startswith(f"3,280 whole {sign} 3,242 part + 38 rest {state}")
    assert f"> 3,280 whole {sign} 3,242 part + 38 rest (" in text and state in text


def test_the_top_shows_figures_and_how_old_they_are(tmp_path: Path) -> None:
    rows = Rows(["thing", "built_at", "never_at"], [("x", datetime.datetime(2018, 1, 28, 19, 17, 53), None)])
    page, _ = at_the_top(tmp_path, rows, "-- Front: built_at, never_at\n")
    assert "2018-01-28 19:17:53 UTC" in page and re.search(r"\d+ years before this report<", page)
    assert page.count('<dd class="null">') == 1


@pytest.mark.parametrize("more", ["-- Front: whole = part\n", "-- Front: whole, part\n", "-- Front: a b = c if d\n"])
def test_a_first_page_that_does_not_fit_the_result_is_refused(tmp_path: Path, more: str) -> None:
    with pytest.raises(UsageError, match=r"sql/4_reports/it\.sql has"):
        at_the_top(tmp_path, Rows(["thing", "whole"], [("x", 1)]), more)


def test_without_a_row_the_header_says_what_that_means(tmp_path: Path) -> None:
    rows = Rows(["thing", "whole"], [])
    page, text = at_the_top(tmp_path, rows, "-- Front: thing, whole\n-- Empty: Nobody has looked yet.\n")
    assert "Nobody has looked yet." in page and "Nobody has looked yet." in text


def test_a_table_leaves_out_what_the_answer_says_already(tmp_path: Path) -> None:
    rows = Rows(["thing", "total", "standing"], [("a", 7, "good"), ("b", 7, "good")])
    done = reported(tmp_path, {"it": rows}, [question("it", answer="{total} in all.", more="-- Hides: total\n")])
    assert done.answers == ["Which it is it? 7 in all."]
    assert done.sections[0].columns == ["thing"] and done.sections[0].rows == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 seconds before"), (1, "1 second before"), (119, "119 seconds before"), (120, "2 minutes before"),
     (7200, "2 hours before"), (86400 * 700, "700 days before"), (86400 * 3225, "8 years before"),
     (-121, "2 minutes after")],
)  # fmt: skip
def test_the_age_of_a_time_is_in_the_greatest_unit_of_which_there_are_two(seconds: int, text: str) -> None:
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    assert age((now - datetime.timedelta(seconds=seconds)).replace(tzinfo=None), now) == text
    assert age("2026-01-01", now) == ""


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("messages", 1234567, "1,234,567"),
        ("first_year", 2018, "2018"),
        ("score", 0.12345, "0.123"),
        ("score", 2.0, "2.0"),
        ("score", 2.25, "2.25"),
        ("score", Decimal("1234.5"), "1,234.5"),
        ("count", Decimal("12345"), "12,345"),
        ("score_percent", 62.657, "62.7%"),
        ("score_percent_of_messages", 62.657, "62.7%"),
        ("score_percent", 90, "90%"),
        ("perfect_share", 0.2551, "25.5%"),
        ("is_met", True, "yes"),
        ("at", datetime.datetime(2018, 1, 28, 19, 17, 53, 796000), "2018-01-28 19:17:53 UTC"),
        (
            "at",
            datetime.datetime(2018, 1, 28, 20, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
            "2018-01-28 19:00:00 UTC",
        ),
        ("day", datetime.date(2018, 1, 28), "2018-01-28"),
        ("anything", None, "\N{EN DASH}"),
    ],
)
def test_values_are_written_for_people(column: str, value: Any, text: str) -> None:
    assert display(column, value) == text


def test_null_is_a_dash_that_says_what_it_is(tmp_path: Path) -> None:
    page = Page(answered(tmp_path, Rows(["thing", "count"], [("a", None), ("b", 1)])).html)
    assert {"title": "NULL: there is no value"} in page.all("span")


def test_numbers_stand_to_the_right(tmp_path: Path) -> None:
    done = answered(tmp_path, Rows(["thing", "count"], [("a", 1000), ("b", None)]))
    assert [cell["class"] for cell in Page(done.html).all("td")] == [
        "short",
        "number",
        "short",
        "number null",
    ]
    assert "| --- | ---: |" in done.markdown.read_text()


def test_no_rows_are_told_and_drawn_nowhere(tmp_path: Path) -> None:
    done = answered(tmp_path, Rows(["thing", "count"], []), "bar x=count y=thing")
    assert done.answers == ["Which it is it? No rows."]
    assert not Page(done.html).all("svg")
    assert "|" not in done.markdown.read_text()


def test_a_long_table_says_what_it_leaves_out(tmp_path: Path) -> None:
    done = answered(tmp_path, Rows(["thing"], [(f"t{n}",) for n in range(1500)]))
    assert "1,500 rows, of which the first 1,000 are here" in Page(done.html).text
    assert len(Page(done.html).all("td")) == 1000
    assert "The first 20 of 1,500 rows" in done.markdown.read_text()


def test_a_column_of_per_cent_brings_its_sign_into_the_answer() -> None:
    parts = filled("{mean_percent} of {n}, {mean_percent}.", Rows(["mean_percent", "n"], [(62.66, 5)]), "x.sql")
    assert "".join(part.text for part in parts) == "62.7% of 5, 62.7%."


def test_an_answer_with_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"sql/4_reports/it\.sql answers with the column nothing"):
        answered(tmp_path, Rows(["thing"], [("a",)]), answer="{nothing}")


def test_a_chart_with_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"sql/4_reports/it\.sql draws the column counts.*it has thing, count"):
        answered(tmp_path, Rows(["thing", "count"], [("a", 1)]), "bar x=counts y=thing")


def test_a_measure_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"it\.sql measures by thing, which is not a number"):
        answered(tmp_path, Rows(["thing", "count"], [("a", 1)]), "bar x=thing y=count")


@pytest.mark.parametrize(
    "text", ["pie x=a y=b", "bar x=a", "bar x=a y=b size=c", "bar x= y=b", "none x=a", "heatmap x=a y=b"]
)
def test_a_chart_header_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"it\.sql"):
        Chart.parse(text, "it.sql")


def test_a_chart_header_is_read() -> None:
    assert Chart.parse("heatmap x=hour y=weekday color=attempts", "") == Chart("heatmap", "hour", "weekday", "attempts")
    assert Chart.parse("none", "") == Chart("none")


JANUARY = [datetime.datetime(2018, 1, day) for day in (3, 1)]
KINDS: dict[str, tuple[str, list[str], list[tuple[Any, ...]]]] = {
    "bars": ("bar x=n y=thing", ["n", "thing"], [(2, "b"), (Decimal("1.5"), "a"), (None, None)]),
    "stacked bars": (
        "bar x=n y=thing color=c",
        ["thing", "n", "c"],
        [("b", 2, "x"), ("b", 1, "y"), ("a", 1, "x")],
    ),
    "named bars": ("bar x=n y=thing color=c", ["thing", "n", "c"], [("b", 2, "x"), ("a", 1, "y")]),
    "columns": ("column x=thing y=n", ["thing", "n"], [(3, 9), (1, 2)]),
    "days": ("column x=thing y=n", ["thing", "n"], [("2018-01-02", 9), (datetime.date(2018, 1, 1), 2)]),
    "times": ("line x=thing y=n", ["thing", "n"], [(at, at.day) for at in JANUARY]),
    "a line with its mean": (
        "line x=thing y=n mean=m",
        ["thing", "n", "m"],
        [("2018-01-01", 1, 1.0), ("2018-01-08", 3, 2.0)],
    ),
    "a line of many values": (
        "line x=thing y=n",
        ["thing", "n"],
        [(f"2018-0{month}-{day:02}", day) for month in range(1, 5) for day in range(1, 29)],
    ),
    "lines": (
        "line x=thing y=n color=c",
        ["thing", "n", "c"],
        [("2018-01-01", 1, "x"), ("2018-01-02", 2, "y")],
    ),
    "a heatmap": (
        "heatmap x=thing y=d color=n",
        ["thing", "d", "n"],
        [(h, d, h) for h in (2, 1) for d in "ba"],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_chart_is_drawn_for_wide_and_narrow_pages_and_as_a_file(tmp_path: Path, kind: str) -> None:
    chart, columns, rows = KINDS[kind]
    done = answered(tmp_path, Rows(columns, rows), chart)
    pictures = Page(done.html).all("svg")
    assert [picture["role"] for picture in pictures] == ["img", "img"]
    assert all(picture["aria-label"].startswith("Which it is it? A ") for picture in pictures)
    assert float(pictures[0]["width"]) <= 345 < 790 <= float(pictures[1]["width"]) <= 805
    root = tree((done.html.parent / "plots" / "it.svg").read_text())
    tips = {element.text or "" for element in root.iter(f"{{{SVG}}}title")}
    assert any("thing: " in tip and "; " in tip for tip in tips)
    assert "![Which it is it?](plots/it.svg)" in done.markdown.read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_the_grammar_of_a_chart_is_that_of_vega_lite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(schemapi, "debug_mode", lambda _: contextlib.nullcontext())  # Altair checks what it is given
    chart, columns, rows = KINDS[kind]
    answered(tmp_path, Rows(columns, rows), chart)


def tree(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 (the project's own output)


def words(svg: str | None) -> list[str]:
    """The texts of a picture in the order they are drawn."""
    return [element.text or "" for element in tree(svg or "").iter(f"{{{SVG}}}text")]


def test_bars_stand_in_the_order_of_the_rows() -> None:
    rows = [("b", 3), ("c", 2), ("a", 1)]
    drawn = words(draw(Chart("bar", "n", "thing"), ["thing", "n"], rows, "it.sql", "It?"))
    assert [word for word in drawn if word in "abc"] == ["b", "c", "a"]


def test_columns_count_up_by_the_numbers_beside_them() -> None:
    columns = ["weekday", "weekday_number", "n"]
    rows = [("Tuesday", 2, 9), ("Friday", 5, 3), ("Monday", 1, 1)]
    drawn = words(draw(Chart("column", "weekday", "n"), columns, rows, "it.sql", "It?"))
    assert [word for word in drawn if word.endswith("day")] == ["Monday", "Tuesday", "Friday", "weekday"]


def test_a_measure_without_any_value_is_not_drawn() -> None:
    assert draw(Chart("bar", "n", "thing"), ["thing", "n"], [("a", None)], "it.sql", "It?") is None


def test_a_plot_brings_its_colours_for_the_dark(tmp_path: Path) -> None:
    done = answered(tmp_path, Rows(["thing", "n"], [("a", 1)]), "bar x=n y=thing")
    assert "prefers-color-scheme:dark" in (done.html.parent / "plots" / "it.svg").read_text()
    assert "svg.chart [fill=" in done.html.read_text()


def test_a_plot_of_a_question_that_is_gone_goes_too(tmp_path: Path) -> None:
    rows = Rows(["thing", "n"], [("a", 1)])
    reported(tmp_path, {"old": rows}, [question("old", "bar x=n y=thing")])
    done = reported(tmp_path, {"new": rows}, [question("new", "bar x=n y=thing")])
    assert sorted(path.name for path in done.html.parent.rglob("*")) == [
        "new.svg",
        "plots",
        "report.html",
        "report.md",
    ]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "page.html", "old")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write(tmp_path / "page.html", "new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_file_can_be_read_by_those_whom_the_umask_allows(tmp_path: Path) -> None:
    for mask, mode in ((0o022, 0o644), (0o077, 0o600)):
        before = os.umask(mask)
        try:
            write(tmp_path / "page.html", "text")
        finally:
            os.umask(before)
        assert (tmp_path / "page.html").stat().st_mode & 0o777 == mode


def test_an_error_in_the_sql_of_a_question_shows_its_place(tmp_path: Path) -> None:
    def query(_: str) -> Rows:
        raise StatementError("there is no column a", "fix the statement", ("   1 | SELECT a", "            ^"))

    with pytest.raises(StatementError) as caught:
        report(load(home=tmp_path), [query], [question("it")])
    assert caught.value.excerpt == ("   1 | SELECT a", "            ^")


def test_an_error_of_the_server_names_the_question(tmp_path: Path) -> None:
    def query(_: str) -> Rows:
        raise ServerError("it went away", "see status")

    with pytest.raises(ServerError, match=r"sql/4_reports/it\.sql: it went away; see status"):
        report(load(home=tmp_path), [query], [question("it")])


def test_a_file_of_two_statements_is_refused(tmp_path: Path) -> None:
    file = SqlFile(PROJECT / "sql" / "4_reports" / "it.sql", "-- reports.it: what?\nSELECT 1;\nSELECT 2;\n")
    with pytest.raises(UsageError, match=r"it\.sql holds 2 statements"):
        report(load(home=tmp_path), [lambda _: Rows([], [])], [file])


def test_charts_are_imported_by_those_who_draw_only() -> None:
    check = "import sys, etl.report.report; sys.exit('altair' in sys.modules or 'vl_convert' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], cwd=PROJECT, check=True)


@pytest.mark.parametrize("file", files("4_reports"), ids=lambda file: str(file.path.stem))
def test_the_header_of_every_question_can_be_used(file: SqlFile) -> None:
    assert file.header["Answer"]
    assert file.header["Assumes"]
    assert len(file.statements()) == 1
    chart = Chart.parse(file.header["Chart"], file.path.name)
    names = [*chart.channels.values(), *PLACE.findall(file.header["Answer"])]
    names += re.findall(r"\w+", file.header.get("Hides", ""))
    if (front := file.header.get("Front", "answer")) != "answer":
        equations = [EQUATION.fullmatch(equation.strip()) for equation in front.split(",")]
        assert all(equations) or not any(equations)
        names += [word for word in re.findall(r"\w+", front) if word != "if"]
    assert all(column in file.text.partition("\nSELECT")[2] for column in names)


def test_markdown_begins_no_formula_in_jupyter() -> None:
    assert markdown("\\(x\\) $y$") == "&#92;(x&#92;) \\$y\\$"
