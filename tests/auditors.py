"""The validators of a test chain as auditors: what each answers, really signed, and what a proposer makes of it."""

from collections.abc import Callable
from dataclasses import dataclass

from abci_app.runtime.module import LastVotes
from abci_app.wire.audit import DIGESTS_MAX, Entry, compute_digest, encode_extension
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import AUDIT_STATUS_OPEN, Audit
from tests.chain import Chain

RIGHT, WRONG, NOTHING = "right", "wrong", "nothing"
Choice = Callable[[bytes, Audit], str]


def all_right(validator: bytes, audit: Audit) -> str:
    """Every validator recomputes and answers at once."""
    return RIGHT


@dataclass
class Auditors:
    """SIGNERS of a chain. find_answer: the right answer (96 bytes) to an open audit; None where nobody knows it.

    choose: what a validator (consensus address) says of an audit that waits for its digest: RIGHT, WRONG (the same
    wrong answer for all who are wrong) or NOTHING.
    """

    chain: Chain
    find_answer: Callable[[Audit], bytes | None]
    choose: Choice = all_right

    def list_open(self) -> list[tuple[Audit, bytes]]:
        """The open audits whose answer is known, by subject, each with it."""
        found = []
        for audit in self.chain.app.audits.iter_audits(self.chain.ctx()):
            answer = self.find_answer(audit) if audit.status == AUDIT_STATUS_OPEN else None
            if answer is not None:
                found.append((audit, answer))
        return found

    def sign(self) -> LastVotes:
        """The precommits for the last block, with the digests that audits wait for."""
        digests: dict[bytes, list[Entry]] = {}
        for audit, answer in self.list_open():
            for member in audit.members:
                said = self.choose(member.consensus_address, audit) if not member.digest else NOTHING
                if said != NOTHING:
                    given = answer if said == RIGHT else spoil(answer)
                    digest = compute_digest(member.consensus_address, audit.subject, given)
                    digests.setdefault(member.consensus_address, []).append((audit.subject, digest))
        return self.chain.sign_votes({address: encode_extension(entries[:DIGESTS_MAX])
                                      for address, entries in digests.items()})

    def propose(self) -> list[bytes]:
        """What a proposer who knows all answers, also the wrong one where it decides, puts at the head of a block."""
        return self.chain.propose(votes=self.sign(), answers=self.answers())

    def answers(self) -> dict[bytes, bytes]:
        """By subject the answer that the committee's quorum has given or would give."""
        known = {}
        for audit, answer in self.list_open():
            wrong = sum(member.power for member in audit.members
                        if member.digest == compute_digest(member.consensus_address, audit.subject, spoil(answer))
                        or not member.digest and self.choose(member.consensus_address, audit) == WRONG)
            is_wrong = 3 * wrong > 2 * sum(member.power for member in audit.members)
            known[audit.subject] = spoil(answer) if is_wrong else answer
        return known


def spoil(answer: bytes) -> bytes:
    """The wrong answer that wrong auditors agree on: another payload root."""
    return bytes([answer[0] ^ 1]) + answer[1:]
