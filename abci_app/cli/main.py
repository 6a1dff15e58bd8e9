"""`gradus`: a table of commands, each imported only when it is used, so that --help and errors are instant."""

import importlib
import json
import signal
import sys

import click

from abci_app.cli.errors import CommandError, find_command_error, is_json_wanted
from abci_app.cli.exit_status import ExitStatus

COMMANDS = {
    "localnet": ("localnet.cli:localnet", "Run a whole network on this machine; train a demo model on it."),
    "node": ("localnet.node_cli:node", "Run one validator: the app and the engine under one supervisor."),
    "doctor": ("localnet.doctor_cli:doctor", "Say what is wrong with a node, and the command that mends it."),
    "keys": ("abci_app.cli.keys:keys", "Create, import and list account keys."),
    "tx": ("abci_app.cli.tx:tx", "Send transactions: coins, model contracts, enrolment."),
    "query": ("abci_app.cli.query:query", "Ask a node; with --prove check the answer against a header."),
    "light": ("abci_app.cli.light:light", "The blocks that --prove starts from."),
    "audit": ("abci_app.cli.audit:audit", "Recompute a round or a whole model, and say whether the chain is right."),
    "data": ("abci_app.cli.data:data", "Turn tables into datasets that miners and auditors check by hash."),
    "infer": ("abci_app.cli.infer:infer", "Ask a model, pay for the answer, and check it."),
    "gateway": ("abci_app.cli.gateway:gateway", "Serve models to OpenAI clients, paid from a key here."),
    "bench": ("abci_app.cli.bench:bench", "Load a network with transactions and measure it."),
    "watch": ("abci_app.cli.watch:watch", "Replay what miners claim; challenge what is wrong."),
    "miner": ("abci_app.cli.miner:miner", "Train units of a model and earn."),
    "host": ("abci_app.cli.host:host", "Answer for a model and earn."),
    "auditor": ("abci_app.cli.auditor:auditor", "Recompute units for a validator; see how it has done."),
}


class LazyGroup(click.Group):
    """A group over COMMANDS."""

    def list_commands(self, context: click.Context) -> list[str]:
        """The names, in the table's order."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import and return the command `name`."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The summaries of the table, without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gradus")
def gradus() -> None:
    """Gradus: a chain that pays for training steps and can prove each one.

    \b
    Example: train a model on a real 4-validator network on this machine
      gradus localnet demo
    """


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the console script. Exit statuses are those of ExitStatus."""
    try:
        status = gradus.main(arguments, prog_name="gradus", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # one more must not break into the end of the process
        click.echo(json.dumps({"error": "interrupted", "hint": ""}) if is_json_wanted(sys.argv[1:]) else "interrupted",
                   err=True)
        sys.exit(ExitStatus.INTERRUPTED)
    except Exception as error:
        found = find_command_error(error)
        if found is None:
            raise
        show_error(found)
        sys.exit(found.exit_code)
    sys.exit(status if isinstance(status, int) else ExitStatus.OK)


def show_error(error: click.ClickException) -> None:
    """In the form that the command line asks for."""
    if is_json_wanted(sys.argv[1:]) and not isinstance(error, CommandError):
        click.echo(json.dumps({"error": error.format_message(), "hint": "--help shows the usage"}), err=True)
    else:
        error.show()
