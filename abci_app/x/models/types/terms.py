"""What a model contract may say: checks in the order of consensus, derived sizes, the schedule of learning rates.

Reads/Writes: nothing. Every bound has its reason in README.md of the room, section "Bounds".
Source: README.md; the numerics' own ranges are those of kernels/README.md.
"""

from abci_app.runtime.contract import (
    CLOSE_COST_PER_BLOCK, compute_audit_cost, compute_audit_fee, compute_audit_fee_min, compute_burnt,
    compute_close_cost, compute_param_count, compute_unit_cost, compute_unit_policy, find_architecture, is_disputable,
    new_network,
)
from abci_app.wire.address import decode_address, encode_address, module_address
from abci_app.wire.errors import shown
from abci_app.wire.ints import PPM, U32_MAX, U64_MAX, mul_div_ceil, ppm_floor
from abci_app.wire.merkle import HASH_BYTES
from abci_app.wire.pb.gradus.models.v1.models_pb2 import (
    AuditPolicy, Dataset, Economy, LearningRate, ModelSpec, Params, TrainingPolicy, Weights,
)
from abci_app.x.models.errors import (
    AggregationInvalid, ArchitectureInvalid, AuditFeeTooLow, AuditPolicyInvalid, BondTooLow, CloseTooCostly,
    DatasetInvalid, LearningRateInvalid, ModelTooLarge, NameInvalid, NumericsUnknown, OuterPolicyInvalid,
    RoundPolicyInvalid, SeedInvalid, TrainersInvalid, UnitPolicyInvalid, UnitTooCostly,
)
from abci_app.x.models.types.inference import check_inference
from abci_app.x.models.types.limits import check_limits
from kernels import aggregate, chunks, decoder, payload, transcript, unit
from kernels.aggregate.types import PAYLOADS_MAX
from kernels.errors import KernelInputError
from kernels.gin1 import DECAY_MAX, RATE_MAX

STORE = "models"
NUMERICS = "gin1"
CODECS = payload.CODECS
CODEC = CODECS[0]  # of a contract that names none
RULES = aggregate.RULES
NAME_CHARS_MAX = 64
CLASSES_MAX = 65_535
CLASSES_MIN = 2  # of a vocabulary too
OUTPUTS_MIN = 1  # of a regressor
FEATURES_MAX = 65_536
WIDTHS_MAX = 8
PAYLOAD_BYTES_MAX = 1 << 22
UNIT_COST_MAX = 1 << 34  # multiply-adds
UNITS_MAX = PAYLOADS_MAX
PHASE_BLOCKS_MIN = 3  # so that no phase lies in the hands of one proposer
PHASE_BLOCKS_MAX = 10_000
KEPT_ROUNDS_MAX = 1_000
SCHEDULE_ROUNDS_MAX = 1_000_000
MISSED_ROUNDS_MAX = 100
INVITED_MAX = 256
COMMITTEE_MAX = 64
CHALLENGE_BLOCKS_MIN = 3  # as of a phase
CHALLENGE_BLOCKS_MAX = 100_000
ROUND_BLOCKS_MIN = 3  # from the close of a round to that of the next: commits, reveals, answers
AUDIT_FEE_PPM_MAX = 500_000
PARAMS_DEFAULT = Params(audit_price_ugrad_per_gma=1)
VERSIONS_MAX = 1_000
HELD_ROUNDS_MAX = 64  # beside the newest: with so many held no other earlier one is
HELD_BYTE_GAS = 1  # of weights that rounds would take away: they were written and paid for, and stay longer
GOVERNANCE = encode_address(module_address("gov"))
_INNER_NAME_CHARS = " ._-"


def check_spec(spec: ModelSpec) -> None:
    """Raises the first error of a contract, in this order; codes models/4 to models/19, /27, /28 and /39."""
    check_name(spec.name)
    if spec.numerics != NUMERICS:
        raise NumericsUnknown(f"numerics is {shown(spec.numerics)}")
    check_dataset(spec.dataset, OUTPUTS_MIN if spec.HasField("mlp_regressor") else CLASSES_MIN)
    check_architecture(spec)
    if len(spec.init_seed) != HASH_BYTES:
        raise SeedInvalid(f"init_seed has {len(spec.init_seed)} bytes, not {HASH_BYTES}")
    check_rounds(spec.training)
    check_learning_rate(spec.training.learning_rate)
    check_unit(spec)
    check_aggregation(spec.training)
    check_audit(spec.audit, spec.training.kept_rounds)
    check_size(spec)
    check_economy(spec)
    check_invited(spec)
    check_limits(spec.limits)
    check_inference(spec)


