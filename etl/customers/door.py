"""Sessions at the customers' door, and the rights there: a role per customer that may read that customer's views.

Roles and rights are in the metastore. A command that changes them logs in at the door as its administrator.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

from etl.errors import UsageError
from etl.servers import logins
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive, StatementError
from etl.settings import CUSTOMERS, Settings
from etl.store.customer_schema import views
from etl.store.customers import IDENTIFIER, Customer, Customers

SUPERSET = "superset_"  # begins the name of its logins


def password_file(settings: Settings) -> Path:
    """The logins of a home."""
    return settings.home / "customers.passwords"


def admin_file(settings: Settings) -> Path:
    """The password of the administrator."""
    return settings.home / "customers.admin"


def reader_file(settings: Settings, customer: Customer, prefix: str = "") -> Path:
    """The password of a login of this home: that of `query --customer` and `report --customer`, or of Superset."""
    return settings.home / "customers.logins" / f"{prefix}{customer.database}"


def prepare(settings: Settings) -> None:
    """Give the administrator a password, unless it has one."""
    settings.require_home()
    path = admin_file(settings)
    if not path.exists() or (not settings.customers_ldap and logins.ADMIN not in logins.users(password_file(settings))):
        logins.write_secret(path, logins.add(password_file(settings), logins.ADMIN))


def add_login(settings: Settings, customer: Customer, prefix: str = "") -> str:
    """The password of a login of this home, which is generated where there is none.

    Raises UsageError where a directory has the logins and this home does not know the password.
    """
    path = reader_file(settings, customer, prefix)
    if settings.customers_ldap and not path.exists():
        raise UsageError(f"{path} is missing", f"write into it the password that the directory has for {path.name}")
    if not settings.customers_ldap and not (path.exists() and path.name in logins.users(password_file(settings))):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        logins.write_secret(path, logins.add(password_file(settings), path.name))
    return path.read_text(encoding="utf-8").strip()


def superset_logins(settings: Settings) -> dict[Customer, str]:
    """By customer the password of Superset's login at the door, in the customer's role.

    Empty without a door, and at one that is encrypted: Superset's driver has no TLS.
    """
    if not settings.customers_door or at_door(settings, "", "").hive_tls or not admin_file(settings).exists():
        return {}
    passwords = {}
    with administrator(settings) as hive:
        for customer in Customers(Hdfs(settings)).current():
            passwords[customer] = add_login(settings, customer, SUPERSET)
            grant(hive, customer)
            add_member(hive, customer, reader_file(settings, customer, SUPERSET).name)
    return passwords


def customer(settings: Settings, name: str) -> Customer:
    """A customer by name; where the warehouse itself is out of reach, as for its analysts, by its database.

    Raises UsageError where there is none, or the name cannot be that of a database.
    """
    if settings.webhdfs:
        return Customers(Hdfs(settings)).get(name)
    if not re.fullmatch(IDENTIFIER, name):
        raise UsageError(
            f"a customer's database cannot be named {name!r}", "give it as ./warehouse customers list shows it to staff"
        )
    return Customer(name, name)


def at_door(settings: Settings, user: str, password: str, database: str = "default") -> Settings:
    """The settings of a session at the door, which is encrypted where a keystore is set."""
    login = {"engine": CUSTOMERS, "hive_auth": "LDAP", "hive_user": user, "hive_password": SecretStr(password)}
    is_encrypted = settings.hive_tls or settings.customers_keystore is not None
    return settings.model_copy(update={**login, "hive_database": database, "hive_tls": is_encrypted})


def as_customer(settings: Settings, customer: Customer) -> Settings:
    """The settings of a session of a customer: by hive_user and its password where they are set, else by the home's.

    Raises UsageError where there is no password.
    """
    if settings.hive_password or settings.hive_password_file:
        return at_door(settings, settings.hive_user, settings.password(), customer.database)
    try:
        password = reader_file(settings, customer).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(
            f"{settings.home} has no login of {customer.name}", "set hive_user and WAREHOUSE_HIVE_PASSWORD"
        ) from None
    return at_door(settings, customer.database, password, customer.database)


@contextlib.contextmanager
def administrator(settings: Settings) -> Iterator[Hive]:
    """A session that may grant rights. Raises UsageError where this home has no administrator."""
    try:
        password = admin_file(settings).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise UsageError(
            f"{settings.home} has no administrator of the customers' door", "run ./warehouse up --customers"
        ) from None
    with Hive(at_door(settings, logins.ADMIN, password)) as hive:
        hive.query("SET ROLE ADMIN")
        yield hive


def grant(hive: Hive, customer: Customer) -> None:
    """Let the role of a customer read its views, and nothing else; run again, nothing changes."""
    if customer.database not in roles(hive):
        hive.query(f"CREATE ROLE {customer.database}")
    granted = {f"{row[0]}.{row[1]}" for row in hive.query(f"SHOW GRANT ROLE {customer.database} ON ALL").rows}
    for view in views(customer):
        if view not in granted:
            hive.query(f"GRANT SELECT ON TABLE {view} TO ROLE {customer.database}")


def grant_all(settings: Settings) -> None:
    """Give all customers their rights, and take those of removed ones, whatever changed while the door was closed."""
    customers = Customers(Hdfs(settings))
    current, removed = customers.current(), customers.removed()
    if current or removed:
        with administrator(settings) as hive:
            for customer in current:
                grant(hive, customer)
                if not settings.customers_ldap:
                    add_login(settings, customer)
                    add_member(hive, customer, customer.database)
            for customer in removed:
                revoke(settings, hive, customer)


def revoke(settings: Settings, hive: Hive, customer: Customer) -> None:
    """Drop the role of a customer with its rights, and the logins of its users."""
    for user in members(hive, customer):
        logins.remove(password_file(settings), user)
    for prefix in ("", SUPERSET):
        reader_file(settings, customer, prefix).unlink(missing_ok=True)
    if customer.database in roles(hive):
        hive.query(f"DROP ROLE {customer.database}")


def roles(hive: Hive) -> set[str]:
    """The names of all roles."""
    return {row[0] for row in hive.query("SHOW ROLES").rows}


def members(hive: Hive, customer: Customer) -> list[str]:
    """The users in the role of a customer."""
    if customer.database not in roles(hive):
        return []
    return sorted(row[0] for row in hive.query(f"SHOW PRINCIPALS {customer.database}").rows)


def add_member(hive: Hive, customer: Customer, user: str) -> None:
    """Put a user into the role of a customer; into no second one.

    Raises UsageError for a name that cannot be a login, and for a user of another customer.
    """
    if not logins.USER.fullmatch(user) or user == logins.ADMIN:
        raise UsageError(f"a login cannot be named {user!r}", "use lower-case letters, digits and _.-")
    try:
        there = {row[0] for row in hive.query(f"SHOW ROLE GRANT USER `{user}`").rows} - {"public"}
    except StatementError:
        there = set()
    if there - {customer.database}:
        raise UsageError(f"{user} is a user of another customer", "choose another name")
    if customer.database not in there:
        hive.query(f"GRANT ROLE {customer.database} TO USER `{user}`")


def remove_member(hive: Hive, customer: Customer, user: str) -> None:
    """Take a user out of the role of a customer."""
    hive.query(f"REVOKE ROLE {customer.database} FROM USER `{user}`")
