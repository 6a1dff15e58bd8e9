"""Which tests hold which invariant of the contract: python -m tests.abci.invariants [NUMBER...]."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
LIST = Path(__file__).with_name("INVARIANTS.md")
IN_NAME = re.compile(r"test_i(\d+)_")
IN_DOCSTRING = re.compile(r"\bI(\d+)(?=[:,])")


def read_statements() -> dict[int, str]:
    """What the list says of each number."""
    return {int(number): said for number, said in re.findall(r"^\| I(\d+) \| (.+) \|$", LIST.read_text(), re.M)}


def iter_citations() -> Iterator[tuple[int, str]]:
    """Each number that a test cites, and the test's name with its file."""
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                cited = IN_NAME.findall(node.name) + IN_DOCSTRING.findall(ast.get_docstring(node) or "")
                for number in sorted(set(map(int, cited))):
                    yield number, f"{path.relative_to(TESTS.parent)}::{node.name}"


def main(chosen: list[str]) -> None:
    """Print the table."""
    found: dict[int, list[str]] = {}
    for number, name in iter_citations():
        found.setdefault(number, []).append(name)
    for number, said in read_statements().items():
        if not chosen or str(number) in (one.upper().removeprefix("I") for one in chosen):
            print(f"I{number}: {said}")
            for name in found.get(number, []):
                print(f"    {name}")


if __name__ == "__main__":
    main(sys.argv[1:])
