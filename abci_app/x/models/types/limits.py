"""How far an admin may change a contract's policies: ranges and choices by field, fixed when it is made.

A field is named by its path, such as "training.local_steps"; what is not named stays as it is.
Reads/Writes: nothing. Source: README.md of the room, section "Limits".
"""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from abci_app.wire.errors import shown
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec, PolicyLimits
from abci_app.x.models.errors import LimitExceeded, LimitsInvalid
from kernels import aggregate, payload

POLICIES = ("training", "audit", "economy", "inference")
DATA_OWNER = "inference.data_owner"  # the one text of which no limit can say what it may become
CHOICES = {"training.aggregation": aggregate.RULES, "training.codec": payload.CODECS}


def _list_number_fields(kind: Any, path: str) -> list[str]:
    """The paths of the whole numbers of a message, by its descriptor."""
    found = []
    for field in kind.fields:
        inner = f"{path}.{field.name}"
        if field.message_type is not None:
            found += _list_number_fields(field.message_type, inner)
        elif field.type != FieldDescriptor.TYPE_STRING:
            found.append(inner)
    return found


NUMBER_FIELDS = tuple(sorted(
    path for policy in POLICIES
    for path in _list_number_fields(ModelSpec.DESCRIPTOR.fields_by_name[policy].message_type, policy)))


def check_limits(limits: PolicyLimits) -> None:
    """Raises LimitsInvalid (models/28): each field once, in rising order, with something that it may be."""
    _check_limit_names([one.field for one in limits.ranges], NUMBER_FIELDS)
    _check_limit_names([one.field for one in limits.choices], tuple(CHOICES))
    for one in limits.ranges:
        if one.min > one.max:
            raise LimitsInvalid(f"{one.field}: from {one.min} to {one.max} there is nothing")
    for choice in limits.choices:
        unknown = [value for value in choice.values if value not in CHOICES[choice.field]]
        if unknown:
            raise LimitsInvalid(f"{choice.field}: {shown(unknown[0])} is none of {', '.join(CHOICES[choice.field])}")
        if not choice.values or any(a >= b for a, b in zip(choice.values, choice.values[1:])):
            raise LimitsInvalid(f"{choice.field}: name each value once, in the order of their letters")


def check_initial_policies(spec: ModelSpec) -> None:
    """Raises LimitsInvalid (models/28) where a contract begins outside its own limits.

    Those of an inference policy that is not there yet are for the one that the admin may add.
    """
    for field in (*NUMBER_FIELDS, *CHOICES):
        if not spec.HasField("inference") and _is_of_inference(field):
            continue
        allowed = find_allowed(spec.limits, field)
        if allowed is not None and not is_allowed(spec.limits, field, get_policy_value(spec, field)):
            raise LimitsInvalid(f"{field} is {get_policy_value(spec, field)}, its limits are {allowed}")


def check_within_limits(old: ModelSpec, new: ModelSpec) -> None:
    """Raises LimitExceeded (models/29) where a policy changes to what the contract does not allow its admin.

    An inference policy where there was none changes nothing that anybody has: only the limits that name it bound it.
    """
    is_added = new.HasField("inference") and not old.HasField("inference")
    changes = [field for field in list_changes(old, new) if not (is_added and _is_of_inference(field))]
    added = [field for field in NUMBER_FIELDS if is_added and _is_of_inference(field)]
    for field in (*changes, *(field for field in added if find_allowed(old.limits, field) is not None)):
        if not is_allowed(old.limits, field, get_policy_value(new, field)):
            allowed = find_allowed(old.limits, field) or "nothing else"
            raise LimitExceeded(f"{field} is {get_policy_value(old, field)} and would be "
                                f"{shown(str(get_policy_value(new, field)))}; the contract allows {allowed}")


def list_changes(old: ModelSpec, new: ModelSpec) -> list[str]:
    """The fields of the policies that differ."""
    return [field for field in (*NUMBER_FIELDS, *CHOICES, DATA_OWNER)
            if get_policy_value(old, field) != get_policy_value(new, field)]


def get_policy_value(spec: ModelSpec, field: str) -> int | str:
    """The value of a policy's field, by its path."""
    found = spec
    for name in field.split("."):
        found = getattr(found, name)
    return found  # type: ignore[return-value]  # the paths are those of list_changes


def is_allowed(limits: PolicyLimits, field: str, value: int | str) -> bool:
    """Whether the admin may change a field to this value."""
    return (any(one.field == field and one.min <= int(value) <= one.max for one in limits.ranges)
            or any(one.field == field and value in one.values for one in limits.choices))


def find_allowed(limits: PolicyLimits, field: str) -> str | None:
    """What a field may become, in words; None where it is fixed."""
    for one in limits.ranges:
        if one.field == field:
            return f"{one.min} to {one.max}"
    return next((", ".join(one.values) for one in limits.choices if one.field == field), None)


def _is_of_inference(field: str) -> bool:
    return field.startswith("inference.")


def _check_limit_names(names: list[str], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise LimitsInvalid(f"{shown(name)} is none of {', '.join(known)}")
    if any(a >= b for a, b in zip(names, names[1:])):
        raise LimitsInvalid("name each field once, in the order of their letters")
