"""Questions to whoever sits at the terminal; where nobody does, an error that says how to answer beforehand."""

import getpass
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import click

from abci_app.cli.errors import CommandError
from abci_app.cli.exit_status import ExitStatus


@contextmanager
def answered(beforehand: str) -> Iterator[None]:
    """Asks inside the block. beforehand: how a program answers, which is the hint where no answer came.

    Raises CommandError, wrong usage, where the input has ended and is no terminal; at one click.Abort goes on.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", getpass.GetPassWarning)
            yield
    except click.Abort:
        if sys.stdin is not None and sys.stdin.isatty():
            raise
        click.echo(err=True)  # the question is still on its line
        raise CommandError("the question above was not answered, and there is no terminal to ask at", beforehand,
                           ExitStatus.USAGE) from None
