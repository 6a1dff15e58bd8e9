"""What every command does with an error: one line that says what is wrong, one that says what to do, an exit status."""

import errno
import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from abci_app.cli.exit_status import ExitStatus
from abci_app.cli.hints import find_hint
from abci_app.wire.errors import ChainError


class CommandError(click.ClickException):
    """An error with a hint and an exit status. `fields` are added to the JSON form."""

    exit_code: int  # type: ignore[misc]  # click declares it for the class, and reads it from the instance

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


def _describe(error: OSError) -> str:
    """`/proc/foo: Permission denied`; with both paths where there are two."""
    paths = " -> ".join(str(path) for path in (error.filename, error.filename2) if path is not None)
    reason = error.strerror or str(error) or type(error).__name__
    return f"{paths}: {reason}" if paths else reason


def _find_hint(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room on the disk"
    if error.filename is None:
        return ""
    return "check that the folder is there and yours to write; --home FOLDER or GRADUS_HOME names another one"


def _find_argument(start: str) -> str:
    """The argument of the command line that begins so."""
    return next((argument for argument in sys.argv[1:] if argument.startswith(start)), start)


def find_command_error(error: Exception) -> click.ClickException | None:
    """An error of the client, the data, a keyring, a network, a stateless check or the machine in a command's form.

    All but the machine's carry a hint, or codespace and code; None for anything else: a bug, which keeps its traceback.
    """
    if isinstance(error, click.NoSuchOption) and error.option_name[1:2].isdigit():
        return CommandError(f"{_find_argument(error.option_name)} is negative, and no amount, id or number here may be",
                            "amounts are written as 5grad, 0.25grad or 250000ugrad", ExitStatus.USAGE)
    if isinstance(error, click.ClickException):
        return error
    if isinstance(error, ChainError):
        return CommandError(f"{error.codespace}/{error.code} {error}", find_hint(error.codespace, error.code),
                            codespace=error.codespace, code=error.code)
    if isinstance(error, OSError):
        return CommandError(_describe(error), _find_hint(error))
    if not hasattr(error, "hint"):
        return None
    fields = {name: getattr(error, name) for name in ("codespace", "code") if hasattr(error, name)}
    status = ExitStatus(getattr(error, "exit_status", ExitStatus.REFUSED))
    hint = error.hint or find_hint(fields.get("codespace", ""), fields.get("code", 0))
    return CommandError(getattr(error, "text", str(error)), hint, status, **fields)
