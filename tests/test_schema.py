"""The statements that make a table what its SQL file says, and what is refused, by what the metastore describes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from etl import sqlfile
from etl.errors import UsageError
from etl.servers.hive import Result, StatementError
from etl.settings import Settings, load
from etl.sqlfile import SqlFile
from etl.store import customer_schema
from etl.store.customers import Customer
from etl.store.landings import Folder, Generation
from etl.store.schema import JSON_COMMENT, Schema

COLUMNS = [("id", "string", "The visit"), ("seconds", "int", "How long"), ("landing", "bigint", "")]


class Killed(BaseException):
    """A command ends as by SIGKILL."""


class Metastore:
    """A session and the HDFS below it: one table with these columns; notes what is sent and removed.

    `hashes` is what ops.metastore has; a command that sends what begins with `deadly` is killed.
    """

    def __init__(self, columns: list[tuple[str, str, str]], hashes: str = "", deadly: str = "nothing") -> None:
        self.columns, self.sent, self.removed = columns, list[str](), list[str]()
        self.whole: list[str] = []  # the statements that `sent` has the beginnings of
        self.hashes, self.deadly = hashes, deadly

    def query(self, statement: str) -> Result:
        if statement.startswith("SELECT"):
            if self.hashes:
                return Result(["hashes", "release", "landing"], [(self.hashes, 0, 0)])
            raise StatementError("no ops.metastore", "")
        if saved := re.search(r"'(.*)' AS hashes", statement):
            self.hashes = saved[1].replace("\\u000a", "\n")
            return Result()
        if statement.startswith(self.deadly):
            raise Killed
        if statement.startswith("DESCRIBE"):
            partitions = [("", "", ""), ("# Partition Information", "", ""), ("landing", "bigint", "")]
            return Result(["col_name", "data_type", "comment"], [*self.columns, *partitions])
        self.whole.append(statement)
        self.sent.append(statement.split("\n")[0].partition(" (")[0])
        return Result([], [])

    def remove(self, *path: str) -> None:
        self.removed.append("/".join(path))


def visits(stage: str = "2_flat") -> SqlFile:
    text = """-- flat.visits: one row per visit.
