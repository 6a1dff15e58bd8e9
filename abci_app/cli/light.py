"""`gradus light`: the blocks that this home trusts, from which answers are proved."""

import time
from pathlib import Path
from typing import Any

import click

from abci_app.cli.errors import CommandError
from abci_app.cli.options import combine, home_option, node_option, output_option
from abci_app.cli.output import print_fields, print_rows
from abci_app.cli.trust import read_terms, trust_options
from abci_app.client.light.blocks_json import write_time
from abci_app.client.light.errors import LightError
from abci_app.client.light.trust import TrustStore
from abci_app.client.light.verify import Rules
from abci_app.sdk import proofs

asking = combine(home_option, output_option)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def light() -> None:
    """The blocks that --prove starts from, one for each chain, in HOME/light."""


@light.command()
@asking
def status(home: Path, output: str) -> None:
    """What is trusted of each chain, and until when.

    \b
    Example: gradus light status
    """
    store = TrustStore(home)
    rows = [_row(store, chain_id) for chain_id in store.iter_chains()]
    print_rows(rows, ("chain_id", "trusted_height", "trusted_by", "verified_height", "expires", "problem"), output,
               "no chain is trusted yet; the first `gradus query ... --prove` trusts one, or `gradus light update`")


def _row(store: TrustStore, chain_id: str) -> dict[str, Any]:
    try:
        trust = store.find(chain_id)
    except LightError as error:
        return {"chain_id": chain_id, "problem": error.text}
    if trust is None:
        return {"chain_id": chain_id, "problem": "it was forgotten just now"}
    expires_ns = trust.latest.header.time_ns + Rules().trusting_period_ns
    return {"chain_id": chain_id, "trusted_height": trust.root.height, "trusted_hash": trust.root.hash.hex().upper(),
            "trusted_by": "hash given" if trust.is_given else "first use", "verified_height": trust.latest.height,
            "verified_hash": trust.latest.hash.hex().upper(), "expires": write_time(expires_ns),
            "problem": "expired" if expires_ns <= time.time_ns() else ""}


@light.command()
@trust_options
@home_option
@node_option
@output_option
def update(home: Path, node: str, output: str, **trust: Any) -> None:
    """Verify the node's newest block and keep it, so that the trust does not expire.

    With --trust-hash the chain is trusted anew, from that block on.

    \b
    Example: gradus light update --witness http://127.0.0.1:26659
    """
    print_fields(proofs.trust_fields(proofs.follow(read_terms(home, node, trust))), output)


@light.command()
@click.argument("chain_id")
@asking
def reset(chain_id: str, home: Path, output: str) -> None:
    """Forget what is trusted of CHAIN_ID, such as a test network that was begun anew.

    \b
    Example: gradus light reset gradus-local-1
    """
    if not TrustStore(home).drop(chain_id):
        raise CommandError(f"nothing is trusted of {chain_id!r}", "`gradus light status` shows the chains")
    print_fields({"chain_id": chain_id, "forgotten": True}, output)
