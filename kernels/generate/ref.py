"""Reference of inference in numpy int64, one token at a time: the truth.  Source: README.md beside this file.

A token is a batch of one row, so the refs of the training ops give its own exponents; attention is the only new rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kernels import attention, circle, decoder, exact, gin1
from kernels.activation import ref as activation
from kernels.embedding import ref as embedding
from kernels.exact import Ints
from kernels.gemm import ref as gemm
from kernels.generate import rules
from kernels.norm import ref as norm
from kernels.quantise import ref as quantise
from kernels.residual import ref as residual
from kernels.tensor import Tensor

if TYPE_CHECKING:
    from kernels.decoder import Decoder


class Views:
    """A decoder's weights, as inference reads them."""

    def __init__(self, model: Decoder, flat: NDArray[np.int32]) -> None:
        wide = flat.astype(np.int64)
        parts = {
            (entry.kind, entry.layer): wide[entry.start:entry.end].reshape(entry.shape)
            for entry in decoder.list_parameters(model)
        }
        self.model = model
        self.embed: Ints = parts["embed", 0]
        self.positions: Ints | None = parts.get(("positions", 0))
        self.layers = [
            {kind: quantise.view(parts[kind, layer]) for kind in ("qkv", "out", "up", "down")}
            for layer in range(model.layers)
        ]
        self.head = quantise.view(self.embed.T if model.tied else parts["head", 0])


class Cache:
    """Keys and values of the tokens so far, at exponent 8: [layers, positions, width]."""

    def __init__(self, model: Decoder) -> None:
        self.length = 0
        self.keys: Ints = np.zeros((model.layers, model.context, model.width), dtype=np.int64)
        self.values: Ints = np.zeros((model.layers, model.context, model.width), dtype=np.int64)


def feed(views: Views, cache: Cache, tokens: NDArray[Any], scored: int) -> NDArray[np.int32]:
    """Append tokens to the cache; logits [scored, vocab] at exponent 16 after each of the last `scored` ones."""
    logits = np.zeros((scored, views.model.vocab), dtype=np.int32)
    for index, token in enumerate(tokens):
        h = _run_blocks(views, cache, int(token))
        row = index - (len(tokens) - scored)
        if row >= 0:
            z = gemm.multiply(norm.forward(h)[0], views.head, "nn")
            logits[row] = exact.clip(exact.scale(z.values[0], z.exponent - gin1.LOGIT_EXPONENT), rules.LOGIT_MAX)
    return logits


def weigh(logits: NDArray[np.int32], temperature_q16: int, top_k: int) -> NDArray[np.uint64]:
    """The weight of each token at a temperature above 0; 0 for all but the top_k largest, if top_k is not 0."""
    wide = logits.astype(np.int64)
    below = ((wide.max() - wide) << np.int64(16)) // np.int64(temperature_q16)
    weights = _raise(np.minimum(below, rules.BELOW_MAX))
    if 0 < top_k < len(wide):
        weights[np.argsort(-wide, kind="stable")[top_k:]] = 0
    return weights.astype(np.uint64)


def measure(logits: NDArray[np.int32], targets: NDArray[Any]) -> Ints:
    """The loss of each target under its row of logits, in nats at exponent 16."""
    losses = np.zeros(len(targets), dtype=np.int64)
    for row, target in enumerate(targets):
        wide = logits[row].astype(np.int64)
        below = wide.max() - wide
        total = int(_raise(below, rules.LOSS_BITS).sum())
        losses[row] = below[int(target)] + rules.compute_log_sum(total)
    return losses


def _run_blocks(views: Views, cache: Cache, token: int) -> Ints:
    """The residual stream [1, width] after all layers, for one token at the next position."""
    place = cache.length
    at_place = None if views.positions is None else views.positions[place:place + 1]
    h = embedding.forward(views.embed, at_place, np.array([[token]], dtype=np.int64))
    for index, layer in enumerate(views.layers):
        z = gemm.multiply(norm.forward(h)[0], layer["qkv"], "nn")
        query, cache.keys[index, place], cache.values[index, place] = _split(views.model, z, place)
        o = _attend(views.model, query, cache.keys[index, :place + 1], cache.values[index, :place + 1])
        h = residual.add(h, gemm.multiply(o, layer["out"], "nn"))
        a, _ = activation.forward(gemm.multiply(norm.forward(h)[0], layer["up"], "nn"))
        h = residual.add(h, gemm.multiply(a, layer["down"], "nn"))
    cache.length += 1
    return h


def _split(model: Decoder, z: Tensor, place: int) -> Ints:
    """Query, key and value [3, width] of one token at exponent 8."""
    parts = z.values.reshape(3, model.width)
    if model.positions == "rotary":
        parts = np.stack([_turn(parts[0], model.head_dim, place), _turn(parts[1], model.head_dim, place), parts[2]])
    return exact.clip(exact.scale(parts, z.exponent - rules.CACHE_EXPONENT), rules.CACHE_MAX)


def _turn(part: Ints, head_dim: int, place: int) -> Ints:
    """Pairs (j, j + head_dim / 2) of each head [width], turned by the position."""
    half = head_dim // 2
    phases = (np.array(circle.rotary_frequencies(head_dim), dtype=np.int64) * place) & np.int64(2**32 - 1)
    index = phases >> np.int64(circle.PHASE_BITS - circle.TURN_BITS)
    table = np.array(circle.cosine_table(), dtype=np.int64)
    cosine, sine = table[index], table[(index - circle.TURN // 4) & (circle.TURN - 1)]
    pairs = part.reshape(-1, 2, half)
    first, second = pairs[:, 0], pairs[:, 1]
    turned = np.stack([first * cosine - second * sine, first * sine + second * cosine], axis=1)
    return exact.round_shift(turned, circle.COSINE_BITS).reshape(-1)


def _attend(model: Decoder, query: Ints, keys: Ints, values: Ints) -> Tensor:
    """Operands [1, width] of the means of the values [positions, width], weighted by the softmax of the scores."""
    means = []
    factor = np.int64(attention.POWER_SCALES[model.head_dim])
    for start in range(0, model.width, model.head_dim):
        part = slice(start, start + model.head_dim)
        rated = exact.round_shift((keys[:, part] @ query[part]) * factor, rules.SCORE_SHIFT)
        power = np.minimum(rated.max() - rated, attention.POWER_MAX)
        fraction = power & 1023
        grown = (65536 - ((fraction * (43008 - 10 * fraction)) >> 10)) >> (power >> 10)
        weights = np.minimum(exact.round_shift(grown, 9), attention.WEIGHT_MAX)
        inverse = np.int64((1 << attention.INVERSE_BITS) // int(weights.sum()))
        means.append(exact.round_shift((weights @ values[:, part]) * inverse, attention.MEAN_SHIFT))
    return quantise.nearest(Tensor(np.concatenate(means)[None], rules.MEAN_EXPONENT))


def _raise(below: Ints, more_bits: int = 0) -> Ints:
    """2**(16 + more_bits) * e**-x for x = below at exponent 16, from the table of powers."""
    power = np.minimum(exact.round_shift(below * np.int64(gin1.LOG2_E_Q14), 20), gin1.POWER_MAX)
    table = np.array(gin1.power_table(), dtype=np.int64)
    raised: Ints = (table[power & 1023] << np.int64(more_bits)) >> (power >> 10)
    return raised
