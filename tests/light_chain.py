"""Chains of light blocks signed by keys of tests, and nodes that show them: for tests of the light client.

    blocks = new_blocks([{1: 10, 2: 10}] * 5 + [{3: 10}] * 5)      # validators by the seed of their key: power
    client = LightClient(CHAIN_ID, FakeSource(blocks), clock=now_after(blocks))
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abci_app.client.errors import NodeUnreachable
from abci_app.client.light.blocks import (
    ABSENT, BLOCK_PROTOCOL, COMMIT, NIL, NS, ZERO_TIME_NS, BlockId, Commit, CommitSig, Header, LightBlock, Validator,
    ValidatorSet, address_of,
)
from abci_app.client.light.errors import HeightMissing, HeightTooHigh
from abci_app.client.light.signatures import vote_bytes

CHAIN_ID = "light-test-1"
START_NS = 1_800_000_000 * NS
BLOCK_NS = NS
Powers = Mapping[int, int]


@lru_cache(maxsize=None)
def key_of(seed: int) -> Ed25519PrivateKey:
    """The key of a seed."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"validator %d" % seed).digest())


@lru_cache(maxsize=None)
def validator_of(seed: int, power: int) -> Validator:
    """The validator of a seed."""
    key = key_of(seed).public_key().public_bytes_raw()
    return Validator(address_of(key), key, power)


def new_set(powers: Powers) -> ValidatorSet:
    """Validators by seed, in the engine's order."""
    found = [validator_of(seed, powers[seed]) for seed in powers]
    return ValidatorSet(tuple(sorted(found, key=lambda one: (-one.power, one.address))))


def sign(header: Header, validators: ValidatorSet, powers: Powers, round_: int = 0, nil: Collection[int] = (),
         absent: Collection[int] = ()) -> LightBlock:
    """A header with the commit of its validators; nil, absent: seeds that vote for no block, or not at all."""
    seeds = {validator_of(seed, powers[seed]).address: seed for seed in powers}
    votes = []
    for one in validators.validators:
        seed = seeds[one.address]
        flag = NIL if seed in nil else COMMIT
        votes.append(CommitSig(ABSENT, b"", ZERO_TIME_NS, b"") if seed in absent else
                     CommitSig(flag, one.address, header.time_ns + seed, b""))
    block_id = BlockId(header.hash, 1, hashlib.sha256(header.hash).digest())
    commit = Commit(header.height, round_, block_id, tuple(votes))
    signed = tuple(vote if vote.flag == ABSENT else
                   replace(vote, signature=key_of(seeds[vote.address]).sign(vote_bytes(header.chain_id, commit, index)))
                   for index, vote in enumerate(votes))
    return LightBlock(header, replace(commit, signatures=signed), validators)


def new_header(height: int, time_ns: int, last: BlockId, validators: ValidatorSet, following: ValidatorSet,
               app_hash: bytes = b"\xaa" * 32, chain_id: str = CHAIN_ID) -> Header:
    """A header with these validators."""
    empty = hashlib.sha256(b"").digest()
    return Header(BLOCK_PROTOCOL, 0, chain_id, height, time_ns, last, empty, empty, validators.hash, following.hash,
                  hashlib.sha256(b"params").digest(), app_hash, empty, empty, validators.validators[0].address)


def new_blocks(sets: Sequence[Powers], start: LightBlock | None = None, app_hash: bytes = b"\xaa" * 32,
               nil: Collection[int] = (), absent: Collection[int] = ()) -> list[LightBlock]:
    """A block for each set, the first of height 1 or, for a branch, next to `start`."""
    blocks: list[LightBlock] = [] if start is None else [start]
    for index, powers in enumerate(sets):
        following = sets[min(index + 1, len(sets) - 1)]
        last = blocks[-1].commit.block_id if blocks else BlockId(b"", 0, b"")
        height = blocks[-1].height + 1 if blocks else 1
        header = new_header(height, START_NS + height * BLOCK_NS, last, new_set(powers), new_set(following), app_hash)
        blocks.append(sign(header, new_set(powers), powers, nil=nil, absent=absent))
    return blocks if start is None else blocks[1:]


def now_after(blocks: Sequence[LightBlock]) -> Callable[[], int]:
    """A clock that shows the time of the last block."""
    return lambda: blocks[-1].header.time_ns + NS


@dataclass
class FakeSource:
    """A node that shows blocks and remembers which heights it was asked for. lag: times that its newest is not there.

    lowest: it has pruned what is below."""

    blocks: Sequence[LightBlock]
    url: str = "fake:primary"
    lag: int = 0
    lowest: int = 1
    is_down: bool = False
    asked: list[int] = field(default_factory=list)

    def light_block(self, height: int) -> LightBlock:
        """The block at a height."""
        if self.is_down:
            raise NodeUnreachable(f"no node answers at {self.url}")
        self.asked.append(height)
        found = {block.height: block for block in self.blocks}
        newest = max(found)
        if height > newest or height == newest and self.lag > 0:
            self.lag -= 1
            raise HeightTooHigh(f"{self.url} has no block {height} yet")
        if height < self.lowest or height not in found:
            raise HeightMissing(f"{self.url} no longer has block {height}")
        return found[height]

    def latest_height(self) -> int:
        """The height of its newest block."""
        return max(block.height for block in self.blocks)
