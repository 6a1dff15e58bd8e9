"""What a model contract asks of a block, by its terms alone: its size, its unit, and what closing a round costs.

The rooms that take a contract, run its rounds and settle disputes about them apply the same rules; so they stand below
all of them. Reads/Writes: nothing. All functions take a checked contract.
"""

from dataclasses import dataclass

from abci_app.wire.ints import PPM, mul_div_ceil, ppm_floor
from abci_app.wire.pb.gradus.models.v1.models_pb2 import (
    MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING, AuditPolicy, Economy, ModelSpec,
)
from abci_app.wire.row import CLASSES, TOKENS, VALUES, RowForm
from abci_app.wire.seed import draw_row, draw_rows
from kernels import aggregate, decoder, mlp, unit
from kernels.aggregate.types import PAYLOADS_MAX
from kernels.decoder.types import Decoder

LIVE_STATUSES = (MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING)
ARCHITECTURES = ("mlp_classifier", "mlp_regressor", "decoder")  # fields of a contract, of which it has one
ROW_KINDS = {"mlp_classifier": CLASSES, "mlp_regressor": VALUES, "decoder": TOKENS}

CLOSE_COST_PER_BLOCK = 1 << 30  # multiply-adds
GMA = 10**9  # multiply-adds
OUTER_STEP_COST = 32  # of a parameter: the step, and the bytes of its weight and momentum


@dataclass(frozen=True, slots=True)
class UnitTerms:
    """All that fixes what a unit gives, and what was claimed of it: a replay needs the rows and weights besides.

    seed: of the unit. first_step: where it stands in its schedule. Its rows are drawn from the first train_rows of a
    dataset of row_count rows, read as `form` says, under rows_root. claimant: bech32 of its trainer. attempt: of
    the round's dealing.
    """

    policy: unit.UnitPolicy
    seed: bytes
    first_step: int
    train_rows: int
    rows_root: bytes
    row_count: int
    form: RowForm
    weights_root: bytes
    payload_root: bytes
    trace_root: bytes
    claimant: str
    attempt: int

    def find_row(self, place: int) -> int:
        """The row of the dataset that the unit's example `place`, from 0 in the order of use, is.

        A unit may have 2^24 examples: a block must never draw them all for the few that an operation reads.
        """
        return draw_row(self.seed, place, self.train_rows)

    def list_rows(self) -> list[int]:
        """The rows of all examples in the order of use, with repetition: for who computes the unit, beside the chain.
        """
        return draw_rows(self.seed, self.policy.local_steps * self.policy.batch_rows, self.train_rows)


def find_architecture(spec: ModelSpec) -> str:
    """Which of ARCHITECTURES a contract has; empty where it is not exactly one."""
    found = [name for name in ARCHITECTURES if spec.HasField(name)]
    return found[0] if len(found) == 1 else ""


def new_network(spec: ModelSpec) -> mlp.Mlp | Decoder:
    """The network of a contract, as the numerics take it."""
    if spec.HasField("decoder"):
        terms = spec.decoder
        return Decoder(vocab=terms.vocab, context=terms.context, width=terms.width, heads=terms.heads,
                       hidden=terms.hidden, layers=terms.layers, positions=terms.positions, tied=terms.tied)
    if spec.HasField("mlp_regressor"):
        return mlp.Mlp(tuple(spec.mlp_regressor.widths), "regressor")
    return mlp.Mlp(tuple(spec.mlp_classifier.widths))


def new_row_form(spec: ModelSpec) -> RowForm:
    """How the contract's rows are read."""
    return RowForm(ROW_KINDS[find_architecture(spec)], spec.dataset.features, spec.dataset.classes)


def is_disputable(spec: ModelSpec) -> bool:
    """Whether a unit of the contract is a list of small operations, so that a dispute about it ends at one: no
    decoder's is."""
    return not spec.HasField("decoder")


def compute_first_weights(spec: ModelSpec) -> bytes:
    """The weights that the contract's seed gives: those before its first round."""
    network = new_network(spec)
    if isinstance(network, Decoder):
        return decoder.init_weights(network, spec.init_seed)
    return mlp.init_weights(network.widths, spec.init_seed)


def compute_param_count(spec: ModelSpec) -> int:
    """Parameters of the contract's model."""
    return unit.param_count(new_network(spec))


def compute_unit_policy(spec: ModelSpec, learning_rate_q16: int) -> unit.UnitPolicy:
    """The unit of a contract at a round's learning rate, as the numerics take it."""
    training = spec.training
    return unit.UnitPolicy(
        model=new_network(spec),
        optimiser=unit.Sgd(learning_rate_q16, training.momentum_q16), schedule=unit.Schedule(),
        local_steps=training.local_steps, batch_rows=training.batch_rows, trace_every=training.trace_every,
        codec=training.codec)


def compute_unit_cost(spec: ModelSpec) -> int:
    """Multiply-adds of one unit."""
    return unit.unit_cost(compute_unit_policy(spec, spec.training.learning_rate.peak_q16))


def compute_unit_work(spec: ModelSpec) -> int:
    """Multiply-adds of one unit without the time of calls, which another implementation need not take."""
    return unit.unit_work(compute_unit_policy(spec, spec.training.learning_rate.peak_q16))


def compute_close_cost(spec: ModelSpec, payload_count: int) -> int:
    """Multiply-adds in the time of which a round is closed: its rule over so many payloads, and the outer step.

    A round has 1..64 units; of one that a genesis counts wrongly the nearest of these is taken, since blocks must end.
    """
    training, count = spec.training, compute_param_count(spec)
    taken = min(max(payload_count, 1), PAYLOADS_MAX)
    return aggregate.cost(training.aggregation, taken, count, training.codec) + OUTER_STEP_COST * count


def compute_audit_fee(spec: ModelSpec) -> int:
    """ugrad for all right digests of a round's audits together, rounded down; on top of the reward."""
    return ppm_floor(spec.economy.round_reward_ugrad, spec.audit.audit_fee_ppm)


def compute_drawn_count(revealed: int, rate_ppm: int) -> int:
    """How many of the revealed units (0 or more) are drawn for an audit: the rate's part, rounded up, at least one."""
    return min(max(mul_div_ceil(revealed, rate_ppm, PPM), 1), revealed)


def compute_audit_cost(spec: ModelSpec, units: int) -> int:
    """Multiply-adds of who recomputes all units that are drawn of a round of so many (0 or more)."""
    return compute_drawn_count(units, spec.audit.rate_ppm) * compute_unit_cost(spec)


def compute_audit_fee_min(spec: ModelSpec, price_ugrad_per_gma: int) -> int:
    """ugrad that the fee of a round must be at least, so that all members of full committees of a full round are paid
    the price for 10^9 multiply-adds; rounded up."""
    work = compute_audit_cost(spec, spec.training.units_max) * spec.audit.committee_max
    return mul_div_ceil(work, price_ugrad_per_gma, GMA)


def compute_burnt(economy: Economy, audit: AuditPolicy) -> tuple[int, int]:
    """ugrad that are burnt of the contract's bond for a wrong claim, and for a withheld reveal; rounded down."""
    wrong_ugrad = ppm_floor(ppm_floor(economy.bond_ugrad, audit.mismatch_slash_ppm), audit.burn_ppm)
    return wrong_ugrad, ppm_floor(economy.bond_ugrad, audit.withhold_slash_ppm)


def compute_round_cost(spec: ModelSpec) -> int:
    """The ugrad that a round takes from the escrow at most: its reward, and on top of it the fee of its auditors."""
    return spec.economy.round_reward_ugrad + compute_audit_fee(spec)
