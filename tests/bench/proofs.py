"""What proofs cost: `python -m tests.bench.proofs [--keys N ...] [--headers N]`.

For states of N keys: bytes of a proof in both encodings, microseconds to make one (reads, hashes and encoding, as a
query does: `first` for keys that were not read before, `again` once their nodes are in the cache) and to verify one (as
the client does). Then milliseconds to verify a header from another by the number of
validators, and what bisection over many headers fetches and costs. All times are of this process's CPU.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from abci_app.client.light.blocks_json import read_light_block, write_light_block
from abci_app.client.light.client import LightClient, Trust
from abci_app.client.light.records import check_answer
from abci_app.client.light.verify import Rules, verify_forward
from abci_app.client.rpc import Answer
from abci_app.store.branch import Branch
from abci_app.store.disk import Database
from abci_app.store.version import Version
from abci_app.wire.ics23 import ics23_ops
from abci_app.wire.proof import Proof, ProofOp, value_ops
from tests.light_chain import CHAIN_ID, FakeSource, Powers, new_blocks, now_after

KEY_BYTES = 27
VALUE_BYTES = 13
SAMPLE = 500
BATCH = 100_000
VALIDATORS = (4, 20, 100)
STORES = ("auth", "bank", "models", "rewards", "work")
Encode = Callable[[Proof], list[ProofOp]]


def cpu_us(calls: Sequence[Callable[[], object]]) -> float:
    """Mean CPU time of the calls, microseconds."""
    began = time.process_time()
    for call in calls:
        call()
    return (time.process_time() - began) / len(calls) * 1e6


def fill(database: Database, keys: Sequence[bytes], rng: random.Random) -> Version:
    """The keys with values, in a few blocks."""
    for height, start in enumerate(range(0, len(keys), BATCH), 1):
        branch = Branch(database.latest())
        for key in keys[start:start + BATCH]:
            branch.store("bank").set(key, rng.randbytes(VALUE_BYTES))
        database.commit(database.stage(branch, height))
    return database.latest()


def measure(version: Version, keys: Sequence[bytes], encode: Encode) -> tuple[float, float, float, float]:
    """(bytes, microseconds to make first, to make again, to verify) of the proofs of keys."""
    def make(key: bytes) -> list[ProofOp]:
        return encode(version.prove("bank", key))

    first, again = (cpu_us([partial(make, key) for key in keys]) for _ in range(2))
    answers = []
    for key in keys:
        value = version.store("bank").get(key) or b""
        answers.append(Answer(0, "", "", key, value, version.height, tuple(make(key))))
    size = sum(len(op.data) for answer in answers for op in answer.proof_ops) / len(keys)
    verified = cpu_us([partial(check_answer, answer, version.app_hash, "bank", answer.key) for answer in answers])
    return size, first, again, verified


def show_state(count: int) -> None:
    """The rows of one size."""
    rng = random.Random(count)
    keys = [b"\x02\x14" + rng.randbytes(KEY_BYTES - 7) + b"ugrad" for _ in range(count)]
    with tempfile.TemporaryDirectory() as folder, Database.open(Path(folder), STORES, fsync=False) as database:
        version = fill(database, keys, rng)
        rows = (("simple:v  there ", True, value_ops), ("ics23     there ", True, ics23_ops),
                ("ics23     absent", False, ics23_ops))
        shuffled = rng.sample(keys, min(2 * SAMPLE, count))
        for index, (name, is_there, encode) in enumerate(rows):
            sample = (shuffled[index * SAMPLE:] or shuffled)[:SAMPLE] if is_there else [
                b"\x02\x14" + rng.randbytes(KEY_BYTES - 7) + b"ugrad" for _ in range(SAMPLE)]
            size, first, again, verified = measure(version, sample, encode)
            print(f"{count:>9} keys  {name}   {size:6.0f} bytes   make {first:6.1f} us first {again:6.1f} us again   "
                  f"verify {verified:6.1f} us", flush=True)


def show_header(validators: int) -> None:
    """What it takes to verify a header, from its JSON, by another that is not next to it."""
    blocks = new_blocks([{seed: 10 for seed in range(validators)}] * 3)
    text = json.dumps(write_light_block(blocks[2]))
    spent = cpu_us([lambda: verify_forward(blocks[0], read_light_block(json.loads(text)), Rules(),
                                           blocks[2].header.time_ns)] * max(3, 1000 // validators))
    print(f"{validators:>9} validators   header of {len(text):>6} bytes of JSON   verify {spent / 1e3:7.2f} ms",
          flush=True)


def show_bisection(name: str, sets: Sequence[Powers]) -> None:
    """What it takes to verify the last block from the first."""
    blocks = new_blocks(sets)
    client = LightClient(CHAIN_ID, FakeSource(blocks), clock=now_after(blocks))
    began = time.process_time()
    client.verify(Trust(blocks[0], True, blocks[0]), len(blocks))
    spent = time.process_time() - began
    print(f"{len(blocks):>9} headers   {name:<44} {client.fetched:>5} fetched   {spent * 1e3:8.1f} ms", flush=True)


def main() -> None:
    """Run the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, nargs="*", default=[10**3, 10**4, 10**5, 10**6])
    parser.add_argument("--headers", type=int, default=1_000)
    arguments = parser.parse_args()
    for validators in VALIDATORS:
        show_header(validators)
    count, twenty = arguments.headers, range(20)
    show_bisection("20 validators, none changes", [dict.fromkeys(twenty, 10)] * count)
    show_bisection("20 validators, one is replaced every 10 blocks",
                   [{height // 10 + seed: 10 for seed in twenty} for height in range(count)])
    show_bisection("4 validators, all are replaced every 100 blocks",
                   [{height // 100 * 4 + seed: 10 for seed in range(4)} for height in range(count)])
    show_bisection("4 validators, all are replaced every block",
                   [{height * 4 + seed: 10 for seed in range(4)} for height in range(count)])
    for keys in arguments.keys:
        show_state(keys)


if __name__ == "__main__":
    main()
