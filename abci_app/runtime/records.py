"""State records as JSON in a genesis, by their descriptors: every field that is not its default, in declared order.

Integers stand as decimal strings, bytes as lower-case hex, enums by name, booleans as true, messages as objects,
repeated fields as lists. Reading is strict and names every mistake by its path. Maps and floats do not occur in our
records.
"""

from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from abci_app.runtime.genesis import ITEMS_MAX, GenesisInvalid, Section, read_hex
from abci_app.wire.ints import I64_MAX, U32_MAX, U64_MAX

Record = TypeVar("Record", bound=Message)
UINT_MAX = {FieldDescriptor.TYPE_UINT32: U32_MAX, FieldDescriptor.TYPE_UINT64: U64_MAX,
            FieldDescriptor.TYPE_INT64: I64_MAX}


def export_record(record: Message) -> dict[str, Any]:
    """The JSON object of a record. Numbers are at least 0."""
    exported: dict[str, Any] = {}
    for field, value in record.ListFields():
        if field.is_repeated:
            exported[field.name] = [_export_value(field, item) for item in value]
        else:
            exported[field.name] = _export_value(field, value)
    return exported


def read_record(section: Section, kind: type[Record]) -> Record:
    """The record that a section describes. Raises GenesisInvalid."""
    fields = kind.DESCRIPTOR.fields
    section.only(*(field.name for field in fields))
    record = kind()
    for field in fields:
        if field.name not in section.value:
            continue
        path, value = f"{section.path}.{field.name}", section.value[field.name]
        if field.is_repeated:
            if not isinstance(value, list) or len(value) > ITEMS_MAX:
                raise GenesisInvalid(path, "not a list, or too long", "write it in [ ]")
            items = [_read_value(field, f"{path}[{index}]", item) for index, item in enumerate(value)]
            getattr(record, field.name).extend(items)
        elif field.message_type is not None:
            getattr(record, field.name).CopyFrom(_read_value(field, path, value))
        else:
            setattr(record, field.name, _read_value(field, path, value))
    return record


def _export_value(field: Any, value: Any) -> Any:
    if field.message_type is not None:
        return export_record(value)
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    if field.type == FieldDescriptor.TYPE_BYTES:
        return value.hex()
    return value if field.type == FieldDescriptor.TYPE_BOOL else str(value)


def _read_value(field: Any, path: str, value: Any) -> Any:
    if field.message_type is not None:
        return read_record(Section(path, value), GetMessageClass(field.message_type))
    if field.type == FieldDescriptor.TYPE_BOOL:
        if not isinstance(value, bool):
            raise GenesisInvalid(path, "neither true nor false", "write one of them, without quotes")
        return value
    if not isinstance(value, str):
        raise GenesisInvalid(path, "not a string", "write it in quotes")
    if field.enum_type is not None:
        if value not in field.enum_type.values_by_name:
            raise GenesisInvalid(path, f"no such value: {value}",
                                 f"one of {', '.join(sorted(field.enum_type.values_by_name))}")
        return field.enum_type.values_by_name[value].number
    if field.type == FieldDescriptor.TYPE_BYTES:
        return read_hex(path, value)
    if field.type == FieldDescriptor.TYPE_STRING:
        return value
    head, _, name = path.rpartition(".")
    return Section(head, {name: value}).uint(name, UINT_MAX[field.type])
