"""`python tests/kernels/curves.py [SEEDS]`: accuracy by round on scikit-learn's digits, through the public calls.

Everything is drawn from hashes, so the figures are the same on every machine.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from kernels import aggregate, mlp, outer, unit  # noqa: E402

CODEC = "int8/256"
TRAIN_ROWS = 1437
SHOWN = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 25)


@dataclass(frozen=True)
class Recipe:
    """A training run: rates in 65536ths; last_q16 is the inner rate of the last round (linear decay)."""

    widths: tuple[int, ...] = (64, 128, 64, 10)
    steps: int = 32
    batch: int = 16
    rate_q16: int = 6554
    last_q16: int = 6554
    decay_q16: int = 58982
    outer_q16: int = 65536
    outer_decay_q16: int = 0
    workers: int = 4
    rule: str = "trimmed_mean"
    trim: int = 1
    rounds: int = 25


RECIPES = {
    "**outer 1/0, rate .1 to .01** (default)": Recipe(last_q16=655),
    "outer 1/0, rate .1": Recipe(),
    "outer .7/.5, rate .1": Recipe(outer_q16=45875, outer_decay_q16=32768),
    "outer .7/.5, rate .1 to .01": Recipe(last_q16=655, outer_q16=45875, outer_decay_q16=32768),
    "mean instead of trimmed": Recipe(last_q16=655, rule="mean"),
    "nnm+trimmed_mean": Recipe(last_q16=655, rule="nnm+trimmed_mean"),
    "widths 64-128-10": Recipe((64, 128, 10), last_q16=655),
    "widths 64-64-10": Recipe((64, 64, 10), last_q16=655),
    "64 steps": Recipe(steps=64, last_q16=655),
    "batch 32": Recipe(batch=32, last_q16=655),
}


def draw(label: str, count: int, limit: int) -> list[int]:
    """`count` integers below `limit` from a hash of `label`."""
    raw = hashlib.shake_256(label.encode()).digest(8 * count)
    return [int.from_bytes(raw[8 * i:8 * i + 8], "little") % limit for i in range(count)]


def load_rows(seed: int) -> tuple[list[tuple[bytes, int]], list[tuple[bytes, int]]]:
    """(train, test) rows of (features, label), split by `seed`."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    rows = [(bytes(int(p) * 4 for p in image), int(label)) for image, label in zip(images, labels)]
    keys = draw(f"split {seed}", len(rows), 2**64)
    order = sorted(range(len(rows)), key=lambda index: (keys[index], index))
    return [rows[i] for i in order[:TRAIN_ROWS]], [rows[i] for i in order[TRAIN_ROWS:]]


def join_rows(rows: list[tuple[bytes, int]]) -> tuple[bytes, bytes]:
    """(features, labels) as the kernels take them."""
    return b"".join(row[0] for row in rows), b"".join(row[1].to_bytes(2, "little") for row in rows)


def train(recipe: Recipe, seed: int) -> list[int]:
    """Correct test rows after each round."""
    rows, held = load_rows(seed)
    count = mlp.param_count(recipe.widths)
    weights = mlp.init_weights(recipe.widths, hashlib.sha256(f"init {seed}".encode()).digest())
    momentum = bytes(8 * count)
    correct = []
    for round_index in range(recipe.rounds):
        fall = (recipe.rate_q16 - recipe.last_q16) * round_index // max(1, recipe.rounds - 1)
        policy = unit.UnitPolicy(unit.Mlp(recipe.widths), unit.Sgd(recipe.rate_q16 - fall, recipe.decay_q16),
                                 unit.Schedule(), recipe.steps, recipe.batch, recipe.steps, CODEC)
        sent = []
        for worker in range(recipe.workers):
            label = f"unit {seed} {round_index} {worker}"
            drawn = [rows[i] for i in draw(label, recipe.steps * recipe.batch, len(rows))]
            result = unit.run_unit(policy, weights, *join_rows(drawn), hashlib.sha256(label.encode()).digest())
            sent.append(result.payload)
        delta = aggregate.aggregate(recipe.rule, sent, count, recipe.trim, CODEC)
        weights, momentum = outer.outer_step(weights, momentum, delta, recipe.outer_q16, recipe.outer_decay_q16)
        features, labels = join_rows(held)
        answers = mlp.predict(recipe.widths, weights, features, len(held))
        correct.append(sum(answers[2 * i:2 * i + 2] == labels[2 * i:2 * i + 2] for i in range(len(held))))
    return correct


def main(seeds: int) -> None:
    """Print a table of mean accuracy in percent by round."""
    print("| recipe | " + " | ".join(str(n) for n in SHOWN) + " | lowest at 25 | first round at 95 % |")
    print("|---" * (len(SHOWN) + 3) + "|")
    for name, recipe in RECIPES.items():
        runs = [train(recipe, seed) for seed in range(seeds)]
        test_rows = len(load_rows(0)[1])
        means = [sum(run[n - 1] for run in runs) * 100 / (seeds * test_rows) for n in SHOWN]
        lowest = min(run[-1] for run in runs) * 100 / test_rows
        first = [next((n for n, c in enumerate(run, 1) if c * 100 >= 95 * test_rows), 0) for run in runs]
        cells = [f"{mean:.1f}" for mean in means] + [f"{lowest:.1f}", " ".join(str(n) for n in first)]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
