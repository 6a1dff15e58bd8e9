"""Why a unit cannot be computed here."""

from abci_app.client.errors import NodeRefused
from abci_app.data.errors import DataError


class DatasetUnfit(DataError):
    """The dataset under a contract's root is not what the contract says of it."""


class WeightsGone(NodeRefused):
    """The node holds the weights that a unit begins with no longer."""
