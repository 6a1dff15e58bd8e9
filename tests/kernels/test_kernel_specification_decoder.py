"""Decoders, regressors and wide slopes against a second implementation from the text alone (plain*.py beside this)."""

from __future__ import annotations

import ast
import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import plain
import plain_decoder
import plain_perceptron
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import decoder, mlp, samples, unit
from kernels.decoder import Decoder, cases, stages
from kernels.decoder.types import KINDS
from kernels.mlp import training
from kernels.unit import Adam, Lion, Mlp, Schedule, Sgd, UnitPolicy
from kernels.unit.models import find_training

GOLDEN = json.loads((Path(__file__).parent / "golden" / "decoder.json").read_text())
TINY = Decoder(vocab=5, context=4, width=16, heads=2, hidden=6, layers=2)
SGD = Sgd(6554, 58982)


def read(data: bytes, kind: str) -> list[int]:
    return list(struct.unpack(f"<{len(data) // struct.calcsize(kind)}{kind}", data))


def new_policy(model: Decoder | Mlp, optimiser: Any = SGD, steps: int = 1, rows: int = 2, every: int = 1) -> UnitPolicy:
    return UnitPolicy(model, optimiser, Schedule(), steps, rows, every, "int8/256")


def draw_rows(policy: UnitPolicy, label: str) -> bytes:
    model = policy.model
    assert isinstance(model, Decoder)
    count = policy.local_steps * policy.batch_rows * (model.context + 1)
    return samples.sample_labels("rows" + label, count, model.vocab)


def compute_plain(
    policy: UnitPolicy, weights: bytes, rows: bytes, targets: bytes, seed: bytes, first_step: int = 0
) -> bytes:
    """Payload, trace and trace root of a unit, from the text."""
    model, n = policy.model, policy.batch_rows
    if isinstance(model, Decoder):
        decoder_model, texts = model, plain.fold(read(rows, "H"), model.context + 1)
        return b"".join(plain.compute_unit(
            policy, read(weights, "i"), seed, first_step, n * model.context,
            lambda w, h: plain_decoder.gradient(decoder_model, w, texts[h * n:(h + 1) * n], seed, h)))
    mlp_model, examples = model, plain.fold(read(rows, "b"), model.widths[0])
    wanted: Any = read(targets, "H") if model.task == "classifier" else plain.fold(read(targets, "i"), model.widths[-1])
    return b"".join(plain.compute_unit(
        policy, read(weights, "i"), seed, first_step, n,
        lambda w, h: plain_perceptron.gradient(
            mlp_model, w, examples[h * n:(h + 1) * n], wanted[h * n:(h + 1) * n], seed, h)))


def assert_unit_follows_the_text(
    policy: UnitPolicy, weights: bytes, rows: bytes, targets: bytes, label: str = "", first_step: int = 0
) -> None:
    seed = samples.sample("seed" + label, 32)
    result = unit.run_unit(policy, weights, rows, targets, seed, first_step)
    found = result.payload + b"".join(result.trace) + result.trace_root
    assert found == compute_plain(policy, weights, rows, targets, seed, first_step)


models = st.builds(
    lambda vocab, context, heads, head_dim, hidden, layers, positions, tied, wide: Decoder(
        vocab, context, heads * head_dim, heads, hidden, layers, positions, tied,
        tuple(kind for kind in KINDS if kind in wide)),
    st.integers(2, 9), st.integers(1, 6), st.integers(1, 2), st.sampled_from((8, 16)), st.integers(1, 9),
    st.integers(1, 2), st.sampled_from(("learned", "rotary")), st.booleans(), st.frozensets(st.sampled_from(KINDS)),
)
optimisers = st.one_of(
    st.builds(Sgd, st.integers(0, 2**20), st.integers(0, 65535)),
    st.builds(Adam, st.integers(0, 2**24), st.integers(0, 65000), st.integers(4, 12)),
    st.builds(Lion, st.integers(0, 2**24), st.integers(0, 65535), st.integers(0, 65535)),
)
schedules = st.builds(
    lambda kind, warmup, fall, final, unit_warmup: Schedule(kind, warmup, warmup + fall, final, unit_warmup),
    st.sampled_from(("constant", "linear", "cosine")), st.integers(0, 4), st.integers(1, 9), st.integers(0, 65536),
    st.integers(0, 3),
)


@settings(deadline=None, max_examples=40)
@given(model=models, optimiser=optimisers, schedule=schedules, steps=st.integers(1, 3), rows=st.integers(1, 3),
       every=st.integers(1, 3), first_step=st.integers(0, 12), bits=st.integers(1, 31),
       label=st.text("abc", max_size=4))
