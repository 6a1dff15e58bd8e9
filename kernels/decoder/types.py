"""What a decoder is: its shape, its parameters and where they stand.

Reads/Writes: nothing. Needs neither numpy nor numba. Source: kernels/decoder/README.md section 14.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from kernels import checks
from kernels.attention import HEAD_DIMS
from kernels.errors import KernelInputError

VOCAB_MIN, VOCAB_MAX = 2, 65536
CONTEXT_MAX = 4096
WIDTH_MAX = 16384
HIDDEN_MAX = 65536
LAYERS_MAX = 128
PARAMS_MAX = 2**28
POSITIONS = ("learned", "rotary")
KINDS = ("head", "down", "up", "out", "qkv")


@dataclass(frozen=True)
class Decoder:
    """A decoder-only transformer: RMSNorm before each block, causal attention, relu squared, no biases.

    vocab: 2..65536 tokens. context: 1..4096 tokens of a row. width: heads times 8, 16, 32, 64, 128 or 256, at most
    16384. hidden: 1..65536. layers: 1..128. positions: "learned" or "rotary". tied: the head is the embedding's
    transpose. wide: the products whose slopes are rounded to 16 bits instead of 8, some of KINDS in that order.
    """

    vocab: int
    context: int
    width: int
    heads: int
    hidden: int
    layers: int
    positions: str = "learned"
    tied: bool = False
    wide: tuple[str, ...] = ()

    def __str__(self) -> str:
        head = "tied" if self.tied else "untied"
        return (f"decoder of {self.layers} layers of {self.width}x{self.hidden}, {self.heads} heads, context "
                f"{self.context}, vocab {self.vocab}, {self.positions} positions, {head} head")

    @property
    def head_dim(self) -> int:
        """Columns of one head."""
        return self.width // self.heads  # check_model: heads divides width


class Parameter(NamedTuple):
    """A parameter tensor: kind is embed, positions, qkv, out, up, down or head; layer is 0 where there is none.

    start: index of its first value in the flat parameters. number: of the tensor, in their order.
    """

    kind: str
    layer: int
    shape: tuple[int, int]
    start: int
    number: int

    @property
    def end(self) -> int:
        """Index after its last value."""
        return self.start + prod(self.shape)


def check_model(model: object) -> Decoder:
    """Return `model` if it is a Decoder within its ranges."""
    if not isinstance(model, Decoder):
        raise KernelInputError("model must be a Decoder")
    checks.check_int("vocab", model.vocab, VOCAB_MIN, VOCAB_MAX)
    checks.check_int("context", model.context, 1, CONTEXT_MAX)
    checks.check_int("width", model.width, HEAD_DIMS[0], WIDTH_MAX)
    checks.check_int("heads", model.heads, 1, WIDTH_MAX // HEAD_DIMS[0])
    checks.check_int("hidden", model.hidden, 1, HIDDEN_MAX)
    checks.check_int("layers", model.layers, 1, LAYERS_MAX)
    if model.width not in [model.heads * head_dim for head_dim in HEAD_DIMS]:
        allowed = ", ".join(map(str, HEAD_DIMS))
        raise KernelInputError(f"width must be heads times one of {allowed}: {model.width} is not with {model.heads}")
    if model.positions not in POSITIONS:
        raise KernelInputError(f"positions must be one of {', '.join(POSITIONS)}")
    if not isinstance(model.tied, bool):
        raise KernelInputError("tied must be True or False")
    if not isinstance(model.wide, tuple) or model.wide != tuple(kind for kind in KINDS if kind in model.wide):
        raise KernelInputError(f"wide must be a tuple of some of {', '.join(KINDS)}, each once and in this order")
    count = param_count(model)
    if count > PARAMS_MAX:
        raise KernelInputError(f"the shape gives {count} parameters, more than {PARAMS_MAX}: use fewer layers, "
                               "a narrower width or a smaller vocab")
    return model


def param_count(model: Decoder) -> int:
    """The number of parameters."""
    return list_parameters(model)[-1].end


def list_parameters(model: Decoder) -> list[Parameter]:
    """The parameter tensors in the order in which they stand in the flat parameters."""
    return list_part(model, 0, model.layers)


def list_part(model: Decoder, first: int, last: int) -> list[Parameter]:
    """The parameter tensors of blocks first..last-1, of the embedding before block 0 and of the head after the last.

    A tied head's is the embedding, which stands first. `start` and `number` count within the part.
    """
    vocab, width, hidden = model.vocab, model.width, model.hidden
    has_head = last == model.layers
    tensors: list[tuple[str, int, tuple[int, int]]] = []
    if first == 0 or (has_head and model.tied):
        tensors.append(("embed", 0, (vocab, width)))
    if first == 0 and model.positions == "learned":
        tensors.append(("positions", 0, (model.context, width)))
    for layer in range(first, last):
        tensors.append(("qkv", layer, (width, 3 * width)))
        tensors.append(("out", layer, (width, width)))
        tensors.append(("up", layer, (width, hidden)))
        tensors.append(("down", layer, (hidden, width)))
    if has_head and not model.tied:
        tensors.append(("head", 0, (width, vocab)))
    listed: list[Parameter] = []
    for number, (kind, layer, shape) in enumerate(tensors):
        listed.append(Parameter(kind, layer, shape, listed[-1].end if listed else 0, number))
    return listed
