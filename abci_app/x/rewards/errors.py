"""Errors of codespace `rewards`. Codes are append-only."""

from abci_app.wire.errors import ChainError


class ParamsInvalid(ChainError):
    codespace, code, text = "rewards", 2, "the parameters of the emission are out of range"


class ModelRetired(ChainError):
    codespace, code, text = "rewards", 3, "the model is closed, so backing it would earn it nothing; back another"


class BackingTooLarge(ChainError):
    codespace, code, text = "rewards", 4, "the backing of all models together stays below 2^64 ugrad; back less"


class BackingTooSmall(ChainError):
    codespace, code = "rewards", 5
    text = "the model is not backed by so much of yours; ask what is with a backing query, and take that or less"


class UnbackingTooLarge(ChainError):
    codespace, code = "rewards", 6
    text = "what comes back from a model at one height stays below 2^64 ugrad; take the rest in the next block"


class NothingToCollect(ChainError):
    codespace, code = "rewards", 7
    text = "nothing of the model's fees waits for this account; accepted units earn when answers are paid"
