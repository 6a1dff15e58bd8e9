"""Random contracts, small enough that a block of the simulation takes milliseconds; and the table of their rows."""

import random

from abci_app.runtime.contract import compute_audit_fee_min
from abci_app.wire.ints import PPM
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy, ModelSpec
from abci_app.x.models.types import check_spec, compute_bond_min, default_spec
from abci_app.x.models.types.inference import PARTS
from abci_app.x.models.types.limits import CHOICES, NUMBER_FIELDS, get_policy_value, is_allowed
from abci_app.x.models.types.terms import compute_audit_fee_ppm_min
from kernels.aggregate import RULES, is_suited, payloads_needed
from kernels.payload import CODECS
from tests.sim.inference.terms import draw_policy
from tests.sim.rows import RowsTable, new_rows

SHAPES = ((4, 8, 3), (3, 5, 4, 2), (6, 2), (5, 7, 4))
LARGE_SHAPE = (4, 10_000, 2)  # more than a region of parameters, so that its payload has two parts
LARGE_SHARE = 0.03
LIMITED_SHARE = 0.6


def new_table(dice: random.Random, name: str, features: int, classes: int) -> RowsTable:
    """A dataset of any length."""
    return new_rows(f"{name}/{dice.random()}", dice.randint(5, 60), dice.randint(0, 9), features, classes, odd=True)


