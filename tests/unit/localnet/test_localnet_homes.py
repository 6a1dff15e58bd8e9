"""Homes: the keys are right, private and never replaced; the genesis names every validator; sockets fit."""

import base64
import hashlib
import json
import os
import resource
import shutil
import socket as socket_module
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abci_app.client.light.verify import Rules
from localnet.claims import PortClaim
from localnet.config import get_wiring
from localnet.engine import Engine
from localnet.errors import HomeError
from localnet.files import replace_text
from localnet.homes import (SOCKET_PATH_BYTES_MAX, Home, new_genesis_document, new_home, prepare_socket_folder,
                            put_genesis, remove_socket, socket_path)
from localnet.keys import EngineKey
from localnet.manifest import Manifest, NodeEntry, find_original, get_manifest, put_manifest
from localnet.network import Localnet, no_app_state
from localnet.node import check_settled, put_own_socket
from localnet.ports import choose_random


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


def test_evidence_counts_longer_than_light_clients_and_state_sync_trust_a_block() -> None:
    evidence = new_genesis_document("a-1", [], {})["consensus_params"]["evidence"]
    assert int(evidence["max_age_duration"]) >= 3 * Rules().trusting_period_ns


def test_consensus_parameters_of_the_caller_replace_whole_sections(tmp_path: Path) -> None:
    identity = new_home(Home(tmp_path / "n"), "n")
    document = new_genesis_document("net-1", [identity], {}, {"abci": {"vote_extensions_enable_height": "1"}})
    assert document["consensus_params"]["abci"] == {"vote_extensions_enable_height": "1"}
    assert document["consensus_params"]["block"]["max_gas"] == "500000000"
    put_genesis(Home(tmp_path / "n"), document)
    assert json.loads(Home(tmp_path / "n").genesis.read_text()) == document


@pytest.mark.parametrize("chain_id", ["", "x" * 51, "a b", "a/b", "ä", "a\n", "$(a)"])
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


def description(folder: Path) -> Manifest:
    nodes = tuple(NodeEntry(f"node{i}", str(folder / f"node{i}"), 26657 + 10 * i, 26656 + 10 * i, f"a{i}", "BB",
                            "gradusvaloper1x") for i in range(2))
    return Manifest("net-1", "2026-01-01T00:00:00+00:00", {"gradus": "1", "cometbft": "0.38.25"}, nodes, str(folder))


def test_network_description_reads_back(tmp_path: Path) -> None:
    manifest = description(tmp_path)
    put_manifest(tmp_path, manifest)
    assert get_manifest(tmp_path) == manifest
    assert manifest.get_node("0") == manifest.get_node("node0") == manifest.nodes[0]
    with pytest.raises(HomeError, match="node0"):
        manifest.get_node("node7")


def test_moved_folder_speaks_of_its_own_homes_and_is_no_copy(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    put_manifest(tmp_path / "old", description(tmp_path / "old"))
    (tmp_path / "old").rename(tmp_path / "new")
    moved = get_manifest(tmp_path / "new")
    assert [node.home for node in moved.nodes] == [str(tmp_path / "new" / name) for name in ("node0", "node1")]
    assert find_original(tmp_path / "new", moved) is None


def test_copied_folder_speaks_of_its_own_homes_and_names_its_original_until_it_is_written_again(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    put_manifest(old, description(old))
    shutil.copytree(old, new)
    copy = get_manifest(new)
    assert copy.nodes[0].home == str(new / "node0")
    assert find_original(new, copy) == old and find_original(old, get_manifest(old)) is None
    put_manifest(new, copy)
    assert find_original(new, get_manifest(new)) is None


def test_folder_seen_through_a_link_is_no_copy(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    put_manifest(tmp_path / "old", description(tmp_path / "old"))
    (tmp_path / "link").symlink_to(tmp_path / "old")
    assert find_original(tmp_path / "link", get_manifest(tmp_path / "link")) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2}', '{"format": 2, "nodes": [1]}', "7", "[" * 100_000,
                                  '{"format": 2, "nodes": [], "more": 1}'])
def test_damaged_network_description_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "network.json").write_text(text)
    with pytest.raises(HomeError, match=f"{tmp_path}/network.json is damaged") as caught:
        get_manifest(tmp_path)
    assert caught.value.hint


