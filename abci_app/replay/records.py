"""What the chain's records say of a model and a round, as a node tells them; other sources prove each one."""

from typing import Protocol

from abci_app.client.chain import ChainClient
from abci_app.client.errors import ProofInvalid
from abci_app.client.light.errors import ELSEWHERE
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model, ModelSpec, Weights
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Slash, Unit


class Records(Protocol):
    """Records of one chain's newest state. `find_x` is None for what is not there. Calls raise ClientError."""

    def find_model(self, model_id: int) -> Model | None:
        """A contract and where it stands."""

    def get_spec(self, model_id: int, version: int) -> ModelSpec:
        """A version of a contract's terms."""

    def find_round(self, model_id: int, number: int) -> Round | None:
        """A round, while it is kept."""

    def find_unit(self, model_id: int, number: int, index: int) -> Unit | None:
        """A unit, while its round is kept."""

    def find_weights(self, model_id: int, number: int) -> Weights | None:
        """What the weights after a round are, while they are kept."""

    def list_slashes(self, model_id: int) -> list[Slash]:
        """A model's slashes, the earliest first."""


class NodeRecords:
    """Records on a node's word."""

    def __init__(self, chain: ChainClient) -> None:
        self.chain = chain

    def find_model(self, model_id: int) -> Model | None:
        """A contract and where it stands."""
        return self.chain.find_model(model_id)

    def get_spec(self, model_id: int, version: int) -> ModelSpec:
        """A version of a contract's terms. Raises ProofInvalid when the node has none of this number."""
        found = self.chain.find_spec(model_id, version)
        if found is None:
            raise ProofInvalid(f"the node knows no version {version} of the terms of model {model_id}", ELSEWHERE)
        return found

    def find_round(self, model_id: int, number: int) -> Round | None:
        """A round, while it is kept."""
        found = self.chain.find_round(model_id, number)
        return None if found is None else found.round

    def find_unit(self, model_id: int, number: int, index: int) -> Unit | None:
        """A unit, while its round is kept."""
        found = self.chain.find_round(model_id, number)
        return next((unit for unit in found.units if unit.index == index), None) if found is not None else None

    def find_weights(self, model_id: int, number: int) -> Weights | None:
        """What the weights after a round are, while they are kept."""
        return self.chain.find_weights_record(model_id, number)

    def list_slashes(self, model_id: int) -> list[Slash]:
        """A model's slashes, the earliest first."""
        return list(self.chain.iter_slashes(model_id))
