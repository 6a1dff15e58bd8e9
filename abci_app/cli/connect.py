"""A typed client of the node that a command was told to ask."""

from abci_app.client.chain import ChainClient
from abci_app.client.rpc import Rpc


def connect(url: str) -> ChainClient:
    """A client of the node at `url`. Nothing is sent yet."""
    return ChainClient(Rpc(url))
