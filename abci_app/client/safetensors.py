"""Weights as a safetensors file, which every framework reads.

8 bytes little-endian: length of the header; the header, JSON, filled up with blanks to a multiple of 8; the tensors.
The chain's weights are int32 little-endian, tensor by tensor and row-major, so they are the tensors' bytes as
they stand. A weight's value is q * 2^-24.
Source: https://huggingface.co/docs/safetensors (format).
"""

import json
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from kernels import mlp
from kernels.decoder import Decoder, list_parameters
from kernels.gin1 import FEATURE_EXPONENT, WEIGHT_EXPONENT

ALIGNMENT = 8
LENGTH_BYTES = 8
BLOCK_KINDS = ("qkv", "out", "up", "down")


def encode_safetensors(network: mlp.Mlp | Decoder, weights: bytes, metadata: Mapping[str, str]) -> bytes:
    """The file of a model's weights: `layers.<i>.weight` I32 [fan_in, fan_out] and `layers.<i>.bias` I32 [fan_out] of a
    perceptron; of a decoder `embed`, `positions`, `blocks.<i>.<qkv|out|up|down>`, `head`, as its shape has them.

    metadata: further texts beside the exponents. ValueError when `weights` are not those of `network`.
    """
    tensors = list(_iter_tensors(network))
    header: dict[str, Any] = {"__metadata__": {
        "format": "gradus", "weight_exponent": str(WEIGHT_EXPONENT), "feature_exponent": str(FEATURE_EXPONENT),
        "value": f"q * 2^-{WEIGHT_EXPONENT}", "activation": "relu squared" if isinstance(network, Decoder) else "relu"
        } | dict(metadata)}
    at = 0
    for name, shape in tensors:
        end = at + mlp.WEIGHT_BYTES * prod(shape)
        header[name] = {"dtype": "I32", "shape": list(shape), "data_offsets": [at, end]}
        at = end
    if len(weights) != at:
        raise ValueError(f"{len(weights)} bytes are not the weights of a {network}")
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text + weights


def _iter_tensors(network: mlp.Mlp | Decoder) -> Iterator[tuple[str, tuple[int, ...]]]:
    """(name, shape) of the parameter tensors in their order."""
    if isinstance(network, Decoder):
        for entry in list_parameters(network):
            is_inner = entry.kind in BLOCK_KINDS
            yield f"blocks.{entry.layer}.{entry.kind}" if is_inner else entry.kind, entry.shape
        return
    for index, (fan_in, fan_out) in enumerate(zip(network.widths, network.widths[1:])):
        yield f"layers.{index}.weight", (fan_in, fan_out)
        yield f"layers.{index}.bias", (fan_out,)
