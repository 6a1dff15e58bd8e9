"""State sync with real engines: a trained chain whose old blocks are gone, and nodes that begin at its snapshots."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from abci_app.client.chain import ChainClient
from abci_app.client.node import connect
from abci_app.client.rpc import Rpc
from abci_app.wire.address import decode_address
from abci_app.x.bank.keys import balance_key
from localnet import checks
from localnet.config import AppSettings, get_wiring, replace_value
from localnet.engine import find_engine
from localnet.genesis import new_composer
from localnet.homes import Home
from localnet.light import LightProxy, trust_root
from localnet.network import Localnet
from localnet.parts import HONEST
from tests.net.conftest import TRACE

pytestmark = pytest.mark.net
ROOT = Path(__file__).parents[2]
KEPT = AppSettings(keep_versions=100, retain_blocks=100, snapshot_interval=10, snapshot_keep=10)
EVIDENCE = {"max_age_num_blocks": "100", "max_age_duration": str(45 * 10**9), "max_bytes": "1048576"}


def gradus(net: Localnet, *arguments: str, node: int = 0) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "GRADUS_HOME": str(net.folder), "GRADUS_NODE": net.manifest.nodes[node].rpc}
    return subprocess.run([sys.executable, "-m", "abci_app.cli", *arguments], cwd=ROOT, text=True, capture_output=True,
                          env=environment, timeout=150, check=False)


def told(net: Localnet, *arguments: str, node: int = 0) -> Any:
    done = gradus(net, *arguments, "--output", "json", node=node)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def train(net: Localnet) -> None:
    """One round of a new model, by one miner; its unit is audited by both validators."""
    made = told(net, "tx", "models", "create", "--dataset", "iris", "--rounds", "1", "--trainers-min", "1",
                "--from", "faucet")
    assert gradus(net, "miner", "start", str(made["model_id"]), "--key", "alice").returncode == 0


def count_right(net: Localnet, index: int) -> int:
    """How many audits a validator has answered rightly."""
    found = connect([net.manifest.nodes[0].rpc])
    done = ChainClient(found).find_auditor(bytes.fromhex(net.manifest.nodes[index].address))
    return done.right if done is not None else 0


def oldest_block(net: Localnet, index: int) -> int:
    return int(net.rpcs[index].call("status")["sync_info"]["earliest_block_height"])


def app_says(net: Localnet, index: int, words: str) -> bool:
    return words in net.manifest.nodes[index].paths.log("app").read_text()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    """Two validators that keep few blocks and take snapshots often, with transfers and a trained model."""
    folder = tmp_path_factory.mktemp("trained") / "net"
    net = Localnet.new(folder, 2, base_port=0, compose=new_composer(), consensus_params={"evidence": EVIDENCE},
                       app=KEPT, engine=find_engine())
    net.auditors = (HONEST,) * 2
    with net:
        told(net, "keys", "add", "alice", "--keyring", "test")
        told(net, "tx", "bank", "send", "alice", "50grad", "--from", "faucet")
        told(net, "data", "add", "iris")
        train(net)
        checks.wait_until(lambda: min(oldest_block(net, i) for i in range(2)) > 1, 240, "the end of the first block")
        yield net


def test_added_node_begins_at_a_snapshot_and_has_the_state_the_model_and_their_proofs(trained: Localnet) -> None:
    index = trained.add()
    trained.start_one(index)
    trained.wait_caught_up(index)
    assert app_says(trained, index, "is restored") and not app_says(trained, index, "InitChain")
    assert oldest_block(trained, index) > 1
    height = checks.wait_blocks(trained.rpcs, 3)
    checks.check_same_block(trained.rpcs, height)
    evaluated = [told(trained, "query", "models", "evaluate", "1", node=node) for node in (0, index)]
    assert evaluated[0] == evaluated[1] and evaluated[0]["round"] == 1
    key = balance_key(decode_address(trained.manifest.nodes[0].operator), "ugrad")
    new, engine = trained.rpcs[index], trained.engine
    assert engine is not None
    root = trust_root(new, new.status().height)
    with LightProxy(engine, trained.manifest.chain_id, new.url, [trained.rpcs[0].url], root) as proxy:
        proved = proxy.abci_query("/store/bank/key", key)
    assert proved.value == trained.rpcs[0].abci_query("/store/bank/key", key, proved.height).value != b""
    assert proved.height >= height
    assert told(trained, "query", "rewards", "contribution", "1", "alice", "--prove", node=index)["units"] == 1
    trained.restart(index)
    trained.wait_height(trained.rpcs[0].status().height + 2)
    checks.check_same_block(trained.rpcs)


def joined(net: Localnet, home: Path) -> Path:
    """A home made by `node join` at the network's first two nodes."""
    done = gradus(net, "node", "join", "--home", str(home), "--base-port", "0", "--trust-hours", "1",
                  "--rpc", ",".join(rpc.url for rpc in net.rpcs[:2]))
    assert done.returncode == 0, done.stderr
    return home


