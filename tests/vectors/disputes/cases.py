"""Writes the vectors of the disputes room: python -m tests.vectors.disputes.cases, then python -m tests.vectors.runner.

Each vector is one block on the exported state of a game in one stage. A refused transaction leaves the dispute as it
was; where one is taken, the dispute after the block is pinned as it is now.
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
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import (
    DISPUTE_STAGE_CHILD, DISPUTE_STAGE_NODE, DISPUTE_STAGE_OPERATION, DISPUTE_STAGE_SEGMENT, DISPUTE_STAGE_STATE,
    DISPUTE_STAGE_TRACE, DisputeStage,
)
from abci_app.wire.tx import type_url
from abci_app.x.disputes import errors
from kernels import dispatch
from tests.chain import Chain, address_of
from tests.unit.disputes.duel import BOND_UGRAD, CHALLENGER, CLAIMANT, OTHER, Duel
from tests.unit.disputes.liars import lie_about_trace
from tests.vectors.runner import new_tx

FOLDER = Path(__file__).parent
NAMES = ("boss", CHALLENGER, CLAIMANT, OTHER)
Refusal = type[ChainError]


@dataclass
class Case:
    """One vector: a transaction of `signer`, and why it is refused (None: it is not)."""

    name: str
    about: str
    duel: Duel
    signer: str
    message: Message
    refusal: Refusal | None = None
    stateless: bool = False


def changed(message: Message, **fields: Any) -> Message:
    """A copy with other values; lists replace lists."""
    copy = type(message)()
    copy.CopyFrom(message)
    for name in fields:
        copy.ClearField(name)  # type: ignore[arg-type]
    copy.MergeFrom(type(message)(**fields))
    return copy


def challenge_cases(duel: Duel, open_duel: Duel) -> Iterator[Case]:
    """Opening a dispute."""
    right = duel.challenge_msg()
    yield Case("challenge_opens_a_dispute", "The bond moves into the module account.", duel, CHALLENGER, right)
    yield Case("challenge_with_a_bad_address", "An address with a typing error.", duel, CHALLENGER,
               changed(right, challenger="gradus1eve"), InvalidAddress, True)
    yield Case("challenge_without_a_bond", "Zero is no bond.", duel, CHALLENGER,
               changed(right, bond={"denom": "ugrad", "amount": "0"}), InvalidCoins, True)
    yield Case("challenge_of_an_unknown_unit", "The round has two units.", duel, CHALLENGER, changed(right, unit=7),
               errors.UnitNotChallengeable)
    yield Case("challenge_with_a_low_bond", "One ugrad is missing.", duel, CHALLENGER,
               duel.challenge_msg(BOND_UGRAD - 1), errors.BondTooLow)
    yield Case("challenge_of_a_disputed_unit", "One dispute of a unit at a time.", open_duel, CHALLENGER,
               open_duel.challenge_msg(), errors.UnitDisputed)


def second_challenge_cases(duel: Duel) -> Iterator[Case]:
    """A unit whose claimant has won a dispute."""
    for challenge in (duel.challenge_msg(2 * BOND_UGRAD - 1), duel.challenge_msg(2 * BOND_UGRAD)):
        refusal = errors.BondTooLow if int(challenge.bond.amount) < 2 * BOND_UGRAD else None
        name = "second_challenge_with_one_ugrad_too_few" if refusal else "second_challenge_with_twice_the_bond"
        yield Case(name, "Each dispute that a claimant wins doubles the least bond of the next.", duel, CHALLENGER,
                   challenge, refusal)


def claimant_cases(stages: dict[DisputeStage, Duel]) -> Iterator[Case]:
    """The claimant's moves."""
    moves = {stage: stages[stage].next_move() for stage in stages}
    trace: Any = moves[DISPUTE_STAGE_TRACE]
    duel = stages[DISPUTE_STAGE_TRACE]
    yield Case("trace_is_taken", "The challenger is due.", duel, CLAIMANT, trace)
    yield Case("trace_of_digests_that_are_cut", "A digest of 31 bytes.", duel, CLAIMANT,
               changed(trace, digests=[bytes(31)]), errors.TraceMalformed, True)
    yield Case("trace_of_other_digests", "They do not give the claimed root.", duel, CLAIMANT,
               changed(trace, digests=[bytes(32)] * 2), errors.TraceMismatch)
    yield Case("trace_by_another", "The claimant is due.", duel, OTHER,
               changed(trace, claimant=address_of(OTHER)), errors.PartyWrong)
    yield Case("trace_of_an_undisputed_unit", "Nobody has challenged it.", duel, CLAIMANT, changed(trace, round=9),
               errors.DisputeNotFound)
    segment: Any = moves[DISPUTE_STAGE_SEGMENT]
    duel = stages[DISPUTE_STAGE_SEGMENT]
    yield Case("trace_twice", "The segment is due.", duel, CLAIMANT, trace, errors.StageWrong)
    yield Case("segment_is_taken", "Its end is the claimed state.", duel, CLAIMANT, segment)
    yield Case("segment_with_a_cut_root", "A root of 31 bytes.", duel, CLAIMANT, changed(segment, root=bytes(31)),
               errors.RootMalformed, True)
    yield Case("segment_with_another_root", "The nodes do not lead there.", duel, CLAIMANT,
               changed(segment, root=bytes(32)), errors.SegmentMismatch)
    node: Any = moves[DISPUTE_STAGE_NODE]
    duel = stages[DISPUTE_STAGE_NODE]
    yield Case("node_is_taken", "The challenger is due.", duel, CLAIMANT, node)
    yield Case("node_without_children", "A node has at least one.", duel, CLAIMANT, changed(node, children=[]),
               errors.NodeMalformed, True)
    yield Case("node_with_a_child_too_few", "The tree has another shape.", duel, CLAIMANT,
               changed(node, children=node.children[:-1]), errors.NodeMismatch)


