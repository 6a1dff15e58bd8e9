"""Stateless checks of messages, and the pure rules of rounds: dealing, drawing, slashing.

Reads/Writes: nothing. Every bound has its reason in README.md beside this file, section "Bounds".
"""

from abci_app.wire.address import decode_address
from abci_app.wire.coin import BASE_DENOM, parse_amount
from abci_app.wire.errors import InvalidCoins
from abci_app.wire.ints import PPM, U64_MAX, mul_div_ceil, ppm_floor
from abci_app.wire.merkle import HASH_BYTES
from abci_app.wire.pb.cosmos.base.v1beta1.coin_pb2 import Coin
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_OPEN, Model, ModelSpec, TrainingPolicy
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgCommitWork, MsgEnroll, MsgLeave, MsgRevealWork
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    ROUND_PHASE_AUDIT, ROUND_PHASE_COMMIT, ROUND_PHASE_REVEAL, UNIT_STATUS_ASSIGNED, UNIT_STATUS_COMMITTED,
    UNIT_STATUS_REVEALED, Round, Unit,
)
from abci_app.wire.row import join_columns, row_bytes
from abci_app.wire.seed import draw_rows, shuffle, unit_seed
from abci_app.x.work.errors import BondTooLarge, CommitmentMalformed, SaltMalformed, TraceRootMalformed
from kernels import aggregate
from kernels.chunks import chunk_root
from kernels.payload import region_bytes

STORE = "work"
SALT_BYTES = 32
TRAINERS_MAX = 256
UNITS_PER_BLOCK = 2_048  # moved on by ends of phases
IDLE_MODELS_PER_BLOCK = 64
OPENED_UNITS_PER_BLOCK = 512  # dealt to models that waited
AUDITED_MODELS_MAX = 1_024  # that a proposer looks at
PAYLOAD_ROUNDS_KEPT = 2

RUNNING_PHASES = (ROUND_PHASE_COMMIT, ROUND_PHASE_REVEAL, ROUND_PHASE_AUDIT)
OPEN_STATUSES = (UNIT_STATUS_ASSIGNED, UNIT_STATUS_COMMITTED, UNIT_STATUS_REVEALED)


def check_enroll(msg: MsgEnroll) -> None:
    """Stateless validity of MsgEnroll. Raises InvalidAddress (sdk/7), InvalidCoins, BondTooLarge (work/8)."""
    decode_address(msg.trainer)
    parse_bond(msg.bond)


def check_leave(msg: MsgLeave) -> None:
    """Stateless validity of MsgLeave. Raises InvalidAddress (sdk/7)."""
    decode_address(msg.trainer)


def check_commit_work(msg: MsgCommitWork) -> None:
    """Stateless validity of MsgCommitWork. Raises InvalidAddress (sdk/7), CommitmentMalformed (work/11)."""
    decode_address(msg.trainer)
    if len(msg.commitment) != HASH_BYTES:
        raise CommitmentMalformed(f"{len(msg.commitment)} bytes given")


def check_reveal_work(msg: MsgRevealWork) -> None:
    """Stateless validity of MsgRevealWork. Raises InvalidAddress, TraceRootMalformed, SaltMalformed (work/17, work/18).

    The payload is checked in the handler, which knows the contract's codec.
    """
    decode_address(msg.trainer)
    if len(msg.trace_root) != HASH_BYTES:
        raise TraceRootMalformed(f"{len(msg.trace_root)} bytes given")
    if len(msg.salt) != SALT_BYTES:
        raise SaltMalformed(f"{len(msg.salt)} bytes given")


def parse_bond(bond: Coin) -> int:
    """The ugrad (0..2^64-1) to add to a bond: 0 is for trainers that come back with their bond whole.

    Raises InvalidCoins (sdk/10), BondTooLarge (work/8).
    """
    if bond.denom != BASE_DENOM:
        raise InvalidCoins(f"a bond is given in {BASE_DENOM}; write 0{BASE_DENOM} to add nothing")
    amount_ugrad = parse_amount(bond.amount)
    if amount_ugrad > U64_MAX:
        raise BondTooLarge(f"{amount_ugrad} ugrad offered")
    return amount_ugrad


