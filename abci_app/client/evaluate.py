"""How well weights do on rows that no miner trained on, in integers but for the entropy of a text.

Classifiers: the share of rows that are labelled rightly. Regressors: the mean squared error, in squares of a target's
scale. Decoders: the loss of a character in nats, each of a row but its first told by those before it.
"""

import math
import struct
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from abci_app.client.errors import ClientError
from abci_app.wire.ints import PPM
from abci_app.wire.row import CLASSES, TARGET_EXPONENT, TOKEN_BYTES, TOKENS, VALUES, RowForm, split_rows
from kernels import generate, gin1, mlp
from kernels.decoder import Decoder

LABEL_BYTES = 2
MILLION = 1_000_000


class Split(Protocol):
    """The part of a dataset's manifest that is needed here."""

    @property
    def test_rows(self) -> int:
        """Held-out rows."""


class HeldOut(Protocol):
    """A dataset with held-out rows, such as data.store.StoredDataset."""

    @property
    def manifest(self) -> Split:
        """What it says of itself."""

    def read_held_out(self, form: RowForm) -> tuple[bytes, bytes]:
        """(features, targets) of the held-out rows, as the numerics take them."""


class NoHeldOutRows(ClientError):
    """There is nothing to measure on."""


def measure(network: mlp.Mlp | Decoder, form: RowForm, weights: bytes, dataset: HeldOut) -> dict[str, Any]:
    """What a network's weights reach on the held-out rows, beside what is reached unlearned: texts for people, and
    integers. form: of the contract's rows. Raises NoHeldOutRows."""
    if isinstance(network, Decoder):
        loss, entropy = loss_micronats(network, weights, dataset), entropy_micronats(form, dataset)
        return {"nats_per_character": millionths_text(loss), "micronats": loss,
                "baseline": millionths_text(entropy), "baseline_micronats": entropy}
    if form.kind == VALUES:
        errors, variances = squared_error_millionths(network, weights, dataset), variance_millionths(form, dataset)
        return {"squared_error": ", ".join(map(millionths_text, errors)), "squared_error_millionths": errors,
                "baseline": ", ".join(map(millionths_text, variances)), "baseline_millionths": variances}
    accuracy, baseline = accuracy_ppm(network.widths, weights, dataset), baseline_ppm(form, dataset)
    return {"accuracy": percent_text(accuracy), "accuracy_ppm": accuracy,
            "baseline": percent_text(baseline), "baseline_ppm": baseline}


def accuracy_ppm(widths: Sequence[int], weights: bytes, dataset: HeldOut) -> int:
    """Share of the held-out rows that the weights label rightly, in ppm, rounded down. Raises NoHeldOutRows."""
    rows = _count_rows(dataset)
    features, labels = dataset.read_held_out(RowForm(CLASSES, widths[0], widths[-1]))
    predicted = mlp.predict(tuple(widths), weights, features, rows)
    right = sum(one == other for one, other in zip(_split(predicted), _split(labels), strict=True))
    return right * PPM // rows


def baseline_ppm(form: RowForm, dataset: HeldOut) -> int:
    """Share of the held-out rows with their most frequent class, in ppm, rounded down: what is reached unlearned.

    Raises NoHeldOutRows.
    """
    rows = _count_rows(dataset)
    _, labels = dataset.read_held_out(form)
    return max(Counter(_split(labels)).values()) * PPM // rows


def squared_error_millionths(network: mlp.Mlp, weights: bytes, dataset: HeldOut) -> tuple[int, ...]:
    """The mean squared error of each output on the held-out rows, in millionths, rounded down. Raises NoHeldOutRows."""
    rows, outputs = _count_rows(dataset), network.widths[-1]
    features, targets = dataset.read_held_out(RowForm(VALUES, network.widths[0], outputs))
    found = _read_values(mlp.logits(network.widths, weights, features, rows)[0])
    wanted = _read_values(targets)
    squares = [(one - other)**2 for one, other in zip(found, wanted, strict=True)]
    return tuple(sum(squares[place::outputs]) * MILLION // (rows << 2 * TARGET_EXPONENT) for place in range(outputs))


def variance_millionths(form: RowForm, dataset: HeldOut) -> tuple[int, ...]:
    """The mean squared error of the best constant for each output: what is reached unlearned. Raises NoHeldOutRows."""
    rows = _count_rows(dataset)
    wanted = _read_values(dataset.read_held_out(form)[1])
    columns = [wanted[place::form.classes] for place in range(form.classes)]
    return tuple((rows * sum(one * one for one in column) - sum(column)**2) * MILLION
                 // (rows * rows << 2 * TARGET_EXPONENT) for column in columns)


def loss_micronats(network: Decoder, weights: bytes, dataset: HeldOut) -> int:
    """Millionths of a nat that a held-out character costs in the mean, rounded down. Raises NoHeldOutRows."""
    rows = _count_rows(dataset)
    tokens, _ = dataset.read_held_out(RowForm(TOKENS, network.context, network.vocab))
    found = generate.losses(network, weights, tokens, rows)
    total = sum(loss for (loss,) in struct.iter_unpack("<q", found))
    return int(total * MILLION // (rows * network.context << gin1.LOGIT_EXPONENT))


def entropy_micronats(form: RowForm, dataset: HeldOut) -> int:
    """Millionths of a nat that a held-out character costs whoever knows their frequencies and nothing else.

    Raises NoHeldOutRows.
    """
    _count_rows(dataset)
    rows = split_rows(dataset.read_held_out(form)[0], form.row_bytes)
    counts = Counter(token for row in rows for token in struct.unpack(f"<{form.features}H", row[TOKEN_BYTES:]))
    total = sum(counts.values())
    return round(MILLION * sum(count * math.log(total / count) for count in counts.values()) / total)


def millionths_text(value: int) -> str:
    """`1.4321` of 1432199, rounded down."""
    return f"{value // MILLION}.{value % MILLION // 100:04d}"


def percent_text(ppm: int) -> str:
    """`97.22 %`, rounded down."""
    return f"{ppm // 10_000}.{ppm // 100 % 100:02d} %"


def _read_values(values: bytes) -> list[int]:
    return [value for (value,) in struct.iter_unpack("<i", values)]


def _split(labels: bytes) -> list[bytes]:
    return [labels[at:at + LABEL_BYTES] for at in range(0, len(labels), LABEL_BYTES)]


def _count_rows(dataset: HeldOut) -> int:
    rows = dataset.manifest.test_rows
    if rows < 1:
        raise NoHeldOutRows("the dataset has no held-out rows to measure on",
                            "`gradus data add --held-out-ppm` above 0 makes one that has")
    return rows
