"""HDFS in memory, behind the calls of etl.servers.hdfs.Hdfs that the commands use.

It belongs to one World, which is asked before each call and told after each change: there it stops, interrupts or robs
a command of its answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from etl.errors import GoneError, ServerError


class Files:
    """The files of HDFS, as dictionaries of dictionaries and bytes."""

    def __init__(self, top: dict[str, Any] | None = None) -> None:
        self.top: dict[str, Any] = top if top is not None else {}

    def copy(self) -> Files:
        """The same files, to be changed on their own."""
        return Files(_copied(self.top))

    def get(self, *path: str) -> Any:
        """A folder's dictionary, a file's bytes, or None."""
        place: Any = self.top
        for name in path:
            if not isinstance(place, dict) or (place := place.get(name)) is None:
                return None
        return place

    def put(self, entry: Any, *path: str) -> None:
        """Put a file or folder, with the folders above it."""
        place = self.top
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = entry

    def pop(self, *path: str) -> None:
        """Remove a file or folder, if it is there."""
        folder = self.get(*path[:-1])
        if isinstance(folder, dict):
            folder.pop(path[-1], None)

    def walk(self, *path: str) -> Iterator[tuple[tuple[str, ...], bytes]]:
        """The path below a folder and the content of each file in it."""
        entry = self.get(*path)
        for name in sorted(entry) if isinstance(entry, dict) else ():
            if isinstance(entry[name], dict):
                yield from (((name, *rest), content) for rest, content in self.walk(*path, name))
            else:
                yield (name,), entry[name]


def _copied(folder: dict[str, Any]) -> dict[str, Any]:
    return {name: _copied(entry) if type(entry) is dict else entry for name, entry in folder.items()}


def parts(path: Iterable[str]) -> tuple[str, ...]:
    return tuple("/".join(path).split("/"))


class FakeHdfs:
    """The calls of Hdfs that the commands use."""

    world: Any = None  # the World at work

    def __init__(self, _settings: Any) -> None:
        self.address = "simulated"

    def names(self, *folder: str) -> list[str]:
        self.world.before_call("names")
        entry = self.world.files.get(*parts(folder))
        return sorted(entry) if isinstance(entry, dict) else []

    def files(self, *folder: str) -> list[tuple[str, int]]:
        self.world.before_call("files")
        walk = self.world.files.walk(*parts(folder))
        return [("/".join(path), len(content)) for path, content in walk if not any(n[0] in "_." for n in path)]

    def checksums(self, paths: Iterable[str]) -> list[str]:
        self.world.before_call("checksums")
        return [f"{hash(self._content(path)):x}" for path in paths]

    def size(self, *path: str) -> int:
        self.world.before_call("size")
        entry = self.world.files.get(*parts(path))
        if entry is None:
            raise GoneError("/".join(path))
        if isinstance(entry, bytes):
            return len(entry)
        return sum(len(content) for _, content in self.world.files.walk(*parts(path)))

    def changed_at(self, *path: str) -> float:
        self.world.before_call("changed_at")
        if self.world.files.get(*parts(path)) is None:
            raise GoneError("/".join(path))
        return 1e12  # a moment ago

    def content(self, *path: str) -> bytes:
        self.world.before_call("content")
        return self._content("/".join(path))

    def rows(self, *path: str) -> list[dict[str, Any]]:
        self.world.before_call("rows")
        return [msgspec.json.decode(line) for line in self._content("/".join(path)).splitlines()]

    def _content(self, path: str) -> bytes:
        entry = self.world.files.get(*path.split("/"))
        if not isinstance(entry, bytes):
            raise GoneError(path)
        return entry

    def put(self, content: bytes, *path: str) -> None:
        self.world.change(f"put {'/'.join(path)}", lambda: self.world.files.put(content, *parts(path)))

    def put_rows(self, rows: list[dict[str, Any]], *path: str) -> bool:
        def effect() -> bool:
            place = parts(path)
            if self.world.files.get(*place) is not None:
                return False
            self.world.files.put(b"".join(msgspec.json.encode(row) + b"\n" for row in rows), *place)
            return True

        return bool(self.world.change(f"put {'/'.join(path)}", effect))

    def remove(self, *path: str) -> None:
        self.world.change(f"remove {'/'.join(path)}", lambda: self.world.files.pop(*parts(path)))

    def rename_new(self, source: tuple[str, ...], target: tuple[str, ...]) -> bool:
        def effect() -> bool:
            old, new = parts(source), parts(target)
            entry = self.world.files.get(*old)
            if self.world.files.get(*new) is not None:
                return entry is None
            if entry is None:
                raise ServerError(f"HDFS has no {'/'.join(source)}", "run it again")
            self.world.files.pop(*old)
            self.world.files.put(entry, *new)
            return True

        return bool(self.world.change(f"rename {'/'.join(source)} to {'/'.join(target)}", effect))
