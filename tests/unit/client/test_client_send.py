"""Sender and Nodes: a transaction happens once or not at all, whatever the nodes do on the way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from abci_app.client.chain import ChainClient
from abci_app.client.errors import FeeTooHigh, NodeRefused, NodeUnreachable, TimedOut, TxRefused, WrongChain
from abci_app.client.node import Nodes
from abci_app.client.rpc import TxOutcome
from abci_app.client.send import Sender, is_error
from abci_app.wire.errors import InsufficientFunds, OutOfGas, TxTimeoutHeight, UnknownAddress, WrongSequence
from abci_app.wire.pb.cosmos.bank.v1beta1.tx_pb2 import MsgSendResponse
from tests.chain import Chain, new_test_key
from tests.local_rpc import LocalNode

FUNDS = 1_000_000


@pytest.fixture(autouse=True)
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("abci_app.client.send.INDEX_S", 0.0)


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    with Chain(tmp_path, {"ann": FUNDS, "ben": FUNDS}) as made:
        made.block()
        yield made


@pytest.fixture
def node(chain: Chain) -> LocalNode:
    return LocalNode(chain)


def sender(node: Any, name: str = "ann", clock: LocalNode | None = None, **options: Any) -> Sender:
    return Sender(ChainClient(node), new_test_key(name), sleep=(clock or node).sleep, **options)


def test_sent_message_is_in_a_block_with_its_response(chain: Chain, node: LocalNode) -> None:
    sent = sender(node).send([chain.send_msg("ann", "ben", 7), chain.send_msg("ann", "ben", 5)])
    assert (sent.height, chain.balance("ben")) == (chain.height, FUNDS + 12)
    assert [MsgSendResponse.FromString(response.value) for response in sent.responses] == [MsgSendResponse()] * 2
    assert node.outcomes[sent.tx_hash].gas_wanted > node.outcomes[sent.tx_hash].gas_used == sent.gas_used > 0


def test_gas_is_estimated_once_for_messages_of_a_kind(chain: Chain, node: LocalNode) -> None:
    ann = sender(node)
    for amount in (1, 2, 3):
        ann.send([chain.send_msg("ann", "ben", amount)])
    assert node.queries.count("/cosmos.tx.v1beta1.Service/Simulate") == 1 and chain.balance("ben") == FUNDS + 6


def test_unusual_message_is_estimated_alone_and_its_gas_is_not_remembered(chain: Chain, node: LocalNode) -> None:
    ann = sender(node)
    ann.send([chain.send_msg("ann", "ben", 1)])
    remembered = ann._gas = {kinds: 5_000_000 for kinds in ann._gas}
    sent = ann.send([chain.send_msg("ann", "ben", 2)], is_usual=False)
    assert node.outcomes[sent.tx_hash].gas_wanted < 5_000_000 and ann._gas == remembered
    assert chain.balance("ben") == FUNDS + 3


def test_remembered_gas_that_is_too_low_is_estimated_again(chain: Chain, node: LocalNode) -> None:
    ann = sender(node)
    ann.send([chain.send_msg("ann", "ben", 1)])
    ann._gas = {kinds: 5_000 for kinds in ann._gas}
    ann.send([chain.send_msg("ann", "ben", 1)])
    assert chain.balance("ben") == FUNDS + 2
    with pytest.raises(TxRefused) as caught:
        ann.send([chain.send_msg("ann", "ben", 1)], gas_limit=5_000)
    assert is_error(caught.value, OutOfGas)


def test_refusal_is_told_before_a_fee_is_paid_when_gas_is_estimated(chain: Chain, node: LocalNode) -> None:
    with pytest.raises(TxRefused) as caught:
        sender(node).send([chain.send_msg("ann", "ben", 10 * FUNDS)])
    assert is_error(caught.value, InsufficientFunds) and caught.value.height == 0
    assert chain.balance("ann") == FUNDS


def test_refusal_in_a_block_names_the_block(chain: Chain, node: LocalNode) -> None:
    with pytest.raises(TxRefused) as caught:
        sender(node).send([chain.send_msg("ann", "ben", 10 * FUNDS)], gas_limit=200_000)
    assert is_error(caught.value, InsufficientFunds) and caught.value.height == chain.height
    assert chain.balance("ann") < FUNDS


def test_account_that_does_not_exist_is_refused(chain: Chain, node: LocalNode) -> None:
    with pytest.raises(TxRefused) as caught:
        sender(node, "nobody").send([chain.send_msg("nobody", "ben", 1)])
    assert is_error(caught.value, UnknownAddress)


def test_lost_reply_does_not_send_twice(chain: Chain, node: LocalNode) -> None:
    """The transaction is in the mempool, then in a block, and no broadcast is ever answered."""
    node.loses_replies = True
    ann = sender(node, timeout_s=3.0)
    node.on_block = lambda: setattr(node, "loses_replies", False)
    ann.send([chain.send_msg("ann", "ben", 7)])
    assert chain.balance("ben") == FUNDS + 7


def test_transaction_in_the_mempool_of_a_node_is_not_an_error(chain: Chain, node: LocalNode) -> None:
    class Strict(LocalNode):
        """Loses its first reply, and refuses what it has already in the engine's words."""

        def broadcast_tx(self, raw: bytes) -> TxOutcome:
            if raw in self.mempool:
                raise NodeRefused("broadcast_tx_sync: Internal error tx already exists in cache")
            super().broadcast_tx(raw)
            self.holds_back = True
            raise NodeUnreachable("gone")

    strict = Strict(chain)

    def sleep(seconds: float) -> None:
        strict.block()
        strict.holds_back = False

    Sender(ChainClient(strict), new_test_key("ann"), sleep=sleep).send([chain.send_msg("ann", "ben", 7)])
    assert chain.balance("ben") == FUNDS + 7


