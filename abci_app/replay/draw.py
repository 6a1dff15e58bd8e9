"""The draw of a round's audits, made again: by all salts that were revealed, and compared with the units audited."""

from collections.abc import Sequence
from dataclasses import dataclass

from abci_app.replay.rounds import Outcome
from abci_app.wire.pb.gradus.work.v1.work_pb2 import AUDIT_VERDICT_UNSPECIFIED, UNIT_STATUS_WITHHELD, Round, Unit
from abci_app.wire.seed import audit_seed
from abci_app.x.work.types import draw_units


@dataclass(frozen=True, slots=True)
class Draw:
    """What a round's audits were drawn from, and which were. salts: (unit, salt) of what was revealed, units rising.

    drawn: units rising. seed: as the chain has it; empty where it is not told.
    """

    number: int
    attempt: int
    reveal_hash: bytes
    salts: Sequence[tuple[int, bytes]]
    withheld_count: int
    drawn: Sequence[int]
    seed: bytes = b""


def read_draw(owner: Round, units: Sequence[Unit]) -> Draw | None:
    """The draw of a round that is kept, from the records of all its units; None before its audits are drawn."""
    if not owner.audit_seed:
        return None
    return Draw(owner.number, owner.attempt, owner.reveal_hash,
                [(unit.index, unit.salt) for unit in units if unit.salt],
                sum(unit.status == UNIT_STATUS_WITHHELD for unit in units),
                [unit.index for unit in units if unit.verdict != AUDIT_VERDICT_UNSPECIFIED], owner.audit_seed)


def compare_draw(draw: Draw | None, chain_id: str, model_id: int, rate_ppm: int) -> Outcome:
    """Whether exactly the units were audited that the seed names. rate_ppm: by the terms of the round."""
    if draw is None:
        return Outcome.UNKNOWN
    seed = audit_seed(chain_id, model_id, draw.number, draw.attempt, draw.reveal_hash, draw.salts)
    drawn = draw_units(seed, [unit for unit, _ in draw.salts], rate_ppm, draw.withheld_count)
    is_equal = list(draw.drawn) == drawn and draw.seed in (b"", seed)
    return Outcome.EQUAL if is_equal else Outcome.DIFFERENT
