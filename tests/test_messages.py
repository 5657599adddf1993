"""Every kind of message is accepted whole or rejected by a rule of docs/messages.md.

The cases stand in corpus.py; tests/stack/test_messages.py takes them through the servers.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest
from contract_messages import CONTRACT, FILE, RULES_OF_CONTRACT
from corpus import CASES, GROUPS, Case
from oracle import CONTRACT as REASONS
from oracle import REQUIRED, TEXT_BYTES, is_accepted
from rfc8259 import INVALID, VALID, VALID_BUT_REFUSED

from etl.land import check_message as check
from etl.land.spark_job import limits
from etl.settings import PROJECT

FITS = check.contract(*RULES_OF_CONTRACT)
PAGE = (PROJECT / "docs/messages.md").read_text(encoding="utf-8")
RULES = re.findall(r"^\| (.+) \| (`.+`) \|$", PAGE, re.MULTILINE)


def sha256(value: bytes | None) -> str | None:
    return None if value is None else hashlib.sha256(value).hexdigest()


def is_right(case: Case, reason: str | None) -> bool:
    """Whether a message was accepted, or rejected for this reason, as it should be."""
    return reason is None if case.words is None else reason is not None and case.words in reason


def is_told(reason: str, rules: list[tuple[str, str]]) -> bool:
    """Whether one of these rules of the page gives a reason; … on the page stands for anything."""
    quoted = [re.escape(example).replace("…", ".*") for _, cell in rules for example in re.findall("`([^`]+)`", cell)]
    return any(re.fullmatch(example, reason, re.DOTALL) for example in quoted)


def test_the_cases_are_as_many_as_they_should_be() -> None:
    assert len(VALID) >= 90 and len(INVALID) >= 180
    assert len({case.value for case in CASES.values()}) > 2000


def test_the_contract_of_the_cases_is_the_one_of_the_independent_computation() -> None:
    words = {str: "string", int: "bigint", bool: "boolean"}

    def named(kind: Any) -> Any:
        if isinstance(kind, dict):
            return {name: named(member) for name, member in kind.items()}
        return [named(kind[0])] if isinstance(kind, list) else words[kind]

    assert named(REASONS) == CONTRACT
    assert limits(FILE) == (list(REQUIRED), TEXT_BYTES)


@pytest.mark.parametrize("text", VALID.values(), ids=VALID)
def test_valid_json_is_what_another_strict_parser_reads(text: bytes) -> None:
    json.loads(text.decode())


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID)
def test_invalid_json_is_what_another_strict_parser_refuses(text: bytes) -> None:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    for value in (text, b'{"unknown":' + text + b"}"):
        with pytest.raises(ValueError):
            json.loads(value.decode(), parse_constant=refuse)


@pytest.mark.parametrize("group", GROUPS)
def test_each_is_accepted_whole_or_rejected_by_a_rule_of_the_page(group: str) -> None:
    wrong = {}
    for name, case in GROUPS[group].items():
        outcome = FITS.check(case.value)
        if isinstance(outcome, check.Accepted):
            text = outcome.payload_text if outcome.original is None else outcome.original
            is_good = is_right(case, None) and sha256(text.encode()) == sha256(case.value)
        else:
            is_good = is_right(case, outcome.reason) and is_told(outcome.reason, RULES)
        if not (is_good and is_accepted(case.value) == (case.words is None)):
            wrong[name] = outcome if isinstance(outcome, check.Rejected) else "accepted"
    assert wrong == {}


@pytest.mark.parametrize("rule", VALID_BUT_REFUSED)
def test_what_the_grammar_allows_is_refused_by_a_rule_of_its_own(rule: str) -> None:
    own = [row for row in RULES if rule in row[0]]
    assert len(own) == 1
    for name, case in GROUPS[f"RFC 8259, {rule}"].items():
        outcome = FITS.check(case.value)
        assert isinstance(outcome, check.Rejected) and is_told(outcome.reason, own), name
