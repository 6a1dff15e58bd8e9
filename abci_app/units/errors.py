"""Why a unit cannot be computed here."""

from abci_app.data.errors import DataError


class DatasetUnfit(DataError):
    """The dataset under a contract's root is not what the contract says of it."""
