"""What one update of the state costs: `python -m tests.bench.store [--keys N ...]`.

Prints microseconds per update for blocks of random writes (half new keys, half old ones) into a store of N keys:
apply and hash (`stage`), encode and write with fsync (`commit`), and per read. In a private folder, removed again.
"""

import argparse
import random
import tempfile
import time
from pathlib import Path

from abci_app.store.branch import Branch
from abci_app.store.disk import CACHE_NODES, Database

KEY_BYTES = 21
VALUE_BYTES = 16
BLOCKS = 5


def measure(keys: int, updates_per_block: int, cache_nodes: int) -> str:
    """One line of results."""
    rng = random.Random(keys)
    known = [b"k" + rng.randbytes(KEY_BYTES - 1) for _ in range(keys)]
    with tempfile.TemporaryDirectory() as folder, Database.open(Path(folder), ["bank"], 10, cache_nodes) as database:
        branch = Branch(database.latest())
        for key in known:
            branch.store("bank").set(key, rng.randbytes(VALUE_BYTES))
        database.commit(database.stage(branch, 1))
        staging = committing = 0.0
        for _ in range(BLOCKS):
            branch = Branch(database.latest())
            for index in range(updates_per_block):
                key = b"k" + rng.randbytes(KEY_BYTES - 1) if index % 2 else rng.choice(known)
                branch.store("bank").set(key, rng.randbytes(VALUE_BYTES))
            began = time.perf_counter()
            staged = database.stage(branch, database.height + 1)
            between = time.perf_counter()
            database.commit(staged)
            committing += time.perf_counter() - between
            staging += between - began
        reader = database.latest().store("bank")
        sample = rng.sample(known, min(keys, 10_000))
        began = time.perf_counter()
        for key in sample:
            reader.get(key)
        reading = time.perf_counter() - began
        depth = database.latest().roots[0].depth
    updates = BLOCKS * updates_per_block
    return (
        f"{keys:>9} keys  depth {depth:>2}  {updates_per_block:>6} updates/block   "
        f"stage {staging / updates * 1e6:6.1f} us/update   commit {committing / updates * 1e6:6.1f} us/update   "
        f"read {reading / len(sample) * 1e6:5.1f} us"
    )


def main() -> None:
    """Run the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--cache-nodes", type=int, default=CACHE_NODES)
    arguments = parser.parse_args()
    for keys in arguments.keys:
        for updates in (10, 1_000, 10_000):
            print(measure(keys, updates, arguments.cache_nodes), flush=True)


if __name__ == "__main__":
    main()
