"""Accuracy and baseline on held-out rows, and weights as a safetensors file."""

import json
from dataclasses import dataclass

import pytest

from abci_app.client.errors import ClientError
from abci_app.client.evaluate import NoHeldOutRows, accuracy_ppm, baseline_ppm, percent_text
from abci_app.client.safetensors import encode_safetensors
from abci_app.wire.row import CLASSES, RowForm, new_row
from kernels import dispatch, mlp

ONE = 1 << 24

FORM = RowForm(CLASSES, 1, 2)


@dataclass(frozen=True)
class Rows:
    """Held-out rows of one feature: the class of a row is told by its sign."""

    features: tuple[int, ...]
    labels: tuple[int, ...]

    @property
    def manifest(self) -> "Rows":
        return self

    @property
    def test_rows(self) -> int:
        return len(self.labels)

    def read_held_out(self, form: RowForm) -> tuple[bytes, bytes]:
        return form.join_columns([new_row(bytes([feature & 0xFF]), label)
                                  for feature, label in zip(self.features, self.labels)])


def sign_weights() -> bytes:
    """A classifier of one input: class 1 for positive numbers, else class 0."""
    return b"".join(value.to_bytes(4, "little", signed=True) for value in (-ONE, ONE, 0, 0))


def test_accuracy_and_baseline_count_rows_and_round_down() -> None:
    rows = Rows((64, -64, 64, -64, 64, -64), (1, 0, 0, 0, 0, 1))
    with dispatch.forced("ref"):
        assert accuracy_ppm((1, 2), sign_weights(), rows) == 500_000
        assert accuracy_ppm((1, 2), sign_weights(), Rows((64, -64, 64), (1, 0, 0))) == 666_666
    assert baseline_ppm(FORM, rows) == 666_666
    assert baseline_ppm(FORM, Rows((-128, 0, 0), (4, 2, 1))) == 666_666, "labels that are no class are their remainders"
    assert percent_text(666_666) == "66.66 %" and percent_text(1_000_000) == "100.00 %"


def test_dataset_without_held_out_rows_is_refused_with_a_hint() -> None:
    empty = Rows((), ())
    for measure in (lambda: baseline_ppm(FORM, empty), lambda: accuracy_ppm((1, 2), sign_weights(), empty)):
        with pytest.raises(NoHeldOutRows, match="--held-out-ppm") as caught:
            measure()
        assert isinstance(caught.value, ClientError) and "no held-out rows" in caught.value.text


def test_safetensors_file_read_by_hand_has_every_weight_in_its_place() -> None:
    widths = (3, 4, 2)
    numbers = list(range(-10, mlp.param_count(widths) - 10))
    weights = b"".join(number.to_bytes(4, "little", signed=True) for number in numbers)
    raw = encode_safetensors(widths, weights, {"model_id": "7"})
    size = int.from_bytes(raw[:8], "little")
    header, data = json.loads(raw[8:8 + size]), raw[8 + size:]
    assert size % 8 == 0 and data == weights
    metadata = header.pop("__metadata__")
    assert (metadata["model_id"], metadata["weight_exponent"]) == ("7", "24")
    assert all(isinstance(value, str) for value in metadata.values())
    assert {name: (one["dtype"], one["shape"]) for name, one in header.items()} == {
        "layers.0.weight": ("I32", [3, 4]), "layers.0.bias": ("I32", [4]),
        "layers.1.weight": ("I32", [4, 2]), "layers.1.bias": ("I32", [2])}
    read: list[int] = []
    for one in header.values():
        begin, end = one["data_offsets"]
        assert begin == 4 * len(read)
        read += [int.from_bytes(data[at:at + 4], "little", signed=True) for at in range(begin, end, 4)]
    assert read == numbers


def test_weights_of_other_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="are not the weights of"):
        encode_safetensors((3, 4, 2), bytes(8), {})
