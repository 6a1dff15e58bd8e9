"""Real engines, with the app that is inside them: making, running, breaking and moving a network."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localnet import checks
from localnet.checks import ChecksFailed
from localnet.engine import Engine, find_engine
from abci_app.client.rpc import Rpc
from localnet.errors import HomeError, NodeError, NodeRefused, NodeUnreachable, TimedOut
from localnet.network import Localnet
from localnet.releases import VERSION

pytestmark = pytest.mark.net
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    """A running network of four validators."""
    folder = tmp_path_factory.mktemp("four") / "net"
    with Localnet.new(folder, 4, base_port=0, builtin_app="kvstore", engine=find_engine()) as net:
        yield net


@pytest.fixture
def single(tmp_path: Path) -> Localnet:
    """A network of one validator that does not run yet."""
    return Localnet.new(tmp_path / "net", 1, base_port=0, builtin_app="persistent_kvstore", engine=find_engine())


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "localnet", *arguments], cwd=ROOT, text=True, capture_output=True,
                          timeout=120, check=False)


def test_four_nodes_make_blocks_that_all_agree_on(four: Localnet) -> None:
    four.wait_height(3)
    header = checks.check_same_block(four.rpcs)
    assert header.height >= 3
    checks.wait_until(lambda: all(rpc.count_peers() == 3 for rpc in four.rpcs), 30, "three peers each")
    assert {rpc.status().chain_id for rpc in four.rpcs} == {"gradus-local-1"}


def test_node_ids_and_validators_are_those_of_the_description(four: Localnet) -> None:
    assert [rpc.status().node_id for rpc in four.rpcs] == [node.node_id for node in four.manifest.nodes]
    listed = {one["address"] for one in four.rpcs[0].call("validators")["validators"]}
    assert listed == {node.address for node in four.manifest.nodes}


def test_value_sent_to_one_node_is_read_from_all(four: Localnet) -> None:
    assert four.rpcs[0].broadcast_tx(b"name=gradus").code == 0
    checks.wait_until(lambda: all(rpc.abci_query("", b"name").value == b"gradus" for rpc in four.rpcs), 30, "the value")


def test_transaction_of_a_megabyte_passes_the_rpc_and_one_more_byte_does_not(four: Localnet) -> None:
    assert four.rpcs[0].broadcast_tx(b"b=" + b"x" * (1024 * 1024 - 2)).code == 0
    with pytest.raises(NodeRefused, match="too large"):
        four.rpcs[0].broadcast_tx(b"c=" + b"x" * (1024 * 1024 - 1))


def test_killed_engine_comes_back_catches_up_and_agrees(four: Localnet) -> None:
    killed = four.kill(3, "engine")
    height = checks.wait_blocks(four.rpcs[:3], 5)
    four.wait_height(height)
    checks.wait_caught_up(four.rpcs[3])
    checks.check_same_block(four.rpcs, height)
    assert str(killed) in four.manifest.nodes[3].paths.log("node").read_text()


def test_killed_supervisor_takes_its_engine_along_and_starts_again(four: Localnet) -> None:
    engine = int((four.manifest.nodes[2].paths.run / "engine.pid").read_text())
    four.kill(2, "node")
    checks.wait_until(lambda: not Path(f"/proc/{engine}").exists(), 10, "the engine's end")
    height = checks.wait_blocks([four.rpcs[0], four.rpcs[1], four.rpcs[3]], 2)
    with pytest.raises(NodeError, match="not running"):
        four.kill(2, "engine")
    four.start_one(2)
    four.wait_height(height + 1)
    checks.check_same_block(four.rpcs, height)


def test_node_restarted_in_good_order_follows_again(four: Localnet) -> None:
    four.restart(1)
    height = checks.wait_blocks([four.rpcs[0]], 3)
    four.wait_height(height)
    checks.check_same_block(four.rpcs, height)


def test_check_names_the_node_that_differs(four: Localnet, single: Localnet) -> None:
    with single:
        four.wait_height(1)
        with pytest.raises(ChecksFailed, match=single.rpcs[0].url):
            checks.check_same_block([four.rpcs[0], single.rpcs[0]], 1)


def test_chain_goes_on_after_stopping_and_starting(single: Localnet) -> None:
    with single:
        single.wait_height(3)
        first = single.rpcs[0].header(2)
    assert checks.find_height(single.rpcs[0]) is None
    with single:
        single.wait_height(4)
        assert single.rpcs[0].header(2) == first


def test_network_whose_port_is_taken_moves_as_a_whole_and_says_so(tmp_path: Path) -> None:
    net = Localnet.new(tmp_path / "net", 2, base_port=0, builtin_app="kvstore", engine=find_engine())
    before = [node.rpc_port for node in net.manifest.nodes]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", net.manifest.nodes[1].p2p_port))
        taken.listen()
        with net:
            net.wait_height(2)
            after = [node.rpc_port for node in net.manifest.nodes]
    assert str(net.manifest.nodes[0].rpc_port) in net.notices[0]
    assert set(before).isdisjoint(after)
    assert [node.rpc_port for node in Localnet(tmp_path / "net").manifest.nodes] == after


def test_node_whose_port_is_taken_is_named_with_a_hint(single: Localnet) -> None:
    node = single.manifest.nodes[0]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", node.rpc_port))
        taken.listen()
        done = command("node", "start", "--home", node.home)
    assert done.returncode == 1
    assert f"port {node.rpc_port} (RPC) of node0 is taken" in done.stderr
    assert "hint: " in done.stderr


def test_second_node_on_a_running_home_is_refused(single: Localnet) -> None:
    with single:
        done = command("node", "start", "--home", single.manifest.nodes[0].home)
        assert done.returncode == 1
        assert "already runs" in done.stderr and "hint: " in done.stderr
        single.wait_height(2)


def test_genesis_that_the_engine_refuses_ends_the_start_with_its_words(single: Localnet) -> None:
    genesis = single.manifest.nodes[0].paths.genesis
    document = json.loads(genesis.read_text())
    document["validators"][0]["address"] = "00" * 20
    genesis.write_text(json.dumps(document))
    with pytest.raises(NodeError) as caught, single:
        pass
    assert "refuses to start" in caught.value.text and "address" in caught.value.text
    assert caught.value.hint


def test_variables_of_the_engine_change_neither_home_nor_ports(
        single: Localnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    for name, value in (("CMTHOME", str(elsewhere)), ("TMHOME", str(elsewhere)), ("CMT_MONIKER", "other"),
                        ("CMT_RPC_LADDR", "tcp://0.0.0.0:0"), ("CMTP2P_LADDR", "tcp://0.0.0.0:0")):
        monkeypatch.setenv(name, value)
    with single:
        single.wait_height(1)
        assert single.rpcs[0].call("status")["node_info"]["moniker"] == "node0"
        assert "0.0.0.0" not in json.dumps(single.rpcs[0].call("status")["node_info"])
    assert not elsewhere.exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_node_that_is_stopped_ends_with_the_status_of_what_stopped_it(
        single: Localnet, number: int, status: int) -> None:
    node = single.manifest.nodes[0]
    process = subprocess.Popen([sys.executable, "-m", "localnet", "node", "start", "--home", node.home], cwd=ROOT,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        checks.wait_until(lambda: checks.find_height(single.rpcs[0]), 60, "a block")
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == status
    assert ("interrupted" in said) == (status == 130)


@pytest.fixture
def usual() -> Engine:
    """The usual release of the engine, where the tests run with another one."""
    if find_engine().version == VERSION:
        pytest.skip("the tests run with the usual release alone: make test-engines")
    return find_engine(version=VERSION)


def test_network_goes_on_with_another_release_and_says_so(tmp_path: Path, usual: Engine) -> None:
    with Localnet.new(tmp_path / "net", 1, base_port=0, builtin_app="persistent_kvstore", engine=usual) as old:
        old.wait_height(3)
        before = old.rpcs[0].header(2)
    assert Localnet(old.folder).manifest.engine_version == VERSION
    with Localnet(old.folder, find_engine()) as new:
        new.wait_height(5)
        assert new.rpcs[0].header(2) == before
        assert new.notices == [f"the engine is CometBFT {find_engine().version} from now on; it was {VERSION}"]
    assert Localnet(old.folder).manifest.engine_version == find_engine().version


def test_nodes_of_two_releases_agree(tmp_path: Path, usual: Engine) -> None:
    net = Localnet.new(tmp_path / "net", 4, base_port=0, builtin_app="kvstore", engine=usual)
    net.start_one(0)
    net.start_one(1)
    net.engine = find_engine()
    try:
        net.start_one(2)
        net.start_one(3)
        net.wait_height(5)
        checks.check_same_block(net.rpcs)
        proposers = {net.rpcs[0].block(height)["block"]["header"]["proposer_address"] for height in range(1, 6)}
        assert proposers == {node.address for node in net.manifest.nodes}
    finally:
        net.stop()


def test_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(HomeError, match="not empty"):
        Localnet.new(tmp_path, 1, base_port=0)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_height_that_is_not_reached_in_time_is_an_error_with_the_heights(single: Localnet) -> None:
    with single, pytest.raises(TimedOut, match="height 100000"):
        single.wait_height(100_000, seconds=0.5)


def test_nodes_end_when_the_process_that_runs_them_is_killed(tmp_path: Path) -> None:
    script = ("import sys, time; from pathlib import Path; from localnet.network import Localnet\n"
              "with Localnet.new(Path(sys.argv[1]), 1, base_port=0, builtin_app='kvstore'):\n"
              "    print('runs', flush=True); time.sleep(600)")
    runner = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "net")], cwd=ROOT, text=True,
                              stdout=subprocess.PIPE)
    assert runner.stdout is not None and runner.stdout.readline() == "runs\n"
    rpc = Rpc(Localnet(tmp_path / "net").manifest.nodes[0].rpc)
    assert rpc.status().height >= 1
    runner.kill()
    runner.wait()
    runner.stdout.close()
    checks.wait_until(lambda: checks.find_height(rpc) is None, 20, "the nodes' end")


def test_commands_show_and_stop_a_network(single: Localnet) -> None:
    folder = str(single.folder)
    single.start(attached=False)
    try:
        single.wait_height(2)
        shown = json.loads(command("status", "--dir", folder, "--output", "json").stdout)
        assert shown["chain_id"] == "gradus-local-1"
        row = shown["nodes"][0]
        assert row["phase"] == "running" and row["height"] >= 2 and row["peers"] == 0
        os.kill(row["engine_pid"], 0)
        table = command("status", "--dir", folder)
        assert table.returncode == 0 and "node0" in table.stdout
        assert "engine started, pid" in command("logs", "node0", "--dir", folder, "--part", "node").stdout
        assert "engine | " in command("logs", "node0", "--dir", folder).stdout
        assert "there is no node 'x'" in command("logs", "x", "--dir", folder).stderr
    finally:
        done = command("down", "--dir", folder)
    assert (done.returncode, done.stdout) == (0, "1 nodes stopped\n")
    assert command("status", "--dir", folder).returncode == 3
    assert command("down", "--dir", folder).stdout == "nothing was running\n"


def test_commands_on_a_folder_without_a_network_say_how_to_start_one(tmp_path: Path) -> None:
    for name in ("status", "down"):
        done = command(name, "--dir", str(tmp_path))
        assert done.returncode == 1
        assert "there is no network" in done.stderr and "localnet up" in done.stderr


def test_address_where_nothing_listens_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(NodeUnreachable) as caught:
            Rpc(f"http://127.0.0.1:{unused.getsockname()[1]}").status()
    assert caught.value.exit_status == 3


def test_moved_network_goes_on_where_it_is_now(single: Localnet) -> None:
    with single:
        single.wait_height(3)
        first = single.rpcs[0].header(2)
    moved = single.folder.with_name("moved")
    single.folder.rename(moved)
    with Localnet(moved, single.engine) as net:
        net.wait_height(4)
        assert net.rpcs[0].header(2) == first
        assert net.notices == []
    assert not single.folder.exists()


def test_copy_of_a_running_network_is_a_network_of_its_own_and_never_touches_the_original(tmp_path: Path) -> None:
    original = Localnet.new(tmp_path / "net", 2, base_port=0, builtin_app="persistent_kvstore", engine=find_engine())
    copied = tmp_path / "copy"
    with original:
        original.wait_height(2)
        subprocess.run(["cp", "-a", str(original.folder), str(copied)], check=True)
        pids = [json.loads((node.paths.run / "state.json").read_text()) for node in original.manifest.nodes]
        refused = command("node", "start", "--home", str(copied / "node0"))
        assert refused.returncode == 1 and f"{copied} is a copy of {original.folder}" in refused.stderr
        assert command("down", "--dir", str(copied)).stdout == "nothing was running\n"
        shown = json.loads(command("status", "--dir", str(copied), "--output", "json").stdout)
        assert [row["phase"] for row in shown["nodes"]] == ["stopped", "stopped"]
        with Localnet(copied, original.engine) as copy:
            height = checks.wait_blocks(copy.rpcs, 3)
            original.wait_height(height)
            assert f"copy of {original.folder}" in copy.notices[0]
            assert set(copy.manifest.ports).isdisjoint(original.manifest.ports)
            assert copy.rpcs[0].count_peers() == original.rpcs[0].count_peers() == 1
            assert [one["remote_ip"] for one in copy.rpcs[0].call("net_info")["peers"]] == ["127.0.0.1"]
            assert copy.rpcs[0].header(height).block_hash != original.rpcs[0].header(height).block_hash
        checks.wait_blocks(original.rpcs, 1)
        assert [json.loads((node.paths.run / "state.json").read_text()) for node in original.manifest.nodes] == pids
    with Localnet(copied, original.engine) as again:
        assert again.notices == []


def test_copy_of_a_network_at_rest_leaves_the_ports_to_the_original(single: Localnet) -> None:
    with single:
        single.wait_height(2)
    copied = single.folder.with_name("copy")
    subprocess.run(["cp", "-a", str(single.folder), str(copied)], check=True)
    with Localnet(copied, single.engine) as copy, single:
        assert single.notices == []
        assert set(copy.manifest.ports).isdisjoint(single.manifest.ports)
        checks.wait_blocks([copy.rpcs[0], single.rpcs[0]], 2)
