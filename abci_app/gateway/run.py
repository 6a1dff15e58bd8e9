"""A gateway put together and run until it is interrupted."""

import asyncio
import logging
import signal
from collections.abc import Callable

from aiohttp import web

from abci_app.gateway.catalogue import Catalogue
from abci_app.gateway.ledger import Ledger
from abci_app.gateway.pool import Pool, Terms
from abci_app.gateway.rates import Rates
from abci_app.gateway.server import Gateway
from abci_app.sdk.client import Client

SHUTDOWN_S = 30.0
_log = logging.getLogger("gradus.gateway")


def new_gateway(client: Client, ledger: Ledger, terms: Terms, per_minute: int) -> Gateway:
    """A gateway over a client's node and key."""
    return Gateway(Catalogue(client), Pool(client, ledger, terms), ledger, Rates(per_minute))


def serve(client: Client, ledger: Ledger, terms: Terms, per_minute: int, bind: str, port: int,
          report: Callable[[str], None]) -> None:
    """Listen until SIGINT or SIGTERM, then end what is open. report: is told the address."""
    gateway = new_gateway(client, ledger, terms, per_minute)
    resumed = gateway.pool.resume()
    if resumed:
        _log.info("%d sessions of an earlier gateway go on", resumed)
    asyncio.run(_serve(gateway, bind, port, report))


async def _serve(gateway: Gateway, bind: str, port: int, report: Callable[[str], None]) -> None:
    runner = web.AppRunner(gateway.new_app(), access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    site = web.TCPSite(runner, bind, port)
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
