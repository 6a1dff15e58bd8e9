"""The ends of a block, as short lists of named calls; what stands between them is deliver.py's."""

from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.runtime.deliver import TxResult
from abci_app.runtime.events import Event
from abci_app.runtime.module import Module
from abci_app.runtime.validators import ValidatorUpdate


@dataclass(frozen=True, slots=True)
class BlockResult:
    """One result per transaction, in order, the events of the block's ends, and whose power changes."""

    tx_results: tuple[TxResult, ...]
    events: tuple[Event, ...]
    validator_updates: tuple[ValidatorUpdate, ...]


def begin_block(modules: tuple[Module, ...], ctx: Ctx) -> None:
    """Every room's begin, in the order of the rooms."""
    for module in modules:
        if module.begin_block is not None:
            module.begin_block(ctx)


def end_block(modules: tuple[Module, ...], ctx: Ctx) -> None:
    """Every room's end, in the order of the rooms."""
    for module in modules:
        if module.end_block is not None:
            module.end_block(ctx)


def compute_validator_updates(modules: tuple[Module, ...], ctx: Ctx) -> tuple[ValidatorUpdate, ...]:
    """Whose power this block changes, each validator once; called when all rooms have ended the block."""
    for module in modules:
        if module.validator_updates is not None:
            return module.validator_updates(ctx)
    return ()
