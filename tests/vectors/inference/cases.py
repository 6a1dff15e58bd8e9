"""Writes the vectors of room inference: python -m tests.vectors.inference.cases, then python -m tests.vectors.runner.

Each vector is one block on the exported state of a desk of three hosts in one of a few situations. A refused
transaction must leave every answer about hosts and requests as it was before the block; where one is taken, the answers
after the block are pinned as they are now.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from google.protobuf import json_format
from google.protobuf.message import Message

from abci_app.wire.errors import ChainError, InsufficientFunds, InvalidAddress, InvalidCoins
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Params
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import MsgCommitAnswer, MsgDrainHost, MsgLeaveHost
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCloseModel
from abci_app.wire.tx import type_url
from abci_app.x.inference import errors
from abci_app.x.models.errors import ModelNotFound, WeightsNotFound
from kernels import dispatch
from tests.chain import Chain, address_of, new_test_key
from tests.unit.inference.desk import HOST_BOND_UGRAD, HOSTS, PRICE, USERS, Desk, new_question
from tests.unit.work.market import FUNDS_UGRAD, small_spec
from tests.vectors.runner import new_tx

FOLDER = Path(__file__).parent
NAMES = ("boss", "eve", *HOSTS, *USERS)
CHAIN_FOLDERS = iter(range(1_000_000))
Refusal = type[ChainError]
READY_HEIGHT = 4  # of hosts that registered before the desk's state was exported
URL = "https://eve.example/gradus"


@dataclass
class Case:
    """One vector: transactions of `signer`s, and why each is refused (None: it is not). height: of their block."""

    name: str
    about: str
    desk: Desk
    txs: list[tuple[str, Message, Refusal | None]]
    stateless: bool = False
    height: int = 1


def changed(message: Message, **fields: Any) -> Message:
    """A copy with other values."""
    copy = type(message)()
    copy.CopyFrom(message)
    for name in fields:
        if isinstance(fields[name], Message):
            getattr(copy, name).CopyFrom(fields[name])
        else:
            setattr(copy, name, fields[name])
    return copy


def term_cases(opened: Desk) -> Iterator[Case]:
    """What every registration and update must look like."""
    register = Desk.register_msg("eve", endpoint=URL)
    bad: tuple[tuple[str, str, dict[str, Any], Refusal], ...] = (
        ("a_bad_address", "An address with a typing error.", {"host": "gradus1eve"}, InvalidAddress),
        ("price_0", "An answer has a price.", {"price_ugrad_per_gma": 0}, errors.PriceInvalid),
        ("a_price_above_the_most", "2^50 + 1.", {"price_ugrad_per_gma": 2**50 + 1}, errors.PriceInvalid),
        ("capacity_0", "Who takes nothing is no host.", {"capacity": 0}, errors.CapacityInvalid),
        ("another_scheme", "An endpoint that is no URL of HTTP.", {"endpoint": "ftp://eve"}, errors.EndpointInvalid),
        ("a_space_in_the_url", "Printable ASCII without spaces.", {"endpoint": URL + " "}, errors.EndpointInvalid),
        ("a_long_url", "129 characters.", {"endpoint": URL + "x" * (129 - len(URL))}, errors.EndpointInvalid),
        ("a_key_alone", "A key without an endpoint.", {"endpoint": ""}, errors.StatementKeyInvalid),
        ("no_key", "An endpoint without a key.", {"statement_key": b""}, errors.StatementKeyInvalid),
        ("another_denom", "A bond in another denom.", {"bond": Desk.register_msg("eve").bond}, InvalidCoins),
        ("a_bond_above_u64", "A bond that no record can hold.", {"bond": Desk.register_msg("eve").bond},
         errors.BondTooLarge))
    for name, about, fields, refusal in bad:
        message = changed(register, **fields)
        if refusal in (InvalidCoins, errors.BondTooLarge):
            message.bond.denom = "grad" if refusal is InvalidCoins else "ugrad"  # type: ignore[attr-defined]
            message.bond.amount = str(2**64)  # type: ignore[attr-defined]
        yield Case(f"register_with_{name}", about, opened, [("eve", message, refusal)], stateless=True)
    yield Case("update_with_price_0", "Updates are checked as registrations are.", opened,
               [("hal", Desk.update_msg("hal", 0), errors.PriceInvalid)], stateless=True)
    yield Case("drain_with_a_bad_address", "An address with a typing error.", opened,
               [("eve", MsgDrainHost(host="gradus1eve", model_id=1), InvalidAddress)], stateless=True)
    yield Case("leave_with_a_bad_address", "An address with a typing error.", opened,
               [("eve", MsgLeaveHost(host="gradus1eve", model_id=1), InvalidAddress)], stateless=True)


def host_cases(idle: Desk, opened: Desk, slashed: Desk, stood_down: Desk, retired: Desk) -> Iterator[Case]:
    """Registering, changing terms, draining, leaving."""
    yield Case("register_puts_up_a_bond", "A new host's bond moves into the module account.", idle,
               [("eve", Desk.register_msg("eve", endpoint=URL), None)])
    yield Case("register_twice", "An account hosts a model once.", idle,
               [("hal", Desk.register_msg("hal"), errors.HostRegistered)])
    yield Case("register_with_an_unknown_model", "There is no model 9.", idle,
               [("eve", Desk.register_msg("eve", model_id=9), ModelNotFound)])
    yield Case("register_with_a_retired_model", "Nothing new is asked of it.", retired,
               [("eve", Desk.register_msg("eve"), errors.ModelRetired)])
    yield Case("register_with_a_model_without_a_policy", "The contract does not say how it is asked.", retired,
               [("eve", Desk.register_msg("eve", model_id=2), errors.InferenceAbsent)])
    yield Case("register_with_a_low_bond", "One ugrad is missing.", idle,
               [("eve", Desk.register_msg("eve", bond_ugrad=HOST_BOND_UGRAD - 1), errors.BondTooLow)])
    yield Case("register_without_the_coins", "The bond is more than the account has.", idle,
               [("eve", Desk.register_msg("eve", bond_ugrad=FUNDS_UGRAD * 2), InsufficientFunds)])
    yield Case("update_changes_terms", "Another price counts from the next block on.", idle,
               [("hal", Desk.update_msg("hal", PRICE + 1, added_ugrad=5, endpoint=URL), None)])
    yield Case("update_of_nobody", "Who is no host has nothing to update.", idle,
               [("eve", Desk.update_msg("eve"), errors.HostNotFound)])
    yield Case("update_after_a_slash", "Who was proved wrong must leave first.", slashed,
               [("hob", Desk.update_msg("hob"), errors.HostSlashed)])
    yield Case("update_beyond_u64", "A bond stays below 2^64 with what is held.", idle,
               [("hal", Desk.update_msg("hal", added_ugrad=2**64 - 1), errors.BondTooLarge)])
    yield Case("update_brings_a_host_back", "Who withheld makes its bond good and is active again.", stood_down,
               [("hob", Desk.update_msg("hob"), errors.BondTooLow),
                ("hob", Desk.update_msg("hob", added_ugrad=HOST_BOND_UGRAD), None)],
               height=stood_down.host("hob").return_height)
    yield Case("update_while_cooling_down", "Who withheld waits before it may come back.", stood_down,
               [("hob", Desk.update_msg("hob", added_ugrad=HOST_BOND_UGRAD), errors.HostCoolingDown)])
    yield Case("leave_while_cooling_down", "By leaving it would be forgotten that it has to wait.", stood_down,
               [("hob", Desk.leave_msg("hob"), errors.HostCoolingDown)], height=READY_HEIGHT)
    yield Case("drain_takes_nothing_new", "What is open goes on.", opened, [("hal", Desk.drain_msg("hal"), None)])
    yield Case("drain_twice", "Who drains already does so.", opened,
               [("hal", Desk.drain_msg("hal"), None), ("hal", Desk.drain_msg("hal"), errors.HostNotActive)])
    yield Case("drain_of_nobody", "Only a host can drain.", opened,
               [("eve", Desk.drain_msg("eve"), errors.HostNotFound)])
    yield Case("leave_returns_the_bond", "Nothing is open.", idle, [("hal", Desk.leave_msg("hal"), None)])
    yield Case("leave_after_a_slash", "What is left of the bond is returned, and a new one may be put up.", slashed,
               [("hob", Desk.leave_msg("hob"), None), ("hob", Desk.register_msg("hob"), None)])
    yield Case("leave_with_an_open_seat", "The bond stays while a request is open.", opened,
               [("hal", Desk.leave_msg("hal"), errors.HostBusy)])


def request_cases(idle: Desk, retired: Desk) -> Iterator[Case]:
    """Questions."""
    right = Desk.request_msg(replicas=2)
    yield Case("request_puts_its_fee_into_escrow", "A question waits for the next block.", idle, [("una", right, None)],
               height=READY_HEIGHT)
    stateless: tuple[tuple[str, str, dict[str, Any], Refusal], ...] = (
        ("request_with_a_bad_address", "An address with a typing error.", {"user": "gradus1una"}, InvalidAddress),
        ("request_without_replicas", "One host at least answers.", {"replicas": 0}, errors.ReplicasInvalid),
        ("request_in_a_hurry", "Nine blocks are too few for anything.", {"deadline_blocks": 9}, errors.DeadlineInvalid),
        ("request_for_ever", "10,001 blocks are too many.", {"deadline_blocks": 10_001}, errors.DeadlineInvalid))
    for name, about, fields, refusal in stateless:
        yield Case(name, about, idle, [("una", changed(right, **fields), refusal)], stateless=True)
    yield Case("request_for_nothing", "A fee of 0 is none.", idle,
               [("una", Desk.request_msg(max_fee_ugrad=0), InvalidCoins)], stateless=True)
    stateful: tuple[tuple[str, str, dict[str, Any], Refusal], ...] = (
        ("request_of_an_unknown_model", "There is no model 9.", {"model_id": 9}, ModelNotFound),
        ("request_of_weights_to_come", "Round 1 is not closed.", {"is_pinned": True, "round": 1}, WeightsNotFound),
        ("request_of_too_many_rows", "257 rows.", {"question": new_question(257)}, errors.QuestionRefused),
        ("request_of_more_than_the_contract_allows", "Six replicas.", {"replicas": 6}, errors.ReplicasInvalid),
        ("request_of_more_hosts_than_there_are", "Four replicas.", {"replicas": 4}, errors.HostsMissing))
    for name, about, fields, refusal in stateful:
        yield Case(name, about, idle, [("una", changed(right, **fields), refusal)], height=READY_HEIGHT)
    yield Case("request_below_the_price", "The log names the price.", idle,
               [("una", Desk.request_msg(max_fee_ugrad=1), errors.FeeTooLow)], height=READY_HEIGHT)
    yield Case("request_without_the_coins", "The fee is more than the account has.", idle,
               [("una", Desk.request_msg(max_fee_ugrad=FUNDS_UGRAD), InsufficientFunds)], height=READY_HEIGHT)
    yield Case("request_of_a_retired_model", "Nothing new is asked of it.", retired,
               [("una", right, errors.ModelRetired)])
    yield Case("request_of_a_model_without_a_policy", "Nobody hosts it.", retired,
               [("una", changed(right, model_id=2), errors.InferenceAbsent)])


def commit_cases(opened: Desk, revealing: Desk) -> Iterator[Case]:
    """Commitments."""
    right: MsgCommitAnswer = opened.commit_msg("hal")
    yield Case("commit_is_taken", "A commitment to the sender's own answer.", opened, [("hal", right, None)])
    yield Case("commit_with_a_bad_address", "An address with a typing error.", opened,
               [("hal", changed(right, host="gradus1hal"), InvalidAddress)], stateless=True)
    yield Case("commit_that_is_malformed", "A commitment of 31 bytes.", opened,
               [("hal", changed(right, commitment=bytes(31)), errors.CommitmentMalformed)], stateless=True)
    yield Case("commit_to_an_unknown_request", "There is no request 9.", opened,
               [("hal", changed(right, request_id=9), errors.RequestNotFound)])
    yield Case("commit_in_the_reveal_phase", "Too late for a commitment.", revealing,
               [("hal", revealing.commit_msg("hal"), errors.PhaseNotCommit)])
    yield Case("commit_without_a_seat", "The request was dealt to others.", opened,
               [("eve", opened.commit_msg("eve"), errors.SeatNotFound)])
    yield Case("commit_twice", "A commitment cannot be changed.", opened,
               [("hal", right, None), ("hal", changed(right, commitment=bytes(32)), errors.SeatCommitted)])


def reveal_cases(opened: Desk, revealing: Desk) -> Iterator[Case]:
    """Reveals. Of the revealing desk hal and hex have committed to the right answer, hob to one of another size."""
    right = revealing.reveal_msg("hal")
    yield Case("reveal_is_taken", "The answer is short, and shown.", revealing, [("hal", right, None)])
    yield Case("reveal_of_what_another_has_shown", "The bytes need not be brought twice.", revealing,
               [("hal", right, None), ("hex", revealing.reveal_msg("hex", is_shown=False), None)])
    stateless: tuple[tuple[str, str, dict[str, Any], Refusal], ...] = (
        ("reveal_with_a_bad_address", "An address with a typing error.", {"host": "gradus1hal"}, InvalidAddress),
        ("reveal_with_a_short_salt", "A salt of 31 bytes.", {"salt": bytes(31)}, errors.RevealMalformed),
        ("reveal_with_a_short_hash", "No hash.", {"answer_hash": b""}, errors.RevealMalformed),
        ("reveal_of_a_long_answer", "4097 bytes.", {"answer": bytes(4097)}, errors.RevealMalformed))
    for name, about, fields, refusal in stateless:
        yield Case(name, about, revealing, [("hal", changed(right, **fields), refusal)], stateless=True)
    yield Case("reveal_of_an_unknown_request", "There is no request 9.", revealing,
               [("hal", changed(right, request_id=9), errors.RequestNotFound)])
    yield Case("reveal_in_the_commit_phase", "Too early for a reveal.", opened,
               [("hal", opened.reveal_msg("hal"), errors.PhaseNotReveal)])
    yield Case("reveal_without_a_seat", "The request was dealt to others.", revealing,
               [("eve", changed(right, host=address_of("eve")), errors.SeatNotFound)])
    yield Case("reveal_twice", "There is nothing left to reveal.", revealing,
               [("hal", right, None), ("hal", right, errors.SeatRevealed)])
    yield Case("reveal_with_another_salt", "What is revealed must be what was committed.", revealing,
               [("hal", changed(right, salt=bytes(32)), errors.CommitmentMismatch)])
    yield Case("reveal_without_the_answer", "A short answer is shown.", revealing,
               [("hal", changed(right, answer=b""), errors.AnswerMissing)])
    yield Case("reveal_with_another_answer", "The bytes do not have the hash.", revealing,
               [("hal", changed(right, answer=bytes(14)), errors.AnswerMismatch)])
    yield Case("reveal_of_an_answer_of_another_size", "No answer to the question has 15 bytes.", revealing,
               [("hob", long_reveal(revealing), errors.AnswerMismatch)])


def missed_cases(missed: Desk) -> Iterator[Case]:
    """Of this desk hob has not committed in time."""
    yield Case("reveal_without_a_commitment", "The seat was missed.", missed,
               [("hob", missed.reveal_msg("hob"), errors.SeatNotCommitted)])


def long_reveal(desk: Desk) -> Message:
    """A reveal, or the commitment to it, of an answer that is a byte too long."""
    with too_long():
        return desk.reveal_msg("hob")


def too_long() -> Any:
    """While it lasts, desks answer with a byte too many."""
    right = Desk.answer
    return mock.patch.object(Desk, "answer", lambda self, request_id=1, lie="": right(self, request_id, lie) + b".")


def open_copy(desk: Desk, folder: Path) -> Chain:
    """A chain that begins with the desk's state."""
    return Chain(folder / f"copy{next(CHAIN_FOLDERS)}", app_state=desk.chain.app.export_genesis(desk.chain.ctx()))