def test_sequence_taken_by_another_transaction_is_signed_anew(chain: Chain, node: LocalNode) -> None:
    """Both happen: the other process's, which was first, and ours under the next sequence."""
    node.broadcast_tx(chain.sign("ann", chain.send_msg("ann", "ben", 100)))
    sender(node).send([chain.send_msg("ann", "ben", 7)])
    assert chain.balance("ben") == FUNDS + 107


def test_result_that_is_indexed_late_is_waited_for(chain: Chain, node: LocalNode,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    """The sequence has moved and the transaction is not found yet: signing anew would pay twice."""
    monkeypatch.setattr("abci_app.client.send.INDEX_S", 30.0)
    find, heights = node.find_tx, []

    def find_late(tx_hash: bytes) -> TxOutcome | None:
        found = find(tx_hash)
        heights.append(chain.height)
        return found if found is not None and chain.height > found.height + 3 else None

    monkeypatch.setattr(node, "find_tx", find_late)
    node.loses_replies = True
    node.on_block = lambda: setattr(node, "loses_replies", False)
    sender(node).send([chain.send_msg("ann", "ben", 7)])
    assert chain.balance("ben") == FUNDS + 7 and len(heights) > 3


def test_transaction_past_its_timeout_height_is_given_up(chain: Chain, node: LocalNode) -> None:
    node.holds_back = True
    with pytest.raises(TxRefused) as caught:
        sender(node).send([chain.send_msg("ann", "ben", 7)], timeout_height=chain.height + 2)
    assert is_error(caught.value, TxTimeoutHeight)
    node.holds_back = False
    node.block()
    assert chain.balance("ben") == FUNDS


def test_time_is_over_when_no_block_takes_it(chain: Chain, node: LocalNode) -> None:
    node.holds_back = True
    with pytest.raises(TimedOut) as caught:
        sender(node, timeout_s=0.0).send([chain.send_msg("ann", "ben", 7)])
    assert caught.value.exit_status == 5


def test_no_node_is_told_as_such(chain: Chain, node: LocalNode) -> None:
    node.is_down = True
    with pytest.raises(NodeUnreachable):
        sender(node, timeout_s=0.0).send([chain.send_msg("ann", "ben", 7)])


def test_next_node_takes_over_and_goes_on(chain: Chain) -> None:
    first, second = LocalNode(chain, url="local:1"), LocalNode(chain, url="local:2")
    nodes = Nodes([first, second])
    assert nodes.status().chain_id == chain.chain_id and nodes.url == "local:1"
    first.is_down = True
    assert nodes.status().height == chain.height and nodes.url == "local:2"
    sender(nodes, clock=second).send([chain.send_msg("ann", "ben", 7)])
    assert chain.balance("ben") == FUNDS + 7
    first.is_down, second.is_down = False, True
    assert nodes.status().height == chain.height and nodes.url == "local:1"
    first.is_down = True
    with pytest.raises(NodeUnreachable):
        nodes.status()
    second.is_down = False
    nodes.move_on()
    assert nodes.find_tx(bytes(32)) is None


def test_node_that_dies_over_a_broadcast_leaves_one_transaction(chain: Chain) -> None:
    first, second = LocalNode(chain, url="local:1"), LocalNode(chain, url="local:2")
    first.loses_replies = True
    second.mempool, second.outcomes = first.mempool, first.outcomes

    def sleep(seconds: float) -> None:
        first.block()
        second.mempool = first.mempool

    Sender(ChainClient(Nodes([first, second])), new_test_key("ann"), sleep=sleep).send(
        [chain.send_msg("ann", "ben", 7)])
    assert chain.balance("ben") == FUNDS + 7


def test_transaction_that_died_with_a_nodes_mempool_is_handed_to_the_next_node(chain: Chain) -> None:
    first, second = LocalNode(chain, url="local:1"), LocalNode(chain, url="local:2")

    def sleep(seconds: float) -> None:
        first.is_down = bool(first.mempool) or first.is_down
        second.block()

    ann = Sender(ChainClient(Nodes([first, second])), new_test_key("ann"), sleep=sleep)
    ann.send([chain.send_msg("ann", "ben", 7)], timeout_height=chain.height + 4)
    assert chain.balance("ben") == FUNDS + 7 and first.is_down


def test_transaction_that_died_with_a_restart_is_handed_in_again(chain: Chain, node: LocalNode,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """The same node, up again with an empty mempool before anyone asked it."""
    monkeypatch.setattr("abci_app.client.send.RESEND_S", 0.0)
    restarts = iter([True])

    def sleep(seconds: float) -> None:
        if next(restarts, False):
            node.mempool = []
        node.block()

    ann = Sender(ChainClient(node), new_test_key("ann"), sleep=sleep)
    ann.send([chain.send_msg("ann", "ben", 7)], timeout_height=chain.height + 4)
    assert chain.balance("ben") == FUNDS + 7


def test_taken_transaction_that_another_node_refuses_is_told_as_open(chain: Chain, node: LocalNode,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """It may still come from the mempool that took it, so a refusal would be a lie."""
    monkeypatch.setattr("abci_app.client.send.RESEND_S", 0.0)
    node.holds_back = True
    answers = iter([0, OutOfGas.code])

    def broadcast(raw: bytes) -> TxOutcome:
        return TxOutcome(bytes(32), 0, next(answers), "sdk", "no", b"", 0, 0, ())

    monkeypatch.setattr(node, "broadcast_tx", broadcast)
    with pytest.raises(TimedOut, match="would be refused now") as caught:
        sender(node).send([chain.send_msg("ann", "ben", 7)])
    assert "may still get into one" in caught.value.hint


def test_node_of_another_chain_is_left_out(chain: Chain, tmp_path: Path) -> None:
    with Chain(tmp_path / "other", {"ann": 1}, chain_id="gradus-test-2") as other:
        ours, foreign = LocalNode(chain, url="local:1"), LocalNode(other, url="local:2")
        assert Nodes([foreign, ours], chain.chain_id).status().chain_id == chain.chain_id
        with pytest.raises(WrongChain, match="gradus-test-2"):
            Nodes([foreign], chain.chain_id).status()
        nodes = Nodes([ours, foreign])
        nodes.status()
        ours.is_down = True
        with pytest.raises(NodeUnreachable):
            nodes.status()
    with pytest.raises(ValueError):
        Nodes([])


def test_node_that_refuses_or_talks_nonsense_is_passed_over(chain: Chain) -> None:
    first, second = LocalNode(chain, url="local:1"), LocalNode(chain, url="local:2")
    nodes = Nodes([first, second], chain.chain_id)
    first.refuses = "the answer to abci_query is malformed"
    sender(nodes, clock=second).send([chain.send_msg("ann", "ben", 7)])
    assert chain.balance("ben") == FUNDS + 7 and nodes.url == "local:2"
    second.refuses = "the mempool is full"
    with pytest.raises(NodeRefused, match="malformed|full"):
        nodes.find_tx(bytes(32))


def test_node_that_says_it_is_of_another_chain_since_is_left_out(chain: Chain, tmp_path: Path) -> None:
    """What is signed is for the chain that the first node was of."""
    with Chain(tmp_path / "other", {"ann": FUNDS, "ben": FUNDS}, chain_id="gradus-test-2") as other:
        first, second = LocalNode(chain, url="local:1"), LocalNode(chain, url="local:2")
        nodes = Nodes([first, second])
        ann = sender(nodes, clock=second)
        assert ann.chain.chain_id() == chain.chain_id
        first.chain = other
        ann.send([chain.send_msg("ann", "ben", 7)])
        assert nodes.url == "local:2" and chain.balance("ben") == FUNDS + 7
        alone = sender(second)
        alone.send([chain.send_msg("ann", "ben", 1)])
        second.chain = other
        with pytest.raises(WrongChain, match="gradus-test-2"):
            alone.send([chain.send_msg("ann", "ben", 1)])


@pytest.mark.parametrize("name", ["gas_price_ppm", "simulate"])
def test_price_or_gas_that_a_node_makes_up_is_not_paid(chain: Chain, node: LocalNode, monkeypatch: pytest.MonkeyPatch,
                                                       name: str) -> None:
    ann = sender(node, gas_price_ppm_max=2_000)
    ann.send([chain.send_msg("ann", "ben", 1)])
    ann._gas.clear()
    monkeypatch.setattr(ann.chain, name, lambda *_: 100_000_000)
    funds = chain.balance("ann")
    with pytest.raises(FeeTooHigh) as caught:
        ann.send([chain.send_msg("ann", "ben", 1)])
    assert "100000000" in caught.value.text and caught.value.hint
    assert chain.balance("ann") == funds and node.mempool == []


def test_wrong_sequence_is_told_apart() -> None:
    assert is_error(TxRefused("sdk", 32, ""), OutOfGas, WrongSequence)
    assert not is_error(TxRefused("work", 32, ""), WrongSequence)


def test_node_that_never_answered_is_not_waited_for(node: LocalNode) -> None:
    node.is_down = True
    slept: list[float] = []
    with pytest.raises(NodeUnreachable):
        Sender(ChainClient(node), new_test_key("ann"), sleep=slept.append).send([])
    assert slept == []


def test_node_that_falls_silent_later_is_waited_for_and_that_is_told_once(chain: Chain, node: LocalNode) -> None:
    told: list[str] = []
    naps = iter(range(4))

    def sleep(seconds: float) -> None:
        node.is_down = node.is_down and next(naps, None) is not None
        node.block()

    ann = Sender(ChainClient(node), new_test_key("ann"), sleep=sleep, report=told.append)
    ann.send([chain.send_msg("ann", "ben", 7)])
    assert told == []
    node.is_down = True
    ann.send([chain.send_msg("ann", "ben", 5)])
    assert chain.balance("ben") == FUNDS + 12 and list(naps) == []
    assert told == ["no node answers at local:0; it is waited for, at most 60 s"]
