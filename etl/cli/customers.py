"""customers list, add, remove, assign, users, check, queries: whose exams they are, and who may query them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl.cli.shared import Json, app, conf, write, writing
from etl.errors import EXIT_FAILED, UsageError
from etl.terminal import escaped, progress, say

if TYPE_CHECKING:
    from etl.store.periods import Period

customers = typer.Typer(
    no_args_is_help=True,
    help="Customers: which exams they own, and who may query them (docs/customers.md).",
    epilog="Example: ./warehouse customers add acme",
)
app.add_typer(customers, name="customers")
COLUMNS = ("exam_id", "customer", "valid_from", "valid_to")
Name = Annotated[str, typer.Argument(metavar="NAME")]


@customers.command("list", epilog="Example: ./warehouse customers list")
def list_(as_json: Json = False) -> None:
    """Show every customer, its database and how many exams it owns."""
    from etl import query
    from etl.servers.hdfs import Hdfs
    from etl.servers.hive import Result
    from etl.store.customers import Customers

    owners = Customers(Hdfs(conf()))
    exams: dict[str, set[str]] = {}
    for period in owners.periods():
        exams.setdefault(period.customer, set()).add(period.exam_id)
    rows = [(customer.name, customer.database, len(exams.get(customer.database, ()))) for customer in owners.current()]
    result = Result(["customer", "database_name", "exams"], [*rows])
    print(query.formatted(result, "json" if as_json else "table"))
    if rows:
        from etl.customers.unowned import unowned

        for line in unowned(conf()):
            say(line)


@customers.command(epilog="Example: ./warehouse customers add acme")
def add(
    name: Name,
    database: Annotated[str | None, typer.Option(help="Its database; others may see this name.")] = None,
) -> None:
    """Add a customer, with a database of an opaque name."""
    from etl.build.customers import add as run
    from etl.customers import door

    given = writing()
    with progress("customers add"):
        customer = run(given, name, database)
        if not given.customers_ldap:
            door.prepare(given)
            door.add_login(given, customer)
        if not given.customers_door:
            say(f"added {name}; run ./warehouse up --customers, which also grants its rights")
            return
        with door.administrator(given) as hive:
            door.grant(hive, customer)
            if not given.customers_ldap:
                door.add_member(hive, customer, customer.database)
    say(f"added {name}, whose database is {customer.database}; assign exams to it and run ./warehouse build")


@customers.command(epilog="Example: ./warehouse customers remove acme")
def remove(name: Name) -> None:
    """Remove a customer with its database, rights and logins.

    Its exams belong to nobody, and its attempts from the next build on.
    """
    from etl.build.customers import remove as run
    from etl.customers import door
    from etl.servers import logins
    from etl.servers.hdfs import Hdfs
    from etl.store.customers import Customers

    given = writing()
    customer = Customers(Hdfs(given)).get(name, also_removed=True)
    with progress("customers remove"):
        logins.remove(door.password_file(given), customer.database)
        door.reader_file(given, customer).unlink(missing_ok=True)
        run(given, name)
        if given.customers_door:
            with door.administrator(given) as hive:
                door.revoke(given, hive, customer)
        else:
            say("run ./warehouse up --customers to remove its other logins")
    say(f"removed {name}; run ./warehouse build, and clean --yes later, to remove its rows")


@customers.command(epilog="Example: ./warehouse customers assign owners.csv")
def assign(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help=f"CSV with {', '.join(COLUMNS)}.")] = None,
    exam: Annotated[list[str], typer.Option(help="An exam id (repeatable).")] = [],  # noqa: B006
    customer: Annotated[str | None, typer.Option(help="Its owner, or nobody with --transfer.")] = None,
    valid_from: Annotated[str | None, typer.Option("--from", metavar="DATE", help="The first UTC day.")] = None,
    valid_to: Annotated[str | None, typer.Option("--to", metavar="DATE", help="The UTC day after the last.")] = None,
    is_transfer: Annotated[bool, typer.Option("--transfer", help="Take the exams from their owners.")] = False,
) -> None:
    """Assign exams to customers, from a CSV file or by options.

    An empty day means no limit. Periods that overlap existing ones are refused; with --transfer they replace them.
    """
    from etl.servers.hdfs import Hdfs
    from etl.store.customers import Customers

    if (file is None) == (not exam or customer is None):
        raise UsageError("customers assign requires a CSV file, or --exam and --customer", "give one of them")
    if file is not None:
        periods = _periods(file)
    else:
        row = {"customer": str(customer), "valid_from": valid_from or "", "valid_to": valid_to or ""}
        periods = [_period({"exam_id": name, **row}, "the options") for name in exam]
    Customers(Hdfs(writing())).assign(periods, is_transfer)
    say(
        f"assigned {len(periods)} periods of {len({period.exam_id for period in periods})} exams; run ./warehouse build"
    )


def _periods(file: Path) -> list[Period]:
    """The rows of a CSV file. Raises UsageError naming the line that cannot be used."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise UsageError(f"{file} begins with {reader.fieldnames}", f"begin it with {','.join(COLUMNS)}")
            return [_period(row, f"line {reader.line_num} of {file}") for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{file} cannot be read: {error}", "give a CSV file in UTF-8") from error


def _period(row: Mapping[str, str | None], place: str) -> Period:
    import datetime

    from etl.store.periods import Period

    exam, customer, valid_from, valid_to = (row[name] or "" for name in COLUMNS)
    for day in filter(None, (valid_from, valid_to)):
        try:
            is_day = datetime.date.fromisoformat(day).isoformat() == day
        except ValueError:
            is_day = False
        if not is_day:
            raise UsageError(f"{day!r} in {place} is not a date", "write it as 2018-01-31")
    if not exam or not customer:
        raise UsageError(f"{place} has no exam or no customer", "give both")
    return Period(exam, customer, valid_from or None, valid_to or None)


@customers.command(epilog="Example: ./warehouse customers users acme --add alice")
def users(
    name: Name,
    added: Annotated[list[str], typer.Option("--add", metavar="USER", help="Login to add (repeatable).")] = [],  # noqa: B006
    removed: Annotated[list[str], typer.Option("--remove", metavar="USER", help="Login to remove (repeatable).")] = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Show, add and remove the logins of a customer.

    The password of a login that is added goes to standard output once; with customers_ldap the
    directory has it.
    """
    from etl.customers import door
    from etl.servers import logins
    from etl.servers.hdfs import Hdfs
    from etl.store.customers import Customers

    given = writing() if added or removed else conf()
    customer = Customers(Hdfs(given)).get(name)
    with door.administrator(given) as hive:
        door.grant(hive, customer)
        for user in added:
            door.add_member(hive, customer, user)
            if not given.customers_ldap:
                print(f"{user} {logins.add(door.password_file(given), user)}")
        for user in removed:
            if user not in door.members(hive, customer):
                raise UsageError(f"{user} is no user of {name}", f"see ./warehouse customers users {name}")
            logins.remove(door.password_file(given), user)  # first, since a second run asks the role for its users
            door.remove_member(hive, customer, user)
        members = door.members(hive, customer)
    if as_json:
        write({"customer": name, "users": members})
    elif not added:
        print("\n".join(members))
    say(f"{name} has {len(members)} users")


@customers.command(epilog="Example: ./warehouse customers check")
def check(as_json: Json = False) -> None:
    """Log in as each customer and try to reach the data of every other.

    Exit code 1 if an attempt succeeds.
    """
    from etl.customers.check import check as run

    pairs, escapes = [], 0
    for pair in run(conf()):
        tried = sum(pair.tried.values())
        escapes += len(pair.escapes)
        pairs.append({"customer": pair.own.name, "other": pair.other.name, "attempts": tried})
        say(f"{pair.own.name} against {pair.other.name}: {tried} attempts, {len(pair.escapes)} succeeded")
        for escape in pair.escapes:
            say(f"  {escape.attempt.kind}: {escape.attempt.statement}: {escape.gain}")
    if as_json:
        write({"pairs": pairs, "escapes": escapes})
    if escapes:
        raise typer.Exit(EXIT_FAILED)
    say(f"{len(pairs)} pairs, no attempt succeeded")


@customers.command(epilog="Example: ./warehouse customers queries")
def queries(as_json: Json = False) -> None:
    """Copy what the door logged into ops.queries, and show it; `build` copies it too."""
    from etl.customers.queries import collect

    rows = collect(writing())
    if as_json:
        write({"queries": rows})
    else:
        for row in rows:
            subject = row.get("statement_text") or "login"
            print(escaped(f"{row['started_at']} {row['user_name']} {row['outcome']}: {subject}"))
    say(f"added {len(rows):,} rows to ops.queries")
