"""The light client and the stock one on a real network: the same answers, and no lie of a node is believed."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from abci_app.client.errors import ClientError
from abci_app.client.light.blocks_json import write_light_block
from abci_app.client.light.client import LightClient
from abci_app.client.light.errors import Diverged
from abci_app.client.light.records import check_answer, read_record
from abci_app.client.light.source import RpcSource
from abci_app.client.light.trust import TrustStore
from abci_app.client.rpc import Rpc
from abci_app.sdk.proofs import Place, Terms, balance_place, follow, prove
from localnet.engine import find_engine
from localnet.genesis import OPERATOR_UGRAD, new_composer
from localnet.light import LightProxy, NotProved, trust_root
from localnet.network import Localnet
from tests.light_chain import new_set, sign
from tests.net.lying_node import Alter, lying_node

pytestmark = pytest.mark.net
ROOT = Path(__file__).parents[2]
NOBODY = Place("bank", b"\x02\x14" + bytes(20) + b"ugrad")


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    """Two validators with the application."""
    folder = tmp_path_factory.mktemp("light") / "net"
    with Localnet.new(folder, 2, base_port=0, compose=new_composer(), engine=find_engine()) as running:
        running.wait_height(6)
        yield running


@pytest.fixture(scope="module")
def proxy(net: Localnet) -> Iterator[LightProxy]:
    """The stock light client, trusting block 1."""
    assert net.engine is not None
    with LightProxy(net.engine, net.manifest.chain_id, net.rpcs[0].url, [net.rpcs[1].url],
                    trust_root(net.rpcs[0])) as running:
        yield running


@pytest.fixture
def terms(net: Localnet, tmp_path: Path) -> Terms:
    """Node 0 is asked, node 1 must agree, block 1 is given by its hash."""
    root = net.rpcs[0].header(1).block_hash.hex()
    return Terms(tmp_path, net.rpcs[0].url, [net.rpcs[1].url], None, 1, root)


def place_of(net: Localnet, index: int) -> Place:
    return balance_place(net.manifest.nodes[index].operator)


def test_both_light_clients_prove_the_same_values_under_the_same_header(net: Localnet, proxy: LightProxy) -> None:
    client = LightClient(net.manifest.chain_id, RpcSource(net.rpcs[0], net.manifest.chain_id))
    trust = client.begin(1, net.rpcs[1].header(1).block_hash)
    for place in (place_of(net, 0), place_of(net, 1)):
        stock = proxy.abci_query(place.path, place.key)
        record, trust = read_record(client, trust, net.rpcs[0], place.store, place.key, stock.height)
        assert record.value == stock.value == str(OPERATOR_UGRAD).encode()
        commit = proxy.rpc.commit(stock.height + 1)["signed_header"]["commit"]
        assert record.header.hash.hex().upper() == commit["block_id"]["hash"]
        answer = net.rpcs[0].abci_query(place.path, place.key, stock.height, prove=True)
        assert check_answer(answer, record.header.header.app_hash, place.store, place.key) == stock.value


def test_absence_is_proved_here_where_the_stock_client_cannot(net: Localnet, proxy: LightProxy, terms: Terms) -> None:
    assert prove(terms, NOBODY).record.value is None
    with pytest.raises(NotProved):
        proxy.abci_query(NOBODY.path, NOBODY.key)


@pytest.mark.parametrize("store", ["consensus", "blobs", "auth", "models", "work", "rewards", "validators"])
def test_every_store_proves_what_it_has_not(store: str, terms: Terms) -> None:
    assert prove(terms, Place(store, b"\xfe no such key")).record.value is None


def test_proof_names_the_trusted_block_and_the_witnesses_and_is_kept(net: Localnet, terms: Terms) -> None:
    proved = prove(terms, place_of(net, 0))
    assert (proved.trust.root.height, proved.trust.is_given, list(proved.agreed)) == (1, True, [net.rpcs[1].url])
    assert proved.notes == ()
    kept = TrustStore(terms.home).find(net.manifest.chain_id)
    assert kept == proved.trust and kept.latest == proved.record.header
    later = prove(replace(terms, trust_hash="", witnesses=[]), place_of(net, 1))
    assert later.trust.root == proved.trust.root and later.record.height >= proved.record.height


def edit(result: Any, path: str, value: Any) -> Any:
    """JSON with another value at a dotted path."""
    changed = json.loads(json.dumps(result))
    holder = changed
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in steps:
        holder = holder[step]
    holder[last] = value(holder[last]) if callable(value) else value
    return changed


def on(method: str, path: str, value: Any) -> Alter:
    """A lie about one field of one method's answers."""
    return lambda _honest, called, _params, found: edit(found, path, value) if called == method else found


