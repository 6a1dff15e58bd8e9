"""`gradus query rewards`: what trainers did and earned, who backs which model, and what is minted."""

from pathlib import Path
from typing import Any

import click

from abci_app.cli.connect import connect
from abci_app.cli.options import HEIGHT, model_argument, resolve_address
from abci_app.cli.output import grad_text, message_fields, print_fields, print_rows
from abci_app.cli.records import asking, of_model, show
from abci_app.cli.trust import proving, unprovable
from abci_app.sdk import proofs
from abci_app.wire.address import encode_address, module_address
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Backing, Contribution, Ledger, Params, Royalties
from abci_app.x.rewards.types import COMMUNITY


@click.group()
def rewards() -> None:
    """What trainers did and earned, who backs models, what is minted."""


@rewards.command("contributions")
@model_argument
@unprovable
@asking
def rewards_contributions(model_id: int, home: Path, node: str, output: str) -> None:
    """Units and earnings of every trainer of a model, what still vests included.

    earned_ugrad comes from the model's escrow, minted_ugrad from the emission.

    \b
    Example: gradus query rewards contributions 1
    """
    chain = connect(node)
    chain.get_model(model_id)
    rows = [message_fields(one) for one in chain.iter_contributions(model_id)]
    print_rows(rows, ("trainer", "units", "earned_ugrad", "minted_ugrad"), output, "nobody has contributed yet")


@rewards.command("contribution")
@model_argument
@click.argument("address")
@proving
@asking
def rewards_contribution(model_id: int, address: str, home: Path, node: str, output: str, **trust: Any) -> None:
    """What one trainer did for and earned from a model.

    \b
    Example: gradus query rewards contribution 1 alice --prove
    """
    address = resolve_address(home, address)
    show(output, home, node, trust, proofs.contribution_place(model_id, address), Contribution,
         of_model(connect(node), model_id, lambda chain: chain.find_contribution(model_id, address)),
         f"{address} has not contributed to model {model_id}",
         f"`gradus query rewards contributions {model_id}` shows who has")


@rewards.command("shares")
@model_argument
@unprovable
@asking
def rewards_shares(model_id: int, home: Path, node: str, output: str) -> None:
    """Each trainer's part of a model's accepted units, in millionths.

    \b
    Example: gradus query rewards shares 1
    """
    chain = connect(node)
    chain.get_model(model_id)
    rows = [message_fields(one) for one in chain.iter_shares(model_id)]
    print_rows(rows, ("trainer", "units", "share_ppm"), output, "nobody has contributed yet")


@rewards.command("vesting")
@model_argument
@click.argument("address", default="")
@unprovable
@asking
def rewards_vesting(model_id: int, address: str, home: Path, node: str, output: str) -> None:
    """Pay of a model that waits for the end of its challenges: of ADDRESS, or of all trainers.

    \b
    Example: gradus query rewards vesting 1 alice
    """
    chain = connect(node)
    chain.get_model(model_id)
    rows = [{"round": one.round, "unit": unit.unit, "trainer": unit.trainer, "escrow_ugrad": one.escrow_ugrad,
             "minted_ugrad": one.minted_ugrad}
            for one in chain.iter_vestings(model_id, resolve_address(home, address) if address else "")
            for unit in one.units]
    print_rows(rows, ("round", "unit", "trainer", "escrow_ugrad", "minted_ugrad"), output, "nothing vests")


@rewards.command("params")
@proving
@asking
def rewards_params(home: Path, node: str, output: str, **trust: Any) -> None:
    """The schedule of the emission, who gets which part of it, how long backing takes to come back, what work is worth.

    mint_price_ugrad_per_gma bounds what an accepted unit may have minted, for each 10^9 of its multiply-adds; at 0
    nothing is minted for work.

    \b
    Example: gradus query rewards params --prove
    """
    show(output, home, node, trust, proofs.rewards_params_place(), Params, lambda: connect(node).rewards_params(),
         "the chain has no parameters of rewards")


@rewards.command("emission")
@click.option("--height", type=HEIGHT, default=None, help="Block whose reward is asked for [the next one].")
@asking
def rewards_emission(height: int | None, home: Path, node: str, output: str) -> None:
    """The reward of a block and its parts, and what has been minted so far.

    A part that nobody earns is not minted: the stakers' goes to the proposer, that for hosts to nobody yet.

    \b
    Example: gradus query rewards emission --height 20000000
    """
    print_fields(message_fields(connect(node).emission(height or 0)), output)


