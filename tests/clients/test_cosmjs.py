"""Stock CosmJS against one node of a real network: connects, reads, sends with an estimated fee, reads the result."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from abci_app.client.keys import derive_key
from localnet.engine import find_engine
from localnet.genesis import new_composer
from localnet.network import Localnet
from tests.chain import address_of
from tests.clients.node import find_node, find_on_path, install_client, install_node

pytestmark = pytest.mark.net
PACKAGE = Path(__file__).parent / "cosmjs"
MNEMONIC = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
FUNDS_UGRAD = 10**12
AMOUNT = 1_234_567


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    """One validator; the account of the mnemonic has coins."""
    compose = new_composer({derive_key(MNEMONIC).bech32: FUNDS_UGRAD})
    folder = tmp_path_factory.mktemp("cosmjs") / "net"
    with Localnet.new(folder, 1, base_port=0, compose=compose, engine=find_engine()) as net:
        net.wait_height(2)
        yield net


@pytest.fixture(scope="module")
def report(network: Localnet, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the client saw."""
    node = find_node()
    folder = tmp_path_factory.mktemp("client")
    shutil.copy(PACKAGE / "send.js", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "node_modules").symlink_to(install_client(node, PACKAGE))
    question = {"rpc": network.rpcs[0].url, "mnemonic": MNEMONIC, "recipient": address_of("recipient"),
                "stranger": address_of("stranger"), "amount": AMOUNT}
    done = subprocess.run([str(node.binary), "send.js"], cwd=folder, input=json.dumps(question), capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_client_derives_the_same_address_from_the_mnemonic(report: dict[str, Any]) -> None:
    assert report["address"] == derive_key(MNEMONIC).bech32


def test_client_recognises_engine_and_chain(report: dict[str, Any], network: Localnet) -> None:
    """Stock CosmJS knows 0.38 by name; for 0.39 and 0.40 it falls back to the client of 0.37, which serves as well."""
    assert network.engine is not None
    client = "Comet38Client" if network.engine.version.startswith("0.38.") else "Tendermint37Client"
    assert (report["engine"], report["chain"]) == (client, network.manifest.chain_id)


def test_client_reads_balances_and_knows_an_account_that_is_not_there(report: dict[str, Any]) -> None:
    assert report["before"] == {"sender": str(FUNDS_UGRAD), "recipient": "0"}
    assert report["all"] == [{"denom": "ugrad", "amount": str(FUNDS_UGRAD)}]
    assert report["unknownAccount"] is None


def test_transfer_with_an_estimated_fee_is_included(report: dict[str, Any], network: Localnet) -> None:
    sent = report["sent"]
    assert sent["code"] == 0
    assert 0 < sent["gasUsed"] <= sent["gasWanted"]
    assert sent["responses"] == ["/cosmos.bank.v1beta1.MsgSendResponse"]
    assert {"tx", "message", "transfer", "coin_spent", "coin_received"} <= set(sent["events"])
    assert report["found"] == {"height": sent["height"], "code": 0, "events": len(sent["events"])}
    assert network.rpcs[0].header(sent["height"]).height == sent["height"]


def test_balances_move_by_the_amount_and_the_fee(report: dict[str, Any]) -> None:
    fee = -(-report["sent"]["gasWanted"] // 100)  # 0.01 ugrad a gas, rounded up
    assert report["after"] == {"sender": str(FUNDS_UGRAD - AMOUNT - fee), "recipient": str(AMOUNT)}
    assert report["account"]["sequence"] == 1
    assert report["account"]["pubkey"] == "tendermint/PubKeySecp256k1"


def test_transfer_that_cannot_be_is_told_with_its_code(report: dict[str, Any]) -> None:
    assert report["failed"]["code"] == 5
    assert "insufficient funds" in report["simulation"]


def test_node_comes_from_the_wheel_when_path_has_none(tmp_path: Path) -> None:
    assert find_on_path("") is None
    node = install_node()
    assert node == find_node({"PATH": str(tmp_path)})
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run([node.binary, "--version"], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.startswith("v22.")
    assert (install_client(node, PACKAGE) / "@cosmjs" / "stargate").is_dir()
