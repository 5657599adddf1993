"""The batches of Spark's Python workers: the same lines, byte for byte, as writing each message by itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from contract_messages import RULES_OF_CONTRACT as RULES
from corpus import CASES, GROUPS
from messages import attempt, text

from etl.land import check_message, message_fields, raw_lines, worker
from etl.land.check_message import Accepted, contract
from etl.land.raw_lines import Envelope, line_accepted, line_rejected

PLACE = Envelope(3, "topic", 0, 7, 1_500_000_000_000)
FULL = PLACE._replace(key=b"\x00k", headers=[("a", b"\xff"), ("a", b""), ("none", None), ('a "é",\n"payload":', b"x")])
FITS = contract(*RULES)
PLAIN = text(attempt("plain naïve 🎓"))
TYPES = {
    "topic": pa.string(),
    "partition": pa.int32(),
    "offset": pa.int64(),
    "timestamp": pa.int64(),
    "key": pa.binary(),
    "headers": pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())])),
    "value": pa.binary(),
}
ENVELOPES = [
    PLACE,
    FULL,
    FULL._replace(topic='tö"pic\\\n', partition=2**31 - 1, offset=2**63 - 1, timestamp=-1),
    PLACE._replace(key=b""),
    PLACE._replace(headers=FULL.headers, offset=0),
    PLACE._replace(topic="😀", key=b"\xff" * 100),
]
Row = tuple[Envelope, bytes | None]


def batch(rows: Sequence[Row], is_without_headers: bool = False) -> pa.RecordBatch:
    """The messages as Spark's Kafka source sends them; one without headers has none or an empty list."""
    columns: dict[str, list[object]] = {name: [] for name in TYPES}
    for (_, *place, headers), value in rows:
        pairs = [{"key": name, "value": bytes_} for name, bytes_ in headers]
        for column, item in zip(
            columns.values(), (*place, pairs if pairs or is_without_headers else None, value), strict=True
        ):
            column.append(item)
    return pa.RecordBatch.from_pydict({name: pa.array(columns[name], type_) for name, type_ in TYPES.items()})


def by_row(envelope: Envelope, value: bytes | None) -> tuple[str, str, int]:
    """What the row of a message must be: written by itself, and decided on the long way."""
    verdict = FITS.inspect(value)
    if isinstance(verdict, Accepted):
        return worker.ACCEPTED, line_accepted(envelope, verdict), envelope.partition
    return worker.REJECTED, line_rejected(envelope, verdict.reason, value), envelope.partition


def joined(rows: Sequence[Row]) -> list[tuple[str, str, int]]:
    batches = list(worker.checker(RULES, PLACE.landing)(iter([batch(rows)])))
    assert all(output.schema.names == ["table", "line", "kafka_partition"] for output in batches)
    assert all(output.num_rows <= worker.ROWS for output in batches)
    return [tuple(row.values()) for output in batches for row in output.to_pylist()]


def expected(rows: Sequence[Row]) -> list[tuple[str, str, int]]:
    return [by_row(envelope, value) for envelope, value in rows]


@pytest.mark.parametrize("group", GROUPS)
def test_a_batch_of_any_messages_is_written_like_each_of_them(group: str) -> None:
    values = [case.value for case in GROUPS[group].values()]
    rows = [(ENVELOPES[number % len(ENVELOPES)], value) for number, value in enumerate(values)]
    assert joined(rows) == expected(rows)


@pytest.mark.parametrize("envelopes", [*([single] for single in ENVELOPES), ENVELOPES], ids=str)
def test_plain_messages_are_joined_with_what_was_sent_beside_them(envelopes: list[Envelope]) -> None:
    rows = [(envelope, PLAIN) for envelope in envelopes]
    assert joined(rows) == expected(rows)


