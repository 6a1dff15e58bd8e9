"""A seed in separate processes: neither PYTHONHASHSEED nor the back end of the kernels is an input of the state."""

import os
import subprocess
import sys
from pathlib import Path

import click

from kernels import dispatch

ROOT = Path(__file__).parents[2]
BACKENDS = ("ref", "cpu")
HASH_SEEDS = ("0", "4711", "271828")


class HashesDiffer(click.ClickException):
    """Two processes have come to different states. Says where first."""


def compare_seed(seed: int, blocks: int, backends: tuple[str, ...] = BACKENDS) -> str:
    """Run a seed once for each back end, each with another PYTHONHASHSEED; a line for people.

    Raises HashesDiffer, or CalledProcessError of a simulation that failed.
    """
    first = list_hashes(seed, blocks, HASH_SEEDS[0], backends[0])
    runs = [f"{backends[0]} with hash seed {HASH_SEEDS[0]}"]
    for place, backend in enumerate(backends[1:] or backends, 1):
        hash_seed = HASH_SEEDS[place % len(HASH_SEEDS)]
        other = list_hashes(seed, blocks, hash_seed, backend)
        runs.append(f"{backend} with hash seed {hash_seed}")
        for height, (one, two) in enumerate(zip(first, other, strict=True), 1):
            if one != two:
                raise HashesDiffer(f"seed {seed}, height {height}: {one} by {runs[0]}, {two} by {runs[-1]}")
    return (f"seed {seed}: the app hashes of {len(first)} heights are equal by {', '.join(runs)}; "
            f"the last is {first[-1]}")


def list_hashes(seed: int, blocks: int, hash_seed: str, backend: str) -> list[str]:
    """The app hash after each block, by a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, dispatch.BACKEND_VARIABLE: backend}
    if backend == "gpu":
        environment.setdefault("TRITON_INTERPRET", "1")
    command = [sys.executable, "-m", "tests.sim", "--seed", str(seed), "--blocks", str(blocks), "--hashes"]
    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, check=True)
    return done.stdout.split()
