"""Erases attempts: everything the warehouse holds of them, in steps that a second run repeats without harm.

First the hashes of the ids are published, so that no loader lands their messages any more. Then a compaction lacks
their lines, a release is built from it, and all that is older is removed: folders, releases, results, Kafka's
messages, and what pages and logs of this home say. What is kept is a keyed hash.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from etl.build.build import build, refill
from etl.build.clean import clean
from etl.build.home_files import mask, masked, pattern_of
from etl.errors import UsageError, WarehouseError
from etl.land.choice import Choice, of_attempts
from etl.land.compact import is_filled
from etl.land.land import land
from etl.land.rewrite import Left, is_relisted, relist, rewrite
from etl.servers import kafka
from etl.servers.hdfs import Hdfs
from etl.settings import Settings
from etl.store import erasures, landings, lock
from etl.store.customers import Customers
from etl.store.ledger import Ledger

RESULTS, QUERIES = ("ops", "expectation_results_v1"), ("ops", "queries_v1")


@dataclass(frozen=True)
class Summary:
    """What an erasure removed: attempts, lines of the raw tables; `naming` are messages of others that name one."""

    attempts: int
    accepted: int
    rejected: int
    naming: Sequence[str]
    kafka: str


def attempt_ids(given: Sequence[str], source: str, reason: str) -> list[str]:
    """The ids that were given and those of a file, `-` for standard input.

    Raises UsageError where a reason is missing, an id is empty or no text, or the file cannot be read.
    """
    ids = list(given)
    if source:
        try:
            text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the ids cannot be read from {source}: {error}", "name a file, an id per line") from error
        ids += [line for line in text.splitlines() if line.strip()]
    if ids and not reason.strip():
        raise UsageError("an erasure has no reason", "add --reason, such as the number of the request")
    if not all(attempt.strip() for attempt in ids):
        raise UsageError("an attempt's id is empty", "give the attempt_id of flat.attempts")
    if strange := [attempt for attempt in ids if re.search("[\ud800-\udfff]", attempt)]:
        raise UsageError(f"the attempt's id {strange[0]!r} is no UTF-8", "give the attempt_id of flat.attempts")
    return ids


def erase(settings: Settings, attempts: Sequence[str], reason: str, say: Callable[[str], None]) -> Summary:
    """Erase these attempts, and those that a killed run began to erase.

    Raises BusyError when another erasure is running, and as `land` and `build`; the next call continues.
    """
    with lock.exclusive(settings, "erase"):
        if attempts:
            erasures.request(settings, attempts, reason)
        pending = erasures.pending(settings)
        if not pending:
            return Summary(0, 0, 0, [], "")
        ids = [attempt for erasure in pending for attempt in erasure.attempts]
        hdfs = Hdfs(settings)
        erasures.publish_requests(settings, hdfs, pending)
        say(f"messages of {len(ids):,} attempts are no longer landed")
        left, note = _from_servers(settings, hdfs, ids, say)
        names = [*ids, *Customers(hdfs).pseudonyms(ids)]
        mask(settings, names)
        _mask_queries(hdfs, names)
        for erasure in pending:
            erasures.complete(settings, hdfs, erasure)
    naming = [f"{partition}:{offset}" for _, partition, offset in left.naming]
    return Summary(len(ids), len(left.accepted), len(left.rejected), naming, note)


def _from_servers(settings: Settings, hdfs: Hdfs, ids: Sequence[str], say: Callable[[str], None]) -> tuple[Left, str]:
    """Remove attempts from HDFS and Kafka; what was left out of the raw tables, and when Kafka's bytes go."""
    landed = land(settings, say, patience=lock.STEP_SECONDS, takes_number=True).landing
    generation = landings.current(hdfs)
    if not generation.folders:
        return Left(), ""
    published = Ledger(hdfs).state().published
    if published is None or published.landing < landed - 1:
        build(settings, say, patience=lock.STEP_SECONDS)  # only what is published can be written again
    newest = landings.account(hdfs, generation.folders[-1])
    landed_at = hdfs.changed_at(*generation.folders[-1].path.split("/"))
    erased = erasures.read(settings, hdfs)
    if erased is None:
        raise WarehouseError("the requests of this erasure are no longer on HDFS", "run it again")
    left = leave_out(settings, of_attempts(erased, ids), landed, say, landed_at)
    _remove_results(hdfs, [*ids, *Customers(hdfs).pseudonyms(ids)])
    return left, kafka.delete_before(settings, {row["kafka_partition"]: row["end_offset"] for row in newest})


def leave_out(
    settings: Settings, choice: Choice, since: int, say: Callable[[str], None], dead_before: float | None = None
) -> Left:
    """Leave the chosen messages out of the raw tables before a landing, publish that, and remove all that is older.

    `dead_before` is as for `clean`. It can be repeated after a kill.
    """
    hdfs = Hdfs(settings)
    if not is_filled(hdfs, landings.current(hdfs)):
        refill(settings, say)  # a command was killed after a compaction
    left = rewrite(settings, choice, since, say)
    if left.count or not is_relisted(hdfs):
        Ledger(hdfs).erase()
    build(settings, say, patience=lock.STEP_SECONDS)
    if relist(settings):
        refill(settings, say)
    removed = clean(settings, is_removed=True, dead_before=dead_before)
    say(f"removed {len(removed):,} old folders and files")
    return left


def _mask_queries(hdfs: Hdfs, names: Sequence[str]) -> None:
    """Overwrite ids and pseudonyms in the statements of ops.queries; their log in the home is overwritten before."""
    pattern = pattern_of(names)
    for name, _ in hdfs.files(*QUERIES):
        content = hdfs.content(*QUERIES, name)
        if (cleared := masked(content, pattern)) != content:
            log, _, place = name.partition("-")
            rows = [msgspec.json.decode(line) for line in cleared.splitlines()]
            hdfs.put_rows(rows, *QUERIES, f"{log}e-{place}")  # the name still says which bytes of the log it has
            hdfs.remove(*QUERIES, name)


def _remove_results(hdfs: Hdfs, ids: Sequence[str]) -> None:
    """Remove the results of validations that name an attempt."""
    for name, _ in hdfs.files(*RESULTS):
        content = hdfs.content(*RESULTS, name)
        if any(msgspec.json.encode(attempt)[1:-1] in content for attempt in ids):
            hdfs.remove(*RESULTS, name)
