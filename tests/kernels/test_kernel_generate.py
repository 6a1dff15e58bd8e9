"""Inference: the same answer in any grouping of tokens, on every back end, and as the specification says."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterator
from math import isqrt
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels import circle, decoder, dispatch, generate, gin1, payload, unit
from kernels.decoder import Decoder
from kernels.errors import KernelInputError
from kernels.generate import rules
from kernels.samples import CODEC, SEED, pack, sample, sample_ints, sample_labels, sample_signs

POISON = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
SMALL = Decoder(vocab=11, context=16, width=16, heads=2, hidden=12, layers=2)
FACTORS = {8: 8357, 16: 5909, 32: 4178, 64: 2955, 128: 2089, 256: 1477}
Matrix = list[list[int]]


@pytest.fixture(autouse=True)
def on_cpu() -> Iterator[None]:
    """Tests that name no back end run on this one, without a self-test."""
    with dispatch.forced("cpu"):
        yield


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


def shift(m: int, f: int, b: int = 7) -> int:
    return max(0, m.bit_length() - b, f - 24)


def quantise(row: list[int], f: int) -> tuple[list[int], int]:
    s = shift(max(map(abs, row)), f)
    return [clip(rs(x, s), 127) for x in row], f - s


def product(row: list[int], columns: Matrix) -> list[int]:
    return [fits(sum(x * w for x, w in zip(row, column)), 31) for column in columns]


class Text:
    """Sections 1 to 4 of kernels/generate/README.md in Python's integers."""

    def __init__(self, model: Decoder, flat: list[int]) -> None:
        self.model, d = model, model.width
        at = 0

        def take(rows: int, columns: int) -> Matrix:
            nonlocal at
            matrix = [flat[at + i * columns:at + (i + 1) * columns] for i in range(rows)]
            at += rows * columns
            return matrix

        self.embed = take(model.vocab, d)
        self.places = take(model.context, d) if model.positions == "learned" else None
        shapes = ((d, 3 * d), (d, d), (d, model.hidden), (model.hidden, d))
        self.layers = [[self.view(take(*shape)) for shape in shapes] for _ in range(model.layers)]
        self.head = self.view([list(column) for column in zip(*self.embed)] if model.tied else take(d, model.vocab))
        self.cache: list[list[tuple[list[int], list[int]]]] = [[] for _ in range(model.layers)]

    @staticmethod
    def view(matrix: Matrix) -> tuple[Matrix, int]:
        """Columns of operands, and their exponent."""
        s = shift(min(max(abs(w) for row in matrix for w in row), 2**31 - 1), 24)
        rows = [[clip(rs(clip(w, 2**31 - 1), s), 127) for w in row] for row in matrix]
        return [list(column) for column in zip(*rows)], 24 - s

    def read(self, x: int) -> list[int]:
        d, t = self.model.width, len(self.cache[0])
        place = self.places[t] if self.places is not None else [0] * d
        h = [clip(rs(e + p, 8), 2**23 - 1) for e, p in zip(self.embed[x], place)]
        for cached, (qkv, out, up, down) in zip(self.cache, self.layers):
            z = product(self.norm(h), qkv[0])
            parts = [z[:d], z[d:2 * d], z[2 * d:]]
            if self.model.positions == "rotary":
                parts[:2] = [self.turn(part, t) for part in parts[:2]]
            q, k, v = ([clip(scale(y, 5 + qkv[1] - 8), 32767) for y in part] for part in parts)
            cached.append((k, v))
            o, fo = quantise(self.attend(q, cached), 16)
            h = [clip(y + scale(z, fo + out[1] - 16), 2**23 - 1) for y, z in zip(h, product(o, out[0]))]
            z, fz = product(self.norm(h), up[0]), 5 + up[1]
            s = shift(max(0, *z), fz, 15)
            u, fu = [min(rs(max(y, 0), s), 32767) for y in z], fz - s
            s = shift(max(u)**2, 2 * fu, 8)
            a, fa = [min(rs(y * y, s), 127) for y in u], 2 * fu - s
            h = [clip(y + scale(z, fa + down[1] - 16), 2**23 - 1) for y, z in zip(h, product(a, down[0]))]
        return [clip(scale(z, 5 + self.head[1] - 16), 2**31 - 1) for z in product(self.norm(h), self.head[0])]

    def norm(self, h: list[int]) -> list[int]:
        r = 2**32 // isqrt(sum(x * x for x in h) // len(h) + 42950)
        return [clip(rs(rs(fits(x * r, 64), 20), 7), 127) for x in h]

    def turn(self, part: list[int], t: int) -> list[int]:
        half = self.model.head_dim // 2
        turned, table = list(part), circle.cosine_table()
        for start in range(0, len(part), 2 * half):
            for j in range(half):
                phase = (t * circle.rotary_frequencies(2 * half)[j]) % 2**32
                c, s = table[phase >> 20], table[((phase >> 20) - 1024) & 4095]
                x, y = part[start + j], part[start + half + j]
                turned[start + j], turned[start + half + j] = rs(x * c - y * s, 14), rs(x * s + y * c, 14)
        return [fits(x, 32) for x in turned]

    def attend(self, q: list[int], cached: list[tuple[list[int], list[int]]]) -> list[int]:
        mixed, size = [], self.model.head_dim
        for start in range(0, len(q), size):
            part = slice(start, start + size)
            u = [rs(sum(x * y for x, y in zip(q[part], k[part])) * FACTORS[size], 20) for k, _ in cached]
            weights = []
            for one in u:
                p = min(max(u) - one, 16383)
                f = p & 1023
                weights.append(min(rs((65536 - ((f * (43008 - 10 * f)) >> 10)) >> (p >> 10), 9), 127))
            r = 2**30 // sum(weights)
            columns = zip(*(v[part] for _, v in cached))
            mixed += [fits(rs(sum(e * v for e, v in zip(weights, column)) * r, 22), 32) for column in columns]
        return mixed


