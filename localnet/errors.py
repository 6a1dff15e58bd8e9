"""What can go wrong around the nodes, as a branch of the client's errors: what happened, and what to do about it."""

from __future__ import annotations

from abci_app.client.errors import ClientError, NodeRefused, NodeUnreachable, ProofInvalid, TimedOut

__all__ = ["ClientError", "EngineError", "HomeError", "LightError", "LocalnetError", "NodeError", "NodeRefused",
           "NodeUnreachable", "PortInUse", "TimedOut"]


class LocalnetError(ClientError):
    """Root of the branch."""


class EngineError(LocalnetError):
    """The engine binary is absent, of another version, or cannot be built."""


class HomeError(LocalnetError):
    """A node's home or a network's folder is missing, incomplete or contradicts itself."""


class PortInUse(LocalnetError):
    """An address that a node must listen on is taken by another program."""


class NodeError(LocalnetError):
    """A node is already running, is not running, or does not stay up."""


class LightError(ProofInvalid):
    """The light client proxy does not start, or does not vouch for an answer."""
