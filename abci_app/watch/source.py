"""Where replays come from: the chain's records of a unit, its weights, and the dataset of this machine."""

from contextlib import suppress

from abci_app.client.chain import ChainClient
from abci_app.client.errors import NodeRefused
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
        """The disputed unit as this machine computes it; keeps its weights until its round is settled.

        Raises NodeRefused and ProofInvalid for what a node does not or wrongly answer, DataError for the dataset.
        """
        owner, unit = self._find_unit(dispute)
        spec = self.get_spec(owner)
        return UnitReplay(new_unit_terms(spec, owner, unit), self.keep(owner), self.source.open_rows(spec))

    def keep(self, owner: Round) -> bytes:
        """The weights that a round begins with, kept on this machine from now on until the round is settled.

        Whoever may have to prove something of a unit keeps them in time: a dispute of another unit holds the round open
        for longer than nodes keep its weights. Raises NodeRefused, ProofInvalid.
        """
        weights = self.kept.find(owner)
        if weights is None:
            weights = self.source.load_weights(owner)
            with suppress(OSError):  # a full disk must not lose a dispute that memory can win
                self.kept.put(owner, weights)
        return weights

    def forget_settled(self) -> None:
        """Let the weights go of rounds in which nothing can be challenged any more."""
        with suppress(OSError):  # what stays costs nothing but room
            for model_id, number in self.kept.list_rounds():
                if self._is_settled(model_id, number):
                    self.kept.drop(model_id, number)

    def _is_settled(self, model_id: int, number: int) -> bool:
        """By a node that has closed the round; one that is behind knows nothing of it."""
        dealing = self.chain.find_round(model_id, number)
        if dealing is not None and dealing.round is not None:
            return dealing.round.settled_height > 0
        return self.chain.get_model(model_id).rounds_closed >= number

    def open_unit(self, owner: Round, unit: Unit) -> UnitReplay:
        """A unit that nobody disputes yet. Raises as `open`."""
        spec = self.get_spec(owner)
        rows = self.source.open_rows(spec)
        return UnitReplay(new_unit_terms(spec, owner, unit), self.source.load_weights(owner), rows)

    def get_spec(self, owner: Round) -> ModelSpec:
        """The terms of a round."""
        return self.source.get_spec(owner)

    def _find_unit(self, dispute: Dispute) -> tuple[Round, Unit]:
        dealing = self.chain.find_round(dispute.model_id, dispute.round)
        found = [one for one in dealing.units if one.index == dispute.unit] if dealing is not None else []
        if dealing is None or dealing.round is None or not found:
            raise NodeRefused(f"{self.chain.node.url} does not know unit {dispute.unit} of round {dispute.round} of "
                              f"model {dispute.model_id}, which is disputed")
        return dealing.round, found[0]
