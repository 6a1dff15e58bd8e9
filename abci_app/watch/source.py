"""Where replays come from: the chain's records of a unit, its weights, and the dataset of this machine."""

from collections.abc import Sequence
from contextlib import suppress

from abci_app.client.chain import ChainClient
from abci_app.client.errors import ClientError, NodeRefused
from abci_app.units.source import UnitSource
from abci_app.watch.kept import KeptRounds
from abci_app.watch.replay import Memories, UnitReplay
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import Dispute
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Unit
from abci_app.x.work.types import new_unit_terms


class ReplaySource:
    """Replays of units, over what units are computed from."""

    def __init__(self, chain: ChainClient, source: UnitSource, kept: KeptRounds) -> None:
        self.chain, self.source, self.kept = chain, source, kept
        self._memories = Memories()

    def open(self, dispute: Dispute) -> UnitReplay:
        """The disputed unit as this machine computes it; keeps its weights until its round is settled.

        A trace that was kept is not computed again, so that its owner can post it at once.

        Raises NodeRefused and ProofInvalid for what a node does not or wrongly answer, DataError for the dataset.
        """
        owner, unit = self._find_unit(dispute)
        self._check_signed(owner)
        spec, trace = self.get_spec(owner), self.kept.find_trace(owner, unit.trace_root)
        replay = UnitReplay(new_unit_terms(spec, owner, unit), lambda: self.keep(owner), self.source.open_rows(spec),
                            self._memories, trace)
        with suppress(ClientError):  # who lacks them now may have them when a move needs them
            self.keep(owner)
        return replay

    def keep_trace(self, owner: Round, trace: Sequence[bytes]) -> None:
        """Have the trace of one of this machine's units until its round is settled: a challenge is answered at once."""
        with suppress(OSError):  # without it the unit is computed again
            self.kept.put_trace(owner, trace)

    def keep(self, owner: Round) -> bytes:
        """The weights that a round begins with, kept on this machine from now on until the round is settled.

        Nodes keep them as long; who has them need not find one that answers before a deadline. Raises NodeRefused,
        ProofInvalid.
        """
        weights = self.kept.find_weights(owner)
        if weights is None:
            weights = self.source.load_weights(owner)
            with suppress(OSError):  # a full disk must not lose a dispute that memory can win
                self.kept.put_weights(owner, weights)
        return weights

    def forget_settled(self) -> None:
        """Let go what is kept of rounds in which nothing can be challenged any more."""
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
        self._check_signed(owner)
        spec = self.get_spec(owner)
        rows = self.source.open_rows(spec)
        return UnitReplay(new_unit_terms(spec, owner, unit), lambda: self.source.load_weights(owner), rows,
                          self._memories)

    def get_spec(self, owner: Round) -> ModelSpec:
        """The terms of a round."""
        return self.source.get_spec(owner)

    def _check_signed(self, owner: Round) -> None:
        if not self.source.is_signed(owner):
            raise NodeRefused(f"no signed block has round {owner.number} of model {owner.model_id} yet")

    def is_claim_signed(self, unit: Unit) -> bool:
        """Whether a claim stands so under a signed header, where that is asked for. Raises ProofInvalid."""
        return self.source.is_claim_signed(unit)

    def _find_unit(self, dispute: Dispute) -> tuple[Round, Unit]:
        dealing = self.chain.find_round(dispute.model_id, dispute.round)
        found = [one for one in dealing.units if one.index == dispute.unit] if dealing is not None else []
        if dealing is None or dealing.round is None or not found:
            raise NodeRefused(f"{self.chain.node.url} does not know unit {dispute.unit} of round {dispute.round} of "
                              f"model {dispute.model_id}, which is disputed")
        return dealing.round, found[0]
