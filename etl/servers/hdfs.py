"""HDFS over WebHDFS: small files are put, folders listed and renamed; the data itself moves by Spark and Hive."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import fsspec
import msgspec
import requests

from etl.errors import GoneError, ServerError, WarehouseError
from etl.servers.hive import reduced
from etl.settings import Settings

SECONDS = 120.0  # that a server may leave a request, or the rest of an answer, unanswered
AT_ONCE = 8  # files that are read, or whose checksum is requested, at a time: each answer takes two servers


class Hdfs:
    """The warehouse's folder on HDFS; paths are relative to `settings.warehouse_root`."""

    def __init__(self, settings: Settings) -> None:
        address = urlsplit(settings.address("webhdfs"))
        self.address = address.netloc
        self.root = PurePosixPath(urlsplit(settings.warehouse_root).path or "/")
        self.filesystem = fsspec.filesystem(
            "webhdfs",
            host=address.hostname,
            port=address.port or 9870,
            user=settings.hdfs_user,
            use_https=address.scheme == "https",
            use_listings_cache=False,
        )
        session = self.filesystem.session
        session.headers["X-XSRF-HEADER"] = "warehouse"  # a web page's form cannot send it
        session.request = partial(session.request, timeout=SECONDS)  # by itself it waits forever

    def path(self, *names: str) -> str:
        """The absolute path of something under the root."""
        return str(self.root.joinpath(*names))

    def names(self, *folder: str) -> list[str]:
        """The names in a folder, sorted; none where there is no such folder."""
        return sorted(PurePosixPath(entry["name"]).name for entry in self._list(*folder))

    def _list(self, *folder: str) -> list[dict[str, Any]]:
        try:
            return list(self._call("ls", self.path(*folder), detail=True))
        except FileNotFoundError:
            return []

    def _below(self, *folder: str) -> Iterator[dict[str, Any]]:
        """All files and folders below a folder. Not by fsspec's find, which leaves out what it could not list."""
        for entry in self._list(*folder):
            yield entry
            if entry["type"] == "directory":
                yield from self._below(entry["name"])

    def files(self, *folder: str) -> list[tuple[str, int]]:
        """(path below the folder, bytes) of every file in it, sorted; hidden ones (`_...`, `....`) are left out.

        None where there is no such folder.
        """
        root = self.path(*folder)
        entries = [entry for entry in self._below(*folder) if entry["type"] != "directory"]
        paths = [(PurePosixPath(entry["name"]).relative_to(root), entry["size"]) for entry in entries]
        return sorted((str(path), size) for path, size in paths if not any(part[0] in "_." for part in path.parts))

    def checksums(self, paths: Iterable[str]) -> list[str]:
        """HDFS's own checksum of the contents of each file, from the checksums that the DataNodes keep beside them."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda path: str(self._call("ukey", self.path(path))["bytes"]), paths))

    def size(self, *path: str) -> int:
        """The bytes of a file, or of all files below a folder."""
        return int(self._call("content_summary", self.path(*path))["length"])

    def changed_at(self, *path: str) -> float:
        """When a file, or the youngest of a folder's files and folders, was last changed: seconds since 1970."""
        entries = [self._call("info", self.path(*path)), *self._below(*path)]
        return max(float(entry.get("modificationTime", 0)) for entry in entries) / 1000

    def content(self, *path: str) -> bytes:
        """The bytes of a file. Not by fsspec's cat_file, which returns a DataNode's refusal as if it were these."""
        return bytes(self._call("_call", "OPEN", path=self.path(*path)).content)

    def put(self, content: bytes, *path: str) -> None:
        """Write a file and read it back. Raises ServerError where it is not what was written."""
        self._call("pipe_file", self.path(*path), content)
        if self.content(*path) != content:
            raise ServerError(
                f"HDFS at {self.address} stored other bytes in {self.path(*path)} than were written", "run it again"
            )

    def put_rows(self, rows: list[dict[str, Any]], *path: str) -> bool:
        """Write rows as JSON lines into a new file, seen whole or not at all; False when it is there already."""
        draft = (*path[:-1], f".{path[-1]}.{uuid.uuid4().hex}")
        lines = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
        self._call("pipe_file", self.path(*draft), lines)
        if self.rename_new(draft, path):
            return True
        self.remove(*draft)
        return False

    def rows(self, *path: str) -> list[dict[str, Any]]:
        """The rows of a JSON-lines file."""
        return [msgspec.json.decode(line) for line in self.content(*path).splitlines()]

    def remove(self, *path: str) -> None:
        """Remove a file or folder with all in it, if it is there, past the trash of an HDFS that has one."""
        try:
            self._call("_call", "DELETE", method="delete", path=self.path(*path), recursive="true", skiptrash="true")
        except FileNotFoundError:
            return

    def rename_new(self, source: tuple[str, ...], target: tuple[str, ...]) -> bool:
        """Rename in one step; False when the target is there already (compare-and-swap on a name)."""
        new, old = self.path(*target), self.path(*source)
        self._call("makedirs", self.path(*target[:-1]), exist_ok=True)
        try:
            # fsspec's mv does not offer this: without renameoptions a folder would move into an existing one.
            options = {"path": old, "destination": new, "renameoptions": "NONE"}
            self._call("_call", "RENAME", method="put", **options)
        except ServerError:
            if not self._exists(new):
                raise
            return not self._exists(old)  # an answer that was lost on the way back
        return True

    def _exists(self, path: str) -> bool:
        """Not by fsspec's exists, which takes a server that does not answer for a file that is not there."""
        try:
            self._call("info", path)
        except FileNotFoundError:
            return False
        return True

    def _call(self, verb: str, *arguments: Any, **options: Any) -> Any:
        try:
            return getattr(self.filesystem, verb)(*arguments, **options)
        except (requests.ConnectionError, requests.Timeout) as error:
            server = urlsplit(error.request.url or "").netloc if error.request is not None else ""  # or a DataNode
            raise ServerError(
                f"HDFS does not answer at {server or self.address}",
                "start it with ./warehouse up or set WAREHOUSE_WEBHDFS",
            ) from error
        except FileNotFoundError as error:
            place = options.get("path") or arguments[0]
            raise GoneError(f"HDFS at {self.address} has no {place}", "run it again if another command ran") from error
        except (OSError, RuntimeError, ValueError, LookupError) as error:
            action = " ".join(filter(None, (*map(str, arguments[:1]), options.get("path"))))
            if not verb.startswith("_"):
                action = f"{verb} {action}"
            raise ServerError(
                f"HDFS at {self.address} refused {action}: {_cause(error)}", "run ./warehouse doctor"
            ) from error


def rows_of(hdfs: Hdfs, paths: Sequence[tuple[str, ...]]) -> list[list[dict[str, Any]]]:
    """The rows of each of these JSON-lines files, some of which are read at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda path: hdfs.rows(*path), paths))


@contextlib.contextmanager
def discarded(hdfs: Hdfs, *draft: str) -> Iterator[None]:
    """Remove a draft that does not become anything: it may hold what an erasure removes meanwhile."""
    try:
        yield
    except WarehouseError:
        hdfs.remove(*draft)
        raise


def _cause(error: Exception) -> str:
    """The cause that HDFS gives; fsspec passes on a DataNode's refusal with its status alone."""
    try:
        return reduced(error.response.json()["RemoteException"]["message"])  # type: ignore[attr-defined]
    except (AttributeError, ValueError, LookupError, TypeError):
        return str(error)
