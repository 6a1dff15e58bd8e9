"""Events of the room. Attributes are decimal integers, bech32 and upper-case hex for consensus addresses."""

from abci_app.runtime.events import Event, new_event


def round_paid(model_id: int, units: int, share_ugrad: int) -> Event:
    """Every accepted unit of a round was paid share_ugrad."""
    return new_event("rewards.round_paid", model_id=model_id, units=units, share_ugrad=share_ugrad)


def trainer_paid(model_id: int, trainer: str, amount_ugrad: int) -> Event:
    """A trainer was paid for one accepted unit."""
    return new_event("rewards.trainer_paid", model_id=model_id, trainer=trainer, amount_ugrad=amount_ugrad)


def slash_collected(amount_ugrad: int) -> Event:
    """What is not burnt of a slash went to the fees."""
    return new_event("rewards.slash_collected", amount_ugrad=amount_ugrad)


def fees_paid(proposer: bytes, account: str, amount_ugrad: int) -> Event:
    """The block's fees went to its proposer's account."""
    return new_event("rewards.fees_paid", proposer=proposer.hex().upper(), account=account, amount_ugrad=amount_ugrad)