def check_name(name: str) -> None:
    """Raises NameInvalid (models/4). ASCII only, so that no two names look alike and every node agrees."""
    if not 1 <= len(name) <= NAME_CHARS_MAX or not name.isascii():
        raise NameInvalid(f"name is {shown(name)}")
    if not name[0].isalnum() or not name[-1].isalnum():
        raise NameInvalid(f"name is {shown(name)}")
    if any(not char.isalnum() and char not in _INNER_NAME_CHARS for char in name):
        raise NameInvalid(f"name is {shown(name)}")


def check_dataset(dataset: Dataset, classes_min: int) -> None:
    """Raises DatasetInvalid (models/8). classes_min: what the network needs."""
    if len(dataset.rows_root) != HASH_BYTES:
        raise DatasetInvalid(f"rows_root has {len(dataset.rows_root)} bytes, not {HASH_BYTES}")
    if dataset.train_rows < 1 or dataset.train_rows + dataset.test_rows > U32_MAX:
        raise DatasetInvalid(f"train_rows is {dataset.train_rows} and test_rows {dataset.test_rows}, allowed are at "
                             "least one row to train on, and fewer than 2^32 rows in all")
    _check_range(DatasetInvalid, "features", dataset.features, 1, FEATURES_MAX)
    _check_range(DatasetInvalid, "classes", dataset.classes, classes_min, CLASSES_MAX)


def check_architecture(spec: ModelSpec) -> None:
    """Raises ArchitectureInvalid (models/6), ModelTooLarge (models/7)."""
    architecture = find_architecture(spec)
    if not architecture:
        raise ArchitectureInvalid("none or several of mlp_classifier, mlp_regressor and decoder are given")
    if architecture == "decoder":
        _check_decoder(spec)
    else:
        _check_widths(tuple(getattr(spec, architecture).widths), spec.dataset)
    try:
        size = payload.payload_bytes(compute_param_count(spec), CODEC)
    except KernelInputError as error:
        raise ModelTooLarge(shown(str(error))) from None
    if size > PAYLOAD_BYTES_MAX:
        raise ModelTooLarge(f"a payload of {size} bytes, the most is {PAYLOAD_BYTES_MAX}")


def _check_widths(widths: tuple[int, ...], dataset: Dataset) -> None:
    if not 2 <= len(widths) <= WIDTHS_MAX:
        raise ArchitectureInvalid(f"{len(widths)} widths given, allowed are 2 to {WIDTHS_MAX}")
    if widths[0] != dataset.features or widths[-1] != dataset.classes:
        raise ArchitectureInvalid(f"widths run from {widths[0]} to {widths[-1]}, the dataset from "
                                  f"{dataset.features} features to {dataset.classes} classes or outputs")
    if not all(1 <= width <= FEATURES_MAX for width in widths):
        raise ArchitectureInvalid(f"widths are {', '.join(map(str, widths))}, each may be 1 to {FEATURES_MAX}")


def _check_decoder(spec: ModelSpec) -> None:
    terms, dataset = spec.decoder, spec.dataset
    if (terms.context, terms.vocab) != (dataset.features, dataset.classes):
        raise ArchitectureInvalid(f"the decoder has a context of {terms.context} and a vocabulary of {terms.vocab}, "
                                  f"the dataset {dataset.features} and {dataset.classes}")
    try:
        decoder.check_model(new_network(spec))
    except KernelInputError as error:
        raise ArchitectureInvalid(shown(str(error))) from None


