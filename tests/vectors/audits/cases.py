"""Writes the vectors of the audits room: python -m tests.vectors.audits.cases, then python -m tests.vectors.runner.

Each is the fifth block of a chain whose genesis has four audits of four validators: of round 1 nobody has said
anything, of round 2 all digests are there and the answer is not, round 3 is decided, of round 4 one digest is missing
and may still come. What votes say is signed for block 4. A refused transaction must leave every record as it was.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from abci_app.wire.audit import encode_extension
from abci_app.wire.errors import ChainError
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import AuditVote
from abci_app.wire.pb.gradus.audits.v1.tx_pb2 import AuditOpening, AuditVotes
from abci_app.wire.tx import encode_injected
from abci_app.x.audits import errors
from tests.chain import CHAIN_ID, SIGNERS, Chain
from tests.court import ANSWER, OTHER, Court, subject_of

FOLDER = Path(__file__).parent
OPEN, READY, DECIDED, EARLY, UNKNOWN = (subject_of(number) for number in range(1, 6))
NAMES = ("alice", "claimant", *(f"operator{index}" for index in range(4)))
HEIGHT = 4  # of the genesis' last block, had it been one of this chain; and of what is signed
QUERY = "/gradus.audits.v1.Query/"


@dataclass
class Case:
    """One vector: injected transactions, and why each is refused (None: it is not)."""

    name: str
    about: str
    txs: list[tuple[Message, type[ChainError] | None]]


def new_votes(court: Court, said: dict[int, bytes], *subjects: bytes, height: int = HEIGHT, signed: int = HEIGHT,
              order: int = 1) -> AuditVotes:
    """What validators (by index) say to subjects, signed for a height; rising by address with an order of 1."""
    votes = []
    for index, signer in enumerate(SIGNERS):
        extension = court.extend(said, *subjects).get(signer.address)
        if extension is not None:
            votes.append(new_vote(index, extension, signed))
    votes.sort(key=lambda vote: vote.validator, reverse=order < 0)
    return AuditVotes(height=height, votes=votes)


def new_vote(index: int, extension: bytes, height: int = HEIGHT) -> AuditVote:
    """A validator's vote with an extension, whatever it is."""
    signer = SIGNERS[index]
    return AuditVote(validator=signer.address, extension=extension,
                     signature=signer.sign(CHAIN_ID, height, 0, extension))


def iter_cases(court: Court) -> Iterator[Case]:
    """All vectors."""
    yield from vote_cases(court)
    yield from opening_cases(court)


def vote_cases(court: Court) -> Iterator[Case]:
    """AuditVotes."""
    four = new_votes(court, dict.fromkeys(range(4), ANSWER), OPEN)
    yield Case("votes_record_digests", "What four validators say to an open audit is recorded, and makes it ready.",
               [(four, None)])
    yield Case("votes_beside_what_nobody_waits_for", "Digests of audits that are decided or unknown are passed over.",
               [(new_votes(court, {0: ANSWER}, OPEN, DECIDED, UNKNOWN), None)])
    yield Case("votes_with_their_answer", "Votes and the answer that they are of decide an audit in one block.",
               [(four, None), (AuditOpening(subject=OPEN, answer=ANSWER), None)])
    yield Case("votes_of_another_height", "Votes come in the block after theirs.",
               [(new_votes(court, {0: ANSWER}, OPEN, height=HEIGHT + 1), errors.VotesMisplaced)])
    yield Case("votes_twice_in_a_block", "A block has one transaction with votes.",
               [(new_votes(court, {0: ANSWER}, OPEN), None),
                (new_votes(court, {1: ANSWER}, OPEN), errors.VotesRepeated)])
    yield Case("votes_of_nobody", "A transaction with votes has some.",
               [(AuditVotes(height=HEIGHT), errors.VotesCountInvalid)])
    yield Case("votes_out_of_order", "Votes stand by rising address.",
               [(new_votes(court, {0: ANSWER, 1: ANSWER}, OPEN, order=-1), errors.VotersUnordered)])
    yield Case("votes_of_a_stranger", "Only who signed the last block has a vote.",
               [(AuditVotes(height=HEIGHT, votes=[AuditVote(validator=bytes(19) + b"\x01", extension=b"\x01")]),
                 errors.VoterAbsent)])
    yield Case("votes_malformed", "An extension of the engine's length and nobody's form.",
               [(AuditVotes(height=HEIGHT, votes=[new_vote(0, b"\x01\x01" + bytes(56))]), errors.ExtensionMalformed)])
    yield Case("votes_signed_for_another_height", "A signature over the extension of another block's vote.",
               [(new_votes(court, {0: ANSWER}, OPEN, signed=HEIGHT - 1), errors.ExtensionUnsigned)])
    yield Case("votes_with_nothing_new", "A vote brings a digest that an open audit waits for.",
               [(new_votes(court, {0: ANSWER}, READY, DECIDED), errors.VoteStale)])
    yield Case("votes_that_only_tell_answers", "Answers in an extension are for proposers, and record nothing.",
               [(AuditVotes(height=HEIGHT, votes=[new_vote(0, encode_extension((), [(READY, ANSWER)]))]),
                 errors.VoteStale)])


