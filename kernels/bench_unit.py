"""`python -m kernels.bench unit`: milliseconds of the digits-sized unit and of its round on each back end.

Refuses to time anything until the cpu back end gives the reference's bytes. Writes nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from kernels import aggregate, dispatch, mlp, outer, payload, samples, selftest, unit

WIDTHS = (64, 128, 64, 10)
POLICY = unit.UnitPolicy(unit.Mlp(WIDTHS), unit.Sgd(6554, 58982), unit.Schedule(), 32, 16, 8, "int8/256")
WORKERS = 4
REPEATS = {"ref": 3, "cpu": 20}


def main() -> int:
    """Print the table; returns 1 if the back ends differ."""
    failed = selftest.find_failures("cpu")
    calls = build_calls()
    for name, call in calls.items():
        with dispatch.forced("ref"):
            expected = call()
        with dispatch.forced("cpu"):
            if call() != expected:
                failed.append(name)
    if failed:
        print(f"not timed: cpu differs from ref in {', '.join(failed)}", file=sys.stderr)
        return 1
    print(f"widths {WIDTHS}, {POLICY.local_steps} steps of {POLICY.batch_rows} rows, best of runs")
    print(f"{'op':<24}{'ref ms':>10}{'cpu ms':>10}")
    for name, call in calls.items():
        print(f"{name:<24}{measure(call, 'ref'):>10.2f}{measure(call, 'cpu'):>10.2f}")
    return 0


def build_calls() -> dict[str, Callable[[], object]]:
    """The timed calls by name; inputs are made once, here."""
    widths, codec = WIDTHS, POLICY.codec
    count = mlp.param_count(widths)
    rows = POLICY.local_steps * POLICY.batch_rows
    weights = mlp.init_weights(widths, samples.SEED)
    features = samples.sample_features("bench", rows * widths[0])
    labels = samples.sample_labels("bench", rows, widths[-1])
    sent = unit.run_unit(POLICY, weights, features, labels, samples.SEED).payload
    delta = payload.decode(sent, count, codec)
    return {
        "unit": lambda: unit.run_unit(POLICY, weights, features, labels, samples.SEED),
        f"predict {rows} rows": lambda: mlp.predict(widths, weights, features, rows),
        "payload encode": lambda: payload.encode(delta, count, samples.SEED, codec),
        f"trimmed mean of {WORKERS}": lambda: aggregate.aggregate(
            "trimmed_mean", [sent] * WORKERS, count, 1, codec
        ),
        "outer step": lambda: outer.outer_step(weights, bytes(8 * count), delta, 65536, 0),
    }


def measure(call: Callable[[], object], backend: str) -> float:
    """Best wall time of a call in milliseconds."""
    best = float("inf")
    with dispatch.forced(backend):
        for _ in range(REPEATS[backend]):
            start = time.perf_counter()
            call()
            best = min(best, time.perf_counter() - start)
    return best * 1000
