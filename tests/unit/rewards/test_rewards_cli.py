"""`gradus tx rewards`, `gradus query rewards` and `gradus query invariants`, over a chain without an engine."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from abci_app.cli import query, query_rewards, sending, tx
from abci_app.cli.exit_status import ExitStatus
from abci_app.client.chain import ChainClient
from abci_app.client.errors import ProofInvalid, QueryRefused, TxRefused
from abci_app.client.keys import Keyring
from abci_app.client.rpc import Answer
from abci_app.client.send import Sender
from abci_app.genesis import new_genesis
from abci_app.wire.address import encode_address, module_address
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.errors import NotFound
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel
from tests.chain import CHAIN_ID, PROPOSERS, Chain, address_of, new_test_key
from tests.local_rpc import LocalNode
from tests.unit.models.rooms import small_spec

REWARD = 1_000_000
VECTORS = Path(__file__).parents[2] / "vectors" / "rewards"


class Shell:
    """The commands, with a home that has alice's key, against one node."""

    def __init__(self, folder: Path, node: LocalNode) -> None:
        self.node = node
        self.runner = CliRunner(env={"GRADUS_HOME": str(folder), "GRADUS_NODE": "http://127.0.0.1:1"})
        Keyring(folder / "keys").put("alice", new_test_key("alice"), None)

    def run(self, group: Any, *arguments: str) -> Result:
        return self.runner.invoke(group, list(arguments))

    def json(self, group: Any, *arguments: str) -> Any:
        done = self.run(group, *arguments, "--output", "json")
        assert done.exit_code == ExitStatus.OK, done.output
        return json.loads(done.stdout)

    def ask(self, *arguments: str) -> Any:
        """The answer of `gradus query rewards`."""
        return self.json(query_rewards.rewards, *arguments)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    payouts = [{"consensus_address_hex": one.hex(), "operator": address_of("operator")} for one in PROPOSERS]
    yield from open_shell(tmp_path, monkeypatch, new_genesis(CHAIN_ID, payouts, {address_of("alice"): 10**12}, REWARD))


