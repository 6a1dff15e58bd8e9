"""A contract for characters trained in this process as a chain would train it, beside n-gram models of the same text.

    python -m tests.bench.text                       the contract of `gradus tx models create` for pydoc
    python -m tests.bench.text --rounds 40 --set training.local_steps=16 --save results/pydoc.json
    python -m tests.bench.text --ngrams              what counting reaches, alone

Every round is what the chain makes of it: units of the round's seed by all miners, their payloads aggregated by the
contract's rule, the outer step. No transaction, no audit, no other process: so its seconds are those of the units.
"""

import json
import math
import time
from pathlib import Path
from typing import Any

import click

from abci_app.cli.contracts import new_dataset, set_terms
from abci_app.client.evaluate import loss_micronats
from abci_app.client.ngrams import ORDERS, measure_nats
from abci_app.data.store import DatasetStore, StoredDataset
from abci_app.data.text import (
    PYDOC, Text, TextOptions, cut_rows, load_pydoc, new_text_dataset, read_text_file, split_text,
)
from abci_app.replay.rounds import close_round
from abci_app.runtime.contract import compute_first_weights, compute_param_count, compute_unit_cost, new_network
from abci_app.units.claim import compute_unit
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Decoder, ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round
from abci_app.wire.seed import hash_fields
from abci_app.x.models.types import check_spec, compute_learning_rate_q16, default_spec
from abci_app.x.models.types.defaults import DECODER, RECIPES
from kernels import outer

SEED = bytes(32)
MICRO = 1_000_000


@click.command()
@click.argument("source", metavar="[pydoc|FILE]", default=PYDOC)
@click.option("--context", default=64, show_default=True)
@click.option("--rounds", default=RECIPES["decoder"].rounds, show_default=True)
@click.option("--miners", default=4, show_default=True)
@click.option("--shape", default="", help="Fields of the decoder, such as width=64,heads=4,hidden=256,layers=2.")
@click.option("--set", "settings", multiple=True, help="FIELD=VALUE of the policies.")
@click.option("--every", default=10, show_default=True, help="Rounds between two measurements.")
@click.option("--ngrams", "only_ngrams", is_flag=True)
@click.option("--save", type=click.Path(path_type=Path))
@click.option("--folder", type=click.Path(path_type=Path), default=Path("/tmp/gradus-bench-text"), show_default=True)
def main(source: str, context: int, rounds: int, miners: int, shape: str, settings: tuple[str, ...], every: int,
         only_ngrams: bool, save: Path | None, folder: Path) -> None:
    """See the head of the file."""
    text = load_pydoc() if source == PYDOC else read_text_file(Path(source))
    options = TextOptions(Path(source).stem, context)
    made = new_text_dataset(text, options)
    counted = {str(order): round(nats, 4) for order, nats in count_ngrams(text, options)}
    click.echo("n-grams, nats a character: " + ", ".join(f"{order}: {nats}" for order, nats in counted.items()))
    if only_ngrams:
        return
    store = DatasetStore(folder)
    store.add(made)
    chosen = Decoder()
    chosen.CopyFrom(DECODER)
    for part in filter(None, shape.split(",")):
        name, _, value = part.partition("=")
        setattr(chosen, name, value if name == "positions" else int(value))
    spec = default_spec(options.name, new_dataset(made.manifest), SEED, rounds, miners, architecture="decoder",
                        decoder=chosen)
    spec = set_terms(spec, settings)
    check_spec(spec)
    click.echo(f"{compute_param_count(spec)} parameters, {compute_unit_cost(spec)} multiply-adds a unit")
    measured = train(spec, store.open(made.manifest.rows_root), miners, every)
    if save is not None:
        save.write_text(json.dumps({"source": text.source, "ngrams": counted, "rounds": measured,
                                    "shape": str(spec.decoder), "training": str(spec.training)}, indent=1) + "\n")


def count_ngrams(text: Text, options: TextOptions) -> list[tuple[int, float]]:
    """(order, nats a character on the held-out rows) of each n-gram model."""
    train_parts, held_out = split_text(text.text, options)
    rows = cut_rows(held_out, options.context, options.context)
    vocabulary_size = len(dict.fromkeys(text.text))
    return [(order, measure_nats(train_parts, rows, order, vocabulary_size)) for order in ORDERS]


def train(spec: ModelSpec, dataset: StoredDataset, miners: int, every: int) -> list[dict[str, Any]]:
    """Rounds as the chain closes them; what was measured after some."""
    network, weights = new_network(spec), compute_first_weights(spec)
    momentum = bytes(outer.MOMENTUM_BYTES * compute_param_count(spec))
    measured: list[dict[str, Any]] = []
    seconds = 0.0
    for number in range(spec.training.rounds + 1):
        if number:
            running = Round(model_id=1, number=number, seed=hash_fields("bench", number.to_bytes(4, "big")),
                            learning_rate_q16=compute_learning_rate_q16(spec.training.learning_rate, number))
            began_s = time.process_time()
            payloads = [compute_unit(spec, running, unit, weights, dataset).claim.payload for unit in range(miners)]
            weights, momentum = close_round(spec, payloads, weights, momentum)
            seconds += time.process_time() - began_s
        if number % every == 0 or number == spec.training.rounds:
            nats = loss_micronats(network, weights, dataset) / MICRO
            measured.append({"round": number, "nats": round(nats, 4), "cpu_seconds": round(seconds, 1)})
            click.echo(f"round {number:>4}  {nats:.4f} nats a character, {nats / math.log(2):.4f} bits  "
                       f"{seconds:.1f} s of CPU")
    return measured


if __name__ == "__main__":
    main()