def new_terms(dice: random.Random, name: str, trainers: list[str],
              audit_price_ugrad_per_gma: int) -> tuple[ModelSpec, RowsTable]:
    """A contract and its dataset. trainers: the addresses from which some contracts invite. The fee covers the price of
    audits."""
    widths = LARGE_SHAPE if dice.random() < LARGE_SHARE else dice.choice(SHAPES)
    table = new_table(dice, name, widths[0], widths[-1])
    trainers_min = dice.randint(1, 3)
    spec = default_spec(name, table.terms, dice.randbytes(32), rounds=dice.choice((0, 0, 4, 9)),
                        trainers_min=trainers_min, round_reward_ugrad=dice.choice((1, 999, 50_000)),
                        hidden=widths[1:-1] or (2,))
    spec.mlp_classifier.widths[:] = widths
    draw_training(dice, spec)
    draw_audit(dice, spec)
    economy, least_ugrad = spec.economy, compute_audit_fee_min(spec, audit_price_ugrad_per_gma)
    economy.round_reward_ugrad = max(economy.round_reward_ugrad, 2 * least_ugrad)
    least_ppm = compute_audit_fee_ppm_min(spec, audit_price_ugrad_per_gma) or 0
    spec.audit.audit_fee_ppm = max(spec.audit.audit_fee_ppm, least_ppm)
    if dice.random() < 0.25:
        invited = dice.sample(trainers, max(trainers_min, len(trainers) // 2))
        spec.invited_trainers[:] = sorted(invited)
    least_ugrad = compute_bond_min(spec.economy, spec.audit)  # with more than it emission may add to what a unit earns
    spec.economy.bond_ugrad = max(dice.choice((1, 2, 3)) * least_ugrad, dice.randint(1, 90_000))
    _draw_inference(random.Random(f"inference/{spec.init_seed.hex()}"), spec, trainers[0])
    check_spec(spec)
    if dice.random() < LIMITED_SHARE:
        _draw_limits(dice, spec)
    return spec, table


def _draw_inference(dice: random.Random, spec: ModelSpec, data_owner: str) -> None:
    """Mostly any policy of answers, now and then none."""
    if dice.random() < 0.1:
        spec.ClearField("inference")
    else:
        spec.inference.CopyFrom(draw_policy(dice, data_owner))


def draw_training(dice: random.Random, spec: ModelSpec) -> None:
    """Any training policy for the contract's trainers_min."""
    training = spec.training
    training.units_max = dice.randint(training.trainers_min, 8)
    training.local_steps, training.batch_rows = dice.randint(1, 4), dice.randint(1, 6)
    training.trace_every = dice.randint(1, training.local_steps)
    training.momentum_q16 = dice.choice((0, 58_982, 65_535))
    rate = training.learning_rate
    rate.peak_q16, rate.floor_ppm = dice.choice((1, 6_554, 65_536)), dice.choice((0, 100_000, 1_000_000))
    rate.warmup_rounds, rate.decay_rounds = dice.choice((0, 0, 3)), dice.choice((0, 5, 30))
    training.codec = dice.choice(CODECS)
    rules = [rule for rule in RULES
             if payloads_needed(rule, 0) <= training.trainers_min and is_suited(rule, training.codec)]
    training.aggregation = dice.choice(rules)
    trim_max = (training.trainers_min - payloads_needed(training.aggregation, 0)) // 2
    training.trim = dice.randint(0, trim_max) if training.aggregation != "mean" else 0
    training.outer_learning_rate_q16 = dice.choice((65_536, 45_875))
    training.outer_momentum_q16 = dice.choice((0, 58_982))
    training.commit_blocks, training.reveal_blocks = dice.randint(3, 5), dice.randint(3, 4)
    training.audit_blocks, training.kept_rounds = dice.choice((3, 4, 5, 10)), dice.randint(2, 6)


def draw_audit(dice: random.Random, spec: ModelSpec) -> None:
    """Any audit policy."""
    audit = spec.audit
    audit.rate_ppm = dice.choice((100_000, 400_000, 1_000_000))
    audit.mismatch_slash_ppm = dice.choice((10, 500_000, 1_000_000))
    certain = audit.rate_ppm == 1_000_000  # only then a bond deters of which nothing is burnt
    audit.withhold_slash_ppm = dice.choice((0, 123_457, 1_000_000) if certain else (123_457, 250_000, 1_000_000))
    audit.burn_ppm = dice.choice((0, 333_333, 1_000_000) if certain else (333_333, 1_000_000))
    audit.missed_rounds_max = dice.randint(1, 3)
    audit.challenge_blocks = dice.randint(3, 3 * (spec.training.kept_rounds - 1))
    audit.committee_max = dice.choice((1, 2, 3, 4, 4, 7, 64))
    audit.audit_fee_ppm = dice.choice((0, 50_000, 500_000))
    audit.challenge_bond_ugrad = dice.choice((1, 5_000))


def _fit_hosts(old: ModelSpec, policy: InferencePolicy) -> None:
    """Give the hosts what the other parts of a fee leave, where the limits allow it; else all stays as it was."""
    policy.hosts_ppm = max(PPM - sum(getattr(policy, name) for name in PARTS[1:]), 0)
    if policy.hosts_ppm != old.inference.hosts_ppm \
            and not is_allowed(old.limits, "inference.hosts_ppm", policy.hosts_ppm):
        policy.CopyFrom(old.inference)


def _draw_limits(dice: random.Random, spec: ModelSpec) -> None:
    """Let the admin change some fields, around what they are."""
    for field in NUMBER_FIELDS:
        if dice.random() < 0.5:
            value = int(get_policy_value(spec, field))
            spec.limits.ranges.add(field=field, min=dice.randint(0, value), max=value + dice.choice((0, 3, 10**6)))
    for field in sorted(CHOICES):
        if dice.random() < 0.5:
            values = dice.sample(CHOICES[field], dice.randint(1, len(CHOICES[field])))
            spec.limits.choices.add(field=field, values=sorted({*values, str(get_policy_value(spec, field))}))


def draw_change(dice: random.Random, spec: ModelSpec) -> ModelSpec:
    """Other policies: mostly within the contract's limits and mostly such as a contract may have."""
    changed = ModelSpec()
    changed.CopyFrom(spec)
    if dice.random() < 0.2:
        draw_training(dice, changed)
    if dice.random() < 0.2:
        draw_audit(dice, changed)
    for one in dice.sample(list(spec.limits.ranges), min(len(spec.limits.ranges), dice.randint(1, 3))):
        *path, name = one.field.split(".")
        owner = changed
        for part in path:
            owner = getattr(owner, part)
        value = min(dice.randint(one.min, one.max), one.min + 20) + (dice.random() < 0.05)
        setattr(owner, name, value)
    if spec.HasField("inference") and dice.random() < 0.9:
        _fit_hosts(spec, changed.inference)
    if spec.limits.choices and dice.random() < 0.5:
        choice = dice.choice(list(spec.limits.choices))
        setattr(changed.training, choice.field.removeprefix("training."), dice.choice(list(choice.values)))
    if changed.training.kept_rounds < spec.training.kept_rounds and dice.random() < 0.9:
        changed.training.kept_rounds = spec.training.kept_rounds
    if dice.random() < 0.7 and changed.audit.burn_ppm and changed.audit.withhold_slash_ppm:
        least = compute_bond_min(changed.economy, changed.audit)
        changed.economy.bond_ugrad = min(max(changed.economy.bond_ugrad, least), 10**9)
    return changed
