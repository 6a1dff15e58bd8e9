"""Why a miner waits, and why it was slashed, in words for people; every figure is the chain's."""

from abci_app.client.chain import ChainClient
from abci_app.miner.preflight import is_live
from abci_app.runtime.contract import compute_round_cost
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    SLASH_REASON_DISPUTE, SLASH_REASON_MISMATCH, SLASH_REASON_WITHHELD, TRAINER_STATUS_ACTIVE, Slash, SlashReason,
)
from abci_app.x.work.types import compute_trainers_needed

SLASHED = {SLASH_REASON_MISMATCH: "an audit proved its claim wrong", SLASH_REASON_WITHHELD: "it was never revealed",
           SLASH_REASON_DISPUTE: "it lost a dispute about its claim"}


def describe_wait(chain: ChainClient, model_id: int) -> str:
    """What a model that trains lacks for its next round: to be resumed, escrow, trainers, or nothing but a block."""
    model, lacking = chain.get_model(model_id), list[str]()
    if not is_live(model):
        return ""
    if model.paused_by:
        return f"an end of its pause: {model.paused_by} paused it, and resumes it"
    cost_ugrad = compute_round_cost(model.spec)
    if model.escrow_ugrad < cost_ugrad:
        lacking.append(f"escrow: {model.escrow_ugrad} of the {cost_ugrad} ugrad that a round pays "
                       f"(gradus tx models fund {model_id} AMOUNT --from KEY)")
    needed = compute_trainers_needed(model.status, model.spec.training)
    active = sum(trainer.status == TRAINER_STATUS_ACTIVE for trainer in chain.iter_trainers(model_id))
    if active < needed:
        lacking.append(f"trainers: {active} of the {needed} that a round needs are active")
    return " and ".join(lacking) or "the next block"


def describe_slash(chain: ChainClient, model_id: int, address: str) -> str:
    """What the last slash of a trainer was for: reason, unit, round, amount; that there is none where there is none."""
    found: Slash | None = None
    for slash in chain.iter_slashes(model_id):
        if slash.trainer == address:
            found = slash
    if found is None:
        return f"no slash of {address} is on record"
    reason = SLASHED.get(found.reason) or _name(found.reason)
    return (f"{found.amount_ugrad} ugrad were taken for unit {found.unit} of round {found.round} at height "
            f"{found.height}: {reason}")


def _name(reason: SlashReason) -> str:
    """A reason's name in lower case; its number, when a later version of the chain has named it."""
    known = reason in SlashReason.values()
    return SlashReason.Name(reason).removeprefix("SLASH_REASON_").lower() if known else f"reason {reason}"
