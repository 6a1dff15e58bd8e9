"""Validators of tests: keys made from names, what they sign with their precommits, and what a proposer has of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abci_app.runtime.module import LastVotes
from abci_app.wire.audit import extension_sign_bytes


class Signer:
    """A validator with the ed25519 key of its name."""

    def __init__(self, name: str) -> None:
        self.secret = hashlib.sha256(b"gradus test validator " + name.encode()).digest()

    @cached_property
    def key(self) -> Ed25519PrivateKey:
        """The private key."""
        return Ed25519PrivateKey.from_private_bytes(self.secret)

    @cached_property
    def pub_key(self) -> bytes:
        """The public key, 32 bytes."""
        return self.key.public_key().public_bytes_raw()

    @cached_property
    def address(self) -> bytes:
        """The consensus address, 20 bytes."""
        return hashlib.sha256(self.pub_key).digest()[:20]

    def sign(self, chain_id: str, height: int, round_number: int, extension: bytes) -> bytes:
        """The signature over an extension of a precommit."""
        return self.key.sign(extension_sign_bytes(chain_id, height, round_number, extension))


@dataclass(frozen=True)
class Source:
    """What a proposer of a test knows. Implements ProposerSource."""

    last_votes: LastVotes = (0, 0, ())
    answers: Mapping[bytes, bytes] = field(default_factory=dict)
    told: Mapping[bytes, tuple[bytes, ...]] = field(default_factory=dict)

    def votes(self) -> LastVotes:
        """See ProposerSource."""
        return self.last_votes

    def find_answers(self, subject: bytes) -> tuple[bytes, ...]:
        """See ProposerSource."""
        own = (self.answers[subject],) if subject in self.answers else ()
        return own + self.told.get(subject, ())
