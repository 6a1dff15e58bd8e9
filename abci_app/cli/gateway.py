"""`gradus gateway`: OpenAI's calls for the chain's models, paid from a key of this home; API keys of its clients."""

import ipaddress
import logging
import time
from pathlib import Path
from typing import Any

import click

from abci_app.cli.errors import CommandError
from abci_app.cli.exit_status import ExitStatus
from abci_app.cli.infer import new_client
from abci_app.cli.options import combine, home_option, node_option, open_key, output_option
from abci_app.cli.output import grad_text, print_fields, print_rows
from abci_app.cli.progress import tell
from abci_app.cli.sending import AMOUNT
from abci_app.cli.trust import read_terms, trust_options
from abci_app.gateway.ledger import Ledger
from abci_app.gateway.pool import Terms
from abci_app.sdk.client import Trusting

FOLDER = "gateway"
PORT = 8080
NAME_CHARS_MAX = 64
KEY_COLUMNS = ("name", "key", "spent_ugrad", "limit_ugrad", "answers", "created", "state")

limits = combine(
    click.option("--limit", type=AMOUNT, required=True,
                 help="What all answers may cost together, since the first one that this home's gateway paid for."),
    click.option("--deposit", type=AMOUNT, default="0.1grad", show_default=True,
                 help="Of a session with one host; of its bond 40 times that are bound, by the usual contract."),
    click.option("--sessions", type=click.IntRange(1, 256), default=8, show_default=True,
                 help="Open with the hosts of one model at once: so many questions are answered at a time."),
    click.option("--price-max", type=AMOUNT, help="For 10^9 multiply-adds, at most [any]."),
    click.option("--rate", "per_minute", type=click.IntRange(1, 1_000_000), default=120, show_default=True,
                 help="Requests a minute for each API key."))


@click.group("gateway", context_settings={"help_option_names": ["-h", "--help"]})
def gateway() -> None:
    """Serve the chain's models to programs that speak to OpenAI, and pay for them from a key here."""


@gateway.command("start")
@click.option("--key", "name", required=True, help="Name of the key that pays.")
@limits
@click.option("--bind", default="127.0.0.1", show_default=True, metavar="ADDRESS",
              help="Where it listens; anything but this machine is open to others, who need an API key and no more.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 takes any.")
@click.option("--no-prove", is_flag=True, help="Believe the node about sessions.")
@trust_options
@home_option
@node_option
@output_option
def start(name: str, limit: int, deposit: int, sessions: int, price_max: int | None, per_minute: int, bind: str,
          port: int, no_prove: bool, home: Path, node: str, output: str, **options: Any) -> None:
    """Serve /v1/models, /v1/completions and /v1/chat/completions until it is interrupted; then close all sessions.

    Clients need an API key of `gradus gateway keys create`, and the address as their base URL.

    \b
    Example:
      gradus gateway keys create laptop --limit 1grad
      gradus gateway start --key alice --limit 5grad
    """
    from abci_app.gateway.run import alone, listen, serve

    check_address(bind)
    home = home.expanduser()
    terms = read_terms(home, node, options)
    trusting = Trusting(not no_prove, tuple(terms.witnesses), terms.chain_id, terms.trust_height, terms.trust_hash)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    folder = home / FOLDER
    key = open_key(home, name)
    try:
        listening = listen(bind, port)
    except OSError as error:
        raise CommandError(f"cannot listen on {bind}, port {port}: {error.strerror}",
                           "--port takes another one, 0 any that is free") from None
    with listening, alone(folder), new_client(node, key, home, trusting, lambda text: None) as client:
        client.sessions = folder / "sessions"
        ledger = Ledger(folder, limit)
        if not any(key.revoked_s is None for key in ledger.list_keys()):
            tell("there is no API key yet: gradus gateway keys create NAME")
        try:
            serve(client, ledger, Terms(deposit, sessions, price_max or 0), per_minute, listening,
                  lambda url: print_fields({"base_url": f"{url}/v1", "pays": client.key.bech32,
                                            "spent": grad_text(ledger.spent_ugrad), "limit": grad_text(limit)}, output))
        finally:
            ledger.close()


def check_address(bind: str) -> None:
    """Raises CommandError unless `bind` is an address of a machine; says so where others can reach it."""
    try:
        address = ipaddress.ip_address(bind)
    except ValueError:
        raise CommandError(f"{bind!r} is no address", "such as 127.0.0.1, or 0.0.0.0 for every one",
                           ExitStatus.USAGE) from None
    if not address.is_loopback:
        tell("others can reach it, without encryption: put a server with TLS in front of it")


@gateway.group("keys")
def keys() -> None:
    """API keys of the gateway's clients: shown once, kept as a hash."""


@keys.command("create")
@click.argument("name")
@click.option("--limit", type=AMOUNT, help="What its answers may cost together [what all keys may].")
@home_option
@output_option
def create(name: str, limit: int | None, home: Path, output: str) -> None:
    """Make a key. It is shown now and never again.

    \b
    Example: gradus gateway keys create laptop --limit 1grad
    """
    if not 0 < len(name) <= NAME_CHARS_MAX or not name.isprintable():
        raise CommandError(f"{name[:NAME_CHARS_MAX]!r} is no name for a key",
                           f"1 to {NAME_CHARS_MAX} printable characters", ExitStatus.USAGE)
    ledger = Ledger(home.expanduser() / FOLDER)
    try:
        secret = ledger.create(name, limit)
    finally:
        ledger.close()
    print_fields({"name": name, "api_key": secret, "limit_ugrad": limit}, output)


@keys.command("list")
@home_option
@output_option
def list_keys(home: Path, output: str) -> None:
    """All keys, what each has spent and may spend.

    \b
    Example: gradus gateway keys list
    """
    ledger = Ledger(home.expanduser() / FOLDER)
    try:
        rows = [{"name": key.name, "key": f"{key.shown}...", "spent_ugrad": key.spent_ugrad,
                 "limit_ugrad": key.limit_ugrad, "answers": key.answers,
                 "created": time.strftime("%Y-%m-%d", time.gmtime(key.created_s)),
                 "state": "in force" if key.revoked_s is None else "revoked"} for key in ledger.list_keys()]
    finally:
        ledger.close()
    print_rows(rows, KEY_COLUMNS, output, "no API key yet; make one: gradus gateway keys create NAME")


@keys.command("revoke")
@click.argument("name")
@home_option
@output_option
def revoke(name: str, home: Path, output: str) -> None:
    """Take a key out of force at once, also while a gateway runs.

    \b
    Example: gradus gateway keys revoke laptop
    """
    ledger = Ledger(home.expanduser() / FOLDER)
    try:
        ledger.revoke(name)
    finally:
        ledger.close()
    print_fields({"name": name, "state": "revoked"}, output)
