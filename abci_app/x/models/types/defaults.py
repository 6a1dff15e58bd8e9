"""Terms to start from: what trains tables of rows, or text, well, small enough for every bound.

Reads/Writes: nothing. Source: README.md of the room, section "Defaults".
"""

from dataclasses import dataclass

from abci_app.runtime.contract import CLOSE_COST_PER_BLOCK, compute_close_cost, compute_unit_cost
from abci_app.wire.ints import U64_MAX, mul_div_ceil
from abci_app.wire.pb.gradus.models.v1.models_pb2 import (
    AuditPolicy, Dataset, Decoder, Economy, LearningRate, ModelSpec, TrainingPolicy,
)
from abci_app.x.models.errors import ArchitectureInvalid, ModelTooLarge, UnitPolicyInvalid
from abci_app.x.models.types.inference import default_policy
from abci_app.x.models.types.terms import (
    AUDIT_FEE_PPM_MAX, CODEC, CODECS, KEPT_ROUNDS_MAX, NUMERICS, PARAMS_DEFAULT, ROUND_BLOCKS_MIN, UNIT_COST_MAX,
    check_architecture, check_unit, compute_audit_fee_ppm_min, compute_bond_min,
)
from kernels import aggregate
from kernels.errors import KernelInputError
from kernels.gin1 import RATE_ONE

AGGREGATION = "trimmed_mean"
KEPT_ROUNDS = 64
AUDIT_RATE_PPM = 400_000
COMMITTEE = 4
CHALLENGE_BLOCKS = 100
AUDIT_FEE_PPM = 50_000
CHALLENGE_BOND_UGRAD = 100_000
DECODER = Decoder(width=64, heads=4, hidden=256, layers=2, positions="learned")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a kind of network learns well: rounds, a unit's steps and rows, the largest learning rate, and the rounds in
    which it rises to that."""

    rounds: int
    local_steps: int
    batch_rows: int
    learning_rate_q16: int
    warmup_rounds: int = 0


RECIPES = {"mlp_classifier": Recipe(25, 32, 16, 6_554), "mlp_regressor": Recipe(25, 32, 16, 3_277),
           "decoder": Recipe(120, 24, 16, 19_661, 8)}


def default_spec(name: str, dataset: Dataset, init_seed: bytes, rounds: int | None = None, trainers_min: int = 4,
                 round_reward_ugrad: int = 1_000_000, hidden: tuple[int, ...] = (128, 64),
                 invited_trainers: tuple[str, ...] = (), codec: str = CODEC,
                 aggregation: str = "", challenge_blocks: int = CHALLENGE_BLOCKS,
                 audit_price_ugrad_per_gma: int = PARAMS_DEFAULT.audit_price_ugrad_per_gma,
                 architecture: str = "mlp_classifier", decoder: Decoder = DECODER) -> ModelSpec:
    """A contract with terms that train well, for callers to start from; check_spec has the last word.

    architecture: mlp_classifier, mlp_regressor or decoder, with `hidden` layers or the shape of `decoder`, of which the
    dataset gives context and vocabulary. rounds: None for the recipe's. Steps, rows and learning rate are those of
    RECIPES, the rate falling to a tenth over the rounds; momentum 0.9, int8 payloads, a trimmed mean that tolerates one
    wrong payload, 40 % audits by committees of 4, a bond for twice the reward, so that emission can add as much. Hidden
    widths, steps and rows are halved until they fit the bounds.
    aggregation: one of the kernels' rules; empty for `choose_rule`'s. audit_price_ugrad_per_gma: the chain's parameter,
    which the fee of the auditors covers. Source: README.md, section "Defaults".
    """
    aggregation, recipe = aggregation or choose_rule(codec), RECIPES[architecture]
    rounds = recipe.rounds if rounds is None else rounds
    warmup = min(recipe.warmup_rounds, rounds >> 2) if rounds else recipe.warmup_rounds
    training = TrainingPolicy(
        rounds=rounds, trainers_min=trainers_min, units_max=max(16, trainers_min), local_steps=recipe.local_steps,
        batch_rows=recipe.batch_rows,
        learning_rate=LearningRate(peak_q16=recipe.learning_rate_q16, warmup_rounds=warmup,
                                   decay_rounds=max(rounds - max(warmup, 1), 0), floor_ppm=100_000),
        momentum_q16=58_982, trace_every=8, codec=codec, aggregation=aggregation,
        trim=compute_default_trim(aggregation, trainers_min), outer_learning_rate_q16=RATE_ONE, outer_momentum_q16=0,
        commit_blocks=20, reveal_blocks=12, audit_blocks=12, kept_rounds=compute_default_kept(challenge_blocks))
    audit = AuditPolicy(rate_ppm=AUDIT_RATE_PPM, mismatch_slash_ppm=500_000, withhold_slash_ppm=250_000,
                        burn_ppm=500_000, missed_rounds_max=3, committee_max=COMMITTEE,
                        challenge_blocks=challenge_blocks, audit_fee_ppm=AUDIT_FEE_PPM,
                        challenge_bond_ugrad=CHALLENGE_BOND_UGRAD)
    economy = Economy(round_reward_ugrad=round_reward_ugrad)
    economy.bond_ugrad = compute_default_bond(economy, audit)
    spec = ModelSpec(name=name, numerics=NUMERICS, dataset=dataset, init_seed=init_seed, training=training, audit=audit,
                     economy=economy, invited_trainers=invited_trainers, inference=default_policy())
    if architecture == "decoder":
        _fit_decoder(spec, decoder)
    else:
        _fit_hidden(spec, architecture, hidden)
    _fit_unit(spec)
    spec.audit.audit_fee_ppm = choose_audit_fee_ppm(spec, audit_price_ugrad_per_gma)
    return spec


def choose_audit_fee_ppm(spec: ModelSpec, audit_price_ugrad_per_gma: int) -> int:
    """5 %, or as much more as the chain's price for audits asks for, if a contract may give it.

    5 % too where the terms are such that no contract may have them.
    """
    try:
        least_ppm = compute_audit_fee_ppm_min(spec, audit_price_ugrad_per_gma)
    except KernelInputError:
        return AUDIT_FEE_PPM
    return AUDIT_FEE_PPM_MAX if least_ppm is None else max(AUDIT_FEE_PPM, least_ppm)


def choose_rule(codec: str) -> str:
    """The rule of aggregation for who names none: a trimmed mean, of neighbours' means where payloads are sparse."""
    return AGGREGATION if codec not in CODECS or aggregate.is_suited(AGGREGATION, codec) else f"nnm+{AGGREGATION}"


