"""Rules of gin1 that all models share, written a second time from the text of kernels/README.md in plain integers.

Sections 3 and 4, the losses, optimisers, schedules, trace and payload of a unit (7, 8) and the chunk tree (11).
Python's integers do not overflow; `within` checks each quantity against the bound that the text promises.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from math import isqrt
from typing import Any

from blake3 import blake3

from kernels.unit import Adam, Lion, Schedule, Sgd, UnitPolicy

Matrix = list[list[int]]
Values = tuple[Matrix, int]
Keys = tuple[int, int]


def within(value: int, bound: int) -> int:
    assert -bound <= value <= bound, (value, bound)
    return value


def clip(x: int, m: int) -> int:
    return min(max(x, -m), m)


def rs(x: int, s: int) -> int:
    assert s >= 0
    return x if s == 0 else within(x + 2**(s - 1), 2**63 - 1) >> s


def scale(x: int, s: int) -> int:
    if s >= 0:
        return rs(x, s)
    t = min(-s, 40)
    return clip(x, 2**40 >> t) << t


def bits(m: int) -> int:
    assert m >= 0
    return m.bit_length()


def sign(x: int) -> int:
    return (x > 0) - (x < 0)


def rdiv(t: int, d: int) -> int:
    return sign(t) * ((2 * abs(t) + d) // (2 * d))


def keys(domain: str, seed: bytes, step: int, site: int) -> Keys:
    text = b"gradus/gin1/" + domain.encode("ascii") + seed + step.to_bytes(4, "little") + site.to_bytes(4, "little")
    digest = hashlib.sha256(text).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")


def mix(u: int) -> int:
    u ^= u >> 16
    u = u * 0x7FEB352D % 2**32
    u ^= u >> 15
    u = u * 0x846CA68B % 2**32
    return u ^ (u >> 16)


def word(i: int, k: Keys) -> int:
    assert 0 <= i < 2**32
    return mix(mix(i ^ k[0]) ^ k[1])


def splitmix(state: int, j: int) -> int:
    z = (state + (j + 1) * 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def draw_initial(seed: bytes, number: int, count: int, deviation: int) -> list[int]:
    k0, k1 = keys("init", seed, 0, number)
    found = []
    for i in range(count):
        drawn = b"".join(splitmix(k1 * 2**32 + k0, j).to_bytes(8, "little") for j in (3 * i, 3 * i + 1, 3 * i + 2))
        t = within(sum(struct.unpack("<12H", drawn)) - 12 * 32768 + 6, 393210)
        found.append(rs(within(t * deviation, 2**44), 16))
    return found


def largest(matrix: Matrix) -> int:
    return max((abs(v) for row in matrix for v in row), default=0)


def transpose(matrix: Matrix) -> Matrix:
    return [list(column) for column in zip(*matrix)]


def product(a: Matrix, b: Matrix, bound: int) -> Matrix:
    """a @ transpose(b); no operand is -128."""
    return [[within(sum(x * y for x, y in zip(row, column, strict=True)), bound) for column in b] for row in a]


def scaled(matrix: Matrix, s: int) -> Matrix:
    return [[scale(v, s) for v in row] for row in matrix]


def fold(values: list[int], columns: int) -> Matrix:
    return [values[i:i + columns] for i in range(0, len(values), columns)]


def flatten(matrix: Matrix) -> list[int]:
    return [v for row in matrix for v in row]


def draw(matrix: Matrix, s: int, k: Keys, b: int, first: int = 0) -> Matrix:
    columns = len(matrix[0])
    return [[clip((v + (word(first + i * columns + j, k) & (2**s - 1))) >> s, 2**b - 1) for j, v in enumerate(row)]
            for i, row in enumerate(matrix)]


def power_table() -> list[int]:
    table = []
    for f in range(1024):
        x = 2**(17 * 1024 - f)
        for _ in range(10):
            x = isqrt(x)
        table.append((x + 1) >> 1)
    return table


TABLE = power_table()


def cross_entropy(z: Matrix, fz: int, labels: list[int]) -> Matrix:
    slopes = []
    for row, label in zip(z, labels, strict=True):
        places = [min(scale(within((max(row) - v) * 23637, 2**52), fz + 4), 32767) for v in row]
        e = [TABLE[p & 1023] >> (p >> 10) for p in places]
        g = [rs(within(v * (2**40 // sum(e)), 2**40), 20) for v in e]
        g[label] -= 2**20
        slopes.append([within(v, 2**20) for v in g])
    return slopes


def half_square(z: Matrix, fz: int, targets: Matrix) -> Matrix:
    return [[clip(within(scale(v, fz - 20) - (y << 4), 2**40 + 2**30), 2**30 - 1)
             for v, y in zip(*pair, strict=True)] for pair in zip(z, targets, strict=True)]


def quarter_turns() -> list[int]:
    """cos(2*pi*i / 4096) at exponent 128, i = 0..1024."""
    one = 2**128
    cosine, sine, angles = 0, one, [(0, one)]
    for _ in range(10):
        cosine, sine = isqrt((one + cosine) * one // 2), isqrt((one - cosine) * one // 2)
        angles.append((cosine, sine))
    angles.reverse()
    found = []
    for i in range(1025):
        c, s = one, 0
        for b in range(11):
            if i >> b & 1:
                c, s = (c * angles[b][0] - s * angles[b][1]) // one, (c * angles[b][1] + s * angles[b][0]) // one
        found.append(c)
    return found


def cosine_table() -> list[int]:
    quarter = [(c + 2**113) >> 114 for c in quarter_turns()]
    half = quarter + [-c for c in reversed(quarter[:-1])]
    return half + half[2047:0:-1]


COSINE = cosine_table()


def learning_rate(schedule: Schedule, peak: int, first_step: int, h: int) -> int:
    t = first_step + h
    low = (peak * schedule.final_q16) >> 16
    span = schedule.total_steps - schedule.warmup_steps
    x = min(t - schedule.warmup_steps, span)
    if t < schedule.warmup_steps:
        r = (peak * (t + 1)) // schedule.warmup_steps
    elif schedule.kind == "constant":
        r = peak
    elif schedule.kind == "linear":
        r = low + ((peak - low) * (span - x)) // span
    else:
        r = low + (((peak - low) * (16384 + COSINE[(2048 * x) // span])) >> 15)
    if h < schedule.unit_warmup_steps:
        r = (r * (h + 1)) // schedule.unit_warmup_steps
    return r


class State:
    """Weights and the optimiser's state of a unit."""

    def __init__(self, optimiser: Sgd | Adam | Lion, weights: list[int]) -> None:
        self.optimiser, self.b1, self.b2 = optimiser, 2**30, 2**30
        self.w, self.m, self.v = list(weights), [0] * len(weights), [0] * len(weights)

    def step(self, r: int, n: int, gradient: list[int]) -> None:
        if isinstance(self.optimiser, Sgd):
            self.step_sgd(r, n, gradient)
        elif isinstance(self.optimiser, Adam):
            self.step_adam(r, gradient)
        else:
            self.step_lion(r, gradient)

    def move(self, i: int, d: int) -> None:
        self.w[i] = clip(self.w[i] - d, 2**31 - 1)

    def step_sgd(self, r: int, n: int, gradient: list[int]) -> None:
        b = bits(n - 1)
        rate = within((r << b) // n, 2**21)
        for i, g in enumerate(gradient):
            self.m[i] = clip(rs(self.m[i] * self.optimiser.momentum_q16, 16) + within(g, 2**41), 2**40)
            self.move(i, rs(self.m[i] * rate, 16 + b))

    def step_adam(self, r: int, gradient: list[int]) -> None:
        beta1, shift = self.optimiser.beta1_q16, self.optimiser.beta2_shift
        self.b1 = (self.b1 * beta1) >> 16
        self.b2 = self.b2 - (self.b2 >> shift)
        bc = within((isqrt((2**30 - self.b2) << 30) << 16) // (2**30 - self.b1), 2**23)
        for i, g in enumerate(gradient):
            self.m[i] = clip(self.m[i] + rs((within(g, 2**41) - self.m[i]) * (65536 - beta1), 16), 2**40)
            c = clip(rs(g, 8), 2**30 - 1)
            self.v[i] = self.v[i] + rs(c * c - self.v[i], shift)
            assert 0 <= self.v[i] <= (2**30 - 1)**2
            q = sign(self.m[i]) * min((abs(self.m[i]) << 8) // (isqrt(self.v[i]) + 1), 2**20)
            self.move(i, rs(rs(q * bc, 16) * r, 16))

    def step_lion(self, r: int, gradient: list[int]) -> None:
        beta1, beta2 = self.optimiser.beta1_q16, self.optimiser.beta2_q16
        for i, g in enumerate(gradient):
            u = within(self.m[i] * beta1 + within(g, 2**41) * (65536 - beta1), 2**58)
            self.m[i] = clip(self.m[i] + rs((g - self.m[i]) * (65536 - beta2), 16), 2**40)
            self.move(i, r * sign(u))

    def digest(self) -> bytes:
        data = struct.pack(f"<{len(self.w)}i", *self.w) + struct.pack(f"<{len(self.m)}q", *self.m)
        if isinstance(self.optimiser, Adam):
            data += struct.pack(f"<{len(self.v)}q", *self.v)
        return chunk_root(data)


def compute_unit(
    policy: UnitPolicy, weights: list[int], seed: bytes, first_step: int, terms: int,
    gradient: Callable[[list[int], int], list[int]],
) -> tuple[bytes, bytes, bytes]:
    """(payload, trace joined, trace root); `gradient(weights, h)` is that of local step h."""
    peak = getattr(policy.optimiser, "learning_rate_q16" if isinstance(policy.optimiser, Sgd) else "learning_rate_q24")
    state, trace = State(policy.optimiser, weights), []
    for h in range(policy.local_steps):
        found = gradient(state.w, h)
        state.step(learning_rate(policy.schedule, peak, first_step, h), terms, found)
        if (h + 1) % policy.trace_every == 0 or h + 1 == policy.local_steps:
            trace.append(state.digest())
    delta = [after - before for after, before in zip(state.w, weights, strict=True)]
    leaves = [hashlib.sha256(b"\0" + digest).digest() for digest in trace]
    return encode(delta, seed), b"".join(trace), tree(leaves, hashlib.sha256)


def encode(delta: list[int], key: bytes) -> bytes:
    k, exponents, values = keys("payload", key, 0, 0), [], []
    for start in range(0, len(delta), 256):
        block = delta[start:start + 256]
        s = max(0, bits(within(largest([block]), 2**32 - 1)) - 7)
        exponents.append(s)
        values += draw([block], s, k, 7, start)[0]
    return bytes(exponents) + struct.pack(f"<{len(values)}b", *values)


def tree(nodes: list[bytes], hash_of: Callable[[bytes], Any]) -> bytes:
    if len(nodes) == 1:
        return nodes[0]
    left = 2**(bits(len(nodes) - 1) - 1)
    return bytes(hash_of(b"\1" + tree(nodes[:left], hash_of) + tree(nodes[left:], hash_of)).digest())


def chunk_root(data: bytes) -> bytes:
    leaves = [blake3(b"\0" + data[at:at + 65536]).digest() for at in range(0, max(1, len(data)), 65536)]
    header = len(data).to_bytes(8, "little") + (65536).to_bytes(4, "little")
    return bytes(blake3(b"\2" + header + tree(leaves, blake3)).digest())
