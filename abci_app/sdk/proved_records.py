"""Records for a replay, each proved against what the chain's validators signed."""

from typing import TypeVar

from google.protobuf.message import Message

from abci_app.client.errors import ProofInvalid
from abci_app.client.light.blocks import Header
from abci_app.client.light.errors import ELSEWHERE
from abci_app.sdk import proofs
from abci_app.sdk.proofs import Place, Proved, Terms
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model, ModelSpec, SpecVersion, Weights
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Slash, Unit

Record = TypeVar("Record", bound=Message)


class ProvedRecords:
    """replay.records.Records, proved by the light client. proved: the proof that reached the newest block."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.proved: Proved | None = None
        self._specs: dict[tuple[int, int], ModelSpec] = {}

    def find_model(self, model_id: int) -> Model | None:
        """A contract and where it stands."""
        return self._find(proofs.model_place(model_id), Model)

    def get_spec(self, model_id: int, version: int) -> ModelSpec:
        """A version of a contract's terms, proved once: they never change."""
        place = model_id, version
        if place not in self._specs:
            self._specs[place] = self._prove_spec(model_id, version)
        return self._specs[place]

    def _prove_spec(self, model_id: int, version: int) -> ModelSpec:
        """Replaced terms stand for themselves, those in force in the contract, which is asked first."""
        model = self.find_model(model_id)
        if model is not None and model.spec_version == version:
            return model.spec
        replaced = self._find(proofs.version_place(model_id, version), SpecVersion)
        if replaced is None:
            raise ProofInvalid(f"there is no version {version} of the terms of model {model_id}: that is proved",
                               ELSEWHERE)
        return replaced.spec

    def find_round(self, model_id: int, number: int) -> Round | None:
        """A round, while it is kept."""
        return self._find(proofs.round_place(model_id, number), Round)

    def find_unit(self, model_id: int, number: int, index: int) -> Unit | None:
        """A unit, while its round is kept."""
        return self._find(proofs.unit_place(model_id, number, index), Unit)

    def find_weights(self, model_id: int, number: int) -> Weights | None:
        """What the weights after a round are, while they are kept."""
        return self._find(proofs.weights_place(model_id, number), Weights)

    def list_slashes(self, model_id: int) -> list[Slash]:
        """A model's slashes, the earliest first: as many as is proved that there are."""
        count = int.from_bytes(self._prove(proofs.slash_count_place(model_id)) or b"", "big")
        found = [self._find(proofs.slash_place(model_id, ordinal), Slash) for ordinal in range(count)]
        if None in found:
            raise ProofInvalid(f"the state has {count} slashes of model {model_id}, and not each one of them",
                               ELSEWHERE)
        return [slash for slash in found if slash is not None]

    def check_header(self, header: Header) -> None:
        """Raises ProofInvalid for a header that is not the chain's."""
        verified = proofs.follow(self.terms, header.height)
        self._keep(verified)
        if verified.record.header.hash != header.hash:
            raise ProofInvalid(f"the node shows another block {header.height} than the one that the validators signed",
                               ELSEWHERE)

    def _find(self, place: Place, kind: type[Record]) -> Record | None:
        value = self._prove(place)
        return None if value is None else kind.FromString(value)

    def _prove(self, place: Place) -> bytes | None:
        """What stands in a place, None for nothing."""
        found = proofs.prove(self.terms, place)
        self._keep(found)
        return found.record.value

    def _keep(self, found: Proved) -> None:
        if self.proved is None or found.record.header.height >= self.proved.record.header.height:
            self.proved = found
