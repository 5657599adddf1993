"""Which facts are faults: late data, lost messages, a failed validation. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from etl.errors import UsageError
from etl.monitoring.facts import Facts

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(text: str) -> float:
    """Parse an age such as 90s, 15m, 1h or 2d. Raises UsageError for another form."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if match is None:
        raise UsageError(f"--max-age cannot be {text!r}", "write a number and a unit: 90s, 15m, 1h or 2d")
    return int(match[1]) * UNITS[match[2]]


def faults(facts: Facts, max_age: float | None, max_lag: int | None) -> Iterator[str]:
    """The faults in words, the worst first; a limit that is None is not checked."""
    if facts.lost:
        yield facts.lost
    yield from (fault for fault in facts.failing if not fault.startswith("freshness"))
    if facts.critical_failures:
        yield (
            f"{facts.critical_failures} critical expectations failed in the last validation, of release "
            f"{facts.validated_release}; see ./warehouse validate"
        )
    if facts.release is None and facts.landing is not None:
        yield "readers see no release; run ./warehouse run"
    if max_age is not None and facts.age_seconds is not None and facts.age_seconds > max_age:
        yield (
            f"readers see messages published until {facts.age_seconds:,.0f} s ago, which is more than "
            f"{max_age:,.0f} s; run ./warehouse run, or find out why none are sent"
        )
    if max_lag is not None and facts.lag_messages is not None and facts.lag_messages > max_lag:
        yield (
            f"{facts.lag_messages:,} messages are in Kafka that readers do not see yet, more than {max_lag:,}; "
            "run ./warehouse run"
        )