def test_the_rows_of_a_mixed_batch_keep_their_order() -> None:
    unknown = text({**attempt("unknown"), "hint": 1})
    pretty = json.dumps(attempt("pretty"), indent=2).encode()
    values = [PLAIN, None, unknown, PLAIN, b"", b"{}", pretty, PLAIN, b"\xff", PLAIN.replace(b"plain", b"pl\xffin")]
    rows: list[Row] = [(PLACE._replace(offset=offset), value) for offset, value in enumerate(values)]
    assert joined(rows) == expected(rows)
    assert [table == worker.ACCEPTED for table, _, _ in joined(rows)] == [
        value in (PLAIN, unknown, pretty) for value in values
    ]


def test_a_canary_is_neither_accepted_nor_rejected() -> None:
    canary = raw_lines.CANARY + b'"2026-03-01T04:17:09Z"}'
    rows = [(PLACE, canary), (FULL, b"{}"), (PLACE, None), (PLACE, PLAIN), (PLACE, b" " + canary)]
    tables = worker.lines_of(batch(rows), FITS, 3).column("table").to_pylist()
    assert tables == ["canaries", "rejected_messages", "rejected_messages", "assessments", "rejected_messages"]


def test_a_large_batch_is_written_in_pieces() -> None:
    values = [None if offset % 700 == 5 else PLAIN for offset in range(2 * worker.ROWS + 1)]
    rows = [(FULL._replace(offset=offset), value) for offset, value in enumerate(values)]
    assert joined(rows) == expected(rows)


def test_a_batch_without_rows_has_no_lines() -> None:
    assert joined([]) == []


def test_an_empty_list_of_headers_is_no_header() -> None:
    rows = [(PLACE, PLAIN)]
    (output,) = worker.checker(RULES, PLACE.landing)(iter([batch(rows, is_without_headers=True)]))
    assert output.column("line").to_pylist() == [expected(rows)[0][1]]


def test_plain_messages_do_not_take_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_message, "Inspection", None)
    monkeypatch.setattr(worker, "line_accepted", None)
    assert len(joined([(envelope, PLAIN) for envelope in ENVELOPES])) == len(ENVELOPES)


def test_landed_lines_that_a_newer_type_does_not_fit_are_found() -> None:
    lines = [line for table, line, _ in expected([(FULL._replace(offset=n), PLAIN) for n in range(3)]) if table]
    lines.append(line_accepted(PLACE._replace(offset=9), Accepted('{"exam_name":5}', None)))
    (batch,) = worker.rechecker(RULES[0])(iter([pa.RecordBatch.from_pydict({"value": lines})]))
    assert [tuple(row.values()) for row in batch.to_pylist()] == [(0, 9, "expected string, got integer at $.exam_name")]
    (none,) = worker.rechecker(RULES[0])(iter([pa.RecordBatch.from_pydict({"value": lines[:3]})]))
    assert none.num_rows == 0


def test_a_worker_needs_nothing_of_this_project(tmp_path: Path) -> None:
    from pyspark import cloudpickle

    modules = (check_message, message_fields, raw_lines, worker)
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        pickled = cloudpickle.dumps(worker.checker(RULES, PLACE.landing))
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)
    rows = [(PLACE, PLAIN), (FULL, None), (PLACE, text({**attempt("x"), "hint": 1}))]
    (tmp_path / "pickled").write_bytes(pickled)
    with pa.OSFile(str(tmp_path / "batch"), "wb") as file, pa.ipc.new_stream(file, batch(rows).schema) as stream:
        stream.write_batch(batch(rows))
    program = (
        "import json, pickle, sys\n"
        "import pyarrow as pa\n"
        "run = pickle.load(open('pickled', 'rb'))\n"
        "(found,) = run(pa.ipc.open_stream(open('batch', 'rb')))\n"
        "assert 'etl' not in sys.modules\n"
        "print(json.dumps(found.column('line').to_pylist()))"
    )
    command = [sys.executable, "-I", "-c", program]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert json.loads(output) == [line for _, line, _ in expected(rows)]


def test_the_corpus_takes_both_ways() -> None:
    plain = sum(bool(case.value) and FITS.is_plain(case.value or b"") for case in CASES.values())
    assert 100 < plain < len(CASES) - 1000
