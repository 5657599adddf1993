"""Settings: which place wins, what is refused and how, and that docs/settings.md lists them all."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from etl import settings
from etl.errors import EXIT_USAGE, UsageError, WarehouseError
from etl.local_stack import SERVERS
from etl.settings import PROJECT, Settings
from stack.layout import PORTS

PAGE = (PROJECT / "docs" / "settings.md").read_text()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the files that are read, a home, and no variable of the caller's."""
    for name in [name for name in os.environ if name.startswith("WAREHOUSE_")]:
        monkeypatch.delenv(name)
    files = [tmp_path / "warehouse.toml", tmp_path / "warehouse.local.toml"]
    monkeypatch.setitem(Settings.model_config, "toml_file", files)
    monkeypatch.setenv("WAREHOUSE_HOME", str(tmp_path / "home"))
    yield tmp_path


def running(folder: Path, ended: tuple[str, ...] = (), **addresses: str) -> None:
    """Record a stack with these addresses, whose servers run but for those that have ended."""
    (folder / "home").mkdir(exist_ok=True)
    began = psutil.Process().create_time()
    names = set(SERVERS.values())
    rows = [{"name": name, "pid": os.getpid(), "began": began - 100 * (name in ended)} for name in names]
    state = {"ports": {}, "settings": addresses, "processes": rows}
    (folder / "home" / "stack.json").write_text(json.dumps(state))


def refused(**flags: object) -> str:
    """The one line with which the settings are refused."""
    with pytest.raises(UsageError) as caught:
        settings.load(**flags)
    assert caught.value.exit_code == EXIT_USAGE and "\n" not in str(caught.value)
    return str(caught.value)


def test_the_first_place_that_gives_a_setting_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def address() -> str:
        return settings.load().hiveserver2

    assert address() == ""
    running(folder, hiveserver2="stack:1")
    assert address() == "stack:1"
    (folder / "warehouse.toml").write_text('hiveserver2 = "project:2"\n')
    assert address() == "project:2"
    (folder / "warehouse.local.toml").write_text('hiveserver2 = "machine:3"\n')
    assert address() == "machine:3"
    monkeypatch.setenv("WAREHOUSE_HIVESERVER2", "variable:4")
    assert address() == "variable:4"
    assert settings.load(hiveserver2="flag:5").hiveserver2 == "flag:5"
    assert settings.load(hiveserver2=None).hiveserver2 == "variable:4"


def test_files_of_both_kinds_add_up(folder: Path) -> None:
    (folder / "warehouse.toml").write_text('topic = "a"\nkey_field = "id"\n')
    (folder / "warehouse.local.toml").write_text('topic = "b"\n')
    loaded = settings.load()
    assert (loaded.topic, loaded.key_field) == ("b", "id")


def test_only_the_addresses_that_are_not_set_come_from_the_stack(folder: Path) -> None:
    running(folder, hiveserver2="stack:1", webhdfs="http://stack:2")
    loaded = settings.load(hiveserver2="cluster:1")
    assert (loaded.hiveserver2, loaded.webhdfs) == ("cluster:1", "http://stack:2")


def test_without_a_stack_and_a_setting_there_is_no_address_and_the_next_step_is_named(folder: Path) -> None:
    for name in SERVERS:
        with pytest.raises(WarehouseError) as caught:
            settings.load().address(name)
        text = str(caught.value)
        assert text.startswith(f"no stack is up in {folder}/home and no setting names ") and caught.value.exit_code == 1
        assert text.endswith(f"; run ./warehouse up, or set WAREHOUSE_HOME or WAREHOUSE_{name.upper()}")


@pytest.mark.parametrize("name", SERVERS)
def test_the_address_of_a_server_that_has_ended_is_not_used(folder: Path, name: str) -> None:
    """Its port may belong to another home's server by now."""
    running(folder, ended=(SERVERS[name],), **{server: f"http://stack:{n}" for n, server in enumerate(SERVERS)})
    loaded = settings.load()
    gone = [server for server in SERVERS if SERVERS[server] == SERVERS[name]]
    assert [server for server in SERVERS if not getattr(loaded, server)] == gone
    with pytest.raises(WarehouseError, match=r"run \./warehouse up"):
        loaded.address(name)


def test_a_stack_whose_servers_have_all_ended_gives_nothing(folder: Path) -> None:
    running(folder, ended=tuple(SERVERS.values()), engine="hive", webhdfs="http://stack:2", hdfs_user="other")
    loaded = settings.load()
    assert (loaded.engine, loaded.webhdfs) == ("spark", "") and loaded.hdfs_user != "other"


