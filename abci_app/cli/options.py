"""Options that several commands share, defined once."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from abci_app.cli.errors import CommandError
from abci_app.cli.exit_status import ExitStatus
from abci_app.client.keys import Key, Keyring, KeyringError
from abci_app.wire.address import decode_address
from abci_app.wire.coin import BASE_DENOM, DISPLAY_DENOM, DISPLAY_EXPONENT
from abci_app.wire.errors import InvalidAddress
from abci_app.wire.ints import U64_MAX

DEFAULT_HOME = Path("~/.gradus")
DEFAULT_NODE = "http://127.0.0.1:26657"
PASSPHRASE_VARIABLE = "GRADUS_PASSPHRASE"

home_option = click.option(
    "--home", type=click.Path(path_type=Path), envvar="GRADUS_HOME", default=DEFAULT_HOME, show_default=True,
    show_envvar=True, help="Folder of keys and datasets.")
node_option = click.option(
    "--node", envvar="GRADUS_NODE", default=DEFAULT_NODE, show_default=True, show_envvar=True,
    help="RPC address of a node.")
output_option = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Form of the answer.")
from_option = click.option("--from", "sender", required=True, metavar="KEY", help="Key that signs and pays.")


def combine(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several options as one decorator, shown in the order given."""
    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command
    return decorate


class Amount(click.ParamType[int]):
    """An amount of coins: 5grad, 0.25grad or 250000ugrad; read as ugrad."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> int:
        """The ugrad of the text."""
        if isinstance(value, int):
            return value
        for denom, exponent in ((BASE_DENOM, 0), (DISPLAY_DENOM, DISPLAY_EXPONENT)):
            whole, dot, part = value.removesuffix(denom).partition(".")
            if value.endswith(denom) and whole.isascii() and whole.isdigit() and len(part) <= exponent \
                    and (part.isascii() and part.isdigit() if dot else True):
                amount = int(whole + part.ljust(exponent, "0"))
                if 1 <= amount <= U64_MAX:
                    return amount
        self.fail(f"{value!r} is not an amount; write 5grad, 0.25grad (6 decimals at most) or 250000ugrad", param,
                  context)


def keyring(home: Path) -> Keyring:
    """The keyring of a home."""
    return Keyring(home.expanduser() / "keys")


def read_passphrase(name: str, confirm: bool = False) -> str:
    """From the environment, else asked on the terminal."""
    found = os.environ.get(PASSPHRASE_VARIABLE)
    if found is not None:
        return found
    return str(click.prompt(f"Passphrase for key {name}", hide_input=True, confirmation_prompt=confirm, err=True))


def open_key(home: Path, name: str) -> Key:
    """The key `name`, asking for its passphrase when it is encrypted."""
    ring = keyring(home)
    return ring.get(name, None if ring.get_info(name).is_plain else read_passphrase(name))


def resolve_address(home: Path, text: str) -> str:
    """A bech32 address, or the address of the key of that name."""
    try:
        decode_address(text)
        return text
    except InvalidAddress as error:
        problem = error
    try:
        return keyring(home).get_info(text).address
    except KeyringError:
        raise CommandError(f"{text!r} is neither an address ({problem.detail}) nor the name of a key here",
                           "`gradus keys list` shows the names", ExitStatus.USAGE) from None
