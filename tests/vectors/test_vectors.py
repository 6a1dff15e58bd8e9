"""Every vector holds: codes, gas and the state afterwards."""

import json
from pathlib import Path

import pytest

from tests.vectors.runner import FOLDER, run_vector, vector_paths


@pytest.mark.parametrize("path", vector_paths(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_vector_holds(path: Path) -> None:
    vector = json.loads(path.read_text())
    assert all("gas" in tx["expect"] for tx in vector["txs"]), "python -m tests.vectors.runner fills in the gas"
    assert run_vector(vector) == []


def test_every_room_of_vectors_has_some() -> None:
    assert {path.parent.name for path in vector_paths()} >= {"ante", "auth", "bank"}


def test_a_wrong_vector_is_found() -> None:
    """The runner reports wrong codes, gas, balances, sequences and answers, and a state that changed."""
    vector = json.loads((FOLDER / "bank/send_moves_coins.json").read_text())
    vector["unchanged"] = True
    vector["txs"][0]["expect"] = {"gas": "1", "error": {"codespace": "sdk", "code": 5}}
    vector["post"]["balances"]["alice"] = "1"
    vector["post"]["sequences"]["alice"] = "7"
    vector["post"]["queries"][0]["response"] = {}
    assert len(run_vector(vector)) == 6
