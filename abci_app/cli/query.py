"""`gradus query`: what a node says, and with --prove what the chain's validators signed."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
from google.protobuf.message import Message

from abci_app.cli import trained
from abci_app.cli.absent import new_round_absent, new_unit_absent
from abci_app.cli.connect import connect
from abci_app.cli.data import data_errors, open_store
from abci_app.cli.errors import CommandError
from abci_app.cli.exit_status import ExitStatus
from abci_app.cli.options import ROUND_NUMBER, Hash, data_option, model_argument, resolve_address, unit_arguments
from abci_app.cli.output import grad_text, message_fields, print_fields, print_rows
from abci_app.cli.progress import progress_bar
from abci_app.cli.query_audits import audits
from abci_app.cli.query_disputes import disputes
from abci_app.cli.query_inference import inference
from abci_app.cli.query_models import models_params, models_versions
from abci_app.cli.query_rewards import rewards
from abci_app.cli.query_sessions import sessions
from abci_app.cli.records import SETTINGS, asking, of_model, show
from abci_app.cli.trust import proving, read_terms, unprovable
from abci_app.client.rpc import Rpc
from abci_app.sdk import proofs
from abci_app.wire.pb.cosmos.auth.v1beta1.auth_pb2 import BaseAccount
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model, Weights
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Trainer, Unit

round_option = click.option("--round", "number", type=ROUND_NUMBER,
                            help="Weights after this round; 0: the initial ones [the last closed round].")


@click.group(context_settings=SETTINGS)
def query() -> None:
    """Ask a node about the state.

    With --prove a record, or that there is none, is proved against what the chain's validators signed; status 4 when
    anything does not verify.
    """


query.add_command(rewards)
query.add_command(audits)
query.add_command(disputes)
query.add_command(inference)
query.add_command(sessions)


@query.group()
def bank() -> None:
    """Coins."""


@bank.command("balance")
@click.argument("address")
@proving
@asking
def bank_balance(address: str, home: Path, node: str, output: str, **trust: Any) -> None:
    """The balance of ADDRESS, or of a key here.

    \b
    Example: gradus query bank balance alice --prove
    """
    address = resolve_address(home, address)
    if trust["prove"]:
        proved = proofs.prove(read_terms(home, node, trust), proofs.balance_place(address))
        amount, proof = int(proved.record.value or 0), {"proved": proofs.proved_fields(proved)}
    else:
        amount, proof = connect(node).balance(address), {}
    shown = {"balance": grad_text(amount)} if output == "text" else {}
    print_fields({"address": address, "amount_ugrad": amount, **shown, **proof}, output)


@query.group()
def auth() -> None:
    """Accounts, and the price of gas."""


@auth.command("account")
@click.argument("address")
@proving
@asking
def auth_account(address: str, home: Path, node: str, output: str, **trust: Any) -> None:
    """Number and sequence of ADDRESS, or of a key here.

    \b
    Example: gradus query auth account alice
    """
    address = resolve_address(home, address)
    show(output, home, node, trust, proofs.account_place(address), BaseAccount,
         lambda: connect(node).find_account(address), f"there is no account {address} yet",
         f"coins make one: gradus tx bank send {address} AMOUNT --from KEY")


@auth.command("gas-price")
@asking
def auth_gas_price(home: Path, node: str, output: str) -> None:
    """What a transaction pays at least, in ugrad for a million gas; the command line pays just that.

    \b
    Example: gradus query auth gas-price
    """
    print_fields({"gas_price_ppm": connect(node).gas_price_ppm()}, output)


@query.group()
def models() -> None:
    """Model contracts."""


models.add_command(models_versions)
models.add_command(models_params)


@models.command("list")
@unprovable
@asking
def models_list(home: Path, node: str, output: str) -> None:
    """All model contracts.

    \b
    Example: gradus query models list
    """
    rows = [message_fields(model) for model in connect(node).iter_models()]
    for row in rows:
        row["name"] = row["spec"]["name"]
    print_rows(rows, ("id", "name", "status", "rounds_closed", "escrow_ugrad", "weights_root"), output,
               "no model contract yet; make one: gradus tx models create")


@models.command("show")
@model_argument
@proving
@asking
def models_show(model_id: int, home: Path, node: str, output: str, **trust: Any) -> None:
    """One model contract.

    \b
    Example: gradus query models show 1 --prove
    """
    show(output, home, node, trust, proofs.model_place(model_id), Model, lambda: connect(node).get_model(model_id),
         f"there is no model {model_id}")


@models.command("evaluate")
@model_argument
@round_option
@data_option
@proving
@asking
def models_evaluate(model_id: int, number: int | None, folder: Path | None, home: Path, node: str, output: str,
                    **trust: Any) -> None:
    """How well a trained model does on the rows that no miner trained on.

    The weights come from the chain and are verified against their root; the rows are the contract's dataset in this
    home. Of a classifier accuracy, beside that of always naming the most frequent class; of a regressor the mean
    squared error of each target in squares of its scale, beside that of the best constant; of a language model nats a
    character, beside those of knowing no more than how frequent each character is. With --prove the contract and the
    root are proved too.

    \b
    Example: gradus query models evaluate 1
    """
    with data_errors(), progress_bar() as report:
        model, number, root, weights, proof = fetch_trained(home, node, model_id, number, trust, report)
        measured = trained.evaluate(model, weights, open_store(home, folder))
    print_fields({"model_id": model_id, "round": number, "weights_root": root.hex(), **measured, **proof}, output)


@models.command("weights")
@model_argument
@round_option
@click.option("--out", "path", type=click.Path(dir_okay=False, path_type=Path), required=True, metavar="FILE",
              help="Where to write them, such as model.safetensors.")
@proving
@asking
def models_weights(model_id: int, number: int | None, path: Path, home: Path, node: str, output: str,
                   **trust: Any) -> None:
    """Write a trained model's weights, verified against the chain, to a safetensors FILE.

    Tensors are layers.0.weight (int32, inputs x outputs), layers.0.bias, and so on, of a decoder embed, positions,
    blocks.0.qkv, out, up, down, and so on, head; a value is q * 2^-24. With --prove
    the contract and the root of the weights are proved, and with them every byte.

    \b
    Example: gradus query models weights 1 --out digits.safetensors --prove
    """
    with progress_bar() as report:
        model, number, root, weights, proof = fetch_trained(home, node, model_id, number, trust, report)
    size = trained.write_safetensors(path, model, number, root, weights)
    print_fields({"model_id": model_id, "round": number, "weights_root": root.hex(), "file": str(path), "bytes": size,
                  **proof}, output)


def fetch_trained(home: Path, node: str, model_id: int, number: int | None, trust: dict[str, Any],
                  report: Callable[..., None]) -> tuple[Model, int, bytes, bytes, dict[str, Any]]:
    """(contract, round, root, weights, what is shown of the proof), each as the node tells it or as it is proved."""
    chain, fetching = connect(node), partial(report, "fetching weights")
    if not trust["prove"]:
        model = chain.get_model(model_id)
        number = trained.choose_round(model, number)
        return model, number, *trained.fetch_weights(chain, model, number, fetching), {}
    terms = read_terms(home, node, trust)
    contract = proofs.prove(terms, proofs.model_place(model_id)).record.value
    if contract is None:
        raise CommandError(f"there is no model {model_id}: that is proved")
    model = Model.FromString(contract)
    number = trained.choose_round(model, number)
    proved = proofs.prove(terms, proofs.weights_place(model_id, number))
    if proved.record.value is None:
        raise CommandError(f"the weights of model {model_id} after round {number} are no longer kept: that is proved")
    found = trained.fetch_weights(chain, model, number, fetching, Weights.FromString(proved.record.value))
    return model, number, *found, {"proved": proofs.proved_fields(proved)}


@query.group()
def work() -> None:
    """Rounds, units, trainers, slashes."""


@work.command("round")
@model_argument
@click.argument("number", type=ROUND_NUMBER, default=0)
@proving
@asking
def work_round(model_id: int, number: int, home: Path, node: str, output: str, **trust: Any) -> None:
    """A round and its units; the running one when no NUMBER is given.

    With --prove the round alone, by its NUMBER; each unit is proved by `work unit`.

    \b
    Example: gradus query work round 1
    """
    if trust["prove"]:
        if not number:
            raise CommandError("which round runs cannot be proved", "name its NUMBER", ExitStatus.USAGE)
        show(output, home, node, trust, proofs.round_place(model_id, number), Round, lambda: None,
             f"model {model_id} has no round {number}, or no longer")
        return
    chain = connect(node)
    dealing = chain.find_round(model_id, number)
    if dealing is None or dealing.round is None:
        raise new_round_absent(chain, model_id, number)
    if output == "json":
        fields = message_fields(dealing.round) | {"units": [message_fields(unit) for unit in dealing.units]}
        print_fields(fields, output)
        return
    print_fields(message_fields(dealing.round), output)
    print_rows([message_fields(unit) for unit in dealing.units], ("index", "trainer", "status", "verdict"), output,
               "no units")


@work.command("unit")
@unit_arguments
@proving
@asking
def work_unit(model_id: int, number: int, index: int, home: Path, node: str, output: str, **trust: Any) -> None:
    """One UNIT of ROUND, from 0: who had to do it, the claim, the verdict.

    \b
    Example: gradus query work unit 1 3 0 --prove
    """
    def get() -> Message:
        chain = connect(node)
        dealing = chain.find_round(model_id, number)
        for unit in dealing.units if dealing is not None else ():
            if unit.index == index:
                return unit
        raise new_unit_absent(chain, model_id, number, index)

    show(output, home, node, trust, proofs.unit_place(model_id, number, index), Unit, get,
         f"round {number} of model {model_id} has no unit {index}, or no longer")


@work.command("trainer")
@model_argument
@click.argument("address")
@proving
@asking
def work_trainer(model_id: int, address: str, home: Path, node: str, output: str, **trust: Any) -> None:
    """A trainer of a model: bond and standing.

    \b
    Example: gradus query work trainer 1 alice
    """
    address = resolve_address(home, address)
    show(output, home, node, trust, proofs.trainer_place(model_id, address), Trainer,
         of_model(connect(node), model_id, lambda chain: chain.find_trainer(model_id, address)),
         f"{address} is no trainer of model {model_id}", f"`gradus query work trainers {model_id}` shows them")


@work.command("trainers")
@model_argument
@unprovable
@asking
def work_trainers(model_id: int, home: Path, node: str, output: str) -> None:
    """All trainers of a model.

    \b
    Example: gradus query work trainers 1
    """
    chain = connect(node)
    chain.get_model(model_id)
    rows = [message_fields(trainer) for trainer in chain.iter_trainers(model_id)]
    print_rows(rows, ("address", "status", "bond_ugrad", "units_accepted"), output, "no trainers yet")


@work.command("slashes")
@model_argument
@unprovable
@asking
def work_slashes(model_id: int, home: Path, node: str, output: str) -> None:
    """Every slash of a model.

    \b
    Example: gradus query work slashes 1 --output json
    """
    chain = connect(node)
    chain.get_model(model_id)
    rows = [message_fields(slash) for slash in chain.iter_slashes(model_id)]
    print_rows(rows, ("trainer", "round", "unit", "reason", "amount_ugrad", "burnt_ugrad", "height"), output,
               "nobody has been slashed")


@query.group()
def validators() -> None:
    """Who signs blocks, and who misbehaved."""


@validators.command("list")
@unprovable
@asking
def validators_list(home: Path, node: str, output: str) -> None:
    """All validators of the genesis; power 0 is for those that were removed.

    \b
    Example: gradus query validators list
    """
    rows = [message_fields(validator) for validator in connect(node).iter_validators()]
    print_rows(rows, ("consensus_address", "power", "removed_height", "misbehaviours"), output, "no validators")


@validators.command("misbehaviour")
@unprovable
@asking
def validators_misbehaviour(home: Path, node: str, output: str) -> None:
    """What blocks have proved of validators, as long as evidence counts.

    \b
    Example: gradus query validators misbehaviour --output json
    """
    rows = [message_fields(record) for record in connect(node).iter_misbehaviours()]
    print_rows(rows, ("consensus_address", "kind", "height", "recorded_height", "power"), output,
               "no validator has misbehaved")


@query.command()
@asking
def invariants(home: Path, node: str, output: str) -> int:
    """Have a node check that its latest state holds together, above all that every coin is accounted for.

    Supply is the sum of the balances, every room's account holds what it owes, no unit is paid twice, nothing is paid
    for what was not accepted, no more is minted than scheduled. The node reads its whole state for it, once a height;
    status 1 when anything is broken.

    \b
    Example: gradus query invariants
    """
    height, broken = connect(node).check_invariants()
    if output == "json":
        print_fields({"height": height, "broken": broken}, output)
    else:
        print_fields({"height": height, "broken": "nothing" if not broken else "; ".join(broken)}, output)
    return ExitStatus.REFUSED if broken else ExitStatus.OK


@query.command()
@click.argument("tx_hash", type=Hash())
@asking
def tx(tx_hash: str, home: Path, node: str, output: str) -> None:
    """What a transaction did, by its hash.

    \b
    Example: gradus query tx B8F0DC7A5E21C09D4F6A3B7E8C1D2F405162738495A6B7C8D9EAFB0C1D2E3F40
    """
    if not tx_hash:
        raise CommandError("no transaction hash is given", "write its 64 hex digits", ExitStatus.USAGE)
    with Rpc(node) as rpc:
        found = rpc.find_tx(bytes.fromhex(tx_hash))
    if found is None:
        raise CommandError(f"no block of this node holds transaction {tx_hash}", "it may still be waiting; ask again")
    events = list(found.events)
    if output == "text":
        events = [{event["type"]: {one["key"]: one["value"] for one in event["attributes"]}} for event in events]
    print_fields({"height": found.height, "code": found.code, "codespace": found.codespace, "log": found.log,
                  "gas_wanted": found.gas_wanted, "gas_used": found.gas_used, "events": events}, output)
