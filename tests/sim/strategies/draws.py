"""Whether a unit will be audited, as far as one who sees the chain can work it out before the draw."""

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

from abci_app.wire.pb.gradus.work.v1.work_pb2 import UNIT_STATUS_COMMITTED, UNIT_STATUS_REVEALED, Round
from abci_app.wire.seed import audit_seed
from abci_app.x.work.types import draw_units
from tests.sim.claims import new_salt

if TYPE_CHECKING:
    from tests.sim.strategies.stage import Stage


def list_drawn(stage: "Stage", running: Round, own: Sequence[int] = ()) -> list[int]:
    """The units that are drawn if `own` are revealed besides those that are now, and no others will be.

    Their salts are the side's own, so it knows them; and so are those of whoever has revealed.
    """
    units = stage.units(running)
    revealed = [(unit.index, unit.salt or new_salt(unit)) for unit in units
                if unit.status == UNIT_STATUS_REVEALED or unit.index in own]
    withheld = sum(1 for unit in units if unit.status == UNIT_STATUS_COMMITTED and unit.index not in own)
    seed = audit_seed(stage.chain.chain_id, running.model_id, running.number, running.attempt, running.reveal_hash,
                      revealed)
    spec = stage.chain.app.work.spec_of(stage.chain.ctx(), running)
    return draw_units(seed, [index for index, _ in revealed], spec.audit.rate_ppm, withheld)


def guess_drawn(stage: "Stage", running: Round, units: Sequence[int], own: Container[int]) -> list[int]:
    """What one who knows the salts of `own` alone can make of the draw before the others reveal."""
    salts = [(unit.index, new_salt(unit) if unit.index in own else bytes(32)) for unit in stage.units(running)]
    seed = audit_seed(stage.chain.chain_id, running.model_id, running.number, running.attempt, running.reveal_hash,
                      salts)
    spec = stage.chain.app.work.spec_of(stage.chain.ctx(), running)
    return draw_units(seed, units, spec.audit.rate_ppm, 0)