@rewards.command("ledger")
@model_argument
@proving
@asking
def rewards_ledger(model_id: int, home: Path, node: str, output: str, **trust: Any) -> None:
    """What is booked of a model: backing, units, fees of audits, and what its running round has accrued.

    unit_max_ugrad is the most that a unit can have from the emission: the lesser of bond_max_ugrad, what the contract's
    bond deters beside the reward, and work_max_ugrad, its multiply-adds at the chain's price. With --prove the record
    alone, whose accrued_ugrad is as of its last change.

    \b
    Example: gradus query rewards ledger 1
    """
    if trust["prove"]:
        show(output, home, node, trust, proofs.ledger_place(model_id), Ledger, lambda: None,
             f"nothing is booked of model {model_id}")
        return
    chain = connect(node)
    chain.get_model(model_id)
    answer = chain.get_ledger(model_id)
    fields = message_fields(answer.ledger)
    fields["accrued_ugrad"] = answer.accrued_ugrad
    for name in ("unit_max_ugrad", "bond_max_ugrad", "work_max_ugrad"):
        fields[name] = getattr(answer, name)
    print_fields(fields, output)


@rewards.command("royalties")
@model_argument
@click.argument("address", default="")
@proving
@asking
def rewards_royalties(model_id: int, address: str, home: Path, node: str, output: str, **trust: Any) -> None:
    """What a model's answers have brought, and what ADDRESS can collect of it by `gradus tx rewards collect`.

    owed_ugrad waits for trainers, pool_ugrad for auditors; collected_ugrad is paid. With --prove the record alone.

    \b
    Example: gradus query rewards royalties 1 alice
    """
    if trust["prove"]:
        show(output, home, node, trust, proofs.royalties_place(model_id), Royalties, lambda: None,
             f"no answer of model {model_id} has been paid")
        return
    chain = connect(node)
    chain.get_model(model_id)
    answer = chain.get_royalties(model_id, resolve_address(home, address) if address else "")
    fields = message_fields(answer.royalties)
    if address:
        fields["collectable_ugrad"] = answer.collectable_ugrad
    print_fields(fields, output)


@rewards.command("backing")
@model_argument
@click.argument("address")
@proving
@asking
def rewards_backing(model_id: int, address: str, home: Path, node: str, output: str, **trust: Any) -> None:
    """What ADDRESS has put behind a model.

    \b
    Example: gradus query rewards backing 1 alice --prove
    """
    address = resolve_address(home, address)
    show(output, home, node, trust, proofs.backing_place(model_id, address), Backing,
         of_model(connect(node), model_id, lambda chain: chain.find_backing(model_id, address)),
         f"{address} does not back model {model_id}", f"`gradus query rewards backers {model_id}` shows who does")


@rewards.command("backers")
@model_argument
@unprovable
@asking
def rewards_backers(model_id: int, home: Path, node: str, output: str) -> None:
    """Everybody who backs a model.

    \b
    Example: gradus query rewards backers 1
    """
    chain = connect(node)
    chain.get_model(model_id)
    rows = [message_fields(one) for one in chain.iter_backings(model_id)]
    print_rows(rows, ("owner", "amount_ugrad"), output, "nobody backs the model; gradus tx rewards back does")


@rewards.command("unbacking")
@click.argument("address")
@unprovable
@asking
def rewards_unbacking(address: str, home: Path, node: str, output: str) -> None:
    """Coins of ADDRESS on their way back from behind models, and the height at which they come.

    \b
    Example: gradus query rewards unbacking alice
    """
    rows = [message_fields(one) for one in connect(node).iter_unbackings(resolve_address(home, address))]
    print_rows(rows, ("model_id", "amount_ugrad", "due_height"), output, "no coins are on their way back")


@rewards.command("community")
@asking
def rewards_community(home: Path, node: str, output: str) -> None:
    """The coins of the community account, which grows by its part of the emission.

    \b
    Example: gradus query rewards community
    """
    address = encode_address(module_address(COMMUNITY))
    amount = connect(node).balance(address)
    shown = {"balance": grad_text(amount)} if output == "text" else {}
    print_fields({"address": address, "amount_ugrad": amount, **shown}, output)
