"""Real engines with the real app: one genesis, one state, deaths of either part, answers proved by the light client."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from abci_app.wire.address import decode_address
from abci_app.x.bank.keys import balance_key
from localnet import checks, state
from localnet.claims import PortClaim
from localnet.engine import find_engine
from localnet.errors import HomeError, LightError, NodeError
from localnet.genesis import OPERATOR_UGRAD, new_composer
from localnet.light import LightProxy, NotProved, TrustRoot, trust_root
from localnet.network import Localnet
from localnet.ports import choose_random

pytestmark = pytest.mark.net
ROOT = Path(__file__).parents[2]
BALANCES = "/store/bank/key"
OPERATOR_TEXT = str(OPERATOR_UGRAD).encode()


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    """A running network of four validators with the real app."""
    folder = tmp_path_factory.mktemp("app") / "net"
    with Localnet.new(folder, 4, base_port=0, compose=new_composer(), engine=find_engine()) as net:
        yield net


@pytest.fixture
def single(tmp_path: Path) -> Localnet:
    """A network of one validator with the real app, which does not run yet."""
    return Localnet.new(tmp_path / "net", 1, base_port=0, compose=new_composer(), engine=find_engine())


@pytest.fixture(scope="module")
def proxy(four: Localnet) -> Iterator[LightProxy]:
    """The stock light client proxy, trusting block 1."""
    four.wait_height(3)
    engine = four.engine
    assert engine is not None
    with LightProxy(engine, four.manifest.chain_id, four.rpcs[0].url, [rpc.url for rpc in four.rpcs[1:]],
                    trust_root(four.rpcs[0])) as running:
        yield running


def operator_key(net: Localnet, index: int) -> bytes:
    return balance_key(decode_address(net.manifest.nodes[index].operator), "ugrad")


def test_all_nodes_have_the_app_hash_of_the_same_genesis(four: Localnet) -> None:
    four.wait_height(2)
    height, app_hash = checks.same_app_hash(four.rpcs)
    assert height >= 2
    assert len(app_hash) == 32
    documents = {node.paths.genesis.read_bytes() for node in four.manifest.nodes}
    assert len(documents) == 1


def test_every_operator_has_a_private_key_of_its_own_and_its_coins(four: Localnet) -> None:
    addresses = []
    for node in four.manifest.nodes:
        assert node.paths.operator.stat().st_mode & 0o777 == 0o600
        addresses.append(json.loads(node.paths.operator.read_text())["address"])
    assert addresses == [node.operator for node in four.manifest.nodes]
    assert len(set(addresses)) == 4


def test_balance_is_proved_by_the_stock_light_client(four: Localnet, proxy: LightProxy) -> None:
    verified = proxy.abci_query(BALANCES, operator_key(four, 0))
    assert verified.key == operator_key(four, 0)
    assert verified.value == four.rpcs[1].abci_query(BALANCES, verified.key, verified.height).value
    assert verified.value == OPERATOR_TEXT


def test_balance_at_a_named_height_is_proved_for_that_height(four: Localnet, proxy: LightProxy) -> None:
    assert proxy.abci_query(BALANCES, operator_key(four, 1), height=2).height == 2


def test_height_that_is_still_to_come_is_waited_for(four: Localnet, proxy: LightProxy) -> None:
    height = four.rpcs[0].status().height + 2
    assert proxy.abci_query(BALANCES, operator_key(four, 2), height=height).height == height


def test_absent_key_is_not_proved(proxy: LightProxy) -> None:
    with pytest.raises(NotProved):
        proxy.abci_query(BALANCES, b"\x02\x14" + bytes(20) + b"ugrad")


def test_light_client_with_a_wrong_trusted_hash_does_not_start(four: Localnet) -> None:
    assert four.engine is not None
    with pytest.raises(LightError) as caught, LightProxy(
            four.engine, four.manifest.chain_id, four.rpcs[0].url, [four.rpcs[1].url], TrustRoot(1, "AB" * 32)):
        pass
    assert "hash" in caught.value.text.lower()


def test_light_client_leaves_nothing_in_the_users_home(
        four: Localnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert four.engine is not None
    monkeypatch.setenv("HOME", str(tmp_path))
    with LightProxy(four.engine, four.manifest.chain_id, four.rpcs[0].url, [four.rpcs[1].url],
                    trust_root(four.rpcs[0])) as running:
        assert running.abci_query(BALANCES, operator_key(four, 0)).value == OPERATOR_TEXT
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("part", ["app", "engine"])
def test_killed_part_comes_back_catches_up_and_agrees(four: Localnet, part: str) -> None:
    four.kill(3, part)  # type: ignore[arg-type]
    height = checks.wait_blocks(four.rpcs[:3], 4)
    four.wait_height(height)
    checks.check_same_block(four.rpcs, height)


def test_single_node_replays_to_the_same_hash_after_a_kill_of_everything(single: Localnet) -> None:
    with single:
        single.wait_height(4)
        header = single.rpcs[0].header(4)
        single.kill(0, "node")
        single.start_one(0)
        single.wait_height(6)
        assert single.rpcs[0].header(4) == header


def test_genesis_that_the_app_refuses_ends_the_start_with_the_apps_own_words(single: Localnet) -> None:
    genesis = single.manifest.nodes[0].paths.genesis
    document = json.loads(genesis.read_text())
    document["consensus_params"]["block"]["max_gas"] = "-1"
    genesis.write_text(json.dumps(document))
    with pytest.raises(NodeError) as caught, single:
        pass
    assert "the app refuses to start" in caught.value.text and "max_gas" in caught.value.text


def test_account_that_is_no_address_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(HomeError) as caught:
        Localnet.new(tmp_path / "net", 1, base_port=0, compose=new_composer({"cosmos1x": 5}))
    assert "cosmos1x" in caught.value.text and caught.value.hint
    assert not (tmp_path / "net").exists()


def test_up_starts_a_network_with_accounts_and_down_ends_it(tmp_path: Path, single: Localnet) -> None:
    folder, address = str(tmp_path / "up"), single.manifest.nodes[0].operator

    def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([sys.executable, "-m", "localnet", *arguments, "--dir", folder], cwd=ROOT, text=True,
                              capture_output=True, timeout=180, check=False)

    done = command("up", "--validators", "1", "--base-port", "0", "--account", f"{address}=7")
    try:
        assert (done.returncode, done.stdout.split()[0]) == (0, "gradus-local-1"), done.stderr
        shown = json.loads(command("status", "--output", "json").stdout)["nodes"][0]
        assert shown["phase"] == "running" and shown["app_pid"] and shown["engine_pid"] and shown["height"] >= 1
        rpc = Localnet(Path(folder)).rpcs[0]
        assert rpc.abci_query(BALANCES, balance_key(decode_address(address), "ugrad")).value
        again = command("up", "--validators", "2")
        assert again.returncode == 1 and "has 1 validators, not 2" in again.stderr
    finally:
        assert command("down").stdout == "1 nodes stopped\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_start_leaves_no_process_and_no_folder(tmp_path: Path, number: int) -> None:
    folder = tmp_path / "net"
    runner = subprocess.Popen([sys.executable, "-m", "localnet", "up", "--validators", "2", "--base-port", "0",
                               "--dir", str(folder)], cwd=ROOT, stderr=subprocess.DEVNULL)
    pid_files = [folder / f"node{i}" / "run" / "app.pid" for i in range(2)]
    checks.wait_until(lambda: all(file.exists() for file in pid_files), 60, "the start of the apps")
    pids = [int(file.read_text()) for file in pid_files]
    runner.send_signal(number)
    assert runner.wait(60) == 130
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not folder.exists()


def localnet(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "localnet", *arguments], cwd=ROOT, text=True, capture_output=True,
                          timeout=180, check=False)


def start_up(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-m", "localnet", "up", "--dir", str(folder), "--validators", "1",
                             *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_networks_started_at_the_same_moment_with_the_same_ports_both_run_on_their_own(tmp_path: Path) -> None:
    base = choose_random(1, PortClaim())
    folders = [tmp_path / name for name in ("a", "b", "c")]
    starting = [start_up(folder, "--base-port", str(base), "--chain-id", f"net-{folder.name}") for folder in folders]
    try:
        said = [(one.communicate(timeout=180), one.returncode) for one in starting]
        assert [status for _, status in said] == [0, 0, 0], said
        nets = [Localnet(folder) for folder in folders]
        assert len({net.manifest.nodes[0].rpc_port for net in nets}) == 3
        assert [net.rpcs[0].status().chain_id for net in nets] == ["net-a", "net-b", "net-c"]
    finally:
        for folder in folders:
            localnet("down", "--dir", str(folder))


def test_foreground_tells_a_log_what_it_does_and_ends_with_130_after_a_clean_stop(tmp_path: Path) -> None:
    up = start_up(tmp_path / "net", "--base-port", "0", "--foreground")
    assert up.stderr is not None
    said: list[str] = []
    while "Ctrl-C ends it\n" not in said:
        said.append(up.stderr.readline())
        assert said[-1], said
    assert said.index("waiting for the first block of 1 nodes\n") < said.index("the network is up\n")
    up.send_signal(signal.SIGINT)
    _, rest = up.communicate(timeout=60)
    assert up.returncode == 130
    assert "the network has stopped" in rest
    assert localnet("down", "--dir", str(tmp_path / "net")).stdout == "nothing was running\n"


def test_up_on_an_existing_network_says_what_it_keeps_and_moves_when_asked(single: Localnet) -> None:
    folder, base = str(single.folder), single.manifest.nodes[0].rpc_port
    wanted = choose_random(1, single.claim, avoid=single.manifest.ports)
    single.claim.release()
    try:
        kept = localnet("up", "--dir", folder, "--base-port", "0")
        assert kept.returncode == 0 and f"keeps its ports: those from {base - 1} on" in kept.stderr
        refused = localnet("up", "--dir", folder, "--base-port", str(wanted))
        assert refused.returncode == 1 and f"runs, and keeps its ports: RPC {base}" in refused.stderr
        for option, value in (("--chain-id", "other"), ("--account", "gradus1x=7"), ("--timeout-commit", "1s")):
            other = localnet("up", "--dir", folder, option, value)
            assert other.returncode == 1 and f"leave {option} out" in other.stderr
        assert localnet("down", "--dir", folder).returncode == 0
        moved = localnet("up", "--dir", folder, "--base-port", str(wanted))
        assert moved.returncode == 0 and f"RPC {wanted}" in moved.stderr
        assert Localnet(single.folder).rpcs[0].status().height >= 1
    finally:
        localnet("down", "--dir", folder)


def test_node_that_comes_before_the_first_snapshot_is_told_when_that_is_due(four: Localnet, tmp_path: Path) -> None:
    rpc = four.rpcs[0].url
    for refused in (localnet("add", "--dir", str(four.folder)),
                    localnet("node", "join", "--home", str(tmp_path / "new"), "--base-port", "0", "--rpc", rpc)):
        assert refused.returncode == 1 and "no node of gradus-local-1 has a snapshot yet" in refused.stderr
        assert "due at height 1000, in about" in refused.stderr and "--from-blocks" in refused.stderr
    assert not (tmp_path / "new").exists() and not (four.folder / "node4").exists()


def test_errors_have_one_form_for_people_and_one_for_programs(tmp_path: Path) -> None:
    told = localnet("status", "--dir", str(tmp_path))
    assert told.returncode == 1
    assert told.stderr.splitlines() == [f"error: there is no network in {tmp_path}",
                                        f"hint:  start one: gradus localnet up --dir {tmp_path}"]
    record = json.loads(localnet("status", "--dir", str(tmp_path), "--output", "json").stderr)
    assert record == {"error": f"there is no network in {tmp_path}",
                      "hint": f"start one: gradus localnet up --dir {tmp_path}"}
    assert localnet("status", "--output", "table").returncode == 2
    refused = localnet("up", "--dir", "/proc/foo")
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert [line.split(":")[0] for line in refused.stderr.splitlines()] == ["error", "hint"]
    misused = localnet("up", "--dir", str(tmp_path / "n"), "--chain-id", "a b")
    assert misused.returncode == 2 and "'a b' is not a chain id" in misused.stderr and "Traceback" not in misused.stderr
    assert not (tmp_path / "n").exists()


def test_app_that_hangs_is_killed_and_the_node_goes_on(single: Localnet) -> None:
    node = single.manifest.nodes[0]
    process = subprocess.Popen([sys.executable, "-m", "localnet", "node", "start", "--home", node.home,
                                "--hang-seconds", "3"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        checks.wait_until(lambda: (checks.find_height(single.rpcs[0]) or 0) >= 2, 60, "a block")
        app = int((node.paths.run / "app.pid").read_text())
        os.kill(app, signal.SIGSTOP)
        height = checks.find_height(single.rpcs[0]) or 0
        checks.wait_until(lambda: not Path(f"/proc/{app}").exists(), 30, "the end of the app")
        checks.wait_until(lambda: (checks.find_height(single.rpcs[0]) or 0) >= height + 3, 60, "another block")
        process.terminate()
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "the app did not answer for 3 s, and was killed" in node.paths.log("node").read_text()


@pytest.mark.parametrize("group", [[], ["node"]])
def test_groups_of_commands_show_an_example(group: list[str]) -> None:
    assert "Example:" in localnet(*group, "--help").stdout


def test_each_node_is_stopped_started_and_restarted_by_its_name_and_one_that_was_killed_is_told(
        four: Localnet) -> None:
    folder = str(four.folder)
    stopped = localnet("stop", "node3", "--dir", folder)
    assert (stopped.returncode, stopped.stdout, stopped.stderr) == (0, "node3 has stopped\n", "")
    checks.wait_blocks(four.rpcs[:3], 2)
    assert localnet("stop", "3", "--dir", folder).stdout == "node3 was not running\n"
    assert "runs already" in localnet("start", "node2", "--dir", folder).stderr
    still = localnet("stop", "node2", "--dir", folder)
    assert "2 of 4 validators run" in still.stderr and "start node2 or node3" in still.stderr
    started = localnet("start", "node2", "--dir", folder)
    assert started.returncode == 0 and "node2 follows gradus-local-1 at height" in started.stdout, started.stderr
    killed = four.manifest.nodes[2].paths
    pid = state.find_pid(killed, "supervisor")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    checks.wait_until(lambda: not state.is_supervised(killed), 20, "the end of the supervisor")
    shown = localnet("status", "--dir", folder)
    hint = f"gradus localnet start node2 --dir {folder}"
    assert shown.returncode == 3 and f"pid {pid}, has ended without a word" in shown.stdout and hint in shown.stdout
    doctor = subprocess.run([sys.executable, "-m", "abci_app.cli", "doctor", "--home", str(killed.path)], cwd=ROOT,
                            text=True, capture_output=True, check=False)
    assert hint in doctor.stdout
    assert "stands still" in localnet("restart", "node0", "--dir", folder).stderr
    assert localnet(*hint.split()[2:]).returncode == 0
    assert localnet("restart", "node3", "--dir", folder).returncode == 0
    checks.check_same_block(four.rpcs, checks.wait_blocks(four.rpcs, 2))