def test_the_projects_own_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Settings.model_config, "toml_file", [PROJECT / "warehouse.toml"])
    loaded = settings.load()
    assert loaded.topic == "assessments" and loaded.genuine_blob


def test_a_home_is_absolute_whatever_was_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert settings.load(home="there").home == folder / "there"
    assert settings.load(home="~/there").home == Path.home() / "there"


def test_ports_are_json_in_a_flag_as_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.load(ports='{"kafka": 1}').ports == {"kafka": 1}
    monkeypatch.setenv("WAREHOUSE_PORTS", '{"kafka": 2}')
    assert settings.load().ports == {"kafka": 2}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("topic", "two words"),
        ("topic", ""),
        ("topic", "a" * 250),
        ("genuine_bytes", "many"),
        ("bootstrap_servers", "localhost"),
        ("bootstrap_servers", "a:1,b"),
        ("webhdfs", "127.0.0.1:9870"),
        ("webhdfs", "file:///etc:1"),
        ("hdfs_user", "a b"),
        ("hiveserver2", "localhost"),
        ("hiveserver2", "jdbc:hive2://a:1"),
        ("hive_auth", "MAGIC"),
        ("engine", "pig"),
        ("ports", '{"kafka": 70000}'),
        ("ports", '{"kafka": "x"}'),
        ("ports", "[1]"),
        ("ports", "nonsense"),
        ("bootstrap_servers", "a:9092,b:65536"),
        ("webhdfs", "http://a:99999"),
        ("spark_thrift", "a:100000"),
        ("hive_connect_seconds", "inf"),
        ("hive_silence_seconds", "1e300"),
        ("hive_query_seconds", "nan"),
        ("warehouse_root", ""),
        ("warehouse_root", "hdfs://warehouse"),
        ("warehouse_root", "hdfs://warehouse/"),
        ("warehouse_root", "hdfs://warehouse/a/"),
        ("warehouse_root", "hdfs://warehouse/a/../b"),
        ("warehouse_root", "/"),
        ("spark", "127.0.0.1:15002"),
        ("spark", ""),
        ("home", "~nobody-of-this-name/x"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    line = refused(**{name: value})
    assert f"setting {name}" in line and line.endswith(f"; correct it in --set {name}")
    monkeypatch.setenv(f"WAREHOUSE_{name.upper()}", value)
    assert name in refused() and f"WAREHOUSE_{name.upper()}" in refused()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bootstrap_servers", "a:9092,b:65535"),
        ("webhdfs", "https://a:1"),
        ("spark", "sc://a:15002/;user_id=me"),
        ("spark", "local[2]"),
        ("spark", "yarn"),
        ("spark", "spark://a:7077"),
        ("warehouse_root", "hdfs://prod/apps/warehouse"),
        ("warehouse_root", "hdfs://a:8020/user/me/.warehouse"),
        ("warehouse_root", "/warehouse"),
        ("warehouse_root", "file:///data/w"),
    ],
)
def test_a_value_that_can_be_used_is_kept(name: str, value: str) -> None:
    assert getattr(settings.load(**{name: value}), name) == value


def test_a_user_without_a_name_goes_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987_654)
    assert (settings.load().hdfs_user, settings.load().hive_user) == ("987654", "987654")


def test_a_value_that_cannot_be_used_is_named_with_its_file(folder: Path) -> None:
    (folder / "warehouse.local.toml").write_text('engine = "pig"\n')
    assert refused().endswith(f"; correct it in {folder}/warehouse.local.toml")


def test_a_file_that_is_no_toml_is_named_with_its_fault(folder: Path) -> None:
    (folder / "warehouse.local.toml").write_text("topic = assessments\n")
    line = refused()
    assert "settings cannot be read" in line and "line 1" in line
    assert line.endswith(f"; correct {folder}/warehouse.local.toml")


def test_a_file_that_is_not_utf_8_is_named(folder: Path) -> None:
    (folder / "warehouse.toml").write_bytes(b'topic = "\xff"\n')
    assert refused().endswith(f"; correct {folder}/warehouse.toml")


def test_an_unknown_setting_in_a_file_is_named(folder: Path) -> None:
    (folder / "warehouse.toml").write_text('topik = "a"\n')
    assert refused() == f"there is no setting topik, which {folder}/warehouse.toml gives; did you mean topic?"


@pytest.mark.parametrize(
    ("variable", "step"),
    [("WAREHOUSE_TOPC", "did you mean topic?"), ("warehouse_hme", "did you mean home?")],
)
def test_a_misspelled_variable_is_named_with_what_is_near(
    variable: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "a")
    name = variable.lower().removeprefix("warehouse_")
    assert refused() == f"there is no setting {name}, which {variable.upper()} gives; {step}"


