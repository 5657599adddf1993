"""An attempt is erased on the real servers: every byte below the home is read, as it is and unpacked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import Run
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from messages import attempt, publish, text
from reliability import Case
from scanner import holding

from etl.customers import door
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import Settings, load
from etl.store.customers import Customer, Customers
from etl.store.periods import Period

ID = "5a1f0e3c-9d47-4b52-8f31-c0ffee5e77ed"
EXAM = "the exam of the erased attempt"
OF_IT = text(attempt("erased", user_exam_id=ID, base_exam_id=EXAM))
NAMING = [b"{cut " + ID.encode(), text({"payload": attempt("erased", user_exam_id=ID)})]
PLACES = {
    "Kafka": "data/kafka/assessments-",
    "HDFS": "data/hdfs/data/",
    "pages": "reports/",
    "logs": "logs/",
}
SECONDS = 150  # until HDFS and Kafka have removed what is deleted


def end_segments_soon(settings: Settings) -> None:
    """Have Kafka begin a new segment with the next message, and remove an old one at once."""
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in (("segment.ms", "1000"), ("file.delete.delay.ms", "1"))
    ]
    resource = ConfigResource(ResourceType.TOPIC, settings.topic, incremental_configs=entries)
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})  # it must live as long as its answer
    (answer,) = admin.incremental_alter_configs([resource]).values()
    answer.result(20)


def left(settings: Settings, text: str = ID) -> list[str]:
    """The files that still hold a text when HDFS and Kafka had time to remove theirs."""
    ends = time.monotonic() + SECONDS
    while (paths := holding(settings.home, text)) and time.monotonic() < ends:
        time.sleep(5)
    return paths


@pytest.fixture
def owner(settings: Settings, run: Run) -> Iterator[Customer]:
    """A customer that owns the exam of the attempt and queries at its door."""
    run("customers", "add", "owner")
    run("up", "--engine", "all", "--customers")
    Customers(Hdfs(settings)).assign([Period(EXAM, "owner")])
    yield Customers(Hdfs(settings)).get("owner")
    run("customers", "remove", "owner")


def pseudonym(settings: Settings, owner: Customer) -> str:
    """What the customer's tables have in place of the id, which the customer and staff then query at the door."""
    with Hive(settings) as hive:
        statement = f"SELECT pseudonym FROM customers.attempt_owners WHERE attempt_id = '{ID}' AND customer = "
        ((name,),) = hive.query(f"{statement}'{owner.database}'").rows
    with Hive(door.as_customer(load(home=settings.home), owner)) as hive:
        assert hive.query(f"SELECT COUNT(*) FROM attempts WHERE attempt_id = '{name}'").rows == [(1,)]
        assert hive.query(f"SELECT COUNT(*) FROM attempts WHERE attempt_id = '{ID}'").rows == [(0,)]
    return str(name)


@pytest.mark.long
@pytest.mark.usefixtures("nasty")
def test_no_byte_of_an_erased_attempt_is_left(
    settings: Settings, run: Run, quick_build: Callable[..., None], owner: Customer, tmp_path: Path, case: Case
) -> None:
    for _ in range(2):  # the second message supersedes the first
        publish(settings, OF_IT, *NAMING, text(attempt("beside it", exam_name=f"beside {ID[:8]}")))
        run("land")
        quick_build()
    page = settings.reports / "page.html"
    page.parent.mkdir(exist_ok=True)
    page.write_text(f"<td>{ID}</td>")
    with Hive(settings) as hive:
        hive.query(f"SELECT COUNT(*) FROM flat.attempts WHERE attempt_id = '{ID}'")
    (settings.home / "logs" / "own.log").write_text(f"WHERE attempt_id = '{ID}'\n")
    name = pseudonym(settings, owner)
    run("customers", "queries")
    page = settings.home / "customers" / owner.name / "reports" / "page.html"
    page.parent.mkdir(parents=True)
    page.write_text(f"<td>{name}</td>")
    assert {path.split("/")[0] for path in holding(settings.home, name)} >= {"customers", "data", "logs"}
    before = holding(settings.home, ID)
    assert {name for name, place in PLACES.items() if any(path.startswith(place) for path in before)} == set(PLACES)

    end_segments_soon(settings)
    ids = tmp_path / "ids.txt"
    ids.write_text(ID)
    output = run("erase", "--from", str(ids), "--reason", "request 17").stderr
    assert "erased 1 attempts: 2 messages, 4 rejected ones" in output and "segment.ms" in output
    assert ID not in output
    publish(settings, text(attempt("the next segment")))
    assert left(settings) == []
    assert left(settings, name) == []
    with Hive(settings) as hive:
        statement = f"SELECT COUNT(*) FROM ops.queries WHERE user_name = '{owner.database}' AND statement_text LIKE "
        assert hive.query(f"{statement}'%attempt_id = _{'x' * len(name)}_'").rows == [(1,)]
        assert hive.query(f"{statement}'%attempt_id = _{'x' * len(ID)}_'").rows == [(1,)]
    assert "no release to go back to" in run("rollback", code=1).stderr

    publish(settings, OF_IT, *NAMING)
    assert "offsets of erased attempts: 3" in run("land").stderr
    run("build")  # the account of the landings is a critical expectation
    with Hive(settings) as hive:
        for table in ("flat.messages", "flat.attempts", "flat.attempt_questions", "flat.question_options"):
            assert hive.query(f"SELECT COUNT(*) FROM {table} WHERE attempt_id = '{ID}'").rows == [(0,)]
        assert hive.query("SELECT COUNT(*) FROM flat.attempts WHERE attempt_id = 'attempt beside it'").rows == [(1,)]
        rows = hive.query("SELECT action, reason FROM ops.erasures ORDER BY decided_at").rows
    assert rows == [("requested", "request 17"), ("completed", "request 17")]
    case("Erasing an attempt", "every byte of a home of real servers read", "id and pseudonym found nowhere", 1)
