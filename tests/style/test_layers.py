"""Import rules: the contracts of setup.cfg hold, and a seeded breach of each kind is reported."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("abci_app", "kernels", "localnet")
LINTER = Path(sys.executable).with_name("lint-imports")


def run_linter(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(LINTER), "--no-cache", "--config", "setup.cfg"], cwd=folder, text=True,
                          capture_output=True, env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"})


def test_every_import_follows_the_contracts() -> None:
    done = run_linter(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "setup.cfg", folder)
    return folder


@pytest.mark.parametrize(("path", "line"), [
    ("abci_app/x/bank/keeper.py", "from abci_app.x.auth import keys"),
    ("abci_app/x/bank/types.py", "from abci_app.x.bank import keeper"),
    ("abci_app/x/bank/keeper.py", "import abci_app.client.rpc"),
    ("abci_app/store/tree.py", "from abci_app.runtime import gas"),
    ("abci_app/wire/ints.py", "from abci_app.store import tree"),
    ("abci_app/runtime/block.py", "import abci_app.app"),
    ("abci_app/x/bank/keeper.py", "import kernels.dispatch"),
    ("kernels/errors.py", "from abci_app.wire import errors"),
    ("localnet/ports.py", "from abci_app.x.bank import keeper"),
])
def test_a_seeded_breach_is_reported(copy: Path, path: str, line: str) -> None:
    original = (copy / path).read_text()
    try:
        (copy / path).write_text(original + f"\n{line}\n")
        assert run_linter(copy).returncode != 0
    finally:
        (copy / path).write_text(original)


def test_a_fourteenth_name_in_a_room_is_reported(copy: Path) -> None:
    extra = copy / "abci_app/x/bank/drawer.py"
    try:
        extra.write_text('"""Not a name of a room."""\n')
        assert run_linter(copy).returncode != 0
    finally:
        extra.unlink()
