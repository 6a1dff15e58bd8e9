"""Forward and backward pass of a decoder, or of some of its blocks, over one batch.

One composition of array-level ops for every back end: exponents, magnitudes and what an op saves for its slope are
handed on and never looked at. Source: kernels/decoder/README.md sections 15 to 19.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

from kernels import dispatch, gin1, norm
from kernels.attention import Keys, Shape
from kernels.decoder.types import Decoder, list_part
from kernels.tensor import Tensor

WIDE_BITS = 15
CLIP_BITS = {"up": 1, "qkv": 1}  # the others' largest slopes carry what is learned: see quantise/README.md
SITES_PER_LAYER = 8
SITES = {"down": 0, "up": 1, "out": 2, "value": 3, "probability": 4, "score": 5, "qkv": 6}

Gradient = tuple[int, Tensor]


class BlockSaved(NamedTuple):
    """What the slopes of one block need: operands, the stream before each half, and the ops' own records."""

    h1: Any
    r1: Any
    y1: Tensor
    attention: Any
    o: Tensor
    h2: Any
    r2: Any
    y2: Tensor
    activation: Any
    a: Tensor


class Stage:
    """Blocks first..last-1 of a decoder, with the embedding before block 0 and the head after the last.

    weights: the part's flat parameters (types.list_part), an array of the back end in use. A step is `forward`, then
    `backward`; both see the weights as they were when `forward` was called.
    """

    def __init__(self, model: Decoder, first: int, last: int, weights: Any, seed: bytes) -> None:
        self.model, self.first, self.last, self.seed = model, first, last, seed
        self.parameters = list_part(model, first, last)
        self.numbers = {(entry.kind, entry.layer): entry.number for entry in self.parameters}
        self.tensors = [weights[entry.start:entry.end].reshape(entry.shape) for entry in self.parameters]
        self.views: list[Tensor | None] = []
        self.saved: list[BlockSaved] = []
        self.h: Any = None
        self.tokens: Any = None
        self.slope: Tensor | None = None

    @property
    def has_embedding(self) -> bool:
        """Whether the stage begins with tokens."""
        return self.first == 0

    @property
    def has_head(self) -> bool:
        """Whether the stage ends with the loss."""
        return self.last == self.model.layers

    def forward(self, inputs: Any, batch: int) -> Any:
        """The stream after the stage, int32 [batch * context, width] at exponent 16.

        inputs: tokens [batch, context] with the embedding, else the stream before the stage.
        """
        self._read_weights()
        model = self.model
        shape = Shape(batch, model.context, model.heads, model.head_dim)
        h = inputs
        if self.has_embedding:
            self.tokens = inputs
            positions = self._tensor("positions") if model.positions == "learned" else None
            h = dispatch.implementation("embedding").forward(self._tensor("embed"), positions, inputs)
        self.saved = []
        for layer in range(self.first, self.last):
            h = self._run_block(h, layer, shape)
        self.h = h
        return h

    def backward(self, slope: Any, step: int) -> Iterator[Gradient]:
        """(number, gradient) of every parameter tensor of the stage, each once, from the last to the first.

        slope: targets [batch * context] with the head, else the slope of the stream after the stage, a Tensor. Once
        exhausted, `self.slope` is that of the stream before the stage.
        """
        tied: Tensor | None = None
        if self.has_head:
            dh, gradient = self._leave_head(slope, step)
            if self.model.tied:
                tied = gradient
            else:
                yield self.numbers["head", 0], gradient
        else:
            dh = slope
        for layer in reversed(range(self.first, self.last)):
            saved = self.saved.pop()
            dh = yield from self._leave_hidden(dh, saved, layer, step)
            dh = yield from self._leave_attention(dh, saved, layer, step)
        self.slope = dh
        yield from self._leave_embedding(dh, tied)

    def _read_weights(self) -> None:
        """Operand views of all weights that products use, once per step."""
        view = dispatch.implementation("quantise").view
        self.views = []
        for entry, tensor in zip(self.parameters, self.tensors):
            is_used = entry.kind != "positions" and (entry.kind != "embed" or (self.model.tied and self.has_head))
            self.views.append(view(tensor) if is_used else None)

    def _tensor(self, kind: str) -> Any:
        return self.tensors[self.numbers[kind, 0]]

    def _view(self, kind: str, layer: int = 0) -> Tensor:
        view = self.views[self.numbers[kind, layer]]
        assert view is not None
        return view

    def _run_block(self, h1: Any, layer: int, shape: Shape) -> Any:
        multiply, norms = dispatch.implementation("gemm").multiply, dispatch.implementation("norm")
        add = dispatch.implementation("residual").add
        y1, r1 = norms.forward(h1)
        z = multiply(y1, self._view("qkv", layer), "nn")
        o, attended = dispatch.implementation("attention").forward(z, shape, self.model.positions == "rotary")
        h2 = add(h1, multiply(o, self._view("out", layer), "nn"))
        y2, r2 = norms.forward(h2)
        a, activated = dispatch.implementation("activation").forward(multiply(y2, self._view("up", layer), "nn"))
        self.saved.append(BlockSaved(h1, r1, y1, attended, o, h2, r2, y2, activated, a))
        return add(h2, multiply(a, self._view("down", layer), "nn"))

    def _leave_head(self, targets: Any, step: int) -> tuple[Tensor, Tensor]:
        """(slope of the stream before the head, gradient of the head or, transposed, of a tied embedding)."""
        multiply, norms = dispatch.implementation("gemm").multiply, dispatch.implementation("norm")
        y, r = norms.forward(self.h)
        tied = self.model.tied
        view = self._view("embed" if tied else "head")
        loss = dispatch.implementation("loss").cross_entropy(multiply(y, view, "nt" if tied else "nn"), targets)
        e = self._draw(loss, "head", SITES_PER_LAYER * self.model.layers, step)
        gradient = multiply(e, y, "tn") if tied else multiply(y, e, "tn")
        return _leave_norm(multiply(e, view, "nn" if tied else "nt"), self.h, r, None), gradient

    def _leave_hidden(
        self, dh: Tensor, saved: BlockSaved, layer: int, step: int
    ) -> Generator[Gradient, None, Tensor]:
        multiply, site = dispatch.implementation("gemm").multiply, SITES_PER_LAYER * layer
        e = self._draw(dh, "down", site + SITES["down"], step)
        yield self.numbers["down", layer], multiply(saved.a, e, "tn")
        z = multiply(e, self._view("down", layer), "nt")
        du = dispatch.implementation("activation").backward(z, saved.activation)
        e = self._draw(du, "up", site + SITES["up"], step)
        yield self.numbers["up", layer], multiply(saved.y2, e, "tn")
        z = multiply(e, self._view("up", layer), "nt")
        return _leave_norm(z, saved.h2, saved.r2, dh)

    def _leave_attention(
        self, dh: Tensor, saved: BlockSaved, layer: int, step: int
    ) -> Generator[Gradient, None, Tensor]:
        multiply, site = dispatch.implementation("gemm").multiply, SITES_PER_LAYER * layer
        e = self._draw(dh, "out", site + SITES["out"], step)
        yield self.numbers["out", layer], multiply(saved.o, e, "tn")
        z = multiply(e, self._view("out", layer), "nt")
        keys = Keys(*(self._keys(site + SITES[what], step) for what in Keys._fields))
        dz = dispatch.implementation("attention").backward(z, saved.attention, keys)
        e = self._draw(dz, "qkv", site + SITES["qkv"], step)
        yield self.numbers["qkv", layer], multiply(saved.y1, e, "tn")
        z = multiply(e, self._view("qkv", layer), "nt")
        return _leave_norm(z, saved.h1, saved.r1, dh)

    def _leave_embedding(self, dh: Tensor, tied: Tensor | None) -> Iterator[Gradient]:
        ops, model = dispatch.implementation("embedding"), self.model
        if not self.has_embedding:
            if tied is not None:
                yield self.numbers["embed", 0], tied
            return
        has_positions = model.positions == "learned"
        embed, positions = ops.backward(dh, self.tokens, model.vocab, has_positions)
        if has_positions:
            yield self.numbers["positions", 0], positions
        yield self.numbers["embed", 0], embed if tied is None else ops.add(embed, tied)

    def _draw(self, x: Tensor, kind: str, site: int, step: int) -> Tensor:
        """Operands of a slope by stochastic rounding; 16 bits where the kind is wide."""
        bits = WIDE_BITS if kind in self.model.wide else gin1.OPERAND_BITS
        clip_bits = CLIP_BITS.get(kind, 0)
        operands: Tensor = dispatch.implementation("quantise").draw(
            x, self._keys(site, step), bits, clip_bits=clip_bits
        )
        return operands

    def _keys(self, site: int, step: int) -> tuple[int, int]:
        return gin1.derive_keys("gradient", self.seed, step, site)


def _leave_norm(x: Tensor, h: Any, r: Any, dh: Tensor | None) -> Tensor:
    slope: Tensor = dispatch.implementation("norm").backward(x, h, r, dh)
    return slope


def new_slope(values: Any) -> Tensor:
    """The slope of the stream, int32 at exponent 20, as a Tensor of the back end in use."""
    return Tensor(values, norm.SLOPE_EXPONENT)
