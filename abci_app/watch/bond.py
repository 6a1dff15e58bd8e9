"""What a challenge takes at least: twice as much for each dispute of the unit that its claimant has won."""

from abci_app.client.chain import ChainClient
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import DISPUTE_WINNER_CLAIMANT
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.x.disputes.types import compute_bond_min


def find_bond_ugrad(chain: ChainClient, spec: ModelSpec, model_id: int, number: int, unit: int) -> int:
    """The least bond of a challenge of a unit now. spec: the terms of its round."""
    won = sum(1 for ended in chain.iter_ended_disputes(model_id, number)
              if (ended.unit, ended.winner) == (unit, DISPUTE_WINNER_CLAIMANT))
    return compute_bond_min(spec.audit.challenge_bond_ugrad, won)
