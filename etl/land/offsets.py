"""Which offsets the next landing covers, and which Kafka lost before they were landed. Pure: no server is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from etl.errors import ExpectationError, UsageError, WarehouseError
from etl.servers.kafka import Topic

GAP = re.compile(r"[0-9]+:[0-9]+-[0-9]+")


def gaps_of(texts: Iterable[str]) -> set[str]:
    """The gaps that a person names, as in `0:100-199,1:0-4`; UsageError for another form."""
    found = {text.strip() for one in texts for text in one.split(",")}
    if wrong := {text for text in found if not GAP.fullmatch(text)}:
        raise UsageError(f"a loss cannot be {min(wrong)!r}", "write partition:first-last, as in 0:100-199")
    return found


def refuse_another(topic: Topic, before: Sequence[dict[str, Any]]) -> None:
    """Raise WarehouseError for a topic that was deleted and made anew: its offsets mean other messages."""
    if before and before[0]["topic_id"] != topic.id:
        raise WarehouseError(
            f"topic {topic.name} is not the one landed so far: its id is {topic.id}, not {before[0]['topic_id']}",
            "its offsets began anew; land it into another WAREHOUSE_WAREHOUSE_ROOT",
        )


def ranges(topic: Topic, before: Sequence[dict[str, Any]], accepted: set[str]) -> list[dict[str, Any]]:
    """From where to where each Kafka partition is to be read, as rows of raw.landings; `before` are the newest ones.

    Raises WarehouseError for a topic that was made anew, and ExpectationError for offsets that Kafka has lost,
    unless `accepted` names each of the gaps.
    """
    refuse_another(topic, before)
    ends = {row["kafka_partition"]: row["end_offset"] for row in before}
    rows = []
    for partition, (first, end) in sorted(topic.offsets.items()):
        known = ends.get(partition, 0 if before else first)  # one that was added since holds all its messages
        if end < known:
            raise ExpectationError(
                f"partition {partition} of {topic.name} ends at offset {end}, but was landed up to {known}: "
                "Kafka lost messages that are in the warehouse",
                "have the broker's data restored, or land the topic into another WAREHOUSE_WAREHOUSE_ROOT",
            )
        start = max(known, first)
        rows.append(
            {
                "kafka_topic": topic.name,
                "topic_id": topic.id,
                "kafka_partition": partition,
                "start_offset": start,
                "end_offset": max(start, end),
                "lost_count": start - known,
            }
        )
    _refuse_losses(topic, rows, accepted)
    return rows


def _refuse_losses(topic: Topic, rows: Sequence[dict[str, Any]], accepted: set[str]) -> None:
    found = [
        f"{row['kafka_partition']}:{row['start_offset'] - row['lost_count']}-{row['start_offset'] - 1}"
        for row in rows
        if row["lost_count"]
    ]
    if absent := accepted - set(found):
        raise UsageError(
            f"{topic.name} did not lose {', '.join(sorted(absent))}",
            f"name what it lost: --accept-loss {','.join(found)}" if found else "land without --accept-loss",
        )
    if set(found) != accepted:
        count = sum(row["lost_count"] for row in rows)
        raise ExpectationError(
            f"{topic.name} lost {count:,} offsets in Kafka before they were landed (partition:first-last): "
            f"{', '.join(found)}",
            f"find out what removed them, then land on with --accept-loss {','.join(found)}",
        )
