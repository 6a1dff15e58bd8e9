"""Answers as JSON for programs or as aligned text for people, from the same fields."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

import click
from google.protobuf.message import Message

from abci_app.client.words import enum_word
from abci_app.wire.coin import BASE_DENOM, DISPLAY_DENOM, DISPLAY_EXPONENT

INDENT = "  "
CONSENSUS_ADDRESS = "consensus_address"


def message_fields(message: Message) -> dict[str, Any]:
    """A protobuf message as plain fields, with its own names; bytes in hex, integers as integers, enums in words.

    Consensus addresses stand in capitals, as the engine writes them.
    A message that is absent is left out; a number that is zero is not."""
    return {field.name: _plain(field, getattr(message, field.name)) for field in message.DESCRIPTOR.fields
            if not field.has_presence or message.HasField(field.name)}


def _plain(field: Any, value: Any) -> Any:
    if field.is_repeated:
        return [_plain_one(field, one) for one in value]
    return _plain_one(field, value)


def _plain_one(field: Any, value: Any) -> Any:
    if isinstance(value, Message):
        return message_fields(value)
    if isinstance(value, bytes):
        return value.hex().upper() if field.name == CONSENSUS_ADDRESS else value.hex()
    if field.enum_type is not None:
        return enum_word(field.enum_type, value)
    return value


def print_fields(fields: Mapping[str, Any], output: str) -> None:
    """One thing."""
    if output == "json":
        click.echo(json.dumps(fields, indent=2))
        return
    for line in _field_lines(fields):
        click.echo(line)


def _field_lines(fields: Mapping[str, Any]) -> Iterator[str]:
    """`name  value` a line, the values aligned; what is inside a field stands below it, further in."""
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        if isinstance(value, Mapping) and value:
            yield name
            yield from (INDENT + line for line in _field_lines(value))
        elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
            yield name
            for one in value:
                yield from (start + line for start, line in zip(chain(["- "], repeat(INDENT)), _field_lines(one)))
        else:
            shown = " ".join(map(str, value)) if isinstance(value, list) else value
            yield f"{name:<{width}}  {'' if value == {} else shown}".rstrip()


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], output: str, empty: str) -> None:
    """A list of things: all fields in JSON, `columns` in text, a row a line; `empty` is said when there are none."""
    if output == "json":
        click.echo(json.dumps(list(rows), indent=2))
        return
    if not rows:
        click.echo(empty)
        return
    cells = [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells)]
    for number, row in enumerate([columns, *cells]):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip()
        click.secho(line, bold=number == 0)


def grad_text(amount_ugrad: int) -> str:
    """`12.5grad (12500000ugrad)`."""
    return f"{decimal_text(amount_ugrad)}{DISPLAY_DENOM} ({amount_ugrad}{BASE_DENOM})"


def decimal_text(amount_ugrad: int) -> str:
    """The grad of an amount, exact: `12.5`."""
    whole, part = divmod(amount_ugrad, 10**DISPLAY_EXPONENT)
    decimals = f"{part:0{DISPLAY_EXPONENT}d}".rstrip("0")
    return f"{whole}{'.' + decimals if decimals else ''}"
