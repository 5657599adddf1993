"""The command line: what goes wrong is one line that names the thing and the next step; help has examples that work."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import psutil
import pytest
import typer.main

from etl import cli, settings
from etl.settings import PROJECT
from stack import doctor, processes

CLOSED = {  # where no server is
    "WAREHOUSE_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "WAREHOUSE_WEBHDFS": "http://127.0.0.1:1",
    "WAREHOUSE_SPARK_THRIFT": "127.0.0.1:1",
    "WAREHOUSE_HIVESERVER2": "127.0.0.1:1",
    "WAREHOUSE_METASTORE": "thrift://127.0.0.1:1",
    "WAREHOUSE_SPARK": "sc://127.0.0.1:1",
}
COMMANDS = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]


def start(home: Path, *words: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line, in this process, where there is no server and on a home of its own."""
    out, err = io.StringIO(), io.StringIO()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WAREHOUSE_")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", {**kept, **CLOSED, "WAREHOUSE_HOME": str(home), **variables})
        patch.setattr(sys, "argv", ["warehouse", *words])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        patch.chdir(PROJECT)
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as caught:
            cli.main()
    code = caught.value.code
    assert isinstance(code, int)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def error_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line of an error."""
    assert done.returncode == code and done.stdout == "", (done.returncode, done.stdout, done.stderr)
    (line,) = done.stderr.splitlines()
    assert line.startswith("warehouse: ") and "Traceback" not in line and "unexpected" not in line, line
    return line


WRONG = {  # what is typed: what the line must name, and the next step in it
    "nonsense": ("nonsense", "--help"),
    "land --fast": ("--fast", "--help"),
    "land --accept-loss 0:1": ("'0:1'", "partition:first-last"),
    "publish": ("FILE", "--help"),
    "publish missing.json": ("missing.json", "name a file"),
    "publish --topic 'bad name!' -": ("bad name!", "correct it in --set topic"),
    "--set topic=bad/name land": ("bad/name", "correct it in --set topic"),
    "--set nope=1 status": ("nope", "docs/settings.md"),
    "--set nope status": ("nope", "write name=value"),
    "--set spark_thrift=here query 'SELECT 1'": ("spark_thrift", "correct it in --set spark_thrift"),
    "--set engine=duck query 'SELECT 1'": ("duck", "correct it in --set engine"),
    "query --engine duck 'SELECT 1'": ("duck", "correct it in --set engine"),
    "up --engine duck": ("--engine", "spark, hive or all"),
    "--set hive_password=s3cret query 'SELECT 1'": ("command line", "WAREHOUSE_HIVE_PASSWORD"),
    "--set 'ports={\"kafkka\":1}' up": ("kafkka", "did you mean kafka"),
    "up --until -1": ("--until", "--help"),
    "check --max-age 99999999999999999999d": ("--max-age", "15m, 1h or 2d"),
    "generate --attempts -1": ("-1", "give 0 or more"),
    "generate --attempts many": ("--attempts", "--help"),
    "generate --seed x": ("--seed", "--help"),
    "query": ("SQL", "./warehouse query"),
    "query --format xml 'SELECT 1'": ("xml", "table, csv or json"),
    "query --format csv --json 'SELECT 1'": ("--json", "give one of them"),
    "rejected 0:1 --json": ("byte for byte", "leave out --json or the place"),
    "query 'SELECT 1' -f some.sql": ("-f FILE", "./warehouse query"),
    "query -f missing.sql": ("missing.sql", "name a SQL file"),
    "query \"SELECT 'a\"": ("cannot be read", "quote"),
    "query 'SELECT ${day}'": ("${day}", "declare it"),
    "query 'SELECT 1' --hivevar day=1": ("day", "--hivevar"),
    "query 'SELECT 1' --hivevar day": ("day", "name=value"),
    "query -f sql/3_marts/exams_v1.sql": ("warehouse_root", "of type text"),
    "query -f sql/3_marts/exams_v1.sql --hivevar warehouse_root=x --hivevar 'release=0;2'": ("0;2", "of type integer"),
}  # fmt: skip


@pytest.mark.parametrize("typed", WRONG)
def test_what_is_typed_wrong_ends_with_code_2(typed: str, tmp_path: Path) -> None:
    named, step = WRONG[typed]
    line = error_line(start(tmp_path, *shlex.split(typed)), 2)
    assert named in line and step in line, line


AWAY = {
    "land": "127.0.0.1:1",
    "rejected": "WAREHOUSE_SPARK_THRIFT",
    "rejected 0:1": "WAREHOUSE_SPARK_THRIFT",
    "replay": "WAREHOUSE_WEBHDFS",
    "build": "WAREHOUSE_WEBHDFS",
    "plan": "WAREHOUSE_WEBHDFS",
    "validate": "127.0.0.1:1",
    "report": "WAREHOUSE_SPARK_THRIFT",
    "query 'SELECT 1'": "WAREHOUSE_SPARK_THRIFT",
    "query --json 'SELECT 1'": "WAREHOUSE_SPARK_THRIFT",
    "rejected --json": "WAREHOUSE_SPARK_THRIFT",
    "land --json": "127.0.0.1:1",
    "check": "WAREHOUSE_WEBHDFS",
    "build --json": "WAREHOUSE_WEBHDFS",
    "report --json": "WAREHOUSE_SPARK_THRIFT",
    "query --engine hive 'SELECT 1'": "up --engine hive or set WAREHOUSE_HIVESERVER2",
    "publish -": "WAREHOUSE_BOOTSTRAP_SERVERS",
}


@pytest.mark.parametrize("typed", AWAY)
def test_a_server_that_is_away_is_named_with_what_starts_it(typed: str, tmp_path: Path) -> None:
    line = error_line(start(tmp_path, *shlex.split(typed), stdin="{}\n"), 1)
    assert "127.0.0.1:1" in line and AWAY[typed] in line and "./warehouse up" in line, line


def test_status_and_doctor_tell_each_server_that_is_away(tmp_path: Path) -> None:
    done = start(tmp_path, "status")
    assert done.returncode == 1 and done.stdout.count("does not answer\n") == 6 and done.stderr == ""
    done = start(tmp_path, "doctor")
    faults = [line for line in done.stdout.splitlines() if line.startswith("FAULT")]
    assert done.returncode == 1 and done.stderr == f"{len(faults)} faults\n"
    assert sum("127.0.0.1:1 (not ours): run ./warehouse up" in line for line in faults) == 6


def test_status_and_doctor_write_one_json_document(tmp_path: Path) -> None:
    done = start(tmp_path, "status", "--json")
    assert done.returncode == 1 and done.stderr == ""
    status = json.loads(done.stdout)
    assert [row["health"] for row in status["servers"]] == ["does not answer"] * 6
    assert len(status["facts"]["unknown"]) == 2 and status["facts"]["lag_messages"] is None
    done = start(tmp_path, "doctor", "--json")
    document = json.loads(done.stdout)
    faults = [check for check in document["checks"] if not check["is_good"]]
    assert document["faults"] == len(faults) >= 6 and all(check["step"] for check in faults)
    assert not any(check["step"] for check in document["checks"] if check["is_good"])


def test_doctor_says_where_each_setting_comes_from_and_shows_no_password(tmp_path: Path) -> None:
    given = {"WAREHOUSE_HIVE_PASSWORD": "s3cret", "WAREHOUSE_HIVE_USER": "analyst"}
    done = start(tmp_path, "--set", "topic=exams", "doctor", **given)
    assert "setting topic = exams, from --set topic" in done.stdout
    assert "setting hive_user = analyst, from WAREHOUSE_HIVE_USER" in done.stdout
    assert f"setting key_field = user_exam_id, from {PROJECT}/warehouse.toml" in done.stdout
    assert "setting hive_password = (not shown), from WAREHOUSE_HIVE_PASSWORD" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr
    assert "setting engine" not in done.stdout, "it is the default"


def test_doctor_finds_a_taken_port_and_a_password_that_others_can_read(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret")
    secret.chmod(0o644)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        given = {"WAREHOUSE_HIVE_PASSWORD_FILE": str(secret), "WAREHOUSE_PORTS": json.dumps({"kafka": port})}
        done = start(tmp_path, "doctor", **given)
    assert re.search(rf"FAULT  port {port}, set for kafka, is taken by .*: end the program that uses it", done.stdout)
    assert f"FAULT  {secret} can be read by other users: chmod 600 {secret}" in done.stdout
    secret.chmod(0o600)
    assert "can be read by other users" not in start(tmp_path, "doctor", **given).stdout


def test_doctor_names_a_package_that_is_not_the_locked_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "requirements.lock").write_text("typer==0.0.1 \\\n    --hash=sha256:0\nno-such-thing==1 \\\n")
    monkeypatch.setattr(doctor, "PROJECT", tmp_path)
    (check,) = doctor._packages(settings.load())
    assert not check.is_good and "typer" in check.text and "no-such-thing missing for 1" in check.text
    assert "run ./warehouse again" in check.step


def test_doctor_finds_every_file_of_a_secret_that_others_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local, key = tmp_path / "warehouse.local.toml", tmp_path / "key"
    local.write_text('notify = "https://hooks/t0ken"\n')
    key.write_text("key")
    monkeypatch.setitem(settings.Settings.model_config, "toml_file", [local])
    for path in (local, key):
        path.chmod(0o644)
    done = start(tmp_path, "doctor", WAREHOUSE_ERASURE_KEY_FILE=str(key))
    for path in (local, key):
        assert f"FAULT  {path} can be read by other users: chmod 600 {path}" in done.stdout
        path.chmod(0o600)
    assert "t0ken" not in done.stdout
    assert "can be read by other" not in start(tmp_path, "doctor", WAREHOUSE_ERASURE_KEY_FILE=str(key)).stdout


def test_the_demo_publishes_to_no_server_that_a_setting_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "up", lambda *_: None)
    for words, place in (
        ([], "WAREHOUSE_BOOTSTRAP_SERVERS"),
        (["--set", "bootstrap_servers=127.0.0.1:2"], "--set bootstrap_servers"),
    ):
        done = start(tmp_path, *words, "demo")
        assert done.returncode == 2 and "2. publish" not in done.stderr
        assert f"the demo runs on the local stack, but {place} gives 127.0.0.1:" in done.stderr


def test_a_folder_that_cannot_be_written_is_named_by_a_command_that_writes_pages(tmp_path: Path) -> None:
    (tmp_path / "reports").touch()
    line = error_line(start(tmp_path, "docs"), 1)
    assert f"{tmp_path}/reports" in line and "cannot be used" in line and "check that path" in line


def test_down_without_a_stack_ends_nothing(tmp_path: Path) -> None:
    done = start(tmp_path, "down")
    assert (done.returncode, done.stderr) == (0, "ended 0 servers\n")


def test_no_command_shows_the_help(tmp_path: Path) -> None:
    done = start(tmp_path)
    assert done.returncode == 2 and done.stdout.startswith("Usage: ./warehouse") and done.stderr == ""


def test_debug_shows_the_trace_and_keeps_line_and_code(tmp_path: Path) -> None:
    done = start(tmp_path, "--debug", "query")
    assert done.returncode == 2 and done.stderr.startswith("Traceback")
    assert done.stderr.splitlines()[-1].startswith("warehouse: give either one SQL text")


def test_a_fault_of_the_program_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> None:
        raise ZeroDivisionError("one\ntwo")

    monkeypatch.setattr(settings, "load", broken)
    monkeypatch.setattr(sys, "argv", ["warehouse", "land"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    assert capsys.readouterr().err == "warehouse: unexpected ZeroDivisionError: one two; see --debug\n"


def test_a_reader_that_has_enough_is_no_fault(tmp_path: Path) -> None:
    given = {**os.environ, "WAREHOUSE_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    command = f"{shlex.quote(sys.executable)} -m etl generate --attempts 4000 | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=given, check=False)
    assert json.loads(done.stdout) and done.stderr == ""


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        ("publish - <&-", 1, "warehouse: the input holds no record; publish a JSON array or JSON lines\n"),
        ("down >&-", 0, "ended 0 servers\n"),
        ("down >&- 2>&-", 0, ""),
    ],
)
def test_a_stream_that_the_caller_closed_is_no_fault(words: str, code: int, line: str, tmp_path: Path) -> None:
    given = {**os.environ, **CLOSED, "WAREHOUSE_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    command = f"{shlex.quote(sys.executable)} -m etl {words}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=given, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (code, line, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_a_command_started_ends_with_it(number: signal.Signals, tmp_path: Path) -> None:
    java = tmp_path / "java/bin/java"
    java.parent.mkdir(parents=True)
    version = '[ "$1" != -version ] || { echo \'openjdk version "17.0.1"\' >&2; exit; }'
    java.write_text(
        f"#!/bin/sh\n{version}\necho $$ > {tmp_path}/draft; mv {tmp_path}/draft {tmp_path}/pid\nexec sleep 60\n"
    )
    java.chmod(0o755)
    given = {**os.environ, **CLOSED, "WAREHOUSE_HOME": str(tmp_path), "JAVA_HOME": str(tmp_path / "java")}
    command = [sys.executable, "-m", "etl", "beeline"]
    running = subprocess.Popen(command, cwd=PROJECT, env=given, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "pid").exists() and running.poll() is None:
        time.sleep(0.02)
    running.send_signal(number)
    assert running.communicate(timeout=30)[1] == "warehouse: interrupted\n" and running.returncode == 1
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


# Help


def test_there_are_the_commands_of_the_project() -> None:
    words = "up down status check running doctor superset generate publish canary land rejected replay build plan"
    words += " rollback repair retire clean erase compact validate report docs query export connect serve beeline run"
    words += " demo test customers"
    assert " ".join(COMMANDS) == words


def example(name: str) -> str:
    """The example in a command's help."""
    match = re.fullmatch(r"Example: (\./warehouse .+)", COMMANDS[name].epilog or "")
    assert match, name
    return match[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_an_example_that_parses(name: str) -> None:
    for part in example(name).split(" | "):
        program, verb, *words = shlex.split(part)
        assert program == "./warehouse" and verb in COMMANDS
        COMMANDS[verb].make_context(verb, words)
    assert name in example(name) and COMMANDS[name].help


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "beeline"])
def test_help_is_shown_with_its_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        COMMANDS[name].main(["--help"], prog_name=name)
    assert caught.value.code == 0 and "Example: ./warehouse" in capsys.readouterr().out


