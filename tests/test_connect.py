"""`connect` and docs/connect.md: what each client needs, and that the examples of the page run on both servers."""

from __future__ import annotations

from typing import Any

import pytest

from etl.servers.clients import clients
from etl.settings import PROJECT, Settings

PAGE = (PROJECT / "docs" / "connect.md").read_text(encoding="utf-8")


SERVERS = {"spark_thrift": "127.0.0.1:10000", "hiveserver2": "127.0.0.1:10001"}


def test_the_page_shows_what_the_command_prints() -> None:
    needs = clients(Settings(**SERVERS, hive_user="ada"))
    width = max(map(len, needs))
    printed = "".join(f"{name:{width}}  {need}\n" for name, need in needs.items())
    assert f"$ ./warehouse connect\n{printed}```" in PAGE


@pytest.mark.parametrize(
    ("settings", "client", "need"),
    [
        ({"engine": "hive"}, "JDBC (DBeaver, Tableau)", "jdbc:hive2://127.0.0.1:10001/flat, user ada"),
        ({"hive_auth": "NOSASL"}, "PyHive", "hive.connect('127.0.0.1', 10000, username='ada', auth='NOSASL', "),
        ({"hive_auth": "NOSASL"}, "JDBC (DBeaver, Tableau)", "jdbc:hive2://127.0.0.1:10000/flat;auth=noSasl, "),
        ({"hive_auth": "NOSASL"}, "Superset", "hive://ada@127.0.0.1:10000/flat?auth=NOSASL"),
        ({"hive_auth": "LDAP"}, "Superset", "hive://ada:PASSWORD@127.0.0.1:10000/flat?auth=LDAP"),
        ({"hive_auth": "KERBEROS"}, "Superset", "hive://127.0.0.1:10000/flat?auth=KERBEROS&kerberos_service_name=hive"),
        ({"hive_auth": "KERBEROS"}, "JDBC (DBeaver, Tableau)", "jdbc:hive2://127.0.0.1:10000/flat;principal=hive/HOST"),
        ({"hive_tls": True}, "JDBC (DBeaver, Tableau)", "jdbc:hive2://127.0.0.1:10000/flat;ssl=true, user ada"),
        ({"hive_tls": True}, "Python", "etl.servers.hive_session.Connection("),
    ],
    ids=str,
)
def test_the_login_of_the_settings_is_in_what_a_client_needs(settings: dict[str, Any], client: str, need: str) -> None:
    assert clients(Settings(**SERVERS, hive_user="ada", **settings))[client].startswith(need)


def test_no_password_is_shown() -> None:
    needs = clients(Settings(**SERVERS, hive_user="ada", hive_auth="LDAP", hive_password="s3cret"))  # noqa: S106
    assert "s3cret" not in str(needs)
