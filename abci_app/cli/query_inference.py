"""`gradus query inference`: who answers for a model and at which price, and what was asked."""

from pathlib import Path
from typing import Any

import click

from abci_app.cli.asked import build_question, question_options
from abci_app.cli.connect import connect
from abci_app.cli.options import model_argument, resolve_address
from abci_app.cli.output import grad_text, message_fields, print_fields, print_rows
from abci_app.cli.records import asking, of_model, show
from abci_app.cli.trust import proving, unprovable
from abci_app.sdk import proofs
from abci_app.wire.ints import U32_MAX, U64_MAX
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Archive, Host, Params, Request

HOST_COLUMNS = ("address", "status", "price_ugrad_per_gma", "capacity", "open_count", "bond_ugrad", "staked_ugrad",
                "free_ugrad", "answered", "wrong", "endpoint")
REQUEST_COLUMNS = ("id", "model_id", "status", "replicas", "fee_ugrad", "refund_ugrad", "opened_height", "user")
OFFER_COLUMNS = ("host", "price_ugrad_per_gma", "ask_ugrad", "fee_ugrad")
request_argument = click.argument("request_id", type=click.IntRange(1, U64_MAX))


@click.group("inference")
def inference() -> None:
    """Answers of models: hosts, their prices, and requests."""


@inference.command("quote")
@model_argument
@question_options
@click.option("--replicas", type=click.IntRange(1, U32_MAX), default=1, show_default=True,
              help="Hosts that shall answer, independently of one another.")
@unprovable
@asking
def quote(model_id: int, replicas: int, home: Path, node: str, output: str, **options: Any) -> None:
    """What an answer costs now, before anything is paid: from shapes alone, and what hosts ask.

    \b
    Example: gradus query inference quote 1 --dataset-row 0 --replicas 3
    Example: gradus query inference quote 1 --prompt "The " --tokens 100
    """
    chain = connect(node)
    asked = build_question(home, chain.get_model(model_id).spec, options)
    told = chain.quote(model_id, asked.question, replicas)
    if output == "json":
        print_fields(message_fields(told), output)
        return
    fee = grad_text(told.fee_ugrad) if told.is_available else f"{len(told.offers)} hosts would answer, not {replicas}"
    print_fields({"work": told.work, "answer_bytes_max": told.answer_bytes_max, "fee": fee,
                  "burnt_besides": grad_text(told.burnt_ugrad)}, output)
    print_rows([message_fields(offer) for offer in told.offers], OFFER_COLUMNS, output,
               f"nobody would answer now; `gradus query inference hosts {model_id}` shows who hosts the model")


@inference.command("host")
@model_argument
@click.argument("address")
@proving
@asking
def host(model_id: int, address: str, home: Path, node: str, output: str, **trust: Any) -> None:
    """A host of a model: price, bond and standing.

    \b
    Example: gradus query inference host 1 alice --prove
    """
    address = resolve_address(home, address)
    show(output, home, node, trust, proofs.host_place(model_id, address), Host,
         of_model(connect(node), model_id, lambda chain: chain.find_host(model_id, address)),
         f"{address} does not host model {model_id}", f"`gradus query inference hosts {model_id}` shows who does")


@inference.command("hosts")
@model_argument
@unprovable
@asking
def hosts(model_id: int, home: Path, node: str, output: str) -> None:
    """All hosts of a model. What is open binds a part of a host's bond: staked; the rest is free.

    \b
    Example: gradus query inference hosts 1
    """
    chain = connect(node)
    chain.get_model(model_id)
    rows = [{**message_fields(one), "free_ugrad": max(one.bond_ugrad - one.staked_ugrad, 0)}
            for one in chain.iter_hosts(model_id)]
    print_rows(rows, HOST_COLUMNS, output,
               f"nobody hosts model {model_id}; host it: gradus host start {model_id} --key KEY")


@inference.command("request")
@request_argument
@proving
@asking
def request(request_id: int, home: Path, node: str, output: str, **trust: Any) -> None:
    """A request: who answered, what is right, who was paid, who was slashed.

    With --prove without the question's own bytes, which the record names by their hash.

    \b
    Example: gradus query inference request 7 --prove
    """
    show(output, home, node, trust, proofs.request_place(request_id), Request,
         lambda: connect(node).find_request(request_id), f"no request {request_id} is open or kept",
         "what is kept no longer stands in the archive by its hash; `gradus query inference params` tells kept_blocks")


@inference.command("requests")
@click.option("--user", metavar="KEY|ADDRESS", help="Only those of this account.")
@click.option("--host", "host_name", metavar="KEY|ADDRESS", help="Only those that wait for this host.")
@unprovable
@asking
def requests(user: str | None, host_name: str | None, home: Path, node: str, output: str) -> None:
    """Requests that are open or kept.

    \b
    Example: gradus query inference requests --user alice
    """
    if user and host_name:
        raise click.UsageError("give --user or --host, not both")
    found = connect(node).iter_requests(resolve_address(home, user) if user else "",
                                        resolve_address(home, host_name) if host_name else "")
    print_rows([message_fields(one) for one in found], REQUEST_COLUMNS, output, "no request is open or kept")


@inference.command("archive")
@proving
@asking
def archive(home: Path, node: str, output: str, **trust: Any) -> None:
    """The peaks of the Merkle mountain range over requests that are kept no longer.

    \b
    Example: gradus query inference archive --prove
    """
    show(output, home, node, trust, proofs.archive_place(), Archive, lambda: connect(node).archive(),
         "nothing is archived yet")


@inference.command("params")
@proving
@asking
def params(home: Path, node: str, output: str, **trust: Any) -> None:
    """How long requests are kept, what one costs besides its fee, and when a host stands down.

    \b
    Example: gradus query inference params
    """
    show(output, home, node, trust, proofs.inference_params_place(), Params,
         lambda: connect(node).inference_params(), "the chain has no parameters of inference")
