"""Click commands of the tests' own programs: Ctrl-C ends them with a word and status 130, as it ends `gradus`."""

import signal
import sys
from typing import Any, NoReturn

import click

from kernels.command import INTERRUPTED


class _Interruptible(click.Command):
    def main(self, *args: Any, **options: Any) -> NoReturn:
        """Run it and end the process with its status."""
        try:
            status = super().main(*args, **{**options, "standalone_mode": False})
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:  # which click makes of KeyboardInterrupt
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # one more must not break into the end of the process
            click.echo("Interrupted", err=True)
            sys.exit(INTERRUPTED)
        sys.exit(status if isinstance(status, int) else 0)


class Command(_Interruptible):
    """For `@click.command(cls=Command)`."""


class Group(_Interruptible, click.Group):
    """For `@click.group(cls=Group)`."""