def new_desks(folder: Path) -> dict[str, Desk]:
    """The situations. A vector's chain is at its first block, so that deadlines are far."""
    names = ("idle", "opened", "revealing", "missed", "slashed", "stood_down", "retired")
    params = Params(kept_blocks=1_000, missed_max=3, request_price_ugrad=100, return_blocks=4)
    desks = {name: Desk(folder / name, params=params) for name in names}
    for name in names[1:-1]:
        desks[name].ask()
    with too_long():
        late = desks["revealing"].commit_msg("hob")
    desks["revealing"].block(desks["revealing"].commit_msg("hal"), desks["revealing"].commit_msg("hex"), late)
    desks["missed"].block(desks["missed"].commit_msg("hal"), desks["missed"].commit_msg("hex"))
    desks["missed"].wait_for(desks["missed"].request().due_height)
    desks["slashed"].answer_all(lies={"hob": "lie"})
    desks["slashed"].block()
    desks["slashed"].block(votes=True)
    desks["stood_down"].answer_all(withheld=("hob",))
    spec = small_spec()
    spec.ClearField("inference")
    desks["retired"].create(spec)
    desks["retired"].block(MsgCloseModel(admin=address_of("boss"), model_id=1))
    return desks


def new_vector(case: Case, folder: Path) -> dict[str, Any]:
    """The JSON of a case, with names for addresses."""
    vector: dict[str, Any] = {"about": case.about, "pre": {}}
    with open_copy(case.desk, folder) as chain:
        vector["pre"]["app_state"] = chain.app.export_genesis(chain.ctx())
        if case.height > 1:
            vector["pre"]["height"] = str(case.height)
        while chain.height < case.height - 1:
            chain.block()
        vector["txs"] = _new_txs(chain, case)
        if case.stateless:
            vector["unchanged"] = True
        else:
            if any(refusal is None for _, _, refusal in case.txs):
                chain.block([new_tx(chain, tx) for tx in vector["txs"]])
            vector["post"] = {"queries": [_answer(chain, "Hosts", model_id=1), _answer(chain, "Requests")]}
    text = json.dumps(vector)
    for name in NAMES:
        text = text.replace(f'"{address_of(name)}"', f'"@{name}"')
    return dict(json.loads(text))


