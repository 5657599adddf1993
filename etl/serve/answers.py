"""What each address answers: a page, rows, a chart, a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from etl import query
from etl.errors import UsageError
from etl.pages import clean
from etl.serve import picture
from etl.serve.asking import DONE, Asking, Question
from etl.serve.guard import ASK, MADE
from etl.serve.shelf import shelf

HERE = Path(__file__).parent
STYLE = HERE.parent / "pages" / "style.css"
PAGES = [  # path below the reports, what it is, the command that makes it
    ("report.html", "Report", "report"),
    ("validation.html", "Expectations", "validate"),
    ("data_docs/index.html", "Data Docs", "validate"),
    ("catalog/index.html", "Catalog", "docs"),
]
FEW_ROWS, LONG_CELL, SHORT_CELL = 3, 20_000, 300  # a plan is one long cell
FORMULA = re.compile(r"[=+\-@\t\r](?![0-9.,]*%?$)")  # but a number is no formula
# Where the start page of `docs` gets a way to ask: as the first of its cards.
CARDS = re.compile(r'<ul class="cards">')
CARD = '<li><h2><a href="/ask">Ask in SQL</a></h2><p>Type a question; get its rows, a chart and a file.</p></li>'


class Pages(StaticFiles):
    """The files below the reports, which other commands write; they may come later."""

    async def check_config(self) -> None:
        """No folder yet is no error."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A page; what begins with a dot is half written."""
        if any(part.startswith(".") for part in Path(path).parts):
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        response.headers["content-security-policy"] = MADE
        return response


class Site:
    """What answers each address."""

    def __init__(self, asking: Asking, token: str) -> None:
        self.asking = asking
        self.token = token
        loader = FileSystemLoader(HERE)
        self._templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)

    async def start(self, _: Request) -> Response:
        """The start page that `docs` made, with a way to ask; a small one where there is none."""
        path = self.asking.settings.reports / "index.html"
        if not path.is_file():
            return self._page("start.html")
        text = CARDS.sub(rf"\g<0>{CARD}", path.read_text(encoding="utf-8"), count=1)
        return HTMLResponse(text, headers={"content-security-policy": MADE})

    async def ask(self, _: Request) -> Response:
        """The page to ask on."""
        return self._page("ask.html")

    def _page(self, name: str) -> Response:
        folder = self.asking.settings.reports
        pages = [(path, title, command, (folder / path).is_file()) for path, title, command in PAGES]
        known = {"settings": self.asking.settings, "limits": self.asking.limits, "token": self.token, "pages": pages}
        text = self._templates.get_template(name).render(known)
        return HTMLResponse(text, headers={"content-security-policy": ASK})

    async def script(self, _: Request) -> Response:
        """The script of the page to ask on."""
        return Response((HERE / "ask.js").read_bytes(), media_type="text/javascript")

    async def styles(self, _: Request) -> Response:
        """Its styles: those of all pages, and its own."""
        return Response(STYLE.read_bytes() + b"\n" + (HERE / "ask.css").read_bytes(), media_type="text/css")

    async def shelf(self, _: Request) -> Response:
        """The tables with their columns, and the questions of the report as examples."""
        return JSONResponse(await run_in_threadpool(shelf))

    async def questions(self, _: Request) -> Response:
        """All that were asked, the last one first."""
        return JSONResponse({"questions": [brief(one) for one in self.asking.all()]})

    async def new(self, request: Request) -> Response:
        """Take a question."""
        sql = (await received(request)).get("sql")
        if not isinstance(sql, str):
            raise UsageError("a question has its SQL in `sql`", "send it as text")
        return JSONResponse(brief(await run_in_threadpool(self.asking.ask, sql)), 201)

    async def one(self, request: Request) -> Response:
        """A question, with its rows when it has them."""
        return JSONResponse(await run_in_threadpool(whole, self._asked(request)))

    async def cancel(self, request: Request) -> Response:
        """Give a question up."""
        question = self._asked(request)
        question.given_up.set()
        return JSONResponse(brief(question))

    async def chart(self, request: Request) -> Response:
        """Rows of a question as SVG."""
        asked = self._asked(request)
        svg = await run_in_threadpool(picture.drawn, request.query_params, asked.columns, asked.rows)
        drawn = min(len(asked.rows), picture.MOST[request.query_params["kind"]])
        return Response(svg, media_type="image/svg+xml", headers={"x-rows-drawn": str(drawn)})

    async def file(self, request: Request) -> Response:
        """All rows of a question as CSV, as they come."""
        blocks = self.asking.file(self._asked(request))
        first = await run_in_threadpool(next, blocks)  # what fails before the first row is told as an error

        def text() -> Iterator[str]:
            yield query.lines(map(guarded, first))
            yield from (query.lines(map(guarded, block)) for block in blocks)

        named = {"content-disposition": 'attachment; filename="rows.csv"'}
        return StreamingResponse(text(), media_type="text/csv; charset=utf-8", headers=named)

    def _asked(self, request: Request) -> Question:
        return self.asking.find(request.path_params["id"])


async def received(request: Request) -> dict[str, Any]:
    """The JSON object of a request."""
    try:
        found = await request.json()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError("a question is a JSON object", 'such as {"sql": "SELECT 1"}')
    return found


def brief(question: Question) -> dict[str, Any]:
    """A question as the page lists it."""
    names = ("id", "sql", "state", "seconds", "share", "error", "row_count", "is_cut", "is_file")
    known = {name: getattr(question, name) for name in names}
    given_up = question.is_running and question.given_up.is_set()
    return known | {"asked_at": question.asked_at.isoformat(), "is_given_up": given_up}


def whole(question: Question) -> dict[str, Any]:
    """A question with its rows, as text; long values are cut."""
    if question.state != DONE or question.is_file:
        return brief(question)
    most = LONG_CELL if len(question.rows) <= FEW_ROWS else SHORT_CELL
    columns = list(zip(*question.rows, strict=True)) or [()] * len(question.columns)
    return brief(question) | {
        "columns": question.columns,
        "numeric": [picture.is_number(values) for values in columns],
        "rows": [[None if value is None else shown(value, most) for value in row] for row in question.rows],
        "chart": vars(picture.proposed(question.columns, question.rows)),
    }


def shown(value: Any, most: int) -> str:
    """A value as the page shows it: exactly, but for what nobody could see or would read to its end."""
    text = query.exact(value)
    text = text if len(text) <= most else f"{text[:most]}…"
    return "\n".join(map(clean, text.split("\n")))


def guarded(row: Sequence[Any]) -> list[Any]:
    """A row for a file that a spreadsheet may open: a text that it would run as a formula gets an apostrophe."""
    return [f"'{one}" if isinstance(one, str) and FORMULA.match(one) else one for one in row]
