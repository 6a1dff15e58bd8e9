"""Whether a unit will be audited, as far as one who sees the chain can work it out before the draw."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from abci_app.wire.pb.gradus.work.v1.work_pb2 import UNIT_STATUS_REVEALED, Round
from abci_app.wire.seed import audit_seed
from abci_app.x.work.types import draw_units

if TYPE_CHECKING:
    from tests.sim.strategies.stage import Stage


def is_drawn(stage: "Stage", running: Round, unit: int, app_hash: bytes, block_hash: bytes,
             to_come: Sequence[int] = ()) -> bool:
    """Whether a unit is drawn if the round's reveals end with a block of these hashes.

    to_come: units that are revealed with it, besides those that are now; `unit` is in any case.
    """
    revealed = sorted({unit, *to_come, *(other.index for other in stage.units(running)
                                         if other.status == UNIT_STATUS_REVEALED)})
    seed = audit_seed(stage.chain.chain_id, running.model_id, running.number, running.attempt, app_hash, block_hash)
    spec = stage.chain.app.work.spec_of(stage.chain.ctx(), running)
    return unit in draw_units(seed, revealed, spec.audit.rate_ppm)
