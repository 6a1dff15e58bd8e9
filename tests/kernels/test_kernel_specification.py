"""The specification, implemented a second time from the text of kernels/README.md in plain Python integers.

Python's integers do not overflow; `fits` checks each result against the width the text promises.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from math import cos, isqrt, pi
from typing import Any

from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import gin1, mlp, samples, unit
from kernels.mlp import training
from kernels.optimiser import Adam, Lion, Optimiser, Sgd
from kernels.optimiser.schedule import Schedule
from kernels.unit.cases import new_policy

Matrix = list[list[int]]
Layer = tuple[Matrix, list[int]]


def fits(value: int, bits: int) -> int:
    assert -2**(bits - 1) <= value < 2**(bits - 1)
    return value


def clip(x: int, m: int) -> int:
    return min(max(x, -m), m)


def rs(x: int, s: int) -> int:
    return x if s == 0 else fits(x + 2**(s - 1), 64) >> s


def scale(x: int, s: int) -> int:
    if s >= 0:
        return rs(x, s)
    t = min(-s, 40)
    return clip(x, 2**40 >> t) << t


def operand_shift(values: list[int], f: int, b: int = 7) -> int:
    assert -24 <= f <= 48
    return min(max(0, max(abs(fits(v, 32)) for v in values).bit_length() - b, f - 24), f + 24)


def keys(domain: str, seed: bytes, step: int, site: int) -> tuple[int, ...]:
    text = b"gradus/gin1/" + domain.encode() + seed + struct.pack("<II", step, site)
    return struct.unpack("<II", hashlib.sha256(text).digest()[:8])


def mix(u: int) -> int:
    u ^= u >> 16
    u = u * 0x7FEB352D % 2**32
    u ^= u >> 15
    u = u * 0x846CA68B % 2**32
    return u ^ (u >> 16)


def word(i: int, k: tuple[int, ...]) -> int:
    return mix(mix(i ^ k[0]) ^ k[1])


def draw(values: list[int], s: int, k: tuple[int, ...], b: int = 7) -> list[int]:
    return [clip((v + (word(i, k) & (2**s - 1))) >> s, 2**b - 1) for i, v in enumerate(values)]


def fold(values: list[int], columns: int) -> Matrix:
    return [values[i:i + columns] for i in range(0, len(values), columns)]


def flatten(matrix: Matrix) -> list[int]:
    return [v for row in matrix for v in row]


def transpose(matrix: Matrix) -> Matrix:
    return [list(column) for column in zip(*matrix)]


def product(a: Matrix, b: Matrix, bits: int = 31) -> Matrix:
    return [[fits(sum(x * y for x, y in zip(row, column)), bits) for column in transpose(b)] for row in a]


def nearest(matrix: Matrix, f: int) -> tuple[Matrix, int]:
    s = operand_shift(flatten(matrix), f)
    return [[clip(rs(v, s), 127) for v in row] for row in matrix], f - s


def read_layers(widths: tuple[int, ...], flat: list[int]) -> list[Layer]:
    layers, at = [], 0
    for fan_in, fan_out in zip(widths, widths[1:]):
        middle, end = at + fan_in * fan_out, at + (fan_in + 1) * fan_out
        layers.append((fold(flat[at:middle], fan_out), flat[middle:end]))
        at = end
    return layers


def forward(layers: list[Layer], rows: Matrix) -> tuple[list[tuple[Matrix, int, Matrix, int]], Matrix, int]:
    kept, a, fa = [], rows, 6
    for index, (weights, biases) in enumerate(layers):
        w8, fw = nearest([[clip(w, 2**31 - 1) for w in row] for row in weights], 24)
        kept.append((a, fa, w8, fw))
        fz = fa + fw
        terms = [clip(scale(b, 24 - fz), 2**30) for b in biases]
        z = [[fits(v + t, 32) for v, t in zip(row, terms)] for row in product(a, w8)]
        if index < len(layers) - 1:
            a, fa = nearest([[max(v, 0) for v in row] for row in z], fz)
    return kept, z, fz


def answer(layers: list[Layer], row: list[int]) -> tuple[int, list[int]]:
    _, z, fz = forward(layers, [row])
    return z[0].index(max(z[0])), [clip(scale(v, fz - 16), 2**31 - 1) for v in z[0]]


def power_table() -> list[int]:
    table = []
    for f in range(1024):
        x = 2**(17 * 1024 - f)
        for _ in range(10):
            x = isqrt(x)
        table.append((x + 1) >> 1)
    return table


TABLE = power_table()


def slope(z: Matrix, fz: int, labels: list[int]) -> Matrix:
    out = []
    for row, label in zip(z, labels):
        grown = []
        for v in row:
            t = fits((max(row) - v) * 23637, 64)
            p = min(scale(t, fz + 4), 32767)
            grown.append(TABLE[p & 1023] >> (p >> 10))
        g = [rs(e * (2**40 // sum(grown)), 20) for e in grown]
        g[label] -= 2**20
        out.append([fits(v, 22) for v in g])
    return out


def differences(z: Matrix, fz: int, targets: Matrix) -> Matrix:
    return [[clip(scale(v, fz - 20) - (y << 4), 2**30 - 1) for v, y in zip(*pair)] for pair in zip(z, targets)]


def gradient(model: unit.Mlp, layers: list[Layer], rows: Matrix, targets: list[Any], seed: bytes, h: int) -> list[int]:
    kept, z, fz = forward(layers, rows)
    g, fg = slope(z, fz, targets) if model.task == "classifier" else differences(z, fz, targets), 20
    flat: list[int] = []
    for index in reversed(range(len(layers))):
        a, fa, w8, fw = kept[index]
        b, bits = (15, 39) if index in model.wide else (7, 31)
        s = operand_shift(flatten(g), fg, b)
        e, fe = fold(draw(flatten(g), s, keys("gradient", seed, h, index), b), len(g[0])), fg - s
        of_weights = [scale(v, fa + fe - 24) for v in flatten(product(transpose(a), e, bits))]
        of_biases = [scale(sum(column), fe - 24) for column in transpose(e)]
        flat = of_weights + of_biases + flat
        if index > 0:
            back = product(e, transpose(w8), bits)
            g = [[clip(v, 2**31 - 1) if x > 0 else 0 for v, x in zip(*pair)] for pair in zip(back, a)]
            fg = fe + fw
    return flat


def learning_rate(schedule: Schedule, peak: int, first_step: int, h: int) -> int:
    t, low = first_step + h, (peak * schedule.final_q16) >> 16
    d = schedule.total_steps - schedule.warmup_steps
    x = min(t - schedule.warmup_steps, d)
    if t < schedule.warmup_steps:
        r = peak * (t + 1) // schedule.warmup_steps
    elif schedule.kind == "constant":
        r = peak
    elif schedule.kind == "linear":
        r = low + (peak - low) * (d - x) // d
    else:
        r = low + (((peak - low) * (16384 + round(2**14 * cos(2 * pi * (2048 * x // d) / 4096)))) >> 15)
    return r * (h + 1) // schedule.unit_warmup_steps if h < schedule.unit_warmup_steps else r


def sign(x: int) -> int:
    return (x > 0) - (x < 0)


class Parameter:
    """One parameter with the state of its optimiser."""

    def __init__(self, w: int) -> None:
        self.w, self.m, self.v = w, 0, 0

    def step(self, optimiser: Optimiser, r: int, n: int, bc: int, g: int) -> None:
        fits(g, 42)
        if isinstance(optimiser, Sgd):
            b = (n - 1).bit_length()
            self.m = clip(rs(fits(self.m * optimiser.momentum_q16, 64), 16) + g, 2**40)
            d = rs(fits(self.m * ((r << b) // n), 64), 16 + b)
        elif isinstance(optimiser, Adam):
            self.m = clip(self.m + rs(fits((g - self.m) * (65536 - optimiser.beta1_q16), 64), 16), 2**40)
            c = clip(rs(g, 8), 2**30 - 1)
            self.v = self.v + rs(c * c - self.v, optimiser.beta2_shift)
            assert 0 <= self.v <= (2**30 - 1)**2
            q = sign(self.m) * min((abs(self.m) << 8) // (isqrt(self.v) + 1), 2**20)
            d = rs(fits(rs(fits(q * bc, 64), 16) * r, 64), 16)
        else:
            u = fits(self.m * optimiser.beta1_q16 + g * (65536 - optimiser.beta1_q16), 64)
            d = r * sign(u)
            self.m = clip(self.m + rs(fits((g - self.m) * (65536 - optimiser.beta2_q16), 64), 16), 2**40)
        self.w = clip(self.w - d, 2**31 - 1)


def compute_unit(
    policy: unit.UnitPolicy, weights: list[int], rows: Matrix, targets: list[Any], seed: bytes, first_step: int = 0
) -> bytes:
    optimiser, n, b1, b2, bc = policy.optimiser, policy.batch_rows, 2**30, 2**30, 0
    peak = optimiser.learning_rate_q16 if isinstance(optimiser, Sgd) else optimiser.learning_rate_q24
    state, trace = [Parameter(w) for w in weights], []
    for h in range(policy.local_steps):
        part = slice(h * n, (h + 1) * n)
        layers = read_layers(policy.model.widths, [p.w for p in state])
        found = gradient(policy.model, layers, rows[part], targets[part], seed, h)
        if isinstance(optimiser, Adam):
            b1, b2 = (b1 * optimiser.beta1_q16) >> 16, b2 - (b2 >> optimiser.beta2_shift)
            bc = (isqrt((2**30 - b2) << 30) << 16) // (2**30 - b1)
        for parameter, g in zip(state, found):
            parameter.step(optimiser, learning_rate(policy.schedule, peak, first_step, h), n, bc, g)
        if (h + 1) % policy.trace_every == 0 or h + 1 == policy.local_steps:
            whole = struct.pack(f"<{len(state)}i", *(p.w for p in state))
            whole += struct.pack(f"<{len(state)}q", *(p.m for p in state))
            if isinstance(optimiser, Adam):
                whole += struct.pack(f"<{len(state)}q", *(p.v for p in state))
            trace.append(chunk_root(whole))
    local = [p.w for p in state]
    delta = [after - before for after, before in zip(local, weights)]
    return encode(delta, seed) + b"".join(trace) + tree([hashlib.sha256(b"\x00" + digest).digest() for digest in trace])


def tree(leaves: list[bytes], hash_of: Callable[[bytes], Any] = hashlib.sha256) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    left = max(2**k for k in range(20) if 2**k < len(leaves))
    return bytes(hash_of(b"\x01" + tree(leaves[:left], hash_of) + tree(leaves[left:], hash_of)).digest())


def chunk_root(data: bytes) -> bytes:
    leaves = [blake3(b"\x00" + data[at:at + 65536]).digest() for at in range(0, len(data), 65536)]
    return bytes(blake3(b"\x02" + struct.pack("<QI", len(data), 65536) + tree(leaves, blake3)).digest())


def encode(delta: list[int], key: bytes) -> bytes:
    k, exponents, values = keys("payload", key, 0, 0), [], []
    for start in range(0, len(delta), 256):
        block = delta[start:start + 256]
        s = max(0, max(abs(d) for d in block).bit_length() - 7)
        exponents.append(s)
        values += [clip((d + (word(start + i, k) & (2**s - 1))) >> s, 127) for i, d in enumerate(block)]
    return bytes(exponents) + struct.pack(f"<{len(values)}b", *values)


@settings(deadline=None, max_examples=60)
@given(widths=st.lists(st.integers(1, 9), min_size=2, max_size=5).map(tuple), steps=st.integers(1, 5),
       rows=st.integers(1, 6), bits=st.integers(1, 31), rate=st.integers(0, 2**20), decay=st.integers(0, 65535),
       label=st.text("abc", max_size=5))
def test_unit_is_what_the_text_says(
    widths: tuple[int, ...], steps: int, rows: int, bits: int, rate: int, decay: int, label: str
) -> None:
    policy = new_policy(widths, steps, rows, rate, decay, min(2, steps))
    assert_unit_follows_the_text(policy, samples.sample_ints(label, mlp.param_count(widths), 4, bits), label)


def test_saturated_unit_is_what_the_text_says() -> None:
    """Largest weights, deep: exponents of activations and slopes stop at -24."""
    widths = (9, 12, 12, 12, 12, 12, 12, 3)
    weights = samples.sample_signs("deep", mlp.param_count(widths))
    assert_unit_follows_the_text(new_policy(widths, 2, 3, 6554, 58982, 1), weights, "deep")
    layers = read_layers(widths, list(struct.unpack(f"<{len(weights) // 4}i", weights)))
    kept, _, _ = forward(layers, [[127] * 9, [-127] * 9])
    assert kept[-1][1] == -24
    assert mlp.logits(widths, weights, b"\x7f" * 9, 1)[0] == struct.pack("<3i", *answer(layers, [127] * 9)[1])


def assert_unit_follows_the_text(
    policy: unit.UnitPolicy, weights: bytes, label: str, first_step: int = 0, targets: bytes | None = None
) -> None:
    model, count, seed = policy.model, policy.local_steps * policy.batch_rows, samples.sample(label, 32)
    assert isinstance(model, unit.Mlp)
    features, drawn = training.draw_examples(model, label, count)
    drawn = drawn if targets is None else targets
    result = unit.run_unit(policy, weights, features, drawn, seed, first_step)
    wanted: list[Any] = list(struct.unpack(f"<{count}H", drawn)) if model.task == "classifier" else fold(
        list(struct.unpack(f"<{len(drawn) // 4}i", drawn)), model.widths[-1])
    expected = compute_unit(
        policy, list(struct.unpack(f"<{len(weights) // 4}i", weights)),
        fold(list(struct.unpack(f"<{len(features)}b", features)), model.widths[0]), wanted, seed, first_step,
    )
    assert result.payload + b"".join(result.trace) + result.trace_root == expected


optimisers = st.one_of(
    st.builds(Sgd, st.integers(0, 2**20), st.integers(0, 65535)),
    st.builds(Adam, st.integers(0, 2**24), st.integers(0, 65000), st.integers(4, 12)),
    st.builds(Lion, st.integers(0, 2**24), st.integers(0, 65535), st.integers(0, 65535)),
)
schedules = st.builds(
    lambda kind, warmup, falling, final, unit_warmup: Schedule(kind, warmup, warmup + falling, final, unit_warmup),
    st.sampled_from(["constant", "linear", "cosine"]), st.integers(0, 5), st.integers(1, 9), st.integers(0, 65536),
    st.integers(0, 3))


@settings(deadline=None, max_examples=150)
@given(widths=st.lists(st.integers(1, 7), min_size=2, max_size=4).map(tuple), wide=st.integers(0, 7),
       task=st.sampled_from(["classifier", "regressor"]), optimiser=optimisers, schedule=schedules,
       shape=st.tuples(st.integers(1, 5), st.integers(1, 5)), bits=st.integers(1, 31), first_step=st.integers(0, 12),
       label=st.text("abc", max_size=3))
def test_unit_of_any_task_optimiser_and_schedule_is_what_the_text_says(
    widths: tuple[int, ...], wide: int, task: str, optimiser: Optimiser, schedule: Schedule, shape: tuple[int, int],
    bits: int, first_step: int, label: str
) -> None:
    model = unit.Mlp(widths, task, tuple(layer for layer in range(len(widths) - 1) if wide >> layer & 1))
    policy = unit.UnitPolicy(model, optimiser, schedule, *shape, min(2, shape[0]), "int8/256")
    weights = samples.sample_ints(label, unit.param_count(model), 4, bits)
    assert_unit_follows_the_text(policy, weights, label, first_step)


@settings(deadline=None, max_examples=40)
@given(optimiser=optimisers, steps=st.integers(1, 6), every=st.integers(1, 6), feedback=st.sampled_from([0, 65536]),
       label=st.text("abc", max_size=3))
def test_witness_is_the_state_after_its_step_and_changes_nothing_else(
    optimiser: Optimiser, steps: int, every: int, feedback: int, label: str
) -> None:
    policy = unit.UnitPolicy(
        unit.Mlp((5, 4, 3)), optimiser, Schedule(), steps, 2, min(every, steps), "int8/256", feedback)
    weights = samples.sample_ints(label, unit.param_count(policy.model), 4, 24)
    arguments = weights, *training.draw_examples(policy.model, label, 2 * steps), samples.SEED
    states = unit.run_unit(replace(policy, trace_every=1, feedback_q16=0), *arguments).trace
    plain = unit.run_unit(policy, *arguments)
    assert len(states) == steps and plain.witness == b""
    for step, state in enumerate(states, 1):
        assert unit.run_unit(policy, *arguments, witness_step=step) == replace(plain, witness=state)


def test_clip_of_wide_slopes_is_what_the_text_says() -> None:
    """600 outputs with equal slopes of 15 bits and weights of 7: sums beyond 2**31, and gradients below 2**40."""
    model = unit.Mlp((2, 1, 600), "regressor", (0, 1))
    policy = unit.UnitPolicy(model, Lion(2**24, 0, 0), Schedule(), 1, 2, 1, "int8/256")
    weights, targets = samples.pack([127 << 13], 4) * unit.param_count(model), samples.pack([2**20], 4) * 1200
    assert_unit_follows_the_text(policy, weights, "wide", targets=targets)


@settings(deadline=None, max_examples=60)
@given(widths=st.lists(st.integers(1, 9), min_size=2, max_size=8).map(tuple), bits=st.integers(1, 31),
       label=st.text("abc", max_size=5))
def test_answers_are_what_the_text_says(widths: tuple[int, ...], bits: int, label: str) -> None:
    count = mlp.param_count(widths)
    weights, features = samples.sample_ints(label, count, 4, bits), samples.sample_features(label, 3 * widths[0])
    layers = read_layers(widths, list(struct.unpack(f"<{count}i", weights)))
    labels, scores = [], []
    for row in fold(list(struct.unpack(f"<{len(features)}b", features)), widths[0]):
        label_of_row, scores_of_row = answer(layers, row)
        labels.append(label_of_row)
        scores += scores_of_row
    assert mlp.predict(widths, weights, features, 3) == struct.pack("<3H", *labels)
    assert mlp.logits(widths, weights, features, 3) == (struct.pack(f"<{len(scores)}i", *scores), 16)


def test_initial_weights_are_what_the_text_says() -> None:
    widths, seed, expected = (7, 5, 3), samples.SEED, b""
    for index, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
        k0, k1 = keys("init", seed, 0, index)
        for i in range(fan_in * fan_out):
            parts = []
            for j in range(3 * i, 3 * i + 3):
                z = (k1 * 2**32 + k0 + (j + 1) * 0x9E3779B97F4A7C15) % 2**64
                z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
                z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
                parts += struct.unpack("<4H", (z ^ (z >> 31)).to_bytes(8, "little"))
            t = sum(parts) - 12 * 32768 + 6
            expected += rs(t * isqrt((2 << 48) // fan_in), 16).to_bytes(4, "little", signed=True)
        expected += bytes(4 * fan_out)
    assert mlp.init_weights(widths, seed) == expected


def test_power_table_is_the_one_whose_hash_stands_in_the_text() -> None:
    assert list(gin1.power_table()) == TABLE == [round(2**(16 - f / 1024)) for f in range(1024)]
    digest = hashlib.sha256(struct.pack("<1024I", *TABLE)).hexdigest()
    assert digest == "47c3fa45e218908d4d9b3aa74428ae993cd27ea3b8059c273ed1c6f12eb4ed81"


def test_logits_survive_the_largest_and_smallest_of_everything() -> None:
    """Wide enough for the bounds of section 12 to be touched: 65536 products of 127 * 127, and biases at the end."""
    widths = (65536, 1, 2)
    for weight in (2**31 - 1, -2**31):
        weights = samples.pack([weight], 4) * mlp.param_count(widths)
        for feature in (127, -127):
            rows = samples.pack([feature], 1) * 65536
            layers = read_layers(widths, [weight] * mlp.param_count(widths))
            expected = struct.pack("<2i", *answer(layers, [feature] * 65536)[1])
            assert mlp.logits(widths, weights, rows, 1)[0] == expected
