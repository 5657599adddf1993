"""Every kind of message lands in one of two tables by a rule of docs/messages.md, comes back exactly and does no harm.

The cases stand in corpus.py. The servers get all of them at once, behind whatever other tests have published.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from comparing import TABLES, assert_tables_are_right, consumed
from conftest import Run
from contract_messages import CONTRACT, PATHS, Path
from contract_messages import FILE as CONTRACT_FILE
from corpus import CASES, GROUPS, Case
from messages import publish
from oracle import CONTRACT as TOLD
from oracle import REQUIRED, TEXT_BYTES, is_accepted
from rfc8259 import INVALID, VALID, VALID_BUT_REFUSED

from etl.land import check_message as check
from etl.land.raw_lines import message_of
from etl.land.spark_job import limits
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import PROJECT, Settings
from etl.store import landings

ENGINES = ("spark", "hive")
PAGE = (PROJECT / "docs/messages.md").read_text(encoding="utf-8")
RULES = re.findall(r"^\| (.+) \| (`.+`) \|$", PAGE, re.MULTILINE)


def spark_type(kind: Any) -> Any:
    """A type as Spark writes it in `StructType.json()`."""
    if isinstance(kind, dict):
        return {"type": "struct", "fields": [{"name": name, "type": spark_type(one)} for name, one in kind.items()]}
    return {"type": "array", "elementType": spark_type(kind[0])} if isinstance(kind, list) else _SCALARS[kind]


_SCALARS = {"string": "string", "bigint": "long", "boolean": "boolean"}
FITS = check.contract(json.dumps(spark_type(CONTRACT)), *limits(CONTRACT_FILE))


def sha256(value: bytes | None) -> str | None:
    return None if value is None else hashlib.sha256(value).hexdigest()


def is_right(case: Case, reason: str | None) -> bool:
    """Whether a message was accepted, or rejected for this reason, as it should be."""
    return reason is None if case.words is None else reason is not None and case.words in reason


def is_told(reason: str, rules: list[tuple[str, str]]) -> bool:
    """Whether one of these rules of the page gives a reason; … on the page stands for anything."""
    said = [re.escape(one).replace("…", ".*") for _, cell in rules for one in re.findall("`([^`]+)`", cell)]
    return any(re.fullmatch(one, reason, re.DOTALL) for one in said)


# What the cases are


def test_the_cases_are_as_many_as_they_should_be() -> None:
    assert len(VALID) >= 90 and len(INVALID) >= 180
    assert len({case.value for case in CASES.values()}) > 2000


def test_the_contract_of_the_cases_is_the_one_of_the_independent_computation() -> None:
    words = {str: "string", int: "bigint", bool: "boolean"}

    def named(kind: Any) -> Any:
        if isinstance(kind, dict):
            return {name: named(one) for name, one in kind.items()}
        return [named(kind[0])] if isinstance(kind, list) else words[kind]

    assert named(TOLD) == CONTRACT
    assert limits(CONTRACT_FILE) == (list(REQUIRED), TEXT_BYTES)


@pytest.mark.parametrize("text", VALID.values(), ids=VALID)
def test_valid_json_is_what_another_strict_parser_reads(text: bytes) -> None:
    json.loads(text.decode())


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID)
def test_invalid_json_is_what_another_strict_parser_refuses(text: bytes) -> None:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    for one in (text, b'{"unknown":' + text + b"}"):
        with pytest.raises(ValueError):
            json.loads(one.decode(), parse_constant=refuse)


# What the check says


@pytest.mark.parametrize("group", GROUPS)
def test_each_is_accepted_whole_or_rejected_by_a_rule_of_the_page(group: str) -> None:
    wrong = {}
    for name, case in GROUPS[group].items():
        found = FITS.check(case.value)
        if isinstance(found, check.Accepted):
            text = found.payload_text if found.original is None else found.original
            is_good = is_right(case, None) and sha256(text.encode()) == sha256(case.value)
        else:
            is_good = is_right(case, found.reason) and is_told(found.reason, RULES)
        if not (is_good and is_accepted(case.value) == (case.words is None)):
            wrong[name] = found if isinstance(found, check.Rejected) else "accepted"
    assert wrong == {}


@pytest.mark.parametrize("rule", VALID_BUT_REFUSED)
def test_what_the_grammar_allows_is_refused_by_a_rule_of_its_own(rule: str) -> None:
    own = [one for one in RULES if rule in one[0]]
    assert len(own) == 1
    for name, case in GROUPS[f"RFC 8259, {rule}"].items():
        found = FITS.check(case.value)
        assert isinstance(found, check.Rejected) and is_told(found.reason, own), name


# What the servers do


@pytest.fixture(scope="module")
def placed(settings: Settings, run: Run, built: str, quick_build: Callable[..., None]) -> dict[int, str]:
    """{Kafka offset: name of the case}; all of them are published, landed and built."""
    assert built
    first = len(consumed(settings))
    publish(settings, *(case.value for case in CASES.values()))
    accepted = sum(case.words is None for case in CASES.values())
    landed = run("land").stderr
    if first == 3280:  # no other test has left messages to land
        assert f"landed {accepted:,} messages, rejected {len(CASES) - accepted:,}, offsets {first}-" in landed
    quick_build()
    return dict(enumerate(CASES, start=first))


@pytest.fixture(scope="module")
def sessions(settings: Settings) -> Iterator[dict[str, Hive]]:
    """An open session on each engine."""
    spark, hive = (settings.model_copy(update={"engine": engine}) for engine in ENGINES)
    with Hive(spark) as one, Hive(hive) as other:
        yield {"spark": one, "hive": other}


def lines(settings: Settings, table: str) -> Iterator[str]:
    """The lines of a raw table as they stand on HDFS."""
    hdfs = Hdfs(settings)
    for folder in landings.current(hdfs).folders:
        for path, _ in hdfs.files(*folder.of(table)):
            yield from gzip.decompress(hdfs.content(*folder.of(table), path)).decode().split("\n")[:-1]


@pytest.mark.case(
    "Messages of every kind (docs/messages.md)", "landed", "raw or rejected by a rule, sha256 equal", times=len(CASES)
)
def test_the_bytes_of_each_come_back_from_hdfs(settings: Settings, placed: dict[int, str]) -> None:
    found: dict[int, tuple[str | None, str | None]] = {}
    for line in lines(settings, "assessments"):
        found[json.loads(line)["kafka_offset"]] = sha256(message_of(line)), None
    for line in lines(settings, "rejected_messages"):
        row = json.loads(line)
        kept = None if row["message_base64"] is None else base64.b64decode(row["message_base64"])
        found[row["kafka_offset"]] = sha256(kept), row["reason"]
    wrong = {
        name: found.get(offset)
        for offset, name in placed.items()
        if offset not in found
        or found[offset][0] != sha256(CASES[name].value)
        or not is_right(CASES[name], found[offset][1])
    }
    assert wrong == {}


@pytest.mark.usefixtures("placed")
@pytest.mark.case(
    "Messages of every kind (docs/messages.md)",
    "built",
    "every table equals the plain-Python computation",
    times=len(CASES),
)
def test_every_table_behind_them_equals_the_independent_computation(
    settings: Settings, sessions: dict[str, Hive]
) -> None:
    assert_tables_are_right(settings, sessions["spark"])


RAW = ("raw.assessments", "raw.rejected_messages", "raw.landings")


@pytest.mark.usefixtures("placed")
@pytest.mark.parametrize("table", [*RAW, *TABLES])
@pytest.mark.case(
    "Queries after messages of every kind", "every column, both engines", "no query fails, same answers", times=1
)
def test_both_engines_find_the_same_in_every_column(table: str, sessions: dict[str, Hive]) -> None:
    described = sessions["spark"].query(f"DESCRIBE {table}").rows
    assert_same_answer(sessions, [name for name, kind, _ in described if not kind.startswith("struct")], table)


@pytest.mark.usefixtures("placed")
def test_both_engines_find_the_same_at_every_path_of_the_contract(sessions: dict[str, Hive]) -> None:
    exploded = "raw.assessments LATERAL VIEW OUTER EXPLODE(payload.sequences.questions) shown AS question"
    scalars = [column(path) for path, kind in PATHS.items() if isinstance(kind, str)]
    assert_same_answer(sessions, scalars, f"{exploded} LATERAL VIEW OUTER EXPLODE(question.options) offered AS choice")
    # By themselves: beside its own elements Spark would keep a copy of an array with each of 65,536 of them.
    assert_same_answer(sessions, ["SIZE(payload.sequences.questions)"], "raw.assessments")
    assert_same_answer(sessions, ["SIZE(question.options)"], exploded)


def column(path: Path) -> str:
    """A path as SQL sees it where questions and options are rows."""
    arrays = [place for place, step in enumerate(path) if step == 0]
    names = path[arrays[-1] + 1 :] if arrays else path
    return ".".join([("payload", "question", "choice")[len(arrays)], *(f"`{name}`" for name in names)])


def assert_same_answer(sessions: dict[str, Hive], columns: list[str], rows: str) -> None:
    """How many values of each there are, the least and the greatest: on both engines at once, and the same."""
    measures = ", ".join(f"COUNT({name}), MIN({name}), MAX({name})" for name in columns)
    with ThreadPoolExecutor(2) as pool:
        asked = f"SELECT COUNT(*), {measures} FROM {rows}"
        spark, hive = pool.map(lambda engine: sessions[engine].query(asked).rows[0], ENGINES)
    assert len(spark) == 1 + 3 * len(columns)
    assert spark == hive


@pytest.mark.usefixtures("placed")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("table", RAW)
def test_every_row_can_be_read_whole(engine: str, table: str, sessions: dict[str, Hive]) -> None:
    counted = sessions[engine].query(f"SELECT COUNT(*) FROM {table}").rows[0][0]
    assert len(sessions[engine].query(f"SELECT * FROM {table}").rows) == counted


@pytest.mark.long
@pytest.mark.usefixtures("placed")
def test_hive_builds_and_reads_the_same_tables(run: Run, settings: Settings, sessions: dict[str, Hive]) -> None:
    run("build", *TABLES, "--engine", "hive")
    assert_tables_are_right(settings, sessions["hive"])


@pytest.mark.long
@pytest.mark.usefixtures("placed")
def test_every_report_and_every_expectation_answers_in_spite_of_them(run: Run) -> None:
    run("validate")
    for engine in ENGINES:
        run("report", "--engine", engine)
