"""The command line against a real node: coins, proofs, contracts, a miner, refusals."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localnet.engine import find_engine
from localnet.genesis import new_composer
from localnet.network import Localnet

pytestmark = pytest.mark.net
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Shell:
    """Runs gradus with the network's folder as home."""

    net: Localnet

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"GRADUS_HOME": str(self.net.folder), "GRADUS_NODE": self.net.manifest.nodes[0].rpc,
                       "PATH": "/usr/bin:/bin", "HOME": str(Path.home())}
        return subprocess.run([sys.executable, "-m", "abci_app.cli", *arguments], cwd=ROOT, text=True,
                              capture_output=True, env=environment, timeout=120)

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--output", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def mine(shell: Shell, model: str, *names: str) -> None:
    """Run a miner for each key at once, until all of them say that the contract has ended."""
    miners = [subprocess.Popen(
        [sys.executable, "-m", "abci_app.cli", "miner", "start", model, "--key", name, "--home", str(shell.net.folder),
         "--node", shell.net.manifest.nodes[0].rpc],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for name in names]
    try:
        for miner in miners:
            out, _ = miner.communicate(timeout=120)
            assert miner.returncode == 0, out
    finally:
        for miner in miners:
            miner.kill()


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp("cli") / "net"
    compose = new_composer(block_reward_ugrad=1_000_000)
    with Localnet.new(folder, 1, base_port=0, compose=compose, engine=find_engine()) as net:
        net.wait_height(2)
        shell = Shell(net)
        shell.json("keys", "add", "alice", "--keyring", "test")
        shell.json("tx", "bank", "send", "alice", "50grad", "--from", "faucet")
        yield shell


def test_coins_arrive_and_the_transaction_can_be_found_by_its_hash(shell: Shell) -> None:
    shell.json("keys", "add", "bob", "--keyring", "test")
    sent = shell.json("tx", "bank", "send", "bob", "2.5grad", "--from", "alice")
    assert shell.json("query", "bank", "balance", "bob")["amount_ugrad"] == 2_500_000
    found = shell.json("query", "tx", sent["tx_hash"])
    assert (found["height"], found["code"]) == (sent["height"], 0)
    shown = shell.run("query", "tx", sent["tx_hash"]).stdout
    assert "- transfer\n    recipient  " in shown and "amount     2500000ugrad" in shown and "{" not in shown


def test_proved_balance_is_the_balance_and_says_what_it_rests_on(shell: Shell) -> None:
    shown = shell.json("query", "bank", "balance", "alice", "--prove")
    proved = shown["proved"]
    assert shown["amount_ugrad"] == shell.json("query", "bank", "balance", "alice")["amount_ugrad"] > 0
    assert proved["exists"] and proved["header_height"] == proved["height"] + 1
    assert (proved["trusted_height"], proved["trusted_by"]) == (1, "first use") and "no other node" in proved["note"]
    header = shell.net.rpcs[0].header(proved["header_height"])
    assert header.block_hash.hex().upper() == proved["header_hash"]


def test_proof_from_a_wrong_trusted_block_ends_with_4(shell: Shell) -> None:
    done = shell.run("query", "bank", "balance", "alice", "--prove", "--trust-hash", "00" * 32)
    assert done.returncode == 4 and done.stdout == ""


def test_trusted_block_that_was_given_is_kept_and_told(shell: Shell) -> None:
    root = shell.net.rpcs[0].header(2).block_hash.hex()
    shell.json("light", "update", "--trust-height", "2", "--trust-hash", root)
    proved = shell.json("query", "auth", "account", "alice", "--prove")["proved"]
    assert (proved["trusted_height"], proved["trusted_by"], proved["trusted_hash"]) == (2, "hash given", root.upper())
    rows = shell.json("light", "status")
    assert [(row["chain_id"], row["trusted_height"], row["problem"]) for row in rows] == [
        (shell.net.manifest.chain_id, 2, "")]
    assert rows[0]["verified_height"] >= proved["header_height"]
    shell.json("light", "reset", shell.net.manifest.chain_id)
    assert shell.json("light", "status") == []
    again = shell.run("light", "reset", shell.net.manifest.chain_id)
    assert again.returncode == 1 and "nothing is trusted" in again.stderr


@pytest.mark.parametrize("question", [
    ("models", "show", "99"), ("work", "trainer", "1", "faucet"), ("work", "unit", "1", "1", "0"),
    ("work", "round", "9", "1"), ("rewards", "contribution", "1", "faucet"),
    ("rewards", "backing", "99", "faucet"), ("rewards", "ledger", "99"), ("audits", "show", "9", "1", "0"),
    ("disputes", "show", "1", "1", "0")])
def test_record_that_is_not_there_is_proved_to_be_absent(shell: Shell, question: tuple[str, ...]) -> None:
    shown = shell.json("query", *question, "--prove")
    assert set(shown) == {"absent", "proved"} and not shown["proved"]["exists"]
    assert "proved" in shell.run("query", *question, "--prove").stdout


def test_balance_of_who_has_nothing_is_proved_to_be_absent(shell: Shell) -> None:
    nobody = shell.json("keys", "add", "nobody", "--keyring", "test")["address"]
    shown = shell.json("query", "bank", "balance", nobody, "--prove")
    assert shown["amount_ugrad"] == 0 and not shown["proved"]["exists"]


@pytest.mark.parametrize("room", ["models", "rewards", "audits"])
def test_parameters_of_a_room_are_proved_to_be_what_the_node_tells(shell: Shell, room: str) -> None:
    told = shell.json("query", room, "params")
    proved = shell.json("query", room, "params", "--prove")
    assert proved.pop("proved")["exists"] and proved == told != {}


@pytest.mark.parametrize("question", [
    ("models", "list"), ("work", "trainers", "1"), ("work", "slashes", "1"), ("rewards", "contributions", "1"),
    ("rewards", "vesting", "1"), ("work", "round", "1"), ("disputes", "list")])
def test_list_cannot_be_proved_and_says_so(shell: Shell, question: tuple[str, ...]) -> None:
    done = shell.run("query", *question, "--prove")
    assert done.returncode == 2 and "cannot be proved" in done.stderr


def test_height_without_its_hash_is_nothing_to_believe(shell: Shell) -> None:
    done = shell.run("query", "models", "show", "1", "--prove", "--trust-height", "2")
    assert done.returncode == 2 and "--trust-hash" in done.stderr


def test_node_of_another_chain_than_was_named_ends_with_4(shell: Shell) -> None:
    done = shell.run("query", "bank", "balance", "alice", "--prove", "--chain-id", "other-1")
    assert done.returncode == 4 and "'other-1'" in done.stderr


def test_what_the_chain_refuses_ends_with_1_and_names_codespace_and_code(shell: Shell) -> None:
    done = shell.run("tx", "bank", "send", "alice", "49000000grad", "--from", "alice", "--output", "json")
    assert done.returncode == 1
    error = json.loads(done.stderr)
    assert (error["codespace"], error["code"]) == ("sdk", 5)


def test_contract_with_a_term_out_of_range_is_refused_before_it_is_sent(shell: Shell, tmp_path: Path) -> None:
    shell.json("data", "add", "iris")
    terms = tmp_path / "terms.json"
    terms.write_text(json.dumps({"audit": {"rate_ppm": 2_000_000}}))
    done = shell.run("tx", "models", "create", "--dataset", "iris", "--escrow", "5grad", "--from", "faucet",
                     "--spec", str(terms), "--output", "json")
    assert done.returncode == 1 and json.loads(done.stderr)["codespace"] == "models"


def test_one_miner_trains_a_contract_to_its_end_and_leaves_with_its_bond(shell: Shell) -> None:
    shell.json("data", "add", "iris")
    made = shell.json("tx", "models", "create", "--dataset", "iris", "--rounds", "3",
                      "--trainers-min", "1", "--from", "faucet")
    model = str(made["model_id"])
    shell.json("tx", "rewards", "back", model, "5grad", "--from", "faucet")
    mine(shell, model, "alice")
    assert shell.json("query", "models", "show", model)["status"] == "serving"
    earned = shell.json("query", "rewards", "contribution", model, "alice", "--prove")
    assert (earned["units"], earned["earned_ugrad"]) == (3, 3_000_000) and earned["minted_ugrad"] > 0
    assert shell.json("query", "rewards", "shares", model)[0]["share_ppm"] == 1_000_000
    due = shell.json("tx", "rewards", "unback", model, "2grad", "--from", "faucet")["due_height"]
    assert shell.json("query", "rewards", "unbacking", "faucet") == [
        {"owner": shell.json("keys", "show", "faucet")["address"], "due_height": due, "model_id": int(model),
         "amount_ugrad": 2_000_000}]
    assert shell.json("query", "rewards", "backing", model, "faucet", "--prove")["amount_ugrad"] == 3_000_000
    assert shell.json("query", "rewards", "ledger", model, "--prove")["units"] == 3
    assert shell.json("query", "invariants")["broken"] == []
    assert shell.json("query", "work", "slashes", model) == []
    assert shell.json("query", "work", "trainers", model)[0]["units_accepted"] == 3
    before = shell.json("query", "bank", "balance", "alice")["amount_ugrad"]
    shell.json("tx", "work", "leave", model, "--from", "alice")
    bond = shell.json("query", "models", "show", model)["spec"]["economy"]["bond_ugrad"]
    measured = shell.json("query", "models", "evaluate", model)
    assert measured["round"] == 3 and measured["accuracy_ppm"] > 0 and measured["held_out_rows"] == 30
    proved = shell.json("query", "models", "evaluate", model, "--prove")
    assert proved.pop("proved")["exists"] and proved == measured
    file = str(shell.net.folder / "iris.safetensors")
    written = shell.json("query", "models", "weights", model, "--out", file, "--prove")
    assert written["proved"]["exists"] and written["weights_root"] == measured["weights_root"]
    assert shell.json("query", "work", "unit", model, "3", "0", "--prove")["trainer"] == earned["trainer"]
    assert 0 < before + bond - shell.json("query", "bank", "balance", "alice")["amount_ugrad"] < 10_000


def test_payloads_of_four_bits_are_mixed_and_trimmed_to_a_round_that_pays_all_three_miners(shell: Shell) -> None:
    """nnm+trimmed_mean with trim 1 needs three payloads: the round closes with all of them, or fails."""
    shell.json("data", "add", "iris")
    names = ("carol", "dave", "erin")
    for name in names:
        shell.json("keys", "add", name, "--keyring", "test")
        shell.json("tx", "bank", "send", name, "20grad", "--from", "faucet")
    made = shell.json("tx", "models", "create", "--dataset", "iris", "--rounds", "1",
                      "--trainers-min", "3", "--codec", "int4/256", "--aggregation", "nnm+trimmed_mean",
                      "--from", "faucet")
    model = str(made["model_id"])
    mine(shell, model, *names)
    shown = shell.json("query", "models", "show", model)
    training = shown["spec"]["training"]
    assert (training["codec"], training["aggregation"], training["trim"]) == ("int4/256", "nnm+trimmed_mean", 1)
    assert shown["status"] == "serving" and shown["rounds_closed"] == 1
    assert [one["units_accepted"] for one in shell.json("query", "work", "trainers", model)] == [1, 1, 1]
    assert shell.json("query", "work", "slashes", model) == []
    for name in names:
        assert shell.json("query", "rewards", "contribution", model, name)["earned_ugrad"] == 333_333
    assert shell.json("query", "models", "evaluate", model)["round"] == 1
