"""Decoders: tables, layout, refusals, stages in isolation, equal back ends, and that they learn."""

from __future__ import annotations

import hashlib
import math
import struct
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import circle, decoder, dispatch, exact, outer, payload, samples, selftest, unit
from kernels.activation import cpu as activation_cpu
from kernels.decoder import Decoder, composition, stages, training
from kernels.decoder.types import KINDS, list_part
from kernels.errors import KernelInputError
from kernels.tensor import Tensor
from kernels.unit.cases import run

SMALL = Decoder(vocab=23, context=9, width=16, heads=2, hidden=20, layers=3)
VARIANTS = {
    "learned": SMALL, "rotary": replace(SMALL, positions="rotary"), "tied": replace(SMALL, tied=True),
    "wide": replace(SMALL, positions="rotary", tied=True, wide=KINDS),
}
BATCH = 2


def test_cosines_and_rotary_angles_are_the_pinned_ones() -> None:
    cosines = circle.cosine_table()
    digest = hashlib.sha256(struct.pack("<4096h", *cosines)).hexdigest()
    assert digest == "11826373d7d88b4ff94d000bb7a3177d1bee5c0a5969a208e0d3aa69ede0c38a"
    assert cosines == tuple(round(2**14 * math.cos(2 * math.pi * i / 4096)) for i in range(4096))
    joined = b""
    for head_dim in (8, 16, 32, 64, 128, 256):
        angles = circle.rotary_frequencies(head_dim)
        joined += struct.pack(f"<{head_dim // 2}I", *angles)
        assert all(abs(angle - 2**32 / (2 * math.pi) * 10000 ** (-2 * j / head_dim)) < 0.501
                   for j, angle in enumerate(angles))
    assert hashlib.sha256(joined).hexdigest() == "040f4f6e49b70f5e0b8b9c0005471d7ff9ed759108643fdfe096675e66b586df"


@pytest.mark.parametrize("name", VARIANTS)
def test_parameters_fill_the_flat_vector_without_a_gap(name: str) -> None:
    model = VARIANTS[name]
    listed = decoder.list_parameters(model)
    ends = [0] + [entry.end for entry in listed]
    assert [entry.start for entry in listed] == ends[:-1] and ends[-1] == decoder.param_count(model)
    weights = np.frombuffer(decoder.init_weights(model, samples.SEED), "<i4")
    assert weights.size == ends[-1] == unit.param_count(model)
    head = [] if model.tied else ["head"]
    positions = ["positions"] if model.positions == "learned" else []
    assert [entry.kind for entry in listed] == ["embed", *positions, *(["qkv", "out", "up", "down"] * 3), *head]


def test_initial_weights_have_the_deviation_of_their_tensor() -> None:
    model = replace(SMALL, vocab=256, width=64, heads=4, hidden=128)
    weights = np.frombuffer(decoder.init_weights(model, samples.SEED), "<i4") / 2**24
    wanted = {"embed": .5, "positions": .1, "qkv": 64**-.5, "up": 64**-.5, "out": 384**-.5, "down": 768**-.5,
              "head": .25 / 8}
    for entry in decoder.list_parameters(model):
        part = weights[entry.start:entry.end]
        assert abs(part.std() / wanted[entry.kind] - 1) < 0.1 and abs(part.mean()) < wanted[entry.kind] / 5


