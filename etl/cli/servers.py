"""up, down, status, check, running, doctor, superset: the servers, their health and how things stand."""

from __future__ import annotations

import dataclasses
import datetime
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from etl import errors
from etl.cli.shared import Engine, Json, app, conf, engines_to_start, recorded, write
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
        int | None, typer.Option(min=1, metavar="PID", help="Stop the servers when this process ends, however it ends.")
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
def status(
    metrics: Annotated[
        Path | None,
        typer.Option(metavar="FILE.prom", help="Also write the facts as metrics, for a Prometheus node exporter."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show every server, and the state of the data.

    The newest message, what is landed, what readers see and how far it lags, the last validation, running statements.
    """
    from etl import query
    from etl.monitoring.facts import facts as read
    from etl.servers.hive import Result
    from stack import health

    given = conf()
    if not any(getattr(given, name) for name in SERVERS):
        given.address("bootstrap_servers")  # says that no stack is up
    with progress("status"):
        result = Result(["server", "address", "process", "health"], health.status(given))
        facts = read(given)
    if metrics:
        from etl.monitoring.metrics import write_metrics

        write_metrics(facts, metrics)
    if as_json:
        write({"servers": result.dictionaries(), "facts": facts})
    else:
        rows = [(name.replace("_", " "), value) for name, value in dataclasses.asdict(facts).items()]
        print(query.formatted(result, "table"))
        print(query.formatted(Result(["fact", "value"], [(name, _text(value)) for name, value in rows]), "table"))
    if any(row[3] != "healthy" for row in result.rows):
        raise typer.Exit(errors.EXIT_FAILED)


def _text(value: Any) -> str | None:
    """A fact for people."""
    if isinstance(value, tuple):
        return "; ".join(value) or "none"
    if isinstance(value, datetime.datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return value if value is None else f"{value:,.0f}" if isinstance(value, float) else str(value)


@app.command(epilog="Example: ./warehouse check --max-age 1h --max-lag 10000")
def check(
    max_age: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How old the newest messages that readers see may be: 90s, 15m, 1h, 2d."),
    ] = None,
    max_lag: Annotated[
        int | None, typer.Option(min=0, metavar="MESSAGES", help="How many messages may wait to be seen by readers.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that data is on time, complete and valid.

    Exit code 3 when data is late or lost or when a validation or another command failed,
    1 when a server does not answer.
    """
    from etl.monitoring import limits
    from etl.monitoring.facts import facts as read

    age = None if max_age is None else limits.seconds(max_age)
    with recorded("freshness"):
        facts = read(conf())
        faults = [*limits.faults(facts, age, max_lag)]
        if as_json:
            write({"faults": [*faults, *facts.unknown], "facts": facts})
        for fault in faults[1:]:
            say(fault)
        if faults:
            raise errors.ExpectationError(faults[0])
        if facts.unknown:
            raise errors.ServerError(facts.unknown[0])
    say(f"readers see release {facts.release}, {facts.lag_messages} messages behind Kafka")


@app.command(epilog="Example: ./warehouse running")
def running(
    end: Annotated[str | None, typer.Option(metavar="ID", help="End the statement with this id or id prefix.")] = None,
    as_json: Json = False,
) -> None:
    """Show the statements that run on the engines, or end one.

    Statements of Spark are listed while they run jobs, and so are landings.
    """
    from etl import query
    from etl.servers import running as verb
    from etl.servers.hive import Result

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
    """Find faults, and show how to fix each.

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


@app.command(epilog="Example: ./warehouse superset")
def superset(
    engine: Engine = None,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Only write the ZIP file that Superset imports.")
    ] = None,
) -> None:
    """Start Apache Superset: SQL in a browser, charts, a dashboard.

    Installs it below the home (0.8 GB) and imports datasets, saved queries, charts and a dashboard from the SQL files.
    Run it again to replace these; what you added stays. Listens on 127.0.0.1 only.
    """
    from etl.customers import door
    from etl.superset import assets, connections
    from stack import superset as verb

    given = conf(engine)
    if export is not None:
        written = assets.write(given, export)
        say(f"wrote {len(written) - 1} assets to {export}")
        return
    passwords = {assets.DATABASE: given.password()} if given.hive_auth == "LDAP" else {}
    of_customers = door.superset_logins(given)
    passwords |= {connections.key(customer): password for customer, password in of_customers.items()}
    more = connections.assets(given, of_customers)
    address = verb.start(given, lambda path: assets.write(given, path, more), passwords, say)
    say(f"Superset is at {address}; log in as admin with the password in {verb.password_file(given)}")
