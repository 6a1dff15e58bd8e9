"""Stateless checks of messages, and the pure rules of rounds: dealing, drawing, slashing, parts of payloads.

Reads/Writes: nothing. Every bound has its reason in README.md beside this file, section "Bounds".
"""

from abci_app.runtime.contract import (
    UnitTerms, compute_drawn_count, compute_param_count, compute_unit_policy, new_row_form,
)
from abci_app.wire.address import decode_address
from abci_app.wire.coin import BASE_DENOM, parse_amount
from abci_app.wire.errors import InvalidCoins
from abci_app.wire.ints import U64_MAX, mul_div_ceil, ppm_floor
from abci_app.wire.merkle import HASH_BYTES
from abci_app.wire.pb.cosmos.base.v1beta1.coin_pb2 import Coin
from abci_app.wire.pb.gradus.models.v1.models_pb2 import (
    MODEL_STATUS_OPEN, AuditPolicy, Model, ModelSpec, ModelStatus, TrainingPolicy,
)
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import (
    MsgCommitWork, MsgEnroll, MsgLeave, MsgRevealPart, MsgRevealWork,
)
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    ROUND_PHASE_AUDIT, ROUND_PHASE_COMMIT, ROUND_PHASE_REVEAL, SLASH_REASON_DISPUTE, SLASH_REASON_WITHHELD,
    UNIT_STATUS_ACCEPTED, UNIT_STATUS_ASSIGNED, UNIT_STATUS_COMMITTED, UNIT_STATUS_REVEALED, Round, SlashReason, Unit,
)
from abci_app.wire.seed import draw_rows, shuffle, unit_seed
from abci_app.x.work.errors import (
    BondTooLarge, CommitmentMalformed, PayloadRootMalformed, SaltMalformed, TraceRootMalformed,
)
from kernels import aggregate
from kernels.aggregate.types import PAYLOADS_MAX
from kernels.chunks import chunk_root
from kernels.payload import payload_bytes, region_bytes

STORE = "work"
SALT_BYTES = 32
TRAINERS_MAX = 256
UNITS_MAX = PAYLOADS_MAX  # of a round
UNITS_PER_BLOCK = 2_048  # moved on by ends of phases
IDLE_MODELS_PER_BLOCK = 64
OPENED_UNITS_PER_BLOCK = 512  # dealt to models that waited
SETTLED_UNITS_PER_BLOCK = 512  # and chunks of weights that go with them
DRAWN_UNITS_PER_BLOCK = 256
AUDIT_COST_PER_BLOCK = 1 << 36  # multiply-adds of the units that are drawn
CONFIRMATION_UNITS = 8  # units of a block's bounds that asking everybody about one counts as
DISPUTE_GRACE_BLOCKS = 10
PAYLOAD_ROUNDS_KEPT = 2
PART_BYTES = 1 << 19  # of a payload that one transaction reveals, at most

RUNNING_PHASES = (ROUND_PHASE_COMMIT, ROUND_PHASE_REVEAL, ROUND_PHASE_AUDIT)
RUNNING_STATUSES = (UNIT_STATUS_ASSIGNED, UNIT_STATUS_COMMITTED, UNIT_STATUS_REVEALED)


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
    """Stateless validity of MsgRevealWork.

    The payload's part is checked in the handler, which knows the contract's codec.
    Raises: InvalidAddress (sdk/7), PayloadRootMalformed (work/31), TraceRootMalformed (work/17), SaltMalformed
    (work/18).
    """
    decode_address(msg.trainer)
    if len(msg.payload_root) != HASH_BYTES:
        raise PayloadRootMalformed(f"{len(msg.payload_root)} bytes given")
    if len(msg.trace_root) != HASH_BYTES:
        raise TraceRootMalformed(f"{len(msg.trace_root)} bytes given")
    if len(msg.salt) != SALT_BYTES:
        raise SaltMalformed(f"{len(msg.salt)} bytes given")


def check_reveal_part(msg: MsgRevealPart) -> None:
    """Stateless validity of MsgRevealPart. Raises InvalidAddress (sdk/7)."""
    decode_address(msg.trainer)


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


