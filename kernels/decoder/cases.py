"""Cases of a decoder: initial weights, units of every kind, one block alone, extreme and saturating weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kernels import decoder, unit
from kernels.array_samples import draw_numpy
from kernels.decoder import Decoder, stages
from kernels.decoder.types import KINDS, list_part
from kernels.optimiser import Optimiser
from kernels.samples import CODEC, SEED, Case, pack, sample_ints, sample_labels, sample_signs
from kernels.unit.cases import run

ADAM = unit.Adam(67109, 58982, 6)
LION = unit.Lion(16777, 58982, 64881)
SGD = unit.Sgd(6554, 58982)
SCHEDULE = unit.Schedule("cosine", 2, 9, 6554, 2)
PLAIN = Decoder(vocab=19, context=8, width=16, heads=2, hidden=24, layers=2)

Weights = Callable[[Decoder], bytes]


def initial_weights(model: Decoder) -> bytes:
    """Those of a new model."""
    return decoder.init_weights(model, SEED)


def filled_weights(value: int) -> Weights:
    """One value everywhere."""
    return lambda model: pack([value], 4) * decoder.param_count(model)


def wild_weights(label: str, bits: int) -> Weights:
    """Every magnitude below 2**bits."""
    return lambda model: sample_ints(label, decoder.param_count(model), 4, bits)


def signed_weights(label: str) -> Weights:
    """The largest magnitude, of either sign."""
    return lambda model: sample_signs(label, decoder.param_count(model))


def _unit_case(
    label: str, model: Decoder, optimiser: Optimiser, steps: int = 2, rows: int = 3, weights: Weights = initial_weights
) -> Case:
    policy = unit.UnitPolicy(model, optimiser, SCHEDULE, steps, rows, 1, CODEC)
    return lambda: run(policy, label, weights(model))


def _stage_case(label: str, model: Decoder, first: int, last: int, bits: int) -> Case:
    """One block between two drawn boundaries: its stream, its slope and its gradients."""
    def run_stage() -> bytes:
        policy = stages.StagePolicy(model, first, last, 2)
        shape = (2 * model.context, model.width)
        h = draw_numpy(label + " h", shape, bits).tobytes()
        dh = draw_numpy(label + " dh", shape, 30).tobytes()
        targets = sample_labels(label, 2 * model.context, model.vocab)
        weights = sample_ints(label, list_part(model, first, last)[-1].end, 4, 24)
        inputs = sample_labels(label + " tokens", 2 * model.context, model.vocab) if first == 0 else h
        outputs = targets if last == model.layers else dh
        result = stages.run_stage_backward(policy, weights, inputs, outputs, SEED, 3)
        return stages.run_stage_forward(policy, weights, inputs) + result.slope + result.gradients
    return run_stage


CASES: dict[str, Case] = {
    "decoder/init": lambda: decoder.init_weights(PLAIN, SEED),
    "decoder/init_tied": lambda: decoder.init_weights(replace(PLAIN, tied=True, positions="rotary"), SEED),
    "decoder/unit": _unit_case("plain", PLAIN, ADAM, 3),
    "decoder/unit_rotary": _unit_case("rotary", replace(PLAIN, positions="rotary"), LION),
    "decoder/unit_tied": _unit_case("tied", replace(PLAIN, tied=True), SGD),
    "decoder/unit_wide": _unit_case("wide", replace(PLAIN, wide=KINDS), ADAM),
    "decoder/unit_tied_rotary_wide": _unit_case(
        "all", replace(PLAIN, positions="rotary", tied=True, wide=("head", "qkv")), ADAM
    ),
    "decoder/unit_odd": _unit_case("odd", Decoder(2, 7, 24, 3, 5, 1, "rotary"), ADAM, 3, 1),
    "decoder/unit_one_token": _unit_case("one", Decoder(3, 1, 8, 1, 1, 1), ADAM, 2, 1),
    "decoder/unit_fast": _unit_case("fast", PLAIN, unit.Adam(2**24, 0, 4), 3),
    "decoder/block": _stage_case("block", replace(PLAIN, layers=3), 1, 2, 19),
    "decoder/block_rotary": _stage_case("rotary", replace(PLAIN, layers=3, positions="rotary"), 1, 2, 19),
    "decoder/block_wide": _stage_case("wide", replace(PLAIN, layers=3, wide=KINDS), 1, 2, 22),
    "decoder/block_large": _stage_case("large", replace(PLAIN, layers=3), 1, 2, 23),
    "decoder/first_block": _stage_case("first", replace(PLAIN, tied=True), 0, 1, 19),
    "decoder/last_block": _stage_case("last", replace(PLAIN, tied=True), 1, 2, 19),
    "decoder/largest": _unit_case("largest", PLAIN, SGD, weights=filled_weights(2**31 - 1)),
    "decoder/lowest": _unit_case("lowest", replace(PLAIN, wide=KINDS), ADAM, weights=filled_weights(-2**31)),
    "decoder/zero": _unit_case("zero", PLAIN, ADAM, weights=filled_weights(0)),
    "decoder/signs": _unit_case(
        "signs", replace(PLAIN, positions="rotary", layers=4), LION, weights=signed_weights("decoder")
    ),
    "decoder/signs_wide": _unit_case(
        "signs", replace(PLAIN, tied=True, wide=KINDS), ADAM, weights=signed_weights("decoder")
    ),
    "decoder/wild": _unit_case("wild", replace(PLAIN, layers=4), SGD, weights=wild_weights("wild", 31)),
    "decoder/tiny": _unit_case("tiny", replace(PLAIN, wide=KINDS), SGD, weights=wild_weights("tiny", 3)),
}
