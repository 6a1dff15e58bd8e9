"""Homes: the keys are right, private and never replaced; the genesis names every validator; sockets fit."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from localnet.errors import HomeError
from localnet.homes import (SOCKET_PATH_BYTES_MAX, Home, new_genesis_document, new_home, prepare_socket_folder,
                            put_genesis, socket_path)
from localnet.keys import EngineKey
from localnet.manifest import Manifest, NodeEntry, get_manifest, put_manifest


def test_validator_address_is_of_its_public_key_and_the_secret_signs_for_it(tmp_path: Path) -> None:
    home = Home(tmp_path / "n")
    identity = new_home(home, "n")
    record = json.loads(home.validator_key.read_text())
    public = base64.b64decode(record["pub_key"]["value"])
    secret = base64.b64decode(record["priv_key"]["value"])
    assert record["address"] == hashlib.sha256(public).hexdigest()[:40].upper() == identity.address
    assert secret[32:] == public == Ed25519PrivateKey.from_private_bytes(secret[:32]).public_key().public_bytes_raw()


def test_address_of_a_known_engine_key() -> None:
    """A key file that the engine itself wrote."""
    public = base64.b64decode("9VkSsxVcANNEMnPS+FYYiFW1dH0UYj4nJIktxDtbk7w=")
    assert EngineKey(bytes(32), public).address.hex().upper() == "6AAE52A7490A06E928EF0FED8074C22F7D78C31D"


def test_private_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "n")
    new_home(home, "n")
    for path in (home.validator_key, home.node_key, home.validator_state):
        assert path.stat().st_mode & 0o777 == 0o600
    assert home.path.joinpath("config").stat().st_mode & 0o077 == 0


def test_keys_are_never_replaced(tmp_path: Path) -> None:
    home = Home(tmp_path / "n")
    new_home(home, "n")
    before = home.validator_key.read_bytes()
    with pytest.raises(HomeError, match="exists already"):
        new_home(home, "n")
    assert home.validator_key.read_bytes() == before


def test_two_homes_share_no_key(tmp_path: Path) -> None:
    one, two = (new_home(Home(tmp_path / name), name) for name in ("a", "b"))
    assert len({one.address, two.address, one.node_id.upper(), two.node_id.upper()}) == 4


def test_incomplete_home_names_the_missing_file(tmp_path: Path) -> None:
    home = Home(tmp_path / "n")
    new_home(home, "n")
    with pytest.raises(HomeError, match="config/config.toml"):
        home.check()


def test_genesis_names_every_validator_and_bounds_the_block(tmp_path: Path) -> None:
    identities = [new_home(Home(tmp_path / str(i)), f"node{i}") for i in range(3)]
    document = new_genesis_document("net-1", identities, {"bank": {"x": 1}})
    assert [v["address"] for v in document["validators"]] == [one.address for one in identities]
    assert document["app_state"] == {"bank": {"x": 1}}
    assert document["initial_height"] == "1"
    assert int(document["consensus_params"]["block"]["max_bytes"]) == 2 * 1024 * 1024


def test_consensus_parameters_of_the_caller_replace_whole_sections(tmp_path: Path) -> None:
    identity = new_home(Home(tmp_path / "n"), "n")
    document = new_genesis_document("net-1", [identity], {}, {"abci": {"vote_extensions_enable_height": "1"}})
    assert document["consensus_params"]["abci"] == {"vote_extensions_enable_height": "1"}
    assert document["consensus_params"]["block"]["max_gas"] == "500000000"
    put_genesis(Home(tmp_path / "n"), document)
    assert json.loads(Home(tmp_path / "n").genesis.read_text()) == document


@pytest.mark.parametrize("chain_id", ["", "x" * 51])
def test_chain_id_that_the_engine_would_refuse_is_refused_here(chain_id: str) -> None:
    with pytest.raises(HomeError, match="chain id"):
        new_genesis_document(chain_id, [], {})


def test_socket_lies_in_a_short_home() -> None:
    assert socket_path(Home(Path("/tmp/net/node0"))) == Path("/tmp/net/node0/run/app.sock")


def test_socket_of_a_long_home_is_short_stable_and_its_own() -> None:
    homes = [Home(Path("/tmp") / ("deep/" * 30) / name) for name in ("node0", "node1")]
    first, second = map(socket_path, homes)
    assert first != second
    assert first == socket_path(homes[0])
    assert len(bytes(first)) <= SOCKET_PATH_BYTES_MAX


def test_socket_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(HomeError, match="written by others"):
        prepare_socket_folder(folder / "app.sock")


def test_file_in_the_place_of_the_socket_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "app.sock").write_text("mine")
    tmp_path.chmod(0o700)
    with pytest.raises(HomeError, match="no socket"):
        prepare_socket_folder(tmp_path / "app.sock")
    assert (tmp_path / "app.sock").read_text() == "mine"


def test_network_description_reads_back(tmp_path: Path) -> None:
    node = NodeEntry("node0", "/h", 26657, 26656, "/h/run/app.sock", "aa", "BB", "gradusvaloper1x")
    manifest = Manifest("net-1", "2026-01-01T00:00:00+00:00", {"gradus": "1", "cometbft": "0.38.25"}, (node,))
    put_manifest(tmp_path, manifest)
    assert get_manifest(tmp_path) == manifest
    assert manifest.get_node("0") == manifest.get_node("node0") == node
    with pytest.raises(HomeError, match="node0"):
        manifest.get_node("node7")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 1}', '{"format": 1, "nodes": [1]}',
                                  '{"format": 1, "nodes": [], "more": 1}'])
def test_damaged_network_description_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "network.json").write_text(text)
    with pytest.raises(HomeError, match="damaged"):
        get_manifest(tmp_path)


def test_network_description_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "network.json").write_text('{"format": 2}')
    with pytest.raises(HomeError, match="format 2"):
        get_manifest(tmp_path)
