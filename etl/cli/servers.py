"""up, down, status, running, doctor: the servers, started and stopped, their health and what they run."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from etl import errors
from etl.cli.shared import Json, app, conf, engines_to_start, write
from etl.errors import UsageError
from etl.local_stack import SERVERS
from etl.terminal import escaped, progress, say


@app.command(epilog="Example: ./warehouse up --engine all")
def up(
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="spark|hive|all",
            help="Which engine runs the SQL; hive and all also start HiveServer2.",
            autocompletion=engines_to_start,
        ),
    ] = None,
    has_customers: Annotated[bool, typer.Option("--customers", help="Also open the customers' door.")] = False,
    until: Annotated[
        int | None, typer.Option(metavar="PID", help="Stop the servers when this process ends, however it ends.")
    ] = None,
) -> None:
    """Start the servers and wait until all are healthy.

    Kafka, HDFS, the metastore and Spark on 127.0.0.1, and HiveServer2 where --engine says so.
    """
    from stack import processes

    if engine not in (None, "spark", "hive", "all"):
        raise UsageError(f"--engine cannot be {engine!r}", "give spark, hive or all")
    began = time.monotonic()
    if has_customers:
        from etl.customers import door

        door.prepare(conf())
    stack = processes.up(conf(), say, engine, until, has_customers)
    if has_customers:
        door.grant_all(conf())
    say(f"{len(stack['processes'])} servers are healthy after {time.monotonic() - began:.0f} s")


@app.command(epilog="Example: ./warehouse down")
def down() -> None:
    """Stop the servers that `up` started, and nothing else."""
    from stack import processes

    with progress("ending the servers"):
        ended = processes.down(conf())
    say(f"ended {len(ended)} servers{': ' if ended else ''}{', '.join(ended)}")


@app.command(epilog="Example: ./warehouse status --json")
def status(as_json: Json = False) -> None:
    """Show the address, process and health of every server."""
    from etl import query
    from etl.servers.hive import Result
    from stack import health

    given = conf()
    if not any(getattr(given, name) for name in SERVERS):
        given.address("bootstrap_servers")  # says that no stack is up
    with progress("asking every server"):
        rows = health.status(given)
    result = Result(["server", "address", "process", "health"], rows)
    print(query.formatted(result, "json" if as_json else "table"))
    if any(row[3] != "healthy" for row in rows):
        raise typer.Exit(errors.EXIT_FAILED)


@app.command(epilog="Example: ./warehouse running")
def running(
    end: Annotated[
        str | None, typer.Option(metavar="ID", help="End the statement with this id, or with an id that begins so.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the statements that run on the engines, or end one.

    A statement of Spark is listed while it runs jobs; so is a landing.
    """
    from etl import query
    from etl.servers.hive import Result
    from stack import running as verb

    if end is not None:
        ended = verb.end(conf(), end)
        say(f"ended on {ended.engine}: {ended.text}")
        return
    statements = verb.running(conf())
    rows: list[tuple[Any, ...]] = [
        (statement.engine, statement.id, f"{statement.since:%Y-%m-%d %H:%M:%S}", statement.text)
        for statement in statements
    ]
    result = Result(["engine", "id", "since_utc", "statement"], rows)
    print(query.formatted(result, "json" if as_json else "table"))


def _metastore() -> list[Any]:
    """What the metastore lacks, as faults; nothing where a server is away, which is a fault of its own."""
    from etl.build.repair import check
    from stack.doctor import Check

    try:
        missing = check(conf())
    except errors.WarehouseError:
        return []
    if not missing:
        return [Check(True, "the metastore has every table, view and partition")]
    return [Check(False, f"the metastore lacks {name}", "run ./warehouse repair") for name in missing]


@app.command(epilog="Example: ./warehouse doctor")
def doctor(as_json: Json = False) -> None:
    """Find faults, and say what to do about each.

    Checks this machine, the packages, the ports, every setting that is not the default, every server and its version.
    """
    from etl.cli.shared import state
    from stack import doctor as verb

    with progress("doctor") as bar:
        checks = [*verb.examine(conf(), state["flags"], bar), *_metastore()]
    faults = sum(not check.is_good for check in checks)
    if as_json:
        write({"faults": faults, "checks": checks})
    else:
        for check in checks:
            print(escaped(f"{'ok   ' if check.is_good else 'FAULT'}  {check.text}{check.step and f': {check.step}'}"))
    say(f"{faults} faults")
    if faults:
        raise typer.Exit(errors.EXIT_FAILED)
