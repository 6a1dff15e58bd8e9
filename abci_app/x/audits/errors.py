"""Errors of the room: codespace `audits`, append-only."""

from abci_app.wire.errors import ChainError


class AuditNotFound(ChainError):
    codespace, code, text = "audits", 2, "no such audit; it was never opened or is closed"


class VotesMisplaced(ChainError):
    codespace, code, text = "audits", 3, "bring votes in the block after theirs, with the last commit's round"


class VotesRepeated(ChainError):
    codespace, code, text = "audits", 4, "a block brings votes once; put all of them into one transaction"


class VotesCountInvalid(ChainError):
    codespace, code, text = "audits", 5, "bring 1 to 256 votes"


class VotersUnordered(ChainError):
    codespace, code, text = "audits", 6, "bring each validator's vote once, by rising consensus address"


class VoterAbsent(ChainError):
    codespace, code, text = "audits", 7, "bring only votes of validators who signed the last block"


class ExtensionMalformed(ChainError):
    codespace, code, text = "audits", 8, "an extension has one form of bytes; see the audits' specification"


class ExtensionUnsigned(ChainError):
    codespace, code, text = "audits", 9, "the signature is not the validator's over this extension"


class VoteStale(ChainError):
    codespace, code, text = "audits", 10, "bring only votes with a digest that an open audit waits for"


class AuditNotOpen(ChainError):
    codespace, code, text = "audits", 11, "only an open audit takes an answer; this one has it already"


class AnswerMalformed(ChainError):
    codespace, code, text = "audits", 12, "an answer has 96 bytes"


class QuorumMissing(ChainError):
    codespace, code, text = "audits", 13, "digests of more than 2/3 of the committee's power must be of the answer"


class OpeningsExhausted(ChainError):
    codespace, code, text = "audits", 14, "a block opens at most 256 answers; bring it in the next"


class AnswerEarly(ChainError):
    codespace, code, text = "audits", 15, "members of the committee may still give digests; bring the answer later"
