"""Compiles the trees' code into numba's cache: `python -m kernels.tree`. Exits with 1 when it cannot be used."""

import sys

from kernels.tree import find_batch

if __name__ == "__main__":
    sys.exit(find_batch() is None)
