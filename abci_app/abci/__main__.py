"""`python -m abci_app.abci`: the application's process; `python -m abci_app.abci inspect`: what a stopped one left.

Exit status: 0 stopped by a signal; 1 a call failed and the node must not go on, the log says where; 2 usage; 3 it
cannot run as it is configured, and starting it again would be the same.
"""

import json
import logging
import os
import sys
from pathlib import Path

import click

CONFIG_EXIT = 3
ADDRESS_BYTES = 20
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def read_address(text: str | None) -> bytes | None:
    """An address of 20 bytes in hex. Raises click.BadParameter."""
    try:
        address = None if text is None else bytes.fromhex(text)
    except ValueError:
        raise click.BadParameter("write 40 hex digits") from None
    if address is not None and len(address) != ADDRESS_BYTES:
        raise click.BadParameter("write 40 hex digits")
    return address


@click.command()
@click.option("--home", type=click.Path(path_type=Path), required=True, help="The node's folder.")
@click.option("--socket", type=click.Path(path_type=Path), help="Unix socket to listen at.")
@click.option("--tcp", "tcp_port", type=click.IntRange(0, 65535), help="Port of 127.0.0.1 to listen at instead.")
@click.option("--keep-versions", type=int, help="Heights that stay readable and provable; 0 keeps all.")
@click.option("--retain-blocks", type=int, help="Blocks that the engine keeps at least; 0 keeps all.")
@click.option("--snapshot-interval", type=int, help="Heights between two snapshots for state sync; 0 takes none.")
@click.option("--snapshot-keep", type=int, help="Snapshots that stay.")
@click.option("--trace", type=click.Path(path_type=Path), envvar="GRADUS_ABCI_TRACE",
              help="File for one letter a call, for checking their order; in HOME unless its path is absolute.")
@click.option("--validator", metavar="ADDRESS", callback=lambda _ctx, _param, text: read_address(text),
              help="Consensus address of this node, 40 hex digits, where the engine's key is not in HOME/config.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info",
              show_default=True)
def main(home: Path, socket: Path | None, tcp_port: int | None, trace: Path | None,
         validator: bytes | None, log_level: str, **options: int | None) -> None:
    """Run the ABCI application of the node in HOME until SIGTERM or Ctrl-C.

    What is kept is told by HOME/config/app.toml; the options here override it.

    Example: python -m abci_app.abci --home ~/node --socket ~/node/run/app.sock
    """
    if (socket is None) == (tcp_port is None):
        raise click.UsageError("name one of --socket and --tcp")
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")  # before anything imports numpy; a node shares its machine
    from abci_app.abci import node
    from abci_app.abci.config import read_config
    from abci_app.abci.errors import ConfigProblem
    node.start_log(log_level)
    try:
        node.run(node.Settings(home, socket, tcp_port or 0, trace, read_config(home, options), validator))
    except ConfigProblem as problem:
        click.echo(f"error: {problem}", err=True)
        if problem.hint:
            click.echo(f"hint:  {problem.hint}", err=True)
        sys.exit(CONFIG_EXIT)
    except Exception as error:
        logging.getLogger("gradus.abci").critical("the node stops: %s: %s", type(error).__name__, error)
        sys.exit(1)


@click.command("inspect")
@click.option("--home", type=click.Path(path_type=Path), required=True, help="The folder of a stopped node.")
@click.option("--height", type=click.IntRange(0), default=0, show_default=True, help="A kept height; 0 is the latest.")
@click.option("--verify", is_flag=True, help="Read and hash the whole state; takes time and memory of its size.")
def inspect_command(home: Path, height: int, verify: bool) -> None:
    """Print what the state in HOME holds, as JSON.

    Example: python -m abci_app.abci inspect --home ~/node
    """
    from abci_app.abci.errors import ConfigProblem
    from abci_app.abci.inspect import inspect_home
    try:
        click.echo(json.dumps(inspect_home(home, height, verify), indent=2))
    except ConfigProblem as problem:
        kind = type(problem.__cause__ or problem).__name__
        click.echo(json.dumps({"error": str(problem), "hint": problem.hint, "kind": kind}), err=True)
        sys.exit(CONFIG_EXIT)


if __name__ == "__main__":
    if sys.argv[1:2] == ["inspect"]:
        inspect_command(sys.argv[2:], prog_name="python -m abci_app.abci inspect")
    else:
        main()
