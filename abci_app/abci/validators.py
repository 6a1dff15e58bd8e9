"""Validators in the engine's words: a genesis' set, a block's misbehaviour, and whose power changes."""

from collections.abc import Iterable

from abci_app.abci.chain import timestamp_ns
from abci_app.abci.errors import ConfigProblem
from abci_app.runtime.validators import Founding, FoundingValidator, Misbehaviour, ValidatorUpdate
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci


def read_founding(request: abci.RequestInitChain) -> Founding:
    """The engine's part of a genesis. Raises ConfigProblem when nobody validates.

    The rooms check the keys and powers.
    """
    if not request.validators:
        raise ConfigProblem("the genesis has no validators", "list at least one in config/genesis.json")
    evidence = request.consensus_params.evidence
    age = evidence.max_age_duration
    return Founding(tuple(_read_validator(one) for one in request.validators),
                    tuple(request.consensus_params.validator.pub_key_types),
                    evidence.max_age_num_blocks, age.seconds * 1_000_000_000 + age.nanos)


def read_misbehaviour(entries: Iterable[abci.Misbehavior]) -> tuple[Misbehaviour, ...]:
    """What a block's evidence proves, in its order."""
    return tuple(Misbehaviour(one.type, one.validator.address, one.height, timestamp_ns(one.time), one.validator.power,
                              one.total_voting_power) for one in entries)


def updates_pb(updates: Iterable[ValidatorUpdate]) -> list[abci.ValidatorUpdate]:
    """Whose power changes."""
    changed = []
    for update in updates:
        message = abci.ValidatorUpdate(power=update.power)
        message.pub_key.ed25519 = update.pub_key
        changed.append(message)
    return changed


def _read_validator(update: abci.ValidatorUpdate) -> FoundingValidator:
    key_type = update.pub_key.WhichOneof("sum") or ""
    return FoundingValidator(key_type, getattr(update.pub_key, key_type) if key_type else b"", update.power)
