"""Terms and weights of models from a node: weights checked by their root, the last ones kept."""

from collections import OrderedDict
from collections.abc import Callable

from abci_app.client.chain import ChainClient
from abci_app.client.errors import NodeRefused, WeightsGone
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec

WEIGHTS_KEPT = 4
SPECS_KEPT = 64


class ModelSource:
    """What models are made of. Not for several threads at once.

    Keeps the last weights, so that work on several models in turn fetches them once.
    """

    def __init__(self, chain: ChainClient, find_spec: Callable[[int, int], ModelSpec | None] | None = None,
                 weights_kept: int = WEIGHTS_KEPT) -> None:
        """find_spec: by what the terms of a model and version are believed; None: the node's word. weights_kept: at
        least 1."""
        self.chain, self._find_spec, self._weights_kept = chain, find_spec or chain.find_spec, weights_kept
        self._specs: OrderedDict[tuple[int, int], ModelSpec] = OrderedDict()
        self._weights: OrderedDict[bytes, bytes] = OrderedDict()

    def get_spec(self, model_id: int, version: int) -> ModelSpec:
        """A version of a model's terms. Raises NodeRefused for a node without it."""
        place = model_id, version
        if place not in self._specs:
            found = self._find_spec(model_id, version)
            if found is None:
                raise NodeRefused(f"{self.chain.node.url} has no version {version} of the terms of model {model_id}")
            self._specs[place] = found
            if len(self._specs) > SPECS_KEPT:
                self._specs.popitem(last=False)
        return self._specs[place]

    def load_weights(self, model_id: int, round_number: int, root: bytes) -> bytes:
        """The weights after a round (0: the initial ones), each chunk checked against a root that is believed.

        Raises WeightsGone when the node keeps them no longer, ProofInvalid for what does not stand under the root.
        """
        if root not in self._weights:
            found = self.chain.find_weights(model_id, round_number, root)
            if found is None:
                raise WeightsGone(f"{self.chain.node.url} does not hold the weights of model {model_id} after round "
                                  f"{round_number}")
            self._weights[root] = found
            if len(self._weights) > self._weights_kept:
                self._weights.popitem(last=False)
        self._weights.move_to_end(root)
        return self._weights[root]
