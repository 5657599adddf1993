"""Logs in at the door as each customer and tries to get out, against every other customer."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from TCLIService import ttypes
from thrift.Thrift import TException

from etl.customers import door
from etl.customers.attempts import TABLE, Attempt, attempts
from etl.errors import ServerError
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive, message, reduced
from etl.servers.hive_session import Connection
from etl.settings import Settings
from etl.sqltext import in_quotes
from etl.store.customers import Customer, Customers

SAMPLES = 20  # pseudonyms of each customer that no other must read
LONGEST = 1000  # rows of a call


@dataclass(frozen=True)
class Escape:
    """An attempt that got something: its text, and what it got."""

    attempt: Attempt
    gain: str


@dataclass(frozen=True)
class Pair:
    """What a customer tried about another: how many attempts of each kind, and those that got something."""

    own: Customer
    other: Customer
    tried: Mapping[str, int]
    escapes: Sequence[Escape]


class Client:
    """A session at the door, with the calls that JDBC has and PyHive lacks."""

    def __init__(self, settings: Settings, configuration: Mapping[str, str] | None = None) -> None:
        self._connection = Connection(settings, configuration)

    def close(self) -> None:
        """Close it."""
        with contextlib.suppress(Exception):
            self._connection.close()

    def run(self, statement: str) -> str:
        """The answer to a statement as text."""
        cursor = self._connection.cursor()
        cursor.execute(statement)
        return repr(cursor.fetchall()) if cursor.description else ""

    def call(self, name: str, database: str) -> str:
        """The answer to a call of the protocol about a database as text."""
        session, any_name = self._connection.sessionHandle, "%"
        about = {"schemaName": database, "tableName": any_name}
        requests = {
            "GetCatalogs": ttypes.TGetCatalogsReq(session),
            "GetSchemas": ttypes.TGetSchemasReq(session, schemaName=any_name),
            "GetTables": ttypes.TGetTablesReq(session, **about),
            "GetColumns": ttypes.TGetColumnsReq(session, **about, columnName=any_name),
            "GetFunctions": ttypes.TGetFunctionsReq(session, functionName=any_name),
            "GetTypeInfo": ttypes.TGetTypeInfoReq(session),
            "GetTableTypes": ttypes.TGetTableTypesReq(session),
            "GetPrimaryKeys": ttypes.TGetPrimaryKeysReq(session, schemaName=database, tableName="attempts"),
            "GetCrossReference": ttypes.TGetCrossReferenceReq(
                session,
                parentSchemaName=database,
                parentTableName="attempts",
                foreignSchemaName=database,
                foreignTableName="attempt_questions",
            ),
            "GetInfo": ttypes.TGetInfoReq(session, ttypes.TGetInfoType.CLI_DBMS_NAME),
        }
        answer = getattr(self._connection.client, name)(requests[name])
        if answer.status.statusCode == ttypes.TStatusCode.ERROR_STATUS:
            return str(answer.status.errorMessage)
        if name == "GetInfo":
            return repr(answer.infoValue)
        fetch = ttypes.TFetchResultsReq(answer.operationHandle, ttypes.TFetchOrientation.FETCH_NEXT, LONGEST)
        return repr(self._connection.client.FetchResults(fetch).results)


def secrets(settings: Settings, customers: Sequence[Customer]) -> dict[str, set[str]]:
    """By database, what no other customer must read: its name, exams that are its alone, pseudonyms."""
    with Hive(settings) as hive:
        exams = hive.query("SELECT customer, exam_id, exam_name FROM customers.owned_exams").rows
        rows = hive.query(
            "SELECT customer, attempt_id FROM (SELECT customer, attempt_id, ROW_NUMBER() OVER "  # noqa: S608
            "(PARTITION BY customer ORDER BY attempt_id) AS place FROM customers.owned_attempts) AS attempts "
            f"WHERE place <= {SAMPLES}"
        ).rows
    names = {customer.database: {customer.name, customer.database} for customer in customers}
    owners: dict[str, set[str]] = {}
    for database, *texts in exams:
        for text in texts:
            owners.setdefault(text, set()).add(database)
    for text, databases in owners.items():
        if len(databases) == 1:
            names.setdefault(next(iter(databases)), set()).add(text)
    for database, pseudonym in rows:
        names.setdefault(database, set()).add(pseudonym)
    return names


def check(settings: Settings) -> Iterator[Pair]:
    """Try everything as each customer against every other, and against what nobody owns.

    Raises UsageError where this home has no login of a customer.
    """
    customers = Customers(Hdfs(settings)).current()
    texts = secrets(settings, customers)
    nobody = Customer("nobody", "customers")
    for own in customers:
        for other in [customer for customer in customers if customer != own] or [nobody]:
            hidden = set().union(*(words for database, words in texts.items() if database != own.database))
            own_texts = "\n".join(texts[own.database]).lower()
            hidden = {word for word in hidden if word.lower() not in own_texts}
            yield pair(door.as_customer(settings, own), own, other, hidden, min(texts.get(other.database, {"x"})))


def pair(
    session: Settings, own: Customer, other: Customer, hidden: set[str], exam: str, has_rights: bool = True
) -> Pair:
    """Try everything in sessions of one customer against another; `has_rights` says that it must read its own.

    Raises StatementError where it cannot, ServerError where the door does not answer, or goes away.
    """
    tried: dict[str, int] = {}
    escapes = []
    with Hive(session) as hive:
        if has_rights:
            hive.query(TABLE.format(table=f"{own.database}.attempts"))  # else every refusal would prove nothing
    client = Client(session)
    try:
        for attempt in attempts(own.database, other.database, other.database, exam):
            tried[attempt.kind] = tried.get(attempt.kind, 0) + 1
            sent = " ".join([attempt.statement, *attempt.session.values()]).replace(in_quotes(exam), exam)
            gain = _gain(client, session, attempt, {word for word in hidden if word not in sent})
            if gain:
                escapes.append(Escape(attempt, gain))
    except (OSError, EOFError, TException) as error:
        raise ServerError(
            f"the customers' door at {session.sql_server} went away: {reduced(error)}", "see ./warehouse status"
        ) from error
    finally:
        client.close()
    return Pair(own, other, tried, escapes)


def _gain(client: Client, session: Settings, attempt: Attempt, hidden: set[str]) -> str:
    """What an attempt gets that it must not, empty for nothing."""
    from pyhive import hive

    opened = None
    try:
        if attempt.session:
            opened = Client(session, attempt.session)
        chosen = opened or client
        answer = chosen.call(*attempt.statement.split()) if attempt.call else chosen.run(attempt.statement)
    except hive.Error as error:  # the server refuses it; one that is gone refuses nothing, so its errors are raised
        return ", ".join(leaks(message(error), hidden))
    finally:
        if opened:
            opened.close()
    if attempt.must_fail:
        return f"it was not refused: {answer[:200]}"
    return ", ".join(leaks(str(answer), hidden))


def leaks(answer: str, secrets: Collection[str]) -> list[str]:
    """What an answer holds of what must not be returned."""
    return [text for text in secrets if re.search(rf"(?<!\w){re.escape(text)}(?!\w)", answer, re.IGNORECASE)]
