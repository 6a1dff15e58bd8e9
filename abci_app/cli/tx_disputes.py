"""`gradus tx disputes`: a challenge by hand."""

from pathlib import Path

import click

from abci_app.cli.absent import new_round_absent
from abci_app.cli.connect import connect
from abci_app.cli.errors import CommandError
from abci_app.cli.options import open_key, unit_arguments
from abci_app.cli.output import grad_text, print_fields
from abci_app.cli.sending import AMOUNT, send, signing
from abci_app.client.chain import ChainClient
from abci_app.watch.bond import find_bond_ugrad
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.disputes.v1.tx_pb2 import MsgChallenge, MsgChallengeResponse


@click.group("disputes")
def disputes() -> None:
    """Challenges by hand. `gradus watch` challenges and plays by itself, `gradus miner` answers by itself."""


@disputes.command("challenge")
@unit_arguments
@click.option("--bond", type=AMOUNT,
              help="At risk if the claim is right [the least: the contract's, doubled for each dispute that was lost].")
@signing
def challenge(model_id: int, number: int, index: int, bond: int | None, sender: str, home: Path, node: str,
              output: str) -> None:
    """Say that the claim of UNIT of ROUND of MODEL_ID is wrong, and put up a bond.

    Then keep `gradus watch MODEL_ID --key KEY` running: whoever does not move in time loses.

    \b
    Example: gradus tx disputes challenge 1 7 0 --from alice
    """
    key = open_key(home, sender)
    bond_ugrad = bond if bond is not None else ask_bond_ugrad(connect(node), model_id, number, index)
    message = MsgChallenge(challenger=key.bech32, model_id=model_id, round=number, unit=index,
                           bond=coin_pb(base_coin(bond_ugrad)))
    response = MsgChallengeResponse.FromString(send(key, message, node, "none"))
    print_fields({"bond": grad_text(bond_ugrad), "claimant_due_height": response.deadline_height,
                  "next": f"gradus watch {model_id} --key {sender}"}, output)


def ask_bond_ugrad(chain: ChainClient, model_id: int, number: int, unit: int) -> int:
    """What a challenge of a unit takes at least."""
    dealing = chain.find_round(model_id, number)
    if dealing is None or dealing.round is None:
        raise new_round_absent(chain, model_id, number)
    spec = chain.find_spec(model_id, dealing.round.spec_version)
    if spec is None:
        raise CommandError(f"the node does not know the terms of round {number} of model {model_id}",
                           "ask another node")
    return find_bond_ugrad(chain, spec, model_id, number, unit)
