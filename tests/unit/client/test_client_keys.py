"""Key derivation against the vectors of BIP-32 and BIP-39, and the folder of keys."""

import json
import stat
from pathlib import Path

import pytest

from abci_app.client.keys import (
    PLAIN_WARNING, Key, Keyring, KeyringError, derive_key, derive_private, get_key, new_key, new_mnemonic,
)
from abci_app.wire.signature import is_valid_signature
from tests.chain import new_test_key

PASSPHRASE = "correct horse"

BIP32 = [
    ("000102030405060708090a0b0c0d0e0f", "m", "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35"),
    ("000102030405060708090a0b0c0d0e0f", "m/0'", "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea"),
    ("000102030405060708090a0b0c0d0e0f", "m/0'/1",
     "3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368"),
    ("000102030405060708090a0b0c0d0e0f", "m/0'/1/2'",
     "cbce0d719ecf7431d88e6a89fa1483e02e35092af60c042b1df2ff59fa424dca"),
    ("000102030405060708090a0b0c0d0e0f", "m/0'/1/2'/2",
     "0f479245fb19a38a1954c5c7c0ebab2f9bdfd96a17563ef28a6a4b1a2a764ef4"),
    ("000102030405060708090a0b0c0d0e0f", "m/0'/1/2'/2/1000000000",
     "471b76e389e528d6de6d816857e012c5455051cad6660850e58372a6c3e6e7c8"),
    ("fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c696663605d5a"
     "5754514e4b484542", "m/0/2147483647'/1/2147483646'/2",
     "bb7d39bdb83ecf58f2fd82b6d918341cbef428661ef01ab97c28a4842125ac23"),
    ("4b381541583be4423346c643850da4b320e46a87ae3d2a4e6da11eba819cd4acba45d239319ac14f863b8d5ab5a0d0c64d2e8a1e7d1457df"
     "2e5a3c51c73235be", "m/0'", "491f7a2eebc7b57028e0d3faa0acda02e75c33b03c48fb288c41e2ea44e1daef"),
    ("3ddd5602285899a946114506157c7997e5444528f3003f6134712147db19b678", "m/0'/1'",
     "3a2086edd7d9df86c3487a5905a1712a9aa664bce8cc268141e07549eaa8661d"),
]


@pytest.mark.parametrize(("seed", "path", "private"), BIP32)
def test_derivation_gives_the_vectors_of_bip32(seed: str, path: str, private: str) -> None:
    """The third and fourth seed give keys with leading zeros, which must not be dropped."""
    assert derive_private(bytes.fromhex(seed), path).hex() == private


def test_mnemonic_gives_the_address_that_cosmos_wallets_show() -> None:
    key = derive_key("  Abandon " + "abandon " * 10 + "\nABOUT ")
    assert key.public.hex() == "024f4e2ad99c34d60b9ba6283c9431a8418af8673212961f97a77b6377fcd05b62"
    assert key.bech32 == "gradus19rl4cm2hmr8afy4kldpxz3fka4jguq0aym50vu"


@pytest.mark.parametrize(("words", "message"), [
    ("abandon " * 12, "checksum"), ("abandon " * 10 + "about", "checksum"), ("", "checksum"),
    ("abandon " * 11 + "abut", "word 12"), ("x " * 2 + "abandon " * 10, "word 1, 2"),
])
def test_wrong_mnemonic_is_refused_and_named(words: str, message: str) -> None:
    with pytest.raises(KeyringError, match=message):
        derive_key(words)


@pytest.mark.parametrize("path", ["", "44'/118'", "m/", "m/x", "m/-1", "m/2147483648", "m/1''", "m/0h", "m//1", "M/1"])
def test_wrong_path_is_refused(path: str) -> None:
    with pytest.raises(KeyringError, match="path"):
        derive_key("abandon " * 11 + "about", path)


def test_new_keys_differ_and_sign() -> None:
    words = new_mnemonic()
    key = derive_key(words)
    assert len(words.split()) == 24 and new_mnemonic() != words and new_key() != new_key()
    assert is_valid_signature(key.public, b"message", key.sign(b"message"))


def test_private_key_does_not_show_when_a_key_is_printed() -> None:
    key = new_test_key("alice")
    assert key.private.hex() not in repr(key) and str(key.private) not in repr(key)


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys")


def test_encrypted_key_comes_back_with_its_passphrase(keyring: Keyring) -> None:
    key = new_test_key("alice")
    info = keyring.put("alice", key, PASSPHRASE)
    assert keyring.get("alice", PASSPHRASE) == key
    assert keyring.get_info("alice") == info and not info.is_plain and info.address == key.bech32
    path = keyring.folder / "alice.json"
    assert key.private.hex() not in path.read_text()
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(keyring.folder.stat().st_mode)) == (0o600, 0o700)