def _new_txs(chain: Chain, case: Case) -> list[dict[str, Any]]:
    """The transactions of a case; a second one of the same signer has the next sequence."""
    txs: list[dict[str, Any]] = []
    for index, (signer, message, refusal) in enumerate(case.txs):
        expect = {"error": {"codespace": refusal.codespace, "code": refusal.code}} if refusal else {}
        fields = json_format.MessageToDict(message, preserving_proto_field_name=True)
        tx = {"signer": signer, "messages": [{"@type": type_url(message), **fields}], "expect": expect}
        if index and case.txs[0][0] == signer:
            account = chain.app.auth.get_account(chain.ctx(), new_test_key(signer).address)
            tx["sequence"] = str(account.sequence + index)
        txs.append(tx)
    return txs


def _answer(chain: Chain, name: str, **fields: Any) -> dict[str, Any]:
    """What a query says now."""
    path = f"/gradus.inference.v1.Query/{name}"
    answer = chain.query(path, chain.app.router.queries[path].request(**fields))
    return {"path": path, "request": fields,
            "response": json_format.MessageToDict(answer, preserving_proto_field_name=True)}


def main() -> None:
    """Write every vector of this room; gas is filled in by the runner."""
    with tempfile.TemporaryDirectory() as name, dispatch.forced("ref"):
        folder = Path(name)
        d = new_desks(folder)
        cases = [
            *term_cases(d["opened"]),
            *host_cases(d["idle"], d["opened"], d["slashed"], d["stood_down"], d["retired"]),
            *request_cases(d["idle"], d["retired"]),
            *commit_cases(d["opened"], d["revealing"]),
            *reveal_cases(d["opened"], d["revealing"]),
            *missed_cases(d["missed"]),
        ]
        for case in cases:
            (FOLDER / f"{case.name}.json").write_text(json.dumps(new_vector(case, folder), indent=2) + "\n")
        print(f"{len(cases)} vectors written; fill in the gas with python -m tests.vectors.runner")


if __name__ == "__main__":
    main()