def check_rounds(training: TrainingPolicy) -> None:
    """Raises RoundPolicyInvalid (models/10)."""
    _check_range(RoundPolicyInvalid, "rounds", training.rounds, 0, SCHEDULE_ROUNDS_MAX)
    _check_range(RoundPolicyInvalid, "units_max", training.units_max, 1, UNITS_MAX)
    _check_range(RoundPolicyInvalid, "trainers_min", training.trainers_min, 1, training.units_max)
    _check_range(RoundPolicyInvalid, "commit_blocks", training.commit_blocks, PHASE_BLOCKS_MIN, PHASE_BLOCKS_MAX)
    _check_range(RoundPolicyInvalid, "reveal_blocks", training.reveal_blocks, PHASE_BLOCKS_MIN, PHASE_BLOCKS_MAX)
    _check_range(RoundPolicyInvalid, "audit_blocks", training.audit_blocks, PHASE_BLOCKS_MIN, PHASE_BLOCKS_MAX)
    _check_range(RoundPolicyInvalid, "kept_rounds", training.kept_rounds, 1, KEPT_ROUNDS_MAX)


def check_learning_rate(rate: LearningRate) -> None:
    """Raises LearningRateInvalid (models/11)."""
    _check_range(LearningRateInvalid, "peak_q16", rate.peak_q16, 1, RATE_MAX)
    _check_range(LearningRateInvalid, "warmup_rounds", rate.warmup_rounds, 0, SCHEDULE_ROUNDS_MAX)
    _check_range(LearningRateInvalid, "decay_rounds", rate.decay_rounds, 0, SCHEDULE_ROUNDS_MAX)
    _check_range(LearningRateInvalid, "floor_ppm", rate.floor_ppm, 0, PPM)


def check_unit(spec: ModelSpec) -> None:
    """Raises UnitPolicyInvalid (models/12): what the numerics compute exactly, and a dispute can go through where there
    can be one."""
    policy, training = compute_unit_policy(spec, spec.training.learning_rate.peak_q16), spec.training
    try:
        if is_disputable(spec):
            transcript.check_policy(policy)
        else:
            unit.check_policy(policy)
    except KernelInputError as error:
        raise UnitPolicyInvalid(
            f"{shown(str(error))}; given are local_steps {training.local_steps}, batch_rows {training.batch_rows}, "
            f"trace_every {training.trace_every}, momentum_q16 {training.momentum_q16}, codec "
            f"{shown(training.codec)}") from None


def check_aggregation(training: TrainingPolicy) -> None:
    """Raises AggregationInvalid (models/13), OuterPolicyInvalid (models/14)."""
    rule, trim = training.aggregation, training.trim
    if rule not in RULES:
        raise AggregationInvalid(f"aggregation is {shown(rule)}, allowed are {', '.join(RULES)}")
    if rule == "mean" and trim:
        raise AggregationInvalid(f"the mean withstands no wrong payload, and trim is {trim}: set it to 0, or take "
                                 "trimmed_mean")
    if trim > UNITS_MAX or aggregate.payloads_needed(rule, trim) > training.trainers_min:
        raise AggregationInvalid(f"{rule} with trim {trim} needs {_needed_text(rule)} payloads, and trainers_min is "
                                 f"{training.trainers_min}: lower the trim or raise trainers_min")
    if not aggregate.is_suited(rule, training.codec):
        raise AggregationInvalid(f"{rule} of {training.codec} payloads is nearly always 0, as most leave a coordinate "
                                 "out: take nnm+trimmed_mean or multi_krum, or another codec")
    _check_range(OuterPolicyInvalid, "outer_learning_rate_q16", training.outer_learning_rate_q16, 1, RATE_MAX)
    _check_range(OuterPolicyInvalid, "outer_momentum_q16", training.outer_momentum_q16, 0, DECAY_MAX)


