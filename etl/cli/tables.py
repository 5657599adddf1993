"""build, plan, rollback, clean, compact, validate: the tables that readers see, made, judged and taken back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from etl import terminal
from etl.cli import shared
from etl.cli.shared import Engine, Json, app, conf, write, writing
from etl.errors import ExpectationError
from etl.terminal import progress, say


@app.command(epilog="Example: ./warehouse build flat.attempts")
def build(
    tables: Annotated[list[str] | None, typer.Argument(metavar="[TABLE]...", autocompletion=shared.tables)] = None,
    is_full: Annotated[bool, typer.Option("--full", help="Read all of raw again, not only what is new.")] = False,
    engine: Engine = None,
    as_json: Json = False,
) -> None:
    """Build what is due, validate it, let readers see it.

    Runs the SQL files of flat and marts, or just those of the tables that are named.
    """
    built(tables, engine, as_json, "FULL" if is_full else "NEW")


def built(tables: list[str] | None, engine: str | None, as_json: bool = False, how: str = "NEW") -> bool:
    """Build, and say what was found; False where nothing was due."""
    from etl.build.build import build as run
    from etl.build.fill import How

    validated = run(writing(engine), tables or [], say, terminal.watch, How[how])
    if validated is None:
        if as_json:
            write({"build_id": None})  # nothing was due
        say("every table is up to date")
        return False
    show(validated, as_json)
    return True


@app.command(epilog="Example: ./warehouse plan")
def plan(engine: Engine = None, as_json: Json = False) -> None:
    """Show what build would do, and why; changes no table."""
    from etl import query
    from etl.build import build
    from etl.servers.hive import Hive, Result

    given = conf(engine)
    with progress("plan"), Hive(given) as hive:
        todo = build.plan(given, hive)
    rows: list[tuple[Any, ...]] = [
        (step.file.name, "build" if step.is_due else "keep", step.why) for step in todo.steps
    ]
    result = Result(["table", "action", "why"], rows)
    if as_json:
        write({"landing": todo.landing, "published": todo.published, "steps": result.dictionaries()})
    else:
        print(query.formatted(result, "table"))
    say(f"newest landing {todo.landing}, {len(todo.due)} of {len(rows)} tables to build")


@app.command(epilog="Example: ./warehouse rollback")
def rollback(engine: Engine = None, as_json: Json = False) -> None:
    """Let readers see the build before the published one.

    The next build publishes anew.
    """
    from etl.store.published import rollback as run

    with progress("rollback"):
        back = run(writing(engine), say)
    if as_json:
        write(back)


@app.command(epilog="Example: ./warehouse clean --yes")
def clean(
    engine: Engine = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it, do not just show it.")] = False,
    as_json: Json = False,
) -> None:
    """Show, or with --yes remove, builds that nobody needs.

    And what killed runs left; never what is published or one step back.
    """
    from etl import query
    from etl.build.clean import clean as run
    from etl.servers.hive import Result

    with progress("clean"):
        found = run(writing(engine) if yes else conf(engine), yes)
    total = sum(one.bytes for one in found)
    result = Result(["path", "bytes", "why"], [(one.path, one.bytes, one.why) for one in found])
    if as_json:
        write({"is_removed": yes, "bytes": total, "paths": result.dictionaries()})
    else:
        print(query.formatted(result, "table"))
    told = f"{len(found)} paths, {total:,} bytes"
    say(f"removed {told}" if yes else f"would remove {told}; nothing was removed without --yes")


@app.command(epilog="Example: ./warehouse compact")
def compact(engine: Engine = None, as_json: Json = False) -> None:
    """Write landings and flat tables in fewer, larger files.

    The rows stay the same; those of the flat tables are validated and published as a build.
    """
    from etl.land.compact import compact as run

    run(writing(engine), say)
    built(None, engine, as_json, "COMPACT")


@app.command(epilog="Example: ./warehouse validate")
def validate(engine: Engine = None, as_json: Json = False) -> None:
    """Hold what readers see against the expectations.

    Exit code 3 when a critical one is not met.
    """
    from etl.validate.validate import validate as run

    validated = run(writing(engine), say)
    show(validated, as_json)
    if not validated.is_good:
        raise ExpectationError("critical expectations are not met", f"look at {validated.summary}")


def show(validated: Any, as_json: bool) -> None:
    """Print the verdict, line by line or as a document of all results; the start page leads to its pages."""
    from etl.catalog import catalog_pages as site

    site.write_start(conf())
    if as_json:
        write(
            {
                "build_id": next((row["build_id"] for row in validated.rows), None),
                "is_good": validated.is_good,
                "seconds": validated.seconds,
                "summary": validated.summary,
                "results": validated.rows,
            }
        )
    for row in validated.failed:
        column = f" {row['column_name']}" if row["column_name"] else ""
        say(f"{row['severity']}: {row['table_name']}{column}: {row['expectation']}: {row['observed']}")
    met = len(validated.rows) - len(validated.failed)
    say(f"{met} of {len(validated.rows)} expectations met in {validated.seconds:.1f} s: {validated.summary}")