def change(home: Path, section: str, key: str, value: object) -> None:
    config = home / "config" / "config.toml"
    config.write_text(replace_value(config.read_text(), section, key, value))


def run_until(net: Localnet, home: Path, is_done: Callable[[], bool]) -> str:
    """Run a joined node until it has done what is waited for, and stop it; what it said."""
    node = subprocess.Popen([sys.executable, "-m", "localnet", "node", "start", "--home", str(home)], cwd=ROOT,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        checks.wait_until(lambda: (home / "logs" / "app.log").exists() and is_done() or node.poll() is not None, 90,
                          "what the node does")
        node.terminate()
        return node.communicate(timeout=60)[1]
    finally:
        node.kill()


def test_wrong_trusted_hash_ends_the_start_with_the_engines_word_for_it(trained: Localnet, tmp_path: Path) -> None:
    home = joined(trained, tmp_path / "new")
    change(home, "statesync", "trust_hash", "AB" * 32)
    said = run_until(trained, home, lambda: False)
    assert "AB" * 32 in said and "the engine refuses to start" in said
    assert "restoring" not in (home / "logs" / "app.log").read_text()


def test_node_whose_peers_no_longer_have_its_blocks_is_told_so_and_begins_anew_with_its_keys(
        trained: Localnet, tmp_path: Path) -> None:
    home = Home(joined(trained, tmp_path / "new"))
    change(home.path, "statesync", "enable", False)  # it asks for the first block, which nobody has any more
    fixes: list[str] = []

    def is_told() -> bool:
        report = json.loads(gradus(trained, "doctor", "--home", str(home.path), "--output", "json").stdout)
        fixes[:] = [one["fix"] for one in report["problems"] if "never catch up" in one["text"]]
        return bool(fixes)

    run_until(trained, home.path, is_told)
    words = fixes[0].removeprefix("stop the node, then: gradus ").split()
    assert words[:2] == ["node", "resync"] and any(rpc.url in words[-1] for rpc in trained.rpcs)
    kept = [home.validator_key, home.node_key, home.validator_state, home.genesis]
    home.validator_state.write_text(json.dumps({"height": "99", "round": 1, "step": 3}))
    before = [path.read_bytes() for path in kept]
    (home.path / "data" / "mine").write_text("mine")
    done = gradus(trained, *words, "--trust-hours", "1", "--yes")
    assert done.returncode == 0, done.stderr
    (old,) = home.path.glob("old.*")
    assert [path.read_bytes() for path in kept] == before
    assert sorted(path.name for path in (home.path / "data").iterdir()) == ["priv_validator_state.json"]
    assert (old / "state" / "CURRENT").is_file() and (old / "data" / "mine").read_text() == "mine"
    assert (old / "data" / "blockstore.db").is_dir() and not (home.path / "state").exists()
    rpc = Rpc(f"http://127.0.0.1:{get_wiring(home.config).rpc_port}")
    run_until(trained, home.path, lambda: checks.is_following(rpc))
    assert "is restored" in home.log("app").read_text()
    assert json.loads(home.validator_state.read_text())["height"] == "99"


def test_resync_that_cannot_be_done_changes_nothing(trained: Localnet, tmp_path: Path) -> None:
    home = joined(trained, tmp_path / "new")
    change(home, "statesync", "enable", False)
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    wrong = ("--trust-height", str(trained.rpcs[0].status().height), "--trust-hash", "AB" * 32)
    assert gradus(trained, "node", "resync", "--home", str(home), "--yes", "--rpc", trained.rpcs[0].url,
                  *wrong).returncode == 4
    busy = trained.manifest.nodes[0].paths.path
    refused = gradus(trained, "node", "resync", "--home", str(busy), "--yes", "--rpc", trained.rpcs[0].url)
    assert refused.returncode == 1 and "already runs" in refused.stderr
    (home / "run" / "lock").unlink()
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def test_validator_that_begins_anew_at_a_snapshot_signs_and_answers_audits_and_the_chain_goes_on(
        trained: Localnet) -> None:
    """Without the two of them there is no block, and no verdict: its votes and their extensions are what counts."""
    before, home = count_right(trained, 1), trained.manifest.nodes[1].paths
    trained.stop_node(1)
    height = trained.rpcs[0].status().height
    done = gradus(trained, "node", "resync", "--home", str(home.path), "--rpc", trained.rpcs[0].url,
                  "--trust-hours", "1", "--yes")
    assert done.returncode == 0, done.stderr
    (old,) = home.path.glob("old.*")
    (home.path / TRACE).rename(old / TRACE)  # what the app was asked is a story of its own from here on
    trained.start_one(1)
    trained.wait_caught_up(1)
    assert app_says(trained, 1, "is restored")
    trained.wait_height(height + 3, nodes=(0, 1))
    train(trained)
    assert count_right(trained, 1) > before
    checks.check_same_block(trained.rpcs[:2])


def test_altered_chunk_is_refused_and_another_donor_gives_the_right_one(trained: Localnet, tmp_path: Path) -> None:
    """First with the altered donor as the only peer, then with both. No donor takes snapshots meanwhile."""
    height = trained.rpcs[0].status().height
    trained.stop()
    altered, honest = trained.manifest.nodes[:2]
    for node in trained.manifest.nodes:
        text = node.paths.app_config.read_text()
        node.paths.app_config.write_text(replace_value(text, "", "snapshot_interval", 0))
    chunks = list((altered.paths.path / "snapshots").glob("*/000000"))
    assert len(chunks) == KEPT.snapshot_keep
    for chunk in chunks:
        data = bytearray(chunk.read_bytes())
        data[len(data) // 2] ^= 1
        chunk.write_bytes(data)
    trained.start()
    trained.wait_height(height + 2, nodes=(0, 1))
    home = joined(trained, tmp_path / "new")
    log, peers = home / "logs" / "app.log", [f"{one.node_id}@127.0.0.1:{one.p2p_port}" for one in (altered, honest)]
    change(home, "p2p", "persistent_peers", peers[0])
    run_until(trained, home, lambda: "is not that of the snapshot" in log.read_text())
    assert f"chunk 0 from {altered.node_id} is not that of the snapshot" in log.read_text()
    assert "is restored" not in log.read_text()
    change(home, "p2p", "persistent_peers", ",".join(peers))
    with Rpc(f"http://127.0.0.1:{get_wiring(home / 'config' / 'config.toml').rpc_port}") as new:
        run_until(trained, home, lambda: checks.is_following(new) and bool(
            checks.check_same_block([new, trained.rpcs[1]], new.status().height)))
    assert "is restored" in log.read_text()
