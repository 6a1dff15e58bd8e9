"""Options that several commands share, defined once."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from abci_app.auditor.home import parse_address
from abci_app.cli.errors import CommandError
from abci_app.cli.exit_status import ExitStatus
from abci_app.cli.questions import answered
from abci_app.client.errors import BadNodeUrl
from abci_app.client.keys import LOCALNET_HINT, Key, KeyMissing, Keyring, KeyNameInvalid
from abci_app.client.network_file import find_network_nodes, pick_node
from abci_app.client.node_url import check_node_url
from abci_app.client.send import GAS_PRICE_PPM_MAX
from abci_app.wire.address import decode_address
from abci_app.wire.coin import BASE_DENOM, DISPLAY_DENOM, DISPLAY_EXPONENT
from abci_app.wire.errors import InvalidAddress
from abci_app.wire.ints import I64_MAX, U32_MAX, U64_MAX

DEFAULT_HOME = Path("~/.gradus")
DEFAULT_NODE = "http://127.0.0.1:26657"
NODE_DEFAULT_TEXT = f"[those of the network in --home, else {DEFAULT_NODE}]"
PASSPHRASE_VARIABLE = "GRADUS_PASSPHRASE"
HASH = re.compile("[0-9a-fA-F]{64}")
MODEL_ID = click.IntRange(1, U64_MAX)
ROUND_NUMBER = click.IntRange(0, U32_MAX)
HEIGHT = click.IntRange(1, I64_MAX)
AMOUNT_DIGITS_MAX = 30
AMOUNT_MAX_TEXT = f"{U64_MAX // 10**DISPLAY_EXPONENT}.{U64_MAX % 10**DISPLAY_EXPONENT:06d}{DISPLAY_DENOM}"


class NodeUrl(click.ParamType[str]):
    """The RPC address of a node."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> str:
        """The address as it was given."""
        try:
            check_node_url(str(value))
        except BadNodeUrl as error:
            self.fail(f"{error.text}; {error.hint}", param, context)
        return str(value)


class Hash(click.ParamType[str]):
    """A SHA-256 hash in hex; empty text for none."""

    name = "hash"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> str:
        """The hex digits as they were given."""
        text = str(value)
        if text and not HASH.fullmatch(text):
            self.fail(f"{text!r} is not a hash: write its 64 hex digits", param, context)
        return text


class ConsensusAddress(click.ParamType[bytes]):
    """A validator's consensus address in hex."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> bytes:
        """Its 20 bytes."""
        if isinstance(value, bytes):
            return value
        try:
            return parse_address(str(value))
        except ValueError as error:
            self.fail(f"not a consensus address: {error}", param, context)


def find_nodes(home: Path) -> tuple[str, ...]:
    """The nodes of the network in a home, or the standard one where there is no network."""
    return find_network_nodes(home) or (DEFAULT_NODE,)


def _fill_node(context: click.Context, param: click.Parameter, value: str | None) -> str:
    """The node that was named, else the first of the home's that answers. --home is read before, being eager."""
    return value or (DEFAULT_NODE if context.resilient_parsing else pick_node(find_nodes(context.params["home"])))


def _fill_nodes(context: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    return value or (() if context.resilient_parsing else find_nodes(context.params["home"]))


home_option = click.option(
    "--home", type=click.Path(path_type=Path), envvar="GRADUS_HOME", default=DEFAULT_HOME, show_default=True,
    show_envvar=True, is_eager=True, help="Folder of keys and datasets.")
node_option = click.option(
    "--node", type=NodeUrl(), envvar="GRADUS_NODE", callback=_fill_node, show_envvar=True,
    help=f"RPC address of a node {NODE_DEFAULT_TEXT}.")
nodes_option = click.option(
    "--node", "nodes", multiple=True, type=NodeUrl(), envvar="GRADUS_NODE", callback=_fill_nodes, show_envvar=True,
    help=f"RPC address of a node; repeat it for more to fall back on {NODE_DEFAULT_TEXT}.")
output_option = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Form of the answer.")
data_option = click.option("--data", "folder", type=click.Path(path_type=Path),
                           help="Folder of datasets [HOME/datasets].")
chain_option = click.option("--chain-id", help="Refuse nodes of another chain [that of the first node].")
price_option = click.option(
    "--gas-price-max-ppm", "gas_price_ppm_max", type=click.IntRange(min=0), default=GAS_PRICE_PPM_MAX,
    show_default=True, metavar="PPM", help="Pay at most this, ugrad per million gas, whatever a node asks.")
model_argument = click.argument("model_id", type=MODEL_ID)
from_option = click.option("--from", "sender", required=True, metavar="KEY", help="Key that signs and pays.")


def combine(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several options as one decorator, shown in the order given."""
    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command
    return decorate


unit_arguments = combine(
    model_argument, click.argument("number", metavar="ROUND", type=click.IntRange(1, U32_MAX)),
    click.argument("index", metavar="UNIT", type=click.IntRange(0, U32_MAX)))


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
                digits = (whole + part.ljust(exponent, "0")).lstrip("0")
                if not digits:
                    self.fail(f"{value!r}: an amount must be positive", param, context)
                if len(digits) > AMOUNT_DIGITS_MAX or int(digits) > U64_MAX:
                    self.fail(f"{value!r} is too much: at most {AMOUNT_MAX_TEXT}", param, context)
                return int(digits)
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
    with answered(f"set {PASSPHRASE_VARIABLE}"):
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
    except (KeyMissing, KeyNameInvalid):
        raise CommandError(f"{text!r} is neither an address ({problem.detail}) nor the name of a key here",
                           f"`gradus keys list` shows the names; {LOCALNET_HINT}", ExitStatus.USAGE) from None
