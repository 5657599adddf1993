"""Messages for the tests: a plain one and its variants, and all that is nasty, accepted or rejected."""

from __future__ import annotations

import json
from typing import Any

from confluent_kafka import Producer

from etl.publish.publish import MESSAGE_BYTES
from etl.settings import Settings


def attempt(name: str, **changes: Any) -> dict[str, Any]:
    """A message of an exam of its own, well-formed but for the changes."""
    return {
        "keen_timestamp": "1512345678.123456",
        "keen_created_at": "1512345678.5",
        "keen_id": f"keen {name}",
        "user_exam_id": f"attempt {name}",
        "base_exam_id": f"exam {name}",
        "exam_name": name,
        "certification": "false",
        "max_attempts": "1.0",
        "started_at": "2017-12-04T00:01:02.003Z",
        "sequences": {"id": "set", "attempt": 1, "counts": counts(), "questions": [question()]},
        **changes,
    }


def counts(**changes: Any) -> dict[str, Any]:
    sums = {"total": 3, "correct": 1, "incorrect": 1, "incomplete": 0, "submitted": 2, "unanswered": 1}
    return {**sums, "all_correct": False, **changes}


def question(**changes: Any) -> dict[str, Any]:
    fields = {"id": "question", "user_result": "correct", "user_correct": True, "user_incomplete": False}
    return {**fields, "user_submitted": True, "options": [option()], **changes}


def option(**changes: Any) -> dict[str, Any]:
    return {
        "id": "option",
        "checked": True,
        "correct": True,
        "submitted": 1,
        "at": "2017-12-04T00:02:03.4Z",
        **changes,
    }


def holding(name: str, **changes: Any) -> dict[str, Any]:
    """An attempt with changes in its sequences."""
    return attempt(name, sequences={"id": "set", "counts": counts(), "questions": [question()], **changes})


REQUIRED = ("keen_id", "user_exam_id", "base_exam_id", "exam_name")
EXTRA = {"unknown": {"deep": [1, None, {"id": "x"}]}}
ACCEPTED: list[Any] = [
    attempt("no sequences", sequences=None),
    attempt("empty sequences", sequences={}),
    holding("no counts", counts=None),
    holding("empty counts", counts={}),
    holding("no questions", questions=None),
    holding("empty questions", questions=[]),
    holding("null question", questions=[None, question(), None]),
    holding("no options", questions=[question(options=None), question(options=[]), {}]),
    holding("null option", questions=[question(options=[None, option(), {}, option(submitted=0, correct=None)])]),
    holding("no total", counts=counts(total=0)),
    holding("no correct", counts=counts(correct=None, all_correct=True)),
    holding("negative", counts=counts(total=-3, correct=-1)),
    attempt(
        "widest",
        started_at="2030-01-01T00:00:00Z",
        sequences={"counts": counts(total=2**63 - 1, correct=-(2**63), unanswered=2**63 - 1)},
    ),
    {
        **attempt("unknown fields", **EXTRA),
        "sequences": {
            "counts": {**counts(), **EXTRA},
            "questions": [{**question(options=[{**option(), **EXTRA}]), **EXTRA}],
            **EXTRA,
        },
    },
    attempt("twice", exam_name="told first", max_attempts="1"),
    attempt("twice", exam_name="told last", max_attempts="2", sequences={"questions": [question(), question()]}),
    attempt("two events", keen_id="keen one", exam_name="two events, one attempt"),
    attempt("two events", keen_id="keen two"),
    *(
        attempt(f"start {start}", started_at=start)
        for start in (
            "yesterday",
            "",
            "2017-02-29T00:00:00Z",
            "2017-01-01T24:00:00Z",
            "2017-01-01T00:00:60Z",
            "2017-01-01 00:00:00Z",
            "2017-01-01T00:00:00",
            "2017-01-01T00:00:00.Z",
            "2017-01-01T00:00:00+01:00",
            "1066-10-14T09:00:00Z",
            "1969-12-31T23:59:59.999999Z",
            "2016-02-29T23:59:59.123456789Z",
            "9999-12-31T23:59:59.999999Z",
        )
    ),
    *(
        attempt(f"received {received}", keen_timestamp=received)
        for received in (
            "",
            "NaN",
            "-1",
            "1e9",
            "9999999999.9999999",
            "99999999999",
            "0",
            "1.",
            "1512345678.1",
        )
    ),
    *(attempt(f"allowed {allowed}", max_attempts=allowed) for allowed in ("", "2.5", "-1", "007", "3.", "9999999999")),
    *(attempt(f"certified {text}", certification=text) for text in ("TRUE", "", "true", "1")),
    *(
        attempt("names", keen_id=f"name {number}", exam_name=name)
        for number, name in enumerate(
            (
                " ",
                "NULL",
                "\\N",
                "naïve 🎓 exam",
                "שלום עולם",
                "a,b;c|d\te",
                'it\'s "quoted"',
                "a\nb\r\nc",
                "nul\0",
            )
        )
    ),
    json.dumps(attempt("pretty"), indent=4).replace("\n", "\r\n").encode(),
    json.dumps(attempt("escaped 🎓"), ensure_ascii=True).encode(),
    b'{"keen_id": "name twice", "user_exam_id": "name twice", "exam_name": "first", "base_exam_id": "name twice",'
    b' "exam_name": "last"}',
]


