"""What a unit is computed from: terms and weights from a node, weights checked by their root; rows from a folder."""

from collections import OrderedDict
from typing import Protocol

from abci_app.client.chain import ChainClient
from abci_app.client.errors import NodeRefused
from abci_app.data.store import StoredDataset
from abci_app.units.errors import DatasetUnfit, WeightsGone
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round

WEIGHTS_KEPT = 4
SPECS_KEPT = 64


class Datasets(Protocol):
    """Folders of datasets: data.store.DatasetStore, or several of them as data.stores.DatasetStores."""

    def open(self, rows_root: bytes) -> StoredDataset:
        """The dataset under a root, verified. Raises DatasetMissing, DatasetCorrupt."""


class UnitSource:
    """Weights, terms and rows of units. Not for several threads at once.

    Keeps the last WEIGHTS_KEPT weights, so that the units of a round, and of several models in turn, fetch them once.
    """

    def __init__(self, chain: ChainClient, store: Datasets) -> None:
        self.chain, self.store = chain, store
        self._specs: OrderedDict[tuple[int, int], ModelSpec] = OrderedDict()
        self._weights: OrderedDict[bytes, bytes] = OrderedDict()

    def get_spec(self, running: Round) -> ModelSpec:
        """The terms that a round is run by, of the model's versions. Raises NodeRefused for a node without them."""
        place = running.model_id, running.spec_version
        if place not in self._specs:
            found = self.chain.find_spec(*place)
            if found is None:
                raise NodeRefused(f"{self.chain.node.url} has no version {running.spec_version} of the terms of model "
                                  f"{running.model_id}")
            self._specs[place] = found
            if len(self._specs) > SPECS_KEPT:
                self._specs.popitem(last=False)
        return self._specs[place]

    def load_weights(self, running: Round) -> bytes:
        """The weights that a round begins with, each chunk checked against the root in the round's record.

        Raises WeightsGone when the node keeps them no longer, ProofInvalid for what does not stand under the root.
        """
        root = running.weights_root
        if root not in self._weights:
            found = self.chain.find_weights(running.model_id, running.number - 1, root)
            if found is None:
                raise WeightsGone(f"{self.chain.node.url} does not hold the weights of model {running.model_id} after "
                                  f"round {running.number - 1}")
            self._weights[root] = found
            if len(self._weights) > WEIGHTS_KEPT:
                self._weights.popitem(last=False)
        self._weights.move_to_end(root)
        return self._weights[root]

    def open_rows(self, spec: ModelSpec) -> StoredDataset:
        """The contract's dataset, as open_dataset."""
        return open_dataset(self.store, spec)


def open_dataset(store: Datasets, spec: ModelSpec) -> StoredDataset:
    """A contract's dataset, verified against its root.

    Raises DatasetMissing, DatasetCorrupt, DatasetUnfit.
    """
    wanted = spec.dataset
    dataset = store.open(wanted.rows_root)
    held = dataset.manifest
    if (held.row_count, held.feature_count) != (wanted.train_rows + wanted.test_rows, wanted.features):
        raise DatasetUnfit(
            f"the contract speaks of {wanted.train_rows + wanted.test_rows} rows of {wanted.features} features; "
            f"the dataset under its root has {held.row_count} of {held.feature_count}",
            hint="the contract is wrong and can never be audited: take another model")
    return dataset
