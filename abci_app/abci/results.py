"""Results and events in the engine's words; clients that simulate read the same."""

from collections.abc import Iterable

from abci_app.runtime.deliver import TxResult
from abci_app.runtime.events import Event
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci


def result_pb(result: TxResult) -> abci.ExecTxResult:
    """A transaction's result."""
    return abci.ExecTxResult(code=result.code, codespace=result.codespace, data=result.data, log=result.log,
                             gas_wanted=result.gas_wanted, gas_used=result.gas_used, events=events_pb(result.events))


def events_pb(events: Iterable[Event]) -> list[abci.Event]:
    """Events; every attribute can be searched for."""
    return [abci.Event(type=event.type, attributes=[abci.EventAttribute(key=key, value=value, index=True)
                                                    for key, value in event.attributes]) for event in events]
