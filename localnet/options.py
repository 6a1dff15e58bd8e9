"""Options that several commands of networks and of nodes have."""

from __future__ import annotations

from pathlib import Path

import click

from localnet.releases import RELEASES, VARIABLE, VERSION

DEFAULT_FOLDER = Path("~/.gradus/localnet")

dir_option = click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), default=DEFAULT_FOLDER,
                          envvar="GRADUS_LOCALNET", show_default=True, help="Folder of the network.")
engine_option = click.option("--engine", type=click.Path(path_type=Path), default=None, envvar="GRADUS_COMETBFT",
                             help="A CometBFT binary; the chosen version is built and cached when not given.")
version_option = click.option("--engine-version", type=click.Choice(list(RELEASES)), default=None, envvar=VARIABLE,
                              help=f"The release of CometBFT: {VERSION} unless the network ran with another one.")
