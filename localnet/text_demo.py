"""The demo of a text: a decoder learns its characters on a network of this machine, and is held against counting.

All nodes and miners read the one dataset that is made here: pydoc's text differs by the version of Python.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.markup import escape

from abci_app.client.chain import ChainClient
from abci_app.client.evaluate import loss_micronats, millionths_text
from abci_app.client.ngrams import ORDERS, measure_nats
from abci_app.data.dataset import Dataset
from abci_app.data.store import StoredDataset
from abci_app.data.text import (
    PYDOC, Text, TextOptions, cut_rows, decode_tokens, encode_text, load_pydoc, new_text_dataset, read_text_file,
    split_text,
)
from abci_app.units.claim import compute_unit
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round
from abci_app.wire.row import new_tokens_row
from abci_app.wire.seed import hash_fields
from kernels import generate
from kernels.decoder import Decoder
from localnet.demo import Demo, step
from localnet.errors import LocalnetError
from localnet.report import TextFigures, read_weights
from localnet.serving import Wanted

MILLION = 1_000_000
BAR_NATS_MAX = 5_000_000
BAR_CHARS = 40
SAMPLE_CHARS = 400
ASKED_CHARS = 48
SESSION_ANSWERS = 5  # one costs a tenth of the deposit
TEMPERATURE = 0.7  # a sample of what it finds likely
TEMPERATURE_Q16 = 45_875
PROMPTS = ("The ", "the ", " ", "\n")


class TextDemo(Demo):
    """A run with a text. `options.source` is a file, or pydoc."""

    text: Text
    text_options: TextOptions

    def new_dataset(self) -> Dataset:
        """Windows and root of the text that the options name."""
        source = self.options.source
        with step(self.console, f"dataset {source}"):
            self.text = load_pydoc() if source == PYDOC else read_text_file(Path(source))
            self.text_options = TextOptions(Path(source).stem)
            dataset = new_text_dataset(self.text, self.text_options)
        manifest = dataset.manifest
        if not manifest.test_rows:
            raise LocalnetError(f"{source} is too short: nothing is left to measure on", "give a longer text")
        self.console.print(f"  {manifest.source}: {len(self.text.text)} characters, {len(manifest.vocabulary)} "
                           f"different ones; {manifest.train_rows} windows to train on, {manifest.test_rows} held out")
        self.console.print(f"  root {manifest.rows_root.hex()}", highlight=False)
        return dataset

    def prepare(self, client: ChainClient, model_id: int, dataset: StoredDataset) -> None:
        """Compile what units and answers need, once: miners and auditors that all compile take each other's time."""
        with step(self.console, "kernels of the contract compiled"):
            model, weights = client.get_model(model_id), read_weights(client, model_id, 0)
            running = Round(model_id=model_id, number=1, seed=bytes(32), learning_rate_q16=1)
            compute_unit(model.spec, running, 0, weights, dataset)

    def measure(self, model: Model, weights: bytes, dataset: StoredDataset) -> int:
        """Millionths of a nat a held-out character."""
        return loss_micronats(new_decoder(model), weights, dataset)

    def describe(self, measured: int) -> str:
        """In nats, with a bar."""
        return f"{millionths_text(measured)} nats a character  {'█' * (measured * BAR_CHARS // BAR_NATS_MAX)}"

    def ask(self, dataset: StoredDataset) -> Wanted:
        """To go on behind a prompt."""
        prompt = choose_prompt(dataset.manifest.vocabulary)
        tokens = min(ASKED_CHARS, dataset.manifest.context + 1 - len(prompt))
        return Wanted(f"to go on behind {prompt!r}", {"prompt": prompt, "tokens": tokens, "temperature": TEMPERATURE},
                      "", lambda found: escape(repr(found.text)), SESSION_ANSWERS)

    def describe_training(self, measured: list[int], dataset: StoredDataset, client: ChainClient,
                          model_id: int) -> dict[str, Any]:
        """No accuracy, but losses beside those of counting, and a sample."""
        parts, held_out = split_text(self.text.text, self.text_options)
        rows = cut_rows(held_out, dataset.manifest.context, dataset.manifest.context)
        vocabulary = dataset.manifest.vocabulary
        ngrams = [round(MILLION * measure_nats(parts, rows, order, len(vocabulary))) for order in ORDERS]
        model = client.get_model(model_id)
        prompt = choose_prompt(vocabulary)
        sample = write_text(new_decoder(model), read_weights(client, model_id, model.rounds_closed), vocabulary,
                            prompt, SAMPLE_CHARS)
        figures = TextFigures(measured[0], measured[1:], ngrams, prompt, sample)
        return {"initial_accuracy_ppm": 0, "accuracy_ppm_per_round": [], "baseline_ppm": 0, "text": figures}


def choose_prompt(vocabulary: str) -> str:
    """Something that a text with these characters may begin with."""
    return next(text for text in (*PROMPTS, vocabulary[0]) if all(char in vocabulary for char in text))


def new_decoder(model: Model) -> Decoder:
    """A model's network, as the numerics take it."""
    terms = model.spec.decoder
    return Decoder(terms.vocab, terms.context, terms.width, terms.heads, terms.hidden, terms.layers, terms.positions,
                   terms.tied)


def write_text(network: Decoder, weights: bytes, vocabulary: str, prompt: str, count: int) -> str:
    """`count` characters behind a prompt, half a context at a time from what stands before them."""
    session, text, pace = generate.Session(network, weights), prompt, max(1, network.context // 2)
    while len(text) < len(prompt) + count:
        before = text[-(network.context + 1 - pace):]
        answer = session.generate(new_tokens_row(encode_text(vocabulary, before)), pace,
                                  hash_fields("sample", len(text).to_bytes(4, "big")), TEMPERATURE_Q16)
        tokens = [int.from_bytes(answer.tokens[at:at + 2], "little") for at in range(0, len(answer.tokens), 2)]
        text += decode_tokens(vocabulary, tokens)
    return text[len(prompt):len(prompt) + count]