def check_audit(audit: AuditPolicy, kept_rounds: int) -> None:
    """Raises AuditPolicyInvalid (models/17)."""
    _check_range(AuditPolicyInvalid, "rate_ppm", audit.rate_ppm, 1, PPM)
    _check_range(AuditPolicyInvalid, "mismatch_slash_ppm", audit.mismatch_slash_ppm, 1, PPM)
    _check_range(AuditPolicyInvalid, "withhold_slash_ppm", audit.withhold_slash_ppm, 0, PPM)
    _check_range(AuditPolicyInvalid, "burn_ppm", audit.burn_ppm, 0, PPM)
    _check_range(AuditPolicyInvalid, "missed_rounds_max", audit.missed_rounds_max, 1, MISSED_ROUNDS_MAX)
    _check_range(AuditPolicyInvalid, "committee_max", audit.committee_max, 1, COMMITTEE_MAX)
    _check_range(AuditPolicyInvalid, "challenge_blocks", audit.challenge_blocks, CHALLENGE_BLOCKS_MIN,
                 CHALLENGE_BLOCKS_MAX)
    _check_range(AuditPolicyInvalid, "audit_fee_ppm", audit.audit_fee_ppm, 0, AUDIT_FEE_PPM_MAX)
    _check_range(AuditPolicyInvalid, "challenge_bond_ugrad", audit.challenge_bond_ugrad, 1, U64_MAX)
    served_blocks = ROUND_BLOCKS_MIN * (kept_rounds - 1)
    if audit.challenge_blocks > served_blocks:
        raise AuditPolicyInvalid(f"challenge_blocks is {audit.challenge_blocks}, allowed are {CHALLENGE_BLOCKS_MIN} to "
                                 f"{served_blocks} where kept_rounds is {kept_rounds}, so that a contract says how "
                                 "many rounds are kept: none goes while it can be challenged")


def check_size(spec: ModelSpec) -> None:
    """Raises UnitTooCostly (models/15), CloseTooCostly (models/27): what an auditor and a block have to bear."""
    cost = compute_unit_cost(spec)
    if cost > UNIT_COST_MAX:
        raise UnitTooCostly(f"a unit takes {cost} multiply-adds; the most is {UNIT_COST_MAX}")
    close_cost = compute_close_cost(spec, spec.training.units_max)
    if close_cost > CLOSE_COST_PER_BLOCK:
        raise CloseTooCostly(f"{spec.training.aggregation} of {spec.training.units_max} units takes the time of "
                             f"{close_cost} multiply-adds; the most is {CLOSE_COST_PER_BLOCK}")


def check_audit_fee(spec: ModelSpec, price_ugrad_per_gma: int) -> None:
    """Raises AuditFeeTooLow (models/38): the fee of a round pays for a full round's audits at the chain's price.

    spec: checked. Who makes a contract would else have all validators work for nothing.
    """
    least_ugrad, fee_ugrad = compute_audit_fee_min(spec, price_ugrad_per_gma), compute_audit_fee(spec)
    if fee_ugrad >= least_ugrad:
        return
    audit, reward_ugrad = spec.audit, spec.economy.round_reward_ugrad
    fee_ppm = compute_audit_fee_ppm_min(spec, price_ugrad_per_gma)
    if fee_ppm is not None:
        enough = f"an audit_fee_ppm of {fee_ppm} of the reward of {reward_ugrad}"
    else:
        taken_ppm = audit.audit_fee_ppm or AUDIT_FEE_PPM_MAX
        enough = f"a reward of {mul_div_ceil(least_ugrad, PPM, taken_ppm)} with an audit_fee_ppm of {taken_ppm}"
    work = compute_audit_cost(spec, spec.training.units_max)
    raise AuditFeeTooLow(f"up to {audit.committee_max} auditors compute {work} multiply-adds each for a round, for "
                         f"{fee_ugrad} ugrad together; at {price_ugrad_per_gma} ugrad for 10^9 it must be at least "
                         f"{least_ugrad}, {enough}")


def compute_audit_fee_ppm_min(spec: ModelSpec, price_ugrad_per_gma: int) -> int | None:
    """The least audit_fee_ppm that check_audit_fee takes, None where the reward is too small for any."""
    least_ugrad, reward_ugrad = compute_audit_fee_min(spec, price_ugrad_per_gma), spec.economy.round_reward_ugrad
    if least_ugrad > ppm_floor(reward_ugrad, AUDIT_FEE_PPM_MAX):
        return None
    return mul_div_ceil(least_ugrad, PPM, reward_ugrad) if least_ugrad else 0


