"""What a block does depends on the block and the state alone: a lint over everything below the ABCI line.

A line that must break a rule says why: `# det: <reason>`.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BELOW_THE_LINE = ("abci_app/x", "abci_app/runtime", "abci_app/store", "abci_app/wire", "abci_app/app.py",
                  "abci_app/genesis.py", "abci_app/abci/chain.py", "abci_app/abci/proposal.py",
                  "abci_app/abci/candidates.py")
GENERATED = "abci_app/wire/pb"
DISK = "abci_app/store/disk.py"
BANNED_MODULES = {
    "math", "cmath", "decimal", "fractions", "numpy", "random", "secrets", "uuid", "time", "datetime", "os", "sys",
    "io", "pathlib", "tempfile", "socket", "threading", "asyncio", "multiprocessing", "concurrent", "subprocess",
    "httpx", "click", "rich", "logging", "numba", "locale", "platform",
}
ALLOWED_MODULES = {DISK: {"os", "pathlib", "threading"}, "abci_app/abci/proposal.py": {"logging"}}
BANNED_CALLS = {
    "float", "complex", "round", "hash", "id", "set", "open", "input", "print", "eval", "exec", "vars", "repr",
}
VIEWS = {"keys", "values", "items"}


class Lint(ast.NodeVisitor):
    """Collects (line, what is wrong) of one module."""

    def __init__(self, path: str) -> None:
        self.found: list[tuple[int, str]] = []
        self.modules = BANNED_MODULES - ALLOWED_MODULES.get(path, set())
        self.names = {"rocksdict"} if path != DISK else set()

    def add(self, node: ast.AST, what: str) -> None:
        self.found.append((node.lineno, what))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.check_module(node, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.check_module(node, node.module or "")

    def check_module(self, node: ast.AST, name: str) -> None:
        if name.split(".")[0] in self.modules | self.names:
            self.add(node, f"import of {name}")

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, (float, complex)):
            self.add(node, "float")

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Div):
            self.add(node, "true division")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.op, ast.Div):
            self.add(node, "true division")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in BANNED_CALLS:
            self.add(node, f"call of {node.func.id}()")
        self.generic_visit(node)

    def visit_Set(self, node: ast.Set) -> None:
        self.add(node, "set")
        self.generic_visit(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self.add(node, "set")
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        self.check_iterated(node.iter)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.check_iterated(node.iter)
        self.generic_visit(node)

    def check_iterated(self, node: ast.expr) -> None:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in VIEWS:
            if not node.args:
                self.add(node, f"iteration over .{node.func.attr}() without sorted")

    def visit_Assert(self, node: ast.Assert) -> None:
        self.add(node, "assert (python -O drops it): raise instead")

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        name = node.type.id if isinstance(node.type, ast.Name) else None
        if node.type is None or name in ("Exception", "BaseException"):
            self.add(node, "catch-all except")
        self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.add(node, "async")

    def visit_Global(self, node: ast.Global) -> None:
        self.add(node, "module-level state")


def lint(source: str, path: str = "") -> list[str]:
    """`line: what` of every finding that its line does not excuse."""
    visitor = Lint(path)
    visitor.visit(ast.parse(source))
    lines = source.splitlines()
    return [f"{line}: {what}" for line, what in visitor.found if not re.search(r"# det: \S", lines[line - 1])]


def modules_below_the_line() -> list[str]:
    paths = []
    for part in BELOW_THE_LINE:
        path = ROOT / part
        paths += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    names = [str(path.relative_to(ROOT)) for path in paths]
    return [name for name in names if not name.startswith(GENERATED)]


@pytest.mark.parametrize("path", modules_below_the_line())
def test_nothing_below_the_abci_line_can_differ_by_machine(path: str) -> None:
    assert lint((ROOT / path).read_text(), path) == []


def test_the_lint_covers_what_decides_a_block_outside_of_the_rooms_too() -> None:
    covered = modules_below_the_line()
    for path in ("abci_app/abci/proposal.py", "abci_app/abci/chain.py", "abci_app/genesis.py", "abci_app/app.py"):
        assert path in covered
    assert lint("import logging", "abci_app/abci/chain.py") != []
    assert lint("import logging", "abci_app/abci/proposal.py") == []
    assert lint("import time", "abci_app/abci/proposal.py") != []


@pytest.mark.parametrize("bad", [
    "x = 1.0", "x = a / b", "a /= b", "import time", "from random import choice", "import numpy as np", "x = {1, 2}",
    "x = {y for y in z}", "set(x)", "for k in d.keys(): pass", "y = [k for k, v in d.items()]", "hash(x)", "id(x)",
    "assert x", "try:\n    pass\nexcept Exception:\n    pass", "try:\n    pass\nexcept:\n    pass",
    "async def f(): pass", "round(x)", "open('f')", "import os", "float(x)", "from rocksdict import Rdict",
    "import threading", "def f():\n    global x",
])
def test_the_lint_reports_what_it_forbids(bad: str) -> None:
    assert lint(bad) != []


@pytest.mark.parametrize("good", [
    "x = a // b", "for k in sorted(d.items()): pass", "x = {1: 2}", "x = {y: 1 for y in z}", "import hashlib",
    "try:\n    pass\nexcept ValueError:\n    pass", "x = 1.0  # det: shown to people only",
    "for k in tree.items(b'prefix'): pass",
])
def test_the_lint_passes_what_is_allowed(good: str) -> None:
    assert lint(good) == []
