"""Genesis of the disputes room.

{"disputes": [Dispute], "traces": [{"model_id", "round", "unit", "digests": hex}], "ended": [EndedDispute]}
Records stand as runtime/records.py writes them. Any may be left out. The indices are made anew from the records.
"""

from typing import Any

from abci_app.runtime.context import Ctx
from abci_app.runtime.genesis import GenesisInvalid, Section, read_hex
from abci_app.runtime.records import export_record, read_record
from abci_app.wire.ints import U32_MAX
from abci_app.wire.merkle import HASH_BYTES, merkle_root
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import (
    DISPUTE_REASON_EXECUTED, DISPUTE_REASON_MOOT, DISPUTE_REASON_SILENT, DISPUTE_STAGE_UNSPECIFIED,
    DISPUTE_WINNER_CHALLENGER, DISPUTE_WINNER_CLAIMANT, DISPUTE_WINNER_NONE, Dispute, EndedDispute,
)
from abci_app.x.disputes.keeper import Keeper
from abci_app.x.disputes.types import find_contradiction

PATH = "app_state.disputes"
ENDS = ((DISPUTE_WINNER_CLAIMANT, DISPUTE_REASON_EXECUTED), (DISPUTE_WINNER_CLAIMANT, DISPUTE_REASON_SILENT),
        (DISPUTE_WINNER_CHALLENGER, DISPUTE_REASON_EXECUTED), (DISPUTE_WINNER_CHALLENGER, DISPUTE_REASON_SILENT),
        (DISPUTE_WINNER_NONE, DISPUTE_REASON_MOOT))


def init_genesis(ctx: Ctx, keeper: Keeper, state: dict[str, Any]) -> None:
    """Write the genesis state. Raises GenesisInvalid."""
    section = Section(PATH, state).only("disputes", "traces", "ended")
    for item in section.sections("disputes"):
        _init_dispute(ctx, keeper, item)
    for item in section.sections("traces"):
        _init_trace(ctx, keeper, item.only("model_id", "round", "unit", "digests"))
    for item in section.sections("ended"):
        _init_ended(ctx, keeper, item)


def export_genesis(ctx: Ctx, keeper: Keeper) -> dict[str, Any]:
    """The genesis state that gives this state again."""
    disputes = list(keeper.iter_disputes(ctx))
    traces = []
    for dispute in disputes:
        digests = keeper.find_trace(ctx, dispute)
        if digests is not None:
            traces.append({"model_id": str(dispute.model_id), "round": str(dispute.round), "unit": str(dispute.unit),
                           "digests": b"".join(digests).hex()})
    return {"disputes": [export_record(dispute) for dispute in disputes], "traces": traces,
            "ended": [export_record(ended) for ended in keeper.iter_ended(ctx)]}


def _init_dispute(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    dispute = read_record(item, Dispute)
    unit = keeper.work.find_unit(ctx, dispute.model_id, dispute.round, dispute.unit)
    if unit is None or unit.trainer != dispute.claimant:
        raise GenesisInvalid(item.path, "of no listed unit of its claimant", "list the unit under work")
    if keeper.find_dispute(ctx, dispute.model_id, dispute.round, dispute.unit) is not None:
        raise GenesisInvalid(item.path, "this dispute stands in the list twice", "take one of them out")
    if dispute.stage == DISPUTE_STAGE_UNSPECIFIED:
        raise GenesisInvalid(f"{item.path}.stage", "missing", "for example DISPUTE_STAGE_TRACE")
    item.address("challenger")
    problem = find_contradiction(keeper.compute_terms(ctx, dispute), dispute)
    if problem is not None:
        raise GenesisInvalid(item.path, problem, "export it again")
    keeper.put_dispute(ctx, dispute)


def _init_ended(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    """What it means together with others is for the invariants."""
    ended = read_record(item, EndedDispute)
    item.address("claimant")
    item.address("challenger")
    if (ended.winner, ended.reason) not in ENDS:
        raise GenesisInvalid(item.path, "no dispute ends with this winner for this reason", "export it again")
    if ended.ordinal != sum(1 for _ in keeper.iter_ended_about(ctx, ended.model_id, ended.round, ended.unit)):
        raise GenesisInvalid(f"{item.path}.ordinal", str(ended.ordinal), "list a unit's in turn, from 0")
    keeper.put_ended(ctx, ended)


def _init_trace(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    data = read_hex(f"{item.path}.digests", item.value.get("digests"))
    place = item.uint("model_id"), item.uint("round", U32_MAX), item.uint("unit", U32_MAX)
    dispute, unit = keeper.find_dispute(ctx, *place), keeper.work.find_unit(ctx, *place)
    digests = [data[at:at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
    if dispute is None or unit is None or not digests or merkle_root(digests) != unit.trace_root:
        raise GenesisInvalid(item.path, "not the trace of a listed dispute", "export it again")
    keeper.put_trace(ctx, dispute, digests)
