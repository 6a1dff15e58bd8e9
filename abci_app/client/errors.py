"""What can go wrong between a client and a node. `exit_status` is what a command ends with."""

from abci_app.wire.errors import NotFound


class ClientError(Exception):
    """Root of the tree. text: what was wrong. hint: what to do, empty when nothing can be said."""

    exit_status = 1

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.text, self.hint = text, hint

    def __str__(self) -> str:
        return f"{self.text} ({self.hint})" if self.hint else self.text


class NodeUnreachable(ClientError):
    """No node answers at the address."""

    exit_status = 3


class BadNodeUrl(ClientError):
    """What should be the address of a node is none."""

    exit_status = 2


class NetworkFileInvalid(ClientError):
    """The file that should name the nodes of a network on this machine does not."""

    exit_status = 2


class NodeRefused(ClientError):
    """A node was reached and refused the call itself."""


class WeightsGone(NodeRefused):
    """The node holds the weights of a round no longer."""


class WrongChain(ClientError):
    """The node is of another chain than the caller's."""


class QueryRefused(ClientError):
    """The application answered a query with a code."""

    def __init__(self, codespace: str, code: int, log: str) -> None:
        super().__init__(f"{codespace}/{code} {log}")
        self.codespace, self.code, self.log = codespace, code, log


class ModelMissing(QueryRefused):
    """A model was named that the chain does not have."""

    def __init__(self, model_id: int) -> None:
        super().__init__(NotFound.codespace, NotFound.code, f"model {model_id}")
        self.text, self.hint = f"there is no model {model_id}", "`gradus query models list` shows those that there are"


class TxRefused(ClientError):
    """The chain refused a transaction, at admission or in a block (height then tells which)."""

    def __init__(self, codespace: str, code: int, log: str, tx_hash: bytes = b"", height: int = 0) -> None:
        super().__init__(f"{codespace}/{code} {log}")
        self.codespace, self.code, self.log, self.tx_hash, self.height = codespace, code, log, tx_hash, height


class FeeTooHigh(ClientError):
    """A node names a price or an amount of gas above what the caller will pay."""


class ProofInvalid(ClientError):
    """An answer does not verify against what it should."""

    exit_status = 4


class TimedOut(ClientError):
    """What was waited for did not happen in time."""

    exit_status = 5


class LoadTooLate(ClientError):
    """A load was not ready when its first transaction was due."""


class BlocksUnreadable(ClientError):
    """What became of a load cannot be told, because its blocks cannot be read or are not there yet."""

    exit_status = 3
