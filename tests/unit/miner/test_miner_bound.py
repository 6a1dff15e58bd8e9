"""A miner with a committed unit: whatever nodes, disks and accounts do until its deadline, it reveals it."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abci_app.client.errors import (
    ClientError, FeeTooHigh, NodeRefused, NodeUnreachable, ProofInvalid, TimedOut, TxRefused, WrongChain,
)
from abci_app.client.node import Nodes
from abci_app.client.rpc import Answer, TxOutcome
from abci_app.client.send import Sender
from abci_app.miner.errors import MinerStopped
from abci_app.miner.miner import Miner
from abci_app.miner.preflight import compute_fees_due_ugrad
from abci_app.wire.errors import ChainError, InsufficientFunds, OutOfGas, TxTimeoutHeight, UnknownAddress
from abci_app.wire.pb.gradus.work.v1.work_pb2 import ROUND_PHASE_REVEAL
from abci_app.wire.tx import tx_hash
from abci_app.x.work.errors import AttemptOver, PhaseNotReveal, UnitNotCommitted
from kernels.errors import KernelInputError
from tests.chain import address_of, new_test_key
from tests.local_rpc import LocalNode
from tests.unit.miner.conftest import NAMES, Rig


def commit_all(rig: Rig, miners: list[Miner]) -> None:
    """Turns until all units of the first round are committed and its reveals are due."""
    for _ in range(30):
        dealing = rig.client.find_round(1)
        if dealing is not None and dealing.round is not None and dealing.round.phase == ROUND_PHASE_REVEAL:
            return
        for miner in miners:
            miner.step()
        rig.node.block()
    raise AssertionError("the round is not committed")


def run_until_revealed(rig: Rig, miner: Miner, others: list[Miner], on_sleep: Callable[[], None]) -> None:
    """The miner's own loop until its unit is revealed; the others go on meanwhile."""
    naps = iter(range(60))

    def sleep(seconds: float) -> None:
        on_sleep()
        for other in others:
            other.step()
        rig.node.block()
        if rig.told("ann", "revealed"):
            miner.drain()
        next(naps)

    miner.sleep = miner.sender.sleep = sleep
    miner.run()
    assert [entry["unit"] for entry in rig.told("ann", "revealed")] != []
    assert list(rig.client.iter_slashes(1)) == []


def bound(rig: Rig, **options: Any) -> tuple[Miner, list[Miner]]:
    """Ann with a committed unit, and the others."""
    ann, others = rig.miner("ann", **options), [rig.miner(name) for name in NAMES[1:]]
    commit_all(rig, [ann, *others])
    assert len(rig.told("ann", "committed")) == 1 and rig.told("ann", "revealed") == []
    return ann, others


class Doomed:
    """A node that, once told to, takes the next transaction and dies with its mempool."""

    url = "doomed"

    def __init__(self, node: LocalNode) -> None:
        self._node, self.will_die, self.taken = node, False, list[bytes]()

    def broadcast_tx(self, raw: bytes) -> TxOutcome:
        if self.taken:
            raise NodeUnreachable("dead")
        if not self.will_die:
            return self._node.broadcast_tx(raw)
        self.taken.append(raw)
        return TxOutcome(tx_hash(raw), 0, 0, "", "", b"", 0, 0, ())

    def __getattr__(self, name: str) -> Any:
        if self.taken:
            raise NodeUnreachable("dead")
        return getattr(self._node, name)


def test_reveal_that_died_with_a_nodes_mempool_is_made_through_the_next_node(rig: Rig) -> None:
    first = Doomed(rig.node)
    nodes = Nodes([first, rig.node])  # type: ignore[list-item]
    ann, others = bound(rig, node=nodes)
    first.will_die = True
    run_until_revealed(rig, ann, others, lambda: None)
    assert len(first.taken) == 1 and tx_hash(first.taken[0]) in rig.node.outcomes


@pytest.mark.parametrize("kind", [PhaseNotReveal, UnitNotCommitted, AttemptOver, TxTimeoutHeight, OutOfGas,
                                  InsufficientFunds, UnknownAddress])
def test_refused_reveal_is_tried_until_it_is_in_a_block(rig: Rig, kind: type[ChainError]) -> None:
    """A node that is behind, or an account that gets its coins later."""
    ann, others = bound(rig)
    refusals = iter(range(3))
    ask = rig.node.abci_query

    def answer(path: str, data: bytes = b"", height: int = 0, prove: bool = False) -> Answer:
        if path.endswith("/Simulate") and ann.sender.sleep is ann.sleep and next(refusals, None) is not None:
            return Answer(kind.code, kind.codespace, "behind", b"", b"", 1, ())
        return ask(path, data, height, prove)

    ann.sender._gas.clear()
    ann.chain.node._nodes[0] = Stale(rig.node, answer)  # type: ignore[attr-defined]
    run_until_revealed(rig, ann, others, lambda: None)
    assert next(refusals, None) is None
    assert [entry["problem"] for entry in rig.told("ann", "waiting")] == [f"{kind.codespace}/{kind.code} behind"]
    assert rig.told("ann", "missed") == []


