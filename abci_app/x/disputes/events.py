"""Events of the room. Attributes are decimal integers, bech32, lower-case hex and words, in the order written here."""

from abci_app.runtime.events import Event, new_event
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import (
    Dispute, DisputeReason, DisputeStage, DisputeWinner, EndedDispute,
)


WINNER, REASON = "DISPUTE_WINNER_", "DISPUTE_REASON_"


def unit_challenged(dispute: Dispute) -> Event:
    """Somebody says that a unit's claim is wrong."""
    return new_event("disputes.unit_challenged", **_unit(dispute), claimant=dispute.claimant,
                     challenger=dispute.challenger, bond_ugrad=dispute.bond_ugrad,
                     deadline_height=dispute.deadline_height)


def move_made(dispute: Dispute) -> Event:
    """A side has moved; the dispute now waits for the move of `stage`. path: of the node in question, as 3/0/15."""
    stage = DisputeStage.Name(dispute.stage).removeprefix("DISPUTE_STAGE_").lower()
    return new_event("disputes.move_made", **_unit(dispute), stage=stage, segment=dispute.segment,
                     path="/".join(map(str, dispute.path)), deadline_height=dispute.deadline_height)


def operation_executed(dispute: Dispute, operation: int, is_right: bool) -> Event:
    """The one operation in question was executed; is_right: whether it gives what was claimed."""
    return new_event("disputes.operation_executed", **_unit(dispute), segment=dispute.segment,
                     operation=operation, is_right=str(is_right).lower())


def dispute_ended(ended: EndedDispute) -> Event:
    """winner: claimant, challenger or none. reason: executed, silent or moot.

    won_ugrad: what the winner got of the loser's; burnt_ugrad: of the challenger's bond. The claimant's own bond is
    told of by work.trainer_slashed.
    """
    return new_event("disputes.dispute_ended", **_unit(ended),
                     winner=DisputeWinner.Name(ended.winner).removeprefix(WINNER).lower(),
                     reason=DisputeReason.Name(ended.reason).removeprefix(REASON).lower(),
                     won_ugrad=ended.won_ugrad, burnt_ugrad=ended.burnt_ugrad)


def _unit(dispute: Dispute | EndedDispute) -> dict[str, str | int]:
    return {"model_id": dispute.model_id, "round": dispute.round, "unit": dispute.unit}
