"""Why a light client does not believe what it was told. All end a command with status 4."""

from typing import Any

from abci_app.client.errors import ProofInvalid

ELSEWHERE = "do not trust this node; ask another one (--node URL)"


class LightError(ProofInvalid):
    """Something does not verify. text: what; hint: what to do."""


class Malformed(LightError):
    """An answer is not what such an answer looks like."""

    def __init__(self, text: str, hint: str = ELSEWHERE) -> None:
        super().__init__(text, hint)


class NotSigned(LightError):
    """Too little of the power of a block's own validators signed it, or a signature is wrong."""

    def __init__(self, text: str, hint: str = ELSEWHERE) -> None:
        super().__init__(text, hint)


class NotTrusted(LightError):
    """Too little of the power of a trusted set signed a later block: a block between the two is needed."""


class Expired(LightError):
    """The trusted block is older than the trusting period: those who signed it may no longer have a bond to lose."""


class HeightTooHigh(LightError):
    """A node does not have a block yet."""


class HeightMissing(LightError):
    """A node no longer has a block."""


class Diverged(LightError):
    """Two nodes have different blocks at one height. evidence: both, with their signatures, as JSON."""

    def __init__(self, text: str, hint: str, evidence: dict[str, Any]) -> None:
        super().__init__(text, hint)
        self.evidence = evidence


class TrustDamaged(LightError):
    """The file of trusted blocks is not one."""
