"""Prepares Superset's metadata: its tables, its roles, the administrator, and the assets of the warehouse.

`python provision.py ASSETS.zip PASSWORD_FILE`; standard input may have the passwords of connections, as JSON.
A connection other than that of the whole warehouse gets a role, which reaches no other one.
What earlier assets had and these do not is removed, unless a chart uses it; nothing else is touched.

Superset's models can be imported once its application exists, so each function imports its own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from flask_migrate import upgrade
from superset.app import create_app
from yaml import safe_load

ADMIN = "admin"
WAREHOUSE = "warehouse"  # the connection that is for staff
KINDS = ("dashboards", "charts", "queries", "datasets", "databases")
Uuids = dict[str, list[str]]


def allow_equal_names() -> None:
    """Let connections have datasets of the same name; on SQLite a constraint is left that forbids it."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from sqlalchemy import inspect

    from superset import db

    with db.engine.begin() as connection:
        constraints = inspect(connection).get_unique_constraints("tables")
        if connection.dialect.name == "sqlite" and ["table_name"] in [each["column_names"] for each in constraints]:
            names = {"uq": "uq_%(table_name)s_%(column_0_name)s"}
            operations = Operations(MigrationContext.configure(connection))
            with operations.batch_alter_table("tables", naming_convention=names) as table:
                table.drop_constraint("uq_tables_table_name", type_="unique")


def administrator(password_file: Path) -> Any:
    """The administrator, added with the password of the file where there is none yet."""
    from superset import appbuilder, security_manager

    appbuilder.add_permissions(update_perms=True)
    security_manager.sync_role_definitions()
    role = security_manager.find_role("Admin")
    password = password_file.read_text(encoding="utf-8").strip()
    user = security_manager.find_user(username=ADMIN)
    return user or security_manager.add_user(ADMIN, "Warehouse", "Admin", "admin@localhost", role, password)


def import_assets(bundle: Path, user: Any, given: Mapping[str, str]) -> Uuids:
    """Import a ZIP file in the name of a user, with passwords by connection; returns the uuids in it by kind."""
    from superset.commands.importers.v1.assets import ImportAssetsCommand
    from superset.commands.importers.v1.utils import get_contents_from_bundle
    from superset.utils.core import override_user

    with ZipFile(bundle) as file:
        contents = get_contents_from_bundle(file)
    passwords = {f"databases/{name}.yaml": password for name, password in given.items()}
    with override_user(user):
        ImportAssetsCommand(contents, passwords=passwords).run()
    texts = {kind: [text for name, text in contents.items() if name.startswith(f"{kind}/")] for kind in KINDS}
    return {kind: [safe_load(text)["uuid"] for text in texts[kind]] for kind in KINDS}


def add_roles(uuids: Uuids) -> None:
    """Give each connection but the first a role with all that its users need, and with no other connection."""
    from superset.models.core import Database

    from superset import db, security_manager

    common = [each for name in ("Gamma", "sql_lab") for each in security_manager.find_role(name).permissions]
    for uuid in uuids["databases"]:
        database = db.session.query(Database).filter_by(uuid=uuid).one()
        if database.name != WAREHOUSE:
            role = security_manager.add_role(database.name)
            access = security_manager.add_permission_view_menu("database_access", database.perm)
            role.permissions = [*dict.fromkeys([*common, access])]
    db.session.commit()


def remove_permissions(prefix: str) -> None:
    """Remove the permissions on what has this prefix; Superset fails on a schema that is named as its catalog."""
    from superset import db, security_manager

    permission, name = security_manager.permissionview_model, security_manager.viewmenu_model
    permissions = db.session.query(permission).join(name).filter(name.name.startswith(prefix, autoescape=True)).all()
    names = {each.view_menu.name: each.view_menu for each in permissions}
    for group in (permissions, names.values()):
        for each in group:
            db.session.delete(each)
        db.session.flush()


def remove_old(before: Uuids, now: Uuids) -> None:
    """Remove what earlier assets had and these do not: a dataset unless a chart uses it, a connection with its role."""
    from superset.connectors.sqla.models import SqlaTable
    from superset.models.core import Database
    from superset.models.dashboard import Dashboard
    from superset.models.slice import Slice
    from superset.models.sql_lab import SavedQuery

    from superset import db, security_manager

    models = dict(zip(KINDS, (Dashboard, Slice, SavedQuery, SqlaTable, Database), strict=True))
    for kind, model in models.items():
        for uuid in set(before.get(kind, [])) - set(now[kind]):
            asset = db.session.query(model).filter_by(uuid=uuid).one_or_none()
            if asset is None:
                continue
            if kind == "databases" and (role := security_manager.find_role(asset.name)):
                db.session.delete(role)
            users = {
                "datasets": db.session.query(Slice).filter_by(datasource_id=asset.id),
                "databases": db.session.query(SqlaTable).filter_by(database_id=asset.id),
            }
            if kind not in users or not users[kind].count():
                if kind == "databases":
                    remove_permissions(f"[{asset.name}].")
                db.session.delete(asset)
            db.session.flush()
    db.session.commit()


def main(bundle: Path, password_file: Path, passwords: Mapping[str, str]) -> None:
    """Do all of it."""
    recorded = Path(os.environ["SUPERSET_FOLDER"]) / "assets.json"
    with create_app().app_context():
        upgrade()
        allow_equal_names()
        uuids = import_assets(bundle, administrator(password_file), passwords)
        add_roles(uuids)
        if recorded.exists():
            remove_old(json.loads(recorded.read_text(encoding="utf-8")), uuids)
    recorded.write_text(json.dumps(uuids), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.stdin.read() or "{}"))
