"""Weights as a safetensors file, which every framework reads.

8 bytes little-endian: length of the header; the header, JSON, filled up with blanks to a multiple of 8; the tensors.
The chain's weights are int32 little-endian, layer by layer [fan_in, fan_out] row-major and then the biases, so they are
the tensors' bytes as they stand. A weight's value is q * 2^-24.
Source: https://huggingface.co/docs/safetensors (format).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kernels import mlp
from kernels.gin1 import FEATURE_EXPONENT, WEIGHT_EXPONENT

ALIGNMENT = 8
LENGTH_BYTES = 8


def encode_safetensors(widths: Sequence[int], weights: bytes, metadata: Mapping[str, str]) -> bytes:
    """The file of a model's weights: `layers.<i>.weight` I32 [fan_in, fan_out], `layers.<i>.bias` I32 [fan_out].

    metadata: further texts beside the exponents. ValueError when `weights` are not those of `widths`.
    """
    if len(weights) != mlp.WEIGHT_BYTES * mlp.param_count(tuple(widths)):
        raise ValueError(f"{len(weights)} bytes are not the weights of {list(widths)}")
    header: dict[str, Any] = {"__metadata__": {
        "format": "gradus", "weight_exponent": str(WEIGHT_EXPONENT), "feature_exponent": str(FEATURE_EXPONENT),
        "value": f"q * 2^-{WEIGHT_EXPONENT}", "activation": "relu"} | dict(metadata)}
    at = 0
    for index, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
        for name, shape in (("weight", [fan_in, fan_out]), ("bias", [fan_out])):
            end = at + mlp.WEIGHT_BYTES * (fan_in * fan_out if name == "weight" else fan_out)
            header[f"layers.{index}.{name}"] = {"dtype": "I32", "shape": shape, "data_offsets": [at, end]}
            at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text + weights
