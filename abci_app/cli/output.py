"""Answers as JSON for programs or as aligned text for people, from the same fields."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table

from abci_app.wire.coin import BASE_DENOM, DISPLAY_DENOM, DISPLAY_EXPONENT


def message_fields(message: Message) -> dict[str, Any]:
    """A protobuf message as plain fields, with its own names; bytes in hex, 64-bit integers as integers."""
    fields: dict[str, Any] = {}
    for field, value in message.ListFields():
        fields[field.name] = _plain(field, value)
    return fields


def _plain(field: Any, value: Any) -> Any:
    if field.is_repeated:
        return [_plain_one(field, one) for one in value]
    return _plain_one(field, value)


def _plain_one(field: Any, value: Any) -> Any:
    if isinstance(value, Message):
        return message_fields(value)
    if isinstance(value, bytes):
        return value.hex()
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    return value


def print_fields(fields: Mapping[str, Any], output: str) -> None:
    """One thing."""
    if output == "json":
        click.echo(json.dumps(fields, indent=2))
        return
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        shown = json.dumps(value) if isinstance(value, (dict, list)) else value
        click.echo(f"{name:<{width}}  {shown}")


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], output: str, empty: str) -> None:
    """A list of things: all fields in JSON, `columns` in text; `empty` is said when there are none."""
    if output == "json":
        click.echo(json.dumps(list(rows), indent=2))
        return
    if not rows:
        click.echo(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(str(row.get(column, "")) for column in columns))
    Console(soft_wrap=True).print(table)


def grad_text(amount_ugrad: int) -> str:
    """`12.5grad (12500000ugrad)`."""
    whole, part = divmod(amount_ugrad, 10**DISPLAY_EXPONENT)
    decimals = f"{part:0{DISPLAY_EXPONENT}d}".rstrip("0")
    return f"{whole}{'.' + decimals if decimals else ''}{DISPLAY_DENOM} ({amount_ugrad}{BASE_DENOM})"
