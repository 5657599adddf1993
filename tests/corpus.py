"""Every case of a message: those of RFC 8259, alone and as an unknown field, of the contract, and the odd ones."""

from __future__ import annotations

from typing import NamedTuple

import contract_messages
import odd_messages
from messages import identified
from rfc8259 import INVALID, VALID, VALID_BUT_REFUSED


class Case(NamedTuple):
    """A message and words of the reason why it is rejected, None where it is accepted."""

    value: bytes | None
    words: str | None


def _inside(cases: dict[str, bytes], words: str | None) -> dict[str, Case]:
    """JSON, or what is not JSON, as an unknown field: of itself it is no fault there."""
    return {
        name: Case(identified(f"RFC {number}", b'"unknown":' + value), words)
        for number, (name, value) in enumerate(cases.items())
    }


GROUPS = {
    "RFC 8259, valid": _inside(VALID, None),
    "RFC 8259, valid, alone": {name: Case(value, " at $") for name, value in VALID.items()},
    "RFC 8259, invalid": _inside(INVALID, "not "),
    "RFC 8259, invalid, alone": {name: Case(value, "") for name, value in INVALID.items()},
    **{f"RFC 8259, {rule}": _inside(cases, "") for rule, cases in VALID_BUT_REFUSED.items()},
    "contract, accepted": {name: Case(value, None) for name, value in contract_messages.ACCEPTED.items()},
    "contract, rejected": {name: Case(*case) for name, case in contract_messages.REJECTED.items()},
    "odd, accepted": {name: Case(value, None) for name, value in odd_messages.ACCEPTED.items()},
    "odd, rejected": {name: Case(*case) for name, case in odd_messages.REJECTED.items()},
}
CASES = {f"{group}: {name}": case for group, cases in GROUPS.items() for name, case in cases.items()}