@pytest.fixture
def answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A model whose answers have brought alice, who has two of its three units, something to collect."""
    text = (VECTORS / "collect_pays_by_accepted_units.json").read_text()
    state = json.dumps(json.loads(text)["pre"]["app_state"])
    for name in ("bob", "alice", "operator0"):
        state = state.replace(f"@{name}", address_of({"alice": "bob", "bob": "alice"}.get(name, name)))
    yield from open_shell(tmp_path, monkeypatch, json.loads(state))


def open_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: Any) -> Iterator[Shell]:
    """The commands over a chain of this genesis."""
    with Chain(tmp_path / "chain", app_state=state) as chain:
        chain.block()
        node = LocalNode(chain)
        client = ChainClient(node)  # type: ignore[arg-type]
        for place in (query, query_rewards, sending):
            monkeypatch.setattr(place, "connect", lambda url: client)
        monkeypatch.setattr(sending, "Sender", partial(Sender, sleep=node.sleep))
        yield Shell(tmp_path / "home", node)


@pytest.fixture
def backed(shell: Shell) -> Shell:
    """A model that alice backs with 100 of hers, less 40 on their way back."""
    message = MsgCreateModel(creator=address_of("alice"), spec=small_spec(), escrow=coin_pb(base_coin(5_000_000)))
    (result,) = shell.node.chain.block([shell.node.chain.sign("alice", message)])
    assert result.code == 0
    assert shell.json(tx.tx, "rewards", "back", "1", "100ugrad", "--from", "alice")["gas_used"] > 0
    told = shell.json(tx.tx, "rewards", "unback", "1", "40ugrad", "--from", "alice")
    assert told == {"unbacked": "0.00004grad (40ugrad)", "due_height": shell.node.chain.height + 1_000}
    return shell


def test_coins_are_put_behind_a_model_and_taken_away(backed: Shell) -> None:
    alice = address_of("alice")
    assert backed.ask("backing", "1", "alice") == {"model_id": 1, "owner": alice, "amount_ugrad": 60}
    assert backed.ask("backers", "1") == [{"model_id": 1, "owner": alice, "amount_ugrad": 60}]
    (coming,) = backed.ask("unbacking", "alice")
    assert (coming["model_id"], coming["amount_ugrad"]) == (1, 40)
    assert coming["due_height"] == backed.node.chain.height + 1_000


def test_emission_and_ledger_are_told(backed: Shell) -> None:
    height = backed.node.chain.height
    told = backed.ask("emission")
    assert (told["height"], told["block_reward_ugrad"], told["work_ugrad"]) == (height + 1, REWARD, REWARD // 2)
    assert told["so_far"]["community_ugrad"] == height * REWARD // 10
    assert backed.ask("emission", "--height", "10000000")["block_reward_ugrad"] == REWARD // 2
    assert backed.ask("community") == {"address": encode_address(module_address("community")),
                                       "amount_ugrad": height * REWARD // 10}
    told = backed.ask("params")
    assert (told["unback_blocks"], told["mint_price_ugrad_per_gma"]) == (1_000, 40_000_000)
    ledger = backed.ask("ledger", "1")
    assert ledger["backing_ugrad"] == 60 and ledger["accrued_ugrad"] > 0
    assert (ledger["bond_max_ugrad"], ledger["work_max_ugrad"], ledger["unit_max_ugrad"]) == (1_000_000, 2_872, 2_872)


def test_contributions_shares_and_vesting_of_nobody_are_empty(backed: Shell) -> None:
    for question in ("contributions", "shares", "vesting"):
        assert backed.ask(question, "1") == []
    assert backed.ask("vesting", "1", "alice") == []
    assert "nothing vests" in backed.run(query_rewards.rewards, "vesting", "1").output


@pytest.mark.parametrize("question", ["contributions", "shares", "vesting", "backers", "ledger", "royalties"])
def test_what_belongs_to_a_model_that_is_not_there_is_refused(shell: Shell, question: str) -> None:
    done = shell.run(query_rewards.rewards, question, "9")
    assert isinstance(done.exception, QueryRefused) and done.exception.code == NotFound.code


@pytest.mark.parametrize("question", ["contributions", "shares", "vesting", "backers"])
def test_list_cannot_be_proved_and_says_so(shell: Shell, question: str) -> None:
    done = shell.run(query_rewards.rewards, question, "1", "--prove")
    assert done.exit_code == ExitStatus.USAGE and "cannot be proved" in done.stderr


def test_backing_of_nobody_is_refused(backed: Shell) -> None:
    done = backed.run(query_rewards.rewards, "backing", "1", address_of("bob"))
    assert done.exit_code == ExitStatus.REFUSED and "does not back model 1" in done.stderr


def test_invariants_of_a_sound_chain_hold(backed: Shell) -> None:
    height = backed.node.chain.height
    assert backed.json(query.query, "invariants") == {"height": height, "broken": []}
    done = backed.run(query.query, "invariants")
    assert done.exit_code == ExitStatus.OK and "nothing" in done.stdout


def test_broken_invariant_is_told_and_ends_with_1(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    value = json.dumps({"height": 7, "broken": ["bank/supply: 1 ugrad too many"]}).encode()
    monkeypatch.setattr(shell.node, "abci_query", lambda path: Answer(0, "", "", b"", value, 7, ()))
    told = query.query.main(["invariants", "--node", "http://127.0.0.1:1"], standalone_mode=False)
    assert told == ExitStatus.REFUSED
    assert "1 ugrad too many" in shell.run(query.query, "invariants").stdout


@pytest.mark.parametrize("value", [b"", b"[]", b"{}", b'{"height": 1}', b'{"height": "1", "broken": []}',
                                   b'{"height": 1, "broken": {}}', b'{"height": 1, "broken": [1]}', b"\xff"])
def test_answer_that_is_no_list_of_what_is_broken_is_not_believed(shell: Shell, monkeypatch: pytest.MonkeyPatch,
                                                                  value: bytes) -> None:
    monkeypatch.setattr(shell.node, "abci_query", lambda path: Answer(0, "", "", b"", value, 7, ()))
    with pytest.raises(ProofInvalid):
        ChainClient(shell.node).check_invariants()  # type: ignore[arg-type]


def test_node_that_cannot_check_its_invariants_says_why(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell.node, "abci_query", lambda path: Answer(26, "sdk", "ask again", b"", b"", 7, ()))
    with pytest.raises(QueryRefused, match="ask again"):
        ChainClient(shell.node).check_invariants()  # type: ignore[arg-type]


def test_what_answers_have_brought_is_told_and_collected(answered: Shell) -> None:
    told = answered.ask("royalties", "1", "alice")
    assert (told["owed_ugrad"], told["pool_ugrad"], told["collectable_ugrad"]) == (200_000, 30_000, 133_333)
    assert "collectable_ugrad" not in answered.ask("royalties", "1")
    assert answered.json(tx.tx, "rewards", "collect", "1", "--from", "alice") == {
        "collected": "0.133333grad (133333ugrad)"}
    assert answered.ask("royalties", "1", "alice")["collectable_ugrad"] == 0
    assert answered.ask("contribution", "1", "alice")["units"] == 2
    done = answered.run(tx.tx, "rewards", "collect", "1", "--from", "alice")
    assert isinstance(done.exception, TxRefused) and (done.exception.codespace, done.exception.code) == ("rewards", 7)
