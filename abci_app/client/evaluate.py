"""How well weights do on rows that no miner trained on, in integers alone."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from abci_app.client.errors import ClientError
from abci_app.wire.ints import PPM
from abci_app.wire.row import CLASSES, RowForm
from kernels import mlp

LABEL_BYTES = 2


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


def percent_text(ppm: int) -> str:
    """`97.22 %`, rounded down."""
    return f"{ppm // 10_000}.{ppm // 100 % 100:02d} %"


def _split(labels: bytes) -> list[bytes]:
    return [labels[at:at + LABEL_BYTES] for at in range(0, len(labels), LABEL_BYTES)]


def _count_rows(dataset: HeldOut) -> int:
    rows = dataset.manifest.test_rows
    if rows < 1:
        raise NoHeldOutRows("the dataset has no held-out rows to measure on",
                            "`gradus data add --held-out-ppm` above 0 makes one that has")
    return rows
