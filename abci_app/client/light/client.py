"""The light client: from a trusted block to any other of the chain, by as few blocks as the validators' changes allow.

Later blocks are reached by skipping with bisection, earlier ones by the chain of hashes. What is reached is compared
with what other nodes have at that height: a difference ends everything, and is told with what proves it.
Source: CometBFT v0.38 light/{client,detector}.go.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from abci_app.client.errors import ClientError, NodeRefused, NodeUnreachable
from abci_app.client.light.blocks import LightBlock
from abci_app.client.light.blocks_json import Json, write_light_block, write_time
from abci_app.client.light.errors import ELSEWHERE, Diverged, HeightTooHigh, LightError, NotTrusted
from abci_app.client.light.source import Source
from abci_app.client.light.verify import (
    RENEW, Rules, check_fresh, check_light_block, check_not_ahead, verify_backward, verify_forward,
)

BLOCKS_MAX = 5_000
SIGNATURES_MAX = 500_000
BACKWARD_MAX = 1_000
WAIT_S = 20.0
POLL_S = 0.25
FORK = "do not use this chain's data before you know which of the two is right"
OTHER_WITNESS = "name other nodes with --witness, or leave this one out"


@dataclass(slots=True)
class Budget:
    """What one verification may cost at most, so that a node cannot keep a client busy for ever."""

    blocks: int = BLOCKS_MAX
    signatures: int = SIGNATURES_MAX

    def spend(self, block: LightBlock) -> None:
        """Take one block into account. Raises LightError when there is nothing left."""
        self.blocks -= 1
        self.signatures -= len(block.commit.signatures)
        if self.blocks < 0 or self.signatures < 0:
            raise LightError("too many blocks lie between the trusted one and the one that is wanted", RENEW)


@dataclass(frozen=True, slots=True)
class Trust:
    """What a client believes. root: the block that all rests on; is_given: by the user, else by the first node's word.
    latest: the newest block that was verified from it."""

    root: LightBlock
    is_given: bool
    latest: LightBlock


@dataclass
class LightClient:
    """Verifies blocks of one chain. agreed: the nodes that confirmed the last one; notes: what its user should know.

    clock: nanoseconds since 1970. sleep: waits so many seconds. fetched: blocks that were asked of the primary.
    """

    chain_id: str
    primary: Source
    witnesses: Sequence[Source] = ()
    rules: Rules = Rules()
    clock: Callable[[], int] = time.time_ns
    sleep: Callable[[float], None] = time.sleep
    wait_s: float = WAIT_S
    agreed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    fetched: int = 0

    def begin(self, height: int, block_hash: bytes | None) -> Trust:
        """Believe a block: of that hash when the user gave one, else the primary's, on its word.

        Raises LightError when it is another, is not signed by its own validators, is too old, or a witness differs.
        """
        block = self._fetch(self.primary, height)
        if block_hash is not None and block.hash != block_hash:
            raise LightError(f"block {height} of {self.primary.url} has the hash {block.hash.hex().upper()}, not "
                             f"{block_hash.hex().upper()}", "check the trusted hash; if it is right, " + ELSEWHERE)
        check_light_block(block, self.chain_id, height)
        now_ns = self.clock()
        check_fresh(block, self.rules, now_ns)
        check_not_ahead(block, self.rules, now_ns)
        self._compare([block])
        return Trust(block, block_hash is not None, block)

    def verify(self, trust: Trust, height: int) -> tuple[LightBlock, Trust]:
        """The block at a height, verified from what is trusted and confirmed by the witnesses; and the new trust.

        Raises LightError, NodeUnreachable, NodeRefused.
        """
        trace = self._reach_any(trust, height)
        self._compare(trace)
        block = trace[-1]
        return block, Trust(trust.root, trust.is_given, max(trust.latest, block, key=lambda one: one.height))

    def _reach_any(self, trust: Trust, height: int) -> list[LightBlock]:
        """The blocks from a trusted one to that of a height, each verified from the one before it."""
        for known in (trust.latest, trust.root):
            if height == known.height:
                return [known]
        if height > trust.latest.height:
            return self.reach(self.primary, trust.latest, self._fetch(self.primary, height), Budget())
        if trust.latest.height - height <= BACKWARD_MAX or height < trust.root.height:
            return self._walk_back(trust.latest if height > trust.root.height else trust.root, height)
        return self.reach(self.primary, trust.root, self._fetch(self.primary, height), Budget())

    def reach(self, source: Source, trusted: LightBlock, target: LightBlock, budget: Budget) -> list[LightBlock]:
        """Skipping verification: the blocks from `trusted` to `target` by which one follows from the other.

        A block that the set of the last verified one does not vouch for is put aside, and the one in the middle is
        tried before it. Raises LightError.
        """
        trace, pending = [trusted], [target]
        while pending:
            budget.spend(pending[-1])
            try:
                verify_forward(trace[-1], pending[-1], self.rules, self.clock())
            except NotTrusted:
                middle = (trace[-1].height + pending[-1].height) >> 1  # rounded down, above the trusted one
                pending.append(self._fetch(source, middle))
            else:
                trace.append(pending.pop())
        return trace

    def _walk_back(self, trusted: LightBlock, height: int) -> list[LightBlock]:
        """By the hash that each header has of the one before it; such blocks need no signatures and never expire."""
        if trusted.height - height > BACKWARD_MAX:
            raise LightError(f"block {height} lies more than {BACKWARD_MAX} blocks before the trusted {trusted.height}",
                             RENEW)
        trace = [trusted]
        while trace[-1].height > height:
            block = self._fetch(self.primary, trace[-1].height - 1)
            verify_backward(trace[-1], block)
            trace.append(block)
        return trace

    def _fetch(self, source: Source, height: int) -> LightBlock:
        """A node's block; one that it does not have yet is waited for."""
        self.fetched += source is self.primary
        waited_s = 0.0
        while True:
            try:
                return source.light_block(height)
            except HeightTooHigh as error:
                if waited_s >= self.wait_s:
                    raise HeightTooHigh(error.text, "the node is behind, or the chain was begun anew: `gradus light "
                                        "status` shows what was verified before, `gradus light reset` forgets it"
                                        ) from None
            self.sleep(POLL_S)
            waited_s += POLL_S

    def _compare(self, trace: Sequence[LightBlock]) -> None:
        """Ask the witnesses for the last block of a trace. Raises Diverged, LightError when none confirms it."""
        self.agreed, silent = [], []
        reasons = []
        for witness in self.witnesses:
            try:
                other = self._fetch_of_witness(witness, trace[-1])
            except Diverged:
                raise
            except (NodeUnreachable, NodeRefused, LightError) as error:
                silent.append(f"{witness.url} did not confirm it: {error.text}")
                reasons.append(error.text if witness.url in error.text else f"{witness.url}: {error.text}")
                continue
            if other.hash != trace[-1].hash:
                raise self._examine(trace, witness, other)
            self.agreed.append(witness.url)
        self.notes += silent
        if silent and not self.agreed:
            raise LightError(f"no other node confirms block {trace[-1].height}: {'; '.join(reasons)}", OTHER_WITNESS)

    def _fetch_of_witness(self, witness: Source, block: LightBlock) -> LightBlock:
        """The witness's block of the same height. One that stays behind must not be ahead in time: a primary could
        have made up blocks that no one else will ever have."""
        try:
            return self._fetch(witness, block.height)
        except HeightTooHigh:
            newest = witness.light_block(witness.latest_height())
            if newest.height >= block.height:
                return witness.light_block(block.height)
            if newest.header.time_ns >= block.header.time_ns:
                raise Diverged(
                    f"{self.primary.url} shows block {block.height} of {write_time(block.header.time_ns)}; "
                    f"{witness.url} has come to block {newest.height} only, at {write_time(newest.header.time_ns)}",
                    FORK, self._write_evidence(block, witness, newest, None, False)) from None
            raise

    def _examine(self, trace: Sequence[LightBlock], witness: Source, other: LightBlock) -> Diverged:
        """Where two nodes part, and whether the witness's side is signed too."""
        common, first, theirs = None, trace[-1], other
        for block in sorted(trace, key=lambda one: one.height):
            try:
                seen = other if block.height == other.height else witness.light_block(block.height)
            except ClientError:
                break
            if seen.hash != block.hash:
                first, theirs = block, seen
                break
            common = block
        is_signed = common is not None and self._is_reached(witness, common, theirs)
        verdict = "both are signed: validators have signed two chains, an attack" if is_signed else \
            f"that of {witness.url} does not follow from the block that is trusted here"
        return Diverged(f"{self.primary.url} and {witness.url} have different blocks at height {first.height} "
                        f"({first.hash.hex().upper()} and {theirs.hash.hex().upper()}); {verdict}", FORK,
                        self._write_evidence(first, witness, theirs, common, is_signed))

    def _is_reached(self, source: Source, trusted: LightBlock, target: LightBlock) -> bool:
        try:
            self.reach(source, trusted, target, Budget())
        except ClientError:
            return False
        return True

    def _write_evidence(self, block: LightBlock, witness: Source, other: LightBlock, common: LightBlock | None,
                        is_signed: bool) -> Json:
        """Both sides of a divergence, with the signatures that prove who signed what."""
        return {"chain_id": self.chain_id, "height": block.height, "seen_at": write_time(self.clock()),
                "both_verify": is_signed,
                "primary": {"url": self.primary.url, "hash": block.hash.hex().upper(), **write_light_block(block)},
                "witness": {"url": witness.url, "hash": other.hash.hex().upper(), **write_light_block(other)},
                "common": None if common is None else write_light_block(common)}