def challenger_cases(stages: dict[DisputeStage, Duel]) -> Iterator[Case]:
    """The challenger's moves."""
    duel = stages[DISPUTE_STAGE_STATE]
    state: Any = duel.next_move()
    yield Case("state_is_picked", "The segment that ends with it is disputed.", duel, CHALLENGER, state)
    yield Case("state_beyond_the_trace", "There are two digests.", duel, CHALLENGER, changed(state, place=3),
               errors.StatePlaceInvalid)
    duel = stages[DISPUTE_STAGE_CHILD]
    child: Any = duel.next_move()
    yield Case("child_is_picked", "One level further down.", duel, CHALLENGER, child)
    yield Case("child_that_is_not_there", "A node has 16 children at most.", duel, CHALLENGER, changed(child, place=16),
               errors.ChildPlaceInvalid)


def proof_cases(honest: Duel, lying: Duel, stated: Duel) -> Iterator[Case]:
    """The last move."""
    right: Any = honest.next_move()
    yield Case("operation_gives_what_was_claimed", "The challenger loses its bond.", honest, CLAIMANT, right)
    wrong: Any = lying.next_move()
    yield Case("operation_gives_something_else", "The unit is rejected, its trainer slashed.", lying, CLAIMANT, wrong)
    yield Case("operation_without_its_inputs", "Everything that it reads must be there.", honest, CLAIMANT,
               changed(right, weights=[]), errors.InputsMalformed)
    spoilt = [{"chunk": bytes(len(one.chunk)), "proof": list(one.proof)} for one in right.weights]
    yield Case("operation_on_other_weights", "They must stand under the round's root.", honest, CLAIMANT,
               changed(right, weights=spoilt), errors.WeightsProofInvalid)
    yield Case("operation_with_an_output_that_nobody_asked_for", "It is computed, not checked.", honest, CLAIMANT,
               changed(right, output=bytes(4)), errors.ClaimedOutputWrong)
    other: Any = stated.next_move()
    spoilt = [{"chunk": bytes(len(one.chunk)), "proof": list(one.proof)} for one in other.state]
    yield Case("operation_on_another_state", "It must stand under the agreed root.", stated, CLAIMANT,
               changed(other, state=spoilt), errors.StateProofInvalid)


