"""Audits that a test opens: a module behind all rooms that opens and closes them at heights fixed beforehand.

What it does is a function of the height, as a room's blocks are, so that every node that has it has the same blocks.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from abci_app.app import App
from abci_app.runtime.context import Ctx
from abci_app.runtime.deliver import TxResult
from abci_app.runtime.module import Module
from abci_app.wire.audit import Subject, compute_digest, encode_extension
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit, Auditor
from tests.chain import SIGNERS, Chain, new_test_key

SEED = hashlib.sha256(b"audit seed").digest()
KIND = 7
ANSWER = bytes(range(96))
OTHER = bytes(96)
NOBODY = new_test_key("claimant").address


def subject_of(number: int) -> bytes:
    """A subject of a kind that no room asks about, so that no room takes its answer either."""
    return Subject(KIND, 1, number, 0, 0).encode()


@dataclass
class Opener:
    """Opens and closes audits, and takes their answers unless it is told not to.

    opened: by height, (subject, claimant, committee_max) each. closed: subjects by height.
    """

    app: App
    opened: dict[int, list[tuple[bytes, bytes, int]]] = field(default_factory=dict)
    closed: dict[int, list[bytes]] = field(default_factory=dict)
    takes: bool = True

    def new_app(self) -> App:
        """The application with this module behind all others."""
        opener = Module("opener", lambda _ctx, _state: None, lambda _ctx: {}, begin_block=self._begin,
                        end_block=self._end)
        return replace(self.app, modules=(*self.app.modules, opener))

    def _begin(self, ctx: Ctx) -> None:
        for subject, claimant, committee_max in self.opened.get(ctx.height, []):
            self.app.audits.open_audits(ctx, committee_max, [(subject, claimant, SEED)])

    def _end(self, ctx: Ctx) -> None:
        for subject, _ in self.app.audits.list_decided(ctx, KIND) if self.takes else ():
            self.app.audits.take(ctx, subject)
        for subject in self.closed.get(ctx.height, []):
            self.app.audits.close_audit(ctx, subject)


class Court:
    """A chain with an opener, and what its validators say."""

    def __init__(self, chain: Chain) -> None:
        self.chain, self.keeper = chain, chain.app.audits
        self.opener = Opener(chain.app)
        chain.app = self.opener.new_app()

    def open(self, *subjects: bytes, claimant: bytes = NOBODY, committee_max: int = 4) -> None:
        """A block that opens audits."""
        self.opener.opened[self.chain.height + 1] = [(one, claimant, committee_max) for one in subjects]
        self.chain.block()

    def close(self, *subjects: bytes) -> None:
        """A block that closes audits."""
        self.opener.closed[self.chain.height + 1] = list(subjects)
        self.chain.block()

    def wait(self, blocks: int) -> None:
        """So many empty blocks."""
        for _ in range(blocks):
            self.chain.block()

    def extend(self, said: Mapping[int, bytes], *subjects: bytes) -> dict[bytes, bytes]:
        """Extensions of validators by index: their digests of one answer each, to the same subjects."""
        return {SIGNERS[index].address: encode_extension(
            [(subject, compute_digest(SIGNERS[index].address, subject, answer)) for subject in sorted(subjects)])
            for index, answer in said.items()}

    def say(self, said: Mapping[int, bytes], *subjects: bytes,
            answers: Mapping[bytes, bytes] | None = None) -> list[TxResult]:
        """A block with what validators (by index) say to subjects; its proposer knows `answers`."""
        votes = self.chain.sign_votes(self.extend(said, *subjects))
        return self.chain.block(self.chain.propose(votes=votes, answers=answers))

    def decide(self, said: Mapping[int, bytes], *subjects: bytes) -> list[TxResult]:
        """A block with what validators say, whose proposer knows that ANSWER is the answer."""
        return self.say(said, *subjects, answers=dict.fromkeys(subjects, ANSWER))

    def audit(self, subject: bytes) -> Audit:
        """The audit of a subject. Raises AuditNotFound."""
        return self.keeper.get_audit(self.chain.ctx(), subject)

    def auditor(self, index: int) -> Auditor:
        """How a validator has done."""
        return self.keeper.get_auditor(self.chain.ctx(), SIGNERS[index].address)

    def members(self, subject: bytes) -> list[int]:
        """The indices of the committee's members."""
        addresses = [signer.address for signer in SIGNERS]
        return sorted(addresses.index(member.consensus_address) for member in self.audit(subject).members)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The attributes of the last block's own events of a type."""
        return [dict(event.attributes) for event in self.chain.events if event.type == f"audits.{name}"]
