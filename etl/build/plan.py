"""What a build would do: the folders that each flat table lacks, and the marts to compute. Reads HDFS alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from etl import sqlfile
from etl.errors import UsageError
from etl.servers.hdfs import Hdfs
from etl.sqlfile import SqlFile
from etl.store import erasures, flat_folders, landings
from etl.store.customers import Customer, Customers
from etl.store.landings import Folder, Generation
from etl.store.ledger import Event, Ledger, State
from etl.store.periods import Period, shortened
from etl.store.release_files import newest_versions, release_files


@dataclass(frozen=True)
class Plan:
    """The SQL files of a build in their order, and the folders to fill of each flat table, by table."""

    files: Sequence[SqlFile]
    generation: Generation
    published: Event | None
    fills: Mapping[str, Sequence[Folder]] = field(default_factory=dict)
    erased: int = 0
    customers: Sequence[Customer] = ()
    periods: Sequence[Period] = ()  # in which these customers own exams
    is_ownership_changed: bool = False  # since the published release

    @property
    def holds_erased(self) -> bool:
        """Whether what readers see was computed before attempts were erased."""
        return self.published is not None and self.published.release < self.erased

    @property
    def landing(self) -> int:
        """The last landing that the build shows."""
        return self.generation.last

    @property
    def hashes(self) -> dict[str, str]:
        """The hash of each file of the build, by table."""
        return {file.table: file.sha256 for file in self.files}

    @property
    def changed(self) -> set[str]:
        """The tables whose published version is another one or none."""
        published = self.published.hashes if self.published else {}
        return {table for table, sha256 in self.hashes.items() if published.get(table) != sha256}

    @property
    def is_due(self) -> bool:
        """Whether there is anything that readers do not see yet."""
        published = self.published
        return (
            published is None
            or published.landing < self.landing
            or published.hashes.keys() != self.hashes.keys()
            or bool(self.changed)
            or self.holds_erased
            or any(self.fills.values())
            or self.is_ownership_changed
        )

    def reason(self, file: SqlFile) -> str:
        """What the build does with a file and why, empty for nothing."""
        if file.table in self.changed:
            return "new version" if self.published else "first build"
        if self.fills.get(file.table):
            count = len(self.fills[file.table])
            return f"{count} new folder{'s' if count > 1 else ''}"
        if self.holds_erased and file.is_computed:
            return "erased attempts"
        return "new data" if self.is_due and file.is_computed else ""


def plan(hdfs: Hdfs, ledger: Ledger) -> Plan:
    """What a build would do now.

    Raises UsageError for a published file that was changed or is gone, and for two files of one version.
    """
    state = ledger.state()
    owners = Customers(hdfs)
    customers = owners.current()
    files = build_files(sqlfile.files("[235]_*" if customers else "[23]_*"), state)
    generation = landings.current(hdfs)
    fills = {file.table: flat_folders.missing(hdfs, file.table, generation.folders) for file in files if file.is_flat}
    if not customers:
        return Plan(files, generation, state.published, fills, state.erased)
    days = {name.removeprefix(erasures.CUSTOMER): day for name, day in erasures.expiries(hdfs).items()}
    periods = shortened(owners.periods(), days)
    is_changed = state.published is not None and owners.released(state.published.release) != periods
    return Plan(files, generation, state.published, fills, state.erased, customers, periods, is_changed)


def build_files(files: Sequence[SqlFile], state: State) -> list[SqlFile]:
    """The files of a build: the newest version of each name, what these read, and nothing that was retired."""
    _refuse_twins(files)
    if state.published:
        release_files(state.published, state.retired)
    files = [file for file in files if file.table not in state.retired]
    needed = {file.table for file in newest_versions(files)}
    for file in reversed(files):  # a file comes after those that it reads
        needed |= {name for name in file.reads if file.table in needed}
    return [file for file in files if file.table in needed]


def _refuse_twins(files: Sequence[SqlFile]) -> None:
    by_version: dict[tuple[str, int], SqlFile] = {}
    for file in files:
        twin = by_version.setdefault((file.name, file.version), file)
        if twin is not file:
            raise UsageError(
                f"{twin.place}, sha256 {twin.sha256}, and {file.place}, sha256 {file.sha256}, "
                f"are both version {file.version} of {file.name}",
                "give one of them the next version",
            )
