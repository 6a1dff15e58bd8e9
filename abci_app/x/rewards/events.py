"""Events of the room. Attributes are decimal integers, bech32 and upper-case hex for consensus addresses."""

from abci_app.runtime.events import Event, new_event
from abci_app.runtime.fee import FeeParts
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Royalties, Unbacking, Vesting


def round_booked(vesting: Vesting) -> Event:
    """Every accepted unit of a round has earned so much; it vests."""
    return new_event("rewards.round_booked", model_id=vesting.model_id, round=vesting.round, units=len(vesting.units),
                     escrow_ugrad=vesting.escrow_ugrad, minted_ugrad=vesting.minted_ugrad)


def trainer_paid(vesting: Vesting, unit: int, trainer: str) -> Event:
    """A trainer was paid for one unit, whose challenges are over."""
    return new_event("rewards.trainer_paid", model_id=vesting.model_id, round=vesting.round, unit=unit,
                     trainer=trainer, amount_ugrad=vesting.escrow_ugrad + vesting.minted_ugrad)


def unit_revoked(vesting: Vesting, unit: int, trainer: str, burnt_ugrad: int) -> Event:
    """What a unit had earned was taken back before it was paid; what did not return to the escrow was burnt."""
    returned_ugrad = vesting.escrow_ugrad + vesting.minted_ugrad - burnt_ugrad
    return new_event("rewards.unit_revoked", model_id=vesting.model_id, round=vesting.round, unit=unit,
                     trainer=trainer, returned_ugrad=returned_ugrad, burnt_ugrad=burnt_ugrad)


def auditor_paid(model_id: int, account: str, amount_ugrad: int) -> Event:
    """An auditor's account was paid for its digests of a round, from the model's escrow."""
    return new_event("rewards.auditor_paid", model_id=model_id, account=account, amount_ugrad=amount_ugrad)


def slash_shared(account: str, amount_ugrad: int) -> Event:
    """An account that helped to prove a claim wrong got its part of the bond."""
    return new_event("rewards.slash_shared", account=account, amount_ugrad=amount_ugrad)


def fees_paid(proposer: bytes, account: str, amount_ugrad: int) -> Event:
    """The block's fees went to its proposer's account."""
    return new_event("rewards.fees_paid", proposer=proposer.hex().upper(), account=account, amount_ugrad=amount_ugrad)


def block_rewarded(proposer: bytes, stakers_ugrad: int, community_ugrad: int, work_ugrad: int) -> Event:
    """A block's reward: minted for its proposer and the community, accrued to the backed models."""
    return new_event("rewards.block_rewarded", proposer=proposer.hex().upper(), stakers_ugrad=stakers_ugrad,
                     community_ugrad=community_ugrad, work_ugrad=work_ugrad)


def model_backed(model_id: int, owner: str, amount_ugrad: int) -> Event:
    """An account put coins behind a model."""
    return new_event("rewards.model_backed", model_id=model_id, owner=owner, amount_ugrad=amount_ugrad)


def model_unbacked(model_id: int, owner: str, amount_ugrad: int, due_height: int) -> Event:
    """An account took coins from behind a model; they come back at due_height."""
    return new_event("rewards.model_unbacked", model_id=model_id, owner=owner, amount_ugrad=amount_ugrad,
                     due_height=due_height)


def backing_returned(unbacking: Unbacking) -> Event:
    """Coins from behind a model came back to their owner."""
    return new_event("rewards.backing_returned", model_id=unbacking.model_id, owner=unbacking.owner,
                     amount_ugrad=unbacking.amount_ugrad)


def fee_shared(model_id: int, host: str, parts: FeeParts) -> Event:
    """The fee of an answer, or of a session's answers together, went to who earns by it."""
    return new_event("rewards.fee_shared", model_id=model_id, host=host, host_ugrad=parts.host_ugrad,
                     trainers_ugrad=parts.trainers_ugrad, creator_ugrad=parts.creator_ugrad,
                     owner_ugrad=parts.owner_ugrad, auditors_ugrad=parts.auditors_ugrad, burnt_ugrad=parts.burnt_ugrad)


def answer_auditor_paid(model_id: int, account: str, amount_ugrad: int) -> Event:
    """An auditor's account was paid for computing an answer again, from the pool of the model's fees."""
    return new_event("rewards.answer_auditor_paid", model_id=model_id, account=account, amount_ugrad=amount_ugrad)


def royalties_collected(royalties: Royalties, trainer: str, amount_ugrad: int) -> Event:
    """A trainer has collected what its units earned by answers."""
    return new_event("rewards.royalties_collected", model_id=royalties.model_id, trainer=trainer,
                     amount_ugrad=amount_ugrad)
