"""Accuracy and baseline on held-out rows, and weights as a safetensors file."""

import json
import struct
from dataclasses import dataclass

import pytest

from abci_app.client.errors import ClientError
from abci_app.client.evaluate import (
    NoHeldOutRows, accuracy_ppm, baseline_ppm, entropy_micronats, loss_micronats, measure, percent_text,
    squared_error_millionths, variance_millionths,
)
from abci_app.client.safetensors import encode_safetensors
from abci_app.wire.row import CLASSES, TOKENS, VALUES, RowForm, new_row, new_tokens_row, new_values_row
from kernels import dispatch, generate, mlp
from kernels.decoder import Decoder, init_weights

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
    for measured in (lambda: baseline_ppm(FORM, empty), lambda: accuracy_ppm((1, 2), sign_weights(), empty)):
        with pytest.raises(NoHeldOutRows, match="--held-out-ppm") as caught:
            measured()
        assert isinstance(caught.value, ClientError) and "no held-out rows" in caught.value.text


def test_safetensors_file_read_by_hand_has_every_weight_in_its_place() -> None:
    widths = (3, 4, 2)
    numbers = list(range(-10, mlp.param_count(widths) - 10))
    weights = b"".join(number.to_bytes(4, "little", signed=True) for number in numbers)
    raw = encode_safetensors(mlp.Mlp(widths), weights, {"model_id": "7"})
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
        encode_safetensors(mlp.Mlp((3, 4, 2)), bytes(8), {})


@dataclass(frozen=True)
class AnyRows:
    """Held-out rows of any kind."""

    rows: tuple[bytes, ...]

    @property
    def manifest(self) -> "AnyRows":
        return self

    @property
    def test_rows(self) -> int:
        return len(self.rows)

    def read_held_out(self, form: RowForm) -> tuple[bytes, bytes]:
        return form.join_columns(self.rows)


def test_squared_error_and_variance_are_those_of_the_held_out_targets() -> None:
    one, form = 1 << 16, RowForm(VALUES, 1, 2)
    rows = AnyRows((new_values_row(b"\x40", (one, 0)), new_values_row(b"\xc0", (3 * one, one // 2))))
    network = mlp.Mlp((1, 2), "regressor")
    weights = struct.pack("<4i", ONE, 0, 2 * ONE, 0)  # the outputs are 2 + x and 0, x is 1 and -1
    assert squared_error_millionths(network, weights, rows) == (4_000_000, 125_000)
    assert variance_millionths(form, rows) == (1_000_000, 62_500)
    told = measure(network, form, weights, rows)
    assert (told["squared_error"], told["baseline"]) == ("4.0000, 0.1250", "1.0000, 0.0625")


def test_loss_of_a_decoder_is_that_of_the_kernels_and_its_baseline_the_entropy() -> None:
    network = Decoder(4, 3, 8, 1, 8, 1)
    weights = init_weights(network, bytes(32))
    rows = AnyRows((new_tokens_row((3, 0, 1, 0)), new_tokens_row((2, 0, 1, 1))))
    tokens = b"".join(rows.rows)
    exact = sum(struct.unpack("<2q", generate.losses(network, weights, tokens, 2))) / 65_536 / 6
    assert abs(loss_micronats(network, weights, rows) / 10**6 - exact) <= 1e-6
    assert entropy_micronats(RowForm(TOKENS, 3, 4), rows) == 693_147
    told = measure(network, RowForm(TOKENS, 3, 4), weights, rows)
    assert told["nats_per_character"] == f"{int(exact * 10**4) / 10**4:.4f}" and told["baseline"] == "0.6931"


def test_tensors_of_a_decoder_have_its_names_and_shapes_and_fill_the_file() -> None:
    network = Decoder(30, 8, 16, 2, 24, 1)
    weights = init_weights(network, bytes(32))
    raw = encode_safetensors(network, weights, {})
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + size])
    assert header["__metadata__"]["activation"] == "relu squared"
    shapes = {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}
    assert shapes == {"embed": [30, 16], "positions": [8, 16], "blocks.0.qkv": [16, 48], "blocks.0.out": [16, 16],
                      "blocks.0.up": [16, 24], "blocks.0.down": [24, 16], "head": [16, 30]}
    assert raw[8 + size:] == weights and header["head"]["data_offsets"][1] == len(weights)
