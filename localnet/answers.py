"""What commands of networks and nodes say: an answer on stdout, for people or for programs; all else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import click

from abci_app.cli.errors import is_json_wanted

TEXT, JSON = "text", "json"

output_option = click.option("--output", type=click.Choice([TEXT, JSON]), default=TEXT, show_default=True,
                             help="Form of the answer.")


def answer(output: str, fields: Mapping[str, Any], text: str) -> None:
    """Print what a command has to say, once: its fields, or a text that says the same."""
    click.echo(json.dumps(fields, indent=2) if output == JSON else text)


def note(text: str) -> None:
    """A line on stderr while a command works, as JSON when the command was asked for JSON."""
    click.echo(json.dumps({"note": text}) if is_json_wanted(sys.argv[1:]) else text, err=True)


def hint(output: str, text: str) -> None:
    """What a person may want to do next, on stderr; nothing for programs."""
    if output == TEXT:
        click.echo(text, err=True)
