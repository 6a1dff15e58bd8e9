"""What an answer is computed from: terms and weights from a node, weights checked by their root, as loaded models."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from abci_app.answers.network import Network, load_network
from abci_app.client.chain import ChainClient
from abci_app.client.model_source import ModelSource
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec

NETWORKS_KEPT = 4


class AnswerSource:
    """Models of a chain, loaded. For several threads at once; the last NETWORKS_KEPT that were used are kept."""

    def __init__(self, chain: ChainClient, find_spec: Callable[[int, int], ModelSpec | None] | None = None) -> None:
        """find_spec: by what the terms of a model and version are believed; None: the node's word."""
        self._models = ModelSource(chain, find_spec, weights_kept=1)  # what is loaded needs them no longer
        self._networks: OrderedDict[tuple[int, int, bytes], Network] = OrderedDict()
        self._lock = Lock()

    def get_spec(self, model_id: int, version: int) -> ModelSpec:
        """A version of a model's terms. Raises NodeRefused for a node without it."""
        with self._lock:
            return self._models.get_spec(model_id, version)

    def load_network(self, model_id: int, version: int, round_number: int, weights_root: bytes) -> Network:
        """A model by the terms of a version, with the weights after a round, which stand under a root.

        All of it as a request or a session names it. Raises NodeRefused, WeightsGone, ProofInvalid as ModelSource, and
        KernelInputError for weights of another model.
        """
        place = model_id, version, weights_root
        with self._lock:
            if place not in self._networks:
                weights = self._models.load_weights(model_id, round_number, weights_root)
                self._networks[place] = load_network(self._models.get_spec(model_id, version), weights)
                if len(self._networks) > NETWORKS_KEPT:
                    self._networks.popitem(last=False)
            self._networks.move_to_end(place)
            return self._networks[place]
