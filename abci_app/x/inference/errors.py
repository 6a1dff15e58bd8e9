"""Errors of codespace `inference`. Codes are append-only."""

from abci_app.wire.errors import ChainError


class PriceInvalid(ChainError):
    codespace, code, text = "inference", 2, "a host asks 1 to 2^50 ugrad for 10^9 multiply-adds"


class CapacityInvalid(ChainError):
    codespace, code, text = "inference", 3, "a host takes 1 to 1024 requests and sessions at once"


class EndpointInvalid(ChainError):
    codespace, code = "inference", 4
    text = "an endpoint is empty, or an http or https URL of at most 128 printable ASCII characters"


class StatementKeyInvalid(ChainError):
    codespace, code = "inference", 5
    text = "with an endpoint comes a compressed secp256k1 key of 33 bytes, without one none"


class BondTooLarge(ChainError):
    codespace, code, text = "inference", 6, "a bond stays below 2^64 ugrad"


class ModelRetired(ChainError):
    codespace, code, text = "inference", 7, "the model is retired; nothing new is asked of it"


class InferenceAbsent(ChainError):
    codespace, code = "inference", 8
    text = "the contract does not say how the model is asked; its admin may add an inference policy"


class HostRegistered(ChainError):
    codespace, code, text = "inference", 9, "this account hosts the model already; update its terms instead"


class HostNotFound(ChainError):
    codespace, code, text = "inference", 10, "this account does not host the model; register first"


class HostSlashed(ChainError):
    codespace, code = "inference", 11
    text = "an answer of this host was proved wrong; leave first, then register with a new bond"


class HostBusy(ChainError):
    codespace, code, text = "inference", 12, "requests or sessions are open; drain, and leave when they are settled"


class HostNotActive(ChainError):
    codespace, code, text = "inference", 13, "the host takes nothing new; choose one that is active"


class BondTooLow(ChainError):
    codespace, code, text = "inference", 14, "the bond is below the contract's; offer at least what is missing"


class HostsFull(ChainError):
    codespace, code = "inference", 15
    text = "the model has as many active hosts as it can; ask for less than the dearest, or try when one has left"


class CapacityExhausted(ChainError):
    codespace, code, text = "inference", 16, "the host has as much open as it takes at once; choose another, or wait"


class BondStaked(ChainError):
    codespace, code = "inference", 17
    text = "too much of the host's bond stands behind what is open; choose another, ask for less, or wait"


class DeadlineInvalid(ChainError):
    codespace, code = "inference", 18
    text = "a request leaves its hosts time to compute and reveal, and has at most 10000 blocks"


class ReplicasInvalid(ChainError):
    codespace, code = "inference", 19
    text = "a request is answered by 1 host at least, and by no more than the contract allows"


class QuestionRefused(ChainError):
    codespace, code, text = "inference", 20, "the model has no answer to this question"


class HostsMissing(ChainError):
    codespace, code = "inference", 21
    text = "too few hosts would answer; ask for fewer replicas, for less at once, or wait for hosts"


class FeeTooLow(ChainError):
    codespace, code, text = "inference", 22, "the cheapest hosts ask for more; offer at least their price"


class RequestNotFound(ChainError):
    codespace, code, text = "inference", 23, "no such request is open or kept; its hash is in the archive"


class PhaseNotCommit(ChainError):
    codespace, code, text = "inference", 24, "the request takes no commitments now"


class PhaseNotReveal(ChainError):
    codespace, code, text = "inference", 25, "the request takes no reveals now"


class SeatNotFound(ChainError):
    codespace, code, text = "inference", 26, "the request was dealt to other hosts; ask for yours"


class CommitmentMalformed(ChainError):
    codespace, code, text = "inference", 27, "a commitment has 32 bytes"


class SeatCommitted(ChainError):
    codespace, code, text = "inference", 28, "a commitment cannot be changed; reveal it when the phase comes"


class SeatNotCommitted(ChainError):
    codespace, code, text = "inference", 29, "nothing was committed in time; wait for the next request"


class SeatRevealed(ChainError):
    codespace, code, text = "inference", 30, "the answer is already revealed; there is nothing to do"


class RevealMalformed(ChainError):
    codespace, code = "inference", 31
    text = "an answer's hash and a salt have 32 bytes each, an answer that is shown at most 4096"


class CommitmentMismatch(ChainError):
    codespace, code = "inference", 32
    text = "answer hash and salt do not give the commitment; reveal exactly what was committed"


class AnswerMismatch(ChainError):
    codespace, code = "inference", 33
    text = "the answer does not have the hash that is revealed, or no answer has its size"


class AnswerMissing(ChainError):
    codespace, code = "inference", 34
    text = "an answer of at most 4096 bytes is shown with its hash, unless another host has shown it"


class HostCoolingDown(ChainError):
    codespace, code = "inference", 35
    text = "a host that missed or withheld answers waits before it may come back or leave"