def test_unit_of_any_decoder_is_what_the_text_says(
    model: Decoder, optimiser: Any, schedule: Schedule, steps: int, rows: int, every: int, first_step: int, bits: int,
    label: str,
) -> None:
    policy = UnitPolicy(model, optimiser, schedule, steps, rows, min(every, steps), "int8/256")
    weights = samples.sample_ints(label, unit.param_count(model), 4, bits)
    assert_unit_follows_the_text(policy, weights, draw_rows(policy, label), b"", label, first_step)


@settings(deadline=None, max_examples=60)
@given(widths=st.lists(st.integers(1, 7), min_size=2, max_size=5).map(tuple), wide=st.integers(0, 15),
       task=st.sampled_from(("classifier", "regressor")), optimiser=optimisers, schedule=schedules,
       shape=st.tuples(st.integers(1, 3), st.integers(1, 5)), every=st.integers(1, 3), first_step=st.integers(0, 12),
       bits=st.integers(1, 31), label=st.text("abc", max_size=4))
def test_unit_of_any_perceptron_is_what_the_text_says(
    widths: tuple[int, ...], wide: int, task: str, optimiser: Any, schedule: Schedule, shape: tuple[int, int],
    every: int, first_step: int, bits: int, label: str,
) -> None:
    model = Mlp(widths, task, tuple(layer for layer in range(len(widths) - 1) if wide >> layer & 1))
    policy = UnitPolicy(model, optimiser, schedule, *shape, min(every, shape[0]), "int8/256")
    weights = samples.sample_ints(label, mlp.param_count(widths), 4, bits)
    rows, targets = training.draw_examples(model, label, shape[0] * shape[1])
    assert_unit_follows_the_text(policy, weights, rows, targets, label, first_step)


@pytest.mark.parametrize("target", [2**26, -2**26])
@pytest.mark.parametrize("value", ["signs", 2**31 - 1, -2**31, 0])
def test_regressor_at_the_ends_is_what_the_text_says(value: int | str, target: int) -> None:
    model = Mlp((3, 4, 4, 2), "regressor", (0, 2))
    count = mlp.param_count(model.widths)
    weights = samples.sample_signs("ends", count) if isinstance(value, str) else samples.pack([value] * count, 4)
    assert_unit_follows_the_text(new_policy(model, Adam(2**24, 65000, 4), 2), weights,
                                 samples.pack([127, -127, 0] * 4, 1), samples.pack([target] * 8, 4))


@pytest.mark.parametrize("name, label, model, optimiser, steps, rows", [
    ("unit", "plain", cases.PLAIN, cases.ADAM, 3, 3),
    ("unit_rotary", "rotary", replace(cases.PLAIN, positions="rotary"), cases.LION, 2, 3),
    ("unit_tied", "tied", replace(cases.PLAIN, tied=True), cases.SGD, 2, 3),
    ("unit_wide", "wide", replace(cases.PLAIN, wide=KINDS), cases.ADAM, 2, 3),
    ("unit_odd", "odd", Decoder(2, 7, 24, 3, 5, 1, "rotary"), cases.ADAM, 3, 1),
    ("unit_one_token", "one", Decoder(3, 1, 8, 1, 1, 1), cases.ADAM, 2, 1),
], ids=str)
def test_golden_hash_follows_from_the_text(
    name: str, label: str, model: Decoder, optimiser: Any, steps: int, rows: int
) -> None:
    policy = UnitPolicy(model, optimiser, cases.SCHEDULE, steps, rows, 1, "int8/256")
    weights = plain_decoder.pack(plain_decoder.init_weights(model, samples.SEED), "i")
    tokens, _ = find_training(model).draw_examples(model, label, steps * rows)
    found = compute_plain(policy, weights, tokens, b"", samples.SEED)
    assert hashlib.sha256(found).hexdigest() == GOLDEN[f"decoder/{name}"]


@pytest.mark.parametrize("model", [
    TINY, replace(TINY, positions="rotary", tied=True, wide=KINDS), replace(TINY, vocab=2, context=1, hidden=1),
    replace(TINY, vocab=2, context=1, width=8, heads=1, hidden=1, tied=True, positions="rotary"),
], ids=str)
@pytest.mark.parametrize("value", ["signs", 2**31 - 1, -2**31, 0, 1, -1, 2**24, 127 << 17])
def test_decoder_with_weights_at_the_ends_is_what_the_text_says(model: Decoder, value: int | str) -> None:
    count = unit.param_count(model)
    weights = samples.sample_signs("ends", count) if isinstance(value, str) else samples.pack([value] * count, 4)
    policy = new_policy(model, Sgd(2**20, 65535), 2)
    assert_unit_follows_the_text(policy, weights, draw_rows(policy, str(value)), b"")


