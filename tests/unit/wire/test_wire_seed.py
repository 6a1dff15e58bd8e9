"""Seeds never change: they decide who computes what, and a change splits the chain."""

import hashlib
from itertools import islice
from typing import Any

from abci_app.wire.seed import (
    audit_seed, claim_commitment, draw_rows, hash_fields, iter_u64, round_seed, shuffle, unit_seed,
)

APP_HASH = bytes(range(32))
SEED = hashlib.sha256(b"seed").digest()
GOLDEN: dict[str, object] = {
    "round": "841b51eb38fcacde521329bf09f96af5520852df346ac02d5210951d7f8c26cf",
    "audit": "e0bf6b44f73ea4b3ca612266a25727e0f5c7772af8905709b35db7a00c141153",
    "unit": "080c12f00eec790b57e1ef1a1f205ce10d8d9e37b7bfd4c38480ea5650bce6ff",
    "claim": "5111db3bf863afdb0bda7fdfdb3ad2ca43ae46d427e735507fc01073f3e20ba1",
    "draws": ["33274927449cd999", "a2d7e6d49bcb3a57", "9f0083f880304532", "f11a4562a5bbe3e9", "6d838a2a7e061c9c"],
    "rows": [521, 127, 978, 401, 236, 763, 938, 825],
    "shuffle": [0, 8, 6, 7, 3, 4, 9, 2, 5, 1],
}


def test_fields_are_hashed_behind_their_lengths() -> None:
    expected = hashlib.sha256(b"\0\0\0\1d" + b"\0\0\0\2ab" + b"\0\0\0\0").digest()
    assert hash_fields("d", b"ab", b"") == expected
    assert len({hash_fields("d", b"ab", b"c"), hash_fields("d", b"a", b"bc"), hash_fields("d", b"abc"),
                hash_fields("da", b"b", b"c"), hash_fields("d", b"ab", b"c", b"")}) == 5


def test_seeds_are_the_golden_ones() -> None:
    assert {
        "round": round_seed("gradus-1", 7, 3, 0, APP_HASH).hex(),
        "audit": audit_seed("gradus-1", 7, 3, APP_HASH).hex(),
        "unit": unit_seed(SEED, 5).hex(),
        "claim": claim_commitment(bytes(20), 7, 3, 5, b"p" * 32, b"t" * 32, b"s" * 32).hex(),
        "draws": [f"{draw:016x}" for draw in islice(iter_u64(SEED), 5)],
        "rows": draw_rows(SEED, 8, 1000),
        "shuffle": shuffle(SEED, 10),
    } == GOLDEN


def test_every_field_of_a_seed_matters() -> None:
    seeds = {round_seed("a", 1, 1, 0, APP_HASH), round_seed("b", 1, 1, 0, APP_HASH), round_seed("a", 2, 1, 0, APP_HASH),
             round_seed("a", 1, 2, 0, APP_HASH), round_seed("a", 1, 1, 1, APP_HASH), round_seed("a", 1, 1, 0, SEED),
             audit_seed("a", 1, 1, APP_HASH)}
    assert len(seeds) == 7


def test_commitment_is_bound_to_address_and_salt() -> None:
    parts: dict[str, Any] = {"address": bytes(20), "model_id": 1, "round_number": 1, "unit": 1,
                             "payload_hash": b"p" * 32, "trace_root": b"t" * 32, "salt": b"s" * 32}
    others = [parts, parts | {"address": b"a" * 20}, parts | {"model_id": 2}, parts | {"round_number": 2},
              parts | {"unit": 2}, parts | {"payload_hash": b"q" * 32}, parts | {"trace_root": b"u" * 32},
              parts | {"salt": b"r" * 32}]
    assert len({claim_commitment(**other) for other in others}) == 8


def test_shuffle_holds_every_number_once() -> None:
    for count in (0, 1, 2, 17, 1000):
        assert sorted(shuffle(SEED, count)) == list(range(count))


def test_draws_stay_below_the_row_count() -> None:
    assert draw_rows(SEED, 0, 5) == [] and draw_rows(SEED, 4, 1) == [0, 0, 0, 0]
    assert max(draw_rows(SEED, 1000, 10)) == 9 and min(draw_rows(SEED, 1000, 10)) == 0
