"""Limits that keep the code readable: line, function and file lengths, docstrings, no leftovers."""

import ast
import re
from pathlib import Path

import pytest

from tests.style import filemap

ROOT = Path(__file__).parents[2]
SOURCES = ("abci_app", "kernels", "localnet", "proto", "tests")
GENERATED = "abci_app/wire/pb"
LINE_MAX, BODY_MAX, FILE_MAX = 120, 60, 500
DRAWERS = re.compile(r"(^|_)(utils?|helpers?|managers?|common|misc)(_|$)")


def modules() -> list[str]:
    paths = [path for part in SOURCES for path in sorted((ROOT / part).rglob("*.py"))]
    names = [str(path.relative_to(ROOT)) for path in paths]
    return [name for name in names if not name.startswith(GENERATED) and "node_modules" not in name]


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    start = (first.end_lineno or first.lineno) + 1 if has_docstring else first.lineno
    return (node.end_lineno or start) - start + 1


@pytest.mark.parametrize("path", modules())
def test_module_is_tidy(path: str) -> None:
    text = (ROOT / path).read_text()
    lines, tree = text.splitlines(), ast.parse(text)
    found = [f"line {n}: {len(line)} characters" for n, line in enumerate(lines, 1) if len(line) > LINE_MAX]
    found += [f"line {n}: leftover" for n, line in enumerate(lines, 1) if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line)
              and not path.endswith("test_tidy.py")]
    if len(lines) > FILE_MAX:
        found.append(f"{len(lines)} lines; the most is {FILE_MAX}")
    if lines and ast.get_docstring(tree) is None:
        found.append("no module docstring")
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and body_lines(node) > BODY_MAX:
            found.append(f"{node.name}: {body_lines(node)} lines; the most is {BODY_MAX}")
    if DRAWERS.search(Path(path).stem):
        found.append("a drawer's name: say what is in it")
    assert found == []


def public_definitions(tree: ast.Module) -> list[ast.FunctionDef | ast.ClassDef]:
    return [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))
            and not node.name.startswith("_")]


def test_public_functions_and_classes_say_what_they_are() -> None:
    """At least 95 in 100 of the public definitions outside of tests; error classes carry their text instead."""
    total, bare = 0, []
    for path in modules():
        if path.startswith("tests/"):
            continue
        for node in public_definitions(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.ClassDef) and path.endswith("errors.py"):
                continue
            total += 1
            if ast.get_docstring(node) is None:
                bare.append(f"{path}:{node.lineno} {node.name}")
    assert total > 0 and len(bare) * 100 <= total * 5, bare


def test_readme_maps_every_file_with_what_the_file_says_of_itself() -> None:
    """`python -m tests.style.filemap --write` mends it."""
    readme = (ROOT / "README.md").read_text()
    assert readme.partition(filemap.BEGIN)[2].partition(filemap.END)[0] == filemap.new_map()
