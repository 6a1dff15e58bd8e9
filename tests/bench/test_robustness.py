"""Liars gain nothing by exponents, gates find what breaks them, feedback loses nothing. None of this needs byzfl."""

from typing import Any

import numpy as np
import pytest

from kernels import aggregate, payload
from tests.bench.aggregation import attacks, codecs, exponents, gates, learners, rounds, rules
from tests.bench.aggregation.attacks import View
from tests.bench.training import rounds as training_rounds
from tests.bench.training.records import Json

COUNT, HONEST, LIARS = 700, 7, 2


def draw_vectors(seed: int, spread: float = 3.0) -> learners.Vector:
    """Honest vectors whose blocks differ in size by powers of two, from worker to worker too."""
    rng = np.random.default_rng(seed)
    sizes = 2.0 ** rng.uniform(-12 - spread, -12 + spread, (HONEST, -(-COUNT // 256)))
    return (rng.normal(0, 1, (HONEST, COUNT)) * np.repeat(sizes, 256, axis=1)[:, :COUNT]).astype(np.float32)


def new_view(rule: rules.IntegerRule, honest: learners.Vector) -> View:
    return View(honest, honest[:LIARS], LIARS, rule.open(honest, LIARS, "test"), rule.codec, honest[0])


@pytest.mark.parametrize("codec", payload.CODECS)
def test_a_crafted_vector_is_given_the_very_exponents_it_was_made_for(codec: str) -> None:
    vector = draw_vectors(1)[0]
    for exponent in (0, 3, exponents.FORMATS[codec].exponent_max):
        natural = exponents.read_exponents(rules.encode(vector[None], "", 0, codec), COUNT, codec)
        wanted = np.full_like(natural[0], exponent)
        crafted = exponents.craft(vector, wanted, codec)
        sent = rules.encode(crafted[None], "any", 0, codec)
        assert exponents.read_exponents(sent, COUNT, codec).tolist() == [wanted.tolist()]
        assert payload.decode(sent[0], COUNT, codec) == rules.to_deltas(crafted).tobytes()


@pytest.mark.parametrize("codec", payload.CODECS[:2])
@pytest.mark.parametrize("rule", ["trimmed_mean", "median"])
def test_no_choice_of_exponents_moves_a_coordinate_beyond_the_honest_values(rule: str, codec: str) -> None:
    lies = {**exponents.list_exponent_attacks(), "zero": attacks.send_zeros, "huge": attacks.send_huge,
            "copies": attacks.copy_one(3), "reversed": attacks.send_reversed}
    for seed in (2, 3):
        view = new_view(rules.IntegerRule(rule, codec), draw_vectors(seed))
        decoded = np.stack([np.frombuffer(payload.decode(sent, COUNT, codec), "<i8") for sent in view.round.payloads])
        top = exponents.read_exponents(view.round.payloads, COUNT, codec).max(axis=0)
        step = np.repeat(2.0 ** (top - exponents.FORMATS[codec].headroom).clip(0), 256)[:COUNT]
        low, high = np.minimum(decoded.min(axis=0), 0) - step, np.maximum(decoded.max(axis=0), 0) + step
        for name, attack in lies.items():
            update = view.round.respond(attack(view)).astype(np.float64) * rules.ONE
            assert ((low <= update) & (update <= high)).all(), name


def test_liars_with_the_largest_exponents_cost_no_more_than_the_rounding_of_the_largest_honest_grid() -> None:
    view = new_view(rules.IntegerRule("median", "int8/256"), draw_vectors(4))
    tops = [view.round.respond(exponents.reverse_with(choose)(view))
            for choose in (exponents.choose_top, exponents.choose_highest)]
    step = 2.0 ** int(exponents.read_exponents(view.round.payloads, COUNT, "int8/256").max()) / rules.ONE
    assert np.abs(tops[0] - tops[1]).max() <= 127 * step
    honest = draw_vectors(4)
    assert np.abs(tops[0] - np.median(honest, axis=0)).max() <= np.abs(honest).max()


def test_the_worst_blocks_do_at_least_the_harm_of_any_lie_they_are_made_of() -> None:
    view = new_view(rules.IntegerRule("trimmed_mean", "int8/256"), draw_vectors(5))
    mean = view.honest.mean(axis=0)

    def harm(lie: learners.Vector) -> float:
        return float(((view.round.respond(lie) - mean) ** 2).sum())

    worst = harm(exponents.spoil_blocks(view))
    assert worst >= max(harm(attacks.send_zeros(view)), harm(attacks.send_reversed(view)))


def test_a_line_search_meets_the_very_rule() -> None:
    class Search:
        """The shape of byzfl's: agg is called with honest vectors and `f` lies."""

        def __init__(self, agg: Any, pre_agg_list: list[Any], f: int) -> None:
            self.agg, self.f = agg, f

        def __call__(self, honest: learners.Vector) -> learners.Vector:
            tried = [tau * -honest.mean(axis=0) for tau in (0.1, 1000.0)]
            moved = [self.agg(np.concatenate([honest, np.repeat(lie[None], self.f, axis=0)])) for lie in tried]
            return tried[int(np.argmax([np.abs(update).max() for update in moved]))]

    view = new_view(rules.IntegerRule("mean", "int8/256"), draw_vectors(6))
    assert np.abs(attacks.adapt(Search)(view)).max() > 100 * np.abs(view.honest.mean(axis=0)).max()


def test_huge_lies_destroy_the_mean_and_not_the_trimmed_mean() -> None:
    setting = rounds.Setting(1.0, steps=30)
    mean, trimmed = (rounds.train(rules.IntegerRule(name, "int8/256"), attacks.send_huge, setting, 0)
                     for name in ("mean", "trimmed_mean"))
    assert mean < 0.2 and trimmed > 0.5


def test_an_update_that_is_not_finite_counts_as_chance() -> None:
    rule = rules.FloatRule("mean", lambda vectors, liars: vectors.mean(axis=0))
    assert rounds.train(rule, lambda view: attacks.repeat(np.full(learners.PARAMS, np.inf), view),
                        rounds.Setting(1.0, steps=2), 0) == rounds.CHANCE


def test_gradients_are_slopes_of_the_loss() -> None:
    rng = np.random.default_rng(7)
    weights = rng.normal(0, 0.2, learners.PARAMS)
    pixels, labels = rng.uniform(0, 1, (1, 5, learners.PIXELS)), rng.integers(0, 10, (1, 5))

    def loss(at: Any) -> float:
        first, bias, second, shift = learners.split(at)
        logits = np.maximum(pixels[0] @ first + bias, 0) @ second + shift
        return float(np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(5), labels[0]]))

    slopes = learners.compute_gradients(weights, pixels, labels)[0]
    for place in rng.choice(learners.PARAMS, 40, replace=False):
        nudge = np.zeros(learners.PARAMS)
        nudge[place] = 1e-6
        assert slopes[place] == pytest.approx((loss(weights + nudge) - loss(weights - nudge)) / 2e-6, abs=1e-6)


def test_every_row_is_dealt_once_and_a_small_alpha_gives_few_classes() -> None:
    labels = np.arange(1000) % 10
    for alpha in (1.0, 0.3, 0.0):
        parts = learners.deal(labels, 5, alpha, np.random.default_rng(8))
        assert sorted(np.concatenate(parts)) == list(range(1000))
    assert max(len(set(labels[part])) for part in parts) == 2


def new_cells() -> gates.Cells:
    """All gates hold of these."""
    found: gates.Cells = {}
    for rule in ("mean", "krum", "multi_krum", "nnm+trimmed_mean"):
        for attack in ("none", *gates.STANDARD, *gates.WIRE):
            dies = rule == "mean" and attack in ("ipm5", "inf")
            for codec in (gates.DENSE, "float32"):
                found[rule, codec, gates.IID, attack] = [0.1, 0.1] if dies else [0.95, 0.93]
            found[rule, gates.DENSE, gates.MIXED, attack] = [0.1] if dies else [0.7, 0.72]
    return found


@pytest.mark.parametrize("cell, share, gate", [
    (("krum", gates.DENSE, gates.IID, "signflip"), 0.875, 0),
    (("multi_krum", gates.DENSE, gates.IID, "exp low"), 0.8, 1),
    (("mean", gates.DENSE, gates.IID, "inf"), 0.9, 2), (("krum", "float32", gates.IID, "none"), 0.96, 3),
    (("nnm+trimmed_mean", gates.DENSE, gates.MIXED, "ipm5"), 0.69, 4),
])
def test_a_gate_tells_the_cell_that_breaks_it(cell: tuple[str, str, float, str], share: float, gate: int) -> None:
    cells = new_cells()
    assert all(entry.holds for entry in gates.check_cells(cells))
    cells[cell] = [share, share]
    broken = gates.check_cells(cells)[gate]
    assert not broken.holds and cell[0] in broken.broken[0] and cell[3] in broken.broken[0]


def test_a_gate_without_cells_does_not_hold_and_a_destroyed_model_is_not_compared() -> None:
    assert not any(gate.holds for gate in gates.check_cells({}))
    cells = new_cells() | {("mean", "float32", gates.IID, "ipm5"): [0.02]}
    assert gates.check_cells(cells)[3].holds


def test_rounds_have_the_reference_s_bytes_in_any_order_of_workers() -> None:
    vectors = np.concatenate([draw_vectors(9), -draw_vectors(10)[:1] * 1000])
    sent = {(rule, codec): rules.encode(vectors, "", 0, codec)
            for rule in ("krum", "nnm+geometric_median") for codec in ("int8/256", "top64/4096")}
    for gate in (gates.check_backends(sent, COUNT, LIARS, ["cpu"]), gates.check_order(sent, COUNT, LIARS)):
        assert gate.holds and gate.checked == 4


@pytest.mark.parametrize("codec", payload.CODECS)
def test_feedback_of_decay_one_says_in_the_end_all_that_was_to_be_said(codec: str) -> None:
    wire, told, meant = codecs.Wire(codec, codecs.FULL_Q16), np.zeros(COUNT, np.int64), np.zeros(COUNT, np.int64)
    for turn in range(6):
        delta = np.random.default_rng(turn).integers(-2**20, 2**20, COUNT)
        sent = wire.send(0, delta.astype("<i8").tobytes(), COUNT, bytes([turn] * 32))
        told += np.frombuffer(payload.decode(sent, COUNT, codec), "<i8")
        meant += delta
    assert (told + np.frombuffer(wire.residuals[0], "<i8")).tolist() == meant.tolist()


def test_the_wire_joins_as_aggregation_does_and_without_feedback_forgets() -> None:
    deltas = [(np.arange(5, dtype=np.int64) * factor, bytes(32)) for factor in (1, -1, 3)]
    wire = codecs.Wire("int8/256", 0)
    sent = [payload.encode(delta.astype("<i8").tobytes(), 5, seed, "int8/256") for delta, seed in deltas]
    assert wire.join(deltas) == aggregate.aggregate("mean", sent, 5, 0, "int8/256") and not wire.residuals
    assert codecs.Wire(codecs.RAW, 0).join(deltas) == training_rounds.average(deltas, codecs.RAW)


def test_a_codec_s_loss_is_compared_with_that_of_raw_deltas_of_the_same_task() -> None:
    def new_run(task: str, codec: str, decay: int, loss: float) -> Json:
        return {"settings": {"task": task, "codec": codec, "decay_q16": decay, "seed": 0},
                "figures": {"loss": loss, "params": 256}}

    table = codecs.format_table([new_run("characters", "raw", 0, 1.0), new_run("digits", "raw", 0, 2.0),
                                 new_run("digits", "int4/256", 65536, 3.0)])
    assert "| digits | int4/256 | 1.00 | 0.5039 | 1 | 3.0000 | 3.0000-3.0000 | +50.0 % |  |" in table
    assert table.count("%") == 1
