"""`python -m kernels.bench`: milliseconds of the digits-sized unit and of its round on each back end.

Refuses to time anything until the cpu back end gives the reference's bytes. Writes nothing.
`python -m kernels.bench decoder`: a training step of decoders, op by op (bench_decoder.py).
`python -m kernels.bench gemm` and `freivalds`: exact products by engine, and the check of one (bench_products.py).
`python -m kernels.bench generate`: tokens a second of inference (bench_generate.py).
`python -m kernels.bench hash`: the chunk tree beside the plain read and SHA-256 (bench_hash.py).
`python -m kernels.bench gpu`: a training step on a CUDA device beside torch in bfloat16 (bench_gpu.py).
`python -m kernels.bench aggregate-gpu`: aggregation on a CUDA device beside a copy (bench_aggregate_gpu.py).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from importlib import import_module

from kernels import aggregate, dispatch, mlp, outer, payload, samples, selftest, unit

EXAMPLE = """example, on one thread so that the figures compare:
  GRADUS_KERNELS_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m kernels.bench gemm"""
TABLES = {
    "unit": ("kernels.bench", "compare_backends"),
    "decoder": ("kernels.bench_decoder", "main"),
    "gemm": ("kernels.bench_products", "compare_engines"),
    "freivalds": ("kernels.bench_products", "compare_check"),
    "generate": ("kernels.bench_generate", "main"),
    "gpu": ("kernels.bench_gpu", "main"),
    "aggregate-gpu": ("kernels.bench_aggregate_gpu", "main"),
    "hash": ("kernels.bench_hash", "main"),
}
WIDTHS = (64, 128, 64, 10)
POLICY = unit.UnitPolicy(unit.Mlp(WIDTHS), unit.Sgd(6554, 58982), unit.Schedule(), 32, 16, 8, "int8/256")
WORKERS = 4
REPEATS = {"ref": 3, "cpu": 20}


def main(arguments: list[str]) -> int:
    """Print the table asked for; returns 1 if the back ends differ, 2 on misuse, 130 for Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m kernels.bench", description="Tables of speed; nothing is timed before it is proved equal.",
        epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("table", nargs="?", choices=tuple(TABLES), default="unit", help=(
        "unit: the digits model on each back end (the default); decoder: a training step, op by op; gemm: exact "
        "products by engine; freivalds: the check of one; generate: tokens a second; gpu: on a device; hash: GB/s; "
        "aggregate-gpu: functions of aggregation on a CUDA device"
    ))
    module, function = TABLES[parser.parse_args(arguments).table]
    try:
        return int(getattr(import_module(module), function)())
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


def compare_backends() -> int:
    """Print the table of the digits-sized unit; returns 1 if the back ends differ."""
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
