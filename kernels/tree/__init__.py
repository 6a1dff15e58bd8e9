"""Batches of changes to the store's trees, compiled. Reads and writes no files but numba's cache.

The algorithm, readable, is `abci_app/store/tree.py`; results are the same to the bit. Reads: the environment variable
GRADUS_KERNELS_BACKEND; `ref` leaves all trees to the plain code.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import logging
import os
from types import ModuleType
from typing import TYPE_CHECKING

from kernels.dispatch import BACKEND_VARIABLE

if TYPE_CHECKING:
    from kernels.tree.batch import Batch

_log = logging.getLogger("gradus.kernels")
_ready: type[Batch] | None = None


class BatchTooLarge(Exception):
    """More changes or bytes than compiled code takes in one batch: the plain code does it."""


class WrongRecord(Exception):
    """A record that was loaded is well-formed, but not what the one above it says."""


@functools.cache
def find_batch() -> type[Batch] | None:
    """The compiled batch, tested once per process; None if it is not wanted, cannot be loaded, or fails its test.

    The first call takes half a second, and some seconds when nothing is in numba's cache yet.
    """
    global _ready
    if not is_wanted():
        return None
    try:
        batch = importlib.import_module("kernels.tree.batch")
        problem = "" if _hashes_right(batch) else "the self-test gave another root"
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the plain code is right
        problem = repr(error)
    if problem:
        _log.error("kernels: compiled trees are not used: %s. "
                   "The plain code takes over; results are the same.", problem)
        return None
    found: type[Batch] = batch.Batch
    _ready = found
    return found


def get_ready() -> type[Batch] | None:
    """The compiled batch if it is loaded already; never waits. Loading it is for `find_batch` and `warm.Warmer`."""
    return _ready


def is_wanted() -> bool:
    """Whether the environment does not ask for the plain code."""
    return os.environ.get(BACKEND_VARIABLE) != "ref"


def _hashes_right(batch: ModuleType) -> bool:
    """Three entries into a tree of one leaf: the inner hashes are those of hashlib."""
    first, leaf, root_id = b"\x00", hashlib.sha256(b"first").digest(), bytes(12)
    made = batch.Batch(lambda _: b"", (root_id, leaf, 0), first, [(b"a", b"1"), (b"b", b"x" * 200), (b"c", None)])
    (_, root, depth), records = made.seal(1, 0)
    hashes = [
        hashlib.sha256(b"\x00\x01" + key + b"\x20" + hashlib.sha256(value).digest()).digest()
        for key, value in ((b"a", b"1"), (b"b", b"x" * 200))
    ]
    right = hashlib.sha256(b"\x01" + b"".join(hashes)).digest()
    return (root, depth, len(records)) == (hashlib.sha256(b"\x01" + leaf + right).digest(), 2, 3)
