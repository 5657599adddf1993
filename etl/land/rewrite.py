"""Leaves lines out of the raw tables, of erased attempts or old ones: a compaction whose folders lack them.

A folder never changes, so one that holds such a line is written again, and a compaction lists it in place of the old
one. All other folders are listed as they are.
"""

from __future__ import annotations

import base64
import gzip
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from etl.errors import WarehouseError
from etl.land import compact, raw_lines, spark_job
from etl.land.choice import Choice, Message, Place
from etl.servers.hdfs import Hdfs, discarded
from etl.settings import Settings
from etl.store import landings, ledger, lock
from etl.store.landings import Folder
from etl.store.ledger import Ledger
from etl.terminal import progress


@dataclass
class Left:
    """What a rewrite left out, as places of messages, and the messages of others that name an erased attempt."""

    accepted: list[Place] = field(default_factory=list)
    rejected: list[Place] = field(default_factory=list)
    naming: list[Place] = field(default_factory=list)

    @property
    def count(self) -> int:
        """The lines left out."""
        return len(self.accepted) + len(self.rejected)


class Row(msgspec.Struct):
    """What is read of a line."""

    landing: int
    kafka_partition: int
    kafka_offset: int
    kafka_timestamp: int
    key_base64: str | None = None
    headers: list[dict[str, Any]] | None = None


class RejectedRow(Row):
    """What is read of a line of a rejected message."""

    message_base64: str | None = None
    more_base64: list[str] | None = None


def rewrite(settings: Settings, choice: Choice, since: int, say: Callable[[str], None]) -> Left:
    """Leave lines out of all folders before the landing `since`.

    Raises BusyError when a build or a loader is running, WarehouseError where another compaction came first or a
    landing is not published yet.
    """
    hdfs = Hdfs(settings)
    left = Left()
    with lock.between_steps(settings), progress("erase") as bar:
        generation = landings.current(hdfs)
        published = Ledger(hdfs).state().published
        last = max((folder.last for folder in generation.folders if folder.last < since), default=0)
        if not compact.is_filled(hdfs, generation) or published is None or published.landing < last:
            raise WarehouseError(f"landing {last} is not in the flat tables yet", "run it again")
        number, staging = generation.compaction + 1, compact.draft()
        listed = []
        folders = [folder for folder in generation.folders if folder.last <= last]
        with discarded(hdfs, *staging):
            for folder in bar.each(folders, lambda folder: f"up to landing {folder.last:,}"):
                path = _without(hdfs, folder, choice, staging, number, left)
                listed.append((folder.last, path or folder.path))
            if not left.count:
                return left
            compact.replace(hdfs, staging, listed, number)
    say(f"compaction {number}: {left.count:,} lines left out of the raw tables")
    return left


def dropped(hdfs: Hdfs, choice: Choice, last: int) -> dict[str, tuple[int, int]]:
    """(Messages, bytes of their lines) that a rewrite of the folders up to a landing would leave out, by raw table."""
    totals = {}
    for kind in (spark_job.ACCEPTED, spark_job.REJECTED):
        gone: list[Place] = []
        size = 0
        for folder in landings.current(hdfs).folders:
            for path, _ in hdfs.files(*folder.of(kind)) if folder.last <= last else ():
                content = hdfs.content(*folder.of(kind), path)
                size += len(gzip.decompress(content)) - sum(map(len, _kept(content, kind, choice, gone, [])))
        totals[kind] = len(gone), size
    return totals


def relist(settings: Settings) -> bool:
    """List the same folders in one more compaction, so that `clean` may remove all others; False where they are so."""
    hdfs = Hdfs(settings)
    with lock.between_steps(settings):
        if is_relisted(hdfs):
            return False
        generation = landings.current(hdfs)
        if not compact.is_filled(hdfs, generation):
            raise WarehouseError(f"compaction {generation.compaction} is not in the flat tables yet", "run it again")
        listed = [(folder.last, folder.path) for folder in generation.folders if folder.last <= generation.compacted]
        compact.replace(hdfs, compact.draft(), listed, generation.compaction + 1)
    return True


def is_relisted(hdfs: Hdfs) -> bool:
    """Whether what counted before the last compaction are folders that count now, too."""
    generation, *before = landings.generations(hdfs)
    current = {folder.path for folder in generation.folders}
    return all(folder.path in current for older in before for folder in older.folders)


