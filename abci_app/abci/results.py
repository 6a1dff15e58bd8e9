"""Results and events in the engine's words; clients that simulate read the same."""

from collections.abc import Iterable

from abci_app.runtime.deliver import TxResult
from abci_app.runtime.events import Event
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci

UNSEARCHED = frozenset(("amount", "fee", "msg_index"))  # half of a transfer's attributes, and the engine pays for each


def result_pb(result: TxResult) -> abci.ExecTxResult:
    """A transaction's result."""
    message = abci.ExecTxResult(code=result.code, codespace=result.codespace, data=result.data, log=result.log,
                                gas_wanted=result.gas_wanted, gas_used=result.gas_used)
    add_events(message, result.events)
    return message


def events_pb(events: Iterable[Event]) -> list[abci.Event]:
    """Events; what an attribute names can be searched for, amounts and places cannot."""
    holder = abci.ExecTxResult()
    add_events(holder, events)
    return list(holder.events)


def add_events(message: abci.ExecTxResult, events: Iterable[Event]) -> None:
    """Add events where they belong: made there, they need not be copied, which takes half of the time."""
    for event in events:
        added = message.events.add(type=event.type)
        for key, value in event.attributes:
            added.attributes.add(key=key, value=value, index=key not in UNSEARCHED)
