"""The decoders that are compared, and how each is trained."""

from typing import NamedTuple

from kernels.decoder import Decoder
from kernels.decoder.types import KINDS

CONTEXT = 64


class Size(NamedTuple):
    """A decoder's shape (hidden is four times the width), and steps and Adam's peak rate of a run."""

    layers: int
    width: int
    heads: int
    steps: int
    rate: float


SIZES = {
    "d64": Size(2, 64, 2, 600, 0.004),
    "d128": Size(2, 128, 4, 1500, 0.002),
    "L4d128": Size(4, 128, 4, 1200, 0.002),
    "L4d160": Size(4, 160, 5, 1500, 0.002),
    "L6d128": Size(6, 128, 4, 1500, 0.002),
    "L4d192": Size(4, 192, 6, 1500, 0.002),
    "d256": Size(4, 256, 8, 1500, 0.002),
    "d512": Size(4, 512, 8, 1500, 0.001),
}
ARITHMETICS: dict[str, tuple[str, ...]] = {
    "float32": (), "int8": (), "wide up qkv": ("up", "qkv"), "wide head up qkv": ("head", "up", "qkv"), "wide": KINDS,
}


def new_model(size: str, vocab: int, arithmetic: str = "int8", positions: str = "learned",
              tied: bool = False) -> Decoder:
    """A decoder of a size."""
    shape = SIZES[size]
    return Decoder(vocab, CONTEXT, shape.width, shape.heads, 4 * shape.width, shape.layers, positions, tied,
                   ARITHMETICS[arithmetic])
