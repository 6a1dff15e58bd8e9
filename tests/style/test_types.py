"""Types hold, strictly: mypy over everything that is not a test, with the settings of setup.cfg."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_mypy_strict_finds_nothing() -> None:
    done = subprocess.run([sys.executable, "-m", "mypy", "abci_app", "kernels", "localnet"], cwd=ROOT, text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stdout


def test_flake8_finds_nothing() -> None:
    done = subprocess.run([sys.executable, "-m", "flake8", "abci_app", "kernels", "localnet", "proto", "tests"],
                          cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout
