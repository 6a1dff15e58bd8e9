"""How a miner behaves. All but `honest` cheat, to show on test networks that cheating is caught and costs.

garbage: a random payload in canonical form. copy: another trainer's payload of the round before, zeros in the first.
wrong-data: computed from rows of its own choice. withhold: commits and never reveals.
"""

import secrets
from collections.abc import Callable
from enum import StrEnum

from abci_app.client.chain import ChainClient
from abci_app.runtime.contract import compute_param_count
from abci_app.units.claim import Claim, Computed, Rows, compute_unit, compute_unit_from, new_claim
from abci_app.units.cheats import is_test_chain
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round
from kernels import payload

GARBAGE_BYTES = 3


class Behaviour(StrEnum):
    """What a miner can be told to do."""

    HONEST = "honest"
    GARBAGE = "garbage"
    COPY = "copy"
    WRONG_DATA = "wrong-data"
    WITHHOLD = "withhold"

    @property
    def reveals(self) -> bool:
        """Whether it reveals what it has committed."""
        return self is not Behaviour.WITHHOLD


def is_allowed(behaviour: Behaviour, chain_id: str) -> bool:
    """Cheats are for test networks."""
    return behaviour is Behaviour.HONEST or is_test_chain(chain_id)


def make_claim(behaviour: Behaviour, chain: ChainClient, address: str, model: Model, running: Round, unit: int,
               load_weights: Callable[[], bytes], rows: Rows) -> Computed:
    """What a miner of this behaviour commits to; a trace only where it has one. load_weights: those of the round, when
    they are needed."""
    if behaviour is Behaviour.GARBAGE:
        garbage = _draw_garbage(compute_param_count(model.spec))
        return Computed(_new_encoded(model, garbage, secrets.token_bytes(32)), ())
    if behaviour is Behaviour.COPY:
        return Computed(_copy_claim(chain, address, model, running), ())
    if behaviour is Behaviour.WRONG_DATA:
        count = model.spec.training.local_steps * model.spec.training.batch_rows
        chosen = [index % model.spec.dataset.train_rows for index in range(count)]
        return compute_unit_from(model.spec, running, unit, load_weights(), rows, chosen)
    return compute_unit(model.spec, running, unit, load_weights(), rows)


def _copy_claim(chain: ChainClient, address: str, model: Model, running: Round) -> Claim:
    earlier = chain.find_round(model.id, running.number - 1) if running.number > 1 else None
    for unit in earlier.units if earlier else ():
        copied = chain.find_payload(model.id, unit.round, unit.index) if unit.trainer != address else None
        if copied is not None:
            return new_claim(copied, unit.trace_root, model.spec.training.codec)
    return _new_encoded(model, bytes(8 * compute_param_count(model.spec)), bytes(32))


def _new_encoded(model: Model, delta: bytes, trace_root: bytes) -> Claim:
    """The claim of a delta (int64 for each parameter) in the contract's codec."""
    codec = model.spec.training.codec
    encoded = payload.encode(delta, compute_param_count(model.spec), secrets.token_bytes(32), codec)
    return new_claim(encoded, trace_root, codec)


def _draw_garbage(param_count: int) -> bytes:
    """Random int64 values of GARBAGE_BYTES bytes each, of both signs: about the size of a real delta."""
    values = (int.from_bytes(secrets.token_bytes(GARBAGE_BYTES), "little", signed=True) for _ in range(param_count))
    return b"".join(value.to_bytes(8, "little", signed=True) for value in values)