def compute_payload_root(payload: bytes, codec: str) -> bytes:
    """The 32 bytes by which a claim names its payload: the root of a chunk tree in which a chunk is one region.

    So any 65536 coordinates can be proved with their exponents against the claim, without the rest of the payload.
    """
    return chunk_root(payload, region_bytes(codec))


def compute_trainers_needed(model: Model) -> int:
    """Active trainers without whom no round opens.

    The contract's trainers_min before the first round. Later as many as the rule needs payloads of: a slash that brings
    the trainers below trainers_min must not stop the training, or one cheat could.
    """
    training = model.spec.training
    return max(training.trainers_min, 1) if model.status == MODEL_STATUS_OPEN else compute_payloads_needed(training)


def compute_payloads_needed(training: TrainingPolicy) -> int:
    """Payloads without which a round fails: with fewer the contract's rule could not withstand `trim` wrong ones."""
    return aggregate.payloads_needed(training.aggregation, training.trim)


def deal_units(seed: bytes, addresses: list[bytes], units_max: int) -> list[bytes]:
    """Who computes unit 0, 1, …: at most units_max of the rising `addresses`, in an order fixed by the round's seed."""
    order = shuffle(seed, len(addresses))
    return [addresses[place] for place in order[:units_max]]


def draw_units(seed: bytes, revealed: list[int], rate_ppm: int) -> list[int]:
    """The units to audit, rising: the rate's part of the `revealed` ones (one or more), rounded up, at least 1."""
    count = min(max(mul_div_ceil(len(revealed), rate_ppm, PPM), 1), len(revealed))
    return sorted(revealed[place] for place in shuffle(seed, len(revealed))[:count])


def compute_slash(bond_ugrad: int, slash_ppm: int, burn_ppm: int) -> tuple[int, int]:
    """(taken from the bond, burnt of that): both rounded down, so never more than there is."""
    amount_ugrad = ppm_floor(bond_ugrad, slash_ppm)
    return amount_ugrad, ppm_floor(amount_ugrad, burn_ppm)


def draw_unit_rows(spec: ModelSpec, running: Round, index: int) -> list[int]:
    """The rows of a unit in the order of use, with repetition. spec: of the version that the round is run by."""
    training = spec.training
    return draw_rows(unit_seed(running.seed, index), training.local_steps * training.batch_rows,
                     spec.dataset.train_rows)


def distinct_rows(drawn: list[int]) -> list[int]:
    """The drawn rows, each once, rising: what evidence holds."""
    return sorted(dict.fromkeys(drawn))


def join_unit_rows(drawn: list[int], distinct: list[int], rows: list[bytes], features: int) -> tuple[bytes, bytes]:
    """(features, labels) of the `drawn` rows, given the `distinct` ones: the form that a unit takes."""
    by_index = dict(zip(distinct, rows))
    return join_columns([by_index[index] for index in drawn], features)


def is_usable_row(row: bytes, features: int, classes: int) -> bool:
    """Whether the numerics take a row: no feature of -128, a label below the number of classes."""
    return b"\x80" not in row[:features] and int.from_bytes(row[features:], "little") < classes


def compute_evidence_bytes(spec: ModelSpec, row_count: int) -> int:
    """Bytes of so many rows."""
    return row_count * row_bytes(spec.dataset.features)


def compute_step_units(model: Model, running: Round) -> int:
    """Units that the end of a phase handles at most: those of the round, and those of the round dealt next."""
    return running.unit_count + model.spec.training.units_max


def is_open(unit: Unit) -> bool:
    """Whether the trainer of a unit has still something at stake in the round."""
    return unit.status in OPEN_STATUSES
