"""Two nodes of one chain, with other mempools and datasets, judge every proposal and run every block alike."""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from abci_app.abci.proposal import proto_bytes
from abci_app.runtime.deliver import TxResult
from abci_app.wire.pb.gradus.work.v1.work_pb2 import ROUND_PHASE_AUDIT
from abci_app.wire.tx import INJECTED_MARK, is_injected
from tests.abci.engine import Node
from tests.abci.test_evidence import SocketChain
from tests.unit.work import market as market_module
from tests.unit.work.market import Market

SEED = 20
PROPOSALS = 40
BLOCK_GAS = 400_000


class TwinChain(SocketChain):
    """A chain of two nodes: the first holds the dataset, the second has none; both run every block."""

    def __init__(self, folder: Path, accounts: dict[str, int]) -> None:
        super().__init__(folder, accounts)
        self.other = Node(folder.with_name("other"), self.node.accounts)
        self.other.init_chain()

    def block(self, txs: Iterable[bytes] = (), proposer: int | None = None) -> list[TxResult]:
        """Run and commit one block on both."""
        txs = list(txs)
        assert self.other.finalize(txs) == self.node.finalize(txs)
        self.other.commit()
        return super().block(txs, proposer)


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Market]:
    """A market before its audit, on two nodes."""
    monkeypatch.setattr(market_module, "Chain", TwinChain)
    one = Market(tmp_path / "state", ("ann", "ben", "cat"), rate_ppm=1_000_000)
    one.chain.rows.add(one.table)
    one.commit_all({"ann": one.wrong_claim("ann")})
    one.reveal_all({"ann": one.wrong_claim("ann")})
    assert one.round().phase == ROUND_PHASE_AUDIT
    yield one
    one.chain.node.close()
    one.chain.other.close()


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


def test_whatever_one_node_prepares_the_other_accepts(market: Market) -> None:
    """I14, I12: other mempools, other datasets, other limits of bytes; also what was made of nothing."""
    dice = random.Random(SEED)
    one, other = market.chain.node, market.chain.other
    pool = pool_of(one)
    for raw in dice.sample(pool, 4):
        other.check(raw)
    kinds = set()
    for _ in range(PROPOSALS):
        proposer, judge = dice.choice([(one, other), (other, one)])
        room = dice.choice([0, 100, 700, 2_000, 20_000, 200_000])
        txs = proposer.prepare(dice.sample(pool, dice.randint(0, len(pool))), room)
        assert judge.accepts(txs) and proposer.accepts(txs)
        assert sum(map(proto_bytes, txs)) <= room
        kinds.add((proposer is one, any(map(is_injected, txs)), any(not is_injected(raw) for raw in txs)))
    assert (True, True, True) in kinds and (False, False, True) in kinds
    assert not any(has_evidence for is_first, has_evidence, _ in kinds if not is_first)


def test_changed_proposals_are_judged_and_run_the_same_by_both(market: Market) -> None:
    """I15, I17, I20, I22: reordered, doubled, spoilt, too dear: one verdict; decided all the same: one result each."""
    dice = random.Random(SEED + 1)
    one, other = market.chain.node, market.chain.other
    pool = pool_of(one)
    honest = one.prepare(pool)
    verdicts = []
    for _ in range(PROPOSALS):
        txs = mutate(dice, honest, pool)
        verdicts.append(one.accepts(txs))
        assert other.accepts(txs) == verdicts[-1]
        if dice.random() < 0.3:
            ran = one.finalize(txs)
            assert other.finalize(txs) == ran
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


def test_good_transactions_of_a_decided_block_count_whatever_stands_around_them(market: Market) -> None:
    """I17, I20: the state of a block with garbage is that of its good transactions."""
    one, other = market.chain.node, market.chain.other
    good = [one.send_tx("alice", "dave", 5), one.send_tx("bob", "dave", 7)]
    block = [b"", good[0], b"\xff" * 300, INJECTED_MARK, INJECTED_MARK + b"\xff", good[0], good[1], bytes(1000)]
    assert not one.accepts(block) and not other.accepts(block)
    results = market.chain.block(block)
    assert [result.code == 0 for result in results] == [raw in good for raw in block[:5]] + [False, True, False]
    assert one.balance("dave") == other.balance("dave") == 12
    assert one.info() == other.info()