def new_duels(folder: Path) -> dict[DisputeStage, Duel]:
    """A game about the first operations in each stage."""
    stages = (DISPUTE_STAGE_TRACE, DISPUTE_STAGE_STATE, DISPUTE_STAGE_SEGMENT, DISPUTE_STAGE_NODE, DISPUTE_STAGE_CHILD)
    duels = {}
    for stage in stages:
        duels[stage] = Duel(folder / DisputeStage.Name(stage), None, lambda count: 0)
        duels[stage].reach(stage)
    return duels


def new_last_moves(folder: Path) -> tuple[Duel, Duel, Duel]:
    """Games that wait for their last move: of a right claim, of a wrong one, of one about the second segment."""
    honest = Duel(folder / "honest", None, lambda count: 0)
    lying = Duel(folder / "lying", lie_about_trace)
    picks = iter((1, 0, 0))  # the second digest, then the first operation of its segment
    stated = Duel(folder / "stated", None, lambda count: next(picks))
    for duel in (honest, lying, stated):
        duel.reach(DISPUTE_STAGE_OPERATION)
    return honest, lying, stated


def new_vector(case: Case) -> dict[str, Any]:
    """The JSON of a case, with names for addresses."""
    market = case.duel.market
    state = market.chain.app.export_genesis(market.chain.ctx())
    folder = Path(market.folder) / f"copy of {case.name}"
    with Chain(folder, app_state=state) as chain:
        refusal = case.refusal
        fields = json_format.MessageToDict(case.message, preserving_proto_field_name=True)
        expect = {"error": {"codespace": refusal.codespace, "code": refusal.code}} if refusal else {}
        tx = {"signer": case.signer, "messages": [{"@type": type_url(case.message), **fields}], "expect": expect}
        vector: dict[str, Any] = {"about": case.about, "pre": {"app_state": state}, "txs": [tx]}
        if case.stateless:
            vector["unchanged"] = True
        else:
            chain.block([new_tx(chain, tx)])
            vector["post"] = {"queries": [_answer(chain, "disputes", "Disputes"), _answer(chain, "disputes", "Ended"),
                                          _answer(chain, "work", "Slashes", model_id=1)]}
    text = json.dumps(vector)
    for name in NAMES:
        text = text.replace(f'"{address_of(name)}"', f'"@{name}"')
    return dict(json.loads(text))


def _answer(chain: Chain, room: str, name: str, **fields: Any) -> dict[str, Any]:
    """What a query says now."""
    path = f"/gradus.{room}.v1.Query/{name}"
    answer = chain.query(path, chain.app.router.queries[path].request(**fields))
    return {"path": path, "request": fields,
            "response": json_format.MessageToDict(answer, preserving_proto_field_name=True)}


def main() -> None:
    """Write every vector of this room; gas is filled in by the runner."""
    with tempfile.TemporaryDirectory() as temporary, dispatch.forced("ref"):
        folder = Path(temporary)
        stages = new_duels(folder)
        won = Duel(folder / "won", None, lambda count: 0, challenge_bond_ugrad=BOND_UGRAD)
        won.play()
        undisputed = Duel(folder / "undisputed", challenge_bond_ugrad=BOND_UGRAD)
        cases = [*second_challenge_cases(won), *challenge_cases(undisputed, stages[DISPUTE_STAGE_TRACE]),
                 *claimant_cases(stages), *challenger_cases(stages), *proof_cases(*new_last_moves(folder))]
        for case in cases:
            (FOLDER / f"{case.name}.json").write_text(json.dumps(new_vector(case), indent=2) + "\n")
        print(f"{len(cases)} vectors written; fill in the gas with python -m tests.vectors.runner")


if __name__ == "__main__":
    main()