def opening_cases(court: Court) -> Iterator[Case]:
    """AuditOpening."""
    right = AuditOpening(subject=READY, answer=ANSWER)
    yield Case("opening_decides", "The answer that three of four gave: they were right, the fourth is excluded.",
               [(right, None), (right, errors.AuditNotOpen)])
    yield Case("opening_of_no_audit", "There is no such audit.",
               [(AuditOpening(subject=UNKNOWN, answer=ANSWER), errors.AuditNotFound)])
    yield Case("opening_of_a_decided_audit", "An audit is decided once.",
               [(AuditOpening(subject=DECIDED, answer=ANSWER), errors.AuditNotOpen)])
    yield Case("opening_of_another_length", "An answer has 96 bytes.",
               [(AuditOpening(subject=READY, answer=ANSWER[:-1]), errors.AnswerMalformed)])
    yield Case("opening_without_quorum", "The answer of one of four decides nothing.",
               [(AuditOpening(subject=READY, answer=OTHER), errors.QuorumMissing)])
    yield Case("opening_too_early", "Three of four have a quorum, but the fourth still has time.",
               [(AuditOpening(subject=EARLY, answer=ANSWER), errors.AnswerEarly)])
    yield Case("opening_before_any_digest", "An answer that nobody gave a digest of decides nothing.",
               [(AuditOpening(subject=OPEN, answer=ANSWER), errors.QuorumMissing)])


def new_state(court: Court) -> dict[str, Any]:
    """A genesis with an audit in each situation."""
    court.open(OPEN, READY, DECIDED, EARLY)
    court.decide(dict.fromkeys(range(4), ANSWER), DECIDED)
    court.say({0: ANSWER, 1: ANSWER, 2: ANSWER, 3: OTHER}, READY)
    court.say({0: ANSWER, 1: ANSWER, 2: ANSWER}, EARLY)
    return court.opener.app.export_genesis(court.chain.ctx())


def new_vector(case: Case, state: dict[str, Any]) -> dict[str, Any]:
    """The vector of a case, with the answers after its block as they are now."""
    txs = [{"raw": encode_injected(message).hex(),
            "expect": {"error": {"codespace": refusal.codespace, "code": refusal.code}} if refusal else {}}
           for message, refusal in case.txs]
    vector: dict[str, Any] = {"about": case.about, "pre": {"app_state": state, "height": HEIGHT + 1}, "txs": txs}
    if all(refusal for _, refusal in case.txs):
        return {**vector, "unchanged": True}
    with tempfile.TemporaryDirectory() as folder, Chain(Path(folder), app_state=state) as chain:
        for _ in range(HEIGHT):
            chain.block()
        chain.block([bytes.fromhex(tx["raw"]) for tx in txs])
        post = []
        for name, fields in (("OpenAudits", {}), ("Audit", {"subject": OPEN}), ("Audit", {"subject": READY}),
                             ("Auditors", {})):
            request = chain.app.router.queries[QUERY + name].request(**fields)
            post.append({"path": QUERY + name, "request": to_json(request),
                         "response": to_json(chain.query(QUERY + name, request))})
    return {**vector, "post": {"queries": post}}


def to_json(message: Message) -> dict[str, Any]:
    """A message in the JSON form of protobuf."""
    return dict(json_format.MessageToDict(message, preserving_proto_field_name=True))


def main() -> None:
    """Write every vector of this room; gas is filled in by the runner."""
    with tempfile.TemporaryDirectory() as folder, Chain(Path(folder), {"alice": 10**9}) as chain:
        court = Court(chain)
        state = new_state(court)
        cases = list(iter_cases(court))
    for case in cases:
        (FOLDER / f"{case.name}.json").write_text(json.dumps(new_vector(case, state), indent=2) + "\n")
    print(f"{len(cases)} vectors written; fill in the gas with python -m tests.vectors.runner")


if __name__ == "__main__":
    main()
