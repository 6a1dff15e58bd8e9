"""Audits on a real network: a cheat is slashed by a committee's verdict, a lazy auditor is left out, a dead validator
stops nothing."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from abci_app.cli.contracts import compute_escrow, new_contract, new_spec
from abci_app.client.chain import ChainClient
from abci_app.client.errors import ClientError
from abci_app.client.keys import Keyring, new_key
from abci_app.client.node import connect
from abci_app.client.rpc import Rpc
from abci_app.client.send import Sender
from abci_app.data.dataset import Options, new_dataset
from abci_app.data.named import LABEL, load_named
from abci_app.data.store import DatasetStore
from abci_app.miner.behaviour import Behaviour
from abci_app.miner.errors import MinerStopped
from abci_app.miner.journal import Journal
from abci_app.miner.miner import Miner
from abci_app.runtime.records import export_record
from abci_app.runtime.validators import FLAG_COMMIT
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Params
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModelResponse
from abci_app.wire.pb.gradus.work.v1.work_pb2 import SLASH_REASON_MISMATCH
from localnet import checks, state
from localnet.engine import find_engine
from localnet.genesis import FAUCET, new_composer
from localnet.homes import Home, Identity
from localnet.network import DATASETS, Localnet
from tests.bench.chronicle import read_blocks

pytestmark = [pytest.mark.net, pytest.mark.timeout(300)]
REWARD_UGRAD = 1_000_000
MINERS = (Behaviour.HONEST, Behaviour.HONEST, Behaviour.HONEST, Behaviour.GARBAGE)
AUDITORS = ("honest", "honest", "lazy", "honest")
LAZY, KILLED = 2, 3
ROUNDS = 400


@dataclass
class Market:
    """A running network, a client, and miners at work in threads."""

    net: Localnet
    client: ChainClient
    addresses: list[str]
    stops: list[Callable[[], None]] = field(default_factory=list)

    def rounds(self) -> int:
        """Closed rounds."""
        return self.client.get_model(1).rounds_closed

    def is_excluded(self, index: int) -> bool:
        """Whether the validator of a node is left out of committees."""
        found = self.client.find_auditor(bytes.fromhex(self.net.manifest.nodes[index].address))
        return found is not None and found.excluded_until_height > self.client.height()

    def slashes(self) -> list[tuple[str, int]]:
        """Who was slashed and why, each once: a verdict may come when the next claim is already made."""
        return list(dict.fromkeys((slash.trainer, slash.reason) for slash in self.client.iter_slashes(1)))

    def is_cheat_slashed(self) -> bool:
        """Whether the cheat was slashed for a wrong claim, and nobody else for anything."""
        return self.slashes() == [(self.addresses[-1], SLASH_REASON_MISMATCH)]


def compose(accounts: dict[str, int]) -> Any:
    """A genesis in which two audits in a row are the most that an auditor may miss."""
    usual = new_composer(accounts)

    def made(chain_id: str, identities: Sequence[Identity], homes: Sequence[Home]) -> tuple[dict[str, Any], Any]:
        app_state, operators = usual(chain_id, identities, homes)
        params = Params(missed_max=2, missed_excluded_blocks=10_000, wrong_excluded_blocks=10_000)
        app_state["audits"] = {"params": export_record(params)}
        return app_state, operators

    return made


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    """Four validators, one of them with a lazy auditor; four miners, one of them a cheat; all units are audited."""
    folder = tmp_path_factory.mktemp("audits")
    made = new_dataset(load_named("iris"), Options(label=LABEL, name="iris"))
    keys = [new_key() for _ in MINERS]
    net = Localnet.new(folder / "net", 4, "gradus-test-audits", base_port=0, engine=find_engine(),
                       compose=compose({key.bech32: 10**9 for key in keys}))
    net.auditors = AUDITORS
    store = DatasetStore(net.folder / DATASETS)
    store.add(made)
    with net:
        urls = [node.rpc for node in net.manifest.nodes]
        client = ChainClient(connect(urls[:1], net.manifest.chain_id))
        creator = Keyring(net.folder / "keys").get(FAUCET)
        spec = new_spec(made.manifest, ROUNDS, len(keys), REWARD_UGRAD, (8,))
        spec.audit.rate_ppm, spec.training.trim = 1_000_000, 0
        spec.training.reveal_blocks = 60  # on a busy machine a late reveal would be slashed as one withheld
        sent = Sender(client, creator).send([new_contract(creator.bech32, spec, compute_escrow(spec))])
        assert MsgCreateModelResponse.FromString(sent.responses[0].value).model_id == 1
        running, threads = Market(net, client, [key.bech32 for key in keys]), []
        for key, behaviour in zip(keys, MINERS, strict=True):
            journal = Journal(folder / "journals", net.manifest.chain_id, 1, key.bech32).__enter__()
            miner = Miner(ChainClient(connect(urls, net.manifest.chain_id)), key, 1, store, journal,
                          behaviour=behaviour)
            threads.append(threading.Thread(target=work, args=(miner,), daemon=True))
            running.stops.append(miner.drain)
            threads[-1].start()
        yield running
        for stop in running.stops:
            stop()
        for thread in threads:
            thread.join(20)


def work(miner: Miner) -> None:
    """Run a miner until it is drained, or slashed."""
    with suppress(MinerStopped):
        miner.run()


def wait_until(is_true: Callable[[], bool], what: str, seconds: float = 90) -> None:
    deadline_s = time.monotonic() + seconds
    while True:
        with suppress(ClientError):
            if is_true():
                return
        assert time.monotonic() < deadline_s, f"not in {seconds} s: {what}"
        time.sleep(0.2)


def test_cheat_is_slashed_by_the_verdict_of_a_committee_and_nobody_honest_is(market: Market) -> None:
    wait_until(lambda: bool(market.slashes()), "a slash")
    wait_until(lambda: market.rounds() >= 2, "two rounds")
    assert market.is_cheat_slashed()
    standing = {one.consensus_address.hex().upper(): one for one in market.client.iter_auditors()}
    assert not any(one.wrong for one in standing.values())
    assert sum(one.right for one in standing.values()) >= 3


def test_lazy_auditor_is_left_out_of_committees_and_the_others_are_not(market: Market) -> None:
    wait_until(lambda: market.is_excluded(LAZY), "the lazy auditor's exclusion")
    assert [market.is_excluded(index) for index in range(4)] == [False, False, True, False]
    before = market.rounds()
    wait_until(lambda: market.rounds() >= before + 1, "a round without it")
    found = market.client.find_auditor(bytes.fromhex(market.net.manifest.nodes[LAZY].address))
    assert found is not None and (found.right, found.wrong) == (0, 0) and found.missed >= 2


def test_auditor_that_is_killed_is_started_again_beside_its_node(market: Market) -> None:
    node = market.net.manifest.nodes[0]
    before = market.net.kill(0, "auditor")
    wait_until(lambda: state.find_pid(node.paths, "auditor") not in (None, before), "the auditor's return")
    last = state.find_state(node.paths)
    assert last is not None and (last.phase, last.restarts) == ("running", 0)


def test_network_with_a_dead_validator_goes_on_training_and_agrees(market: Market) -> None:
    market.net.kill(KILLED, "node")
    before, height = market.rounds(), market.client.height()
    wait_until(lambda: market.rounds() >= before + 1, "a round with one validator dead", 150)
    assert market.client.height() > height
    assert market.is_cheat_slashed(), market.slashes()
    living = market.net.rpcs[:KILLED]
    assert len(checks.same_app_hash(living)[1]) == 32


def test_dead_validator_and_a_new_node_come_through_blocks_with_votes_and_the_validator_signs_again(
        market: Market) -> None:
    net = market.net
    net.start_one(KILLED)
    new = net.add(from_blocks=True)
    net.start_one(new)
    net.wait_caught_up(KILLED)
    net.wait_caught_up(new)
    height = checks.wait_blocks(net.rpcs, 2)
    checks.check_same_block(net.rpcs, height)
    assert any(block.extension_bytes for block in read_blocks(net.rpcs[new], 1, height))
    address = net.manifest.nodes[KILLED].address
    wait_until(lambda: address in list_signers(net.rpcs[0], net.rpcs[0].status().height), "a vote of who was dead")


def list_signers(rpc: Rpc, height: int) -> list[str]:
    """Whose precommits for a block the node has."""
    signatures = rpc.commit(height)["signed_header"]["commit"]["signatures"]
    return [one["validator_address"] for one in signatures if one["block_id_flag"] == FLAG_COMMIT]
