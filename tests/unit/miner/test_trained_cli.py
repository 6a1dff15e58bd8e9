"""`gradus query models evaluate` and `weights`: what a chain has trained, seen from the command line."""

import json
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from abci_app.cli import query as command
from abci_app.cli import query_rewards
from abci_app.cli.exit_status import ExitStatus
from abci_app.client.chain import ChainClient
from abci_app.client.errors import QueryRefused
from abci_app.client.evaluate import accuracy_ppm
from abci_app.data.dataset import Dataset
from abci_app.data.store import DatasetStore
from abci_app.wire.errors import NotFound
from tests.unit.miner.conftest import NAMES, Rig, iris


@pytest.fixture
def trained(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """The rig after its three rounds."""
    miners = [rig.miner(name) for name in NAMES]
    while rig.model().rounds_closed < 3:
        for miner in miners:
            miner.step()
        rig.node.block()
    for place in (command, query_rewards):
        monkeypatch.setattr(place, "connect", lambda url: ChainClient(rig.node))
    yield rig


def run(rig: Rig, *arguments: str) -> Result:
    runner = CliRunner(env={"GRADUS_HOME": str(rig.folder), "GRADUS_NODE": "http://127.0.0.1:1"})
    return runner.invoke(command.query, list(arguments))


def test_evaluation_is_that_of_the_weights_on_the_chain(trained: Rig) -> None:
    told = json.loads(run(trained, "models", "evaluate", "1", "--output", "json").stdout)
    model = trained.model()
    weights = trained.client.find_weights(1, 3)
    assert weights is not None
    dataset = trained.store.open(model.spec.dataset.rows_root)
    assert told["accuracy_ppm"] == accuracy_ppm(model.spec.mlp_classifier.widths, weights, dataset)
    assert (told["round"], told["weights_root"], told["held_out_rows"]) == (3, model.weights_root.hex(), 30)
    assert 0 < told["baseline_ppm"] < 1_000_000 and told["accuracy"].endswith(" %")
    first = json.loads(run(trained, "models", "evaluate", "1", "--round", "2", "--output", "json").stdout)
    assert first["round"] == 2 and first["weights_root"] != told["weights_root"]
    assert f"{told['accuracy']}" in run(trained, "models", "evaluate", "1").stdout


def test_weights_are_written_whole_and_read_back_by_hand(trained: Rig, tmp_path: Path) -> None:
    path = tmp_path / "flowers.safetensors"
    told = json.loads(run(trained, "models", "weights", "1", "--out", str(path), "--output", "json").stdout)
    raw = path.read_bytes()
    size, = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + size])
    assert raw[8 + size:] == trained.client.find_weights(1, 3) and told["bytes"] == len(raw)
    assert header["layers.1.bias"] == {"dtype": "I32", "shape": [3], "data_offsets": [4 * (32 + 8 + 24), 4 * 67]}
    metadata = header["__metadata__"]
    assert (metadata["model_id"], metadata["round"], metadata["weight_exponent"]) == ("1", "3", "24")
    assert metadata["weights_root"] == trained.model().weights_root.hex()
    assert [one.name for one in tmp_path.glob(".*safetensors*")] == []


@pytest.mark.parametrize(("arguments", "text"), [
    (("1", "--round", "9"), "has closed 3 rounds, not 9"), (("1", "--data", "/nowhere"), "no dataset")])
def test_what_cannot_be_evaluated_is_told(trained: Rig, arguments: tuple[str, ...], text: str) -> None:
    result = run(trained, "models", "evaluate", *arguments)
    assert result.exit_code == ExitStatus.REFUSED and text in result.stderr and "hint:" in result.stderr


def test_dataset_that_holds_out_other_rows_than_the_contract_is_refused(trained: Rig, tmp_path: Path) -> None:
    other = Dataset(replace(iris().manifest, train_rows=150, test_rows=0), iris().rows)
    assert DatasetStore(tmp_path / "other").add(other)
    result = run(trained, "models", "evaluate", "1", "--data", str(tmp_path / "other"))
    assert result.exit_code == ExitStatus.REFUSED and "holds out 30 of 150 rows, the dataset here 0 of" in result.stderr


@pytest.mark.parametrize("arguments", [("rewards", "contributions"), ("work", "trainers"), ("work", "slashes"),
                                       ("models", "evaluate")])
def test_what_belongs_to_a_model_that_is_not_there_is_refused(trained: Rig, arguments: tuple[str, ...]) -> None:
    result = run(trained, *arguments, "99")
    assert isinstance(result.exception, QueryRefused) and result.exception.exit_status == ExitStatus.REFUSED
    assert (result.exception.code, result.stdout) == (NotFound.code, "")