@pytest.mark.parametrize(("field", "value", "said"), [
    ("rpc_port", "x", "nodes[1].rpc_port is 'x', not a port"),
    ("rpc_port", 0, "nodes[1].rpc_port is 0, not a port"),
    ("p2p_port", 65536, "nodes[1].p2p_port is 65536, not a port"),
    ("p2p_port", True, "nodes[1].p2p_port is True, not a port"),
    ("home", "/etc", "nodes[1].home is '/etc', not a path inside the folder"),
    ("home", "../other/node1", "nodes[1].home is '../other/node1', not a path inside the folder"),
    ("name", "", "nodes[1].name is '', not a text"),
    ("node_id", None, "nodes[1].node_id is missing"),
    ("socket", "x", "nodes[1].socket is no field of it"),
])
def test_damaged_field_of_a_node_is_named_with_the_file(tmp_path: Path, field: str, value: object, said: str) -> None:
    put_manifest(tmp_path, description(tmp_path))
    record = json.loads((tmp_path / "network.json").read_text())
    record["nodes"][1][field] = value
    if value is None:
        del record["nodes"][1][field]
    (tmp_path / "network.json").write_text(json.dumps(record))
    with pytest.raises(HomeError) as caught:
        get_manifest(tmp_path)
    assert caught.value.text == f"{tmp_path}/network.json is damaged: {said}"


def test_network_description_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "network.json").write_text('{"format": 3}')
    with pytest.raises(HomeError, match="format 3"):
        get_manifest(tmp_path)


