"""Imports go one way: from the command line down to the ground, never up and never in a circle."""

from __future__ import annotations

import ast
from pathlib import Path

from etl.settings import PROJECT

LAYERS = [  # each may import those below it
    {"etl.__main__"},
    {"etl.cli"},
    {"etl.superset"},
    {"etl.build", "etl.catalog", "etl.customers", "etl.report", "etl.serve", "etl.query", "etl.publish", "stack"},
    {"etl.monitoring"},
    {"etl.validate", "etl.land"},
    {"etl.store", "etl.pages"},
    {"etl.servers"},
    {"etl.sqlfile"},
    {"etl.settings", "etl.sqltext"},
    {"etl.setting_sources"},
    {"etl.local_stack", "etl.terminal"},
    {"etl.errors"},
]
HEIGHT = {package: -number for number, packages in enumerate(LAYERS) for package in packages}


def package(module: str) -> str:
    """etl.land of etl.land.offsets; stack of stack.doctor."""
    return "stack" if module.startswith("stack") else ".".join(module.split(".")[:2])


def imported(path: Path) -> set[str]:
    """The packages of this project that a module imports, in functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {package(name) for name in names if name.split(".")[0] in ("etl", "stack")}


def modules() -> dict[Path, str]:
    """The modules of etl/ and stack/, and the package of each."""
    paths = [path for folder in ("etl", "stack") for path in (PROJECT / folder).rglob("*.py")]
    dotted = {path: ".".join(path.relative_to(PROJECT).with_suffix("").parts) for path in paths}
    return {path: package(name) for path, name in dotted.items() if name != "etl.__init__"}


def test_every_package_has_a_layer() -> None:
    assert set(modules().values()) == set(HEIGHT)


def test_imports_go_down() -> None:
    upwards = {
        f"{path.relative_to(PROJECT)} imports {other}"
        for path, own in modules().items()
        for other in imported(path) - {own}
        if HEIGHT[other] >= HEIGHT[own]
    }
    assert upwards == set()


def test_only_the_command_line_imports_the_stack() -> None:
    assert {own for path, own in modules().items() if "stack" in imported(path)} == {"etl.cli", "stack"}
