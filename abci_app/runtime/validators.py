"""The validator set as the engine and the rooms speak of it: its genesis, who voted, what blocks prove, what changes.

Keys are ed25519, addresses the first 20 bytes of SHA-256 of the key. Source: CometBFT spec/abci, ValidatorUpdate and
Misbehavior.
"""

from dataclasses import dataclass

POWER_MAX = (2**63 - 1) // 8  # of all validators together (CometBFT types.MaxTotalVotingPower)
FLAG_COMMIT = 2  # a precommit for the block (CometBFT types.BlockIDFlagCommit)


@dataclass(frozen=True, slots=True)
class ValidatorUpdate:
    """A validator (ed25519 key, 32 bytes) and its power from two blocks on; 0 removes it."""

    pub_key: bytes
    power: int


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """What a block's evidence proves of one validator: an entry of the block, as the engine wrote it.

    kind: 1 two votes for one round, 2 part in an attack on light clients. address: consensus address. height, time_ns:
    of the misbehaviour. power, total_power: of the validator and of all, then. One evidence may give several entries,
    and the validator may have left the set since.
    """

    kind: int
    address: bytes
    height: int
    time_ns: int
    power: int
    total_power: int


@dataclass(frozen=True, slots=True)
class CommitVote:
    """A validator's part in a commit. flag: FLAG_COMMIT, or another word of the engine for no vote for the block."""

    address: bytes
    power: int
    flag: int


@dataclass(frozen=True, slots=True)
class LastCommit:
    """The precommits for the block before, as the block carries them: their round, and all of that set in its order.

    Empty in the first block of a chain.
    """

    round: int = 0
    votes: tuple[CommitVote, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundingValidator:
    """A validator of the genesis. key_type: as the engine names it, such as ed25519."""

    key_type: str
    pub_key: bytes
    power: int


@dataclass(frozen=True, slots=True)
class Founding:
    """What the engine's genesis says beside the app's own document: who validates, and how long evidence counts.

    Evidence counts until it is older than both evidence_blocks and evidence_ns. Empty for a chain without an engine.
    """

    validators: tuple[FoundingValidator, ...] = ()
    key_types: tuple[str, ...] = ()
    evidence_blocks: int = 0
    evidence_ns: int = 0
