"""build, plan, rollback, repair, retire, clean, compact, validate: the tables that readers see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from etl import terminal
from etl.cli.shared import Engine, Json, app, conf, recorded, write, writing
from etl.errors import ExpectationError, WarehouseError
from etl.terminal import progress, say

if TYPE_CHECKING:
    from etl.settings import Settings


@app.command(epilog="Example: ./warehouse build")
def build(engine: Engine = None, as_json: Json = False) -> None:
    """Fill the flat tables, compute the marts, validate and publish."""
    built(engine, as_json)


def built(engine: str | None, as_json: bool = False) -> bool:
    """Build and print the verdict; False where nothing was due."""
    from etl.build.build import build as run
    from etl.customers.queries import collect

    with recorded("build"):
        given = writing(engine)
        validated = run(given, say, terminal.watch)
        collect(given)
    if given.clean_after_build:
        _clean_behind(given)
    if validated is None:
        if as_json:
            write({"release": None})
        say("readers see everything that was landed")
        return False
    show(validated, as_json)
    return True


def _clean_behind(settings: Settings) -> None:
    """Remove what no release needs any more; what prevents it is reported, and the next build tries again."""
    from etl.build.clean import clean as run

    try:
        leftovers = run(settings, is_removed=True)
        say(f"removed {len(leftovers)} paths that no release needs")
    except WarehouseError as error:
        say(f"not cleaned: {error}")


@app.command(epilog="Example: ./warehouse plan")
def plan(as_json: Json = False) -> None:
    """Show what build would do, and why. Changes nothing."""
    from etl import query
    from etl.build import plan as planning
    from etl.servers.hdfs import Hdfs
    from etl.servers.hive import Result
    from etl.store.ledger import Ledger

    hdfs = Hdfs(conf())
    todo = planning.plan(hdfs, Ledger(hdfs))
    reasons = [(file.table, todo.reason(file)) for file in todo.files if file.columns]
    result = Result(["table", "action", "why"], [(name, "build" if why else "keep", why) for name, why in reasons])
    if as_json:
        published = todo.published.release if todo.published else None
        write({"landing": todo.landing, "published": published, "steps": result.dictionaries()})
    else:
        print(query.formatted(result, "table"))
    due = sum(bool(why) for _, why in reasons)
    say(f"newest landing {todo.landing}, {due} of {len(reasons)} tables to build")


@app.command(epilog="Example: ./warehouse rollback")
def rollback(engine: Engine = None, as_json: Json = False) -> None:
    """Show readers the previous release.

    The next build publishes a new release.
    """
    from etl.build.rollback import rollback as run

    with progress("rollback"):
        back = run(writing(engine), say)
    if as_json:
        write(back)


@app.command(epilog="Example: ./warehouse repair")
def repair(engine: Engine = None, as_json: Json = False) -> None:
    """Recreate the metastore from HDFS and the SQL files.

    Recreates every database, table, partition, view and pointer, and prints what was missing.
    """
    from etl.build.repair import repair as run

    with progress("repair"):
        lost = run(writing(engine))
    if as_json:
        write({"missing": lost})
    else:
        for name in lost:
            print(terminal.escaped(f"was missing: {name}"))
    say(f"{len(lost)} objects were missing; everything was recreated")


@app.command(epilog="Example: ./warehouse retire marts.daily_activity_v1")
def retire(table: Annotated[str, typer.Argument(metavar="TABLE")], engine: Engine = None) -> None:
    """Remove a table whose SQL file was deleted.

    Builds, views and suites no longer include it; clean --yes removes its files.
    """
    from etl.build.retire import retire as run

    run(writing(engine), table, say)


@app.command(epilog="Example: ./warehouse clean --yes")
def clean(
    engine: Engine = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it instead of only showing it.")] = False,
    as_json: Json = False,
) -> None:
    """Show what is no longer needed; with --yes remove it.

    That is old releases, merged landings, leftovers of killed commands, and what is older than
    keep_months; never the published release or the one before.
    """
    from etl import query
    from etl.build import retention
    from etl.build.clean import clean as run
    from etl.servers.hive import Result

    with progress("clean"):
        given = writing(engine) if yes else conf(engine)
        leftovers = retention.expire(given, say) if yes else retention.expired(given)
        leftovers += run(given, yes)
    total = sum(leftover.bytes for leftover in leftovers)
    rows = [(leftover.path, leftover.bytes, leftover.why) for leftover in leftovers]
    result = Result(["path", "bytes", "why"], rows)
    if as_json:
        write({"is_removed": yes, "bytes": total, "paths": result.dictionaries()})
    else:
        print(query.formatted(result, "table"))
    if note := retention.longer_in_kafka(given):
        say(note)
    count = f"{len(leftovers)} paths, {total:,} bytes"
    say(f"removed {count}" if yes else f"would remove {count}; nothing was removed without --yes")


@app.command(epilog='Example: ./warehouse erase 37f0a30a-7464-11e6-aa92-a8667f27e5dc --reason "request 17"')
def erase(
    attempts: Annotated[list[str], typer.Argument(metavar="[ATTEMPT_ID]...")] = [],  # noqa: B006
    reason: Annotated[str, typer.Option(help="Why; it is kept in ops.erasures, so name no person.")] = "",
    source: Annotated[str, typer.Option("--from", metavar="FILE|-", help="Also the ids in a file, one per line.")] = "",
    engine: Engine = None,
    as_json: Json = False,
) -> None:
    """Erase attempts everywhere, for good.

    Removes them from raw and flat tables, marts, results, pages, logs and older releases. Deletes all
    landed messages of the Kafka topic, for all its consumers. Without ids it completes what was interrupted.
    """
    from etl.build.erase import attempt_ids
    from etl.build.erase import erase as run

    ids = attempt_ids(attempts, source, reason)
    done = run(writing(engine), ids, reason, say)
    if as_json:
        write(done)
    for place in done.naming:
        say(f"message {place} of another attempt mentions an erased one, and stays")
    say(f"erased {done.attempts:,} attempts: {done.accepted:,} messages, {done.rejected:,} rejected ones. {done.kafka}")


@app.command(epilog="Example: ./warehouse compact")
def compact(engine: Engine = None) -> None:
    """Merge small landings into fewer, larger files.

    Readers see the same rows before and after.
    """
    from etl.build.build import refill
    from etl.land.compact import compact as run

    given = writing(engine)
    if run(given, say):
        refill(given, say)
    else:
        say("there are no small landings to merge")


@app.command(epilog="Example: ./warehouse validate")
def validate(engine: Engine = None, as_json: Json = False) -> None:
    """Check the published tables against the expectations.

    Exit code 3 when a critical expectation fails.
    """
    from etl.build.repair import check
    from etl.validate.validate import published
    from etl.validate.validate import validate as run

    with recorded("validation"):
        given = writing(engine)
        if missing := check(given):
            raise ExpectationError(f"the metastore lacks {', '.join(missing[:5])}", "run ./warehouse repair")
        validated = run(given, say, published(given))
        show(validated, as_json)
        if not validated.is_good:
            raise ExpectationError(f"critical expectations failed: {validated.worst}", f"see {validated.summary}")


def show(validated: Any, as_json: bool) -> None:
    """Print the verdict, line by line or as a document of all results; the start page leads to its pages."""
    from etl.catalog import catalog_pages as site
    from etl.validate.validate import sentence

    site.write_start(conf())
    if as_json:
        write(
            {
                "release": next((row["release"] for row in validated.rows), None),
                "is_good": validated.is_good,
                "seconds": validated.seconds,
                "summary": validated.summary,
                "results": validated.rows,
            }
        )
    for row in validated.failed:
        say(f"{row['severity']}: {sentence(row)}")
    met = len(validated.rows) - len(validated.failed)
    say(f"{met} of {len(validated.rows)} expectations met in {validated.seconds:.1f} s: {validated.summary}")
