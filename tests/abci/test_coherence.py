"""Two nodes of one chain, with other mempools and answers, judge every proposal and run every block alike."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from abci_app.abci.proposal import proto_bytes
from abci_app.runtime.context import Ctx
from abci_app.runtime.module import ProposerSource
from abci_app.store.errors import DatabaseDamaged
from abci_app.wire.errors import InvariantBroken
from abci_app.wire.pb.gradus.audits.v1.tx_pb2 import AuditVotes
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.tx import INJECTED_MARK, decode_injected, is_injected
from tests.abci.engine import Node
from tests.abci.jurors import SUBJECTS, Juror, say

SEED = 20
PROPOSALS = 40
BLOCK_GAS = 400_000
FIRST = SUBJECTS[0]
SAID = {index: say(index, FIRST) for index in range(4)}


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Juror, Juror]]:
    """Two validators before the block that brings all digests of an audit; the first has its answer."""
    with Juror(tmp_path / "one", 0) as one, Juror(tmp_path / "other", 1) as other:
        for node in (one, other):
            node.init_chain()
            node.run()
            node.run()
        one.answer(FIRST)
        yield one, other


def mutate(dice: random.Random, txs: list[bytes], spare: list[bytes]) -> list[bytes]:
    """The proposal with one to three changes that a faulty or a lying proposer could make."""
    changed = list(txs)
    for _ in range(dice.randint(1, 3)):
        way, at = dice.randrange(8), dice.randrange(len(changed) + 1)
        if way == 0:
            dice.shuffle(changed)
        elif way == 1 and changed:
            changed.insert(at, dice.choice(changed))
        elif way == 2:
            changed.insert(at, dice.randbytes(dice.randrange(80)))
        elif way == 3:
            changed.insert(at, INJECTED_MARK + dice.randbytes(dice.randrange(40)))
        elif way == 4 and changed:
            del changed[min(at, len(changed) - 1)]
        elif way == 5 and changed:
            raw = bytearray(changed.pop(min(at, len(changed) - 1)) or b"\x00")
            raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
            changed.insert(at, bytes(raw))
        elif way == 6:
            changed.extend(dice.sample(spare, dice.randint(1, len(spare))))  # more gas, gaps in sequences
        else:
            changed.append(bytes(dice.randrange(1, 100_000)))
    return changed


def pool_of(node: Node) -> list[bytes]:
    """Transactions of three accounts, some that nobody may admit."""
    return [*(node.send_tx("alice", "bob", 5, ahead) for ahead in range(3)), node.send_tx("bob", "alice", 7),
            node.send_tx("bob", "alice", 10**15, 1), b"garbage", node.send_tx("alice", "bob", 5, chain_id="other"),
            node.send_tx("bob", "carol", 1, 1, gas_limit=200_000), INJECTED_MARK + b"from the mempool"]


def test_whatever_one_node_prepares_the_other_accepts(pair: tuple[Juror, Juror]) -> None:
    """I14, I12: other mempools, other answers, other votes, other limits of bytes; also what was made of nothing."""
    dice = random.Random(SEED)
    one, other = pair
    pool = pool_of(one)
    for raw in dice.sample(pool, 4):
        other.check(raw)
    kinds = set()
    for _ in range(PROPOSALS):
        proposer, judge = dice.choice([(one, other), (other, one)])
        room = dice.choice([0, 100, 700, 2_000, 20_000, 200_000])
        said = {index: SAID[index] for index in dice.sample(range(4), dice.choice([0, 3, 4, 4]))}
        txs = proposer.propose(said, dice.sample(pool, dice.randint(0, len(pool))), room=room)
        assert judge.process(txs) and proposer.process(txs)
        assert sum(map(proto_bytes, txs)) <= room
        kinds.add((proposer is one, sum(map(is_injected, txs)), any(not is_injected(raw) for raw in txs)))
    assert {(True, 2, True), (False, 1, True), (True, 0, True)} <= kinds  # only the first can bring the answer
    assert not any(count == 2 for is_first, count, _ in kinds if not is_first)


def test_changed_proposals_are_judged_and_run_the_same_by_both(pair: tuple[Juror, Juror]) -> None:
    """I15, I17, I20, I22: reordered, doubled, spoilt, too dear: one verdict; decided all the same: one result each."""
    dice = random.Random(SEED + 1)
    one, other = pair
    pool = pool_of(one)
    honest = one.propose(SAID, pool)
    verdicts = []
    for _ in range(PROPOSALS):
        txs = mutate(dice, honest, pool)
        verdicts.append(one.process(txs))
        assert other.process(txs) == verdicts[-1]
        if dice.random() < 0.3:
            ran = one.decide(txs)
            assert other.decide(txs) == ran
            assert len(ran.tx_results) == len(txs)
            assert all((result.codespace, result.code) != ("internal", 1) for result in ran.tx_results)
    assert True in verdicts and False in verdicts


def test_more_gas_or_injected_bytes_than_a_block_has_is_refused_by_both(tmp_path: Path) -> None:
    """I13, I15: limits of the block are the chain's, not a node's."""
    with Node(tmp_path / "one", block_gas=BLOCK_GAS) as one, Node(tmp_path / "two", block_gas=BLOCK_GAS) as two:
        one.init_chain()
        two.init_chain()
        txs = [one.send_tx("alice", "bob", 1, ahead) for ahead in range(5)]
        assert [node.accepts(txs[:count]) for node in (one, two) for count in (4, 5)] == [True, False] * 2


def test_good_transactions_of_a_decided_block_count_whatever_stands_around_them(pair: tuple[Juror, Juror]) -> None:
    """I17, I20: the state of a block with garbage is that of its good transactions."""
    one, other = pair
    good = [one.send_tx("alice", "dave", 5), one.send_tx("bob", "dave", 7), one.propose(SAID)[0]]
    block = [b"", good[0], b"\xff" * 300, INJECTED_MARK, good[2], INJECTED_MARK + b"\xff", good[0], good[1],
             bytes(1000)]
    assert not one.process(block) and not other.process(block)
    answers = [node.run(block) for node in pair]
    assert answers[0] == answers[1]
    assert [result.code == 0 for result in answers[0].tx_results] == [
        False, True, False, False, True, False, False, True, False]
    assert one.balance("dave") == other.balance("dave") == 12
    assert one.info() == other.info()


def test_second_form_of_an_injected_transactions_bytes_is_rejected_and_never_runs(pair: tuple[Juror, Juror]) -> None:
    """I15: nobody signed it, so that a proposer could else bring one content twice."""
    node, _ = pair
    votes = node.propose(SAID)[0]
    packed = decode_injected(votes)
    packed.value += b"\x08\x02"  # the height once more
    variant = INJECTED_MARK + packed.SerializeToString(deterministic=True)
    assert AuditVotes.FromString(packed.value) == AuditVotes.FromString(decode_injected(votes).value)
    assert not node.process([variant]) and not node.process([votes, variant])
    assert not node.process([votes + b"\x00"])
    assert [(one.codespace, one.code) for one in node.decide([variant]).tx_results] == [("sdk", 2)]


def test_injected_bytes_have_a_share_of_the_block(pair: tuple[Juror, Juror]) -> None:
    """I12: votes never crowd out users; what does not fit is left for the next block."""
    node, _ = pair
    votes, limits = node.propose(SAID)[0], node.application._chain
    assert limits is not None and limits.injected_bytes_max == limits.block_bytes_max // 2
    for block_bytes, is_admitted in ((2 * len(votes) - 2, False), (2 * len(votes), True)):
        node.application._chain = replace(limits, block_bytes_max=block_bytes)
        assert node.propose(SAID) == [votes] * is_admitted
        assert node.process([votes]) == is_admitted
    node.application._chain = limits
    assert node.propose(SAID, room=len(votes)) == []


@pytest.mark.parametrize("fault", [OSError, InvariantBroken, DatabaseDamaged])
def test_state_that_cannot_be_read_while_proposing_stops_the_node(pair: tuple[Juror, Juror],
                                                                  fault: type[Exception]) -> None:
    node, _ = pair
    module = next(one for one in node.application._app.modules if one.injected)

    def propose(_ctx: Ctx, _source: ProposerSource) -> Iterator[AuditVotes]:
        raise fault("a record is missing")
        yield AuditVotes()

    object.__setattr__(module, "injected", tuple(replace(one, propose=propose) for one in module.injected))
    node.engine.put("prepare_proposal", abci.RequestPrepareProposal(max_tx_bytes=10_000, **node.block_fields()))
    assert node.engine.read().exception.error.startswith(fault.__name__)
    node.thread.join(20)
    assert isinstance(node.failure, fault)


def test_bug_of_a_route_costs_what_it_would_propose_and_not_the_proposal(pair: tuple[Juror, Juror]) -> None:
    node, _ = pair
    module = next(one for one in node.application._app.modules if one.injected)

    def propose(_ctx: Ctx, _source: ProposerSource) -> Iterator[AuditVotes]:
        raise ZeroDivisionError
        yield AuditVotes()

    object.__setattr__(module, "injected", tuple(replace(one, propose=propose) for one in module.injected))
    txs = [node.send_tx("alice", "bob", 5)]
    assert node.propose(SAID, txs) == txs