@pytest.mark.parametrize("folder", ["/proc/foo", "/sys/foo", "file/x", "file"])
def test_folder_that_cannot_be_made_is_named_with_a_hint(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(HomeError) as caught:
        Localnet.new(tmp_path / folder, 1, base_port=0, builtin_app="kvstore")
    assert str(tmp_path / folder) in caught.value.text and caught.value.hint
    assert (tmp_path / "file").read_text() == "mine"


def test_two_networks_are_not_made_in_one_folder_at_once(tmp_path: Path) -> None:
    def compose(chain_id: str, identities: Any, homes: Any) -> Any:
        with pytest.raises(HomeError, match="another process makes a network"):
            Localnet.new(tmp_path / "net", 1, base_port=0, builtin_app="kvstore")
        return no_app_state(chain_id, identities, homes)

    net = Localnet.new(tmp_path / "net", 1, base_port=0, builtin_app="kvstore", compose=compose)
    net.manifest.nodes[0].paths.check()


def test_start_of_a_network_without_one_of_its_homes_names_the_home(tmp_path: Path) -> None:
    net = Localnet.new(tmp_path / "net", 2, base_port=0, builtin_app="kvstore",
                       engine=Engine(tmp_path / "never-run", "0"))
    shutil.rmtree(net.manifest.nodes[1].home)
    with pytest.raises(HomeError) as caught:
        net.start()
    assert net.manifest.nodes[1].home in caught.value.text
    assert "gradus localnet up`" not in caught.value.hint and "another --dir" in caught.value.hint
    assert net.processes == {} and not Path(net.manifest.nodes[1].home).exists()


def test_network_moves_to_the_ports_that_are_asked_for_and_peers_follow(tmp_path: Path) -> None:
    net = Localnet.new(tmp_path / "net", 3, base_port=0, builtin_app="kvstore")
    wanted = choose_random(3, PortClaim(), avoid=net.manifest.ports)
    net.move(wanted)
    assert [node.rpc_port for node in Localnet(net.folder).manifest.nodes] == [wanted, wanted + 10, wanted + 20]
    for i, node in enumerate(net.manifest.nodes):
        values = tomllib.loads(node.paths.config.read_text())
        assert values["rpc"]["laddr"] == f"tcp://127.0.0.1:{wanted + 10 * i}"
        peers = values["p2p"]["persistent_peers"].split(",")
        assert peers == [f"{one.node_id}@127.0.0.1:{one.p2p_port}" for one in net.manifest.nodes if one is not node]
    net.move(0)
    assert str(wanted) in net.notices[-1] and "keeps its ports" in net.notices[-1]
    assert Localnet(net.folder).manifest.nodes[0].rpc_port == wanted


def test_copied_network_gets_a_branch_of_its_own_with_its_ports_and_the_original_none(tmp_path: Path) -> None:
    original = Localnet.new(tmp_path / "net", 2, base_port=0, builtin_app="kvstore")
    shutil.copytree(original.folder, tmp_path / "copy")
    copy = Localnet(tmp_path / "copy")
    copy.settle()
    words = {node.paths.branch.read_text() for node in copy.manifest.nodes}
    assert len(words) == 1
    assert not any(node.paths.branch.exists() for node in original.manifest.nodes)
    shutil.copytree(copy.folder, tmp_path / "again")
    again = Localnet(tmp_path / "again")
    again.settle()
    assert words.isdisjoint(node.paths.branch.read_text() for node in again.manifest.nodes)
    assert {node.paths.branch.read_text() for node in Localnet(copy.folder).manifest.nodes} == words


def test_move_that_meets_a_damaged_configuration_changes_none(tmp_path: Path) -> None:
    net = Localnet.new(tmp_path / "net", 3, base_port=0, builtin_app="kvstore")
    files = [*(node.paths.config for node in net.manifest.nodes), net.folder / "network.json"]
    files[2].write_text(files[2].read_text().replace("persistent_peers", "other"))
    before = [file.read_bytes() for file in files]
    with pytest.raises(HomeError, match="persistent_peers"):
        net.move(choose_random(3, PortClaim(), avoid=net.manifest.ports))
    assert [file.read_bytes() for file in files] == before


def test_move_that_meets_a_full_disk_leaves_every_configuration_whole(tmp_path: Path) -> None:
    net = Localnet.new(tmp_path / "net", 2, base_port=0, builtin_app="kvstore")
    wanted = choose_random(2, PortClaim(), avoid=net.manifest.ports)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    names = {path.name for path in (tmp_path / "net").rglob("*")}
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(HomeError):
            net.move(wanted)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert get_manifest(net.folder).nodes == net.manifest.nodes
    assert [get_wiring(node.paths.config).rpc_port for node in net.manifest.nodes] == [
        node.rpc_port for node in net.manifest.nodes]
    assert {path.name for path in (tmp_path / "net").rglob("*")} == names


@pytest.mark.parametrize("files_done", range(6))
def test_move_that_was_cut_short_anywhere_is_finished_by_the_next_start(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files_done: int) -> None:
    """The mark of the move, three configurations, network.json: dying before each write, and before the mark goes."""
    net = Localnet.new(tmp_path / "net", 3, base_port=0, builtin_app="kvstore")
    wanted = choose_random(3, PortClaim(), avoid=net.manifest.ports)
    replace = os.replace
    done: list[str] = []

    def replace_or_die(unfinished: Path, path: Path) -> None:
        if len(done) == files_done:
            raise SystemExit
        done.append(path.name)
        replace(unfinished, path)

    def die(_path: Path) -> None:
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(os, "replace", replace_or_die)
        patch.setattr(Path, "unlink", die)
        net.move(wanted)
    again = Localnet(net.folder)
    if done:
        with pytest.raises(HomeError, match="cut short") as caught:
            check_settled(again.manifest.nodes[1].paths)
        assert f"up --dir {net.folder}" in caught.value.hint
    again.settle()
    check_settled(again.manifest.nodes[1].paths)
    now = Localnet(net.folder).manifest
    assert (now.nodes[0].rpc_port == wanted) == bool(done)
    for node in now.nodes:
        values = tomllib.loads(node.paths.config.read_text())
        assert values["rpc"]["laddr"] == f"tcp://127.0.0.1:{node.rpc_port}"
        assert values["p2p"]["laddr"] == f"tcp://127.0.0.1:{node.p2p_port}"
        peers = {one.p2p_port for one in now.nodes if one != node}
        assert {int(peer.rpartition(":")[2]) for peer in values["p2p"]["persistent_peers"].split(",")} == peers


def test_damaged_mark_of_a_move_is_named(tmp_path: Path) -> None:
    net = Localnet.new(tmp_path / "net", 1, base_port=0, builtin_app="kvstore")
    (net.folder / "moving").write_text("soon")
    with pytest.raises(HomeError, match="moving is damaged") as caught:
        net.settle()
    assert caught.value.hint


def test_what_replaces_a_file_is_on_the_disk_before_its_name_and_the_name_after(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    sync, replace = os.fsync, os.replace

    def noted_sync(handle: int) -> None:
        calls.append(os.readlink(f"/proc/self/fd/{handle}"))
        sync(handle)

    def noted_replace(unfinished: Path, path: Path) -> None:
        calls.append("replace")
        replace(unfinished, path)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "replace", noted_replace)
    (tmp_path / "file").write_text("old")
    replace_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"
    assert calls == [str(tmp_path / f".file.{os.getpid()}"), "replace", str(tmp_path)]


def test_socket_named_by_a_moved_home_becomes_its_own(tmp_path: Path) -> None:
    net = Localnet.new(tmp_path / "old", 1, base_port=0)
    net.folder.rename(tmp_path / "new")
    home = Localnet(tmp_path / "new").manifest.nodes[0].paths
    before = get_wiring(home.config)
    assert before.socket is not None and before.socket != socket_path(home)
    assert put_own_socket(home, before).socket == get_wiring(home.config).socket == socket_path(home)


def test_short_folder_of_a_socket_goes_with_the_socket(tmp_path: Path) -> None:
    home = Home(tmp_path / ("deep/" * 30) / "node0")
    socket = socket_path(home)
    prepare_socket_folder(socket)
    with socket_module.socket(socket_module.AF_UNIX) as server:
        server.bind(str(socket))
    remove_socket(home, socket)
    assert not socket.parent.exists()
