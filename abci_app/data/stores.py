"""Several folders of datasets as one."""

from collections.abc import Sequence

from abci_app.data.errors import DataError, DatasetMissing
from abci_app.data.store import DatasetStore, StoredDataset
from abci_app.data.table import Progress


class DatasetStores:
    """Each dataset comes from the first of the folders that holds it whole."""

    def __init__(self, stores: Sequence[DatasetStore]) -> None:
        """At least one."""
        if not stores:
            raise ValueError("at least one store")
        self._stores = tuple(stores)

    def open(self, rows_root: bytes, progress: Progress = lambda what, done, total: None) -> StoredDataset:
        """The dataset under a root, verified. Raises DatasetMissing, or DatasetCorrupt where no folder has it whole."""
        problem = None
        for store in self._stores:
            try:
                return store.open(rows_root, progress)
            except DatasetMissing:
                continue
            except DataError as error:
                problem = problem or error
        if problem is not None:
            raise problem
        folders = ", ".join(str(store.folder) for store in self._stores)
        raise DatasetMissing(f"no dataset {rows_root.hex()} in {folders}",
                             hint="make it here from the same source: gradus data add NAME | FILE.csv")
