"""A gateway put together and run until it is interrupted."""

import asyncio
import fcntl
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

from abci_app.client.errors import ClientError
from abci_app.gateway.catalogue import Catalogue
from abci_app.gateway.ledger import Ledger
from abci_app.gateway.pool import Pool, Terms
from abci_app.gateway.rates import Rates
from abci_app.gateway.server import Gateway
from abci_app.sdk.client import Client

SHUTDOWN_S = 30.0
_log = logging.getLogger("gradus.gateway")


class GatewayRuns(ClientError):
    """Another gateway of this home runs: both would spend out of one ledger."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """The right to be the gateway of a folder; it goes with the process. Raises GatewayRuns."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise GatewayRuns(f"a gateway runs with {folder} already",
                          "end that one first, or use another --home") from None
    finally:
        os.close(lock)


def listen(bind: str, port: int) -> socket.socket:
    """A socket that listens, before anything else is begun. Raises OSError."""
    return socket.create_server((bind, port), family=socket.AF_INET6 if ":" in bind else socket.AF_INET)


def new_gateway(client: Client, ledger: Ledger, terms: Terms, per_minute: int) -> Gateway:
    """A gateway over a client's node and key."""
    return Gateway(Catalogue(client), Pool(client, ledger, terms), ledger, Rates(per_minute))


def serve(client: Client, ledger: Ledger, terms: Terms, per_minute: int, listening: socket.socket,
          report: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, then end what is open. report: is told the address."""
    gateway = new_gateway(client, ledger, terms, per_minute)
    resumed = gateway.pool.resume()
    if resumed:
        _log.info("%d sessions of an earlier gateway go on", resumed)
    asyncio.run(_serve(gateway, listening, report))


async def _serve(gateway: Gateway, listening: socket.socket, report: Callable[[str], None]) -> None:
    runner = web.AppRunner(gateway.new_app(), access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    site = web.SockSite(runner, listening)
    await site.start()
    report(find_url(runner))
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    _log.info("closing %d sessions", gateway.pool.count_open())
    await runner.cleanup()


def find_url(runner: web.AppRunner) -> str:
    """Where a runner listens."""
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
