"""`gradus tx models`: contracts made, funded, changed, paused, handed on and closed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from abci_app.cli.answer_terms import answer_options, set_answer_terms, with_default_policy
from abci_app.cli.connect import connect
from abci_app.cli.contracts import (
    add_limits, compute_escrow, compute_lacking, find_manifest, new_contract, new_dataset, new_spec, read_terms,
    set_terms,
)
from abci_app.cli.errors import CommandError
from abci_app.cli.exit_status import ExitStatus
from abci_app.cli.networks import check_fits, network_options, read_shape
from abci_app.cli.options import ROUND_NUMBER, combine, model_argument, open_key, resolve_address
from abci_app.cli.output import grad_text, message_fields, print_fields
from abci_app.cli.sending import AMOUNT, send, signing
from abci_app.client.errors import ClientError
from abci_app.wire.coin import BASE_DENOM, base_coin, coin_pb
from abci_app.wire.ints import PPM
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import (
    MsgAcceptAdmin, MsgAttachData, MsgAttachDataResponse, MsgCloseModel, MsgCloseModelResponse, MsgCreateModelResponse,
    MsgFundModel, MsgInviteTrainers, MsgOfferAdmin, MsgPauseModel, MsgResumeModel, MsgUpdateModel,
    MsgUpdateModelResponse,
)
from abci_app.x.models.types import CODEC, CODECS, RULES, UNITS_MAX, check_spec
from abci_app.x.models.types.changes import merge_policies
from abci_app.x.models.types.defaults import (
    AUDIT_FEE_PPM, AUDIT_RATE_PPM, CHALLENGE_BLOCKS, CHALLENGE_BOND_UGRAD, COMMITTEE, RECIPES, choose_audit_fee_ppm,
    compute_default_bond,
)
from abci_app.x.models.types.limits import POLICIES, check_within_limits
from abci_app.x.models.types.messages import check_invite_trainers, check_update_model
from abci_app.x.models.types.terms import (
    AUDIT_FEE_PPM_MAX, CHALLENGE_BLOCKS_MAX, CHALLENGE_BLOCKS_MIN, COMMITTEE_MAX, PARAMS_DEFAULT,
)

DATASET_HELP = "A dataset of this home, by name or by the first characters of its root; see `gradus data list`."
spec_option = click.option(
    "--spec", "spec_path", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="JSON with further terms, over the defaults and the options above; such as `--dry-run` prints.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Print the terms and stop.")
audit_options = combine(
    click.option("--audit-rate-ppm", "rate_ppm", type=click.IntRange(1, PPM), default=AUDIT_RATE_PPM, show_default=True,
                 help="Share of a round's units that auditors compute again, at least one; a lower one takes a larger "
                      "bond."),
    click.option("--committee", "committee_max", type=click.IntRange(1, COMMITTEE_MAX), default=COMMITTEE,
                 show_default=True, help="Validators who compute such a unit again, at most."),
    click.option("--audit-fee-ppm", type=click.IntRange(0, AUDIT_FEE_PPM_MAX),
                 help=f"Of a round's reward, paid to its auditors from the escrow on top of it [{AUDIT_FEE_PPM}, or "
                      "the least that the chain's price for their work asks for]."),
    click.option("--challenge-blocks", type=click.IntRange(CHALLENGE_BLOCKS_MIN, CHALLENGE_BLOCKS_MAX),
                 default=CHALLENGE_BLOCKS, show_default=True,
                 help="How long after a round anyone may challenge its units; its pay waits so long."),
    click.option("--challenge-bond", "challenge_bond_ugrad", type=AMOUNT, default=f"{CHALLENGE_BOND_UGRAD}ugrad",
                 show_default=True, help="What a challenger puts up, and loses if the unit is right."))
training_options = combine(
    click.option("--rounds", type=ROUND_NUMBER,
                 help=f"0: train without end [{RECIPES['mlp_classifier'].rounds}, of a text "
                      f"{RECIPES['decoder'].rounds}]."),
    click.option("--trainers-min", type=click.IntRange(1, UNITS_MAX), default=4, show_default=True,
                 help="Enrolled trainers before the first round opens."),
    click.option("--reward", type=AMOUNT, default="1grad", show_default=True, help="Of a round, for all its units."),
    network_options,
    click.option("--codec", type=click.Choice(CODECS), default=CODEC, show_default=True,
                 help="How updates are written: 8, 4 or 2 bits a parameter, or 64 of every 4096 parameters."),
    click.option("--aggregation", type=click.Choice(RULES), metavar="RULE",
                 help="How a round's updates become one: mean, trimmed_mean, median, krum, multi_krum, "
                      "geometric_median, clipped_mean, centered_clip or sign_vote, each also with nnm+ before it "
                      "[trimmed_mean, with nnm+ before it for top64/4096]."),
    click.option("--trim", type=click.IntRange(0, UNITS_MAX),
                 help="Wrong updates that the rule must withstand [1 where there are trainers enough]."))


@click.group()
def models() -> None:
    """Model contracts."""


@models.command("create")
@click.option("--dataset", "dataset_name", required=True, metavar="NAME|ROOT", help=DATASET_HELP)
@click.option("--escrow", type=AMOUNT,
              help="Coins from which the rounds are paid [what all of them take, with the fees of their auditors].")
@click.option("--name", default="", help="Name of the model [the dataset's name].")
@training_options
@audit_options
@answer_options
@click.option("--invite", "invited", multiple=True, metavar="ADDRESS|KEY",
              help="Who may train; repeat it for more. Without it anyone may who puts up the bond.")
@click.option("--limit", "limits", multiple=True, metavar="FIELD=MIN..MAX",
              help="What you may change later by `gradus tx models update`; repeat it for more. FIELD=VALUE,VALUE for "
                   "training.codec and training.aggregation. Without it nothing.")
@spec_option
@dry_run_option
@signing
def models_create(dataset_name: str, escrow: int | None, dry_run: bool, sender: str, home: Path, node: str, output: str,
                  **terms: Any) -> None:
    """Deploy a model contract for a dataset and fund it.

    \b
    Example: gradus tx models create --dataset digits --from alice
    Example: gradus tx models create --dataset digits --escrow 27grad --trainers-min 9 --codec int4/256 \\
                 --aggregation nnm+trimmed_mean --trim 2 --from alice
    Example: gradus tx models create --dataset digits --escrow 27grad --from alice \\
                 --limit training.local_steps=8..64 --limit economy.round_reward_ugrad=500000..2000000
    """
    spec = build_spec(home, dataset_name, terms, lambda: find_audit_price(node, dry_run))
    if escrow is None and not spec.training.rounds:
        raise CommandError("a model that trains without end has no last round to pay", "--escrow AMOUNT",
                           ExitStatus.USAGE)
    escrow = compute_escrow(spec) if escrow is None else escrow
    key = open_key(home, sender)
    message = new_contract(key.bech32, spec, escrow)
    if dry_run:
        print_fields(message_fields(spec), output)
        return
    response = MsgCreateModelResponse.FromString(send(key, message, node, "none"))
    print_fields({"model_id": response.model_id, "escrow": grad_text(escrow),
                  "bond": grad_text(spec.economy.bond_ugrad),
                  "next": f"gradus miner start {response.model_id} --key KEY"}, output)


def find_audit_price(node: str, dry_run: bool) -> int:
    """What the chain asks for audits, ugrad for 10^9 multiply-adds; for terms that are not sent the default will do."""
    try:
        return connect(node).models_params().audit_price_ugrad_per_gma
    except ClientError:
        if not dry_run:
            raise
        return PARAMS_DEFAULT.audit_price_ugrad_per_gma


def build_spec(home: Path, dataset_name: str, terms: dict[str, Any], find_price: Callable[[], int]) -> ModelSpec:
    """The terms that the options of `create` ask for, with a fee of the auditors that covers the price where none is
    named.

    find_price: what the chain asks for audits, ugrad for 10^9 multiply-adds; asked once all else is in order.
    """
    manifest = find_manifest(home, dataset_name)
    widths, shape = read_shape(manifest, terms)
    spec = new_spec(manifest, terms["rounds"], terms["trainers_min"], terms["reward"], widths, terms["name"],
                    terms["codec"], terms["aggregation"] or "", terms["challenge_blocks"], decoder=shape)
    check_fits(spec, terms)
    if terms["trim"] is not None:
        spec.training.trim = terms["trim"]
    for name in ("rate_ppm", "committee_max", "challenge_bond_ugrad"):
        setattr(spec.audit, name, terms[name])
    chosen_ppm = spec.audit.audit_fee_ppm if terms["audit_fee_ppm"] is None else terms["audit_fee_ppm"]
    spec.audit.audit_fee_ppm = chosen_ppm
    spec.economy.bond_ugrad = compute_default_bond(spec.economy, spec.audit)
    spec.invited_trainers[:] = [resolve_address(home, one) for one in terms["invited"]]
    set_answer_terms(spec, home, terms)
    if terms["spec_path"] is not None:
        spec = read_terms(spec, terms["spec_path"])
    add_limits(spec, terms["limits"])
    if terms["audit_fee_ppm"] is None and spec.audit.audit_fee_ppm == chosen_ppm:
        spec.audit.audit_fee_ppm = choose_audit_fee_ppm(spec, find_price())
    return spec


@models.command("fund")
@model_argument
@click.argument("amount", type=AMOUNT)
@signing
def models_fund(model_id: int, amount: int, sender: str, home: Path, node: str, output: str) -> None:
    """Add AMOUNT to a model's escrow.

    \b
    Example: gradus tx models fund 1 10grad --from alice
    """
    key = open_key(home, sender)
    send(key, MsgFundModel(sender=key.bech32, model_id=model_id, amount=coin_pb(base_coin(amount))), node, output)


@models.command("update")
@model_argument
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE",
              help="A field of training, audit, economy or inference, such as training.local_steps=16; repeat it for "
                   "more.")
@spec_option
@dry_run_option
@signing
def models_update(model_id: int, settings: tuple[str, ...], spec_path: Path | None, dry_run: bool, sender: str,
                  home: Path, node: str, output: str) -> None:
    """Change policies of a model of yours, within the limits of its contract.

    The new terms are in force from the next round that is dealt. A model that nobody may host has no inference policy:
    fields of one give it the default one, with these fields in it.

    \b
    Example: gradus tx models update 1 --set training.local_steps=16 --from alice
    Example: gradus tx models update 1 --set inference.hosts_ppm=650000 --set inference.creator_ppm=100000 --from alice
    """
    if not settings and spec_path is None:
        raise CommandError("nothing to change is given", "--set FIELD=VALUE, or --spec FILE", ExitStatus.USAGE)
    chain = connect(node)
    model = chain.get_model(model_id)
    before = chain.find_pending_spec(model_id) or model.spec
    start = with_default_policy(before) if any(one.startswith("inference.") for one in settings) else before
    after = set_terms(start if spec_path is None else read_terms(start, spec_path), settings)
    key = open_key(home, sender)
    message = MsgUpdateModel(authority=key.bech32, model_id=model_id)
    for policy in POLICIES:
        if getattr(after, policy) != getattr(before, policy):
            getattr(message, policy).CopyFrom(getattr(after, policy))
    check_update_model(message)
    if merge_policies(before, message) != after:
        raise CommandError(f"{spec_path} changes more than training, audit, economy and inference",
                           "data are attached by `gradus tx models attach`, trainers invited by `gradus tx models "
                           "invite`; the rest of a contract is fixed", ExitStatus.USAGE)
    check_within_limits(before, after)
    check_spec(after)
    if dry_run:
        print_fields(message_fields(after), output)
        return
    response = MsgUpdateModelResponse.FromString(send(key, message, node, "none"))
    print_version(node, model_id, response.spec_version, sender, output)


@models.command("attach")
@model_argument
@click.option("--dataset", "dataset_name", metavar="NAME|ROOT", help=f"{DATASET_HELP} [the rows it has]")
@click.option("--rounds-more", type=ROUND_NUMBER, default=0, show_default=True,
              help="Rounds to add; a model that serves trains again.")
@signing
def models_attach(model_id: int, dataset_name: str | None, rounds_more: int, sender: str, home: Path, node: str,
                  output: str) -> None:
    """Have a model of yours train on other rows of the same shape, or for more rounds, or both.

    It goes on from the weights it has. What its escrow lacks for the rounds that are left is told, with the command
    that adds it.

    \b
    Example: gradus tx models attach 1 --dataset digits-2026 --rounds-more 25 --from alice
    """
    if dataset_name is None and not rounds_more:
        raise CommandError("nothing to attach is given", "--dataset NAME, or --rounds-more N, or both",
                           ExitStatus.USAGE)
    key = open_key(home, sender)
    message = MsgAttachData(admin=key.bech32, model_id=model_id, rounds_more=rounds_more)
    if dataset_name is not None:
        message.dataset.CopyFrom(new_dataset(find_manifest(home, dataset_name)))
    response = MsgAttachDataResponse.FromString(send(key, message, node, "none"))
    print_version(node, model_id, response.spec_version, sender, output)


def print_version(node: str, model_id: int, version: int, sender: str, output: str) -> None:
    """What became of a change of terms: whether it is in force already, or waits for a round to end, and the coins that
    the escrow lacks for the rounds that are left."""
    chain = connect(node)
    model, pending = chain.get_model(model_id), chain.find_pending_spec(model_id)
    waits = model.spec_version < version
    lacking = compute_lacking(model, pending or model.spec)
    fields: dict[str, Any] = {"spec_version": version,
                              "in_force": "when the running round has ended" if waits else "now"}
    if lacking:
        fields |= {"escrow": grad_text(model.escrow_ugrad), "lacking": grad_text(lacking),
                   "next": f"gradus tx models fund {model_id} {lacking}{BASE_DENOM} --from {sender}"}
    print_fields(fields, output)


@models.command("pause")
@model_argument
@signing
def models_pause(model_id: int, sender: str, home: Path, node: str, output: str) -> None:
    """Deal no more rounds of a model of yours; one that runs ends as ever.

    \b
    Example: gradus tx models pause 1 --from alice
    """
    key = open_key(home, sender)
    send(key, MsgPauseModel(authority=key.bech32, model_id=model_id), node, output)


@models.command("resume")
@model_argument
@signing
def models_resume(model_id: int, sender: str, home: Path, node: str, output: str) -> None:
    """Let a paused model of yours go on.

    \b
    Example: gradus tx models resume 1 --from alice
    """
    key = open_key(home, sender)
    send(key, MsgResumeModel(authority=key.bech32, model_id=model_id), node, output)


@models.command("invite")
@model_argument
@click.option("--add", "added", multiple=True, metavar="ADDRESS|KEY", help="Who may train too; repeat it for more.")
@click.option("--remove", "removed", multiple=True, metavar="ADDRESS|KEY",
              help="Who is dealt no more units; repeat it for more.")
@click.option("--open", "is_open", is_flag=True, help="Anyone may train who puts up the bond.")
@signing
def models_invite(model_id: int, added: tuple[str, ...], removed: tuple[str, ...], is_open: bool, sender: str,
                  home: Path, node: str, output: str) -> None:
    """Change who may train a model of yours, from its next round on.

    To add to a model that anyone may train means that only those who are added may from then on.

    \b
    Example: gradus tx models invite 1 --add bob --remove carol --from alice
    """
    if not (added or removed or is_open):
        raise CommandError("nobody is named", "--add, --remove or --open", ExitStatus.USAGE)
    key = open_key(home, sender)
    message = MsgInviteTrainers(admin=key.bech32, model_id=model_id, open=is_open,
                                add=[resolve_address(home, one) for one in added],
                                remove=[resolve_address(home, one) for one in removed])
    check_invite_trainers(message)
    send(key, message, node, output)


@models.command("offer-admin")
@model_argument
@click.argument("recipient", required=False)
@click.option("--withdraw", is_flag=True, help="Offer the model to nobody any more.")
@signing
def models_offer_admin(model_id: int, recipient: str | None, withdraw: bool, sender: str, home: Path, node: str,
                       output: str) -> None:
    """Offer a model of yours to RECIPIENT, who then accepts it; what its escrow gives back goes with it.

    \b
    Example: gradus tx models offer-admin 1 bob --from alice
    """
    if withdraw == (recipient is not None):
        raise CommandError("name a RECIPIENT, or --withdraw the offer", "--help shows an example", ExitStatus.USAGE)
    key = open_key(home, sender)
    offered = "" if recipient is None else resolve_address(home, recipient)
    send(key, MsgOfferAdmin(admin=key.bech32, model_id=model_id, recipient=offered), node, output)


@models.command("accept-admin")
@model_argument
@signing
def models_accept_admin(model_id: int, sender: str, home: Path, node: str, output: str) -> None:
    """Become the admin of a model that is offered to your key.

    \b
    Example: gradus tx models accept-admin 1 --from bob
    """
    key = open_key(home, sender)
    send(key, MsgAcceptAdmin(recipient=key.bech32, model_id=model_id), node, output)


@models.command("close")
@model_argument
@signing
def models_close(model_id: int, sender: str, home: Path, node: str, output: str) -> None:
    """End a model of yours and take back what its escrow holds; refused while a round runs.

    \b
    Example: gradus tx models close 1 --from alice
    """
    key = open_key(home, sender)
    response = MsgCloseModelResponse.FromString(send(key, MsgCloseModel(admin=key.bech32, model_id=model_id), node,
                                                     "none"))
    print_fields({"refunded": grad_text(response.refunded_ugrad)}, output)
