"""Ends of a block: evidence is taken at its beginning, and its end tells the engine whose power is gone."""

from itertools import islice

from abci_app.runtime.context import Ctx
from abci_app.runtime.validators import ValidatorUpdate
from abci_app.wire.pb.gradus.validators.v1.validators_pb2 import EvidenceAge, Misbehaviour
from abci_app.x.validators.keeper import Keeper
from abci_app.x.validators.types import FORGOTTEN_PER_BLOCK_MAX


def take_misbehaviour(ctx: Ctx, keeper: Keeper) -> None:
    """Take the block's evidence, then forget what nobody can prove again.

    In this order: the engine checks the evidence of a block against the age at the block before it, so that what is
    too old at this block can still come in it, and cannot in the next.
    """
    powered = keeper.count_powered(ctx) if ctx.misbehaviour else 0
    for entry in ctx.misbehaviour:
        powered -= keeper.take_evidence(ctx, entry, powered)
    age = keeper.evidence_age(ctx)
    oldest = list(islice(keeper.iter_misbehaviours(ctx), FORGOTTEN_PER_BLOCK_MAX))
    for record in oldest:
        if not is_expired(ctx, record, age):
            break
        keeper.drop_misbehaviour(ctx, record)


def is_expired(ctx: Ctx, record: Misbehaviour, age: EvidenceAge) -> bool:
    """Whether a record is older than evidence counts, in blocks and in time."""
    return ctx.height - record.height > age.blocks and ctx.time_ns - record.time_ns > age.duration_ns


def compute_updates(ctx: Ctx, keeper: Keeper) -> tuple[ValidatorUpdate, ...]:
    """The validators that this block has removed, each once, in the order of their addresses.

    Only members are removed, and never the last, so that the engine takes every update.
    """
    updates = []
    for address in sorted(dict.fromkeys(entry.address for entry in ctx.misbehaviour)):
        validator = keeper.find_validator(ctx, address)
        if validator is not None and validator.removed_height == ctx.height:
            updates.append(ValidatorUpdate(validator.pub_key, validator.power))
    return tuple(updates)
