"""Options of contracts by which a model is asked for answers: who earns of a fee, and what hosts put up."""

from pathlib import Path
from typing import Any

import click

from abci_app.cli.errors import CommandError
from abci_app.cli.exit_status import ExitStatus
from abci_app.cli.options import combine, resolve_address
from abci_app.cli.sending import AMOUNT
from abci_app.wire.coin import BASE_DENOM
from abci_app.wire.ints import PPM
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.x.models.types.inference import AUDIT_PPM_MIN, PARTS, POLICY_DEFAULT, REPLICAS_MAX, default_policy

SHARES = PARTS[1:]  # the hosts have what these leave
answer_options = combine(
    click.option("--trainers-ppm", type=click.IntRange(0, PPM), default=POLICY_DEFAULT.trainers_ppm, show_default=True,
                 help="Of each answer's fee, to the trainers by their accepted units. What these five leave is the "
                      "hosts' price."),
    click.option("--creator-ppm", type=click.IntRange(0, PPM), default=POLICY_DEFAULT.creator_ppm, show_default=True,
                 help="Of each fee, to the model's admin."),
    click.option("--owner-ppm", type=click.IntRange(0, PPM), default=POLICY_DEFAULT.owner_ppm, show_default=True,
                 help="Of each fee, to --data-owner."),
    click.option("--auditors-ppm", type=click.IntRange(0, PPM), default=POLICY_DEFAULT.auditors_ppm, show_default=True,
                 help="Of each fee, to those who compute drawn answers again."),
    click.option("--burn-ppm", "burn_ppm", type=click.IntRange(0, PPM), default=POLICY_DEFAULT.burn_ppm,
                 show_default=True, help="Of each fee, to nobody."),
    click.option("--data-owner", metavar="ADDRESS|KEY", help="Who has the --owner-ppm of each fee."),
    click.option("--answer-audit-ppm", type=click.IntRange(AUDIT_PPM_MIN, PPM), default=POLICY_DEFAULT.audit_ppm,
                 show_default=True, help="Share of the answers on which all hosts agree that is computed again."),
    click.option("--host-bond", "host_bond_ugrad", type=AMOUNT, default=f"{POLICY_DEFAULT.host_bond_ugrad}{BASE_DENOM}",
                 show_default=True, help="What a host puts up at least."),
    click.option("--replicas-max", type=click.IntRange(1, REPLICAS_MAX), default=POLICY_DEFAULT.replicas_max,
                 show_default=True, help="Hosts that one request may have answer it."),
    click.option("--no-hosts", is_flag=True, help="Nobody hosts the model; `update` can change that."))


def set_answer_terms(spec: ModelSpec, home: Path, terms: dict[str, Any]) -> None:
    """Write the options' inference policy into `spec`. CommandError where the shares leave the hosts nothing, or name a
    part without an owner."""
    if terms["no_hosts"]:
        spec.ClearField("inference")
        return
    shared = sum(terms[name] for name in SHARES)
    if shared >= PPM:
        raise CommandError(f"the shares of a fee add up to {shared}, which leaves the hosts nothing",
                           f"take less than {PPM} for {', '.join(map(option_name, SHARES))} together", ExitStatus.USAGE)
    if (terms["data_owner"] is None) != (terms["owner_ppm"] == 0):
        raise CommandError("--owner-ppm and --data-owner go together", "name both, or neither", ExitStatus.USAGE)
    policy = spec.inference
    policy.CopyFrom(default_policy())
    policy.hosts_ppm = PPM - shared
    for name in (*SHARES, "host_bond_ugrad", "replicas_max"):
        setattr(policy, name, terms[name])
    policy.audit_ppm = terms["answer_audit_ppm"]
    policy.data_owner = "" if terms["data_owner"] is None else resolve_address(home, terms["data_owner"])


def with_default_policy(spec: ModelSpec) -> ModelSpec:
    """`spec`, with the default inference policy where it has none: what `update` sets fields of."""
    merged = ModelSpec.FromString(spec.SerializeToString())
    if not merged.HasField("inference"):
        merged.inference.CopyFrom(default_policy())
    return merged


def option_name(field: str) -> str:
    """`trainers_ppm` as --trainers-ppm."""
    return "--" + field.replace("_", "-")
