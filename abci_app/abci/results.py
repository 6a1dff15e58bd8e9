"""Results and events in the engine's words; clients that simulate read the same.

Events are put together from bytes: made field by field they took a third of the time of a transfer, and the same
attributes come again and again, because accounts, amounts and actions do.
"""

from collections.abc import Iterable
from functools import lru_cache

from abci_app.runtime.deliver import TxResult
from abci_app.runtime.events import Event
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.varint import encode_uvarint

UNSEARCHED = frozenset(("amount", "fee", "msg_index"))  # half of a transfer's attributes, and the engine pays for each
CACHED_ATTRIBUTES = 1 << 14
CACHED_CHARS = 128  # of a value; longer ones are written anew each time
EVENTS_TAG = encode_uvarint(abci.ExecTxResult.DESCRIPTOR.fields_by_name["events"].number << 3 | 2)
ATTRIBUTES_TAG = encode_uvarint(abci.Event.DESCRIPTOR.fields_by_name["attributes"].number << 3 | 2)


def fill_result(message: abci.ExecTxResult, result: TxResult) -> None:
    """Make an empty message a transaction's result, where it belongs: so nothing is copied."""
    head = abci.ExecTxResult(code=result.code, codespace=result.codespace, data=result.data, log=result.log,
                             gas_wanted=result.gas_wanted, gas_used=result.gas_used)
    pieces = [head.SerializeToString()]
    for event in result.events:
        body = encode_event(event)
        pieces += (EVENTS_TAG, encode_uvarint(len(body)), body)
    message.MergeFromString(b"".join(pieces))


def events_pb(events: Iterable[Event]) -> list[abci.Event]:
    """Events; what an attribute names can be searched for, amounts and places cannot."""
    return [abci.Event.FromString(encode_event(event)) for event in events]


def encode_event(event: Event) -> bytes:
    """The bytes of an abci.Event."""
    return b"".join([_encode_type(event.type), *map(_encode_attribute, event.attributes)])


@lru_cache(maxsize=1 << 10)
def _encode_type(text: str) -> bytes:
    return abci.Event(type=text).SerializeToString()


def _encode_attribute(attribute: tuple[str, str]) -> bytes:
    return _encode_short(attribute) if len(attribute[1]) <= CACHED_CHARS else _encode_any(attribute)


def _encode_any(attribute: tuple[str, str]) -> bytes:
    """An attribute as a field of its event."""
    key, value = attribute
    body = abci.EventAttribute(key=key, value=value, index=key not in UNSEARCHED).SerializeToString()
    return ATTRIBUTES_TAG + encode_uvarint(len(body)) + body


_encode_short = lru_cache(maxsize=CACHED_ATTRIBUTES)(_encode_any)
