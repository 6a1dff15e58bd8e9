"""Where replays come from: the chain's records of a unit, its weights, and the dataset of this machine."""

from collections.abc import Iterable
from contextlib import suppress

from abci_app.client.chain import ChainClient
from abci_app.client.errors import NodeRefused
from abci_app.runtime.contract import UnitTerms
from abci_app.units.source import UnitSource
from abci_app.watch.replay import UnitReplay
from abci_app.watch.weights import KeptWeights
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import Dispute
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Unit
from abci_app.x.work.types import new_unit_terms


class ReplaySource:
    """Replays of units, over what units are computed from."""

    def __init__(self, chain: ChainClient, source: UnitSource, kept: KeptWeights) -> None:
        self.chain, self.source, self.kept = chain, source, kept

    def open(self, dispute: Dispute) -> UnitReplay:
        """The disputed unit as this machine computes it; keeps its weights until `keep_only` lets them go.

        Raises NodeRefused and ProofInvalid for what a node does not or wrongly answer, DataError for the dataset.
        """
        owner, unit = self._find_unit(dispute)
        spec = self.get_spec(owner)
        terms = new_unit_terms(spec, owner, unit)
        weights = self.kept.find(terms.weights_root)
        if weights is None:
            weights = self.source.load_weights(owner)
            with suppress(OSError):  # a full disk must not lose a dispute that memory can win
                self.kept.put(terms.weights_root, weights)
        return UnitReplay(terms, weights, self.source.open_rows(spec))

    def open_unit(self, owner: Round, unit: Unit) -> UnitReplay:
        """A unit that nobody disputes yet. Raises as `open`."""
        spec = self.get_spec(owner)
        rows = self.source.open_rows(spec)
        return UnitReplay(new_unit_terms(spec, owner, unit), self.source.load_weights(owner), rows)

    def get_spec(self, owner: Round) -> ModelSpec:
        """The terms of a round."""
        return self.source.get_spec(owner)

    def keep_only(self, terms: Iterable[UnitTerms]) -> None:
        """Forget the weights of other units."""
        with suppress(OSError):  # what stays costs nothing but room
            self.kept.keep_only([one.weights_root for one in terms])

    def _find_unit(self, dispute: Dispute) -> tuple[Round, Unit]:
        dealing = self.chain.find_round(dispute.model_id, dispute.round)
        found = [one for one in dealing.units if one.index == dispute.unit] if dealing is not None else []
        if dealing is None or dealing.round is None or not found:
            raise NodeRefused(f"{self.chain.node.url} does not know unit {dispute.unit} of round {dispute.round} of "
                              f"model {dispute.model_id}, which is disputed")
        return dealing.round, found[0]
