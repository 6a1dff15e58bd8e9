"""What can go wrong around the nodes, as a tree: every error says what happened and what to do about it.

`exit_status` is what the command line ends with: 1 refused, 3 cannot reach a node, 4 a proof does not
verify, 5 timed out waiting.
"""

from __future__ import annotations


class LocalnetError(Exception):
    """Root of the tree.

    text: one sentence on what was wrong. hint: what to do, empty when nothing can be said.
    """

    exit_status = 1

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.text} ({self.hint})" if self.hint else self.text


class EngineError(LocalnetError):
    """The engine binary is absent, of another version, or cannot be built."""


class HomeError(LocalnetError):
    """A node's home or a network's folder is missing, incomplete or contradicts itself."""


class PortInUse(LocalnetError):
    """An address that a node must listen on is taken by another program."""


class NodeError(LocalnetError):
    """A node is already running, is not running, or does not stay up."""


class RpcError(LocalnetError):
    """A node was reached and refused the call."""


class NodeUnreachable(RpcError):
    """No node answers at the address."""

    exit_status = 3


class LightError(LocalnetError):
    """The light client proxy does not start, or does not vouch for an answer."""

    exit_status = 4


class TimedOut(LocalnetError):
    """What was waited for did not happen in time."""

    exit_status = 5
