"""Why a miner waits, and why it was slashed, in words for people; every figure is the chain's."""

from abci_app.client.chain import ChainClient
from abci_app.client.words import enum_word
from abci_app.miner.preflight import is_live
from abci_app.runtime.contract import compute_round_cost
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    SLASH_REASON_DISPUTE, SLASH_REASON_MISMATCH, SLASH_REASON_WITHHELD, TRAINER_STATUS_ACTIVE, SlashReason, Trainer,
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


def describe_absence(chain: ChainClient, trainer: Trainer) -> str:
    """Why an active trainer is dealt nothing by the newest terms: a bond below theirs, no invitation; else empty."""
    model = chain.get_model(trainer.model_id)
    if not is_live(model):
        return ""
    missing_ugrad = model.spec.economy.bond_ugrad - trainer.bond_ugrad
    if missing_ugrad > 0:
        return (f"{missing_ugrad} ugrad more of bond, which newer terms ask for: nothing is dealt before "
                f"(gradus tx work enroll {model.id} --bond {missing_ugrad}ugrad --from KEY, or start with --top-up)")
    if model.spec.invited_trainers and trainer.address not in model.spec.invited_trainers:
        return (f"an invitation, which {trainer.address} no longer has: model {model.id} deals to others alone "
                f"(gradus tx work leave {model.id} --from KEY gives the bond back)")
    return ""


def describe_slash(chain: ChainClient, model_id: int, address: str) -> str:
    """What the last slash of a trainer was for: reason, unit, round, amount; and what the earlier ones took, if any.

    That there is none on record where there is none.
    """
    found = [slash for slash in chain.iter_slashes(model_id) if slash.trainer == address]
    if not found:
        return f"no slash of {address} is on record"
    last = found[-1]
    reason = SLASHED.get(last.reason) or enum_word(SlashReason.DESCRIPTOR, last.reason)
    earlier = f"; {len(found) - 1} earlier took {sum(slash.amount_ugrad for slash in found[:-1])} ugrad"
    return (f"{last.amount_ugrad} ugrad were taken for unit {last.unit} of round {last.round} at height "
            f"{last.height}: {reason}{earlier if len(found) > 1 else ''}")
