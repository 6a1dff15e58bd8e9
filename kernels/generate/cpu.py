"""Inference on the CPU: compiled loops, exact products.  Same functions as ref.py.

A few tokens at a time go through matrix-vector products, which are bound by the reading of the weights: one byte
each; many go through `gemm`. Either way each row is quantised by itself, so the answers are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, attention, circle, decoder, gin1, norm
from kernels.gemm import cpu as gemm
from kernels.generate import loops, rules
from kernels.quantise import cpu as quantise
from kernels.tensor import Tensor

if TYPE_CHECKING:
    from kernels.decoder import Decoder

MATRIX_ROWS_MIN = 8
_CAPACITY_MIN = 64


class View(NamedTuple):
    """A matrix of int8 operands, stored [outputs, inputs], and its exponent."""

    values: NDArray[np.int8]
    exponent: int


class Views:
    """A decoder's weights, as inference reads them: one byte each, besides the embeddings."""

    def __init__(self, model: Decoder, flat: NDArray[np.int32]) -> None:
        parts = {
            (entry.kind, entry.layer): flat[entry.start:entry.end].reshape(entry.shape)
            for entry in decoder.list_parameters(model)
        }
        self.model = model
        self.embed = parts["embed", 0].copy()
        none = np.zeros((1, model.width), dtype=np.int32)
        self.positions = parts.get(("positions", 0), none).copy()
        self.layers = [
            {kind: _view(parts[kind, layer], True) for kind in ("qkv", "out", "up", "down")}
            for layer in range(model.layers)
        ]
        self.head = _view(self.embed, False) if model.tied else _view(parts["head", 0], True)
        self.cosines = np.array(circle.cosine_table(), dtype=np.int64)
        frequencies = circle.rotary_frequencies(model.head_dim) if model.positions == "rotary" else ()
        self.frequencies = np.array(frequencies, dtype=np.int64)


class Cache:
    """Keys and values of the tokens so far, int16 at exponent 8, of each layer and head; grows as it fills.

    keys: [layers, heads, head_dim, positions], values: [layers, heads, positions, head_dim]: the order in which
    `loops.attend` reads them.
    """

    def __init__(self, model: Decoder) -> None:
        self.length = 0
        self.model = model
        self.keys, self.values = self._allocate(0)

    def reserve(self, length: int) -> None:
        """Make room for `length` positions; at most twice what is needed is ever held."""
        capacity = self.values.shape[2]
        if length <= capacity:
            return
        keys, values = self._allocate(min(self.model.context, max(_CAPACITY_MIN, length, 2 * capacity)))
        keys[:, :, :, :self.length] = self.keys[:, :, :, :self.length]
        values[:, :, :self.length] = self.values[:, :, :self.length]
        self.keys, self.values = keys, values

    def _allocate(self, capacity: int) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        shape = self.model.layers, self.model.heads
        keys = arrays.new_array((*shape, self.model.head_dim, capacity), np.int16)
        return keys, arrays.new_array((*shape, capacity, self.model.head_dim), np.int16)


def feed(views: Views, cache: Cache, tokens: NDArray[Any], scored: int) -> NDArray[np.int32]:
    """Append tokens to the cache; logits [scored, vocab] at exponent 16 after each of the last `scored` ones."""
    logits = arrays.new_array((scored, views.model.vocab), np.int32)
    first = len(tokens) - scored
    cache.reserve(cache.length + len(tokens))
    for start in range(0, len(tokens), rules.BLOCK_ROWS):
        h = _run_blocks(views, cache, tokens[start:start + rules.BLOCK_ROWS].astype(np.int64))
        row = max(0, first - start)
        if row < len(h):
            y = arrays.new_array((len(h) - row, views.model.width), np.int8)
            loops.normalise(h[row:], y)
            sums = _multiply(y, views.head.values)
            done = start + row - first
            shift = norm.OPERAND_EXPONENT + views.head.exponent - gin1.LOGIT_EXPONENT
            loops.scale_logits(sums, shift, logits[done:done + len(sums)])
    return logits


