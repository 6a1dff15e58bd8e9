"""A decoder-only transformer in integers: shape, initial weights, and a step's stages from bytes alone.

Weights are int32 little-endian at exponent 24, tensor by tensor (`list_parameters`), each row-major. Any bytes of the
right length are weights. Units are kernels/unit with a Decoder as model; inference is kernels/generate.
Source: kernels/decoder/README.md sections 14 to 20.
"""

from __future__ import annotations

from kernels import checks
from kernels.decoder import types
from kernels.decoder.types import Decoder, Parameter, check_model

__all__ = ["Decoder", "Parameter", "check_model", "init_weights", "list_parameters", "param_count"]


def param_count(model: Decoder) -> int:
    """The number of parameters of a decoder within its ranges."""
    return types.param_count(check_model(model))


def list_parameters(model: Decoder) -> list[Parameter]:
    """The parameter tensors of a decoder within its ranges, in their order."""
    return types.list_parameters(check_model(model))


def init_weights(model: Decoder, seed: bytes) -> bytes:
    """Weights of a new model: scaled Irwin-Hall variables of `seed` (32 bytes)."""
    from kernels.decoder import weights

    check_model(model)
    checks.check_seed("seed", seed)
    return checks.write_array(weights.draw_weights(model, seed))
