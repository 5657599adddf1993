"""report, docs, query, export, connect, serve, beeline: what readers of the tables use."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl import terminal
from etl.cli.shared import Engine, Json, Variables, app, conf, formats, pairs, write
from etl.errors import UsageError
from etl.terminal import progress, say

if TYPE_CHECKING:
    from etl.settings import Settings
    from etl.store.customers import Customer


OfCustomer = Annotated[
    str | None, typer.Option("--customer", metavar="NAME", help="Log in at the customers' door as this customer.")
]


def _at_door(name: str) -> tuple[Settings, Customer]:
    """The settings of a session of a customer, and the customer."""
    from etl.customers import door

    given = conf()
    customer = door.customer(given, name)
    return door.as_customer(given, customer), customer


@app.command(epilog="Example: ./warehouse report")
def report(
    engine: Engine = None,
    as_json: Json = False,
    notebook: Annotated[bool, typer.Option(help="Also write a notebook.")] = True,
    customer: OfCustomer = None,
) -> None:
    """Answer the questions of sql/4_reports on a page.

    Writes HTML, Markdown and a notebook; short answers go to standard output. A customer's report
    has the questions that its tables can answer, and no notebook.
    """
    from etl.catalog import catalog_pages as site
    from etl.report.report import report as run
    from etl.report.report import sessions

    given, sources = conf(engine), None
    if customer is not None:
        from etl.customers.questions import questions

        given, whose = _at_door(customer)
        sources, notebook = questions(whose), False
        given = given.model_copy(update={"home": given.home / "customers" / customer})
    with progress("report") as bar, sessions(given) as queries:
        each = partial(bar.each, name=lambda file: file.name)
        done = run(given, queries, sources, watch=each, as_notebook=notebook)
    if as_json:
        answers = [
            {"name": section.name, "question": section.question, "answer": section.sentence}
            for section in done.sections
        ]
        write({"html": done.html, "markdown": done.markdown, "notebook": done.notebook, "answers": answers})
    else:
        for answer in done.answers:
            print(terminal.escaped(answer))
    if customer is None:
        site.write_start(given)
    paths = [str(path) for path in (done.html, done.markdown, done.notebook) if path]
    say(f"answered {len(done.sections)} questions: {', '.join(paths[:-1])} and {paths[-1]}")


@app.command(epilog="Example: ./warehouse docs")
def docs(engine: Engine = None, as_json: Json = False) -> None:
    """Write the catalog of all tables, and a start page.

    The start page links to all other pages; it opens in a browser if there is one.
    """
    from etl.catalog import catalog_pages as site

    with progress("docs"):
        path, catalog = site.docs(conf(engine))
    for note in catalog.notes:
        say(f"incomplete: {note}")
    columns = sum(not column.is_field for table in catalog.tables for column in table.columns)
    if as_json:
        write({"start": path, "files": len(catalog.tables), "columns": columns, "notes": catalog.notes})
    say(f"described {len(catalog.tables)} SQL files with {columns} columns: {path}")
    if not as_json:
        site.shows(path)


@app.command(epilog='Example: ./warehouse query "SELECT COUNT(*) AS attempts FROM flat.attempts" --json')
def query(
    statement: Annotated[str | None, typer.Argument(metavar="[SQL|-]")] = None,
    file: Annotated[Path | None, typer.Option("-f", "--file", help="Run the statements of a SQL file.")] = None,
    form: Annotated[str | None, typer.Option("--format", help="table, csv or json.", autocompletion=formats)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    writes: Annotated[bool, typer.Option("--write", help="Also run statements that write.")] = False,
    hivevar: Variables = [],  # noqa: B006
    engine: Engine = None,
    customer: OfCustomer = None,
) -> None:
    """Run SQL from the argument, a file or standard input (-).

    Only the rows of the statements go to standard output. Statements that do more than read are
    refused without --write, which guards against slips but grants no permission.
    """
    from etl.query.query import query as verb
    from etl.query.statements import check_reads, read

    if form not in (None, "table", "csv", "json"):
        raise UsageError(f"--format cannot be {form!r}", "give table, csv or json")
    if as_json and form not in (None, "json"):
        raise UsageError(f"--format {form} contradicts --json", "give one of them")
    statements = read(statement, file, pairs(hivevar, "--hivevar"))
    if not writes:
        check_reads(statements)
    given = conf(engine) if customer is None else _at_door(customer)[0]
    verb(given, statements, "json" if as_json else form or "table", sys.stdout)


@app.command(epilog="Example: ./warehouse export marts.exams --to exams.parquet")
def export(
    source: Annotated[str, typer.Argument(metavar="SQL|TABLE")],
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="A .parquet, .csv or .jsonl file to write.")],
    engine: Engine = None,
) -> None:
    """Export the rows of a query or of a table to a file.

    Types are kept, rows are streamed, and an error leaves the file unchanged.
    """
    from etl.query.export import export as verb

    with progress("export") as bar:
        rows = verb(conf(engine), source, to, lambda done: bar.note(f"{done:,} rows"))
    say(f"exported {rows:,} rows to {to}, {to.stat().st_size:,} bytes")


@app.command(epilog="Example: ./warehouse connect --engine hive")
def connect(engine: Engine = None, as_json: Json = False) -> None:
    """Show what each client needs to connect to the SQL server.

    Covers PyHive, SQLAlchemy, pandas, JDBC, Superset, dbt, Hue and DuckDB; docs/connect.md has an example of each.
    """
    from etl.servers.clients import clients

    given = conf(engine)
    needs = clients(given)
    if as_json:
        write({"engine": given.engine, "server": given.sql_server, "clients": needs})
        return
    width = max(map(len, needs))
    for name, need in needs.items():
        print(f"{name:{width}}  {need}")


@app.command(epilog="Example: ./warehouse serve --port 8000")
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 8000,
) -> None:
    """Serve the pages on 127.0.0.1, and metrics at /metrics.

    Every user of this machine can reach them.
    """
    from etl.serve.serve import serve as verb

    verb(conf, port, say)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    epilog='Example: ./warehouse beeline -e "SHOW DATABASES"',
)
def beeline(context: typer.Context, engine: Engine = None) -> None:
    """Run Hive's beeline, with its own arguments."""
    from stack import client

    raise typer.Exit(client.beeline(conf(engine), context.args))
