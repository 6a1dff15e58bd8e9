"""One small contract of each kind, weights for it, and questions to it."""

from abci_app.runtime.contract import new_network
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.models.v1 import models_pb2
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from kernels import decoder, mlp
from kernels.decoder.types import Decoder
from kernels.samples import sample_features, sample_labels

SEED = bytes(range(32))
AUDIT_SEED = bytes(range(100, 132))
KINDS = ("classifier", "linear", "regressor", "text")


def new_spec(kind: str) -> ModelSpec:
    """The contract of a kind, as far as answers depend on it."""
    if kind == "text":
        return ModelSpec(decoder=models_pb2.Decoder(vocab=37, context=24, width=32, heads=2, hidden=40, layers=2,
                                                    positions="rotary", tied=True),
                         dataset=models_pb2.Dataset(features=24, classes=37))
    widths = {"classifier": (6, 9, 5, 4), "linear": (6, 4), "regressor": (6, 9, 3)}[kind]
    spec = ModelSpec(dataset=models_pb2.Dataset(features=6, classes=widths[-1]))
    (spec.mlp_regressor if kind == "regressor" else spec.mlp_classifier).widths.extend(widths)
    return spec


def new_weights(kind: str, seed: bytes = SEED) -> bytes:
    """The initial weights by a seed."""
    network = new_network(new_spec(kind))
    return decoder.init_weights(network, seed) if isinstance(network, Decoder) else mlp.init_weights(
        network.widths, seed)


def new_question(kind: str, size: int = 3, **changes: int) -> Question:
    """A question of `size` rows, or one for `size` tokens after a prompt of three."""
    if kind == "text":
        fields = {"tokens": size, "temperature_q16": 65_536, "top_k": 9} | changes
        return Question(prompt=sample_labels("prompt", 3, 37), **fields)  # type: ignore[arg-type]
    return Question(rows=size, features=sample_features("rows", 6 * size))
