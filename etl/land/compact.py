"""Merges small neighboring landings into one folder; readers see the same rows.

The files of a landing are gzipped lines, and such files can be concatenated: no line is parsed.
The merged landings stay where they are until `clean`, for queries that still read them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from etl import sqlfile
from etl.errors import WarehouseError
from etl.land import raw_lines
from etl.servers.hdfs import Hdfs, discarded
from etl.settings import Settings
from etl.store import flat_folders, landings, ledger, lock
from etl.store.landings import Folder, Generation
from etl.store.ledger import Ledger
from etl.terminal import progress

SMALL_BYTES = 32 << 20  # of a folder: a larger one is not merged
RUN_BYTES = 64 << 20  # of what a run becomes at most; one task reads a gzipped file
KINDS = (raw_lines.ACCEPTED, raw_lines.REJECTED, raw_lines.CANARIES)  # of gzipped lines


def compact(settings: Settings, say: Callable[[str], None]) -> int:
    """Merge small landings that the published release shows; the compaction that the flat tables lack, 0 for none.

    The newest landing stays, since its folder is the record of where the next one starts. Until the flat tables have
    the merged folders, readers stay with the others.
    Raises BusyError when a build or a loader is running, WarehouseError where another compaction came first.
    """
    hdfs = Hdfs(settings)
    with lock.between_steps(settings), progress("compact") as bar:
        generation = landings.current(hdfs)
        published = Ledger(hdfs).state().published
        if not is_filled(hdfs, generation):
            say(f"compaction {generation.compaction} is not in the flat tables yet")
            return generation.compaction
        last = min(published.landing if published else 0, generation.last - 1)
        merged = runs(hdfs, [folder for folder in generation.folders if folder.last <= last])
        joined = [run for run in merged if len(run) > 1]
        if not joined:
            return 0
        number = generation.compaction + 1
        staging = draft()
        target = (landings.ROOT, f"compaction={number}")
        folders = []
        with discarded(hdfs, *staging):
            for run in bar.each(merged, lambda run: f"up to landing {run[-1].last:,}"):
                folders.append(_joined(hdfs, run, staging, target) if len(run) > 1 else run[0].path)
            listed = [(run[-1].last, folder) for run, folder in zip(merged, folders, strict=True)]
            replace(hdfs, staging, listed, number)
    count = sum(map(len, joined))
    say(f"compaction {number}: merged {count:,} folders of landings into {len(joined):,}")
    return number


def is_filled(hdfs: Hdfs, generation: Generation) -> bool:
    """Whether the flat tables have the folders of a generation, as far as readers see.

    Until then readers see the generation before, which another compaction would replace.
    """
    state = Ledger(hdfs).state()
    published = state.published
    if published is None:
        return True
    tables = {table for table in published.hashes if table not in state.retired}
    flat = [file.table for file in sqlfile.files("2_*") if file.is_flat and file.table in tables]
    return flat_folders.is_complete(hdfs, flat, generation, published.landing)


def replace(hdfs: Hdfs, staging: tuple[str, ...], folders: Sequence[tuple[int, str]], number: int) -> None:
    """Make a compaction appear that lists these folders, as (last landing, path); what it wrote is in `staging`.

    Raises WarehouseError where another compaction came first.
    """
    hdfs.put_rows([{"last_landing": last, "folder": path} for last, path in folders], *staging, landings.LIST)
    if not hdfs.rename_new(staging, (landings.ROOT, f"compaction={number}")):
        raise WarehouseError(f"another compaction took number {number} first", "run it again")


def draft() -> tuple[str, ...]:
    """A staging folder for a compaction."""
    return landings.ROOT, f".staging-compaction-{uuid.uuid4()}"


def runs(hdfs: Hdfs, folders: Sequence[Folder]) -> list[list[Folder]]:
    """The folders in their order, in runs: each of one that is large enough, or of small ones up to RUN_BYTES."""
    groups: list[list[Folder]] = []
    room = 0
    for folder in folders:
        size = hdfs.size(*folder.path.split("/"))
        if size >= SMALL_BYTES:
            groups.append([folder])
            room = 0
            continue
        if size > room:
            groups.append([])
            room = RUN_BYTES
        groups[-1].append(folder)
        room -= size
    return groups


def _joined(hdfs: Hdfs, run: Sequence[Folder], staging: tuple[str, ...], target: tuple[str, ...]) -> str:
    """Write the folder that holds what a run holds; returns where it will be."""
    name = f"last_landing={run[-1].last}"
    for kind in KINDS:
        content = b"".join(
            hdfs.content(*folder.of(kind), path) for folder in run for path, _ in hdfs.files(*folder.of(kind))
        )
        if content:
            hdfs.put(content, *staging, name, f"table={kind}", "lines.txt.gz")
    files = ledger.file_rows(hdfs, *staging, name, named=(*target, name))
    rows = sorted(
        (row for folder in run for row in landings.account(hdfs, folder)),
        key=lambda row: (row["landing"], row["kafka_partition"]),
    )
    rows = [{**row, "files": [] if place else files} for place, row in enumerate(rows)]
    hdfs.put_rows(rows, *staging, name, f"table={landings.TABLE}", landings.ACCOUNT)
    return "/".join((*target, name))
