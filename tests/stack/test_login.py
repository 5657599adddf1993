"""Logging in by settings alone at a real HiveServer2: TLS, LDAP, Kerberos, and what is said when it does not work."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import login_servers
import psutil
import pytest
import sqlalchemy
from py4j.java_gateway import JavaGateway

from etl import settings as settings_module
from etl.errors import ServerError, UsageError
from etl.servers.hive import Hive, Result
from etl.servers.hive_session import Connection
from etl.settings import PROJECT, Settings
from stack.layout import HOST

pytestmark = pytest.mark.long("login")

CORE = "sesame"  # in every password and nowhere else, so that it can be looked for in whatever form
ODD = f'it\'s "{CORE}" for $HOME, `x` & \\n #1; '
PASSWORDS = {
    "ada": ODD,
    "bob": f"{CORE}-bob",
    "carl": f" {CORE} ",
    "dora": f'$HOME,it\'s"{CORE}"`x`&\\n;#1',
    "emil": f"{CORE}-Öl",
}
WHO = "SELECT logged_in_user(), current_user()"
QUICK = 3.0  # seconds for a session that must not open; the server does answer here
SLOW = 120.0  # seconds for one that must: the first one loads a good part of Hive

LoginSettings = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Guarded:
    """A HiveServer2 with TLS and LDAP: the settings of a user who gets in, who signed its certificate, its folder."""

    login: LoginSettings
    signer: login_servers.Authority
    stranger: login_servers.Authority
    home: Path

    def changed(self, **changes: Any) -> LoginSettings:
        """The settings that let in, with others in their place; None is none."""
        return {**self.login, **changes}


def ask(login: LoginSettings, statement: str = WHO) -> Result:
    """Run one statement with these settings."""
    with Hive(settings_module.load(**login)) as hive:
        return hive.query(statement)


def refusal(login: LoginSettings) -> str:
    """The line that says why no session opens, which must not take longer than the settings allow."""
    began = time.monotonic()
    with pytest.raises(ServerError) as caught:
        ask({**login, "hive_connect_seconds": QUICK})
    assert time.monotonic() - began < 2 * QUICK
    text = str(caught.value)
    assert caught.value.exit_code == 1
    assert "\n" not in text
    assert len(text) < 400
    assert login["hiveserver2" if login["engine"] == "hive" else "spark_thrift"] in text
    assert CORE not in text
    return text


def environment(login: LoginSettings) -> dict[str, str]:
    """The same settings as a user gives them: by WAREHOUSE_ variables."""
    given = {f"WAREHOUSE_{name.upper()}": str(value) for name, value in login.items() if value is not None}
    return {**os.environ, "NO_COLOR": "1", **given}


def command(login: LoginSettings, *words: str) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """Run ./warehouse with these settings; what it did, and the words of all command lines while it ran."""
    seen: set[str] = set()
    with subprocess.Popen(
        [PROJECT / "warehouse", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(login),
    ) as process:
        while process.poll() is None:
            for other in psutil.process_iter(["cmdline"]):
                seen.update(other.info["cmdline"] or [])
            time.sleep(0.01)
        out, err = process.communicate()
    return subprocess.CompletedProcess(words, process.returncode, out, err), seen


@pytest.fixture(scope="module")
def java() -> Iterator[JavaGateway]:
    """The Java process of the LDAP server and of the KDC."""
    with login_servers.gateway() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def guarded(settings: Settings, java: JavaGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """HiveServer2 with TLS and LDAP beside the stack of the session."""
    folder = tmp_path_factory.mktemp("guarded")
    signer, stranger = (login_servers.Authority(folder, name) for name in ("signer", "stranger"))
    properties = {
        "hive.server2.use.SSL": "true",
        "hive.server2.keystore.type": "PKCS12",
        "hive.server2.keystore.path": signer.keystore(folder / "server.p12", HOST),
        "hive.server2.keystore.password": login_servers.KEYSTORE,
        "hive.server2.authentication": "LDAP",
        "hive.server2.authentication.ldap.url": f"ldap://{HOST}:{login_servers.directory(java, PASSWORDS)}",
        "hive.server2.authentication.ldap.userDNPattern": f"uid=%s,{login_servers.PEOPLE}",
    }
    with login_servers.hiveserver2(settings, folder / "home", properties) as address:
        login = {
            "home": settings.home,
            "engine": "hive",
            "hiveserver2": address,
            "hive_auth": "LDAP",
            "hive_user": "bob",
            "hive_password": PASSWORDS["bob"],
            "hive_tls": True,
            "hive_tls_ca": signer.pem,
            "hive_connect_seconds": SLOW,
        }
        ask(login)
        yield Guarded(login, signer, stranger, folder / "home")


# TLS


def test_a_query_answers_over_tls(guarded: Guarded) -> None:
    assert ask(guarded.login, "SELECT 1").rows == [(1,)]


def test_a_certificate_by_another_authority_is_refused(guarded: Guarded) -> None:
    text = refusal(guarded.changed(hive_tls_ca=guarded.stranger.pem))
    assert "certificate verify failed" in text
    assert "hive_tls_ca" in text.lower()


def test_the_authorities_of_the_system_do_not_know_the_signer(guarded: Guarded) -> None:
    text = refusal(guarded.changed(hive_tls_ca=None))
    assert "certificate verify failed" in text
    assert "hive_tls_ca" in text.lower()


def test_a_certificate_for_another_name_is_refused(guarded: Guarded) -> None:
    address = guarded.login["hiveserver2"].replace(HOST, "localhost")
    text = refusal(guarded.changed(hiveserver2=address))
    assert "certificate is not valid for 'localhost'" in text
    assert "hive_tls" in text.lower()


def test_an_expired_certificate_is_refused(guarded: Guarded, tmp_path: Path) -> None:
    with login_servers.handshakes(guarded.signer, tmp_path, days=-1) as port:
        text = refusal(guarded.changed(hiveserver2=f"{HOST}:{port}"))
    assert "certificate has expired" in text
    with login_servers.handshakes(guarded.signer, tmp_path, days=1) as port:
        text = refusal(guarded.changed(hiveserver2=f"{HOST}:{port}"))
    assert "certificate" not in text  # that one is good, but no HiveServer2 stands behind it


@pytest.mark.parametrize("authority", ["none", "stranger"])
def test_a_session_opens_without_the_check_of_the_certificate(guarded: Guarded, authority: str) -> None:
    address = guarded.login["hiveserver2"].replace(HOST, "localhost")
    pem = guarded.stranger.pem if authority == "stranger" else None
    assert ask(guarded.changed(hiveserver2=address, hive_tls_ca=pem, hive_tls_verify=False), "SELECT 1").rows == [(1,)]


@pytest.mark.parametrize("login", ["LDAP", "NOSASL"])
def test_a_plain_session_with_a_server_of_tls_ends_at_once(guarded: Guarded, login: str) -> None:
    assert "hive_tls" in refusal(guarded.changed(hive_tls=False, hive_auth=login)).lower()


def test_a_session_of_tls_with_a_plain_server_ends_at_once(guarded: Guarded, settings: Settings) -> None:
    text = refusal(guarded.changed(engine="spark", spark_thrift=settings.spark_thrift))
    assert "no encrypted session" in text
    assert "whether the server speaks TLS" in text


def test_a_server_that_never_shakes_hands_is_given_up(guarded: Guarded) -> None:
    with socket.create_server((HOST, 0)) as silent:
        refusal(guarded.changed(hiveserver2=f"{HOST}:{silent.getsockname()[1]}"))


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_authorities_that_cannot_be_read_are_a_matter_of_usage(
    guarded: Guarded, tmp_path: Path, content: str | None
) -> None:
    pem = tmp_path / "authorities.pem"
    if content:
        pem.write_text(content)
    with pytest.raises(UsageError, match=f"setting hive_tls_ca cannot be {pem}"):
        ask(guarded.changed(hive_tls_ca=pem))


# LDAP


@pytest.mark.parametrize(
    "user",
    [
        "ada",
        "carl",
        pytest.param(
            "emil", marks=pytest.mark.xfail(strict=True, reason="HiveServer2 4.0.1 takes each byte for a character")
        ),
    ],
)
@pytest.mark.parametrize("place", ["environment", "file"])
def test_the_password_comes_from_the_environment_or_a_file_as_it_is(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: str, place: str
) -> None:
    login = guarded.changed(hive_user=user, hive_password=None)
    if place == "file":
        login["hive_password_file"] = tmp_path / "password"
        login["hive_password_file"].write_text(PASSWORDS[user] + "\n", encoding="utf-8")
    else:
        monkeypatch.setenv("WAREHOUSE_HIVE_PASSWORD", PASSWORDS[user])
    assert ask(login).rows[0][0] == user


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("bob", f"{CORE}-wrong"),
        ("bob", PASSWORDS["ada"]),
        ("ada", ODD.strip()),
        ("nobody", PASSWORDS["bob"]),
    ],
)
def test_a_wrong_login_is_refused_in_one_line(guarded: Guarded, user: str, password: str) -> None:
    text = refusal(guarded.changed(hive_user=user, hive_password=password))
    assert f"refused the login of {user}" in text
    assert "hive_user" in text


def test_the_login_of_a_stack_without_passwords_is_refused(guarded: Guarded) -> None:
    text = refusal(guarded.changed(hive_auth="NONE"))
    assert "refused the login of bob" in text
    assert "hive_auth" in text


@pytest.mark.parametrize("password", [None, ""])  # many an LDAP server takes "" for an anonymous login, and lets it in
def test_ldap_without_a_password_is_a_matter_of_usage(guarded: Guarded, password: str | None) -> None:
    with pytest.raises(UsageError, match="hive_auth LDAP requires a password; set WAREHOUSE_HIVE_PASSWORD"):
        ask(guarded.changed(hive_password=password))


def test_a_password_file_that_is_missing_is_a_matter_of_usage(guarded: Guarded, tmp_path: Path) -> None:
    login = guarded.changed(hive_password=None, hive_password_file=tmp_path / "missing")
    with pytest.raises(UsageError, match=rf"cannot be read from {tmp_path}/missing"):
        ask(login)


def test_the_server_knows_the_user_of_the_login(guarded: Guarded, settings: Settings) -> None:
    login = guarded.changed(hive_user="ada", hive_password=ODD)
    assert ask(login).rows == [("ada", settings.hdfs_user)]  # who asks, and who reads HDFS for them


def test_the_command_line_says_the_same_with_its_exit_codes(guarded: Guarded) -> None:
    cases = {
        0: {},
        1: {"hive_tls_ca": guarded.stranger.pem},
        2: {"hive_password": None},
    }
    for code, changes in cases.items():
        done, _ = command(guarded.changed(**changes), "query", "SELECT 41 + 1 AS answer", "--format", "json")
        assert done.returncode == code, done.stderr
        assert done.stdout.strip() == ('[{"answer":42}]' if code == 0 else "")
        assert len(done.stderr.splitlines()) == (0 if code == 0 else 1), done.stderr


def test_the_password_is_in_no_output_no_log_and_no_command_line(guarded: Guarded, settings: Settings) -> None:
    marker = "SELECT 'seen in the list of processes'"
    for password, code in ((ODD, 0), (f"{CORE} is wrong", 1)):
        login = guarded.changed(hive_user="ada", hive_password=password)
        done, seen = command(login, "--debug", "query", marker)
        assert done.returncode == code, done.stderr
        assert marker in seen
        assert not [word for word in seen if CORE in word]
        assert CORE not in done.stdout + done.stderr
    logs = [path for home in (guarded.home, settings.home / "logs") for path in home.rglob("*") if path.is_file()]
    assert guarded.home / "logs" / "hiveserver2.log" in logs
    assert not [path for path in logs if CORE.encode() in path.read_bytes()]


def test_sqlalchemy_logs_in_by_the_same_settings(guarded: Guarded) -> None:
    login = settings_module.load(**guarded.login)
    engine = sqlalchemy.create_engine("hive://", creator=lambda: Connection(login))
    try:
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT logged_in_user(), 1")).fetchall() == [("bob", 1)]
    finally:
        engine.dispose()


@pytest.mark.parametrize("user", ["bob", "dora"])
def test_beeline_logs_in_by_the_same_settings(guarded: Guarded, settings: Settings, user: str) -> None:
    login = guarded.changed(hive_user=user, hive_password=PASSWORDS[user])
    done, seen = command(login, "beeline", "--outputformat=csv2", "--showHeader=false", "-e", f"{WHO};")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1:] == [f"{user},{settings.hdfs_user}"]
    assert CORE not in done.stdout + done.stderr
    assert not [word for word in seen if CORE in word]


@pytest.mark.parametrize("password", [ODD, f'"{CORE}"', f"'{CORE}'"])
def test_beeline_refuses_a_password_that_it_would_take_apart(guarded: Guarded, password: str) -> None:
    done, _ = command(guarded.changed(hive_password=password), "beeline", "-e", "SELECT 1;")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert CORE not in done.stdout + done.stderr


# Kerberos


def test_kerberos_without_its_package_is_a_matter_of_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "kerberos" else find(name))
    with pytest.raises(UsageError, match="hive_auth KERBEROS needs the Python package pykerberos"):
        ask({"engine": "hive", "hiveserver2": f"{HOST}:1", "hive_auth": "KERBEROS"})


@pytest.fixture(scope="module", params=["auth", "auth-int", "auth-conf"])
def kerberized(
    settings: Settings, java: JavaGateway, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[LoginSettings]:
    """HiveServer2 that asks for Kerberos (and for sealed messages), and a user's ticket; the settings to get in."""
    if importlib.util.find_spec("kerberos") is None:
        pytest.skip("no Python module kerberos (PyPI's pykerberos, which Debian's libkrb5-dev builds)")
    if shutil.which("kinit") is None:
        pytest.skip("no kinit (Debian's krb5-user)")
    folder = tmp_path_factory.mktemp("kerberized")
    service = settings.hdfs_user  # who the server then is on the stack's HDFS, which believes it
    conf, keytab = login_servers.kdc(java, folder, {"ada": CORE}, [f"{service}/{HOST}"])
    principal = f"{service}/{HOST}@{login_servers.REALM}"
    properties = {
        "hive.server2.authentication": "KERBEROS",
        "hive.server2.authentication.kerberos.principal": principal,
        "hive.server2.authentication.kerberos.keytab": keytab,
        "hive.server2.thrift.sasl.qop": request.param,
    }
    core = {
        "hadoop.security.authentication": "kerberos",
        "ipc.client.fallback-to-simple-auth-allowed": "true",
        "yarn.resourcemanager.principal": principal,
    }
    options = (f"-Djava.security.krb5.conf={conf}",)
    with (
        pytest.MonkeyPatch.context() as patch,
        login_servers.hiveserver2(settings, folder / "home", properties, core, options) as address,
    ):
        patch.setenv("KRB5_CONFIG", str(conf))
        patch.setenv("KRB5CCNAME", f"FILE:{folder / 'tickets'}")
        subprocess.run(["kinit", "ada"], input=f"{CORE}\n", text=True, capture_output=True, check=True)
        yield {
            "home": settings.home,
            "engine": "hive",
            "hiveserver2": address,
            "hive_auth": "KERBEROS",
            "hive_kerberos_service": service,
            "hive_connect_seconds": SLOW,
        }


def test_a_kerberos_ticket_opens_a_session(kerberized: LoginSettings, settings: Settings) -> None:
    assert ask(kerberized).rows == [("ada", settings.hdfs_user)]
    done, _ = command(kerberized, "query", "SELECT logged_in_user() AS name", "--format", "json")
    assert (done.returncode, done.stdout.strip()) == (0, '[{"name":"ada"}]'), done.stderr


def test_statements_and_answers_of_any_length_pass_under_kerberos(kerberized: LoginSettings) -> None:
    assert ask(kerberized, f"SELECT LENGTH('{'x' * 300_000}')").rows == [(300_000,)]
    assert ask(kerberized, "SELECT REPEAT('é', 300000), 7").rows == [("é" * 300_000, 7)]


def test_what_kerberos_refuses_is_told_in_one_line(kerberized: LoginSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Server impala/127.0.0.1@" in refusal({**kerberized, "hive_kerberos_service": "impala"})
    assert "refused the login" in refusal({**kerberized, "hive_auth": "NONE"})
    monkeypatch.setenv("KRB5CCNAME", "FILE:none")
    text = refusal(kerberized)
    assert "No Kerberos credentials available" in text
    assert "kinit" in text
