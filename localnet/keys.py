"""A node's two ed25519 keys and the files CometBFT keeps them in.

Source: CometBFT v0.38 privval/file.go, p2p/key.go, crypto/ed25519/ed25519.go (address = first 20 bytes of
SHA-256 of the public key; the private key file holds seed and public key together).
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abci_app.client.private import put_private_file

PRIVATE_TYPE = "tendermint/PrivKeyEd25519"
PUBLIC_TYPE = "tendermint/PubKeyEd25519"


@dataclass(frozen=True)
class EngineKey:
    """One ed25519 key. seed and public: 32 bytes each."""

    seed: bytes
    public: bytes

    @property
    def address(self) -> bytes:
        """20 bytes: a validator's consensus address, and as hex a node's peer id."""
        return hashlib.sha256(self.public).digest()[:20]

    @property
    def private_json(self) -> dict[str, str]:
        """The private key as CometBFT writes it."""
        return {"type": PRIVATE_TYPE, "value": base64.b64encode(self.seed + self.public).decode()}

    @property
    def public_json(self) -> dict[str, str]:
        """The public key as CometBFT writes it."""
        return {"type": PUBLIC_TYPE, "value": base64.b64encode(self.public).decode()}


def new_engine_key() -> EngineKey:
    """Draw a key from the system's randomness."""
    key = Ed25519PrivateKey.generate()
    return EngineKey(key.private_bytes_raw(), key.public_key().public_bytes_raw())


def put_validator_key(path: Path, key: EngineKey) -> None:
    """Write priv_validator_key.json, mode 0600; FileExistsError rather than replace a key."""
    record = {"address": key.address.hex().upper(), "pub_key": key.public_json, "priv_key": key.private_json}
    put_private(path, json.dumps(record, indent=2))


def put_node_key(path: Path, key: EngineKey) -> None:
    """Write node_key.json, mode 0600; FileExistsError rather than replace a key."""
    put_private(path, json.dumps({"priv_key": key.private_json}))


def put_private(path: Path, text: str) -> None:
    """Write a new file that only its owner can read, whole or not at all."""
    put_private_file(path, text + "\n")
