"""Joining a running chain with real engines: homes that follow it, and what is refused before there is one."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from localnet import checks
from localnet.engine import find_engine
from localnet.network import Localnet

pytestmark = pytest.mark.net
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    """A running network of two validators, with the app that is inside the engine."""
    folder = tmp_path_factory.mktemp("pair") / "net"
    with Localnet.new(folder, 2, base_port=0, builtin_app="persistent_kvstore", engine=find_engine()) as net:
        net.wait_height(3)
        yield net


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "localnet", *arguments], cwd=ROOT, text=True, capture_output=True,
                          timeout=120, check=False)


def join(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return command("node", "join", "--home", str(home), "--base-port", "0", *arguments)


def urls(net: Localnet) -> str:
    return ",".join(rpc.url for rpc in net.rpcs)


def test_home_that_joins_trusts_a_block_that_all_nodes_have_and_knows_their_addresses(
        pair: Localnet, tmp_path: Path) -> None:
    done = join(tmp_path / "new", "--rpc", urls(pair), "--output", "json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    config = tomllib.loads((tmp_path / "new" / "config" / "config.toml").read_text())
    sync = config["statesync"]
    trusted = pair.rpcs[0].header(made["trust_height"])
    assert sync["enable"] is True and sync["rpc_servers"] == urls(pair)
    assert (sync["trust_height"], sync["trust_hash"]) == (trusted.height, trusted.block_hash.hex().upper())
    assert made["trust_hash"] == sync["trust_hash"] and made["chain_id"] == pair.manifest.chain_id
    assert sync["trust_period"] == f"{14 * 24 * 3600}s"
    assert set(config["p2p"]["persistent_peers"].split(",")) == {
        f"{node.node_id}@127.0.0.1:{node.p2p_port}" for node in pair.manifest.nodes}
    assert config["rpc"]["laddr"].removeprefix("tcp") == made["rpc"].removeprefix("http")
    genesis = json.loads((tmp_path / "new" / "config" / "genesis.json").read_text())
    assert genesis["validators"] == pair.rpcs[0].call("genesis")["genesis"]["validators"]
    app = tomllib.loads((tmp_path / "new" / "config" / "app.toml").read_text())
    assert app == {"keep_versions": 1000, "retain_blocks": 0, "snapshot_interval": 1000, "snapshot_keep": 2}


def test_people_are_told_what_they_trust_and_on_whose_word(pair: Localnet, tmp_path: Path) -> None:
    done = join(tmp_path / "new", "--rpc", pair.rpcs[0].url, "--trust-height", "2", "--moniker", "mine")
    assert done.returncode == 0, done.stderr
    assert f"trusts block 2, hash {pair.rpcs[0].header(2).block_hash.hex().upper()}" in done.stdout
    assert "compare it with a source that you trust" in done.stderr and "alone was asked" in done.stderr
    assert f"gradus node start --home {tmp_path / 'new'}" in done.stderr
    config = tomllib.loads((tmp_path / "new" / "config" / "config.toml").read_text())
    assert config["moniker"] == "mine"
    assert config["statesync"]["rpc_servers"] == f"{pair.rpcs[0].url},{pair.rpcs[0].url}"


def test_what_the_nodes_do_not_vouch_for_is_refused_and_leaves_no_home(pair: Localnet, tmp_path: Path) -> None:
    home, rpc = tmp_path / "new", pair.rpcs[0].url
    good = pair.rpcs[0].header(2).block_hash.hex()
    cases = [
        (("--trust-height", "2", "--trust-hash", "00" * 32), 4, "--trust-hash is " + "00" * 32),
        (("--trust-height", "1", "--trust-hash", good), 4, "--trust-hash is"),
        (("--trust-height", "1000000"), 1, "does not give block 1000000"),
        (("--chain-id", "other-1"), 4, "--chain-id is other-1"),
        (("--genesis-hash", "ab" * 32), 4, "--genesis-hash is"),
        (("--trust-hash", good), 2, "name it with --trust-height"),
        (("--from-blocks", "--trust-height", "2"), 2, "takes no --trust option"),
    ]
    for options, status, said in cases:
        done = join(home, "--rpc", rpc, *options)
        assert (done.returncode, said in done.stderr) == (status, True), done.stderr
        assert not home.exists()
    home.mkdir()
    (home / "mine").touch()
    assert "is not empty" in join(home, "--rpc", rpc).stderr
    assert [path.name for path in home.iterdir()] == ["mine"]


def test_nodes_that_differ_from_each_other_are_named(pair: Localnet, tmp_path: Path) -> None:
    with Localnet.new(tmp_path / "other", 1, base_port=0, builtin_app="kvstore", engine=find_engine()) as other:
        other.wait_height(2)
        done = join(tmp_path / "new", "--rpc", pair.rpcs[0].url, "--rpc", other.rpcs[0].url)
        assert done.returncode == 4 and "have different geneses" in done.stderr and other.rpcs[0].url in done.stderr
    gone = join(tmp_path / "new", "--rpc", f"{pair.rpcs[0].url},{other.rpcs[0].url}")
    assert gone.returncode == 3 and other.rpcs[0].url in gone.stderr


def test_added_node_runs_every_block_and_belongs_to_the_network(tmp_path: Path) -> None:
    net = Localnet.new(tmp_path / "net", 2, base_port=0, builtin_app="persistent_kvstore", engine=find_engine())
    folder = ("--dir", str(net.folder))
    assert "no node of the network" in command("add", *folder).stderr
    net.start(attached=False)
    try:
        net.wait_height(3)
        done = command("add", *folder, "--from-blocks")
        assert done.returncode == 0, done.stderr
        assert "node2 follows gradus-local-1" in done.stdout
        grown = Localnet(net.folder)
        assert [node.name for node in grown.manifest.nodes] == ["node0", "node1", "node2"]
        height = checks.wait_blocks(grown.rpcs, 2)
        checks.check_same_block(grown.rpcs, height)
        shown = json.loads(command("status", *folder, "--output", "json").stdout)["nodes"]
        assert [row["phase"] for row in shown] == ["running"] * 3 and shown[2]["peers"] == 2
        listed = {one["address"] for one in grown.rpcs[0].call("validators")["validators"]}
        assert grown.manifest.nodes[2].address not in listed
    finally:
        assert command("down", *folder).stdout == "3 nodes stopped\n"
    with Localnet(net.folder, net.engine) as again:
        height = checks.wait_blocks(again.rpcs, 2)
        checks.check_same_block(again.rpcs, height)
        assert again.notices == []
