"""The README's map of files, written from the first line of every module: python -m tests.style.filemap [--write]."""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- map: python -m tests.style.filemap --write -->\n", "<!-- end of map -->\n"
SOURCES = ("abci_app", "kernels", "localnet", "proto", "tests")
GENERATED = "abci_app/wire/pb"
PLAIN = {
    "LICENSE": "Apache 2.0.",
    "Makefile": "`make demo`, `make test`, `make test-engines`, `make style`.",
    "pyproject.toml": "Names the build back end; everything else stands in setup.cfg.",
    ".gitignore": "What builds and tests leave behind.",
    "localnet/engine/toolchain.txt": "The Go wheels, by version and hash, for machines without Go.",
    "tests/kernels/golden/": "Hashes that every back end must give, one file per op.",
    "tests/style/errors.txt": "Every error code there is; lines are only ever added.",
    "tests/clients/cosmjs/package.json": "Stock CosmJS; its lock file pins everything by hash.",
    "tests/clients/ics23/package.json": "The stock ICS-23 verifier; its lock file pins everything by hash.",
    "constraints.txt": "The exact versions that are installed.",
    "setup.cfg": "Metadata, dependencies, and the settings of every tool.",
    ".ci/run": "What CI runs: `make test` on a clean clone.",
    "localnet/engine/": "A go.mod and a go.sum for each release of the engine: its version and all checksums.",
    "tests/bench/gosdk/": "go.mod and go.sum of the Cosmos SDK chain that speed is compared with.",
    "tests/bench/results/": "Figures of comparisons, with the machine and the settings they were taken with.",
    "abci_app/wire/pb/": "Generated from proto/ by proto/gen.py; never edited.",
}


def first_line(path: Path) -> str:
    """The first sentence of a module's docstring, on one line."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def modules() -> list[str]:
    """Every module that has more to say than its package's name, sorted by path."""
    found = [path for part in SOURCES for path in (ROOT / part).rglob("*.py") if "node_modules" not in path.parts]
    names = sorted(str(path.relative_to(ROOT)) for path in found)
    names = [name for name in names if not name.startswith(GENERATED)]
    return [name for name in names if len((ROOT / name).read_text().splitlines()) > 2]


def messages(path: Path) -> str:
    """The messages of a .proto file."""
    return "Messages: " + ", ".join(re.findall(r"^message (\w+)", path.read_text(), re.M)) + "."


def other_files() -> dict[str, str]:
    """Protocol buffers, scripts of other languages, and folders of vectors."""
    rows = {str(path.relative_to(ROOT)): messages(path) for path in (ROOT / "proto").rglob("*.proto")}
    for path in (ROOT / "tests").rglob("*.js"):
        if "node_modules" not in path.parts:
            rows[str(path.relative_to(ROOT))] = path.read_text().splitlines()[0].lstrip("/ ")
    for folder in (ROOT / "tests/vectors").iterdir():
        count = len(list(folder.glob("*.json"))) if folder.is_dir() else 0
        if count:
            told = f"{count} vectors: state before, transactions, state after or error."
            rows[f"tests/vectors/{folder.name}/"] = told
    return rows


def new_map() -> str:
    """The table of all files."""
    rows = PLAIN | other_files() | {name: first_line(ROOT / name) for name in modules()}
    rows |= {str(path.relative_to(ROOT)): path.read_text().splitlines()[0].lstrip("# ").strip()
             for path in ROOT.glob("*/**/README.md")
             if path.relative_to(ROOT).parts[0] in SOURCES and "node_modules" not in path.parts}
    lines = [f"| `{name}` | {text} |" for name, text in sorted(rows.items())]
    return "\n".join(["| file | what it is |", "| --- | --- |", *lines]) + "\n"


def main() -> None:
    """Print the map, or put it into README.md."""
    if "--write" not in sys.argv[1:]:
        print(new_map())
        return
    readme = ROOT / "README.md"
    head, _, rest = readme.read_text().partition(BEGIN)
    readme.write_text(head + BEGIN + new_map() + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
