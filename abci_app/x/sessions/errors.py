"""Errors of codespace `sessions`. Codes are append-only."""

from abci_app.wire.errors import ChainError


class SessionNotFound(ChainError):
    codespace, code, text = "sessions", 2, "no such session; it was never opened or is kept no longer"


class BlocksInvalid(ChainError):
    codespace, code = "sessions", 3
    text = "a session is open for 10 blocks at least, and not longer than the chain's most"


class UserIsHost(ChainError):
    codespace, code, text = "sessions", 4, "a host opens no session with itself"


class ModelNotServed(ChainError):
    codespace, code, text = "sessions", 5, "the model is retired, or its contract does not say how it is asked"


class EndpointAbsent(ChainError):
    codespace, code, text = "sessions", 6, "the host answers on the chain only; take one with an endpoint"


class PriceTooHigh(ChainError):
    codespace, code, text = "sessions", 7, "the host asks more than you would pay; raise the price or take another host"


class DepositTooLarge(ChainError):
    codespace, code, text = "sessions", 8, "a deposit stays below 2^64 ugrad"


class ReceiptKeyMalformed(ChainError):
    codespace, code, text = "sessions", 9, "a receipt key is a compressed secp256k1 key of 33 bytes"


class PartyWrong(ChainError):
    codespace, code, text = "sessions", 10, "only the session's own parties may do this"


class SessionNotOpen(ChainError):
    codespace, code, text = "sessions", 11, "the session is closing or over; open another one"


class SessionOver(ChainError):
    codespace, code, text = "sessions", 12, "the session can no longer be closed or challenged; ask for its status"


class ReceiptMalformed(ChainError):
    codespace, code = "sessions", 13
    text = "a receipt has a count of 1 to 2^32, a total of at least 1, a root of 32 and a signature of 64 bytes"


class ReceiptOfAnotherSession(ChainError):
    codespace, code, text = "sessions", 14, "the receipt names another session"


class ReceiptNotLater(ChainError):
    codespace, code = "sessions", 15
    text = "the chain knows a receipt that is as late; show one with more answers and a higher total, or none"


class ReceiptAboveDeposit(ChainError):
    codespace, code, text = "sessions", 16, "the receipt's total is more than the deposit; show an earlier one"


class ReceiptSignatureWrong(ChainError):
    codespace, code, text = "sessions", 17, "the session's receipt key has not signed this receipt for this chain"


class StatementMalformed(ChainError):
    codespace, code = "sessions", 18
    text = "a statement is a signature of 64 bytes; without a receipt there is none"


class StatementWrong(ChainError):
    codespace, code = "sessions", 19
    text = "the host's statement key has not signed this state for this chain"


class PartyClosed(ChainError):
    codespace, code = "sessions", 20
    text = "you have closed this session; wait for the other side, or show a later receipt"


class EntryNotDrawn(ChainError):
    codespace, code, text = "sessions", 21, "no entry of this session is to be shown now"


class EntryMalformed(ChainError):
    codespace, code, text = "sessions", 22, "an entry has a number from 1 and two hashes of 32 bytes"


class EntryOfOtherCoins(ChainError):
    codespace, code, text = "sessions", 23, "the drawn coin is of another entry's fee; show that one"


class EntryProofWrong(ChainError):
    codespace, code, text = "sessions", 24, "the entry does not stand under the root with this proof"


class QuestionWrong(ChainError):
    codespace, code, text = "sessions", 25, "this is not the question that the entry names"


class QuestionRefused(ChainError):
    codespace, code, text = "sessions", 26, "the model has no answer to this question"


class FeeWrong(ChainError):
    codespace, code, text = "sessions", 27, "the entry's fee is not what the question costs in this session"


class SessionChallenged(ChainError):
    codespace, code, text = "sessions", 28, "an answer of this session was challenged before; once is all"


class HostSlashed(ChainError):
    codespace, code = "sessions", 29
    text = "another answer of this host was proved wrong; close the session, or challenge, instead of adding to it"