def powers(below: list[int], more: int = 0) -> list[int]:
    table = gin1.power_table()
    found = []
    for t in below:
        p = min(rs(fits(t * 23637, 64), 20), 32767)
        found.append((table[p & 1023] << more) >> (p >> 10))
    return found


def draw(logits: list[int], position: int, tau: int, top_k: int) -> int:
    if tau == 0:
        return logits.index(max(logits))
    e = powers([min(((max(logits) - y) << 16) // tau, 2**47) for y in logits])
    if top_k:
        kept = sorted(range(len(logits)), key=lambda i: (-logits[i], i))[:top_k]
        e = [weight if i in kept else 0 for i, weight in enumerate(e)]
    digest = hashlib.sha256(b"gradus/gin1/sample" + SEED + struct.pack("<I", position)).digest()
    x = int.from_bytes(digest[:8], "little")
    target, total = (x * sum(e)) >> 64, 0
    for i, weight in enumerate(e):
        total += weight
        if total > target:
            return i
    raise AssertionError


def loss(logits: list[int], target: int) -> int:
    total = sum(powers([max(logits) - y for y in logits], 24))
    n = total.bit_length() - 1
    m = total << (31 - n) if n <= 31 else total >> (n - 31)
    for _ in range(16):
        m = (m * m) >> 31
        b = m >> 32
        m, n = m >> b, 2 * n + b
    return max(logits) - logits[target] + rs((n - 40 * 65536) * 45426, 16)


def tree(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    left = max(2**k for k in range(20) if 2**k < len(leaves))
    return hashlib.sha256(b"\x01" + tree(leaves[:left]) + tree(leaves[left:])).digest()


def unpack(data: bytes, kind: str = "H") -> list[int]:
    return list(struct.unpack(f"<{len(data) // struct.calcsize(kind)}{kind}", data))


@st.composite
def models(draw: st.DrawFn) -> tuple[Decoder, bytes]:
    heads, head_dim = draw(st.integers(1, 3)), draw(st.sampled_from((8, 16)))
    model = Decoder(
        vocab=draw(st.integers(2, 20)), context=draw(st.integers(1, 20)), width=heads * head_dim, heads=heads,
        hidden=draw(st.integers(1, 20)), layers=draw(st.integers(1, 3)),
        positions=draw(st.sampled_from(("learned", "rotary"))), tied=draw(st.booleans()),
    )
    label, count = draw(st.text("abc", max_size=4)), decoder.param_count(model)
    bits = draw(st.integers(1, 32))
    return model, sample_signs(label, count) if bits == 32 else sample_ints(label, count, 4, bits)


@POISON
@given(drawn=models(), label=st.text("abc", max_size=4), data=st.data())
def test_logits_are_the_same_in_any_grouping_on_every_backend_and_in_the_text(
    poisoned: None, drawn: tuple[Decoder, bytes], label: str, data: st.DataObject
) -> None:
    model, weights = drawn
    tokens = sample_labels(label, model.context, model.vocab)
    text = Text(model, unpack(weights, "i"))
    expected = b"".join(pack(text.read(token), 4) for token in unpack(tokens))
    cuts = sorted(data.draw(st.lists(st.integers(0, model.context), max_size=6)))
    groups = [tokens[2 * a:2 * b] for a, b in zip([0, *cuts], [*cuts, model.context]) if a < b]
    for backend in ("ref", "cpu"):
        with dispatch.forced(backend):
            assert generate.logits(model, weights, tokens) == (expected, 16)
            session = generate.Session(model, weights)
            assert b"".join(session.score(group) for group in groups) == expected
            session.rewind(0)
            size = 4 * model.vocab
            for place in range(model.context):
                assert session.feed(tokens[2 * place:2 * place + 2]) == expected[place * size:(place + 1) * size]


@POISON
@given(drawn=models(), label=st.text("abc", max_size=4), tau=st.integers(0, 2**20), top_k=st.integers(0, 25),
       stop=st.one_of(st.none(), st.integers(0, 1)))
def test_generated_text_and_its_commitment_are_what_the_text_says(
    poisoned: None, drawn: tuple[Decoder, bytes], label: str, tau: int, top_k: int, stop: int | None
) -> None:
    model, weights = drawn
    prompt = sample_labels(label, (model.context + 1) // 2, model.vocab)
    count = model.context + 1 - len(prompt) // 2
    text = Text(model, unpack(weights, "i"))
    for token in unpack(prompt):
        logits = text.read(token)
    answer, digests = b"", []
    for position in range(len(prompt) // 2, len(prompt) // 2 + count):
        token = draw(logits, position, tau, top_k)
        answer += struct.pack("<H", token)
        digests.append(blake3(b"gradus/gin1/token" + struct.pack("<IH", position, token) + pack(logits, 4)).digest())
        if token == stop or len(answer) == 2 * count:
            break
        logits = text.read(token)
    root = tree([hashlib.sha256(b"\x00" + digest).digest() for digest in digests])
    for backend in ("ref", "cpu"):
        with dispatch.forced(backend):
            found = generate.generate(model, weights, prompt, count, SEED, tau, top_k, stop)
            assert found == (answer, tuple(digests), root)


@POISON
@given(drawn=models(), label=st.text("abc", max_size=4), rows=st.integers(1, 3))
def test_losses_are_what_the_text_says(poisoned: None, drawn: tuple[Decoder, bytes], label: str, rows: int) -> None:
    model, weights = drawn
    length = max(2, model.context)
    tokens = sample_labels(label, rows * length, model.vocab)
    expected = []
    for row in range(rows):
        read, text = unpack(tokens)[row * length:(row + 1) * length], Text(model, unpack(weights, "i"))
        expected.append(sum(loss(text.read(token), follows) for token, follows in zip(read, read[1:])))
    for backend in ("ref", "cpu"):
        with dispatch.forced(backend):
            assert unpack(generate.losses(model, weights, tokens, rows), "q") == expected


@pytest.mark.parametrize("positions, tied", [("learned", True), ("rotary", False)])
@pytest.mark.parametrize("value", [None, 2**31 - 1, -2**31, 0])
def test_long_text_in_blocks_is_the_same_as_token_by_token(positions: str, tied: bool, value: int | None) -> None:
    """More than the rows of one block, than the first size of the cache, and than the terms of one int32 sum."""
    model = Decoder(vocab=70, context=300, width=16, heads=2, hidden=9, layers=2, positions=positions, tied=tied)
    count = decoder.param_count(model)
    weights = sample_ints("long", count, 4, 26) if value is None else pack([value], 4) * count
    tokens = sample_labels("long", model.context, model.vocab)
    with dispatch.forced("ref"):
        expected = generate.logits(model, weights, tokens)[0]
    with dispatch.forced("cpu"):
        assert generate.logits(model, weights, tokens)[0] == expected
        session = generate.Session(model, weights)
        assert session.score(tokens[:590]) + session.score(tokens[590:]) == expected
        session.rewind(0)
        assert b"".join(session.feed(tokens[2 * i:2 * i + 2]) for i in range(300)) == expected


@pytest.mark.parametrize("model", [
    Decoder(vocab=65536, context=2, width=8, heads=1, hidden=1, layers=1, positions="rotary", tied=True),
    Decoder(vocab=2, context=9, width=8, heads=1, hidden=65536, layers=1, positions="rotary"),
    Decoder(vocab=2, context=9, width=1024, heads=4, hidden=2, layers=1, tied=True),
], ids=["vocab", "hidden", "width"])
@pytest.mark.parametrize("value", [2**31 - 1, -2**31, None])
def test_widest_models_survive_the_largest_and_smallest_weights(model: Decoder, value: int | None) -> None:
    count = decoder.param_count(model)
    weights = sample_signs("ends", 1000) * (count // 1000 + 1) if value is None else pack([value], 4) * count
    tokens = sample_labels("ends", model.context, model.vocab)
    found = []
    for backend in ("ref", "cpu"):
        with dispatch.forced(backend):
            found.append(generate.logits(model, weights[:4 * count], tokens)[0])
    assert found[0] == found[1]


def test_scores_at_the_ends_of_the_cache_are_exact() -> None:
    """Keys and queries of 32767 in every column of the widest head: no sum may wrap."""
    import numpy as np

    from kernels.generate import loops

    for key in (32767, -32767):
        query = np.full((1, 256), 32767, dtype=np.int16)
        keys = np.full((1, 256, 1), key, dtype=np.int16)
        keys = np.concatenate([keys, np.full((1, 256, 700), -key, dtype=np.int16)], axis=2)
        values = np.full((1, 701, 256), 32767, dtype=np.int16)
        values[0, 1:, 5] = -32767
        mixed = np.zeros((1, 256), dtype=np.int32)
        loops.attend(query, np.ascontiguousarray(keys), values, 700, 1477, mixed)
        alone = key > 0
        weights = 127 if alone else 127 * 700
        expected = rs(weights * 32767 * (2**30 // weights), 22)
        assert (mixed[0, :5] == expected).all() and (mixed[0, 6:] == expected).all()
        assert mixed[0, 5] == (expected if alone else rs(-weights * 32767 * (2**30 // weights), 22))


WEIGHTS = bytes(4 * decoder.param_count(SMALL))
GOOD: dict[str, Any] = {"model": SMALL, "weights": WEIGHTS, "prompt": bytes(4), "count": 2, "seed": SEED}


@pytest.mark.parametrize("change", [
    {"model": None}, {"model": Decoder(2, 1, 9, 1, 1, 1)}, {"weights": WEIGHTS[1:]}, {"weights": None}, {"prompt": b""},
    {"prompt": bytes(3)}, {"prompt": bytes(34)}, {"prompt": b"\x0b\0"}, {"prompt": None}, {"count": 0}, {"count": 16},
    {"count": True}, {"seed": bytes(31)}, {"seed": None}, {"temperature_q16": -1}, {"temperature_q16": 2**20 + 1},
    {"temperature_q16": 0.5}, {"top_k": -1}, {"top_k": 65537}, {"stop": 11}, {"stop": -1}, {"stop": "."},
], ids=lambda change: f"{next(iter(change))}={str(next(iter(change.values())))[:20]}")
def test_generation_with_a_wrong_argument_is_refused(change: dict[str, Any], backend: str) -> None:
    assert len(generate.generate(**GOOD).tokens) == 4
    with pytest.raises(KernelInputError):
        generate.generate(**{**GOOD, **change})


@pytest.mark.parametrize("call", [
    lambda: generate.logits(SMALL, WEIGHTS, b""), lambda: generate.logits(SMALL, WEIGHTS, bytes(34)),
    lambda: generate.logits(SMALL, WEIGHTS, b"\xff\xff"), lambda: generate.losses(SMALL, WEIGHTS, bytes(4), 2),
    lambda: generate.losses(SMALL, WEIGHTS, bytes(10), 2), lambda: generate.losses(SMALL, WEIGHTS, bytes(36), 1),
    lambda: generate.losses(SMALL, WEIGHTS, bytes(8), 0), lambda: generate.losses(SMALL, WEIGHTS, b"\x0b\0" * 4, 2),
    lambda: generate.logits_cost(SMALL, 17), lambda: generate.losses_cost(SMALL, 1, 18),
    lambda: generate.generate_cost(SMALL, 10, 8), lambda: generate.generate_cost(SMALL, 0, 8),
    lambda: generate.sample(b"", SEED, 0), lambda: generate.sample(bytes(5), SEED, 0),
    lambda: generate.sample(bytes(4 * 65537), SEED, 0), lambda: generate.sample(bytes(4), SEED, 2**32),
])
def test_call_outside_its_range_is_refused(call: Any) -> None:
    with pytest.raises(KernelInputError):
        call()


def test_more_logits_than_fit_are_refused_before_they_are_computed() -> None:
    model = Decoder(vocab=65536, context=2000, width=8, heads=1, hidden=1, layers=1, tied=True)
    with pytest.raises(KernelInputError, match="score fewer"):
        generate.logits(model, bytes(4 * decoder.param_count(model)), bytes(2 * 1025))


def test_cost_is_the_formula_of_the_text() -> None:
    d, f, layers, vocab = 16, 12, 2, 11
    load = 32 * decoder.param_count(SMALL)

    def read(n: int, s: int, q: int) -> int:
        of_layer = n * (4 * d * d + 2 * d * f + 96 * d + 16 * f) + 4 * d * (n * s + n * (n + 1) // 2)
        return layers * (of_layer + 500_000 * -(-n // 128)) + q * d * vocab

    token = 100 * vocab + 100_000
    assert generate.logits_cost(SMALL, 9) == load + read(9, 0, 9)
    assert generate.losses_cost(SMALL, 3, 17) == load + 3 * (read(16, 0, 16) + 16 * token)
    later = sum(read(1, place, 1) for place in range(5, 10))
    assert generate.generate_cost(SMALL, 5, 6) == load + read(5, 0, 1) + later + 6 * token


@given(value=st.one_of(st.integers(1, 2**60), st.integers(0, 59).map(lambda bits: 2**bits),
                       st.integers(1, 59).map(lambda bits: 2**bits - 1)))
def test_integer_log2_is_the_floor_or_one_less(value: int) -> None:
    found = rules.compute_log2(value)
    assert found <= 65536 * math.log2(value) + 1e-6 and found > 65536 * math.log2(value) - 2
    if value & (value - 1) == 0:
        assert found == 65536 * (value.bit_length() - 1)


@given(logits=st.lists(st.integers(-2**21, 2**21), min_size=2, max_size=60), data=st.data())
def test_loss_is_near_the_real_one(logits: list[int], data: st.DataObject) -> None:
    import numpy as np

    from kernels.generate import cpu

    target = data.draw(st.integers(0, len(logits) - 1))
    found = int(cpu.measure(np.array([logits], dtype=np.int32), np.array([target]))[0])
    top = max(logits)
    real = (top - logits[target]) / 65536 + math.log(sum(math.exp((y - top) / 65536) for y in logits))
    assert found >= 0 and abs(found / 65536 - real) < 0.0005


def test_loss_of_a_large_vocabulary_counts_its_many_small_weights() -> None:
    import numpy as np

    from kernels.generate import cpu

    logits = np.full((1, 65536), -13 * 65536, dtype=np.int32)
    logits[0, 7] = 0
    found = int(cpu.measure(logits, np.array([7]))[0])
    assert abs(found / 65536 - math.log(1 + 65535 * math.exp(-13))) < 0.0005


def test_seed_position_and_temperature_change_the_text(backend: str) -> None:
    weights = sample_ints("vary", decoder.param_count(SMALL), 4, 24)
    texts = {generate.generate(SMALL, weights, bytes(2), 15, sample(name, 32)).tokens for name in "abcdefgh"}
    assert len(texts) == 8
    assert generate.generate(SMALL, weights, bytes(2), 15, SEED, 0) == generate.generate(
        SMALL, weights, bytes(2), 15, sample("other", 32), 65536, 1)


def test_decoder_that_learned_a_repeating_text_goes_on_with_it() -> None:
    """Trained weights serve inference: the two forward passes are one model. ln 8 = 2.08 before."""
    model = Decoder(vocab=8, context=16, width=32, heads=2, hidden=64, layers=1, positions="rotary")
    period = [3, 1, 4, 1, 5, 0, 2, 6, 5, 7]
    steps, rows = 60, 8
    tokens = [period[(7 * row + place) % 10] for row in range(steps * rows) for place in range(17)]
    policy = unit.UnitPolicy(model, unit.Adam(2**24 // 100, 58982, 6), unit.Schedule(), steps, rows, steps, CODEC)
    weights = decoder.init_weights(model, SEED)
    result = unit.run_unit(policy, weights, struct.pack(f"<{len(tokens)}H", *tokens), b"", SEED)
    delta = unpack(payload.decode(result.payload, len(weights) // 4, CODEC), "q")
    learned = pack([clip(w + d, 2**31 - 1) for w, d in zip(unpack(weights, "i"), delta)], 4)
    row = struct.pack("<17H", *tokens[:17])
    before, after = (unpack(generate.losses(model, flat, row, 1), "q")[0] / 65536 / 16 for flat in (weights, learned))
    assert before > 1.8 and after < 0.5
    assert unpack(generate.generate(model, learned, row[:12], 11, SEED, 0).tokens) == tokens[6:17]
