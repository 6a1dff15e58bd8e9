"""The generated code is what the .proto files say."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def load_generator():  # type: ignore[no-untyped-def]
    spec = importlib.util.spec_from_file_location("gen", ROOT / "proto/gen.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def listing(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*.py*"))
            if "__pycache__" not in path.parts}


def test_generated_code_equals_the_committed_one(tmp_path: Path) -> None:
    load_generator().generate(tmp_path / "pb")
    assert listing(tmp_path / "pb") == listing(ROOT / "abci_app/wire/pb")
