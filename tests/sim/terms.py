"""Random contracts, small enough that a block of the simulation takes milliseconds; and the table of their rows."""

import random

from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.x.models.types import check_spec, compute_bond_min, default_spec
from kernels.aggregate import RULES, is_suited, payloads_needed
from kernels.payload import CODECS
from tests.sim.rows import RowsTable, new_rows

SHAPES = ((4, 8, 3), (3, 5, 4, 2), (6, 2), (5, 7, 4))


def new_terms(dice: random.Random, name: str, trainers: list[str]) -> tuple[ModelSpec, RowsTable]:
    """A contract and its dataset. trainers: the addresses from which some contracts invite."""
    widths = dice.choice(SHAPES)
    table = new_rows(f"{name}/{dice.random()}", dice.randint(5, 60), dice.randint(0, 9), widths[0], widths[-1])
    trainers_min = dice.randint(1, 3)
    spec = default_spec(name, table.terms, dice.randbytes(32), rounds=dice.choice((0, 0, 4, 9)),
                        trainers_min=trainers_min, round_reward_ugrad=dice.choice((1, 999, 50_000)),
                        hidden=widths[1:-1] or (2,))
    spec.mlp_classifier.widths[:] = widths
    _draw_training(dice, spec)
    _draw_audit(dice, spec)
    if dice.random() < 0.25:
        invited = dice.sample(trainers, max(trainers_min, len(trainers) // 2))
        spec.invited_trainers[:] = sorted(invited)
    spec.economy.bond_ugrad = max(compute_bond_min(spec.economy, spec.audit), dice.randint(1, 90_000))
    check_spec(spec)
    return spec, table


def _draw_training(dice: random.Random, spec: ModelSpec) -> None:
    training = spec.training
    training.units_max = dice.randint(training.trainers_min, 8)
    training.local_steps, training.batch_rows = dice.randint(1, 4), dice.randint(1, 6)
    training.trace_every = dice.randint(1, training.local_steps)
    training.codec = dice.choice(CODECS)
    rules = [rule for rule in RULES
             if payloads_needed(rule, 0) <= training.trainers_min and is_suited(rule, training.codec)]
    training.aggregation = dice.choice(rules)
    trim_max = (training.trainers_min - payloads_needed(training.aggregation, 0)) // 2
    training.trim = dice.randint(0, trim_max) if training.aggregation != "mean" else 0
    training.outer_learning_rate_q16 = dice.choice((65_536, 45_875))
    training.outer_momentum_q16 = dice.choice((0, 58_982))
    training.commit_blocks, training.reveal_blocks = dice.randint(3, 5), dice.randint(3, 4)
    training.audit_blocks, training.kept_rounds = dice.randint(3, 5), dice.randint(2, 6)


def _draw_audit(dice: random.Random, spec: ModelSpec) -> None:
    audit = spec.audit
    audit.rate_ppm = dice.choice((100_000, 400_000, 1_000_000))
    audit.mismatch_slash_ppm = dice.choice((10, 500_000, 1_000_000))
    audit.withhold_slash_ppm = dice.choice((0, 123_457, 1_000_000))
    certain = audit.rate_ppm == 1_000_000  # only then a bond deters of which nothing is burnt
    audit.burn_ppm = dice.choice((0, 333_333, 1_000_000) if certain else (333_333, 1_000_000))
    audit.missed_rounds_max = dice.randint(1, 3)
    audit.challenge_blocks = dice.randint(3, 3 * (spec.training.kept_rounds - 1))
    audit.committee_max = dice.randint(1, 4)
    audit.audit_fee_ppm = dice.choice((0, 50_000, 500_000))
    audit.challenge_bond_ugrad = dice.choice((1, 5_000))