def test_a_variable_like_no_setting_is_refused_and_those_of_the_script_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_VENV", "/venv")
    monkeypatch.setenv("WAREHOUSE_PYTHON", "python3")
    settings.load()
    monkeypatch.setenv("WAREHOUSE_XYZZY_42", "a")
    assert refused().endswith("; docs/settings.md lists them")


def test_a_home_that_cannot_be_written_is_named_before_any_work(folder: Path) -> None:
    (folder / "file").touch()
    for home in (folder / "file" / "x", Path("/dev/null/x"), Path("/proc/x")):
        with pytest.raises(UsageError, match=rf"the folder {home} cannot be written: .*; set WAREHOUSE_HOME"):
            settings.load(home=home).require_home()


def test_a_record_of_the_stack_that_is_damaged_is_named(folder: Path) -> None:
    running(folder)
    for text in ("", "[]", "{}", "{", '{"settings": 1}'):
        (folder / "home" / "stack.json").write_text(text)
        with pytest.raises(WarehouseError, match=r"stack\.json cannot be read"):
            settings.load()


def test_the_engine_of_the_stack_is_the_default_and_says_which_server_is_asked(folder: Path) -> None:
    assert settings.load().engine == "spark"
    running(folder, engine="hive", hiveserver2="stack:1", spark_thrift="stack:2")
    assert (settings.load().engine, settings.load().sql_server) == ("hive", "stack:1")
    assert settings.load(engine="spark").sql_server == "stack:2"


def test_a_password_comes_from_its_setting_or_its_file(folder: Path) -> None:
    file = folder / "secret"
    file.write_text("from the file ü \n")
    given = settings.load(hive_auth="LDAP", hive_password_file=file)
    assert given.password() == "from the file ü "
    assert settings.load(hive_password="1st", hive_password_file=file).password() == "1st"  # noqa: S106
    with pytest.raises(UsageError, match="hive_auth LDAP requires a password; set WAREHOUSE_HIVE_PASSWORD"):
        settings.load(hive_auth="LDAP").password()
    with pytest.raises(UsageError, match=r"the password cannot be read from .*nowhere"):
        settings.load(hive_password_file=folder / "nowhere").password()


def test_no_secret_is_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_HIVE_PASSWORD", "s3cret")
    loaded = settings.load()
    assert loaded.hive_password and loaded.hive_password.get_secret_value() == "s3cret"
    texts = [repr(loaded), str(loaded), loaded.model_dump_json(), repr(loaded.model_dump())]
    assert not any("s3cret" in text for text in texts)
    monkeypatch.delenv("WAREHOUSE_HIVE_PASSWORD")
    (folder / "warehouse.local.toml").write_text("hive_password = 53223\n")  # the quotes were forgotten
    assert "53223" not in refused() and "hive_password" in refused()
    (folder / "warehouse.local.toml").unlink()
    monkeypatch.setenv("WAREHOUSE_SPARK_TOKEN", "s3cret")
    assert settings.load().token() == "s3cret" and "s3cret" not in repr(settings.load())
    monkeypatch.delenv("WAREHOUSE_SPARK_TOKEN")
    (folder / "warehouse.local.toml").write_text('hive_pasword = "s3cret"\n')
    assert "s3cret" not in refused()


def rows(head: str) -> list[list[str]]:
    """The rows of the page's table that begins with this head."""
    table = PAGE.partition(f"| {head} |")[2].partition("\n\n")[0]
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    assert cells
    return cells


def test_the_page_lists_every_setting_with_its_default_and_meaning() -> None:
    def default(name: str) -> str:
        field = Settings.model_fields[name]
        if field.default_factory:
            return "{}" if field.default_factory is dict else "the system user"
        is_path = isinstance(field.default, Path)
        return str(field.default.relative_to(PROJECT) if is_path else "" if field.default is None else field.default)

    expected = [
        [name, f"WAREHOUSE_{name.upper()}", default(name), field.description]
        for name, field in Settings.model_fields.items()
    ]
    assert [row for row in rows("Setting") if row not in expected] == []
    assert rows("Setting") == expected


def test_the_page_lists_every_port() -> None:
    assert rows("Port") == [[name, str(port)] for name, port in PORTS.items()]


def test_the_page_names_the_values_of_hive_auth() -> None:
    pattern = str(Settings.model_fields["hive_auth"].metadata[0])
    for value in re.findall(r"[A-Z]{3,}", pattern):
        assert f"`{value}`" in PAGE
