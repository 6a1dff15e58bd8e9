"""Account keys: secp256k1, from a mnemonic or drawn, kept in a folder with one JSON file a key.

A file holds the private key encrypted under a passphrase (scrypt, then AES-256-GCM bound to the public key), or, for
test networks only, in plain. Files are private to their owner (0600) from the first byte on and are never replaced.
Source: BIP-39, BIP-32, BIP-44 (path m/44'/118'/0'/0/0, as Cosmos wallets use it).
"""

import hmac
import json
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coincurve import PrivateKey
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from mnemonic import Mnemonic

from abci_app.client.private import put_private_file
from abci_app.wire.address import account_address, encode_address

HD_PATH = "m/44'/118'/0'/0/0"
FORMAT = 1
PASSPHRASE_CHARS_MIN = 8
SCRYPT_LOG_N = 17
SCRYPT_LOG_N_MAX = 20
PLAIN_WARNING = "NOT ENCRYPTED: whoever reads this file has the coins. For test networks only."
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_HARDENED = 1 << 31
LOCALNET_HINT = "keys of a localnet lie in its folder: name it with --home or GRADUS_HOME"


class KeyringError(Exception):
    """A key cannot be made, found or opened. `hint` says what to do, `exit_status` what a command ends with."""

    exit_status = 1

    def __init__(self, text: str, hint: str = "") -> None:
        self.text, self.hint = text, hint
        super().__init__(f"{text} ({hint})" if hint else text)


class KeyMissing(KeyringError):
    """A key was named that is not there."""

    exit_status = 2


class KeyNameInvalid(KeyringError):
    """What was given is no name for a key."""

    exit_status = 2


@dataclass(frozen=True, slots=True)
class Key:
    """A private key (32 bytes) that can sign."""

    private: bytes = field(repr=False)

    @property
    def public(self) -> bytes:
        """33 bytes, compressed."""
        return PrivateKey(self.private).public_key.format()

    @property
    def address(self) -> bytes:
        """20 bytes."""
        return account_address(self.public)

    @property
    def bech32(self) -> str:
        """The address as text."""
        return encode_address(self.address)

    def sign(self, message: bytes) -> bytes:
        """64 bytes r‖s with low s over SHA-256(message); the same for the same message (RFC 6979)."""
        return PrivateKey(self.private).sign_recoverable(message)[:64]


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What a key's file says without a passphrase. is_plain: the private key stands in it unencrypted."""

    name: str
    address: str
    public: bytes
    is_plain: bool


def new_key() -> Key:
    """A key drawn from the system's randomness."""
    return Key(PrivateKey().secret)


def new_mnemonic() -> str:
    """24 English words, from 256 random bits."""
    return str(Mnemonic("english").generate(256))


def derive_key(words: str, path: str = HD_PATH) -> Key:
    """The key of a mnemonic (12 to 24 English words) at a BIP-32 path.

    KeyringError when a word, the checksum or the path is wrong.
    """
    words = " ".join(words.split()).lower()
    english = Mnemonic("english")
    unknown = [str(place) for place, word in enumerate(words.split(), 1) if word not in english.wordlist]
    if unknown:
        raise KeyringError(f"not in the BIP-39 word list: word {', '.join(unknown)}", "check the spelling")
    if not english.check(words):
        raise KeyringError("the mnemonic's checksum is wrong", "check the number and the order of the words")
    return Key(derive_private(Mnemonic.to_seed(words), path))


def derive_private(seed: bytes, path: str) -> bytes:
    """The private key (32 bytes) at a BIP-32 path such as m/44'/118'/0'/0/0. KeyringError when the path is wrong."""
    node = hmac.digest(b"Bitcoin seed", seed, "sha512")
    private, chain_code = PrivateKey(node[:32]), node[32:]
    for index in _parse_path(path):
        parent = b"\x00" + private.secret if index >= _HARDENED else private.public_key.format()
        node = hmac.digest(chain_code, parent + index.to_bytes(4, "big"), "sha512")
        private, chain_code = private.add(node[:32]), node[32:]
    return private.secret


def _parse_path(path: str) -> list[int]:
    first, *steps = path.split("/")
    indices = []
    for step in steps:
        number, hardened = step.rstrip("'"), step.endswith("'")
        if not re.fullmatch(r"[0-9]{1,10}'?", step) or int(number) >= _HARDENED:
            raise KeyringError(f"{path} is not a derivation path", f"the usual one is {HD_PATH}")
        indices.append(int(number) + (_HARDENED if hardened else 0))
    if first != "m":
        raise KeyringError(f"{path} is not a derivation path", f"the usual one is {HD_PATH}")
    return indices


def put_key_file(path: Path, name: str, key: Key, passphrase: str | None) -> KeyInfo:
    """Write a key to a new file; `passphrase` None leaves it in plain. KeyringError rather than replace a file."""
    record: dict[str, Any] = {"format": FORMAT, "name": name, "address": key.bech32, "public_key": key.public.hex()}
    if passphrase is None:
        record |= {"backend": "test", "warning": PLAIN_WARNING, "private_key": key.private.hex()}
    else:
        record |= {"backend": "encrypted"} | _encrypt(key, passphrase)
    try:
        put_private_file(path, json.dumps(record, indent=2) + "\n")
    except FileExistsError:
        raise KeyringError(f"{path} exists already", "keys are never replaced: choose another name") from None
    except OSError as error:
        raise KeyringError(f"cannot write {path}: {error.strerror}", "check the folder") from None
    return KeyInfo(name, key.bech32, key.public, passphrase is None)