def flip_base64(text: str) -> str:
    data = bytearray(base64.b64decode(text))
    data[len(data) // 2] ^= 1
    return base64.b64encode(data).decode()


def answer_other_key(honest: Rpc, called: str, params: dict[str, Any], found: Any) -> Any:
    """Another key's own answer, under the key that was asked."""
    if called != "abci_query":
        return found
    other = honest.call("abci_query", **{**params, "data": NOBODY.key.hex()})
    return edit(other, "response.key", found["response"]["key"])


def answer_other_state(honest: Rpc, called: str, params: dict[str, Any], found: Any) -> Any:
    """An honest answer of one height, said to be of the one before."""
    return edit(found, "response.height", lambda height: str(int(height) - 1)) if called == "abci_query" else found


def answer_other_block(honest: Rpc, called: str, params: dict[str, Any], found: Any) -> Any:
    """The block before the one that was asked for."""
    height = int(params.get("height", "0"))
    return honest.call("commit", height=str(height - 1)) if called == "commit" and height > 1 else found


def forge_from(lowest: int) -> Alter:
    """Blocks from a height on with the state's hash of the liar's choice, signed by validators of the liar's own."""
    def forge(honest: Rpc, called: str, params: dict[str, Any], found: Any) -> Any:
        height = int(params.get("height", "0"))
        if called not in ("commit", "validators") or height < lowest:
            return found
        powers = {1: 10, 2: 10}
        real = RpcSource(honest, honest.status().chain_id).light_block(height)
        header = replace(real.header, app_hash=b"\x66" * 32, validators_hash=new_set(powers).hash,
                         next_validators_hash=new_set(powers).hash)
        block = write_light_block(sign(header, new_set(powers), powers))
        if called == "commit":
            return {"signed_header": block["signed_header"], "canonical": True}
        return {"block_height": str(height), "validators": block["validators"], "count": "2", "total": "2"}

    return forge


LIES: dict[str, Alter] = {
    "value": on("abci_query", "response.value", base64.b64encode(b"7").decode()),
    "no value": on("abci_query", "response.value", None),
    "proof of the entry": on("abci_query", "response.proofOps.ops.0.data", flip_base64),
    "proof of the store": on("abci_query", "response.proofOps.ops.1.data", flip_base64),
    "no proof": on("abci_query", "response.proofOps", None),
    "half a proof": on("abci_query", "response.proofOps.ops", lambda ops: ops[:1]),
    "key": on("abci_query", "response.key", base64.b64encode(NOBODY.key).decode()),
    "answer of another key": answer_other_key,
    "answer of another state": answer_other_state,
    "code": on("abci_query", "response.code", 22),
    "app hash": on("commit", "signed_header.header.app_hash", "AB" * 32),
    "time": on("commit", "signed_header.header.time", "2031-01-01T00:00:00Z"),
    "validators hash": on("commit", "signed_header.header.validators_hash", "AB" * 32),
    "chain id of headers": on("commit", "signed_header.header.chain_id", "other-1"),
    "chain id": on("status", "node_info.network", "other-1"),
    "height of the header": on("commit", "signed_header.header.height", "2"),
    "another block": answer_other_block,
    "a signature": on("commit", "signed_header.commit.signatures.0.signature", flip_base64),
    "a vote left out": on("commit", "signed_header.commit.signatures.0", {
        "block_id_flag": 1, "validator_address": "", "timestamp": "0001-01-01T00:00:00Z", "signature": None}),
    "round": on("commit", "signed_header.commit.round", lambda value: value + 1),
    "power": on("validators", "validators.0.voting_power", "1000"),
    "a validator twice": on("validators", "validators.1", None),
    "no validators": on("validators", "validators", []),
    "forged chain": forge_from(2),
    "no JSON": lambda _honest, called, _params, found: b"<html>" if called == "commit" else found,
    "deep JSON": lambda _honest, called, _params, found: b"[" * 200_000 if called == "commit" else found,
    "null": on("commit", "signed_header", None),
    "a number": on("commit", "signed_header.commit", 10**30),
}


@pytest.mark.parametrize("lie", LIES)
def test_lie_of_a_node_is_never_believed(lie: str, net: Localnet, terms: Terms) -> None:
    with lying_node(net.rpcs[0], LIES[lie]) as url, pytest.raises(ClientError) as caught:
        prove(replace(terms, node=url), place_of(net, 0))
    assert caught.value.exit_status in (1, 4) and caught.value.text
    if caught.value.exit_status == 1:
        assert lie in ("code", "no JSON", "deep JSON", "chain id", "null")


@pytest.mark.parametrize("liar_is_witness", [True, False])
def test_forged_chain_is_told_on_first_use_by_whoever_else_is_asked(net: Localnet, tmp_path: Path,
                                                                    liar_is_witness: bool) -> None:
    honest = net.rpcs[0].url
    with lying_node(net.rpcs[0], forge_from(1)) as url:
        nodes = (honest, url) if liar_is_witness else (url, honest)
        with pytest.raises(Diverged) as caught:
            follow(Terms(tmp_path, nodes[0], [nodes[1]]))
        alone = follow(Terms(tmp_path / "alone", url))
    error = caught.value
    assert url in error.text and honest in error.text and "height 1 " in error.text and error.exit_status == 4
    kept = list((tmp_path / "light" / "evidence").glob("*.json"))
    assert len(kept) == 1 and str(kept[0]) in error.text
    assert json.loads(kept[0].read_text())["witness"]["url"] == nodes[1]
    assert "no other node was asked" in alone.notes[0] and "on a node's word" in alone.notes[1]


def test_command_ends_with_4_and_says_whom_not_to_trust(net: Localnet, tmp_path: Path) -> None:
    with lying_node(net.rpcs[0], LIES["value"]) as url:
        done = subprocess.run(
            [sys.executable, "-m", "abci_app.cli", "query", "bank", "balance", net.manifest.nodes[0].operator,
             "--prove", "--home", str(tmp_path), "--node", url, "--output", "json"], cwd=ROOT, text=True,
            capture_output=True, timeout=120, check=False)
    said = json.loads(done.stderr)
    assert (done.returncode, done.stdout) == (4, "") and "does not hold" in said["error"]
    assert "do not trust this node" in said["hint"]
