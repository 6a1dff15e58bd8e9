"""Seeds of the work market: domain-separated SHA-256, and a counter-mode stream for draws.

Everything a miner must not choose comes from here: who computes which unit, from which rows, which units are audited.
Source: docs in abci_app/x/work/README.md.
"""

import hashlib
from collections.abc import Iterable, Iterator

from abci_app.wire.ints import u32_bytes, u64_bytes


def hash_fields(domain: str, *fields: bytes) -> bytes:
    """SHA-256 over the domain and the fields, each behind its length as u32: no two lists of fields collide."""
    state = hashlib.sha256()
    for part in (domain.encode(), *fields):
        state.update(u32_bytes(len(part)))
        state.update(part)
    return state.digest()


def round_seed(chain_id: str, model_id: int, round_number: int, attempt: int, last_app_hash: bytes,
               last_block_hash: bytes) -> bytes:
    """Seed of one dealing of a round: fixes who computes what."""
    return hash_fields("gradus/round", chain_id.encode(), u64_bytes(model_id), u32_bytes(round_number),
                       u32_bytes(attempt), last_app_hash, last_block_hash)


def reveal_hash(last_app_hash: bytes, last_block_hash: bytes) -> bytes:
    """What the block that ends a round's commits gives to its audit seed, when the next block begins."""
    return hash_fields("gradus/reveal", last_app_hash, last_block_hash)


def audit_seed(chain_id: str, model_id: int, round_number: int, attempt: int, hash_at_reveal: bytes,
               salts: Iterable[tuple[int, bytes]]) -> bytes:
    """Seed of a round's audits, from (unit, salt) of every revealed unit by rising unit.

    Salts are bound by commitments before anybody sees another's, so no order, time or proposer of reveals enters it.
    hash_at_reveal is known when the commits are: whoever chose all salts could else know the draw before it commits.
    """
    return hash_fields("gradus/audit", chain_id.encode(), u64_bytes(model_id), u32_bytes(round_number),
                       u32_bytes(attempt), hash_at_reveal, *(u32_bytes(unit) + salt for unit, salt in salts))


def confirmation_seed(seed: bytes, last_app_hash: bytes, last_block_hash: bytes) -> bytes:
    """Seed of the confirmations that a block opens in a round, from the round's audit seed.

    It names other witnesses than the answer of the first committee, which is public by then.
    """
    return hash_fields("gradus/confirmation", seed, last_app_hash, last_block_hash)


def unit_seed(seed: bytes, unit: int) -> bytes:
    """Seed of one unit of a round: its rows and all its stochastic rounding."""
    return hash_fields("gradus/unit", seed, u32_bytes(unit))


def draw_witness_step(seed: bytes, unit: int, local_steps: int) -> int:
    """The local step (1..local_steps) of a unit whose state an auditor must know, from its audit's seed.

    Nobody can know it before all have committed: no claim holds the answer. The bias of the remainder is below 2^-51.
    """
    return 1 + next(iter_u64(hash_fields("gradus/witness-step", seed, u32_bytes(unit)))) % local_steps


def compute_witness(seed: bytes, unit: int, state_root: bytes) -> bytes:
    """What shows that an auditor had the state of a unit's witness step, from its audit's seed."""
    return hash_fields("gradus/witness", seed, u32_bytes(unit), state_root)


def claim_commitment(address: bytes, model_id: int, round_number: int, attempt: int, unit: int, payload_root: bytes,
                     trace_root: bytes, salt: bytes) -> bytes:
    """What a miner commits to. Bound to its address, so that a copied commitment cannot be revealed."""
    return hash_fields("gradus/claim", address, u64_bytes(model_id), u32_bytes(round_number), u32_bytes(attempt),
                       u32_bytes(unit), payload_root, trace_root, salt)


def iter_u64(seed: bytes) -> Iterator[int]:
    """Endless u64 draws: SHA-256("gradus/draw" ‖ seed ‖ counter), four big-endian words a block."""
    counter = 0
    while True:
        block = hash_fields("gradus/draw", seed, u64_bytes(counter))
        for at in range(0, 32, 8):
            yield int.from_bytes(block[at:at + 8], "big")
        counter += 1


def draw_rows(seed: bytes, count: int, row_count: int) -> list[int]:
    """`count` row indices below `row_count` (u32), with repetition; the bias of the remainder is below 2^-32."""
    draws = iter_u64(seed)
    return [next(draws) % row_count for _ in range(count)]


def draw_row(seed: bytes, place: int, row_count: int) -> int:
    """The row at `place` (u64) of draw_rows, by one hash however many come before it: for a block, which needs few."""
    first = (place & 3) << 3
    block = hash_fields("gradus/draw", seed, u64_bytes(place >> 2))
    return int.from_bytes(block[first:first + 8], "big") % row_count


def shuffle(seed: bytes, count: int) -> list[int]:
    """The numbers below `count` (u32) in an order fixed by the seed (Fisher-Yates from the end)."""
    order, draws = list(range(count)), iter_u64(seed)
    for last in range(count - 1, 0, -1):
        other = next(draws) % (last + 1)
        order[last], order[other] = order[other], order[last]
    return order
