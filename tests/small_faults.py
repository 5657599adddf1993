"""Small faults, put into the Python of land, build, validate and store one at a time: the pure tests must find them.

    python tests/small_faults.py --count 40 --seed 1

Each mutant lives in a copy of the project. Prints a line per mutant that no test noticed, and the count: a survivor is
a test that is missing, or code whose result nobody needs.
"""

from __future__ import annotations

import argparse
import ast
import copy
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from etl.settings import PROJECT

PACKAGES = ("land", "build", "validate", "store")
JUDGES = (  # the quick ones first: a mutant is judged by the first test that fails
    *("tests/test_land.py", "tests/test_worker.py", "tests/test_identity.py", "tests/test_follow.py"),
    *("tests/test_suites.py", "tests/test_check.py", "tests/simulation"),
)
# The tests of all histories take a minute each; what they find of such faults, the others of the simulation find too.
LEFT_OUT = "not stopped_before and not of_another_machine and not chance_brings and not test_steps"
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
                if new is None or not isinstance(node, ast.stmt | ast.expr):
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


def survives(project: Path, seconds: float, judges: Sequence[str]) -> bool:
    """Whether all tests of the copy pass; one that takes too long has noticed."""
    judge = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-k", LEFT_OUT, *judges]
    try:
        done = subprocess.run(judge, cwd=project, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main() -> None:
    """Try so many mutants, chosen by chance from a seed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=40, help="how many mutants to try")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("tests", nargs="*", default=JUDGES, help="the tests that must notice one")
    given = parser.parse_args()
    paths = sorted(path for package in PACKAGES for path in (PROJECT / "etl" / package).glob("*.py"))
    every = [(path, *mutant) for path in paths for mutant in mutants(path)]
    chosen = random.Random(given.seed).sample(every, min(given.count, len(every)))
    with tempfile.TemporaryDirectory() as folder:
        skipped = shutil.ignore_patterns(".git", ".venv", ".warehouse", ".*_cache", "__pycache__")
        project = Path(shutil.copytree(PROJECT, Path(folder) / "project", ignore=skipped))
        began = time.monotonic()
        if not survives(project, 3600, given.tests):
            sys.exit("the tests fail without a fault: mend them first")
        limit = 3 * (time.monotonic() - began) + 60
        survivors = 0
        for number, (path, line, change, text) in enumerate(chosen, 1):
            copied = project / path.relative_to(PROJECT)
            copied.write_text(text, encoding="utf-8")
            if survives(project, limit, given.tests):
                survivors += 1
                print(f"{path.relative_to(PROJECT)}:{line}: {change}", flush=True)
            shutil.copy(path, copied)
            print(f"{number} of {len(chosen)}, {survivors} not noticed", file=sys.stderr, flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants noticed ({len(every):,} there are)")


if __name__ == "__main__":
    main()
