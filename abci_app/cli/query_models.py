"""`gradus query models versions|params`: the terms that a contract has had, has and will have; what holds for all."""

from pathlib import Path
from typing import Any

import click

from abci_app.cli.connect import connect
from abci_app.cli.options import model_argument
from abci_app.cli.output import message_fields, print_rows
from abci_app.cli.records import asking, show
from abci_app.cli.trust import proving, unprovable
from abci_app.sdk import proofs
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec, Params
from abci_app.x.models.types.limits import get_policy_value, list_changes

REPLACED, IN_FORCE, WAITING = "replaced", "in force", "waits for the round to end"


@click.command("versions")
@model_argument
@unprovable
@asking
def models_versions(model_id: int, home: Path, node: str, output: str) -> None:
    """The terms of a model by version: since which block, and what each changed.

    \b
    Example: gradus query models versions 1
    """
    chain = connect(node)
    chain.get_model(model_id)
    versions, pending = chain.list_versions(model_id), chain.find_pending_spec(model_id)
    rows, before = [], None
    for one in versions:
        state = IN_FORCE if one is versions[-1] else REPLACED
        rows.append({"version": one.version, "height": one.height, "state": state,
                     "changes": tell_changes(before, one.spec), "spec": message_fields(one.spec)})
        before = one.spec
    if pending is not None and before is not None:
        rows.append({"version": versions[-1].version + 1, "height": "", "state": WAITING,
                     "changes": tell_changes(before, pending), "spec": message_fields(pending)})
    print_rows(rows, ("version", "height", "state", "changes"), output, "no terms")


@click.command("params")
@proving
@asking
def models_params(home: Path, node: str, output: str, **trust: Any) -> None:
    """What holds for every contract: what auditors are paid at least, in ugrad for 10^9 multiply-adds.

    A contract whose audit fee would pay less is refused; `gradus tx models create` chooses one that is enough.

    \b
    Example: gradus query models params --prove
    """
    show(output, home, node, trust, proofs.models_params_place(), Params, lambda: connect(node).models_params(),
         "the chain has no parameters of models")


def tell_changes(before: ModelSpec | None, after: ModelSpec) -> str:
    """What differs between two terms, such as `training.local_steps 32 -> 16`."""
    if before is None:
        return "as created"
    told = [f"{field} {get_policy_value(before, field)} -> {get_policy_value(after, field)}"
            for field in list_changes(before, after)]
    if after.dataset != before.dataset:
        told.append(f"dataset {before.dataset.rows_root.hex()[:12]} -> {after.dataset.rows_root.hex()[:12]}")
    return ", ".join(told)