def _without(
    hdfs: Hdfs, folder: Folder, choice: Choice, staging: tuple[str, ...], number: int, left: Left
) -> str | None:
    """Write a folder without the chosen lines; its path, None where it has none of them."""
    gone: dict[str, list[Place]] = {}
    contents: dict[tuple[str, str], bytes] = {}
    for kind in compact.KINDS:
        gone[kind] = []
        for path, _ in hdfs.files(*folder.of(kind)):
            content = hdfs.content(*folder.of(kind), path)
            before = len(gone[kind])
            if kind == raw_lines.CANARIES:  # of nobody
                contents[kind, path] = content
                continue
            lines = list(_kept(content, kind, choice, gone[kind], left.naming))
            contents[kind, path] = content if len(gone[kind]) == before else gzip.compress(b"".join(lines), 1)
    if not any(gone.values()):
        return None
    name, target = f"last_landing={folder.last}", (landings.ROOT, f"compaction={number}", f"last_landing={folder.last}")
    for (kind, path), content in contents.items():
        hdfs.put(content, *staging, name, f"table={kind}", path)
    files = ledger.file_rows(hdfs, *staging, name, named=target)
    rows = accounts(landings.account(hdfs, folder), gone[spark_job.ACCEPTED], gone[spark_job.REJECTED])
    rows = [{**row, "files": [] if place else files} for place, row in enumerate(rows)]
    hdfs.put_rows(rows, *staging, name, f"table={landings.TABLE}", landings.ACCOUNT)
    left.accepted += gone[spark_job.ACCEPTED]
    left.rejected += gone[spark_job.REJECTED]
    return "/".join(target)


def _kept(content: bytes, kind: str, choice: Choice, gone: list[Place], naming: list[Place]) -> Iterator[bytes]:
    """The lines of a file that stay; the places of the others, and of those to be named, are added."""
    decode = msgspec.json.Decoder(Row if kind == spark_job.ACCEPTED else RejectedRow).decode
    for line in gzip.decompress(content).splitlines(keepends=True):
        row = decode(line)
        value = raw_lines.message_of(line.decode().rstrip("\n")) if kind == spark_job.ACCEPTED else _message_of(row)
        headers = [(pair["name"], _bytes(pair["value_base64"])) for pair in row.headers or ()]
        place = row.landing, row.kafka_partition, row.kafka_offset
        message = Message(kind, place, row.kafka_timestamp, value, _bytes(row.key_base64), headers)
        if choice.drops(message):
            gone.append(place)
            continue
        if choice.names(message):
            naming.append(place)
        yield line


def _bytes(encoded: str | None) -> bytes | None:
    return None if encoded is None else base64.b64decode(encoded)


def _message_of(row: Any) -> bytes | None:
    return raw_lines.rejected_message_of({"message_base64": row.message_base64, "more_base64": row.more_base64})


def accounts(
    rows: Collection[dict[str, Any]], accepted: Collection[Place], rejected: Collection[Place]
) -> list[dict[str, Any]]:
    """The rows of raw.landings of a folder without these messages, in their order.

    An offset counts as erased where it was landed first. What a replay accepted is no longer among its offsets.
    """
    replayed = {(row["landing"], row["kafka_partition"], offset) for row in rows for offset in row["replayed_offsets"]}
    counts = Counter((place[:2], "accepted_count") for place in accepted)
    counts += Counter((place[:2], "rejected_count") for place in rejected)
    counts += Counter((place[:2], "erased_count") for place in (*rejected, *(set(accepted) - replayed)))
    gone = set(accepted)
    changed = []
    for row in sorted(rows, key=lambda row: (row["landing"], row["kafka_partition"])):
        place = (row["landing"], row["kafka_partition"])
        offsets = [offset for offset in row["replayed_offsets"] if (*place, offset) not in gone]
        changed.append(
            {
                **row,
                "accepted_count": row["accepted_count"] - counts[place, "accepted_count"],
                "rejected_count": row["rejected_count"] - counts[place, "rejected_count"],
                "erased_count": (row.get("erased_count") or 0) + counts[place, "erased_count"],
                "replayed_offsets": offsets,
            }
        )
    return changed
