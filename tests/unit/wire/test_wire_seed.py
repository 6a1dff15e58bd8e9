"""Seeds never change: they decide who computes what, and a change splits the chain."""

import hashlib
from itertools import islice
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from abci_app.wire.seed import (
    audit_seed, claim_commitment, compute_witness, draw_row, draw_rows, draw_witness_step, hash_fields, iter_u64,
    reveal_hash, round_seed, shuffle, unit_seed,
)

APP_HASH = bytes(range(32))
SEED = hashlib.sha256(b"seed").digest()
GOLDEN: dict[str, object] = {
    "round": "fbb44e769b0c70a5d631228b4da7862d467813057291508a1ba4d304b0c684b6",
    "reveal": "e1a826e0083ddab571e08d0b44494bf98520b30577eb162045952654b6fd1439",
    "audit": "d0a4e1678bdf8c8b72a104af77f3ccf9beadca5fb58eea5af34b0e97ffdb39b3",
    "unit": "080c12f00eec790b57e1ef1a1f205ce10d8d9e37b7bfd4c38480ea5650bce6ff",
    "claim": "ca650b33635c12d233dfc4727e71398190671d52a97486e494883bd369ba2c66",
    "draws": ["33274927449cd999", "a2d7e6d49bcb3a57", "9f0083f880304532", "f11a4562a5bbe3e9", "6d838a2a7e061c9c"],
    "rows": [521, 127, 978, 401, 236, 763, 938, 825],
    "shuffle": [0, 8, 6, 7, 3, 4, 9, 2, 5, 1],
    "witness_steps": [19, 21, 29, 20, 28, 29],
    "witness": "17c1368e6884decacbbe9da3c82cc6115309bbcf3eb12d80536d4568be5cff20",
}


def test_fields_are_hashed_behind_their_lengths() -> None:
    expected = hashlib.sha256(b"\0\0\0\1d" + b"\0\0\0\2ab" + b"\0\0\0\0").digest()
    assert hash_fields("d", b"ab", b"") == expected
    assert len({hash_fields("d", b"ab", b"c"), hash_fields("d", b"a", b"bc"), hash_fields("d", b"abc"),
                hash_fields("da", b"b", b"c"), hash_fields("d", b"ab", b"c", b"")}) == 5


def test_seeds_are_the_golden_ones() -> None:
    assert {
        "round": round_seed("gradus-1", 7, 3, 0, APP_HASH, SEED).hex(),
        "reveal": reveal_hash(APP_HASH, SEED).hex(),
        "audit": audit_seed("gradus-1", 7, 3, 0, SEED, [(0, APP_HASH), (2, SEED)]).hex(),
        "unit": unit_seed(SEED, 5).hex(),
        "claim": claim_commitment(bytes(20), 7, 3, 1, 5, b"p" * 32, b"t" * 32, b"s" * 32).hex(),
        "draws": [f"{draw:016x}" for draw in islice(iter_u64(SEED), 5)],
        "rows": draw_rows(SEED, 8, 1000),
        "shuffle": shuffle(SEED, 10),
        "witness_steps": [draw_witness_step(SEED, unit, 32) for unit in range(6)],
        "witness": compute_witness(SEED, 5, b"s" * 32).hex(),
    } == GOLDEN


def test_every_field_of_a_seed_matters() -> None:
    good: tuple[Any, ...] = ("a", 1, 1, 0, APP_HASH, SEED)
    others: list[tuple[Any, ...]] = [good, ("b", *good[1:]), ("a", 2, *good[2:]), ("a", 1, 2, *good[3:]),
                                     (*good[:3], 1, *good[4:]), (*good[:4], SEED, SEED),
                                     (*good[:4], APP_HASH, APP_HASH)]
    assert len({round_seed(*other) for other in others}) == 7
    salts = [(0, APP_HASH), (1, SEED)]
    good = ("a", 1, 1, 0, SEED, salts)
    others = [good, ("b", *good[1:]), ("a", 2, *good[2:]), ("a", 1, 2, *good[3:]), (*good[:3], 1, *good[4:]),
              (*good[:4], APP_HASH, salts), (*good[:5], salts[:1]), (*good[:5], [(0, APP_HASH), (2, SEED)]),
              (*good[:5], [(0, SEED), (1, APP_HASH)])]
    assert len({audit_seed(*other) for other in others}) == 9
    assert len({reveal_hash(APP_HASH, SEED), reveal_hash(SEED, SEED), reveal_hash(APP_HASH, APP_HASH)}) == 3


def test_commitment_is_bound_to_address_and_salt() -> None:
    parts: dict[str, Any] = {"address": bytes(20), "model_id": 1, "round_number": 1, "attempt": 0, "unit": 1,
                             "payload_root": b"p" * 32, "trace_root": b"t" * 32, "salt": b"s" * 32}
    others = [parts, parts | {"address": b"a" * 20}, parts | {"model_id": 2}, parts | {"round_number": 2},
              parts | {"attempt": 1}, parts | {"unit": 2}, parts | {"payload_root": b"q" * 32},
              parts | {"trace_root": b"u" * 32}, parts | {"salt": b"r" * 32}]
    assert len({claim_commitment(**other) for other in others}) == 9


@given(seed=st.binary(min_size=32, max_size=32), unit=st.integers(0, 2**32 - 1), steps=st.integers(1, 4096))
def test_witness_step_is_one_of_the_unit(seed: bytes, unit: int, steps: int) -> None:
    drawn = hash_fields("gradus/witness-step", seed, unit.to_bytes(4, "big"))
    first = hashlib.sha256(b"\0\0\0\x0bgradus/draw" + b"\0\0\0\x20" + drawn + b"\0\0\0\x08" + bytes(8)).digest()
    step = draw_witness_step(seed, unit, steps)
    assert 1 <= step <= steps and step == 1 + int.from_bytes(first[:8], "big") % steps


def test_witness_is_bound_to_seed_unit_and_state() -> None:
    others = [(SEED, 1, APP_HASH), (APP_HASH, 1, APP_HASH), (SEED, 2, APP_HASH), (SEED, 1, SEED)]
    assert len({compute_witness(*other) for other in others}) == 4
    assert len({draw_witness_step(seed, unit, 4096) for seed in (SEED, APP_HASH) for unit in range(4)}) == 8


def test_shuffle_holds_every_number_once() -> None:
    for count in (0, 1, 2, 17, 1000):
        assert sorted(shuffle(SEED, count)) == list(range(count))


def test_draws_stay_below_the_row_count() -> None:
    assert draw_rows(SEED, 0, 5) == [] and draw_rows(SEED, 4, 1) == [0, 0, 0, 0]
    assert max(draw_rows(SEED, 1000, 10)) == 9 and min(draw_rows(SEED, 1000, 10)) == 0


@given(seed=st.binary(min_size=32, max_size=32), row_count=st.integers(1, 2**32 - 1))
def test_row_is_drawn_alone_as_in_its_turn(seed: bytes, row_count: int) -> None:
    assert [draw_row(seed, place, row_count) for place in range(19)] == draw_rows(seed, 19, row_count)
