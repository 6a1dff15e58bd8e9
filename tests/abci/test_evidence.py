"""Injected transactions through the socket: the proposer's evidence decides audits, and nothing else passes for it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from abci_app.abci.chain import Chain as Limits
from abci_app.runtime.context import Ctx
from abci_app.runtime.deliver import TxResult
from abci_app.store.branch import Branch
from abci_app.store.errors import DatabaseDamaged
from abci_app.wire.errors import InvariantBroken
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import AuditEvidence
from abci_app.wire.pb.gradus.work.v1.work_pb2 import ROUND_PHASE_AUDIT
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.tx import INJECTED_MARK, decode_injected, encode_injected, is_injected
from tests.abci.engine import CHAIN_ID, Node
from tests.chain import Chain
from tests.sim.rows import MemoryRows
from tests.unit.work import market as market_module
from tests.unit.work.market import Market

TRAINERS = ("ann", "ben")


class SocketChain(Chain):
    """The chain of a Market whose blocks go through the socket of a node."""

    def __init__(self, folder: Path, accounts: dict[str, int]) -> None:
        self.rows = MemoryRows()
        self.node = Node(folder, {**accounts, "alice": 10**9, "bob": 10**9}, rows=self.rows)
        self.app_hash = self.node.init_chain().app_hash
        self.app, self.database, self.chain_id = self.node.application._app, self.node.database, CHAIN_ID
        genesis = self.node.application._genesis
        self._genesis = genesis.state if genesis else None

    def block(self, txs: Iterable[bytes] = (), proposer: int | None = None) -> list[TxResult]:
        """Run and commit one block."""
        answer = self.node.block(txs)
        self.app_hash, self._genesis, self.events = answer.app_hash, None, ()
        return [TxResult(code=one.code, codespace=one.codespace, log=one.log) for one in answer.tx_results]

    def _branch(self) -> Branch:
        return Branch(self._genesis or self.database.latest())


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Market]:
    """A market in which all claims of a round are revealed and the next block must audit them."""
    monkeypatch.setattr(market_module, "Chain", SocketChain)
    one = Market(tmp_path / "state", TRAINERS, rate_ppm=1_000_000)
    one.chain.rows.add(one.table)
    one.commit_all({"ann": one.wrong_claim("ann")})
    one.reveal_all({"ann": one.wrong_claim("ann")})
    assert one.round().phase == ROUND_PHASE_AUDIT
    yield one
    one.chain.node.close()


def evidence_of(txs: list[bytes]) -> list[AuditEvidence]:
    return [AuditEvidence.FromString(decode_injected(raw).value) for raw in txs if is_injected(raw)]


def test_proposer_puts_its_evidence_at_the_head_and_it_decides(market: Market) -> None:
    node: Node = market.chain.node
    cheat = market.unit_of("ann").index
    txs = node.prepare([node.send_tx("alice", "bob", 5)])
    assert [is_injected(raw) for raw in txs] == [True] * (len(txs) - 1) + [False]
    assert len(txs) > 1
    assert node.accepts(txs)
    assert [result.code for result in market.chain.block(txs)] == [0] * len(txs)
    audited = [evidence.unit for evidence in evidence_of(txs)]
    assert cheat in audited
    assert [market.names[slash.trainer] for slash in market.slashes()] == ["ann"]


def test_node_without_rows_proposes_none_and_accepts_others(market: Market, tmp_path: Path) -> None:
    node: Node = market.chain.node
    txs = node.prepare([])
    assert evidence_of(txs) != []
    node.application._rows = MemoryRows()
    assert node.prepare([]) == []
    assert node.accepts(txs)
    assert node.accepts([])


def test_damaged_evidence_is_rejected(market: Market) -> None:
    node: Node = market.chain.node
    good = evidence_of(node.prepare([]))[0]
    damaged = []
    for change in range(5):
        bad = AuditEvidence.FromString(good.SerializeToString())
        if change == 0:
            bad.unit += 100
        elif change == 1:
            bad.rows = bad.rows[:-1] + bytes([bad.rows[-1] ^ 1])
        elif change == 2:
            bad.proof[0] = bytes(32)
        elif change == 3:
            bad.proof.append(bytes(32))
        else:
            bad.rows += b"\x00"
        damaged.append(encode_injected(bad))
    assert [node.accepts([raw]) for raw in damaged] == [False] * 5
    assert [result.code > 1 for result in node.finalize(damaged).tx_results] == [True] * 5


def test_evidence_twice_or_behind_a_user_is_rejected(market: Market) -> None:
    node: Node = market.chain.node
    evidence = node.prepare([])[0]
    sent = node.send_tx("alice", "bob", 5)
    assert node.accepts([evidence, sent])
    assert not node.accepts([evidence, evidence])
    assert not node.accepts([sent, evidence])
    assert not node.accepts([evidence + b"\x00"])
    assert [result.code for result in node.finalize([evidence, evidence, sent]).tx_results][1:] == [24, 0]


def test_second_form_of_an_evidences_bytes_is_rejected_and_never_runs(market: Market) -> None:
    node: Node = market.chain.node
    evidence = node.prepare([])[0]
    packed = decode_injected(evidence)
    packed.value += b"\x08\x01"  # the model's id once more
    variant = INJECTED_MARK + packed.SerializeToString(deterministic=True)
    assert AuditEvidence.FromString(packed.value) == evidence_of([evidence])[0]
    assert not node.accepts([variant])
    assert not node.accepts([evidence, variant])
    assert [(one.codespace, one.code) for one in node.finalize([variant]).tx_results] == [("sdk", 2)]


def test_injected_bytes_have_a_share_of_the_block(market: Market) -> None:
    node: Node = market.chain.node
    evidence = node.prepare([])
    limits = node.application._chain
    assert isinstance(limits, Limits)
    assert limits.injected_bytes_max == limits.block_bytes_max // 2
    shortest = min(evidence, key=len)
    for block_bytes, is_admitted in ((2 * len(shortest) - 2, False), (2 * len(shortest), True)):
        node.application._chain = replace(limits, block_bytes_max=block_bytes)
        assert node.prepare([]) == [shortest] * is_admitted
        assert node.accepts([shortest]) == is_admitted


def test_evidence_that_does_not_fit_is_left_for_the_next_block(market: Market) -> None:
    assert market.chain.node.prepare([], 10) == []


def test_dataset_that_cannot_be_read_costs_the_evidence_and_not_the_proposal(market: Market) -> None:
    class BrokenRows:
        def has_rows(self, rows_root: bytes) -> bool:
            return True

        def find_rows(self, rows_root: bytes, indices: list[int]) -> tuple[bytes, list[bytes]] | None:
            raise OSError("the disk is gone")

    node: Node = market.chain.node
    node.application._rows = BrokenRows()
    txs = [node.send_tx("alice", "bob", 5)]
    assert node.prepare(txs) == txs


@pytest.mark.parametrize("fault", [OSError, InvariantBroken, DatabaseDamaged])
def test_state_that_cannot_be_read_while_proposing_stops_the_node(market: Market, fault: type[Exception]) -> None:
    node: Node = market.chain.node
    routes = node.application._app.router.injected
    module = next(one for one in node.application._app.modules if one.injected)

    def propose(ctx: Ctx, rows: object) -> Iterator[AuditEvidence]:
        raise fault("a record is missing")
        yield AuditEvidence()

    object.__setattr__(module, "injected", tuple(replace(one, propose=propose) for one in routes.values()))
    node.engine.put("prepare_proposal", abci.RequestPrepareProposal(max_tx_bytes=10_000, **node.block_fields()))
    assert node.engine.read().exception.error.startswith(fault.__name__)
    node.thread.join(20)
    assert isinstance(node.failure, fault)
