"""Why something cannot be replayed. None of it means that the chain is wrong: that is a result and no error."""

from abci_app.client.errors import ClientError


class NothingToReplay(ClientError):
    """There is no such model, round, unit or claim."""

    exit_status = 2


class DatasetLacking(ClientError):
    """The rows that units were computed from are not in this home, or not intact."""

    exit_status = 2


class BlockPruned(ClientError):
    """The node no longer has a block, or what it did."""

    exit_status = 3