def compute_default_kept(challenge_blocks: int) -> int:
    """64 rounds, or as many more as units must be challengeable, if a contract may keep them."""
    needed = mul_div_ceil(challenge_blocks, 1, ROUND_BLOCKS_MIN) + 1
    return min(max(KEPT_ROUNDS, needed), KEPT_ROUNDS_MAX)


def compute_default_bond(economy: Economy, audit: AuditPolicy) -> int:
    """The bond that deters from cheating for twice the reward, so that emission can add as much again.

    Source: README.md of the room rewards, which bounds what emission adds by the bond, and by the unit's work.
    """
    return min(max(2 * compute_bond_min(economy, audit), 1), U64_MAX)


def compute_default_trim(rule: str, trainers_min: int) -> int:
    """1 where the rule withstands a wrong payload among so many, else 0."""
    return 1 if rule != "mean" and aggregate.payloads_needed(rule, 1) <= trainers_min else 0


def _fit_hidden(spec: ModelSpec, architecture: str, hidden: tuple[int, ...]) -> None:
    """Set the widths, the hidden ones halved together until the model is small enough or they are all 1."""
    while True:
        getattr(spec, architecture).widths[:] = (spec.dataset.features, *hidden, spec.dataset.classes)
        if _is_done(spec) or max(hidden, default=1) == 1:
            return
        hidden = tuple(max(1, width >> 1) for width in hidden)


def _fit_decoder(spec: ModelSpec, shape: Decoder) -> None:
    """Set the shape, the width of a block's hidden layer halved until the model is small enough or it is 1."""
    spec.decoder.CopyFrom(shape)
    spec.decoder.context, spec.decoder.vocab = spec.dataset.features, spec.dataset.classes
    while not _is_done(spec) and spec.decoder.hidden > 1:
        spec.decoder.hidden >>= 1


def _is_done(spec: ModelSpec) -> bool:
    """Whether the model is small enough, or such that no halving helps."""
    try:
        check_architecture(spec)
        return compute_close_cost(spec, spec.training.units_max) <= CLOSE_COST_PER_BLOCK
    except ArchitectureInvalid:
        return True
    except ModelTooLarge:
        return False


def _fit_unit(spec: ModelSpec) -> None:
    """Halve the local steps, then the batch, until a unit is within its bounds or both are 1."""
    training = spec.training
    while True:
        try:
            check_unit(spec)
            if compute_unit_cost(spec) <= UNIT_COST_MAX:
                return
        except UnitPolicyInvalid:
            pass
        if training.local_steps > 1:
            training.local_steps >>= 1
            training.trace_every = min(training.trace_every, training.local_steps)
        elif training.batch_rows > 1:
            training.batch_rows >>= 1
        else:
            return