def get_key_info(path: Path) -> KeyInfo:
    """What a key's file says without a passphrase. KeyringError when it is absent or damaged."""
    return _read(path)[0]


def get_key(path: Path, passphrase: str | None = None) -> Key:
    """The key in a file. KeyringError when the file is absent or damaged, or the passphrase missing or wrong."""
    info, record = _read(path)
    try:
        if info.is_plain:
            key = Key(bytes.fromhex(record["private_key"]))
        elif passphrase is None:
            raise KeyringError(f"key {info.name} is encrypted", "give its passphrase")
        else:
            key = Key(_decrypt(record, info.public, passphrase))
        if key.public != info.public:
            raise ValueError("the private key does not belong to the public key")
    except InvalidTag:
        raise KeyringError(f"wrong passphrase for key {info.name}", "try again; it cannot be recovered") from None
    except (KeyError, TypeError, ValueError) as error:
        raise KeyringError(f"{path} is damaged: {error}", "restore it from its mnemonic") from None
    return key


def _read(path: Path) -> tuple[KeyInfo, dict[str, Any]]:
    try:
        record = json.loads(path.read_text())
        if record["format"] != FORMAT or record["backend"] not in ("test", "encrypted"):
            raise KeyringError(f"{path} is of an unknown format", "use the version of gradus that wrote it")
        public = bytes.fromhex(record["public_key"])
        if encode_address(account_address(public)) != record["address"]:
            raise ValueError("the address does not belong to the public key")
        return KeyInfo(str(record["name"]), record["address"], public, record["backend"] == "test"), record
    except FileNotFoundError:
        raise KeyMissing(f"there is no key {path.stem} in {path.parent}",
                         f"`gradus keys list` shows those that are; {LOCALNET_HINT}") from None
    except OSError as error:
        raise KeyringError(f"cannot read {path}: {error.strerror}", "check who owns the file") from None
    except KeyringError:
        raise
    except Exception as error:
        raise KeyringError(f"{path} is damaged: {error}", "restore it from its mnemonic") from None


def _encrypt(key: Key, passphrase: str) -> dict[str, Any]:
    if len(passphrase) < PASSPHRASE_CHARS_MIN:
        raise KeyringError("the passphrase is too short", f"take at least {PASSPHRASE_CHARS_MIN} characters")
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    sealed = AESGCM(_stretch(passphrase, salt, SCRYPT_LOG_N)).encrypt(nonce, key.private, key.public)
    return {"scrypt_log_n": SCRYPT_LOG_N, "salt": salt.hex(), "nonce": nonce.hex(), "sealed": sealed.hex()}


def _decrypt(record: dict[str, Any], public: bytes, passphrase: str) -> bytes:
    log_n = record["scrypt_log_n"]
    if not isinstance(log_n, int) or not 10 <= log_n <= SCRYPT_LOG_N_MAX:
        raise ValueError("scrypt_log_n is out of range")
    secret = _stretch(passphrase, bytes.fromhex(record["salt"]), log_n)
    return AESGCM(secret).decrypt(bytes.fromhex(record["nonce"]), bytes.fromhex(record["sealed"]), public)


def _stretch(passphrase: str, salt: bytes, log_n: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=1 << log_n, r=8, p=1).derive(passphrase.encode())


@dataclass(frozen=True)
class Keyring:
    """Keys by name in a folder."""

    folder: Path

    def put(self, name: str, key: Key, passphrase: str | None) -> KeyInfo:
        """Keep a new key; `passphrase` None leaves it in plain, for test networks only.

        KeyringError for a name that is not 1 to 32 of a-z 0-9 _ - or is taken, or a passphrase that is too short.
        """
        path = self._path(name)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return put_key_file(path, name, key, passphrase)

    def get_info(self, name: str) -> KeyInfo:
        """What can be known of a key without its passphrase. KeyringError when there is none."""
        return get_key_info(self._path(name))

    def get(self, name: str, passphrase: str | None = None) -> Key:
        """A key, to sign with. KeyringError when there is none, or for a missing or wrong passphrase."""
        return get_key(self._path(name), passphrase)

    def has(self, name: str) -> bool:
        """Whether there is a key of this name."""
        return self._path(name).exists()

    def infos(self) -> list[KeyInfo]:
        """All keys by name."""
        return [get_key_info(path) for path in sorted(self.folder.glob("*.json"))]

    def drop(self, name: str) -> None:
        """Delete a key for good. KeyringError when there is none."""
        path = self._path(name)
        get_key_info(path)
        path.unlink()

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise KeyNameInvalid(f"{name!r} is not a name for a key", "1 to 32 of a-z, 0-9, _ and -, such as alice")
        return self.folder / f"{name}.json"