def compute_part_bytes(codec: str) -> int:
    """Bytes of each part of a payload but the last: as many whole regions as PART_BYTES hold."""
    region = region_bytes(codec)
    return max(PART_BYTES // region, 1) * region  # rounded down


def compute_part_sizes(spec: ModelSpec) -> list[int]:
    """Bytes of each part of a payload of the contract, in order."""
    codec = spec.training.codec
    total, size = payload_bytes(compute_param_count(spec), codec), compute_part_bytes(codec)
    return [min(size, total - at) for at in range(0, total, size)]


def compute_trainers_needed(status: ModelStatus, training: TrainingPolicy) -> int:
    """Active trainers without whom no round opens.

    The contract's trainers_min before the first round. Later as many as the rule needs payloads of: a slash that brings
    the trainers below trainers_min must not stop the training, or one cheat could.
    """
    return max(training.trainers_min, 1) if status == MODEL_STATUS_OPEN else compute_payloads_needed(training)


def compute_payloads_needed(training: TrainingPolicy) -> int:
    """Payloads without which a round fails: with fewer the contract's rule could not withstand `trim` wrong ones."""
    return aggregate.payloads_needed(training.aggregation, training.trim)


def compute_expired(model: Model) -> int:
    """The last round that is not among those that the contract keeps; 0 or less while it keeps all."""
    return model.rounds_closed - model.spec.training.kept_rounds


def deal_units(seed: bytes, addresses: list[bytes], units_max: int) -> list[bytes]:
    """Who computes unit 0, 1, …: at most units_max of the rising `addresses`, in an order fixed by the round's seed."""
    order = shuffle(seed, len(addresses))
    return [addresses[place] for place in order[:units_max]]


def draw_units(seed: bytes, revealed: list[int], rate_ppm: int, withheld_count: int) -> list[int]:
    """The units to audit, rising, of the `revealed` ones (one or more).

    The rate's part of them, rounded up, at least 1; all of them where a reveal was withheld: whoever reveals last knows
    the draw, and must gain nothing by having another one.
    """
    count = len(revealed) if withheld_count else compute_drawn_count(len(revealed), rate_ppm)
    return sorted(revealed[place] for place in shuffle(seed, len(revealed))[:count])


def compute_audit_load(spec: ModelSpec, owner: Round) -> int:
    """How many times as much as usual is audited of a round: 1 or more, rounded up."""
    usual = max(compute_drawn_count(owner.unit_count, spec.audit.rate_ppm), 1)  # a genesis may count no unit
    return max(mul_div_ceil(owner.unit_count, 1, usual), 1) if owner.withheld_count else 1


def compute_audit_blocks(spec: ModelSpec, owner: Round) -> int:
    """Blocks that those who audit a round have for it: for each unit as long as ever, however many are drawn."""
    return spec.training.audit_blocks * compute_audit_load(spec, owner)


def compute_slash(bond_ugrad: int, policy: AuditPolicy, reason: SlashReason) -> tuple[int, int]:
    """(taken from the bond, offered of that to those who proved the claim wrong).

    What is taken is rounded down, and so is the part of it that is burnt in any case. The rest is for the auditors, or
    half of it, rounded down, for who won a dispute: a trainer that challenges itself must lose more than by an audit. A
    withheld reveal is nobody's merit.
    """
    is_withheld = reason == SLASH_REASON_WITHHELD
    amount_ugrad = ppm_floor(bond_ugrad, policy.withhold_slash_ppm if is_withheld else policy.mismatch_slash_ppm)
    rest_ugrad = amount_ugrad - ppm_floor(amount_ugrad, policy.burn_ppm)
    if is_withheld:
        return amount_ugrad, 0
    return amount_ugrad, rest_ugrad // 2 if reason == SLASH_REASON_DISPUTE else rest_ugrad  # rounded down


def draw_unit_rows(spec: ModelSpec, running: Round, index: int) -> list[int]:
    """The rows of a unit in the order of use, with repetition. spec: the terms of the round."""
    training = spec.training
    return draw_rows(unit_seed(running.seed, index), training.local_steps * training.batch_rows,
                     spec.dataset.train_rows)


def new_unit_terms(spec: ModelSpec, owner: Round, unit: Unit) -> UnitTerms:
    """What a unit of round `owner` was computed from, and what was claimed of it. spec: the terms of the round."""
    dataset = spec.dataset
    return UnitTerms(
        policy=compute_unit_policy(spec, owner.learning_rate_q16), seed=unit_seed(owner.seed, unit.index), first_step=0,
        train_rows=dataset.train_rows, rows_root=dataset.rows_root, row_count=dataset.train_rows + dataset.test_rows,
        form=new_row_form(spec),
        weights_root=owner.weights_root, payload_root=unit.payload_root, trace_root=unit.trace_root,
        claimant=unit.trainer, attempt=owner.attempt)


def is_running(unit: Unit) -> bool:
    """Whether the round of a unit may still become something by it."""
    return unit.status in RUNNING_STATUSES


def is_open(unit: Unit, owner: Round) -> bool:
    """Whether a unit of round `owner` binds its trainer's bond: it is running, or accepted and not settled yet."""
    return is_running(unit) or unit.status == UNIT_STATUS_ACCEPTED and not owner.settled_height


def is_challengeable(unit: Unit, owner: Round, height: int) -> bool:
    """Whether anybody may challenge a unit of round `owner` in the block of `height`."""
    has_window = 0 < height <= owner.settle_height and not owner.settled_height
    return has_window and unit.status == UNIT_STATUS_ACCEPTED and not unit.disputed
