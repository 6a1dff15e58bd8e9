"""Validators of the simulation: with what they vote, how they audit, and what a proposer has of it.

honest: recomputes at once. slow: some blocks later. lazy: signs and never recomputes. wrong: half of the time says what
all wrong ones say. copier: says another's digest as its own. accomplice: vouches for the claims of trainers that
collude, and is honest else. offline: is often away. The chain holds for true what more than 2/3 of all power say; so
that the wrong ones stay within the assumption, they are honest where they alone are that many.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from abci_app.runtime.module import LastVotes
from abci_app.wire.audit import DIGESTS_MAX, Entry, compute_digest, decode_subject, encode_extension, split_answer
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import AUDIT_STATUS_OPEN, Audit, Member
from abci_app.x.audits.types import compute_power, is_quorum
from tests.auditors import spoil
from tests.chain import Chain
from tests.sim.claims import seal
from tests.sim.market import Markets
from tests.votes import Signer

BEHAVIOURS = ("honest", "honest", "slow", "lazy", "wrong", "copier", "accomplice", "offline")


@dataclass(frozen=True)
class Validators:
    """All validators of a chain. behaviours: by address. dice: those of a topic at the present height.

    colluding: addresses of the trainers that accomplices vouch for.
    """

    chain: Chain
    markets: Markets
    behaviours: dict[bytes, str]
    colluding: frozenset[str]
    dice: Callable[[str], random.Random]

    def list_absent(self) -> list[bytes]:
        """Who did not sign the last block."""
        return [address for address, behaviour in self.behaviours.items()
                if behaviour == "offline" and self.dice(f"away {address.hex()}").random() < 0.5]

    def sign(self) -> LastVotes:
        """The precommits for the last block, with the digests that audits wait for."""
        entries: dict[bytes, list[Entry]] = {}
        for audit in self._list_open():
            for member in audit.members:
                digest = None if member.digest else self._choose_digest(audit, member)
                if digest is not None:
                    entries.setdefault(member.consensus_address, []).append((audit.subject, digest))
        return self.chain.sign_votes({address: encode_extension(entries[address][:DIGESTS_MAX])
                                      for address in sorted(entries)})

    def list_answers(self) -> dict[bytes, bytes]:
        """By subject the answer that most power of the committee has given; the right one where nobody has."""
        answers = {}
        for audit in self._list_open():
            known = {digest: answer for answer in self._list_known(audit) for member in audit.members
                     for digest in (compute_digest(member.consensus_address, audit.subject, answer),)}
            given: Counter[bytes] = Counter()
            for member in audit.members:
                if member.digest in known:
                    given[known[member.digest]] += member.power
            answers[audit.subject] = max(sorted(given), key=lambda answer: given[answer]) if given \
                else self._right(audit)
        return answers

    def is_vouched(self, audit: Audit) -> bool:
        """Whether accomplices alone may have a wrong claim pass."""
        return is_quorum([member for member in audit.members if self._is_accomplice(audit, member)], audit)

    def _list_open(self) -> list[Audit]:
        return [audit for audit in self.chain.app.audits.iter_audits(self.chain.ctx())
                if audit.status == AUDIT_STATUS_OPEN]

    def _right(self, audit: Audit) -> bytes:
        return self.markets.find_answer(self.chain.ctx(), audit)

    def _vouched(self, audit: Audit) -> bytes:
        """The claim's own roots, with the right witness: whoever vouches may well have computed."""
        named, ctx = decode_subject(audit.subject), self.chain.ctx()
        owner = self.markets.app.work.get_round(ctx, named.model_id, named.number)
        unit = self.markets.app.work.get_unit(ctx, named.model_id, named.number, named.index)
        claim = self.markets.kept_claim(owner, unit)
        _, committee_witness, witness = split_answer(self._right(audit))
        return seal(audit, claim, committee_witness, witness)

    def _list_known(self, audit: Audit) -> list[bytes]:
        """All answers that anybody gives."""
        right = self._right(audit)
        vouched = [self._vouched(audit)] if audit.claimant in self.colluding else []
        return [right, spoil(right), *vouched]

    def _choose_digest(self, audit: Audit, member: Member) -> bytes | None:
        """What a validator says of an audit that waits for it; the same whenever it is asked in a block."""
        behaviour = self.behaviours[member.consensus_address]
        dice = self.dice(f"audit {member.consensus_address.hex()} {audit.subject.hex()}")
        if behaviour == "lazy" or behaviour == "slow" and dice.random() < 0.75:
            return None
        if behaviour == "copier":
            return next((other.digest for other in audit.members if other.digest), None)
        answer = self._right(audit)
        if self._is_accomplice(audit, member):
            answer = self._vouched(audit)
        elif behaviour == "wrong" and not self._are_most_wrong(audit) and dice.random() < 0.5:
            answer = spoil(answer)
        return compute_digest(member.consensus_address, audit.subject, answer)

    def _is_accomplice(self, audit: Audit, member: Member) -> bool:
        return self.behaviours[member.consensus_address] == "accomplice" and audit.claimant in self.colluding

    def _are_most_wrong(self, audit: Audit) -> bool:
        wrong = compute_power(member for member in audit.members
                              if self.behaviours[member.consensus_address] == "wrong")
        return 3 * wrong > 2 * audit.eligible_power


def new_behaviours(dice: random.Random, signers: tuple[Signer, ...]) -> dict[bytes, str]:
    """Two honest validators, and the others of any kind."""
    drawn = ["honest", "honest", *(dice.choice(BEHAVIOURS) for _ in signers[2:])]
    dice.shuffle(drawn)
    return {signer.address: behaviour for signer, behaviour in zip(signers, drawn)}
