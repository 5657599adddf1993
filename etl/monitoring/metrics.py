"""The facts as metrics, in the text format that Prometheus reads."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import get_type_hints

from prometheus_client import CollectorRegistry, Gauge, generate_latest, write_to_textfile

from etl.errors import UsageError
from etl.monitoring.facts import Facts


def _registry(facts: Facts) -> CollectorRegistry:
    """A gauge per fact that is a number, a time (seconds since 1970) or a list (its length); none for text."""
    registry = CollectorRegistry()
    for fact, hint in get_type_hints(Facts, include_extras=True).items():
        name, value = f"warehouse_{fact}", getattr(facts, fact)
        if fact == "lost":
            value = int(value is not None) if facts.lag_messages is not None else None
        elif isinstance(value, datetime.datetime):
            name, value = f"{name.removesuffix('_at')}_timestamp_seconds", value.timestamp()
        elif isinstance(value, tuple):
            name, value = f"{name}_count", len(value)
        if isinstance(value, int | float):
            Gauge(name, hint.__metadata__[0], registry=registry).set(value)
    return registry


def metrics(facts: Facts) -> bytes:
    """The text that a scrape of /metrics gets."""
    return generate_latest(_registry(facts))


def write_metrics(facts: Facts, path: Path) -> None:
    """Write the same as a file for the textfile collector of a node exporter, by one rename."""
    try:
        write_to_textfile(str(path), _registry(facts))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "give another --metrics") from error