def split_step(model: Decoder, cuts: list[tuple[int, int]], backends: list[str]) -> tuple[bytes, list[bytes]]:
    """(gradients of the whole, streams at the boundaries), each stage alone and on its own back end."""
    weights = decoder.init_weights(model, samples.SEED)
    held = {(entry.kind, entry.layer): weights[4 * entry.start:4 * entry.end]
            for entry in decoder.list_parameters(model)}
    tokens = samples.sample_labels("tokens", BATCH * model.context, model.vocab)
    targets = samples.sample_labels("targets", BATCH * model.context, model.vocab)
    jobs, streams = [], [tokens]
    for (first, last), backend in zip(cuts, backends):
        policy = stages.StagePolicy(model, first, last, BATCH)
        own = b"".join(held[entry.kind, entry.layer] for entry in list_part(model, first, last))
        assert len(own) == 4 * stages.stage_param_count(policy)
        jobs.append((policy, own, streams[-1], backend))
        with dispatch.forced(backend):
            streams.append(stages.run_stage_forward(policy, own, streams[-1]))
    total = {key: np.zeros(len(value) // 4, dtype="<i8") for key, value in held.items()}
    slope, slopes = targets, []
    for policy, own, inputs, backend in reversed(jobs):
        with dispatch.forced(backend):
            result = stages.run_stage_backward(policy, own, inputs, slope, samples.SEED, 7)
        slope = result.slope
        slopes.append(slope)
        for entry in list_part(model, policy.first, policy.last):
            total[entry.kind, entry.layer] += np.frombuffer(result.gradients, "<i8")[entry.start:entry.end]
    assert slopes[-1] == b""
    return b"".join(part.tobytes() for part in total.values()), streams[1:] + slopes[:-1]


@pytest.mark.parametrize("name", VARIANTS)
def test_step_split_into_stages_gives_the_gradients_of_the_whole_on_any_backend(name: str) -> None:
    model = VARIANTS[name]
    whole, _ = split_step(model, [(0, 3)], ["ref"])
    with dispatch.forced("ref"):
        put = dispatch.implementation("memory").put
        weights = put(np.frombuffer(decoder.init_weights(model, samples.SEED), "<i4"))
        tokens = np.frombuffer(samples.sample_labels("tokens", BATCH * model.context, model.vocab), "<u2")
        targets = np.frombuffer(samples.sample_labels("targets", BATCH * model.context, model.vocab), "<u2")
        trainer = training.Trainer(model, weights, samples.SEED)
        gradients = dict(trainer.run_step(tokens.reshape(BATCH, -1), targets, 7))
    parts = [exact.scale(gradients[index].values, gradients[index].exponent - 24) for index in sorted(gradients)]
    assert b"".join(part.astype("<i8").tobytes() for part in parts) == whole
    cuts = [(0, 1), (1, 2), (2, 3)]
    expected = split_step(model, cuts, ["ref"] * 3)
    assert expected[0] == whole
    assert split_step(model, cuts, ["cpu"] * 3) == expected
    assert split_step(model, cuts, ["cpu", "ref", "cpu"]) == expected
    assert split_step(model, [(0, 2), (2, 3)], ["ref", "cpu"])[0] == whole


def test_stage_with_another_boundary_gives_another_gradient() -> None:
    """The boundary tensors matter: a proof of a stage is a proof of what came in."""
    policy = stages.StagePolicy(SMALL, 1, 2, BATCH)
    own = samples.sample_ints("stage", stages.stage_param_count(policy), 4, 24)
    count = BATCH * SMALL.context * SMALL.width
    h, dh = samples.sample_ints("h", count, 4, 18), samples.sample_ints("dh", count, 4, 22)
    with dispatch.forced("ref"):
        result = stages.run_stage_backward(policy, own, h, dh, samples.SEED, 0)
        assert stages.run_stage_backward(policy, own, h, dh[:-4] + bytes(4), samples.SEED, 0) != result
        assert stages.run_stage_backward(policy, own, h, dh, samples.SEED, 1) != result
        assert stages.run_stage_backward(policy, own, bytes(4) + h[4:], dh, samples.SEED, 0) != result


BAD_MODELS = [
    (replace(SMALL, vocab=1), "vocab must be in 2..65536"), (replace(SMALL, context=4097), "context must be in"),
    (replace(SMALL, width=18), "width must be heads times one of 8, 16"),
    (replace(SMALL, heads=3), "16 is not with 3"),
    (replace(SMALL, width=20000), "width must be in 8..16384"), (replace(SMALL, hidden=0), "hidden must be in"),
    (replace(SMALL, layers=129), "layers must be in 1..128"),
    (replace(SMALL, positions="sine"), "positions must be one of learned, rotary"),
    (replace(SMALL, tied=1), "tied must be"), (replace(SMALL, wide=("up", "down")), "in this order"),
    (replace(SMALL, wide=("embed",)), "wide must be a tuple of some of head, down, up, out, qkv"),
    (replace(SMALL, wide=["head"]), "wide must be"), (replace(SMALL, layers=True), "layers must be an integer"),
    (replace(SMALL, vocab=65536, width=8192, heads=32), "use fewer layers"), ("decoder", "model must be a Decoder"),
]


@pytest.mark.parametrize("model, text", BAD_MODELS, ids=[text for _, text in BAD_MODELS])
def test_model_outside_its_ranges_is_refused_with_what_to_do(model: Decoder, text: str) -> None:
    with pytest.raises(KernelInputError, match=text):
        decoder.param_count(model)
    with pytest.raises(KernelInputError, match=text):
        decoder.init_weights(model, samples.SEED)


@pytest.mark.parametrize("model, rows", [
    (Decoder(2000, 16, 16, 2, 16, 1), 32), (Decoder(5, 256, 16, 2, 8, 3), 2), (Decoder(5, 16, 16, 2, 700, 2), 32),
    (Decoder(5, 16, 256, 2, 16, 2), 32), (Decoder(5, 512, 8, 1, 8, 6), 2),
], ids=["vocab", "context", "hidden", "width", "long"])
def test_memory_of_a_step_is_within_the_bound_by_which_units_are_refused(model: Decoder, rows: int) -> None:
    """With wide slopes, which take the most; the parameters' own share is what optimiser and gradients take."""
    model = replace(model, wide=KINDS)
    policy = unit.UnitPolicy(model, unit.Sgd(6554, 58982), unit.Schedule(), 1, rows, 1, samples.CODEC)
    weights = decoder.init_weights(model, samples.SEED)
    drawn = training.draw_examples(model, "memory", rows)
    with dispatch.forced("cpu"):
        unit.run_unit(policy, weights, *drawn, samples.SEED)
        tracemalloc.start()
        unit.run_unit(policy, weights, *drawn, samples.SEED)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < training.count_step_bytes(model, rows) + 64 * decoder.param_count(model)


def test_batch_and_text_outside_their_ranges_are_refused() -> None:
    long = replace(SMALL, context=4096)
    with pytest.raises(KernelInputError, match="batch_rows times context must be at most 65536"):
        training.check_unit(long, 1, 17)
    with pytest.raises(KernelInputError, match="heads times context squared"):
        training.check_unit(replace(long, width=16384, heads=1024), 1, 1)
    with pytest.raises(KernelInputError, match="local_steps"):
        training.check_unit(long, 2048, 16)
    with pytest.raises(KernelInputError, match="needs .* bytes .* more than 17179869184: use fewer batch_rows"):
        training.check_unit(replace(SMALL, vocab=65536, context=4096), 1, 16)
    with pytest.raises(KernelInputError, match="use fewer batch_rows or layers"):
        training.check_unit(replace(long, layers=128), 1, 8)
    training.check_unit(replace(long, layers=128), 1, 3)
    rows = samples.sample_labels("rows", 2 * 10, 23)
    with pytest.raises(KernelInputError, match="rows must have 40 bytes"):
        training.read_batches(SMALL, 1, 2, rows[:-1], b"")
    with pytest.raises(KernelInputError, match="targets must have 0 bytes"):
        training.read_batches(SMALL, 1, 2, rows, b"a")
    with pytest.raises(KernelInputError, match="rows holds a token that is not below 23"):
        training.read_batches(SMALL, 1, 2, rows[:-2] + b"\x17\x00", b"")


def test_stage_with_wrong_bytes_is_refused() -> None:
    policy = stages.StagePolicy(SMALL, 1, 2, BATCH)
    weights = bytes(4 * stages.stage_param_count(policy))
    h = bytes(4 * BATCH * SMALL.context * SMALL.width)
    with pytest.raises(KernelInputError, match="last must be in 2..3"):
        stages.check_stage(replace(policy, last=1))
    with pytest.raises(KernelInputError, match="weights must have"):
        stages.run_stage_forward(policy, weights[4:], h)
    with pytest.raises(KernelInputError, match="inputs holds a value outside -8388607..8388607"):
        stages.run_stage_forward(policy, weights, samples.pack([2**23], 4) + h[4:])
    with pytest.raises(KernelInputError, match="outputs holds a value outside -1073741823"):
        stages.run_stage_backward(policy, weights, h, samples.pack([2**30], 4) + h[4:], samples.SEED, 0)
    with pytest.raises(KernelInputError, match="step must be in 0..4095"):
        stages.run_stage_backward(policy, weights, h, h, samples.SEED, 4096)
    with pytest.raises(KernelInputError, match="inputs holds a token"):
        tokens = samples.pack([23], 2) + bytes(2 * BATCH * SMALL.context - 2)
        first = stages.StagePolicy(SMALL, 0, 1, BATCH)
        stages.run_stage_forward(first, bytes(4 * stages.stage_param_count(first)), tokens)


models_drawn = st.builds(
    lambda vocab, context, heads, head_dim, hidden, layers, positions, tied, wide: Decoder(
        vocab, context, heads * head_dim, heads, hidden, layers, positions, tied,
        tuple(kind for kind in KINDS if kind in wide)),
    st.integers(2, 40), st.integers(1, 19), st.integers(1, 3), st.sampled_from((8, 16, 32)), st.integers(1, 40),
    st.integers(1, 3), st.sampled_from(("learned", "rotary")), st.booleans(), st.frozensets(st.sampled_from(KINDS)),
)
optimisers_drawn = st.sampled_from((unit.Adam(67109, 58982, 6), unit.Lion(9999, 60000, 65000), unit.Sgd(2**20, 65535)))


@settings(deadline=None, max_examples=25)
@given(model=models_drawn, optimiser=optimisers_drawn, rows=st.integers(1, 4), bits=st.integers(1, 31),
       label=st.text("ab", max_size=4))
def test_unit_of_any_decoder_is_equal_on_both_backends(
    model: Decoder, optimiser: unit.Adam, rows: int, bits: int, label: str
) -> None:
    policy = unit.UnitPolicy(model, optimiser, unit.Schedule(), 2, rows, 1, "int8/256")
    weights = samples.sample_ints(label, decoder.param_count(model), 4, bits)
    with dispatch.forced("ref"):
        expected = run(policy, label, weights)
    with dispatch.forced("cpu"):
        assert run(policy, label, weights) == expected


def measure_loss(model: Decoder, weights: bytes, rows: np.ndarray) -> float:
    """Mean bits per token: -log2 of the softmax that the loss op makes of a batch's logits."""
    memory, loss = dispatch.implementation("memory"), dispatch.implementation("loss")
    stage = composition.Stage(model, 0, model.layers, memory.put(np.frombuffer(weights, "<i4")), samples.SEED)
    h = stage.forward(memory.put(rows[:, :-1].astype(np.uint16)), len(rows))
    y, _ = dispatch.implementation("norm").forward(h)
    head = decoder.list_parameters(model)[-1]
    view = dispatch.implementation("quantise").view(stage.tensors[head.number])
    targets = rows[:, 1:].reshape(-1).astype(np.uint16)
    slope = loss.cross_entropy(dispatch.implementation("gemm").multiply(y, view, "nn"), memory.put(targets))
    chosen = memory.take(slope.values)[np.arange(targets.size), targets].astype(np.int64) + 2**20
    return float(np.mean([20 - math.log2(max(int(value), 1)) for value in chosen]))


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_tiny_decoder_learns_a_repeating_text(positions: str) -> None:
    """Words of eleven letters, of which 5 bits each are to guess at first, and next to none after 120 steps."""
    model = Decoder(vocab=32, context=16, width=32, heads=2, hidden=64, layers=2, positions=positions)
    text = np.array([3, 7, 7, 1, 30, 12, 3, 9, 7, 22, 5] * 400)
    steps, batch = 120, 8
    starts = [int.from_bytes(samples.sample(f"start {index}", 4), "little") % 4000 for index in range(steps * batch)]
    rows = np.stack([text[start:start + 17] for start in starts]).astype("<u2")
    policy = unit.UnitPolicy(model, unit.Adam(67109, 58982, 6), unit.Schedule(), steps, batch, steps, "int8/256")
    weights = decoder.init_weights(model, samples.SEED)
    with dispatch.forced("cpu"):
        before = measure_loss(model, weights, rows[:8])
        sent = unit.run_unit(policy, weights, rows.tobytes(), b"", samples.SEED).payload
        count = decoder.param_count(model)
        delta = payload.decode(sent, count, "int8/256")
        learned, _ = outer.outer_step(weights, bytes(8 * count), delta, 65536, 0)
        after = measure_loss(model, learned, rows[:8])
    assert before > 4.5 and after < 0.5


def test_unit_cost_counts_tokens_layers_and_wide_slopes() -> None:
    policy = unit.UnitPolicy(SMALL, unit.Sgd(1, 0), unit.Schedule(), 2, 3, 1, "int8/256")
    assert unit.unit_cost(replace(policy, model=replace(SMALL, wide=("down",)))) - unit.unit_cost(policy) \
        == 2 * 3 * 9 * 2 * 3 * 16 * 20
    constant = 2 * 4 * training.LAYER_COST
    row = (unit.unit_cost(replace(policy, batch_rows=6)) - unit.unit_cost(policy)) // 3
    assert row == 2 * (training.step_cost(SMALL, 1) - 4 * training.LAYER_COST)
    traces = 2 * 3 * 12
    assert unit.unit_cost(policy) == 3 * row + constant + (2 * 16 + 2 + traces) * decoder.param_count(SMALL)
    assert unit.unit_work(policy) == unit.unit_cost(policy) - constant


def test_backend_that_is_wrong_in_a_decoders_widths_is_found_in_a_reduced_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shapes of which one row would keep the reference busy for minutes are compared in fewer tokens of one layer."""
    model = Decoder(vocab=500, context=1024, width=256, heads=4, hidden=1024, layers=12)
    reduced = training.reduce_model(model, 2**26)
    assert (reduced.layers, reduced.width, reduced.hidden, reduced.vocab) == (1, 256, 1024, 500)
    assert reduced.context == 16
    policy = unit.UnitPolicy(replace(model, context=64), unit.Sgd(6554, 0), unit.Schedule(), 4, 8, 4, "int8/256")
    assert selftest.is_step_equal("cpu", policy)
    right = activation_cpu.backward

    def backward(x: Tensor, saved: object) -> Tensor:
        slope = right(x, saved)
        slope.values[-1] *= -1 if slope.values.shape[1] == 1024 else 1
        return slope

    monkeypatch.setattr(activation_cpu, "backward", backward)
    assert not selftest.is_step_equal("cpu", policy)
