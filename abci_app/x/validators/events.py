"""Events of the room. Attributes are decimal integers, and upper-case hex for consensus addresses, as the engine's."""

from abci_app.runtime.events import Event, new_event
from abci_app.runtime.validators import Misbehaviour
from abci_app.wire.pb.gradus.validators.v1.validators_pb2 import MisbehaviourKind


def misbehaviour_recorded(entry: Misbehaviour) -> Event:
    """A misbehaviour was proved for the first time."""
    return new_event("validators.misbehaviour_recorded", validator=entry.address.hex().upper(),
                     kind=MisbehaviourKind.Name(entry.kind), misbehaviour_height=entry.height)


def misbehaviour_ignored(entry: Misbehaviour, reason: str) -> Event:
    """A misbehaviour that changes nothing: `unknown_validator`, `recorded_before`, `too_many` or `malformed`."""
    return new_event("validators.misbehaviour_ignored", validator=entry.address.hex().upper(), reason=reason)


def validator_removed(address: bytes, power: int) -> Event:
    """A validator has lost its power, for good."""
    return new_event("validators.validator_removed", validator=address.hex().upper(), power=power)


def last_validator_kept(address: bytes) -> Event:
    """A validator would have lost its power, but nobody else has any."""
    return new_event("validators.last_validator_kept", validator=address.hex().upper())