-- Parameters: warehouse_root text
CREATE EXTERNAL TABLE IF NOT EXISTS flat.visits_v1 (id STRING COMMENT 'The visit', seconds INT COMMENT 'How long')
PARTITIONED BY (landing BIGINT) LOCATION '${warehouse_root}/flat/visits_v1';
"""
    return SqlFile(Path(f"/sql/{stage}/visits_v1.sql"), text)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(home=tmp_path, warehouse_root="hdfs://w/w")


def sent(
    settings: Settings, columns: list[Any], file: SqlFile, is_released: bool = True
) -> tuple[list[str], list[str]]:
    """What the second of two commands sends and removes, behind the CREATE TABLE that both send."""
    metastore: Any = Metastore(columns)
    Schema(settings, metastore, metastore).table(file, is_released)
    assert metastore.sent.pop(0) == "CREATE EXTERNAL TABLE IF NOT EXISTS flat.visits_v1"
    return metastore.sent, metastore.removed


def test_a_table_that_is_as_its_file_says_stays(settings: Settings) -> None:
    assert sent(settings, COLUMNS, visits()) == ([], [])


def test_the_same_statements_are_sent_once(settings: Settings) -> None:
    metastore: Any = Metastore(COLUMNS)
    schema = Schema(settings, metastore, metastore)
    schema.table(visits())
    schema.table(visits())
    assert len(metastore.sent) == 1


def test_a_comment_is_corrected_unless_it_is_that_of_a_json_table(settings: Settings) -> None:
    old = [("id", "string", JSON_COMMENT), ("seconds", "int", "Its length"), COLUMNS[2]]
    change = "ALTER TABLE flat.visits_v1 CHANGE COLUMN `seconds` `seconds` int COMMENT 'How long'"
    assert sent(settings, old, visits()) == ([change], [])


def test_what_a_person_wrote_stays_in_its_quotes(settings: Settings) -> None:
    quoted = SqlFile(visits().path, visits().text.replace("How long", "It\\'s how long"))
    (change,), _ = sent(settings, [COLUMNS[0], ("seconds", "int", "Its length"), COLUMNS[2]], quoted)
    assert change.endswith("COMMENT 'It\\u0027s how long'")
    metastore: Any = Metastore([])
    odd = settings.model_copy(update={"warehouse_root": "hdfs://w/it's"})
    schema = Schema(odd, metastore, metastore)
    schema.partitions("flat.visits_v1", Generation(0, 0, ()), [(Folder(0, 1, "landings/landing=1"), ("x",))])
    assert metastore.whole[-1].endswith("LOCATION 'hdfs://w/it\\u0027s/x'")


OTHER = {
    "a type": [("id", "string", ""), ("seconds", "bigint", ""), COLUMNS[2]],
    "one column more": [*COLUMNS[:2], ("room", "string", ""), COLUMNS[2]],
    "another name": [("id", "string", ""), ("duration", "int", ""), COLUMNS[2]],
    "an order": [COLUMNS[1], COLUMNS[0], COLUMNS[2]],
}


@pytest.mark.parametrize("stage", ["1_raw", "2_flat"])
@pytest.mark.parametrize("other", OTHER)
def test_other_columns_of_a_released_table_are_refused(stage: str, other: str, settings: Settings) -> None:
    with pytest.raises(UsageError, match=rf"sql/{stage}/visits_v1.sql changes the columns .*visits_v2\.sql"):
        sent(settings, OTHER[other], visits(stage))


@pytest.mark.parametrize("other", OTHER)
def test_a_table_that_was_never_released_is_made_again_without_its_rows(other: str, settings: Settings) -> None:
    statements = ["DROP TABLE flat.visits_v1", "CREATE EXTERNAL TABLE IF NOT EXISTS flat.visits_v1"]
    assert sent(settings, OTHER[other], visits(), is_released=False) == (statements, ["flat/visits_v1"])


@pytest.mark.parametrize("is_released", [True, False])
def test_a_json_table_gets_more_columns_and_keeps_its_rows(is_released: bool, settings: Settings) -> None:
    statements = ["DROP TABLE flat.visits_v1", "CREATE EXTERNAL TABLE IF NOT EXISTS flat.visits_v1"]
    fewer = [COLUMNS[0], COLUMNS[2]]
    assert sent(settings, fewer, visits("1_raw"), is_released) == (statements, [])
    with pytest.raises(UsageError, match="changes the columns"):
        sent(settings, fewer, visits("2_flat"))


def test_a_command_killed_while_it_recreates_a_table_leaves_its_partitions_to_the_next(settings: Settings) -> None:
    hashes = "flat.visits_v1=old\npartitions flat.visits_v1=0:5\nraw.other_v1=same"
    metastore: Any = Metastore([COLUMNS[0], COLUMNS[2]], hashes, deadly="DROP TABLE")
    with pytest.raises(Killed):
        Schema(settings, metastore, metastore).table(visits("1_raw"))
    following = Schema(settings, metastore, metastore)
    assert "partitions flat.visits_v1" not in following and "raw.other_v1" in following


@pytest.mark.parametrize("count", [3, 100, 1000])
def test_what_customers_have_is_created_once_and_the_hashes_fit_however_many_there_are(
    count: int, settings: Settings
) -> None:
    metastore: Any = Metastore([])
    customers = [Customer(f"customer-{number}", f"c_{number:012x}") for number in range(count)]
    for _ in range(2):
        metastore.sent.clear()
        schema = Schema(settings, metastore, metastore)
        schema.make("raw.assessments_v1", ["CREATE"])
        customer_schema.create(schema, sqlfile.files(sqlfile.CUSTOMERS), customers)
        schema.save()
    assert "CREATE" not in metastore.sent, "the tables of the warehouse come before those of customers"
    assert bool(metastore.sent) == (count == 1000), "what did not fit is sent again, and does no harm"
    assert all(statement.startswith("CREATE") for statement in metastore.sent)
