"""Writes the vectors of the work room: python -m tests.vectors.work.cases, then python -m tests.vectors.runner.

Each vector is one block on the exported state of a market of four trainers in one of a few situations. A refused
transaction must leave every answer about the round and its trainers as it was before the block; where one is taken,
the answers after the block are pinned as they are now.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from abci_app.wire.errors import ChainError, InsufficientFunds, InvalidAddress, InvalidCoins
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgCommitWork, MsgEnroll, MsgLeave, MsgRevealWork
from abci_app.wire.tx import type_url
from abci_app.x.models.errors import ModelNotFound
from abci_app.x.work import errors
from kernels import dispatch
from tests.chain import Chain, address_of, new_test_key
from tests.sim.claims import Claim, new_commit, new_reveal, new_reveals
from tests.unit.work.market import BOND_UGRAD, FUNDS_UGRAD, TRAINERS, Market
from tests.vectors.runner import new_tx

FOLDER = Path(__file__).parent
NAMES = ("boss", "eve", *TRAINERS)
CHAIN_FOLDERS = iter(range(1_000_000))
ANSWERS = ("Round", "Trainers", "Slashes")
Refusal = type[ChainError]


@dataclass
class Case:
    """One vector: transactions of `signer`s, and why each is refused (None: it is not). height: of their block."""

    name: str
    about: str
    market: Market
    txs: list[tuple[str, Message, Refusal | None]]
    stateless: bool = False
    height: int = 1


def changed(message: Message, **fields: Any) -> Message:
    """A copy with other values."""
    copy = type(message)()
    copy.CopyFrom(message)
    for name in fields:
        setattr(copy, name, fields[name])
    return copy


def trainer_cases(opened: Market, slashed: Market, stood_down: Market, invited: Market,
                  serving: Market) -> Iterator[Case]:
    """Enrolling and leaving."""
    enroll, boss = opened.enroll_msg("eve"), opened.enroll_msg("boss", FUNDS_UGRAD * 2)
    yield Case("enroll_puts_up_a_bond", "A new trainer's bond moves into the module account.", opened,
               [("eve", enroll, None)])
    yield Case("enroll_with_a_bad_address", "An address with a typing error.", opened,
               [("eve", changed(enroll, trainer="gradus1eve"), InvalidAddress)], stateless=True)
    other = MsgEnroll(trainer=address_of("eve"), model_id=1, bond={"denom": "grad", "amount": "5"})
    yield Case("enroll_with_another_denom", "A bond in a denom that bonds are not given in.", opened,
               [("eve", other, InvalidCoins)], stateless=True)
    huge = MsgEnroll(trainer=address_of("eve"), model_id=1, bond={"denom": "ugrad", "amount": str(2**64)})
    yield Case("enroll_with_a_bond_above_u64", "A bond that no record can hold.", opened,
               [("eve", huge, errors.BondTooLarge)], stateless=True)
    yield Case("enroll_with_an_unknown_model", "There is no model 9.", opened,
               [("eve", opened.enroll_msg("eve", model_id=9), ModelNotFound)])
    yield Case("enroll_with_a_serving_model", "The model has closed its last round.", serving,
               [("eve", enroll, errors.ModelNotLive)])
    yield Case("enroll_uninvited", "The contract names its trainers.", invited,
               [("eve", enroll, errors.TrainerNotInvited)])
    yield Case("enroll_twice", "An active trainer has nothing to enrol for.", opened,
               [("ann", opened.enroll_msg("ann"), errors.TrainerActive)])
    yield Case("enroll_after_a_slash", "Who was proved wrong must leave first.", slashed,
               [("ann", slashed.enroll_msg("ann"), errors.TrainerSlashed)])
    yield Case("leave_after_a_slash", "What is left of the bond is returned, and a new bond may be put up.", slashed,
               [("ann", slashed.leave_msg("ann"), None), ("ann", slashed.enroll_msg("ann"), None)])
    yield Case("enroll_with_a_low_bond", "One ugrad is missing.", opened,
               [("eve", opened.enroll_msg("eve", BOND_UGRAD - 1), errors.BondTooLow)])
    yield Case("enroll_without_the_coins", "The bond is more than the account has.", opened,
               [("boss", boss, InsufficientFunds)])
    yield Case("enroll_after_missing_rounds", "Who was stood down comes back with its bond whole and adds nothing.",
               stood_down, [("ann", stood_down.enroll_msg("ann", 0), None)])
    yield Case("enroll_after_withholding", "Who lost part of its bond must make it good.", stood_down,
               [("ben", stood_down.enroll_msg("ben", 1), errors.BondTooLow),
                ("ben", stood_down.enroll_msg("ben", BOND_UGRAD), None)],
               height=stood_down.trainer("ben").return_height)
    yield Case("enroll_while_cooling_down", "Who withheld a reveal waits before it may come back.", stood_down,
               [("ben", stood_down.enroll_msg("ben"), errors.TrainerCoolingDown)], height=2)
    yield Case("leave_while_cooling_down", "Who withheld a reveal and left could enrol anew at once.", stood_down,
               [("ben", stood_down.leave_msg("ben"), errors.TrainerCoolingDown)], height=2)
    yield Case("leave_with_an_open_unit", "The bond stays while a unit runs.", opened,
               [("ann", opened.leave_msg("ann"), errors.TrainerBusy)])
    yield Case("leave_before_the_round_is_settled", "The bond stays while an accepted unit can be challenged.", serving,
               [("ann", serving.leave_msg("ann"), errors.TrainerBusy)])
    yield Case("leave_unknown", "Only who is enrolled can leave.", opened,
               [("eve", opened.leave_msg("eve"), errors.TrainerNotFound)])
    yield Case("leave_with_a_bad_address", "An address with a typing error.", opened,
               [("eve", MsgLeave(trainer="gradus1eve", model_id=1), InvalidAddress)], stateless=True)
    yield Case("leave_stood_down", "Who gets no units can leave with its bond at any time.", stood_down,
               [("ann", stood_down.leave_msg("ann"), None)])


def commit_cases(opened: Market, revealing: Market) -> Iterator[Case]:
    """Commitments."""
    unit = opened.unit_of("ann")
    right: MsgCommitWork = new_commit(unit, opened.claim(unit))
    yield Case("commit_is_taken", "A commitment to the sender's own unit.", opened, [("ann", right, None)])
    yield Case("commit_that_is_malformed", "A commitment of 31 bytes.", opened,
               [("ann", changed(right, commitment=bytes(31)), errors.CommitmentMalformed)], stateless=True)
    yield Case("commit_with_a_bad_address", "An address with a typing error.", opened,
               [("ann", changed(right, trainer="gradus1ann"), InvalidAddress)], stateless=True)
    yield Case("commit_to_an_unknown_round", "Round 2 is not open.", opened,
               [("ann", changed(right, round=2), errors.RoundNotFound)])
    yield Case("commit_to_another_attempt", "A commitment names the dealing of the round that it was computed for.",
               opened, [("ann", changed(right, attempt=1), errors.AttemptOver)])
    yield Case("commit_in_the_reveal_phase", "Too late for a commitment.", revealing,
               [("ann", new_commit(revealing.unit_of("ann"), revealing.claim(revealing.unit_of("ann"))),
                 errors.PhaseNotCommit)])
    yield Case("commit_to_an_unknown_unit", "The round has four units.", opened,
               [("ann", changed(right, unit=4), errors.UnitNotFound)])
    yield Case("commit_to_the_unit_of_another", "Units are dealt by the seed.", opened,
               [("ann", changed(right, unit=opened.unit_of("ben").index), errors.UnitNotAssigned)])
    yield Case("commit_twice", "A commitment cannot be changed.", opened,
               [("ann", right, None), ("ann", changed(right, commitment=bytes(32)), errors.UnitCommitted)])


def reveal_cases(opened: Market, revealing: Market, missed: Market) -> Iterator[Case]:
    """Reveals."""
    unit = revealing.unit_of("ann")
    claim = revealing.claim(unit)
    right: MsgRevealWork = new_reveal(unit, claim)
    yield Case("reveal_is_taken", "The payload's hash goes into the state.", revealing, [("ann", right, None)])
    yield Case("reveal_with_a_bad_address", "An address with a typing error.", revealing,
               [("ann", changed(right, trainer="gradus1ann"), InvalidAddress)], stateless=True)
    yield Case("reveal_with_a_malformed_trace_root", "A trace root of 33 bytes.", revealing,
               [("ann", changed(right, trace_root=bytes(33)), errors.TraceRootMalformed)], stateless=True)
    yield Case("reveal_with_a_malformed_payload_root", "No payload root.", revealing,
               [("ann", changed(right, payload_root=b""), errors.PayloadRootMalformed)], stateless=True)
    yield Case("reveal_with_a_malformed_salt", "No salt.", revealing,
               [("ann", changed(right, salt=b""), errors.SaltMalformed)], stateless=True)
    yield Case("reveal_in_an_unknown_round", "Round 2 is not open.", revealing,
               [("ann", changed(right, round=2), errors.RoundNotFound)])
    yield Case("reveal_in_another_attempt", "A reveal names the dealing of the round that it was committed in.",
               revealing, [("ann", changed(right, attempt=1), errors.AttemptOver)])
    yield Case("reveal_in_the_commit_phase", "Too early for a reveal.", opened,
               [("ann", new_reveal(opened.unit_of("ann"), opened.claim(opened.unit_of("ann"))),
                 errors.PhaseNotReveal)])
    yield Case("reveal_of_an_unknown_unit", "The round has four units.", revealing,
               [("ann", changed(right, unit=4), errors.UnitNotFound)])
    yield Case("reveal_of_the_unit_of_another", "Another's reveal cannot be copied.", revealing,
               [("ben", changed(right, trainer=address_of("ben")), errors.UnitNotAssigned)])
    late = missed.unit_of("ann")
    yield Case("reveal_without_a_commitment", "The unit was missed.", missed,
               [("ann", new_reveal(late, missed.claim(late)), errors.UnitNotCommitted)])
    yield Case("reveal_twice", "There is nothing left to reveal.", revealing,
               [("ann", right, None), ("ann", right, errors.UnitRevealed)])
    yield Case("reveal_with_another_salt", "What is revealed must be what was committed.", revealing,
               [("ann", changed(right, salt=bytes(32)), errors.CommitmentMismatch)])
    yield Case("reveal_with_another_trace_root", "What is revealed must be what was committed.", revealing,
               [("ann", changed(right, trace_root=bytes(32)), errors.CommitmentMismatch)])
    yield Case("reveal_with_another_payload", "What is revealed must be what was committed.", revealing,
               [("ann", changed(right, payload=bytes(len(claim.payload))), errors.CommitmentMismatch)])
    yield Case("reveal_with_another_payload_root", "What is revealed must be what was committed.", revealing,
               [("ann", changed(right, payload_root=bytes(32)), errors.CommitmentMismatch)])
    bad = new_reveal(revealing.unit_of("dan"), Claim(b"\x80" * len(claim.payload), bytes(32)))
    yield Case("reveal_of_a_payload_that_is_not_canonical", "It was committed, but no encoder writes it.", revealing,
               [("dan", bad, errors.PayloadInvalid)])


def part_cases(revealing: Market) -> Iterator[Case]:
    """Parts of payloads. All of these are of one part, so that a second one is never due."""
    unit = revealing.unit_of("ann")
    claim = revealing.claim(unit)
    first, second = new_reveals(unit, claim, len(claim.payload) - 1)
    yield Case("reveal_of_a_part_of_another_size", "A part that is not the last holds as many regions as fit.",
               revealing, [("ann", first, errors.PartMalformed)])
    yield Case("part_before_the_reveal", "The first part comes with what the commitment was made of.", revealing,
               [("ann", second, errors.PartOutOfTurn)])
    yield Case("part_with_a_bad_address", "An address with a typing error.", revealing,
               [("ann", changed(second, trainer="gradus1ann"), InvalidAddress)], stateless=True)
    yield Case("part_behind_the_last", "The payload is whole.", revealing,
               [("ann", new_reveal(unit, claim), None), ("ann", second, errors.UnitRevealed)])
    yield Case("part_of_the_unit_of_another", "Nobody can add to another's payload.", revealing,
               [("ben", changed(second, trainer=address_of("ben")), errors.UnitNotAssigned)])


def open_copy(market: Market) -> Chain:
    """A chain that begins with the market's state; its folder is in the market's."""
    folder = Path(market.folder) / f"copy{next(CHAIN_FOLDERS)}"
    return Chain(folder, app_state=market.chain.app.export_genesis(market.chain.ctx()))


def new_markets(folder: Path) -> dict[str, Market]:
    """The situations."""
    invited = [address_of(name) for name in TRAINERS]
    markets = {
        "opened": Market(folder / "opened"),
        "revealing": Market(folder / "revealing"),
        "missed": Market(folder / "missed", commit_blocks=3),
        "slashed": Market(folder / "slashed", rate_ppm=1_000_000),
        "stood_down": Market(folder / "stood_down", missed_rounds_max=1, commit_blocks=3, reveal_blocks=3),
        "invited": Market(folder / "invited", invited_trainers=invited),
        "serving": Market(folder / "serving", rounds=1),
    }
    bad = Claim(b"\x80" * len(markets["revealing"].claim(markets["revealing"].unit_of("dan")).payload), bytes(32))
    markets["revealing"].commit_all({"dan": bad})
    markets["missed"].commit_all(absent=("ann",))
    for name in ("revealing", "missed"):
        markets[name].block()  # takes the hash of the block before, which a vector's chain has not
    slashed = markets["slashed"]
    slashed.run_round({"ann": slashed.wrong_claim("ann")})
    markets["stood_down"].commit_all(absent=("ann",))
    markets["stood_down"].reveal_all(absent=("ann", "ben"))
    markets["serving"].run_round()
    return markets


def new_vector(case: Case) -> dict[str, Any]:
    """The JSON of a case, with names for addresses."""
    vector: dict[str, Any] = {"about": case.about, "pre": {}}
    with open_copy(case.market) as chain:
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
            vector["post"] = {"queries": [_answer(chain, name, model_id=1) for name in ANSWERS]}
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
        if index:
            account = chain.app.auth.get_account(chain.ctx(), new_test_key(signer).address)
            tx["sequence"] = str(account.sequence + index)
        txs.append(tx)
    return txs


def _answer(chain: Chain, name: str, **fields: Any) -> dict[str, Any]:
    """What a query says now."""
    path = f"/gradus.work.v1.Query/{name}"
    query: dict[str, Any] = {"path": path, "request": fields}
    try:
        answer = chain.query(path, chain.app.router.queries[path].request(**fields))
        query["response"] = json_format.MessageToDict(answer, preserving_proto_field_name=True)
    except ChainError as error:
        query["error"] = {"codespace": error.codespace, "code": error.code}
    return query


def main() -> None:
    """Write every vector of this room; gas is filled in by the runner."""
    with tempfile.TemporaryDirectory() as folder, dispatch.forced("ref"):
        m = new_markets(Path(folder))
        cases = [
            *trainer_cases(m["opened"], m["slashed"], m["stood_down"], m["invited"], m["serving"]),
            *commit_cases(m["opened"], m["revealing"]),
            *reveal_cases(m["opened"], m["revealing"], m["missed"]),
            *part_cases(m["revealing"]),
        ]
        for case in cases:
            (FOLDER / f"{case.name}.json").write_text(json.dumps(new_vector(case), indent=2) + "\n")
        print(f"{len(cases)} vectors written; fill in the gas with python -m tests.vectors.runner")


if __name__ == "__main__":
    main()
