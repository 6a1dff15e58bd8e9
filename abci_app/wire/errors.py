"""Typed errors with a codespace and a code.

A code is consensus: `code` and `data` of every transaction result are hashed into the next header. So codes are
append-only, never reused, and the order in which a handler checks is part of the protocol. 0 is success and 1 is
"internal" (an unexpected exception); neither is ever registered here.
Codespace "sdk" carries the numbers of the Cosmos SDK's root errors, so that stock clients understand them.
"""

from typing import ClassVar

REGISTRY: dict[tuple[str, int], type["ChainError"]] = {}


SHOWN_CHARS_MAX = 200


def shown(text: str) -> str:
    """What an error shows of text that a user chose: its first characters."""
    return text[:SHOWN_CHARS_MAX]


class ChainError(Exception):
    """An error that a user can cause. Expected in normal operation; a handler's writes are dropped when it is raised.

    Subclasses give `codespace`, `code` (2 or more) and `text`: what was wrong and what to do. Values that help the
    reader are appended by the raiser: `raise UnitNotAssigned(f"unit {unit} belongs to {owner}")`.
    """

    codespace: ClassVar[str] = "internal"
    code: ClassVar[int] = 1
    text: ClassVar[str] = "internal error"

    def __init_subclass__(cls) -> None:
        key = (cls.codespace, cls.code)
        if cls.code < 2 or key in REGISTRY:
            raise TypeError(f"error code {key} of {cls.__name__} is reserved or taken")
        REGISTRY[key] = cls

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        super().__init__(f"{detail}: {self.text}" if detail else self.text)


class InvariantBroken(Exception):
    """The state contradicts itself. Never a user's fault: the node stops rather than build on it."""


class TxDecodeError(ChainError):
    codespace, code, text = "sdk", 2, "tx parse error"


class Unauthorized(ChainError):
    codespace, code, text = "sdk", 4, "unauthorized"


class InsufficientFunds(ChainError):
    codespace, code, text = "sdk", 5, "insufficient funds"


class UnknownRequest(ChainError):
    codespace, code, text = "sdk", 6, "unknown request"


class InvalidAddress(ChainError):
    codespace, code, text = "sdk", 7, "invalid address"


class InvalidPubKey(ChainError):
    codespace, code, text = "sdk", 8, "invalid pubkey"


class UnknownAddress(ChainError):
    codespace, code, text = "sdk", 9, "unknown address"


class InvalidCoins(ChainError):
    codespace, code, text = "sdk", 10, "invalid coins"


class OutOfGas(ChainError):
    codespace, code, text = "sdk", 11, "out of gas"


class MemoTooLarge(ChainError):
    codespace, code, text = "sdk", 12, "memo too large"


class InsufficientFee(ChainError):
    codespace, code, text = "sdk", 13, "insufficient fee"


class NoSignatures(ChainError):
    codespace, code, text = "sdk", 15, "no signatures supplied"


class InvalidRequest(ChainError):
    codespace, code, text = "sdk", 18, "invalid request"


class TxTooLarge(ChainError):
    codespace, code, text = "sdk", 21, "tx too large"


class NotFound(ChainError):
    """Absent things in queries. The text is what stock clients look for."""

    codespace, code, text = "sdk", 22, "key not found"


class InvalidHeight(ChainError):
    codespace, code, text = "sdk", 26, "invalid height"


class TxTimeoutHeight(ChainError):
    codespace, code, text = "sdk", 30, "tx timeout height"


class UnknownExtensionOptions(ChainError):
    codespace, code, text = "sdk", 31, "unknown extension options"


class WrongSequence(ChainError):
    codespace, code, text = "sdk", 32, "incorrect account sequence"


class NotSupported(ChainError):
    codespace, code, text = "sdk", 37, "feature not supported"
