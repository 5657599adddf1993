"""Never another warehouse: which servers a home uses in every order of up, down and a kill, and what it writes to."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import pytest

from etl import local_stack
from etl import settings as settings_module
from etl.errors import EXIT_USAGE, UsageError, WarehouseError
from etl.local_stack import SERVERS, Process
from etl.settings import Settings
from etl.store import identity
from stack import ports, processes
from stack.layout import Layout

# Every order of up, down and a kill


class Machine:
    """A machine with two homes, on which a server is an entry in `alive`: (home, server) by process id."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.homes = [folder / "a", folder / "b"]
        self.alive: dict[int, tuple[Path, str]] = {}
        self.taken: dict[int, int] = {}  # port: process id
        self.pids = itertools.count(1)
        patch.setattr(Process, "handle", lambda process: process if process.pid in self.alive else None)
        patch.setattr(ports, "is_free", lambda port: port not in self.taken)
        patch.setattr(ports, "_free_port", lambda others: max({20000, *others, *self.taken}) + 1)

    def up(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        settings = settings_module.load(home=home)
        stack = local_stack.read(home)
        try:
            layout = Layout(settings, ports.choose_ports(settings, stack.ports, stack.running))
        except UsageError:  # a port between its servers is taken: `down` comes first
            return
        running = dict(stack.running)
        for server in set(SERVERS.values()) - set(running):
            running[server] = Process(server, next(self.pids), 0.0)
            self.alive[running[server].pid] = (home, server)
            for name, port in layout.ports.items():
                if name.partition("-")[0] == server:
                    assert port not in self.taken
                    self.taken[port] = running[server].pid
        processes._write(layout, "all", running)

    def down(self, home: Path) -> None:
        for process in local_stack.read(home).processes.values():
            self.end(process.pid)
        if (home / "stack.json").exists():
            settings = settings_module.load(home=home)
            processes._record(settings, {**processes.read(settings), "processes": []})

    def kill(self, home: Path) -> None:
        for pid in [pid for pid, (owner, _) in self.alive.items() if owner == home]:
            self.end(pid)

    def kill_spark(self, home: Path) -> None:
        for pid in [pid for pid, owner in self.alive.items() if owner == (home, "spark")]:
            self.end(pid)

    def end(self, pid: int) -> None:
        self.alive.pop(pid, None)
        self.taken = {port: owner for port, owner in self.taken.items() if owner != pid}

    def check(self) -> None:
        """Every address of a home is one on which a server of that home listens; there is one for each of them."""
        for home in self.homes:
            loaded = settings_module.load(home=home)
            for name, server in SERVERS.items():
                address = getattr(loaded, name)
                owners = [owner for owner in self.alive.values() if owner == (home, server)]
                assert bool(address) == bool(owners), (home, name)
                if address:
                    pid = self.taken[int(address.rpartition(":")[2])]
                    assert self.alive[pid][0] == home
                else:
                    with pytest.raises(WarehouseError):
                        loaded.address(name)


def test_no_order_of_up_down_and_kill_makes_a_home_use_a_server_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = list(itertools.product(("up", "down", "kill", "kill_spark"), (0, 1)))
    histories = [history for history in itertools.product(steps, repeat=3) if history[0] == ("up", 0)]
    histories += [(("up", 0), ("up", 1), *history) for history in itertools.product(steps, repeat=2)]
    for number, history in enumerate(histories):
        with monkeypatch.context() as patch:
            machine = Machine(tmp_path / str(number), patch)
            for step, home in history:
                getattr(machine, step)(machine.homes[home])
            try:
                machine.check()
            except AssertionError as error:
                raise AssertionError(f"{error}: {history}") from error


# What a home writes to


class FakeHdfs:
    """The files of a root by name; `race` is another command that writes its id first."""

    def __init__(self, race: str = "") -> None:
        self.files: dict[str, list[dict[str, Any]]] = {}
        self.race = race

    def names(self) -> list[str]:
        return sorted(self.files)

    def rows(self, name: str) -> list[dict[str, Any]]:
        return self.files[name]

    def put_rows(self, rows: list[dict[str, Any]], name: str) -> bool:
        if self.race:
            self.files[name] = [{"id": self.race}]
        return self.files.setdefault(name, rows) is rows


@dataclasses.dataclass
class World:
    """The warehouse and the Kafka cluster that answer."""

    hdfs: FakeHdfs
    kafka: str = "cluster-1"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    other = World(FakeHdfs())
    monkeypatch.setattr(identity, "Hdfs", lambda _: other.hdfs)
    monkeypatch.setattr(identity.kafka, "cluster_id", lambda _: other.kafka)
    return other


def home(folder: Path, **settings: Any) -> Settings:
    """The settings of a home, with an address of Kafka."""
    return settings_module.load(home=folder, bootstrap_servers="kafka:9092", **settings)


def refused(confirm: Any, given: Settings) -> str:
    """The line with which a write is refused."""
    with pytest.raises(UsageError) as caught:
        confirm(given)
    assert caught.value.exit_code == EXIT_USAGE
    return str(caught.value)


def test_the_first_write_gives_a_warehouse_an_id_that_all_homes_see(world: World, tmp_path: Path) -> None:
    for name in ("a", "b", "a"):
        identity.confirm_warehouse(home(tmp_path / name))
    (row,) = world.hdfs.files["warehouse.json"]
    assert (tmp_path / "a/warehouse.id").read_text() == (tmp_path / "b/warehouse.id").read_text() == f"{row['id']}\n"
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["warehouse.id"]


def test_of_two_first_writers_the_id_of_the_earlier_counts(world: World, tmp_path: Path) -> None:
    world.hdfs = FakeHdfs(race="earlier")
    identity.confirm_warehouse(home(tmp_path))
    assert (tmp_path / "warehouse.id").read_text() == "earlier\n"


def test_a_home_does_not_write_to_another_warehouse(world: World, tmp_path: Path) -> None:
    identity.confirm_warehouse(home(tmp_path))
    first = (tmp_path / "warehouse.id").read_text().strip()
    for files in ({}, {"warehouse.json": [{"id": "other"}]}):
        world.hdfs = FakeHdfs()
        world.hdfs.files.update(files)
        line = refused(identity.confirm_warehouse, home(tmp_path))
        assert f"{tmp_path} wrote to the warehouse {first}" in line and "--set adopt=true" in line
        assert world.hdfs.files == files and (tmp_path / "warehouse.id").read_text().strip() == first


def test_a_home_that_is_told_to_changes_over_once(world: World, tmp_path: Path) -> None:
    identity.confirm_warehouse(home(tmp_path))
    before, world.hdfs = world.hdfs, FakeHdfs()
    identity.confirm_warehouse(home(tmp_path, adopt=True))
    identity.confirm_warehouse(home(tmp_path))
    world.hdfs = before
    refused(identity.confirm_warehouse, home(tmp_path))


def test_a_home_does_not_publish_to_another_kafka(world: World, tmp_path: Path) -> None:
    identity.confirm_kafka(home(tmp_path))
    world.kafka = "cluster-2"
    line = refused(identity.confirm_kafka, home(tmp_path))
    assert f"kafka:9092 is the kafka cluster-2, but {tmp_path} wrote to the kafka cluster-1" in line
    identity.confirm_kafka(home(tmp_path, adopt=True))
    identity.confirm_kafka(home(tmp_path))


def test_a_home_that_cannot_be_written_is_told_before_any_server_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "Hdfs", lambda _: pytest.fail("a server was called"))
    (tmp_path / "file").touch()
    assert "cannot be written" in refused(identity.confirm_warehouse, home(tmp_path / "file" / "home"))


@pytest.mark.usefixtures("world")
def test_an_id_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "warehouse.id").write_bytes(b"\xff")
    with pytest.raises(WarehouseError, match=r"warehouse\.id cannot be read: .*; delete it and use --set adopt=true"):
        identity.confirm_warehouse(home(tmp_path))
