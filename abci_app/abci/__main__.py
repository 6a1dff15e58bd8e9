"""`python -m abci_app.abci`: the application's process.

Exit status: 0 stopped by a signal; 1 a call failed and the node must not go on, the log says where; 2 usage; 3 it
cannot run as it is configured, and starting it again would be the same.
"""

import logging
import os
import sys
from pathlib import Path

import click

CONFIG_EXIT = 3
KEEP_VERSIONS = 1000
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@click.command()
@click.option("--home", type=click.Path(path_type=Path), required=True, help="The node's folder.")
@click.option("--socket", type=click.Path(path_type=Path), help="Unix socket to listen at.")
@click.option("--tcp", "tcp_port", type=click.IntRange(0, 65535), help="Port of 127.0.0.1 to listen at instead.")
@click.option("--keep-versions", type=click.IntRange(0), default=KEEP_VERSIONS, show_default=True,
              help="Heights that stay readable and provable; 0 keeps all.")
@click.option("--retain-blocks", type=click.IntRange(0), default=0, show_default=True,
              help="Blocks that the engine keeps at least; 0 keeps all.")
@click.option("--trace", type=click.Path(path_type=Path), envvar="GRADUS_ABCI_TRACE",
              help="File for one letter a call, for checking their order; in HOME unless its path is absolute.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info",
              show_default=True)
def main(home: Path, socket: Path | None, tcp_port: int | None, keep_versions: int, retain_blocks: int,
         trace: Path | None, log_level: str) -> None:
    """Run the ABCI application of the node in HOME until SIGTERM or Ctrl-C.

    Example: python -m abci_app.abci --home ~/node --socket ~/node/run/app.sock
    """
    if (socket is None) == (tcp_port is None):
        raise click.UsageError("name one of --socket and --tcp")
    if keep_versions == 1:
        raise click.UsageError("--keep-versions is 0 (all) or at least 2: proofs are of the state before the latest")
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")  # before anything imports numpy; a node shares its machine
    from abci_app.abci import node
    from abci_app.abci.errors import ConfigProblem
    node.start_log(log_level)
    try:
        node.run(node.Settings(home, socket, tcp_port or 0, keep_versions, retain_blocks, trace))
    except ConfigProblem as problem:
        click.echo(f"error: {problem}", err=True)
        if problem.hint:
            click.echo(f"hint:  {problem.hint}", err=True)
        sys.exit(CONFIG_EXIT)
    except Exception as error:
        logging.getLogger("gradus.abci").critical("the node stops: %s: %s", type(error).__name__, error)
        sys.exit(1)


if __name__ == "__main__":
    main()
