"""What must be in order before a miner starts; each check names what is missing and how to get it."""

from collections.abc import Callable

from abci_app.client.chain import ChainClient
from abci_app.client.send import GAS_MARGIN_PPM
from abci_app.client.txs import compute_fee_ugrad
from abci_app.data.errors import DataError
from abci_app.data.store import DatasetStore, StoredDataset
from abci_app.miner.behaviour import Behaviour, is_allowed
from abci_app.miner.errors import MinerStopped
from abci_app.runtime.contract import compute_unit_policy
from abci_app.runtime.gas import BLOB_BYTE_GAS, TX_BYTE_GAS
from abci_app.units.cheats import TEST_CHAINS
from abci_app.units.errors import DatasetUnfit
from abci_app.units.source import open_dataset
from abci_app.wire.ints import PPM, mul_div_ceil
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING, Model
from abci_app.x.work.types import PART_BYTES
from kernels import dispatch

NUMERICS = "gin1"
FEES_UGRAD = 1
TX_GAS = 40_000  # more than a commitment takes, and a reveal besides its payload


def is_live(model: Model) -> bool:
    """Whether the model still trains, or will: one that is paused goes on as what it was."""
    live = (MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING)
    return model.status in live or model.resumed_status in live


def check_behaviour(behaviour: Behaviour, chain_id: str) -> None:
    """Raises MinerStopped for a cheat on a chain that is no test network."""
    if not is_allowed(behaviour, chain_id):
        raise MinerStopped(f"behaviour {behaviour} is for test networks; this is chain {chain_id!r}",
                           f"names of test networks begin with {', '.join(TEST_CHAINS)}")


def check_model(chain: ChainClient, model_id: int) -> Model:
    """The contract, when this miner can train it. Raises MinerStopped; ModelMissing where there is none."""
    model = chain.get_model(model_id)
    if model.spec.numerics != NUMERICS:
        raise MinerStopped(f"model {model_id} asks for numerics {model.spec.numerics!r}, this miner has {NUMERICS}",
                           "use a newer version")
    if not is_live(model):
        raise MinerStopped(f"model {model_id} trains no longer: {model.rounds_closed} rounds are closed")
    return model


def check_dataset(store: DatasetStore, model: Model) -> StoredDataset:
    """The contract's dataset, verified against its root. Raises MinerStopped when it is missing or does not fit."""
    try:
        return open_dataset(store, model.spec)
    except DatasetUnfit as error:
        raise MinerStopped(f"model {model.id}: {error}", error.hint) from None
    except DataError as error:
        raise MinerStopped(f"model {model.id} is trained on a dataset that is not here: {error}", error.hint) from None


def check_funds(chain: ChainClient, address: str, bond_ugrad: int) -> None:
    """Raises MinerStopped when an account cannot pay a bond and the first fees."""
    balance = chain.balance(address)
    if balance < bond_ugrad + FEES_UGRAD:
        raise MinerStopped(f"{address} has {balance} ugrad; the bond takes {bond_ugrad}, and fees come on top",
                           f"send it coins: gradus tx bank send {address} AMOUNT --from KEY")


def compute_fees_due_ugrad(gas_price_ppm: int, payload_bytes: int, reveals: int) -> int:
    """At least what one commitment and `reveals` reveals of such payloads cost, ugrad."""
    parts = mul_div_ceil(payload_bytes, 2, PART_BYTES)  # a part is more than half of PART_BYTES, but for the last
    gas = TX_GAS + reveals * (max(parts, 1) * TX_GAS + payload_bytes * (TX_BYTE_GAS + BLOB_BYTE_GAS))
    return compute_fee_ugrad(mul_div_ceil(gas, GAS_MARGIN_PPM, PPM), gas_price_ppm)


def check_fees(chain: ChainClient, address: str, gas_price_ppm: int, payload_bytes: int, reveals: int) -> None:
    """Raises MinerStopped when an account cannot pay for committing and then for revealing all that is committed."""
    due, balance = compute_fees_due_ugrad(gas_price_ppm, payload_bytes, reveals), chain.balance(address)
    if balance < due:
        raise MinerStopped(f"{address} has {balance} ugrad; to commit and to reveal takes up to {due}, and what is "
                           "committed and not revealed costs a part of the bond",
                           f"send it coins: gradus tx bank send {address} AMOUNT --from KEY")


def warm_kernels(model: Model, progress: Callable[[str, int, int], None]) -> None:
    """Compile what the model's units need before the first one is dealt: seconds on an empty cache, else nothing."""
    dispatch.warm(compute_unit_policy(model.spec, model.spec.training.learning_rate.peak_q16), progress)
