"""What a contract has trained: its weights from the chain, verified, measured on rows of this home, or written out."""

import os
import tempfile
from pathlib import Path
from typing import Any

from abci_app.cli.errors import CommandError
from abci_app.client.chain import ChainClient, ChunkReport
from abci_app.client.evaluate import measure
from abci_app.client.safetensors import encode_safetensors
from abci_app.data.store import DatasetStore, StoredDataset
from abci_app.runtime.contract import new_network, new_row_form
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model, Weights


def choose_round(model: Model, round_number: int | None) -> int:
    """The round whose weights are wanted, None: the last closed one. CommandError for one that is not closed."""
    number = model.rounds_closed if round_number is None else round_number
    if number > model.rounds_closed:
        raise CommandError(f"model {model.id} has closed {model.rounds_closed} rounds, not {number}",
                           "leave --round out for the last one")
    return number


def fetch_weights(chain: ChainClient, model: Model, number: int, report: ChunkReport,
                  proved: Weights | None = None) -> tuple[bytes, bytes]:
    """(root, weights) after a closed round, every chunk verified against the root.

    proved: the round's record, when it is proved. CommandError for a round whose weights are no longer kept.
    """
    expected = model.weights_root if number == model.rounds_closed else None
    record = proved or chain.find_weights_record(model.id, number)
    found = None if record is None else chain.find_weights(model.id, number, expected or record.root, report, record)
    if record is None or found is None:
        raise CommandError(f"the weights of model {model.id} after round {number} are no longer kept",
                           f"the contract keeps those of its last {model.spec.training.kept_rounds} rounds")
    return record.root, found


def evaluate(model: Model, weights: bytes, store: DatasetStore) -> dict[str, Any]:
    """What the weights reach on the contract's held-out rows, beside what is reached unlearned.

    Raises DataError, ClientError, CommandError.
    """
    dataset, form = store.open(model.spec.dataset.rows_root), new_row_form(model.spec)
    check_split(model, dataset)
    common = {"dataset": dataset.manifest.name, "held_out_rows": dataset.manifest.test_rows}
    return common | measure(new_network(model.spec), form, weights, dataset)


def check_split(model: Model, dataset: StoredDataset) -> None:
    """CommandError when this home's dataset has the contract's rows and holds out others than the contract."""
    wanted, held = model.spec.dataset, dataset.manifest
    row_bytes = new_row_form(model.spec).row_bytes
    if (held.train_rows, held.test_rows, held.row_bytes) != (wanted.train_rows, wanted.test_rows, row_bytes):
        raise CommandError(
            f"model {model.id} holds out {wanted.test_rows} of {wanted.train_rows + wanted.test_rows} rows, the "
            f"dataset here {held.test_rows} of {held.row_count}",
            "make it again into another folder with the contract's --held-out-ppm, and name that folder with --data")


def write_safetensors(path: Path, model: Model, number: int, root: bytes, weights: bytes) -> int:
    """Write weights to a safetensors file, whole or not at all; its size in bytes."""
    metadata = {"model_id": str(model.id), "model_name": model.spec.name, "round": str(number),
                "weights_root": root.hex(), "numerics": model.spec.numerics}
    data = encode_safetensors(new_network(model.spec), weights, metadata)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    return len(data)
