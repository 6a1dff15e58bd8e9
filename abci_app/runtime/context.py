"""Ctx: all that a handler may know. One per transaction, one for each end of the block."""

from dataclasses import dataclass, field

from abci_app.runtime.events import Event
from abci_app.runtime.gas import GasMeter, unlimited
from abci_app.runtime.validators import LastCommit, Misbehaviour
from abci_app.store.branch import Branch


@dataclass(frozen=True, slots=True)
class Ctx:
    """The block, a layer of writes over the state, a gas meter and the events so far.

    `last_app_hash` is the root of the state before this block, `last_block_hash` the hash of the block before this one
    (b"" for the first block of a chain): together the block's only source of randomness. The root alone could be chosen
    by whoever writes the last record of a block, the hash also covers what its proposer and the validators signed.
    `misbehaviour` is what the block's evidence proves, in its order, and `last_commit` who signed the block before;
    with chain id, height, time, proposer, both hashes, the state and the transactions that is all an execution depends
    on.
    """

    chain_id: str
    height: int
    time_ns: int
    proposer_address: bytes
    last_app_hash: bytes
    last_block_hash: bytes
    state: Branch
    gas: GasMeter = field(default_factory=unlimited)
    events: list[Event] = field(default_factory=list)
    misbehaviour: tuple[Misbehaviour, ...] = ()
    last_commit: LastCommit = LastCommit()

    def branch(self, gas: GasMeter | None = None) -> "Ctx":
        """A context over a child layer, with its own events; `gas` None keeps the meter."""
        return self._with(self.state.branch(), gas or self.gas, [])

    def unmetered(self) -> "Ctx":
        """The same layer and events without a gas limit: for writes whose price is booked beforehand."""
        return self._with(self.state, unlimited(), self.events)

    def _with(self, state: Branch, gas: GasMeter, events: list[Event]) -> "Ctx":
        """The same block; written out, because `dataclasses.replace` takes as long as all the rest of a branch."""
        return Ctx(self.chain_id, self.height, self.time_ns, self.proposer_address, self.last_app_hash,
                   self.last_block_hash, state, gas, events, self.misbehaviour, self.last_commit)

    def emit(self, event: Event) -> None:
        """Add an event."""
        self.events.append(event)
