"""Digits: test accuracy of the multilayer perceptron trained in integers, and of its float32 twin."""

import statistics
import time

import numpy as np

from kernels.mlp import Mlp, init_weights, param_count
from kernels.optimiser import Adam, Lion, Optimiser, Sgd
from kernels.optimiser.schedule import Schedule
from tests.bench.training.corpus import derive_seed, draw, load_digits
from tests.bench.training.integers import IntegerTraining, Recipe, count_correct
from tests.bench.training.records import Json

WIDTHS = (64, 128, 64, 10)
STEPS = 1000
BATCH_ROWS = 64
FEATURE_ONE = 64
OPTIMISERS: dict[str, Optimiser] = {
    "sgd": Sgd(3277, 58982), "adam": Adam(33554, 58982, 10), "lion": Lion(8389, 58982, 64881),
}


def new_recipe(optimiser: str, wide: tuple[int, ...]) -> Recipe:
    """Constant rates: SGD 0.05 with momentum 0.9, Adam 0.002, Lion 0.0005."""
    return Recipe(Mlp(WIDTHS, "classifier", wide), OPTIMISERS[optimiser], Schedule(), BATCH_ROWS)


def draw_batches(seed: int, rows: int) -> list[np.ndarray]:
    """Which rows each step sees."""
    return [draw(f"digits {seed} {step}", BATCH_ROWS, rows) for step in range(STEPS)]


def train_integers(recipe: Recipe, seed: int) -> Json:
    """Accuracy on the test and the training rows after the last step."""
    features, labels, test_features, test_labels = load_digits(seed)
    run = IntegerTraining(recipe, init_weights(WIDTHS, derive_seed(f"init {seed}")), derive_seed(f"rounding {seed}"))
    batches = [(features[rows], labels[rows]) for rows in draw_batches(seed, len(features))]
    start = time.process_time()
    for _ in run.train(batches, STEPS):
        pass
    trained_s, weights = time.process_time() - start, run.weights()
    return new_figures(count_correct(recipe.model, weights, test_features, test_labels) / len(test_labels),
                       count_correct(recipe.model, weights, features, labels) / len(labels), trained_s)


def train_twin(recipe: Recipe, seed: int) -> Json:
    """The same figures of the float32 twin."""
    import torch

    from tests.bench.training import twin as twins

    features, labels, test_features, test_labels = load_digits(seed)
    twin = twins.MlpTwin(recipe.model, init_weights(WIDTHS, derive_seed(f"init {seed}")))
    stepper = twins.Stepper(recipe.optimiser, recipe.schedule, twin.parameters(), BATCH_ROWS)
    values, answers = torch.from_numpy(features / np.float32(FEATURE_ONE)), twins.to_tokens(labels)
    order = [torch.from_numpy(rows) for rows in draw_batches(seed, len(features))]
    start = time.process_time()
    for _ in twins.train(twin, stepper, ((values[rows], answers[rows]) for rows in order)):
        pass
    trained_s = time.process_time() - start
    with torch.no_grad():
        accuracies = [float((twin.logits(x).argmax(1) == y).double().mean()) for x, y in (
            (torch.from_numpy(test_features / np.float32(FEATURE_ONE)), twins.to_tokens(test_labels)),
            (values, answers))]
    return new_figures(*accuracies, trained_s)


def new_figures(test: float, train: float, trained_s: float) -> Json:
    """Accuracies as shares of one."""
    return {"test": round(test, 5), "train": round(train, 5), "cpu_s": round(trained_s, 2),
            "params": param_count(WIDTHS)}


def summarise(runs: list[Json]) -> tuple[str, str, str]:
    """(mean test accuracy, its range over the seeds, mean training accuracy)."""
    tests = [run["figures"]["test"] for run in runs]
    trains = [run["figures"]["train"] for run in runs]
    return (f"{statistics.mean(tests):.4f}", f"{min(tests):.4f}-{max(tests):.4f}", f"{statistics.mean(trains):.4f}")
