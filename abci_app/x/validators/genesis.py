"""Genesis of validators.

{"removed": [Validator], "misbehaviours": [Misbehaviour]}
Both may be left out, and are of a chain that goes on from another's state. Those with power are the engine's to name:
the validators of its genesis arrive by `init_validators`, and may not be among the removed.
"""

from typing import Any

from abci_app.runtime.context import Ctx
from abci_app.runtime.genesis import GenesisInvalid, Section
from abci_app.runtime.records import export_record, read_record
from abci_app.runtime.validators import POWER_MAX, Founding, FoundingValidator
from abci_app.wire.pb.gradus.validators.v1.validators_pb2 import EvidenceAge, Misbehaviour, Validator
from abci_app.x.validators.keeper import Keeper
from abci_app.x.validators.types import ADDRESS_BYTES, KEY_BYTES, KEY_TYPE, VALIDATORS_MAX, compute_address

PATH = "app_state.validators"


def init_genesis(ctx: Ctx, keeper: Keeper, state: dict[str, Any]) -> None:
    """Write the removed validators and the records. Raises GenesisInvalid."""
    section = Section(PATH, state).only("removed", "misbehaviours")
    for item in section.sections("removed"):
        validator = read_record(item, Validator)
        if validator.consensus_address != compute_address(validator.pub_key) or len(validator.pub_key) != KEY_BYTES:
            raise GenesisInvalid(f"{item.path}.consensus_address", "not the address of the key", "export it again")
        if validator.power or not validator.removed_height:
            raise GenesisInvalid(item.path, "a removed validator has no power, and a height that removed it",
                                 "validators with power stand in the genesis' own list of validators")
        if keeper.find_validator(ctx, validator.consensus_address) is not None:
            raise GenesisInvalid(f"{item.path}.consensus_address", "stands in the list twice", "take one of them out")
        keeper.put_validator(ctx, validator)
    for item in section.sections("misbehaviours"):
        record = read_record(item, Misbehaviour)
        if len(record.consensus_address) != ADDRESS_BYTES or not record.kind or not record.height:
            raise GenesisInvalid(item.path, "a record has a kind, an address of 20 bytes and a height",
                                 "export it again")
        if keeper.find_misbehaviour(ctx, record.height, record.consensus_address, record.kind) is not None:
            raise GenesisInvalid(item.path, "stands in the list twice", "take one of them out")
        keeper.put_misbehaviour(ctx, record)


def init_validators(ctx: Ctx, keeper: Keeper, founding: Founding) -> None:
    """Write the validators of the engine's genesis. Raises GenesisInvalid for a set that the engine cannot keep."""
    if len(founding.validators) > VALIDATORS_MAX:
        raise GenesisInvalid("validators", f"{len(founding.validators)} of them", f"the most is {VALIDATORS_MAX}")
    if founding.evidence_blocks < 0 or founding.evidence_ns < 0:
        raise GenesisInvalid("consensus_params.evidence", "a maximum age below 0", "set max_age_* to positive numbers")
    counts: dict[bytes, int] = {}
    for record in keeper.iter_misbehaviours(ctx):
        counts[record.consensus_address] = counts.get(record.consensus_address, 0) + 1
    for index, validator in enumerate(founding.validators):
        path = f"validators[{index}]"
        _check_founding(path, validator, founding.key_types)
        address = compute_address(validator.pub_key)
        found = keeper.find_validator(ctx, address)
        if found is not None:
            is_removed = found.removed_height > 0
            raise GenesisInvalid(path, "was removed for misbehaviour" if is_removed else "stands in the list twice",
                                 "take it out" if is_removed else "take one of them out")
        keeper.put_validator(ctx, Validator(consensus_address=address, pub_key=validator.pub_key,
                                            power=validator.power, misbehaviours=counts.get(address, 0)))
    total = sum(validator.power for validator in founding.validators)
    if total > POWER_MAX:
        raise GenesisInvalid("validators", f"their powers add up to {total}", f"the most is {POWER_MAX}")
    keeper.put_evidence_age(ctx, EvidenceAge(blocks=founding.evidence_blocks, duration_ns=founding.evidence_ns))


def export_genesis(ctx: Ctx, keeper: Keeper) -> dict[str, Any]:
    """The genesis state that gives this state again, beside the engine's list of validators with power."""
    return {"removed": [export_record(one) for one in keeper.iter_validators(ctx) if one.removed_height],
            "misbehaviours": [export_record(record) for record in keeper.iter_misbehaviours(ctx)]}


def _check_founding(path: str, validator: FoundingValidator, key_types: tuple[str, ...]) -> None:
    if validator.key_type != KEY_TYPE or len(validator.pub_key) != KEY_BYTES:
        raise GenesisInvalid(f"{path}.pub_key", f"a key of type {validator.key_type}, {len(validator.pub_key)} bytes",
                             f"use an {KEY_TYPE} key of {KEY_BYTES} bytes")
    if KEY_TYPE not in key_types:
        raise GenesisInvalid("consensus_params.validator.pub_key_types", f"{KEY_TYPE} is not among them",
                             f'set them to ["{KEY_TYPE}"]')
    if validator.power <= 0:
        raise GenesisInvalid(f"{path}.power", f"{validator.power}", "a validator has a power of at least 1")
