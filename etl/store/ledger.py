"""The ledger of builds and of the decisions about them: JSON lines on HDFS, read as ops.builds and ops.releases.

The newest decision that is not a refusal says which build readers see. Its number is taken by a rename that fails
where the number is taken already, so of two builds that end at once one is published.
"""

from __future__ import annotations

import datetime
from dataclasses import asdict, dataclass
from typing import Any

from etl.errors import WarehouseError
from etl.servers.hdfs import Hdfs

PUBLISHED, REFUSED, ROLLED_BACK = "published", "refused", "rolled back"
BUILDS, RELEASES = ("ops", "builds_v1"), ("ops", "releases_v1")


@dataclass(frozen=True)
class Built:
    """One row of ops.builds: a table of a build.

    `parts` is a list of {name, folder}: the name as in part=b1/started_month=2018-01, "" where the build is not
    divided. `files` is a list of {path, bytes, file_checksum}. Folders and paths go from warehouse_root on.
    """

    build_id: str
    table_name: str
    file: str
    sha256: str
    engine: str
    landing: int
    written_by: str
    started_at: str
    seconds: float
    row_count: int
    parts: list[dict[str, str]]
    files: list[dict[str, Any]]


@dataclass(frozen=True)
class Release:
    """One row of ops.releases: a decision about a build."""

    release: int
    action: str
    build_id: str
    previous_build_id: str | None
    landing: int
    decided_at: str


def stamp(letter: str) -> str:
    """An id that sorts by time: a letter and the time in UTC to the microsecond."""
    return datetime.datetime.now(datetime.UTC).strftime(f"{letter}%Y%m%dT%H%M%S%f")


def now() -> str:
    """The time as the ops tables hold it: ISO-8601 in UTC, to the millisecond."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stored(hdfs: Hdfs, *folder: str, named: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The files below a folder, as {path, bytes, file_checksum}: the path from warehouse_root on.

    `named` is the folder that it is to become, whose name the paths then have.
    """
    found = hdfs.files(*folder)
    checksums = hdfs.checksums("/".join((*folder, path)) for path, _ in found)
    root = "/".join(named or folder)
    return [
        {"path": f"{root}/{path}", "bytes": size, "file_checksum": checksum}
        for (path, size), checksum in zip(found, checksums, strict=True)
    ]


class Ledger:
    """The ledger of one warehouse."""

    def __init__(self, hdfs: Hdfs) -> None:
        self._hdfs = hdfs

    def add(self, built: Built) -> None:
        """Record a table of a build."""
        self._hdfs.put_rows([asdict(built)], *BUILDS, f"{built.build_id}-{built.table_name}.json")

    def tables(self, build_id: str) -> dict[str, Built]:
        """The tables of a build, by the name of the versioned table."""
        names = [name for name in self._hdfs.names(*BUILDS) if name.startswith(f"{build_id}-")]
        rows = [Built(**row) for name in names for row in self._hdfs.rows(*BUILDS, name)]
        return {row.table_name: row for row in rows}

    def decisions(self) -> list[int]:
        """The numbers of all releases, the newest first."""
        names = [name for name in self._hdfs.names(*RELEASES) if name.startswith("release-")]
        return [int(name[8:16]) for name in reversed(names)]

    def decision(self, number: int) -> Release:
        """The release of this number."""
        return Release(**self._hdfs.rows(*RELEASES, f"release-{number:08d}.json")[0])

    def published(self, below: int | None = None) -> Release | None:
        """The release that readers see, or the one they saw before release `below`; None where there is none."""
        numbers = [number for number in self.decisions() if below is None or number < below]
        found = (self.decision(number) for number in numbers)
        return next((release for release in found if release.action != REFUSED), None)

    def publication(self, build_id: str) -> Release | None:
        """The newest release by which readers saw this build."""
        found = (release for release in map(self.decision, self.decisions()) if release.action != REFUSED)
        return next((release for release in found if release.build_id == build_id), None)

    def undecided(self) -> dict[str, Built]:
        """The tables that the newest build finished before it was killed; none when that build was decided on."""
        newest = max((name.partition("-")[0] for name in self._hdfs.names(*BUILDS) if name.startswith("b")), default="")
        made = (release for release in map(self.decision, self.decisions()) if release.action != ROLLED_BACK)
        last = next(made, None)  # a build that began later cannot have been decided on earlier: see decide
        return self.tables(newest) if newest and (last is None or last.build_id != newest) else {}

    def decide(self, number: int, action: str, build_id: str, previous: str | None, landing: int) -> Release:
        """Record a decision, whose number follows the last one known when the build began.

        Raises WarehouseError when that number is taken: another build was decided on meanwhile.
        """
        release = Release(number, action, build_id, previous, landing, now())
        if not self._hdfs.put_rows([asdict(release)], *RELEASES, f"release-{number:08d}.json"):
            raise WarehouseError(
                f"another build was decided on while {build_id} ran, so {build_id} is not published",
                "run ./warehouse build again",
            )
        return release
