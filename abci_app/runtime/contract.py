"""What a model contract asks of a block, by its terms alone: its size, its unit, and the price of an audit.

The room that takes a contract and the room that runs its rounds apply the same rules; so they stand below both.
Reads/Writes: nothing. All functions take a checked contract.
"""

from abci_app.runtime.gas import MULTIPLY_ADDS_PER_GAS, WRITE_GAS
from abci_app.wire.ints import mul_div_ceil, ppm_floor
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING, ModelSpec
from abci_app.wire.row import row_bytes
from abci_app.wire.tx import TX_BYTES_MAX
from kernels import aggregate, mlp, unit
from kernels.aggregate.types import PAYLOADS_MAX

LIVE_STATUSES = (MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING)

CLOSE_COST_PER_BLOCK = 1 << 30  # multiply-adds
OUTER_STEP_COST = 32  # of a parameter: the step, and the bytes of its weight and momentum
AUDIT_GAS_PER_BLOCK = 2_000_000
EVIDENCE_BYTES_PER_BLOCK = TX_BYTES_MAX  # what the injected share of the smallest block holds
EVIDENCE_GAS = 4 * WRITE_GAS
DRAWN_ROW_GAS = 16
ROW_BYTES_PER_GAS = 64


def compute_param_count(spec: ModelSpec) -> int:
    """Weights and biases of the contract's model."""
    return mlp.param_count(tuple(spec.mlp_classifier.widths))


def compute_unit_policy(spec: ModelSpec, learning_rate_q16: int) -> unit.UnitPolicy:
    """The unit of a contract at a round's learning rate, as the numerics take it."""
    training = spec.training
    return unit.UnitPolicy(
        model=unit.Mlp(tuple(spec.mlp_classifier.widths)),
        optimiser=unit.Sgd(learning_rate_q16, training.momentum_q16), schedule=unit.Schedule(),
        local_steps=training.local_steps, batch_rows=training.batch_rows, trace_every=training.trace_every,
        codec=training.codec)


def compute_unit_cost(spec: ModelSpec) -> int:
    """Multiply-adds of one unit."""
    return unit.unit_cost(compute_unit_policy(spec, spec.training.learning_rate.peak_q16))


def compute_close_cost(spec: ModelSpec, payload_count: int) -> int:
    """Multiply-adds in the time of which a round is closed: its rule over so many payloads, and the outer step.

    A round has 1..64 units; of one that a genesis counts wrongly the nearest of these is taken, since blocks must end.
    """
    training, count = spec.training, compute_param_count(spec)
    taken = min(max(payload_count, 1), PAYLOADS_MAX)
    return aggregate.cost(training.aggregation, taken, count, training.codec) + OUTER_STEP_COST * count


def compute_round_cost(spec: ModelSpec) -> int:
    """The ugrad that a round takes from the escrow at most: its reward, and on top of it the fee of its auditors."""
    reward_ugrad = spec.economy.round_reward_ugrad
    return reward_ugrad + ppm_floor(reward_ugrad, spec.audit.audit_fee_ppm)


def compute_audit_gas(spec: ModelSpec) -> int:
    """Gas of one audit, by the shape of the contract's unit: recomputing it, drawing and hashing its rows.

    The same for every unit of a contract, so that the bound of a block is known before anything is computed.
    """
    training, dataset = spec.training, spec.dataset
    drawn = training.local_steps * training.batch_rows
    held_bytes = min(drawn, dataset.train_rows) * row_bytes(dataset.features)
    return (EVIDENCE_GAS + mul_div_ceil(compute_unit_cost(spec), 1, MULTIPLY_ADDS_PER_GAS) + DRAWN_ROW_GAS * drawn
            + mul_div_ceil(held_bytes, 1, ROW_BYTES_PER_GAS))
