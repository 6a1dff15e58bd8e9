"""What a unit is computed from: terms and weights from a node, weights checked by their root; rows from a folder."""

from collections import OrderedDict
from typing import Protocol

from abci_app.client.chain import ChainClient
from abci_app.client.errors import ProofInvalid
from abci_app.client.model_source import ModelSource
from abci_app.data.store import StoredDataset
from abci_app.runtime.contract import new_row_form
from abci_app.units.errors import DatasetUnfit
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Unit

CHECKED_KEPT = 64
ROUND_FIELDS = ("model_id", "number", "attempt", "seed", "weights_root", "learning_rate_q16", "spec_version")
CLAIM_FIELDS = ("trainer", "payload_root", "trace_root")


class Datasets(Protocol):
    """Folders of datasets: data.store.DatasetStore, or several of them as data.stores.DatasetStores."""

    def open(self, rows_root: bytes) -> StoredDataset:
        """The dataset under a root, verified. Raises DatasetMissing, DatasetCorrupt."""


class SignedRecords(Protocol):
    """Records under headers that the validators have signed. Calls raise ClientError where that is not proved."""

    def find_round(self, model_id: int, number: int) -> Round | None:
        """A round as it stood a block ago."""

    def find_unit(self, model_id: int, number: int, index: int) -> Unit | None:
        """A unit as it stood a block ago."""

    def get_spec(self, model_id: int, version: int) -> ModelSpec:
        """A version of a contract's terms."""


class UnitSource:
    """Weights, terms and rows of units. Not for several threads at once."""

    def __init__(self, chain: ChainClient, store: Datasets, signed: SignedRecords | None = None) -> None:
        """signed: what rounds, units and terms are believed by; None: the node's word."""
        self.chain, self.store, self.signed = chain, store, signed
        self._checked: OrderedDict[tuple[object, ...], None] = OrderedDict()
        self.models = ModelSource(chain, None if signed is None else signed.get_spec)

    def get_spec(self, running: Round) -> ModelSpec:
        """The terms that a round is run by, of the model's versions. Raises NodeRefused for a node without them."""
        return self.models.get_spec(running.model_id, running.spec_version)

    def is_signed(self, running: Round) -> bool:
        """Whether a round may be believed: it stands so under a signed header, or nobody asked for that.

        False while no signed header knows of it: the state of a block is signed with the next one. Raises ProofInvalid
        for another round than the chain's.
        """
        told = tuple(getattr(running, name) for name in ROUND_FIELDS)
        if self.signed is None or told in self._checked:
            return True
        found = self.signed.find_round(running.model_id, running.number)
        if found is None or found.attempt < running.attempt:
            return False
        if tuple(getattr(found, name) for name in ROUND_FIELDS) != told:
            raise ProofInvalid(f"{self.chain.node.url} tells another round {running.number} of model "
                               f"{running.model_id} than the one that the validators signed", "ask another node")
        self._checked[told] = None
        if len(self._checked) > CHECKED_KEPT:
            self._checked.popitem(last=False)
        return True

    def is_claim_signed(self, unit: Unit) -> bool:
        """Whether a unit's claim may be believed, as `is_signed` says of its round."""
        if self.signed is None:
            return True
        found = self.signed.find_unit(unit.model_id, unit.round, unit.index)
        if found is None or found.status != unit.status:
            return False
        if any(getattr(found, name) != getattr(unit, name) for name in CLAIM_FIELDS):
            raise ProofInvalid(f"{self.chain.node.url} tells another claim of unit {unit.index} of round {unit.round} "
                               f"of model {unit.model_id} than the one that the validators signed", "ask another node")
        return True

    def load_weights(self, running: Round) -> bytes:
        """The weights that a round begins with, each chunk checked against the root in the round's record.

        Raises WeightsGone when the node keeps them no longer, ProofInvalid for what does not stand under the root.
        """
        return self.models.load_weights(running.model_id, running.number - 1, running.weights_root)

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
    row_count, row_bytes = wanted.train_rows + wanted.test_rows, new_row_form(spec).row_bytes
    if (held.row_count, held.row_bytes) != (row_count, row_bytes):
        raise DatasetUnfit(
            f"the contract speaks of {row_count} rows of {row_bytes} bytes; the dataset under its root has "
            f"{held.row_count} of {held.row_bytes}",
            hint="the contract is wrong and can never be audited: take another model")
    return dataset