def identified(name: str, members: bytes) -> bytes:
    """An object with the required fields, of this name, in front of these members."""
    ids = json.dumps({field: f"{field} {name}" for field in REQUIRED})
    return ids[:-1].encode() + b", " + members + b"}"


def text(message: Any) -> bytes:
    return message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()


REJECTED: list[tuple[bytes | None, str]] = [
    (None, "tombstone"),
    (b"", "empty message"),
    (b"{not json", "not JSON"),
    (b'{"exam_name": "a",}', "not JSON"),
    (b'{"exam_name": NaN}', "not JSON"),
    (b'{"exam_name": "cut', "ends too early"),
    (b"\xef\xbb\xbf{}", "byte order mark"),
    (b'{"exam_name": "\xff"}', "not UTF-8 at byte 15"),
    (b'{"exam_name": "\\ud800"}', "surrogate"),
    (b"[]", "expected object, got array at $"),
    (b"null", "expected object, got null at $"),
    (b'{"unknown": ' + b"[" * 200 + b"]" * 200 + b"}", "nested deeper than 100 levels"),
    (b"{}", "required field is missing at $.keen_id"),
    (text({"schema": {"type": "struct"}, "payload": attempt("a")}), "required field is missing at $.keen_id"),
    (text({"before": None, "after": attempt("a"), "op": "c"}), "required field is missing at $.keen_id"),
    (text(attempt("a", keen_id=None)), "required field is null at $.keen_id"),
    (text(attempt("a", keen_id="")), "required field is empty at $.keen_id"),
    (text(attempt("a", user_exam_id=None, base_exam_id=None)), "required field is null at $.user_exam_id"),
    (text(attempt("a", exam_name="")), "required field is empty at $.exam_name"),
    (text(attempt("a", exam_name="x" * 65_537)), "text of 65,537 bytes, more than 65,536, at $.exam_name"),
    (text({"Keen_ID": "a"}), "key Keen_ID at $ differs only in case from keen_id"),
    (text(attempt("a", exam_name=5)), "expected string, got integer at $.exam_name"),
    (text(attempt("a", sequences=[])), "expected object, got array at $.sequences"),
    (text(holding("a", questions="none")), "expected array, got string at $.sequences.questions"),
    (text(holding("a", questions={})), "expected array, got object at $.sequences.questions"),
    (
        text(holding("a", counts=counts(total="3"))),
        "expected integer, got string at $.sequences.counts.total",
    ),
    (text(holding("a", counts=counts(total=2**63))), "at $.sequences.counts.total"),
    (text(holding("a", counts=counts(total=10**30))), "at $.sequences.counts.total"),
    (
        text(holding("a", counts=counts(total=1.5))),
        "got number with fraction or exponent at $.sequences.counts.total",
    ),
    (
        text(holding("a", questions=[question(options=[option(checked="true")])])),
        "expected boolean, got string at $.sequences.questions[0].options[0].checked",
    ),
]


def publish(settings: Settings, *values: bytes | None) -> None:
    """Publish bytes as they are, as no user of ./warehouse publish could."""
    servers = {"bootstrap.servers": settings.bootstrap_servers, "message.max.bytes": MESSAGE_BYTES}
    producer = Producer({**servers, "enable.idempotence": True})
    for number, value in enumerate(values):
        producer.produce(settings.topic, value=value, key=b"\xff key %d" % number, partition=0)
    assert producer.flush(30) == 0
