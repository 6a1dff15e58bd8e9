"""What every command does with an error: one line that says what is wrong, one that says what to do, an exit status."""

import json
import sys
from typing import Any

import click

from abci_app.cli.exit_status import ExitStatus


class CommandError(click.ClickException):
    """An error with a hint and an exit status. `fields` are added to the JSON form."""

    def __init__(self, message: str, hint: str = "", status: ExitStatus = ExitStatus.REFUSED, **fields: Any) -> None:
        super().__init__(message)
        self.hint, self.exit_code, self.fields = hint, int(status), fields

    def show(self, file: Any = None) -> None:
        """Text to stderr, or one JSON object when the command was asked for JSON."""
        context = click.get_current_context(silent=True)
        if context is not None and is_json(context):
            click.echo(json.dumps({"error": self.message, "hint": self.hint, **self.fields}), file=file or sys.stderr)
            return
        click.secho(f"error: {self.message}", fg="red", err=True)
        if self.hint:
            click.echo(f"hint:  {self.hint}", err=True)


def is_json(context: click.Context) -> bool:
    """Whether the running command, or one above it, has --output json."""
    while context is not None:
        if context.params.get("output") == "json":
            return True
        context = context.parent  # type: ignore[assignment]
    return False