def weigh(logits: NDArray[np.int32], temperature_q16: int, top_k: int) -> NDArray[np.uint64]:
    """The weight of each token at a temperature above 0; 0 for all but the top_k largest, if top_k is not 0."""
    table = np.array(gin1.power_table(), dtype=np.int64)
    weights = arrays.new_array(logits.shape, np.uint64)
    loops.weigh(logits, table, temperature_q16, weights)
    if 0 < top_k < len(logits):
        last = np.partition(logits, len(logits) - top_k)[len(logits) - top_k]
        loops.keep_largest(logits, int(last), top_k, weights)
    return weights


def measure(logits: NDArray[np.int32], targets: NDArray[Any]) -> NDArray[np.int64]:
    """The loss of each target under its row of logits, in nats at exponent 16."""
    table = np.array(gin1.power_table(), dtype=np.int64)
    losses = arrays.new_array(len(targets), np.int64)
    totals = arrays.new_array(len(targets), np.int64)
    loops.measure(logits, targets.astype(np.int64), table, losses, totals)
    for row, total in enumerate(totals):
        losses[row] += rules.compute_log_sum(int(total))
    return losses


def _run_blocks(views: Views, cache: Cache, tokens: NDArray[np.int64]) -> NDArray[np.int32]:
    """The residual stream [rows, width] after all layers, for tokens at the next positions."""
    model, start, rows = views.model, cache.length, len(tokens)
    h = arrays.new_array((rows, model.width), np.int32)
    loops.embed(views.embed, views.positions, tokens, start, model.positions == "learned", h)
    y = arrays.new_array(h.shape, np.int8)
    query = arrays.new_array(h.shape, np.int16)
    mixed = arrays.new_array(h.shape, np.int32)
    factor = attention.POWER_SCALES[model.head_dim]
    operand = arrays.new_array(h.shape, np.int8)
    hidden = arrays.new_array((rows, model.hidden), np.int8)
    exponents = arrays.new_array(rows, np.int64)
    for index, layer in enumerate(views.layers):
        loops.normalise(h, y)
        sums = _multiply(y, layer["qkv"].values)
        if model.positions == "rotary":
            loops.turn(sums, start, model.head_dim, views.frequencies, views.cosines)
        shift = norm.OPERAND_EXPONENT + layer["qkv"].exponent - rules.CACHE_EXPONENT
        loops.fill_cache(sums, shift, start, query, cache.keys[index], cache.values[index])
        loops.attend(query, cache.keys[index], cache.values[index], start, factor, mixed)
        loops.quantise(mixed, rules.MEAN_EXPONENT, operand, exponents)
        _add(h, operand, exponents, layer["out"])
        loops.normalise(h, y)
        sums = _multiply(y, layer["up"].values)
        loops.activate(sums, norm.OPERAND_EXPONENT + layer["up"].exponent, hidden, exponents)
        _add(h, hidden, exponents, layer["down"])
    cache.length += rows
    return h


def _view(weights: NDArray[np.int32], is_turned: bool) -> View:
    """Operands of weights [outputs, inputs], or [inputs, outputs] where they must be turned."""
    values, exponent, _ = quantise.view(weights)
    return View(np.ascontiguousarray(values.T) if is_turned else values, exponent)


def _multiply(operand: NDArray[np.int8], weights: NDArray[np.int8]) -> NDArray[np.int32]:
    """operand @ transpose(weights), exactly."""
    if len(operand) >= MATRIX_ROWS_MIN:
        product: NDArray[np.int32] = gemm.multiply(Tensor(operand, 0), Tensor(weights, 0), "nt").values
        return product
    sums = arrays.new_array((len(operand), len(weights)), np.int32)
    loops.multiply_rows(operand.astype(np.int16), weights, sums)
    return sums


def _add(h: NDArray[np.int32], operand: NDArray[np.int8], exponents: NDArray[np.int64], weights: View) -> None:
    loops.add(h, _multiply(operand, weights.values), exponents, weights.exponent - norm.STREAM_EXPONENT)
