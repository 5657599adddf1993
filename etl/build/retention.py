"""How long tables keep what they hold, by the setting `keep_months`: what is older, and its removal by `clean`.

Raw tables lose messages that were published before the first day of a month, by the way of an erasure; flat tables
and marts follow from them. Tables of results lose the files of validations before that day. A customer loses attempts
that were started before it: nobody owns them any more.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping

from etl.build.build import build
from etl.build.clean import OF_RUNS, RUN, Leftover
from etl.build.erase import leave_out
from etl.errors import UsageError
from etl.land import spark_job
from etl.land.choice import Choice, older_than
from etl.land.rewrite import dropped
from etl.servers import kafka
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.setting_sources import near
from etl.settings import Settings
from etl.store import erasures, landings, lock
from etl.store.customers import Customer, Customers
from etl.store.erasures import CUSTOMER
from etl.store.ledger import Ledger

RAW = {f"raw.{table}": table for table in (spark_job.ACCEPTED, spark_job.REJECTED)}
RESULTS = {f"ops.{table.removesuffix('_v1')}": table for table in OF_RUNS}


def ends(settings: Settings, today: datetime.date) -> dict[str, datetime.datetime]:
    """The first moment, in UTC, that each table and customer of `keep_months` keeps.

    Raises UsageError for a table whose rows follow from others, or that does not exist.
    """
    for table in settings.keep_months:
        if table not in RAW | RESULTS and not table.startswith(CUSTOMER):
            raise UsageError(
                f"keep_months cannot limit {table}",
                near(table, RAW | RESULTS, f"it may name {', '.join(RAW | RESULTS)}, {CUSTOMER}NAME"),
            )
    months = {table: today.year * 12 + today.month - 1 - count for table, count in settings.keep_months.items()}
    return {
        table: datetime.datetime(month // 12, month % 12 + 1, 1, tzinfo=datetime.UTC) for table, month in months.items()
    }


def expired(settings: Settings) -> list[Leftover]:
    """What is older than the tables keep, raw tables as a row each."""
    if not settings.keep_months:
        return []
    hdfs, limits = Hdfs(settings), ends(settings, _today())
    rows = [Leftover(path, size, f"older than {limits[table]:%Y-%m-%d}") for table, path, size in _files(hdfs, limits)]
    if due := _due(hdfs, limits):
        choice = _choice(hdfs, due)
        for table, (count, size) in dropped(hdfs, choice, _last(hdfs)).items():
            if count:
                why = f"{count:,} messages published before {due[f'raw.{table}']:%Y-%m-%d}"
                rows.append(Leftover(f"lines of raw.{table}", size, why))
    for customer, day in _shorter(hdfs, limits).items():
        why = f"{_count(settings, customer, day):,} started before {day}, or at an unknown time"
        rows.append(Leftover(f"attempts of {customer.name}", 0, why))
    return rows


def expire(settings: Settings, say: Callable[[str], None]) -> list[Leftover]:
    """Remove what is older than the tables keep; what it was.

    Raises BusyError and ExpectationError as `build`: then nothing is removed from raw tables.
    """
    if not settings.keep_months:
        return []
    hdfs, limits = Hdfs(settings), ends(settings, _today())
    with lock.exclusive(settings, "erase"):
        rows = expired(settings)
        for _, path, _ in _files(hdfs, limits):
            hdfs.remove(*path.split("/"))
        if shorter := _shorter(hdfs, limits):
            days = {f"{CUSTOMER}{customer.database}": day for customer, day in shorter.items()}
            erasures.record_expiry(hdfs, days)
            Ledger(hdfs).erase()
        due = _due(hdfs, limits)
        if due and _last(hdfs):
            leave_out(settings, _choice(hdfs, due), _last(hdfs) + 1, say)
            erasures.record_expiry(hdfs, {table: f"{end:%Y-%m-%d}" for table, end in due.items()})
        elif shorter:
            build(settings, say, patience=lock.STEP_SECONDS)
    return rows


def longer_in_kafka(settings: Settings) -> str:
    """What Kafka keeps longer than raw.assessments does, in words; empty where it does not."""
    months = settings.keep_months.get("raw.assessments")
    if not months:
        return ""
    kept = kafka.retention_days(settings)
    if kept is not None and kept <= months * 31:
        return ""
    span = "forever" if kept is None else f"for {kept:,.0f} days"
    return f"Kafka keeps {settings.topic} {span}, raw.assessments for {months} months: set retention.ms of the topic"


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


def _files(hdfs: Hdfs, limits: Mapping[str, datetime.datetime]) -> list[tuple[str, str, int]]:
    """(table, path, bytes) of the files of old validations; the newest stays."""
    return [
        (name, f"ops/{table}/{file}", size)
        for name, table in RESULTS.items()
        if name in limits
        for file, size in hdfs.files("ops", table)[:-1]
        if RUN.fullmatch(file) and file < f"{limits[name]:r%Y%m%dT}"
    ]


def _due(hdfs: Hdfs, limits: Mapping[str, datetime.datetime]) -> dict[str, datetime.datetime]:
    """The raw tables whose old messages were not removed since the month began."""
    done = erasures.expiries(hdfs)
    return {table: end for table, end in limits.items() if table in RAW and done.get(table, "") < f"{end:%Y-%m-%d}"}


def _shorter(hdfs: Hdfs, limits: Mapping[str, datetime.datetime]) -> dict[Customer, str]:
    """The customers of which a release that readers may see has older attempts, and the first day that each keeps.

    Raises UsageError for a customer that does not exist.
    """
    days = {
        table.removeprefix(CUSTOMER): f"{end:%Y-%m-%d}" for table, end in limits.items() if table not in RAW | RESULTS
    }
    owners = Customers(hdfs)
    customers = {customer.name: customer for customer in owners.current()} if days else {}
    if strange := sorted(days.keys() - customers.keys()):
        raise UsageError(
            f"keep_months names {CUSTOMER}{strange[0]}, which is no customer",
            near(strange[0], customers, "see ./warehouse customers list"),
        )
    events = Ledger(hdfs).state().publications[-2:] if days else []
    visible = [period for event in events for period in owners.released(event.release) or ()]
    return {
        customers[name]: day
        for name, day in days.items()
        if any(period.customer == customers[name].database and period.begin < day for period in visible)
    }


def _count(settings: Settings, customer: Customer, day: str) -> int:
    """How many attempts of a customer were started before a day, or at a time that is unknown."""
    with Hive(settings) as hive:
        ((count,),) = hive.query(
            f"SELECT COUNT(*) FROM customers.owned_attempts WHERE customer = '{customer.database}' "  # noqa: S608
            f"AND (started_date IS NULL OR started_date < DATE '{day}')"
        ).rows
    return int(count)


def _choice(hdfs: Hdfs, due: Mapping[str, datetime.datetime]) -> Choice:
    rows = [row for folder in landings.current(hdfs).folders for row in landings.account(hdfs, folder)]
    replayed = {(row["kafka_partition"], offset) for row in rows for offset in row["replayed_offsets"]}
    return older_than({RAW[table]: int(end.timestamp() * 1000) for table, end in due.items()}, replayed)


def _last(hdfs: Hdfs) -> int:
    """The last landing that may lose messages: it is published, and not the newest; 0 for none."""
    published = Ledger(hdfs).state().published
    return max(0, min(published.landing if published else 0, landings.current(hdfs).last - 1))
