"""Headers, commits and validator sets of the engine, and their hashes. Pure.

A header's hash is the root of an RFC-6962 tree over its fourteen fields, each as protobuf bytes (numbers, texts and
hashes wrapped in the message of google.protobuf's wrappers; what is zero is the empty leaf); a validator set's is the
root over SimpleValidator{public key, power} in the engine's order. Times are integers: nanoseconds since 1970.
Source: CometBFT v0.38 types/{block,validator,validator_set,encoding_helper}.go, proto/tendermint/types/types.proto.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

from abci_app.wire.fields import encode_bytes, encode_uint
from abci_app.wire.merkle import merkle_root

ADDRESS_BYTES = 20
CHAIN_ID_BYTES_MAX = 50
BLOCK_PROTOCOL = 11
VALIDATORS_MAX = 10_000
POWER_MAX = (2**63 - 1) // 8
NS = 1_000_000_000
ZERO_TIME_NS = -62_135_596_800 * NS  # 0001-01-01, the engine's word for no time
ABSENT, COMMIT, NIL = 1, 2, 3


@dataclass(frozen=True, slots=True)
class BlockId:
    """What a vote names: the header's hash, and hash and number of the parts that the block is gossiped in."""

    hash: bytes
    parts_total: int
    parts_hash: bytes

    def encode(self) -> bytes:
        """tendermint.types.BlockID, and CanonicalBlockID too."""
        parts = encode_uint(1, self.parts_total) + _bytes(2, self.parts_hash)
        return _bytes(1, self.hash) + encode_bytes(2, parts)


@dataclass(frozen=True)
class Header:
    """A block's header. app_hash: of the state after the block before."""

    version_block: int
    version_app: int
    chain_id: str
    height: int
    time_ns: int
    last_block_id: BlockId
    last_commit_hash: bytes
    data_hash: bytes
    validators_hash: bytes
    next_validators_hash: bytes
    consensus_hash: bytes
    app_hash: bytes
    last_results_hash: bytes
    evidence_hash: bytes
    proposer_address: bytes

    @cached_property
    def hash(self) -> bytes:
        """32 bytes: what the validators sign."""
        return merkle_root([
            encode_uint(1, self.version_block) + encode_uint(2, self.version_app),
            _bytes(1, self.chain_id.encode()), encode_uint(1, self.height), encode_time(self.time_ns),
            self.last_block_id.encode(), _bytes(1, self.last_commit_hash), _bytes(1, self.data_hash),
            _bytes(1, self.validators_hash), _bytes(1, self.next_validators_hash), _bytes(1, self.consensus_hash),
            _bytes(1, self.app_hash), _bytes(1, self.last_results_hash), _bytes(1, self.evidence_hash),
            _bytes(1, self.proposer_address)])


@dataclass(frozen=True, slots=True)
class CommitSig:
    """One validator's precommit. flag: COMMIT for the block, NIL for none; ABSENT: no vote, and all else is empty."""

    flag: int
    address: bytes
    time_ns: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """The precommits that made a block final, one for each validator of the block's set, in its order."""

    height: int
    round: int
    block_id: BlockId
    signatures: tuple[CommitSig, ...]


@dataclass(frozen=True, slots=True)
class Validator:
    """key: ed25519, 32 bytes. power: 1..POWER_MAX."""

    address: bytes
    key: bytes
    power: int


@dataclass(frozen=True)
class ValidatorSet:
    """Validators in the engine's order: power falling, then address rising. Their addresses differ."""

    validators: tuple[Validator, ...]

    @cached_property
    def hash(self) -> bytes:
        """32 bytes: a header's validators_hash."""
        return merkle_root([encode_bytes(1, encode_bytes(1, one.key)) + encode_uint(2, one.power)
                            for one in self.validators])

    @cached_property
    def power(self) -> int:
        """Of all together."""
        return sum(one.power for one in self.validators)

    @cached_property
    def by_address(self) -> dict[bytes, Validator]:
        """The validators by address."""
        return {one.address: one for one in self.validators}


@dataclass(frozen=True, slots=True)
class LightBlock:
    """A header, the commit for it and the validators who were to sign it."""

    header: Header
    commit: Commit
    validators: ValidatorSet

    @property
    def height(self) -> int:
        """Of the block."""
        return self.header.height

    @property
    def hash(self) -> bytes:
        """Of the header."""
        return self.header.hash


def address_of(key: bytes) -> bytes:
    """The address of a validator's ed25519 key."""
    return hashlib.sha256(key).digest()[:ADDRESS_BYTES]


def encode_time(time_ns: int) -> bytes:
    """google.protobuf.Timestamp; seconds before 1970 are negative, nanoseconds never."""
    seconds, nanos = divmod(time_ns, NS)
    return encode_uint(1, seconds & (1 << 64) - 1) + encode_uint(2, nanos)


def _bytes(number: int, value: bytes) -> bytes:
    """A length-delimited field, nothing when it is empty."""
    return encode_bytes(number, value) if value else b""