class Stale:
    """A node whose answers to queries are another's."""

    def __init__(self, node: LocalNode, answer: Callable[..., Answer]) -> None:
        self._node, self.abci_query = node, answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)


@pytest.mark.parametrize("error", [
    NodeRefused("malformed"), ProofInvalid("no"), WrongChain("other"), TxRefused("sdk", 5, "no"), TimedOut("late"),
    FeeTooHigh("dear"), ClientError("odd"), MinerStopped("broken")])
def test_committed_miner_survives_every_error_of_its_client(rig: Rig, monkeypatch: pytest.MonkeyPatch,
                                                            error: Exception) -> None:
    ann, others = bound(rig)
    send, faults = ann.sender.send, iter(range(2))

    def fail(*arguments: Any, **named: Any) -> Any:
        if next(faults, None) is not None:
            raise error
        return send(*arguments, **named)

    monkeypatch.setattr(ann.sender, "send", fail)
    run_until_revealed(rig, ann, others, lambda: None)


def test_committed_miner_waits_no_longer_than_half_a_second(rig: Rig) -> None:
    ann, others = bound(rig)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 12:
            rig.node.is_down = False
            ann.drain()
        if len(waits) > 12:
            rig.node.block()

    rig.node.is_down = True
    ann.sleep = ann.sender.sleep = sleep
    ann.run()
    assert len(waits) >= 12 and max(waits) <= 0.5 and len(rig.told("ann", "revealed")) == 1


def test_reveal_needs_no_disk(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, others = bound(rig)

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "the disk is gone")

    for name in ("find", "put", "drop_before"):
        monkeypatch.setattr(ann.journal, name, fail)
    run_until_revealed(rig, ann, others, lambda: None)


def test_refused_commitment_binds_nothing_and_ends_the_miner(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, others = rig.miner("ann"), [rig.miner(name) for name in NAMES[1:]]
    naps = iter(range(40))

    def sleep(seconds: float) -> None:
        for other in others:
            other.step()
        rig.node.block()
        next(naps)

    def refuse(*_: object) -> None:
        raise TxRefused("sdk", InsufficientFunds.code, "empty")

    ann.step()
    monkeypatch.setattr(ann.sender, "send", lambda *_, **__: refuse())
    ann.sleep = sleep
    with pytest.raises(MinerStopped, match="cannot pay"):
        ann.run()
    assert rig.told("ann", "committed") == []


@pytest.mark.parametrize(("error", "hint"), [
    (OSError(errno.ENOSPC, "No space left on device"), "make room"), (KernelInputError("too short"), "trust"),
    (IndexError("row 9"), "trust")])
def test_fault_before_a_commitment_stops_the_miner_with_a_hint(rig: Rig, monkeypatch: pytest.MonkeyPatch,
                                                               error: Exception, hint: str) -> None:
    ann, others = rig.miner("ann"), [rig.miner(name) for name in NAMES[1:]]

    def fail(*_: object, **__: object) -> None:
        raise error

    if isinstance(error, OSError):
        monkeypatch.setattr(ann.journal, "put", fail)
    with pytest.raises(MinerStopped) as caught:
        if not isinstance(error, OSError):
            for miner in (ann, *others):
                miner.step()
            rig.node.block()
            monkeypatch.setattr("abci_app.miner.miner.make_claim", fail)
        for _ in range(5):
            for miner in (ann, *others):
                miner.step()
            rig.node.block()
    assert hint in caught.value.hint and str(error) in caught.value.text


@pytest.mark.parametrize("missing", [0, 1])
def test_miner_commits_only_to_what_it_can_pay_to_reveal(tmp_path: Path, missing: int) -> None:
    rig = Rig(tmp_path, rounds=1)
    ann, others = rig.miner("ann"), [rig.miner(name) for name in NAMES[1:]]
    ann.step()
    entry_bytes: list[int] = []
    compute = ann._compute_entry

    def drain_account(*arguments: Any) -> Any:
        entry = compute(*arguments)
        entry_bytes.append(len(entry.claim.payload))
        kept = compute_fees_due_ugrad(1_000, len(entry.claim.payload), 1) - missing
        boss = Sender(rig.client, new_test_key("ann"), sleep=rig.node.sleep)
        fee = 200
        boss.send([rig.chain.send_msg("ann", "boss", rig.chain.balance("ann") - kept - fee)], gas_limit=200_000)
        assert rig.chain.balance("ann") == kept
        return entry

    ann._compute_entry = drain_account  # type: ignore[method-assign]
    if missing:
        with pytest.raises(MinerStopped, match="to commit and to reveal"):
            commit_all(rig, [ann, *others])
        assert rig.told("ann", "committed") == []
    else:
        commit_all(rig, [ann, *others])
        run_until_revealed(rig, ann, others, lambda: None)
    assert len(entry_bytes) == 1 and rig.client.find_trainer(1, address_of("ann")) is not None
    rig.chain.database.close()
