"""What somebody dropped from the metastore is named by `doctor` and `validate`, and created again by `repair`."""

from __future__ import annotations

import json

import pytest
from commands import Run
from reliability import Case

from etl.build.repair import check
from etl.servers.hive import Hive
from etl.settings import Settings

COUNTS = "SELECT (SELECT COUNT(*) FROM flat.attempts) AS attempts, (SELECT COUNT(*) FROM marts.exams) AS exams"


@pytest.mark.usefixtures("built")
def test_a_dropped_table_partition_or_view_is_named_and_repaired(settings: Settings, run: Run, case: Case) -> None:
    with Hive(settings) as hive:
        before = hive.query(COUNTS).rows
        partition = hive.query("SHOW PARTITIONS flat.messages_v1").rows[-1][0]
        hive.query("DROP VIEW flat.attempts")
        hive.query("DROP TABLE marts.exams_v1")
        hive.query(f"ALTER TABLE flat.messages_v1 DROP PARTITION ({partition.replace('/', ', ')})")
    lacks = ["table marts.exams_v1", "view flat.attempts", f"partition {partition} of flat.messages_v1"]
    try:
        checks = json.loads(run("doctor", "--json", code=1).stdout)["checks"]
        faults = [row["text"] for row in checks if not row["is_good"]]
        assert [f"the metastore lacks {name}" for name in lacks] == [text for text in faults if "lacks" in text]
        assert run("validate", code=3).stderr.splitlines()[-1] == (
            f"warehouse: the metastore lacks {', '.join(lacks)}; run ./warehouse repair"
        )
    finally:
        repaired = run("repair")
    assert all(name in repaired.stdout + repaired.stderr for name in lacks)
    assert check(settings) == []
    with Hive(settings) as hive:
        assert hive.query(COUNTS).rows == before
    case("A table, a view and a partition dropped", "doctor, validate, repair", "each named, then created again", 3)