def test_tables_are_those_whose_hashes_stand_in_the_text() -> None:
    assert hashlib.sha256(struct.pack("<1024I", *plain.TABLE)).hexdigest().startswith("47c3fa45e218908d")
    assert hashlib.sha256(struct.pack("<4096h", *plain.COSINE)).hexdigest().startswith("11826373d7d88b4f")
    angles = [f for dim in (8, 16, 32, 64, 128, 256) for f in plain_decoder.rotary_frequencies(dim)]
    assert hashlib.sha256(struct.pack(f"<{len(angles)}I", *angles)).hexdigest().startswith("040f4f6e49b70f5e")


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_initial_weights_of_a_decoder_are_what_the_text_says(positions: str, tied: bool) -> None:
    model = replace(TINY, positions=positions, tied=tied)
    expected = plain_decoder.pack(plain_decoder.init_weights(model, samples.SEED), "i")
    assert decoder.init_weights(model, samples.SEED) == expected


@pytest.mark.parametrize("model", [
    replace(TINY, layers=3), replace(TINY, layers=3, tied=True, positions="rotary", wide=("head", "up", "qkv")),
], ids=str)
def test_stages_are_what_the_text_says(model: Decoder) -> None:
    tokens = samples.sample_labels("tokens", 2 * model.context, model.vocab)
    targets = samples.sample_labels("targets", 2 * model.context, model.vocab)
    inputs, passed = tokens, []
    for first, last in ((0, 1), (1, 3)):
        policy = stages.StagePolicy(model, first, last, 2)
        weights = samples.sample_ints(f"stage{first}", stages.stage_param_count(policy), 4, 25)
        plain_stage = plain_decoder.Stage(model, first, last, read(weights, "i"), read(inputs, "i" if first else "H"))
        passed.append((policy, weights, inputs, plain_stage))
        inputs = stages.run_stage_forward(policy, weights, inputs)
        assert inputs == plain_decoder.pack(plain.flatten(plain_stage.h), "i")
    after = targets
    for policy, weights, inputs, plain_stage in reversed(passed):
        result = stages.run_stage_backward(policy, weights, inputs, after, samples.SEED, 9)
        kind = "H" if policy.last == model.layers else "i"
        gradients, slope = plain_stage.slope(read(after, kind), samples.SEED, 9)
        flat = [v for matrix in gradients.values() for row in matrix for v in row]
        assert result.gradients == plain_decoder.pack(flat, "q")
        assert result.slope == (plain_decoder.pack(plain.flatten(slope), "i") if policy.first else b"")
        after = result.slope


@pytest.mark.parametrize("model", [
    replace(TINY, layers=3), replace(TINY, layers=3, positions="rotary", wide=KINDS),
], ids=str)
@pytest.mark.parametrize("bits", [1, 12, 24, 31])
def test_block_between_boundaries_at_the_ends_is_what_the_text_says(model: Decoder, bits: int) -> None:
    """Stream and slope of either sign at the ends of their ranges; weights of every size."""
    policy, count = stages.StagePolicy(model, 1, 2, 2), 2 * model.context * model.width
    weights = samples.sample_ints("block", stages.stage_param_count(policy), 4, bits)
    h = samples.pack([2**23 - 1 if byte & 1 else 1 - 2**23 for byte in samples.sample("h", count)], 4)
    dh = samples.pack([2**30 - 1 if byte & 1 else 1 - 2**30 for byte in samples.sample("dh", count)], 4)
    stage = plain_decoder.Stage(model, 1, 2, read(weights, "i"), read(h, "i"))
    assert stages.run_stage_forward(policy, weights, h) == plain_decoder.pack(plain.flatten(stage.h), "i")
    gradients, slope = stage.slope(read(dh, "i"), samples.SEED, 4095)
    result = stages.run_stage_backward(policy, weights, h, dh, samples.SEED, 4095)
    flat = [v for matrix in gradients.values() for row in matrix for v in row]
    assert result.gradients == plain_decoder.pack(flat, "q")
    assert result.slope == plain_decoder.pack(plain.flatten(slope), "i")


def find_negated_quotients(tree: ast.AST) -> Iterator[int]:
    """Lines that divide what has a minus in front: -x // y rounds down, where C and Triton round towards zero."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv | ast.Mod) and any(
                isinstance(side, ast.UnaryOp) and isinstance(side.op, ast.USub) for side in (node.left, node.right)):
            yield node.lineno


def test_no_signed_floor_division_is_anywhere() -> None:
    root = Path(decoder.__file__).parent.parent
    found = [f"{path}:{line}" for path in sorted(root.rglob("*.py"))
             for line in find_negated_quotients(ast.parse(path.read_text()))]
    assert found == []
    assert list(find_negated_quotients(ast.parse("a = -(-b // c)"))) == [1]
