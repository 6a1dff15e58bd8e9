"""The models that the gateway serves, by the names that its clients use: `digits-1` is model 1, named digits."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from abci_app.gateway.errors import new_model_missing
from abci_app.runtime.contract import find_architecture
from abci_app.sdk.client import Client
from abci_app.sdk.translator import Translator
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_RETIRED, Model

FRESH_S = 10.0
PLAIN = re.compile("[1-9][0-9]{0,19}")


@dataclass(frozen=True, slots=True)
class Served:
    """A model that can be asked."""

    model: Model
    translator: Translator

    @property
    def name(self) -> str:
        """What clients call it."""
        return f"{self.model.spec.name.replace(' ', '-')}-{self.model.id}"

    @property
    def fingerprint(self) -> str:
        """Names the weights that answer."""
        return f"gradus-{self.model.weights_root.hex()[:16]}"

    def body(self) -> dict[str, Any]:
        """As JSON. The chain counts blocks: `created` is 0, `created_height` says when."""
        return {"id": self.name, "object": "model", "created": 0, "owned_by": self.model.admin,
                "gradus": {"model_id": self.model.id, "kind": find_architecture(self.model.spec),
                           "created_height": self.model.created_height, "rounds_closed": self.model.rounds_closed,
                           "weights_root": self.model.weights_root.hex()}}


class Catalogue:
    """Models as the chain has them, at most FRESH_S old. Safe to use from several threads."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self.client, self.clock = client, clock
        self._lock = threading.Lock()
        self._found: dict[int, Served] = {}
        self._read_s = float("-inf")

    def list_models(self) -> list[Served]:
        """Those that say how they are asked and are not retired, ids rising. Raises ClientError."""
        with self._lock:
            if self.clock() - self._read_s > FRESH_S:
                known = self._found
                self._found = {model.id: self._serve(model, known.get(model.id))
                               for model in self.client.chain.iter_models()
                               if model.spec.HasField("inference") and model.status != MODEL_STATUS_RETIRED}
                self._read_s = self.clock()
            return list(self._found.values())

    def get(self, name: object) -> Served:
        """A model by its name here, or by its number on the chain. Raises ApiError, ClientError."""
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(name)
        for served in self.list_models():
            if name == served.name or isinstance(name, str) and PLAIN.fullmatch(name) and int(name) == served.model.id:
                return served
        raise new_model_missing(str(name))

    def _serve(self, model: Model, known: Served | None) -> Served:
        is_same = known is not None and known.model.spec_version == model.spec_version
        return Served(model, known.translator if known and is_same else self.client.new_translator(model.spec))
