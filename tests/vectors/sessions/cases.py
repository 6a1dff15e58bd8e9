"""Writes the vectors of the sessions room: python -m tests.vectors.sessions.cases, then python -m tests.vectors.runner.

Each vector is one block on the exported state of a session in one status. What is taken has the session after the block
pinned as it is now; blocks without transactions show what time does.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from abci_app.wire.errors import ChainError, InvalidAddress, InvalidCoins
from abci_app.wire.tx import type_url
from abci_app.x.sessions import errors
from kernels import dispatch
from tests.chain import Chain, address_of
from tests.unit.sessions.desk import DEPOSIT_UGRAD, HOST, OTHER, PRICE_UGRAD, USER, Deal, Desk
from tests.vectors.runner import new_tx

FOLDER = Path(__file__).parent
NAMES = ("boss", USER, HOST, OTHER)
Refusal = type[ChainError]


@dataclass
class Case:
    """One vector: a transaction of `signer` (None: a block without one), and why it is refused (None: it is not)."""

    name: str
    about: str
    desk: Desk
    signer: str | None = None
    message: Message | None = None
    refusal: Refusal | None = None
    stateless: bool = False


def open_cases(desk: Desk) -> Iterator[Case]:
    """A chain with a host and no session."""
    yield Case("open_binds_the_hosts_bond", "The deposit moves, the host's stake with it.", desk, USER, desk.open_msg())
    yield Case("open_without_a_deposit", "Zero is no deposit.", desk, USER,
               desk.open_msg(deposit={"denom": "ugrad", "amount": "0"}), InvalidCoins, True)
    yield Case("open_with_a_bad_address", "An address with a typing error.", desk, USER,
               desk.open_msg(host="gradus1hal"), InvalidAddress, True)
    yield Case("open_with_a_cut_key", "A receipt key of 32 bytes.", desk, USER, desk.open_msg(receipt_key=bytes(32)),
               errors.ReceiptKeyMalformed, True)
    yield Case("open_for_too_long", "One block more than the chain's most.", desk, USER, desk.open_msg(blocks=201),
               errors.BlocksInvalid)
    yield Case("open_with_oneself", "The user is the host.", desk, USER, desk.open_msg(host=address_of(USER)),
               errors.UserIsHost)
    yield Case("open_below_the_hosts_price", "The host asks one more.", desk, USER,
               desk.open_msg(price_max_ugrad_per_gma=PRICE_UGRAD - 1), errors.PriceTooHigh)


def close_cases(deal: Deal, closing: Deal) -> Iterator[Case]:
    """An open session with three answers, and one that its user has closed with the receipt for two."""
    desk = deal.desk
    yield Case("top_up_adds_to_the_stake", "Deposit and stake grow together.", desk, USER, deal.top_up_msg(777))
    yield Case("top_up_while_closing", "Nothing is added to a session that ends.", closing.desk, USER,
               closing.top_up_msg(777), errors.SessionNotOpen)
    yield Case("close_by_the_user_begins_the_wait", "With a receipt that the host has stated.", desk, USER,
               deal.close_msg(USER))
    yield Case("close_by_the_host_begins_the_wait", "The host's transaction is its statement.", desk, HOST,
               deal.close_msg(HOST))
    yield Case("close_by_the_host_without_a_receipt", "Nobody owes anything: settled at once.", desk, HOST,
               deal.close_msg(HOST, 0))
    yield Case("close_by_a_stranger", "Neither user nor host.", desk, OTHER, deal.close_msg(OTHER), errors.PartyWrong)
    yield Case("close_with_a_receipt_of_another_session", "It names session 9.", desk, HOST,
               deal.close_msg(HOST, session_id=9), errors.ReceiptOfAnotherSession)
    yield Case("close_above_the_deposit", "One ugrad too much.", desk, HOST,
               deal.close_msg(HOST, total_ugrad=DEPOSIT_UGRAD + 1), errors.ReceiptAboveDeposit)
    spoilt = deal.close_msg(HOST)
    spoilt.receipt.total_ugrad += 1
    yield Case("close_with_a_changed_total", "The signature is of another total.", desk, HOST, spoilt,
               errors.ReceiptSignatureWrong)
    yield Case("close_with_what_the_host_never_stated", "A root of the user's own.", desk, USER,
               deal.close_msg(USER, root=bytes(32), signed=False), errors.StatementWrong)
    yield Case("close_by_both_sides", "The host shows a later receipt: the next block draws.", closing.desk, HOST,
               closing.close_msg(HOST))
    yield Case("close_with_the_receipt_that_is_known", "It has to be later.", closing.desk, HOST,
               closing.close_msg(HOST, 2), errors.ReceiptNotLater)
    yield Case("close_twice", "The user waits for the host.", closing.desk, USER, closing.close_msg(USER, 0),
               errors.PartyClosed)


def draw_cases(drawing: Deal, paying: Deal, showing: Deal, silent: Deal) -> Iterator[Case]:
    """Sessions that the next block draws, whose entry it waits for, or whose time is over with it."""
    yield Case("draw_of_an_entry", "Every session of this contract is drawn.", drawing.desk)
    yield Case("draw_of_nothing", "The receipt is paid: host, trainers, creator, auditors' pool, and what is burnt.",
               paying.desk)
    yield Case("show_is_taken", "The next block asks auditors.", showing.desk, HOST, showing.show_msg())
    yield Case("show_by_a_stranger", "Anybody may who has it.", showing.desk, OTHER, showing.show_msg(OTHER))
    other = showing.drawn % len(showing.entries) + 1
    yield Case("show_of_other_coins", "The drawn coin is of another entry's fee.", showing.desk, HOST,
               showing.show_msg(number=other), errors.EntryOfOtherCoins)
    yield Case("show_without_a_proof", "It must stand under the receipt's root.", showing.desk, HOST,
               showing.show_msg(proof=[]), errors.EntryProofWrong)
    yield Case("show_with_another_question", "Not the one that was asked.", showing.desk, HOST,
               showing.show_msg(question=showing.questions[other - 1]), errors.QuestionWrong)
    yield Case("show_too_late", "With the end of this block it is as wrong: the host is slashed.", silent.desk)


def challenge_cases(deal: Deal, challenged: Deal, wrong: Deal) -> Iterator[Case]:
    """Challenges of the second of three answers, and blocks that ask auditors and judge."""
    yield Case("challenge_moves_the_bond", "The next block asks auditors.", deal.desk, USER, deal.challenge_msg(2))
    yield Case("challenge_by_the_host", "Only the user may.", deal.desk, HOST, deal.challenge_msg(2, name=HOST),
               errors.PartyWrong)
    yield Case("challenge_of_what_the_host_never_stated", "A statement of another state.", deal.desk, USER,
               deal.challenge_msg(2, statement=deal.statement(deal.state(1))), errors.StatementWrong)
    yield Case("challenge_while_one_is_judged", "It is neither open nor closing.", challenged.desk, USER,
               challenged.challenge_msg(1), errors.SessionOver)
    yield Case("challenge_is_asked_of_auditors", "Of all four, by a seed that nobody knew.", challenged.desk)
    yield Case("challenge_that_nobody_judged", "The bond comes back, the session closes.", wrong.desk)


def new_cases(folder: Path) -> list[Case]:
    """Every case, each with a desk in its status."""
    fresh, opened, closing, drawing, paying, showing, silent, challenged, undecided = (
        Desk(folder / f"desk{number}", audit_ppm=1_000 if number == 4 else 1_000_000) for number in range(9))
    deals = [desk.open() for desk in (opened, closing, drawing, paying, showing, silent, challenged, undecided)]
    for deal in deals:
        deal.answer(3)
    for deal in deals[2:6]:
        deal.desk.send(deal.close_msg(USER), deal.close_msg(HOST, 0))
    deals[1].desk.send(deals[1].close_msg(USER, 2))
    showing.block()
    silent.block()
    silent.wait_for(deals[5].record.due_height - 1)
    challenged.send(deals[6].challenge_msg(2))
    undecided.send(deals[7].challenge_msg(2))
    undecided.block(votes=False)
    undecided.wait_for(deals[7].record.due_height - 1, votes=False)
    return [*open_cases(fresh), *close_cases(deals[0], deals[1]), *draw_cases(*deals[2:6]),
            *challenge_cases(deals[0], deals[6], deals[7])]


def new_vector(case: Case) -> dict[str, Any]:
    """The JSON of a case, with names for addresses."""
    source = case.desk.chain
    state = source.app.export_genesis(source.ctx())
    if case.message is None:
        _bring_forward(state, source.height + 1)
    with tempfile.TemporaryDirectory() as folder, Chain(Path(folder), app_state=state) as chain:
        vector: dict[str, Any] = {"about": case.about, "pre": {"app_state": state}, "txs": []}
        if case.message is not None:
            vector["txs"].append(_new_entry(case))
        if case.stateless:
            vector["unchanged"] = True
        else:
            chain.block([new_tx(chain, tx) for tx in vector["txs"]])
            vector["post"] = {"queries": [_answer(chain, "sessions", "Sessions"), _answer(chain, "inference", "Host",
                                          model_id=1, host=address_of(HOST))],
                              "balances": {name: str(chain.balance(name)) for name in (USER, HOST)}}
    text = json.dumps(vector)
    for name in NAMES:
        text = text.replace(f'"{address_of(name)}"', f'"@{name}"')
    return dict(json.loads(text))


def _bring_forward(state: dict[str, Any], height: int) -> None:
    """Have the session that is due in the block of `height` be due in the first block of a chain."""
    for session in state["sessions"]["sessions"]:
        if int(session["due_height"]) == height:
            session["due_height"] = "1"


def _new_entry(case: Case) -> dict[str, Any]:
    fields = json_format.MessageToDict(case.message, preserving_proto_field_name=True)
    refusal = case.refusal
    expect = {"error": {"codespace": refusal.codespace, "code": refusal.code}} if refusal else {}
    return {"signer": case.signer, "messages": [{"@type": type_url(case.message), **fields}], "expect": expect}


def _answer(chain: Chain, room: str, name: str, **fields: Any) -> dict[str, Any]:
    """What a query says now."""
    path = f"/gradus.{room}.v1.Query/{name}"
    answer = chain.query(path, chain.app.router.queries[path].request(**fields))
    return {"path": path, "request": fields,
            "response": json_format.MessageToDict(answer, preserving_proto_field_name=True)}


def main() -> None:
    """Write every vector of this room; gas is filled in by the runner."""
    with tempfile.TemporaryDirectory() as temporary, dispatch.forced("ref"):
        cases = new_cases(Path(temporary))
        for case in cases:
            (FOLDER / f"{case.name}.json").write_text(json.dumps(new_vector(case), indent=2) + "\n")
            print(case.name)


if __name__ == "__main__":
    main()