def check_economy(spec: ModelSpec) -> None:
    """Raises BondTooLow (models/18): a claim that nobody computed must lose at least what it may gain.

    The gain is at most a whole round's reward, undetected with probability 1 - p; the loss is what is burnt of the
    bond with probability p, where p is the audit rate. What is not burnt goes to others, who may be the cheat. Whoever
    reveals last knows whether its unit is drawn and may withhold it instead, which must cost as much.
    """
    economy, audit = spec.economy, spec.audit
    if not spec.invited_trainers and economy.bond_ugrad == 0:
        raise BondTooLow("open enrolment needs a bond")
    least_ugrad = compute_burn_min(economy, audit)
    for deed, burnt_ugrad in zip(("a wrong claim", "a withheld reveal"), compute_burnt(economy, audit)):
        if burnt_ugrad < least_ugrad:
            zeros = [name for name in ("burn_ppm", "withhold_slash_ppm") if getattr(audit, name) == 0]
            enough = (f"so {' and '.join(zeros)} must be above 0" if zeros
                      else f"a bond of {compute_bond_min(economy, audit)}")
            raise BondTooLow(f"{deed} has {burnt_ugrad} ugrad burnt of a bond of {economy.bond_ugrad}; with a reward "
                             f"of {economy.round_reward_ugrad} at an audit rate of {audit.rate_ppm} ppm it must be at "
                             f"least {least_ugrad}, {enough}")


def check_invited(spec: ModelSpec) -> None:
    """Raises TrainersInvalid (models/19), InvalidAddress (sdk/7)."""
    invited = spec.invited_trainers
    if not invited:
        return
    if len(invited) > INVITED_MAX:
        raise TrainersInvalid(f"{len(invited)} invited, allowed are at most {INVITED_MAX}")
    if len(invited) < spec.training.trainers_min:
        raise TrainersInvalid(f"{len(invited)} invited, {spec.training.trainers_min} needed to begin")
    addresses = sorted(decode_address(text) for text in invited)
    if any(a == b for a, b in zip(addresses, addresses[1:])):
        raise TrainersInvalid("an account is invited twice")


def compute_burn_min(economy: Economy, audit: AuditPolicy) -> int:
    """The least burnt part of a bond that deters, for either deed: reward * (1 - p) / p, rounded up."""
    return mul_div_ceil(economy.round_reward_ugrad, PPM - audit.rate_ppm, audit.rate_ppm)


def compute_bond_min(economy: Economy, audit: AuditPolicy) -> int:
    """The least bond of which enough is burnt for either deed, all parts rounded down.

    ValueError where nothing is ever burnt for one of them.
    """
    burn_ugrad = compute_burn_min(economy, audit)
    if burn_ugrad == 0:
        return 0
    return max(mul_div_ceil(mul_div_ceil(burn_ugrad, PPM, audit.burn_ppm), PPM, audit.mismatch_slash_ppm),
               mul_div_ceil(burn_ugrad, PPM, audit.withhold_slash_ppm))


def compute_learning_rate_q16(rate: LearningRate, round_number: int) -> int:
    """The learning rate (1..peak_q16, 65536 is one) of round `round_number`, from 1.

    Rises to the peak at round warmup_rounds (at once for 0), then falls to floor_ppm of the peak within decay_rounds
    further rounds (0: stays at the peak). All parts are rounded up, so the rate is never 0.
    """
    peak = rate.peak_q16
    if round_number < rate.warmup_rounds:
        return mul_div_ceil(peak, round_number, rate.warmup_rounds)
    if rate.decay_rounds == 0:
        return peak
    floor = max(1, mul_div_ceil(peak, rate.floor_ppm, PPM))
    left = max(0, rate.decay_rounds - (round_number - max(rate.warmup_rounds, 1)))
    return floor + mul_div_ceil(peak - floor, left, rate.decay_rounds)


def new_weights(model_id: int, round_number: int, data: bytes, momentum_root: bytes, height: int) -> Weights:
    """The record over `data`, the weights after `round_number` rounds, written at `height`.

    momentum_root: chunk root of the outer momentum, empty for zeros.
    """
    return Weights(model_id=model_id, round=round_number, root=chunks.chunk_root(data),
                   chunk_bytes=chunks.CHUNK_BYTES, chunk_count=chunks.chunk_count(len(data)), total_bytes=len(data),
                   height=height, momentum_root=momentum_root)


def _needed_text(rule: str) -> str:
    return f"2 * trim + {aggregate.payloads_needed(rule, 0)}"


def _check_range(error: type[Exception], name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise error(f"{name} is {value}, allowed are {low} to {high}")
