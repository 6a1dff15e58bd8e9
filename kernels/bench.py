"""`python -m kernels.bench TABLE`: tables of speed; nothing is timed before it is proved equal. Writes nothing.

`python -m kernels.bench unit`, or without a table: the digits-sized unit and its round (bench_unit.py).
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
from importlib import import_module

from kernels.command import run
from kernels.errors import KernelInputError

EXAMPLE = """example, on one thread so that the figures compare:
  GRADUS_KERNELS_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m kernels.bench gemm"""
TABLES = {
    "unit": ("kernels.bench_unit", "main"),
    "decoder": ("kernels.bench_decoder", "main"),
    "gemm": ("kernels.bench_products", "compare_engines"),
    "freivalds": ("kernels.bench_products", "compare_check"),
    "generate": ("kernels.bench_generate", "main"),
    "gpu": ("kernels.bench_gpu", "main"),
    "aggregate-gpu": ("kernels.bench_aggregate_gpu", "main"),
    "hash": ("kernels.bench_hash", "main"),
}


def main(arguments: list[str]) -> int:
    """Print the table asked for; returns the exit status: 0, 1 if a result is wrong, 2 on misuse."""
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
        import_module("kernels.gemm.engine").check_environment()
        return int(getattr(import_module(module), function)())
    except KernelInputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    run("kernels.bench")
