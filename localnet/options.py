"""Options that several commands of networks and of nodes have."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from abci_app.client.errors import BadNodeUrl
from abci_app.client.node_url import check_node_url
from localnet.errors import HomeError
from localnet.manifest import has_manifest
from localnet.releases import RELEASES, VARIABLE, VERSION

DEFAULT_FOLDER = Path("~/.gradus/localnet")
HASH_DIGITS = 64


def find_default_folder() -> Path:
    """The home's folder where that holds a network, which other commands then ask, else the standard one."""
    home = Path(os.environ.get("GRADUS_HOME") or DEFAULT_FOLDER).expanduser()
    return home if has_manifest(home) else DEFAULT_FOLDER


def taken_by(check: Callable[[str], object]) -> Callable[[click.Context, click.Parameter, str], str]:
    """The callback of an option whose value must pass a check that raises HomeError: else the usage is wrong."""
    def take(context: click.Context, param: click.Parameter, value: str) -> str:
        try:
            check(value)
        except HomeError as error:
            raise click.BadParameter(f"{error.text}; {error.hint}", context, param) from None
        return value
    return take


def read_urls(context: click.Context, param: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    """The RPC addresses of options that may name several each; wrong usage where there is none, or one is malformed."""
    named = tuple(url.strip() for text in values for url in text.split(",") if url.strip())
    if not named:
        raise click.BadParameter("no node is named: write URL[,URL...]", context, param)
    for url in named:
        try:
            check_node_url(url)
        except BadNodeUrl as error:
            raise click.BadParameter(f"{error.text}; {error.hint}", context, param) from None
    return named


def read_hash(context: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """The hex digits of a SHA-256 hash."""
    if value is not None and (len(value) != HASH_DIGITS or set(value) - set("0123456789abcdefABCDEF")):
        raise click.BadParameter(f"{value!r} is not a hash: write its {HASH_DIGITS} hex digits", context, param)
    return value


dir_option = click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False),
                          default=find_default_folder, envvar="GRADUS_LOCALNET", show_envvar=True,
                          show_default=f"GRADUS_HOME where that holds a network, else {DEFAULT_FOLDER}",
                          help="Folder of the network.")
rpc_option = click.option("--rpc", "urls", multiple=True, required=True, metavar="URL[,URL...]", callback=read_urls,
                          help="RPCs of the chain's nodes, two or more where you can: what they say is compared.")
trust_height_option = click.option("--trust-height", type=click.IntRange(1),
                                   help="The block to trust; the newest with a snapshot when not given.")
trust_hash_option = click.option("--trust-hash", callback=read_hash,
                                 help="Its hash, from a source that you trust; what all the nodes say when not given.")
engine_option = click.option("--engine", type=click.Path(path_type=Path), default=None, envvar="GRADUS_COMETBFT",
                             help="A CometBFT binary; the chosen version is built and cached when not given.")
version_option = click.option("--engine-version", type=click.Choice(list(RELEASES)), default=None, envvar=VARIABLE,
                              help=f"The release of CometBFT: {VERSION} unless the network ran with another one.")
