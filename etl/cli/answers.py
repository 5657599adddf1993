"""report, docs, query, serve, beeline: questions to the tables, and their answers."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from etl import terminal
from etl.cli.shared import Engine, Json, Variables, app, conf, formats, pairs, state, write
from etl.errors import UsageError
from etl.terminal import progress, say


@app.command(epilog="Example: ./warehouse report")
def report(
    engine: Engine = None,
    as_json: Json = False,
    notebook: Annotated[bool, typer.Option(help="Write it as a notebook too.")] = True,
) -> None:
    """Answer the questions of sql/4_reports as a page.

    As HTML, as Markdown and as a notebook; the answers in short go to standard output.
    """
    from etl.catalog import catalog_pages as site
    from etl.report.report import report as run
    from etl.report.report import sessions

    given = conf(engine)
    with progress("report") as bar, sessions(given) as queries:
        each = partial(bar.each, name=lambda file: file.name)
        done = run(given, queries, watch=each, as_notebook=notebook)
    if as_json:
        answers = [{"name": one.name, "question": one.question, "answer": one.sentence} for one in done.sections]
        write({"html": done.html, "markdown": done.markdown, "notebook": done.notebook, "answers": answers})
    else:
        for answer in done.answers:
            print(terminal.escaped(answer))
    site.write_start(given)
    paths = [str(path) for path in (done.html, done.markdown, done.notebook) if path]
    say(f"answered {len(done.sections)} questions: {', '.join(paths[:-1])} and {paths[-1]}")


@app.command(epilog="Example: ./warehouse docs")
def docs(engine: Engine = None, as_json: Json = False) -> None:
    """Write the catalog of all tables and a start page.

    The start page leads to all other pages; it opens where a person has a browser.
    """
    from etl.catalog import catalog_pages as site

    with progress("docs"):
        path, found = site.docs(conf(engine))
    for note in found.notes:
        say(f"not all is known: {note}")
    columns = sum(not column.is_field for table in found.tables for column in table.columns)
    if as_json:
        write({"start": path, "files": len(found.tables), "columns": columns, "notes": found.notes})
    say(f"described {len(found.tables)} SQL files with {columns} columns: {path}")
    if not as_json:
        site.shows(path)


@app.command(epilog='Example: ./warehouse query "SELECT COUNT(*) AS attempts FROM flat.attempts" --json')
def query(
    statement: Annotated[str | None, typer.Argument(metavar="[SQL]")] = None,
    file: Annotated[Path | None, typer.Option("-f", "--file", help="Run a SQL file instead.")] = None,
    form: Annotated[str | None, typer.Option("--format", help="table, csv or json.", autocompletion=formats)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    hivevar: Variables = [],  # noqa: B006
    engine: Engine = None,
) -> None:
    """Ask in SQL.

    The rows go to standard output, and nothing else does.
    """
    from etl import query as verb

    if form not in (None, "table", "csv", "json"):
        raise UsageError(f"--format cannot be {form!r}", "give table, csv or json")
    if as_json and form not in (None, "json"):
        raise UsageError(f"--format {form} and --json are two forms", "give one of both")
    statements = verb.read(statement, file, pairs(hivevar, "--hivevar"))
    with progress("query"):
        result = verb.query(conf(engine), statements, terminal.watch)
    print(verb.formatted(result, "json" if as_json else form or "table"))


@app.command(epilog="Example: ./warehouse serve --port 8000")
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes a free port.")] = 8000,
    engine: Engine = None,
) -> None:
    """Serve the pages, and one to ask questions on, at 127.0.0.1.

    Every user of this machine can reach them.
    """
    from etl.serve.serve import serve as verb

    verb(conf(engine), port, say, debug=state["debug"])


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    epilog='Example: ./warehouse beeline -e "SHOW DATABASES"',
)
def beeline(context: typer.Context, engine: Engine = None) -> None:
    """Run the real beeline, with beeline's own arguments."""
    from stack import client

    raise typer.Exit(client.beeline(conf(engine), context.args))
