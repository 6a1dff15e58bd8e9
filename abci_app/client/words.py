"""Enum values of the chain in words: `stood down` for TRAINER_STATUS_STOOD_DOWN."""

from google.protobuf.descriptor import EnumDescriptor

NONE = "UNSPECIFIED"
NOTHING = "none"
ABSENT = {"AuditVerdict": "not drawn", "MemberVerdict": "not judged"}


def enum_word(kind: EnumDescriptor, number: int) -> str:
    """A value's name in lower case, without what all names of its kind begin with.

    A value that a later version of the chain has named is told by its number.
    """
    named = kind.values_by_number.get(number)
    if named is None:
        return f"value {number}"
    zero = kind.values_by_number[0].name
    if number == 0 and zero.endswith(NONE):
        return ABSENT.get(kind.name, NOTHING)
    prefix = zero.removesuffix(NONE) if zero.endswith(NONE) else ""
    return named.name.removeprefix(prefix).lower().replace("_", " ")