def test_missing_or_wrong_passphrase_is_refused(keyring: Keyring) -> None:
    keyring.put("alice", new_test_key("alice"), PASSPHRASE)
    with pytest.raises(KeyringError, match="encrypted"):
        keyring.get("alice")
    with pytest.raises(KeyringError, match="wrong passphrase"):
        keyring.get("alice", PASSPHRASE + "!")


def test_plain_key_says_so(keyring: Keyring) -> None:
    key = new_test_key("bob")
    assert keyring.put("bob", key, None).is_plain
    record = json.loads((keyring.folder / "bob.json").read_text())
    assert (record["warning"], record["backend"], keyring.get("bob")) == (PLAIN_WARNING, "test", key)


def test_short_passphrase_is_refused_and_leaves_no_file(keyring: Keyring) -> None:
    with pytest.raises(KeyringError, match="too short"):
        keyring.put("alice", new_test_key("alice"), "1234567")
    assert not keyring.has("alice")


def test_key_is_never_replaced(keyring: Keyring) -> None:
    keyring.put("alice", new_test_key("alice"), None)
    with pytest.raises(KeyringError, match="exists already"):
        keyring.put("alice", new_test_key("mallory"), None)
    assert keyring.get("alice") == new_test_key("alice")


@pytest.mark.parametrize("name", [
    "", ".", "..", "../alice", "a/b", "Alice", "a b", "-a", "a" * 33, "a\n", "é", "a.json",
])
def test_name_is_checked_everywhere(keyring: Keyring, name: str) -> None:
    for use in (lambda: keyring.put(name, new_test_key("a"), None), lambda: keyring.get(name),
                lambda: keyring.get_info(name), lambda: keyring.has(name), lambda: keyring.drop(name)):
        with pytest.raises(KeyringError, match="not a name"):
            use()


def test_keys_are_listed_by_name_and_dropped(keyring: Keyring) -> None:
    assert keyring.infos() == []
    for name in ("bob", "alice"):
        keyring.put(name, new_test_key(name), None)
    assert [info.name for info in keyring.infos()] == ["alice", "bob"]
    keyring.drop("alice")
    assert not keyring.has("alice") and keyring.has("bob")
    with pytest.raises(KeyringError, match="there is no key alice"):
        keyring.drop("alice")


@pytest.mark.parametrize("change", [
    {"format": 2}, {"backend": "other"}, {"address": new_test_key("bob").bech32},
    {"public_key": new_test_key("bob").public.hex()},
    {"public_key": new_test_key("bob").public.hex(), "address": new_test_key("bob").bech32},
    {"private_key": "00"}, {"private_key": 5}, {"private_key": new_test_key("bob").private.hex()},
])
def test_damaged_file_is_named(keyring: Keyring, change: dict[str, object]) -> None:
    keyring.put("alice", new_test_key("alice"), None)
    path = keyring.folder / "alice.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(KeyringError, match="alice.json"):
        keyring.get("alice")


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "\udcff", "{"])
def test_file_that_is_no_key_is_named(keyring: Keyring, text: str) -> None:
    keyring.folder.mkdir()
    (keyring.folder / "alice.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(KeyringError, match="alice.json"):
        keyring.get_info("alice")


@pytest.mark.parametrize("log_n", [0, 9, 21, 64, "17", None])
def test_costs_that_nobody_could_pay_are_refused(keyring: Keyring, log_n: object) -> None:
    keyring.put("alice", new_test_key("alice"), None)
    path = keyring.folder / "alice.json"
    record = json.loads(path.read_text()) | {"backend": "encrypted", "scrypt_log_n": log_n, "salt": "", "nonce": "",
                                             "sealed": ""}
    path.write_text(json.dumps(record))
    with pytest.raises(KeyringError, match="damaged"):
        get_key(path, PASSPHRASE)


def test_sealed_key_is_bound_to_its_public_key(keyring: Keyring) -> None:
    """A file whose sealed part was taken from another key's file does not open."""
    keyring.put("alice", new_test_key("alice"), PASSPHRASE)
    path, bob = keyring.folder / "alice.json", new_test_key("bob")
    changed = {"public_key": bob.public.hex(), "address": bob.bech32}
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(KeyringError, match="wrong passphrase"):
        keyring.get("alice", PASSPHRASE)


def test_key_is_the_same_object_to_equality_and_hash() -> None:
    assert Key(b"\1" * 32) == Key(b"\1" * 32) and len({Key(b"\1" * 32), Key(b"\1" * 32)}) == 1
