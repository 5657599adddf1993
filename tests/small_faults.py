"""Small faults, put into the Python of land, build, validate and store one at a time: the pure tests must find them.

    python tests/small_faults.py --count 60 --seed 1
    python tests/small_faults.py --count 20 --seed 1 --first 41     # the next of the same series

Each mutant lives in a copy of the project and is judged by the tests that run its function, the quick ones first; which
these are is measured where a file of tests has changed. Prints a line per mutant that no test noticed, and the count:
a survivor is a test that is missing, or code whose result nobody needs.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from etl.settings import PROJECT

PACKAGES = ("land", "build", "validate", "store")
TEXT = {
    "test_conventions.py",
    "test_docs.py",
    "test_imports.py",
}  # read the code as text, of which a mutant lacks parts
USES = re.compile(rf"\betl\.({'|'.join(PACKAGES)})\b")
# Too slow: what these find of such faults, others find too.
SLOW = ("stopped_before_any", "of_another_machine_may", "chance_brings", "fault_in_the_core", "both_engines")
LEFT_OUT = " and ".join(f"not {name}" for name in SLOW)
REACHED = PROJECT / ".pytest_cache/reached.json"  # {file: [sha256, {test: [seconds, {module: [functions]}]}]}
OPPOSITE: dict[type, type] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
}


def changed(node: ast.AST) -> ast.AST | None:
    """The node with one fault, None where it has no place for one."""
    new = copy.deepcopy(node)
    match new:
        case ast.Compare(ops=[op]) if type(op) in OPPOSITE:
            new.ops = [OPPOSITE[type(op)]()]
        case ast.BoolOp(op=op) | ast.BinOp(op=op) if type(op) in OPPOSITE:
            new.op = OPPOSITE[type(op)]()
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return operand
        case ast.Constant(value=bool() as value):
            new.value = not value
        case ast.Constant(value=int() as value):
            new.value = value + 1
        case ast.If(test=test) | ast.IfExp(test=test):
            new.test = ast.UnaryOp(ast.Not(), test)
        case ast.Expr(value=ast.Call()):
            return ast.Pass()
        case ast.Return(value=ast.expr()):
            new.value = ast.Constant(None)
        case _:
            return None
    return new


def mutants(path: Path) -> Iterator[tuple[int, str, str]]:
    """(line, what was changed, the whole text with that change) of every fault that a module has a place for."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            places = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
            for place, node in places:
                new = changed(node) if isinstance(node, ast.AST) else None
                if new is None or not isinstance(node, ast.stmt | ast.expr) or ast.dump(new) == ast.dump(node):
                    continue
                put(parent, field, place, new)
                mutant = ast.unparse(ast.fix_missing_locations(tree))
                put(parent, field, place, node)
                yield node.lineno, f"{ast.unparse(node)} -> {ast.unparse(new)}".replace("\n", " ")[:120], mutant


def put(parent: ast.AST, field: str, place: int | None, node: ast.AST) -> None:
    """Set a child of a node."""
    if place is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[place] = node


def function_of(tree: ast.AST, line: int) -> str:
    """The qualified name of the function that a line is in, empty where it is in none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node is not tree:
            first = min(part.lineno for part in (node, *node.decorator_list))
            if first <= line <= (node.end_lineno or line):
                inner = function_of(node, line)
                if isinstance(node, ast.ClassDef):
                    return f"{node.name}.{inner}" if inner else ""
                return f"{node.name}.<locals>.{inner}" if inner else node.name
    return ""


def judges(reached: Mapping[str, Any], path: Path, line: int) -> list[str]:
    """The tests that run the function of a line, the quick ones first, then those that run others of its module.

    What a file of tests calls while it is imported is in no test's trace, but its results are.
    """
    name = function_of(ast.parse(path.read_text(encoding="utf-8")), line)
    module = str(path.relative_to(PROJECT))
    tests = [
        (not any(f"{ran}.".startswith(f"{name}.") for ran in modules[module]), seconds, test)
        for test, (seconds, modules) in reached.items()
        if module in modules
    ]
    return [test for _, _, test in sorted(tests)]


def passes(project: Path, tests: Sequence[str], seconds: float, **environment: str) -> bool:
    """Whether all these tests of the copy pass; what takes too long has noticed."""
    judge = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "reach", "-k", LEFT_OUT, *tests]
    variables = {**os.environ, "PYTHONPATH": f"{project}{os.pathsep}{project / 'tests'}", **environment}
    try:
        done = subprocess.run(judge, cwd=project, env=variables, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def measured(project: Path) -> dict[str, Any]:
    """{test: [seconds, {module: [functions that it runs]}]}, of the files of tests that have changed measured again."""
    REACHED.parent.mkdir(exist_ok=True)
    files = json.loads(REACHED.read_text(encoding="utf-8")) if REACHED.exists() else {}
    paths = [path for path in (project / "tests").glob("test_*.py") if path.name not in TEXT]
    paths = [path for path in paths if USES.search(path.read_text(encoding="utf-8"))]
    for path in sorted([*paths, *(project / "tests/simulation").glob("test_*.py")]):
        file, digest = str(path.relative_to(project)), hashlib.sha256(path.read_bytes()).hexdigest()
        if files.get(file, [""])[0] != digest:
            print(f"measuring {file}", file=sys.stderr, flush=True)
            draft = project / "reached.json"
            passes(project, [file], 3600, REACH=str(draft))
            files[file] = digest, json.loads(draft.read_text(encoding="utf-8"))
            REACHED.write_text(json.dumps(files), encoding="utf-8")
    return {test: reach for _, tests in files.values() for test, reach in tests.items()}


def main() -> None:
    """Try so many mutants, chosen by chance from a seed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=60, help="how many mutants to try")
    parser.add_argument("--seed", type=int, default=1, help="which series of mutants")
    parser.add_argument("--first", type=int, default=1, help="the number of the first to try in the series")
    given = parser.parse_args()
    paths = sorted(path for package in PACKAGES for path in (PROJECT / "etl" / package).glob("*.py"))
    every = [(path, *mutant) for path in paths for mutant in mutants(path)]
    random.Random(given.seed).shuffle(every)
    chosen = every[given.first - 1 :][: given.count]
    with tempfile.TemporaryDirectory() as folder:
        skipped = shutil.ignore_patterns(".git", ".venv", ".warehouse", ".*_cache", "__pycache__")
        project = Path(shutil.copytree(PROJECT, Path(folder) / "project", ignore=skipped))
        reached = measured(project)
        list_of_tests, survivors = Path(folder) / "tests.json", 0
        for number, (path, line, change, text) in enumerate(chosen, given.first):
            tests = judges(reached, path, line)
            list_of_tests.write_text(json.dumps(tests), encoding="utf-8")
            copied = project / path.relative_to(PROJECT)
            copied.write_text(text, encoding="utf-8")
            files = sorted({test.partition("::")[0] for test in tests})
            limit = 60 + 5 * sum(reached[test][0] for test in tests)
            if not tests or passes(project, files, limit, CHOSEN=str(list_of_tests)):
                survivors += 1
                by = f"{len(tests)} tests run its module" if tests else "no test runs its module"
                print(f"{number} {path.relative_to(PROJECT)}:{line}: {change} ({by})", flush=True)
            shutil.copy(path, copied)
            print(f"{number}: {survivors} not noticed", file=sys.stderr, flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants noticed ({len(every):,} there are)")


if __name__ == "__main__":
    main()
