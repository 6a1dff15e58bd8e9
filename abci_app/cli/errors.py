"""What every command does with an error: one line that says what is wrong, one that says what to do, an exit status."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from abci_app.cli.exit_status import ExitStatus


class CommandError(click.ClickException):
    """An error with a hint and an exit status. `fields` are added to the JSON form."""

    def __init__(self, message: str, hint: str = "", status: ExitStatus = ExitStatus.REFUSED, **fields: Any) -> None:
        super().__init__(message)
        self.hint, self.exit_code, self.fields = hint, int(status), fields

    def show(self, file: Any = None) -> None:
        """Two lines to stderr, or one JSON object when the command was asked for JSON."""
        if is_json_wanted(sys.argv[1:]):
            click.echo(json.dumps({"error": self.message, "hint": self.hint, **self.fields}), file=file or sys.stderr)
            return
        click.secho(f"error: {self.message}", fg="red", err=True)
        if self.hint:
            click.echo(f"hint:  {self.hint}", err=True)


def is_json_wanted(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for JSON. It is read as text, because it may be the part that is wrong."""
    return "--output=json" in arguments or ("--output", "json") in zip(arguments, arguments[1:])