# Completion


OFFERED = {  # what is typed so far: what the shell is offered
    "bu": "build",
    "--set hive_t": "hive_tls= hive_tls_ca= hive_tls_verify=",
    "--set hive_p": "hive_password_file=",
    "up --engine ": "spark hive all",
    "query --engine h": "hive",
    "query --format ": "table csv json",
    "validate --j": "--json",
}


@pytest.mark.parametrize("typed", OFFERED)
def test_the_shell_completes(typed: str, tmp_path: Path) -> None:
    words = ["./warehouse", *typed.split(" ")]
    given = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = start(tmp_path, _WAREHOUSE_COMPLETE="complete_bash", **given)
    assert done.stdout.split() == OFFERED[typed].split() and done.stderr == ""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not on this machine")
def test_bash_asks_the_program_that_was_typed(tmp_path: Path) -> None:
    script = start(tmp_path, "--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1").stdout
    (tmp_path / "warehouse").write_text(f'#!/bin/sh\nPYTHONPATH={PROJECT} exec {sys.executable} -m etl "$@"\n')
    (tmp_path / "warehouse").chmod(0o755)
    typed = "COMP_WORDS=(./warehouse query --format c); COMP_CWORD=3"
    ask = '_warehouse_completion ./warehouse; echo "${COMPREPLY[@]}"; complete -p warehouse'
    done = subprocess.run(
        ["bash", "--norc", "-c", f"{script}\n{typed}\n{ask}"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["csv", "complete -o default -F _warehouse_completion warehouse"]


@pytest.mark.parametrize("words", [["--help"], ["query", "SELECT 1"]])
def test_nothing_heavy_is_loaded_that_is_not_needed(words: list[str], tmp_path: Path) -> None:
    kept = {**os.environ, **CLOSED, "WAREHOUSE_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-X", "importtime", "-m", "etl", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=kept, check=False)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "etl.cli" in loaded or "etl" in loaded
    heavy = {
        "pyspark",
        "great_expectations",
        "pandas",
        "pyarrow",
        "altair",
        "confluent_kafka",
        "jinja2",
        "rich.console",
    }
    if words == ["--help"]:
        heavy |= {"pydantic", "sqlglot", "thrift", "msgspec"}
    assert not loaded & heavy


def test_help_takes_less_than_half_a_second_of_the_processor() -> None:
    """Not of the clock: the machine may be busy with other things. The best of three counts."""
    spent = []
    for _ in range(3):
        before = os.times()
        command = [sys.executable, "-m", "etl", "--help"]
        subprocess.run(command, cwd=PROJECT, stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        spent.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(spent) < 0.5, spent
