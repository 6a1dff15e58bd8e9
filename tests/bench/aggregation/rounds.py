"""A training run under attack: honest workers, liars and a rule, round by round."""

from dataclasses import dataclass

import numpy as np

from tests.bench.aggregation.attacks import Attack, Rule, View
from tests.bench.aggregation.learners import PARAMS, Learners

CHANCE = 0.1


@dataclass(frozen=True)
class Setting:
    """15 honest workers and 4 liars for 150 steps; alpha is the share of rows that are dealt at random."""

    alpha: float
    honest: int = 15
    liars: int = 4
    steps: int = 150


def train(rule: Rule, attack: Attack | None, setting: Setting, seed: int) -> float:
    """Test accuracy after the last step; that of chance where an update is not finite. No attack: no liars."""
    liars = setting.liars if attack else 0
    learners = Learners(setting.honest, liars, setting.alpha, seed)
    np.random.seed(seed)
    update = np.zeros(PARAMS, np.float32)
    for step in range(setting.steps):
        vectors = learners.step()
        honest = vectors[:setting.honest]
        opened = rule.open(honest, setting.liars, f"{seed} {step}")
        lies = np.zeros((0, PARAMS), np.float32)
        if attack is not None:
            lies = attack(View(honest, vectors[setting.honest:], liars, opened, rule.codec, update))
        update = opened.respond(lies)
        if not np.isfinite(update).all():
            return CHANCE
        learners.move(update)
    return learners.accuracy()
