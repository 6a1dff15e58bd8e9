"""Rounds from blocks that are made by hand: payloads in parts, what did not succeed, what is another round's."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.message import Message

from abci_app.client.errors import ProofInvalid
from abci_app.client.light.blocks import BLOCK_PROTOCOL, BlockId, Header
from abci_app.client.txs import TxTerms, sign_tx
from abci_app.replay.blocks import Block, Happening
from abci_app.replay.draw import Draw, compare_draw
from abci_app.replay.history import PastRound, has_proved_operation, iter_rounds
from abci_app.replay.rebuild import Rebuilt
from abci_app.replay.rounds import Outcome
from abci_app.wire.pb.gradus.disputes.v1.tx_pb2 import MsgProveOperation
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec, TrainingPolicy
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgCommitWork, MsgRevealPart, MsgRevealWork
from abci_app.wire.pb.gradus.work.v1.work_pb2 import SLASH_REASON_DISPUTE, SLASH_REASON_MISMATCH, Slash
from abci_app.wire.seed import audit_seed, reveal_hash, round_seed
from abci_app.x.work.types import compute_payload_root, draw_units
from tests.chain import new_test_key

CHAIN_ID, MODEL = "gradus-test-1", 7
ROOT = bytes(range(32))


def happening(kind: str, model: int = MODEL, **fields: Any) -> Happening:
    return Happening(f"work.{kind}", {"model_id": str(model), **{name: str(value) for name, value in fields.items()}})


def opened(number: int = 1, attempt: int = 0, **fields: Any) -> Happening:
    return happening("round_opened", round=number, attempt=attempt, **{"unit_count": 2, "spec_version": 1, **fields})


def closed(number: int = 1, root: str = ROOT.hex()) -> Happening:
    return happening("round_closed", round=number, weights_root=root)


def new_block(height: int, messages: Sequence[Message] = (), happenings: Sequence[Happening] = (),
              code: int = 0) -> Block:
    """A block with each message in a transaction of its own."""
    terms = TxTerms(chain_id=CHAIN_ID, account_number=0, sequence=0, gas_limit=1, fee_ugrad=1)
    txs = tuple(sign_tx(new_test_key("ann"), [message], terms) for message in messages)
    app_hash = hashlib.sha256(b"%d" % height).digest()
    header = Header(
        version_block=BLOCK_PROTOCOL, version_app=0, chain_id=CHAIN_ID, height=height, time_ns=height,
        last_block_id=BlockId(bytes([height]) * 32, 1, ROOT), last_commit_hash=ROOT, data_hash=ROOT,
        validators_hash=ROOT, next_validators_hash=ROOT, consensus_hash=ROOT, app_hash=app_hash,
        last_results_hash=ROOT, evidence_hash=ROOT, proposer_address=bytes(20))
    return Block(header, txs, (code,) * len(txs), tuple(happenings))


def reveal(unit: int = 0, data: bytes = b"first", number: int = 1, attempt: int = 0, model: int = MODEL) -> Message:
    return MsgRevealWork(trainer="ann", model_id=model, round=number, attempt=attempt, unit=unit, payload=data,
                         payload_root=ROOT, trace_root=ROOT, salt=bytes([unit]) * 32)


def part(index: int, data: bytes, unit: int = 0) -> Message:
    return MsgRevealPart(trainer="ann", model_id=MODEL, round=1, attempt=0, unit=unit, part=index, data=data)


def read(*blocks: Block) -> list[PastRound]:
    return list(iter_rounds(blocks, MODEL))


def test_parts_are_joined_in_turn_and_a_reveal_that_begins_anew_forgets_them() -> None:
    found, = read(new_block(1, happenings=[opened()]),
                  new_block(2, [reveal(0), reveal(1, b"one"), part(1, b"lost")]),
                  new_block(3, [reveal(0), part(1, b" second"), part(2, b" third")]),
                  new_block(4, happenings=[happening("unit_accepted", round=1, unit=0), closed()]))
    assert {unit: one.payload for unit, one in found.reveals.items()} == {0: b"first second third", 1: b"one"}
    assert (found.accepted, found.weights_root, found.unit_count, found.spec_version) == ([0], ROOT, 2, 1)
    assert found.header is not None and found.header.height == 4


def test_seed_is_that_of_the_block_that_dealt_the_round() -> None:
    dealt = new_block(9, happenings=[opened(attempt=3)])
    found, = read(dealt, new_block(10, happenings=[closed()]))
    header = dealt.header
    assert found.seed == round_seed(CHAIN_ID, MODEL, 1, 3, header.app_hash, header.last_block_id.hash)


def test_draw_is_of_the_salts_of_what_was_revealed_and_the_hash_that_the_block_after_the_commits_has() -> None:
    def audited(kind: str, number: int, unit: int) -> Happening:
        return happening(kind, round=number, unit=unit)

    after = new_block(4, [reveal(2), reveal(0)])
    found, = read(new_block(1, happenings=[opened(unit_count=3)]),
                  new_block(3, happenings=[happening("phase_entered", round=1, phase="reveal")]), after,
                  new_block(5, [reveal(1)], [audited("unit_withheld", 1, 1),
                                             happening("phase_entered", round=1, phase="audit")]),
                  new_block(6, happenings=[audited("unit_drawn", 1, 2), audited("unit_audited", 1, 0),
                                           audited("unit_audited", 2, 1)]),
                  new_block(7, happenings=[audited("unit_audited", 1, 2), closed()]))
    hashed = reveal_hash(after.header.app_hash, after.header.last_block_id.hash)
    salts = [(0, bytes(32)), (2, bytes([2]) * 32)]
    assert found.draw == Draw(1, 0, hashed, salts, 1, [0, 2])
    assert compare_draw(found.draw, CHAIN_ID, MODEL, 1) is Outcome.EQUAL
    fewer = replace(found.draw, drawn=[2])
    assert compare_draw(fewer, CHAIN_ID, MODEL, 1) is Outcome.DIFFERENT
    seed = audit_seed(CHAIN_ID, MODEL, 1, 0, hashed, salts)
    alone = replace(found.draw, withheld_count=0, drawn=draw_units(seed, [0, 2], 1, 0))
    assert [compare_draw(replace(alone, seed=told), CHAIN_ID, MODEL, 1) for told in (b"", seed, bytes(32))] == [
        Outcome.EQUAL, Outcome.EQUAL, Outcome.DIFFERENT]
    assert compare_draw(replace(alone, seed=seed), "other-1", MODEL, 1) is Outcome.DIFFERENT
    assert compare_draw(None, CHAIN_ID, MODEL, 1) is Outcome.UNKNOWN


def test_what_failed_and_what_is_of_another_model_round_or_dealing_is_passed_over() -> None:
    found, = read(new_block(1, [reveal(0, b"before any round")], [opened(attempt=1)]),
                  new_block(2, [reveal(0, attempt=0), reveal(1, attempt=1, number=2), reveal(0, attempt=1, model=8)]),
                  new_block(3, [reveal(0, attempt=1)], code=5),
                  new_block(4, [reveal(1, b"taken", attempt=1), MsgCommitWork(trainer="ann", model_id=MODEL)]),
                  new_block(5, happenings=[happening("unit_accepted", model=8, round=1, unit=0), closed()]))
    assert {unit: one.payload for unit, one in found.reveals.items()} == {1: b"taken"} and found.accepted == []


def test_dealing_that_failed_is_forgotten() -> None:
    found, = read(new_block(1, happenings=[opened()]), new_block(2, [reveal(0, b"old")]),
                  new_block(3, happenings=[opened(attempt=1)]), new_block(4, [reveal(0, b"new", attempt=1)]),
                  new_block(5, happenings=[closed()]))
    assert found.attempt == 1 and found.reveals[0].payload == b"new"


def test_round_that_opens_in_the_block_that_closes_the_one_before_is_another() -> None:
    first, second = read(new_block(1, happenings=[opened()]), new_block(2, happenings=[closed(), opened(2)]),
                         new_block(3, happenings=[closed(2)]))
    assert (first.number, second.number) == (1, 2) and first.seed != second.seed


def test_operation_that_was_executed_is_found_where_it_succeeded() -> None:
    proof = MsgProveOperation(claimant="ann", model_id=MODEL, round=3, unit=2)
    block = new_block(5, [reveal(), proof])
    assert has_proved_operation(block, MODEL, 3, 2)
    assert not any(has_proved_operation(block, *place) for place in ((MODEL, 3, 1), (MODEL, 2, 2), (8, 3, 2)))
    assert not has_proved_operation(new_block(5, [proof], code=1), MODEL, 3, 2)


def test_slash_of_an_earlier_dealing_is_not_that_of_the_same_unit_in_a_later_one() -> None:
    """Its trainer may have left, come back with a whole bond and got the same unit again."""
    blocks = [new_block(5, happenings=[opened(attempt=1)]), new_block(6, [reveal(0, b"x", attempt=1)]),
              new_block(7, happenings=[happening("unit_accepted", round=1, unit=0), closed()])]
    past, = read(*blocks)
    past.reveals[0] = replace(past.reveals[0], payload_root=compute_payload_root(b"x", "int8/256"))
    rebuilt = Rebuilt(MODEL, past, ModelSpec(training=TrainingPolicy(codec="int8/256")), b"", ROOT)
    slashes = [Slash(round=1, unit=0, trainer="ann", reason=SLASH_REASON_MISMATCH, height=height) for height in (5, 6)]
    assert [rebuilt.list_units(slashes[:count])[0].is_refuted for count in (1, 2)] == [False, True]
    lost = Slash(round=1, unit=0, trainer="ann", reason=SLASH_REASON_DISPUTE, height=9)
    unit, _ = rebuilt.list_units([slashes[0], lost])
    assert (unit.is_refuted, unit.lost_height, unit.standing) == (False, 9, "accepted, slashed")


@pytest.mark.parametrize("blocks, text", [
    ([new_block(1, happenings=[closed()])], "no block has opened"),
    ([new_block(1, happenings=[opened()]), new_block(2, [part(1, b"x")])], "out of turn"),
    ([new_block(1, happenings=[opened()]), new_block(2, [reveal(0), part(2, b"x")])], "out of turn"),
    ([new_block(1, happenings=[opened(unit_count="many")])], "no number 'unit_count'"),
    ([new_block(1, happenings=[opened(unit_count=-1)])], "no number 'unit_count'"),
    ([new_block(1, happenings=[opened()]), new_block(2, happenings=[closed(root="xy")])], "names no root")])
def test_blocks_that_contradict_themselves_are_refused(blocks: list[Block], text: str) -> None:
    with pytest.raises(ProofInvalid, match=text):
        read(*blocks)


def test_transaction_that_cannot_have_succeeded_is_refused() -> None:
    block = new_block(2)
    broken = Block(block.header, (b"\x01\x02",), (0,), ())
    with pytest.raises(ProofInvalid, match="is malformed"):
        read(new_block(1, happenings=[opened()]), broken)
