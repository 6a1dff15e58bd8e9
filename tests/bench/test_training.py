"""The comparison with torch measures what a unit computes; its own arithmetic. None of this needs torch."""

import numpy as np
import pytest

from kernels import aggregate, outer, payload, unit
from kernels.decoder import Decoder, init_weights
from kernels.optimiser import Adam, Lion
from kernels.optimiser.schedule import Schedule
from tests.bench.training import tables
from tests.bench.training.characters import draw_batches
from tests.bench.training.corpus import Corpus, draw_rows, new_corpus
from tests.bench.training.integers import IntegerTraining, Recipe, compute_loss
from tests.bench.training.records import Json
from tests.bench.training.rounds import CODEC, average

MODEL = Decoder(11, 6, 16, 2, 24, 2, "rotary", True, ("up",))
TEXT = new_corpus("text", ["abcdefghijk" * 40])


def test_the_measured_steps_are_those_of_a_unit() -> None:
    recipe = Recipe(MODEL, Adam(60000, 58982, 6), Schedule("linear", 2, 9, 6554), 3)
    weights, seed = init_weights(MODEL, bytes(32)), bytes(range(32))
    rows = list(draw_batches(recipe, TEXT, 0, 4))
    run = IntegerTraining(recipe, weights, seed)
    batches = ((batch[:, :-1].copy(), batch[:, 1:].reshape(-1)) for batch in rows)
    assert list(run.train(batches, 4, 5)) == [1, 2, 3, 4]
    local = np.frombuffer(run.weights(), dtype="<i4").astype("<i8") - np.frombuffer(weights, dtype="<i4")
    policy = unit.UnitPolicy(MODEL, recipe.optimiser, recipe.schedule, 4, 3, 4, CODEC)
    result = unit.run_unit(policy, weights, np.concatenate(rows).astype("<u2").tobytes(), b"", seed, 5)
    assert payload.encode(local.tobytes(), local.size, seed, CODEC) == result.payload


def test_a_trained_decoder_is_judged_better_than_an_untrained_one() -> None:
    recipe = Recipe(MODEL, Lion(60000, 58982, 64881), Schedule(), 8)
    weights, held = init_weights(MODEL, bytes(32)), draw_rows(TEXT.held, "held", 6, MODEL.context)
    before = compute_loss(MODEL, weights, held, 4)
    run = IntegerTraining(recipe, weights, bytes(32))
    batches = ((rows[:, :-1].copy(), rows[:, 1:].reshape(-1)) for rows in draw_batches(recipe, TEXT, 0, 60))
    assert sum(1 for _ in run.train(batches, 60)) == 60
    assert before == pytest.approx(np.log(MODEL.vocab), rel=0.2)
    assert compute_loss(MODEL, run.weights(), held, 4) < before / 2


def test_the_last_tenth_of_every_text_is_held_and_tokens_are_in_the_order_of_characters() -> None:
    corpus = new_corpus("two", ["abcdefghij", "jihgfedcbz"])
    assert corpus.train.tolist() == [*range(9), *range(9, 0, -1)]
    assert corpus.held.tolist() == [9, 10] and corpus.vocab == 11


def test_rows_are_windows_of_the_text_and_depend_on_the_label_alone() -> None:
    rows = draw_rows(TEXT.train, "one", 50, 8)
    assert rows.shape == (50, 9) and {tuple((row - row[0]) % 11) for row in rows.astype(int)} == {tuple(range(9))}
    assert (rows == draw_rows(TEXT.train, "one", 50, 8)).all() and (rows != draw_rows(TEXT.train, "two", 50, 8)).any()


def test_raw_deltas_are_averaged_as_payloads_are() -> None:
    deltas = [(np.array([3, -3, 127, 0, 5], dtype=np.int64) * factor, bytes(32)) for factor in (1, 1, 0, 0)]
    assert average(deltas, CODEC) == average(deltas, "raw")
    mean = np.frombuffer(average(deltas, "raw"), dtype="<i8")
    assert mean.tolist() == [2, -2, 64, 0, 3]
    weights, _ = outer.outer_step(bytes(20), bytes(40), average(deltas, "raw"), 65536, 0)
    assert np.frombuffer(weights, dtype="<i4").tolist() == mean.tolist()
    sent = [payload.encode(delta.astype("<i8").tobytes(), 5, seed, CODEC) for delta, seed in deltas]
    assert aggregate.aggregate("mean", sent, 5, 0, CODEC) == mean.astype("<i8").tobytes()


def new_run(arithmetic: str, loss: float) -> Json:
    settings = {"text": "t", "size": "d64", "optimiser": "adam", "rate": 0.1, "steps": 9, "batch_rows": 1,
                "positions": "learned", "tied": False, "seed": 0, "arithmetic": arithmetic}
    return {"settings": settings, "figures": {"loss": loss, "curve": [[9, loss]], "params": 5, "cpu_s": 1.0}}


def test_a_gap_is_to_the_float32_run_of_the_same_settings_and_no_other() -> None:
    other = new_run("float32", 1.0)
    other["settings"]["seed"] = 1
    table = tables.format_characters([new_run("int8", 2.02), new_run("float32", 2.0), other])
    assert table.count("%") == 1 and "+1.00 %" in table
    assert tables.format_gap(new_run("int8", 2.0)["figures"], None) == ""


def test_a_text_of_one_character_or_too_short_for_a_row_is_refused() -> None:
    with pytest.raises(Exception, match="two different characters"):
        new_corpus("dull", ["aaaa"])
    with pytest.raises(Exception, match="too short"):
        draw_rows(Corpus("t", "", 2, TEXT.train[:5], TEXT.held).train, "one", 1, 8)
