"""A dispute on a real network: nobody audits, a watcher finds the cheat, and its bond is taken; nobody honest loses."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from abci_app.cli.contracts import new_contract, new_spec
from abci_app.client.chain import ChainClient
from abci_app.client.errors import ClientError
from abci_app.client.keys import Keyring, new_key
from abci_app.client.node import connect
from abci_app.client.send import Sender
from abci_app.data.dataset import Options, new_dataset
from abci_app.data.named import LABEL, load_named
from abci_app.data.store import DatasetStore
from abci_app.miner.behaviour import Behaviour
from abci_app.miner.errors import MinerStopped
from abci_app.miner.journal import Journal
from abci_app.miner.miner import Miner
from abci_app.runtime.contract import compute_round_cost
from abci_app.wire.pb.gradus.work.v1.work_pb2 import SLASH_REASON_DISPUTE
from localnet import checks
from localnet.engine import find_engine
from localnet.genesis import FAUCET, new_composer
from localnet.network import Localnet

pytestmark = [pytest.mark.net, pytest.mark.timeout(200)]
CHAIN_ID = "gradus-test-disputes"
REWARD_UGRAD = 1_000_000
MINERS = (Behaviour.HONEST, Behaviour.HONEST, Behaviour.GARBAGE)
ROUNDS = 400
WATCHER = "eve"


@dataclass
class Market:
    """A running network, a client, the miners' addresses, and the watcher's home."""

    net: Localnet
    client: ChainClient
    addresses: list[str]
    home: Path


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    """Four validators without auditors, and three miners, of whom one cheats."""
    folder = tmp_path_factory.mktemp("disputes")
    home, keys, watcher = folder / "home", [new_key() for _ in MINERS], new_key()
    made = new_dataset(load_named("iris"), Options(label=LABEL, name="iris"))
    store = DatasetStore(home / "datasets")
    store.add(made)
    Keyring(home / "keys").put(WATCHER, watcher, None)
    coins = {key.bech32: 10**9 for key in (*keys, watcher)}
    net = Localnet.new(folder / "net", 4, CHAIN_ID, base_port=0, engine=find_engine(), compose=new_composer(coins))
    with net:
        urls = [node.rpc for node in net.manifest.nodes]
        client = ChainClient(connect(urls[:1], CHAIN_ID))
        creator = Keyring(net.folder / "keys").get(FAUCET)
        spec = new_spec(made.manifest, ROUNDS, len(keys), REWARD_UGRAD, (8,))
        spec.training.audit_blocks, spec.training.trim = 3, 0
        Sender(client, creator).send([new_contract(creator.bech32, spec, ROUNDS * compute_round_cost(spec))])
        miners = []
        for key, behaviour in zip(keys, MINERS, strict=True):
            journal = Journal(folder / "journals", CHAIN_ID, 1, key.bech32).__enter__()
            miners.append(Miner(ChainClient(connect(urls, CHAIN_ID)), key, 1, store, journal, behaviour=behaviour))
        threads = [threading.Thread(target=work, args=(miner,), daemon=True) for miner in miners]
        for thread in threads:
            thread.start()
        yield Market(net, client, [key.bech32 for key in keys], home)
        for miner in miners:
            miner.drain()
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


def test_watcher_takes_the_bond_of_a_cheat_that_no_audit_found(market: Market) -> None:
    environment = {**os.environ, "GRADUS_HOME": str(market.home)}
    watcher = subprocess.Popen(
        [sys.executable, "-m", "abci_app.cli", "watch", "1", "--key", WATCHER, "--challenge", "--output", "json",
         "--node", market.net.manifest.nodes[1].rpc],
        env=environment, stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: any(True for _ in market.client.iter_slashes(1)), "a slash")
    finally:
        watcher.send_signal(signal.SIGINT)
        told, _ = watcher.communicate(timeout=60)
    slash = next(market.client.iter_slashes(1))
    assert (slash.trainer, slash.reason) == (market.addresses[-1], SLASH_REASON_DISPUTE)
    events: list[dict[str, Any]] = [json.loads(line) for line in told.splitlines()]
    assert watcher.returncode == 0
    wrong = [event["claimant"] for event in events if event["event"] == "replayed" and event["found"] == "wrong"]
    assert wrong and set(wrong) == {market.addresses[-1]}
    assert any(event["event"] == "challenged" for event in events)
    assert {one.trainer for one in market.client.iter_slashes(1)} == {market.addresses[-1]}
    assert len(checks.same_app_hash(market.net.rpcs)[1]) == 32
