"""A decoder's step and its stages, written a second time from the text of kernels/decoder/README.md in plain integers.

Nothing here is fast or shares code with kernels/; the bounds asserted are those of section 21 of the text.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import cache
from math import isqrt

from plain import (COSINE, Keys, Matrix, Values, bits, clip, cross_entropy, draw, draw_initial, fold, keys, largest,
                   product, rdiv, rs, scale, scaled, transpose, within)

from kernels.decoder import Decoder

Name = tuple[str, int]
SITES = {"down": 0, "up": 1, "out": 2, "value": 3, "probability": 4, "score": 5, "qkv": 6}
LOWEST = {7: {"down": -3, "out": -3, "up": -47, "qkv": 2}, 15: {"down": 5, "out": 5, "up": -39, "qkv": 10}}
SCORE_FACTORS = {8: 8357, 16: 5909, 32: 4178, 64: 2955, 128: 2089, 256: 1477}
SLOPE_FACTORS = {8: 5793, 16: 4096, 32: 2896, 64: 2048, 128: 1448, 256: 1024}


def list_shapes(model: Decoder, first: int = 0, last: int | None = None) -> dict[Name, tuple[int, int]]:
    """Tensors of the blocks first..last-1, with the embedding and the head where they belong, in the text's order."""
    last = model.layers if last is None else last
    v, d, f = model.vocab, model.width, model.hidden
    shapes: dict[Name, tuple[int, int]] = {}
    if first == 0 or (last == model.layers and model.tied):
        shapes["embed", 0] = (v, d)
    if first == 0 and model.positions == "learned":
        shapes["positions", 0] = (model.context, d)
    for layer in range(first, last):
        shapes |= {("qkv", layer): (d, 3 * d), ("out", layer): (d, d), ("up", layer): (d, f), ("down", layer): (f, d)}
    if last == model.layers and not model.tied:
        shapes["head", 0] = (d, v)
    return shapes


def init_weights(model: Decoder, seed: bytes) -> list[int]:
    d, flat = model.width, []
    head = 2**44 // d
    x_of = {"embed": head if model.tied else 2**46, "head": head, "positions": 2**48 // 100, "qkv": 2**48 // d,
            "up": 2**48 // d, "out": 2**48 // (2 * model.layers * d),
            "down": 2**48 // (2 * model.layers * model.hidden)}
    for number, ((kind, _), shape) in enumerate(list_shapes(model).items()):
        flat += draw_initial(seed, number, shape[0] * shape[1], isqrt(x_of[kind]))
    return flat


@cache
def rotary_frequencies(head_dim: int) -> tuple[int, ...]:
    found = []
    for j in range(head_dim // 2):
        x = 2**(64 * head_dim) // 10000**(2 * j)
        for _ in range(bits(head_dim) - 1):
            x = isqrt(x)
        found.append((x * 0x28BE60DB9391054A + 2**95) >> 96)
    return tuple(found)


def shift(m: int, f: int, b: int) -> int:
    return max(0, bits(m) - b, f - 24)


def between(x: Values, lowest: int, highest: int, bound: int) -> Values:
    """x, whose exponent and magnitude are those of a row of section 21."""
    assert lowest <= x[1] <= highest and largest(x[0]) <= bound, (x[1], lowest, highest, largest(x[0]), bound)
    return x


def nearest(x: Values, b: int = 7) -> Values:
    s = shift(largest(x[0]), x[1], b)
    return [[clip(rs(v, s), 2**b - 1) for v in row] for row in x[0]], x[1] - s


def drawn(x: Values, k: Keys, b: int = 7, clip_bit: bool = False, first: int = 0) -> Values:
    s = shift(within(largest(x[0]), 2**31 - 1), x[1], b + clip_bit)
    assert s <= 31
    return draw(x[0], s, k, b, first), x[1] - s


def view(matrix: Matrix) -> Values:
    w8, f = nearest(([[clip(w, 2**31 - 1) for w in row] for row in matrix], 24))
    assert 0 <= f <= 24
    return w8, f


def multiply(a: Values, b: Values) -> Values:
    """a @ b at the sum of the exponents."""
    bound = 65536 * largest(a[0]) * largest(b[0])
    return product(a[0], transpose(b[0]), bound), a[1] + b[1]


def turn(a: Values) -> Values:
    return transpose(a[0]), a[1]


def add(h: Matrix, z: Values) -> Matrix:
    between(z, -38, 48, 2**30)
    return [[clip(v + scale(x, z[1] - 16), 2**23 - 1) for v, x in zip(*pair)] for pair in zip(h, z[0])]


@dataclass
class Norm:
    """A normalised stream: h, r of each row, and the operand y."""

    h: Matrix
    r: list[int] = field(default_factory=list)
    y: Values = ([], 5)

    def __post_init__(self) -> None:
        for row in self.h:
            s = isqrt(sum(v * v for v in row) // len(row) + 42950)
            assert 207 <= s < 2**23
            self.r.append(2**32 // s)
        self.y = [[clip(rs(v, 7), 127) for v in self.hat(i)] for i in range(len(self.h))], 5

    def hat(self, i: int) -> list[int]:
        return [within(rs(v * self.r[i], 20), 2**20) for v in self.h[i]]

    def leave(self, z: Values, dh: Matrix) -> Matrix:
        found = []
        for i, row in enumerate(z[0]):
            yh, d = self.hat(i), len(row)
            dy = [clip(scale(v, z[1] - 20), 2**30 - 1) for v in row]
            t = within(rs(rdiv(within(sum(a * b for a, b in zip(dy, yh)), 2**57), d), 12), 2**31)
            x = [rs(within((a - rs(t * b, 12)) * self.r[i], 2**62), 16) for a, b in zip(dy, yh)]
            found.append([clip(old + new, 2**30 - 1) for old, new in zip(dh[i], x)])
        return found


def rotate(rows: Matrix, model: Decoder, back: bool) -> Matrix:
    """Turn every head's columns of [N, d] by the row's position."""
    dim = model.width // model.heads
    half, found = dim // 2, []
    for n, row in enumerate(rows):
        new = list(row)
        for j, f in enumerate(rotary_frequencies(dim)):
            i = ((n % model.context) * f) % 2**32 >> 20
            c, s = COSINE[i], COSINE[(i - 1024) & 4095]
            s = -s if back else s
            for at in range(j, model.width, dim):
                low, high = row[at], row[at + half]
                new[at] = rs(low * c - high * s, 14)
                new[at + half] = rs(low * s + high * c, 14)
        found.append(new)
    return found


def split_heads(rows: Matrix, model: Decoder) -> list[Matrix]:
    """[N, d] as B*H matrices [T, D], index b*H + head."""
    t, dim = model.context, model.width // model.heads
    return [[row[head * dim:(head + 1) * dim] for row in rows[at:at + t]]
            for at in range(0, len(rows), t) for head in range(model.heads)]


def join_heads(matrices: list[Matrix], model: Decoder) -> Matrix:
    found: Matrix = []
    for at in range(0, len(matrices), model.heads):
        found += [[v for matrix in matrices[at:at + model.heads] for v in matrix[i]] for i in range(model.context)]
    return found


class Attention:
    """One layer's attention from z = y1 @ qkv8, and its slope."""

    def __init__(self, model: Decoder, z: Values) -> None:
        self.model, d = model, model.width
        self.dim = d // model.heads
        parts = [[row[at:at + d] for row in between(z, 5, 29, 2**28)[0]] for at in (0, d, 2 * d)]
        if model.positions == "rotary":
            parts[:2] = [rotate(part, model, False) for part in parts[:2]]
        operands = [between(nearest((part, z[1])), lowest, 24, 127) for part, lowest in zip(parts, (-17, -17, -16))]
        self.q, self.k, self.v = [split_heads(matrix, model) for matrix, _ in operands]
        self.fq, self.fk, self.fv = [exponent for _, exponent in operands]
        self.e: list[Matrix] = []
        self.inverse: list[list[int]] = []
        means = []
        for q, k, v in zip(self.q, self.k, self.v):
            e = [self.weigh(q[i], k[:i + 1]) + [0] * (len(k) - i - 1) for i in range(len(q))]
            inverse = [2**30 // sum(row) for row in e]
            assert all(2064 <= one <= 8454660 for one in inverse)
            means.append([[within(rs(sum(x * y for x, y in zip(row, column)) * one, 22), 32512)
                           for column in transpose(v)] for row, one in zip(e, inverse)])
            self.e.append(e)
            self.inverse.append(inverse)
        self.o = between(nearest((join_heads(means, model), self.fv + 8)), -16, 24, 127)

    def weigh(self, q: list[int], keys_before: Matrix) -> list[int]:
        scores = [sum(x * y for x, y in zip(q, k)) for k in keys_before]
        found = []
        for score in scores:
            t = max(scores) - score
            p = min(scale(t * SCORE_FACTORS[self.dim], self.fq + self.fk + 4), 16383)
            g = p & 1023
            found.append(min(rs((65536 - ((g * (43008 - 10 * g)) >> 10)) >> (p >> 10), 9), 127))
        return found

    def slope(self, z: Values, site_keys: dict[str, Keys]) -> Values:
        s = max(0, bits(largest(z[0])) - 20, z[1] - 24)
        fw = z[1] - s
        assert s <= 20
        w, _ = between(([[clip(rs(v, s), 2**20 - 1) for v in row] for row in z[0]], fw), -11, 24, 2**20 - 1)
        heads = split_heads(w, self.model)
        length = self.model.context
        all_g2, f2 = drawn(([row for matrix in heads for row in matrix], fw), site_keys["probability"])
        assert -24 <= f2 <= 24
        found: dict[str, list[Matrix]] = {"q": [], "k": [], "v": []}
        for n, (q, k, v, e, inverse) in enumerate(zip(self.q, self.k, self.v, self.e, self.inverse)):
            grown = [[within(rs(x * one, 15), 2**29) for x in row] for row, one in zip(heads[n], inverse)]
            g1, f1 = between(drawn((grown, fw + 15), site_keys["value"], first=n * length * self.dim), -18, 24, 127)
            dv = product(transpose(e), transpose(g1), 2**26)
            dp = product(all_g2[n * length:(n + 1) * length], v, 4129024)
            p = [[rs(x * one, 15) for x in row] for row, one in zip(e, inverse)]
            m = [within(rs(sum(x * y for x, y in zip(*pair)), 15), 4387088) for pair in zip(p, dp)]
            scores = [[within(rs(x * (y - mean), 8), 1090062336) for x, y in zip(*pair)]
                      for *pair, mean in zip(p, dp, m)]
            of_scores = between((scores, f2 + self.fv + 7), -33, 55, 2**31 - 1)
            g3, f3 = between(drawn(of_scores, site_keys["score"], first=n * length * length), -57, 24, 127)
            factor = SLOPE_FACTORS[self.dim]
            found["q"].append(self.finish(product(g3, transpose(k), 2**26), factor, f3 + self.fk + 14 - 24))
            found["k"].append(self.finish(product(transpose(g3), transpose(q), 2**26), factor, f3 + self.fq + 14 - 24))
            found["v"].append(self.finish(dv, 1, f1 - 24))
        dq, dk, dv_joined = [join_heads(found[name], self.model) for name in ("q", "k", "v")]
        if self.model.positions == "rotary":
            dq, dk = [[[clip(v, 2**30 - 1) for v in row] for row in rotate(part, self.model, True)]
                      for part in (dq, dk)]
        return [a + b + c for a, b, c in zip(dq, dk, dv_joined)], 24

    def finish(self, matrix: Matrix, factor: int, s: int) -> Matrix:
        return [[clip(scale(v * factor, s), 2**30 - 1) for v in row] for row in matrix]


class Hidden:
    """Relu squared of z = y2 @ up8, and its slope."""

    def __init__(self, z: Values) -> None:
        raised = [[max(v, 0) for v in row] for row in z[0]]
        s = max(0, bits(largest(raised)) - 15, z[1] - 24)
        self.u, self.fu = between(([[min(rs(v, s), 32767) for v in row] for row in raised], z[1] - s), -8, 24, 32767)
        s2 = shift(largest(self.u)**2, 2 * self.fu, 8)
        self.a = between(([[min(rs(v * v, s2), 127) for v in row] for row in self.u], 2 * self.fu - s2), -38, 24, 127)

    def slope(self, z: Values) -> Values:
        s = max(0, bits(largest(z[0])) - 15, z[1] - 24)
        w, fw = between(([[clip(rs(v, s), 32767) for v in row] for row in z[0]], z[1] - s), -16, 24, 32767)
        return between(([[x * u for x, u in zip(*pair)] for pair in zip(w, self.u)], fw + self.fu - 1), -25, 47, 2**30)


class Block:
    """A block's forward pass, kept for the way back."""

    def __init__(self, model: Decoder, layer: int, views: dict[Name, Values], h: Matrix) -> None:
        self.model, self.layer, self.views = model, layer, views
        self.norm1 = Norm(h)
        self.attention = Attention(model, multiply(self.norm1.y, views["qkv", layer]))
        h = add(h, multiply(self.attention.o, views["out", layer]))
        self.norm2 = Norm(h)
        self.hidden = Hidden(multiply(self.norm2.y, views["up", layer]))
        self.h = add(h, multiply(self.hidden.a, views["down", layer]))

    def slope(self, dh: Matrix, seed: bytes, step: int, gradients: dict[Name, Matrix]) -> Matrix:
        keys_of = {kind: keys("gradient", seed, step, 8 * self.layer + site) for kind, site in SITES.items()}

        def take(kind: str, x: Values, operand: Values, clip_bit: bool) -> Values:
            b = 15 if kind in self.model.wide else 7
            e = between(drawn(x, keys_of[kind], b, clip_bit), LOWEST[b][kind], 24, 2**b - 1)
            sums, f = multiply(turn(operand), e)
            gradients[kind, self.layer] = scaled(sums, f - 24)
            return multiply(e, turn(self.views[kind, self.layer]))

        du = self.hidden.slope(take("down", (dh, 20), self.hidden.a, False))
        dh = self.norm2.leave(take("up", du, self.norm2.y, True), dh)
        dz = self.attention.slope(take("out", (dh, 20), self.attention.o, False), keys_of)
        return self.norm1.leave(take("qkv", dz, self.norm1.y, True), dh)


class Stage:
    """Blocks first..last-1 of a step, from the stage's own weights."""

    def __init__(self, model: Decoder, first: int, last: int, weights: list[int], inputs: list[int]) -> None:
        self.model, self.first, self.last, self.inputs = model, first, last, inputs
        self.tensors: dict[Name, Matrix] = {}
        at = 0
        for name, (rows, columns) in list_shapes(model, first, last).items():
            self.tensors[name] = fold(weights[at:at + rows * columns], columns)
            at += rows * columns
        assert at == len(weights)
        views = {name: view(matrix) for name, matrix in self.tensors.items() if name[0] != "positions"}
        h = self.embed(inputs) if first == 0 else fold(inputs, model.width)
        self.blocks: list[Block] = []
        for layer in range(first, last):
            self.blocks.append(Block(model, layer, views, h))
            h = self.blocks[-1].h
        self.h = h
        if last == model.layers:
            self.norm = Norm(h)
            self.head = turn(views["embed", 0]) if model.tied else views["head", 0]

    def embed(self, tokens: list[int]) -> Matrix:
        found = []
        for n, token in enumerate(tokens):
            row = self.tensors["embed", 0][token]
            if self.model.positions == "learned":
                row = [a + b for a, b in zip(row, self.tensors["positions", 0][n % self.model.context])]
            found.append([clip(rs(v, 8), 2**23 - 1) for v in row])
        return found

    def slope(self, after: list[int], seed: bytes, step: int) -> tuple[dict[Name, Matrix], Matrix]:
        """(gradients by tensor, dh before block first); `after` are targets or the slope behind the last block."""
        gradients: dict[Name, Matrix] = {}
        dh = fold(after, self.model.width)
        if self.last == self.model.layers:
            dh = self.leave_head(after, seed, step, gradients)
        for block in reversed(self.blocks):
            dh = block.slope(dh, seed, step, gradients)
        if self.first == 0:
            self.leave_embedding(dh, gradients)
        return {name: gradients[name] for name in self.tensors}, dh

    def leave_head(self, targets: list[int], seed: bytes, step: int, gradients: dict[Name, Matrix]) -> Matrix:
        z, fz = multiply(self.norm.y, self.head)
        g = cross_entropy(z, fz, targets)
        b = 15 if "head" in self.model.wide else 7
        e = drawn((g, 20), keys("gradient", seed, step, 8 * self.model.layers), b)
        if self.model.tied:
            sums, f = multiply(turn(e), self.norm.y)
            gradients["embed", 0] = scaled(sums, f - 24)
        else:
            sums, f = multiply(turn(self.norm.y), e)
            gradients["head", 0] = scaled(sums, f - 24)
        return self.norm.leave(multiply(e, turn(self.head)), [[0] * self.model.width for _ in targets])

    def leave_embedding(self, dh: Matrix, gradients: dict[Name, Matrix]) -> None:
        def gather(rows: int, places: list[int]) -> Matrix:
            sums = [[0] * self.model.width for _ in range(rows)]
            for place, row in zip(places, dh, strict=True):
                sums[place] = [within(a + b, 2**46) for a, b in zip(sums[place], row)]
            return scaled(sums, -4)

        found = gather(self.model.vocab, self.inputs)
        if ("embed", 0) in gradients:
            found = [[a + b for a, b in zip(*pair)] for pair in zip(found, gradients["embed", 0])]
        gradients["embed", 0] = found
        if self.model.positions == "learned":
            places = [n % self.model.context for n in range(len(dh))]
            gradients["positions", 0] = gather(self.model.context, places)


def gradient(model: Decoder, weights: list[int], rows: Matrix, seed: bytes, step: int) -> list[int]:
    """The flat gradient of one step over rows of T + 1 tokens."""
    tokens = [token for row in rows for token in row[:-1]]
    targets = [token for row in rows for token in row[1:]]
    gradients, _ = Stage(model, 0, model.layers, weights, tokens).slope(targets, seed, step)
    return [v for matrix in gradients.values() for row in matrix for v in row]


def pack(values: list[int], kind: str) -> bytes:
    return struct.pack(f"<{len(values)}{kind}", *values)
