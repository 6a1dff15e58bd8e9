"""What the state costs at 10^4 to 10^6 keys: `python -m tests.bench.store [--keys N ...] [--output json]`.

Two stores of N keys each, like the accounts and balances of N people. Blocks of the sizes are committed in turn, so
that whatever else runs on the machine weighs on all sizes alike. CPU time of the process, with RocksDB's threads:
    old      1000 random keys that are there get new values
    fresh    1000 new keys, and those of the block before go, so that the store keeps its size
    single   one old key per block
    sends    3000 sends among N people: two balances and one account each, whoever comes twice is written once
Each is run cold, from a database just opened, and warm, with all pages in the cache: as a validator runs for hours.
stage is apply and hash, commit is encode and write with fsync; microseconds per written key. nodes, reads and puts
are per written key: tree nodes hashed, records read and records written. get is per read of a random key, from a
database just opened (cold) and of one that was read before by another version (warm).
The databases lie in a private folder that is removed, or in --folder and are used again.
"""

import argparse
import gc
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator

from abci_app.store.branch import Branch
from abci_app.store.disk import CACHE_NODES, Database
from abci_app.store.node import CHILD, CHILD_BYTES, get_child_id, split_page
from abci_app.store.version import StoreReader
from kernels.tree import find_batch

ACCOUNT_BYTES, BALANCE_BYTES = 64, 8
SENDS = 3000
READS = 5000
SINGLES = 20
BUILD_BLOCK = 50_000
WORKLOADS = ("old", "fresh", "single", "sends")
STATES = ("cold", "warm")

COUNT = {"reads": 0}

Blocks = Iterator[dict[str, dict[bytes, Any]]]


class Bench:
    """The database of one size."""

    def __init__(self, folder: Path, keys: int, cache_nodes: int) -> None:
        self.keys = keys
        self.folder = folder / str(keys)
        self.cache_nodes = cache_nodes
        self.rng = random.Random(keys)
        self.people = [self.rng.randbytes(20) for _ in range(keys)]
        self.passing: list[bytes] = []  # keys of the last block of new ones
        self.spent: dict[str, dict[str, float]] = {f"{name} {state}": {} for name in WORKLOADS for state in STATES}
        self.build_us = 0.0
        if not self.folder.exists():
            self.build()
        self.rss_before = read_rss()
        self.database = self.open()
        self.rng = random.Random(self.database.height)

    def open(self) -> Database:
        return Database.open(self.folder, ["auth", "bank"], 10, self.cache_nodes)

    def build(self) -> None:
        """Both stores with all people, in large blocks."""
        began = time.process_time()
        people = sorted(self.people)
        with self.open() as database:
            for begin in range(0, self.keys, BUILD_BLOCK):
                branch = Branch(database.latest())
                for person in people[begin : begin + BUILD_BLOCK]:
                    branch.store("auth").set(b"\x01" + person, self.rng.randbytes(ACCOUNT_BYTES))
                    branch.store("bank").set(b"\x02" + person, self.rng.randbytes(BALANCE_BYTES))
                database.commit(database.stage(branch, database.height + 1))
        self.build_us = (time.process_time() - began) / self.keys / 2 * 1e6

    def blocks(self, workload: str) -> Blocks:
        """The writes of each block."""
        rng = self.rng
        if workload == "old":
            yield {"bank": {b"\x02" + who: rng.randbytes(BALANCE_BYTES) for who in rng.sample(self.people, 1000)}}
        elif workload == "fresh":
            new: dict[bytes, bytes | None] = {
                b"\x02" + rng.randbytes(20): rng.randbytes(BALANCE_BYTES) for _ in range(1000)
            }
            yield {"bank": {**dict.fromkeys(self.passing), **new}}
            self.passing = list(new)
        elif workload == "single":
            for _ in range(SINGLES):
                yield {"bank": {b"\x02" + rng.choice(self.people): rng.randbytes(BALANCE_BYTES)}}
        else:
            senders, receivers = (rng.choices(self.people, k=SENDS) for _ in range(2))
            yield {
                "auth": {b"\x01" + who: rng.randbytes(ACCOUNT_BYTES) for who in senders},
                "bank": {b"\x02" + who: rng.randbytes(BALANCE_BYTES) for who in senders + receivers},
            }

    def reopen(self) -> None:
        """Empty the caches."""
        self.database.close()
        self.database = self.open()

    def fill_cache(self) -> None:
        """Read every page of both stores."""
        for root in self.database.latest().roots:
            pending = [root.id] if root.depth else []
            while pending:
                page = self.database.load(pending.pop())
                for side in range(CHILD, CHILD + page[1] + 1):
                    if page[split_page(page)[1] + CHILD_BYTES * (side - CHILD + 1) - 1]:
                        pending.append(get_child_id(page, side))

    def run(self, workload: str, state: str, is_counted: bool) -> None:
        """The blocks of one workload, timed; the first round is not counted."""
        spent = self.spent[f"{workload} {state}"] if is_counted else {}
        for block in self.blocks(workload):
            branch = Branch(self.database.latest())
            for name, writes in block.items():
                for key, value in writes.items():
                    if value is None:
                        branch.store(name).delete(key)
                    else:
                        branch.store(name).set(key, value)
            read_at = COUNT["reads"]
            began = time.process_time()
            staged = self.database.stage(branch, self.database.height + 1)
            staged_at = time.process_time()
            self.database.commit(staged)
            committed_at = time.process_time()
            add(spent, "stage", staged_at - began)
            add(spent, "commit", committed_at - staged_at)
            add(spent, "updates", sum(len(writes) for writes in block.values()))
            add(spent, "reads", COUNT["reads"] - read_at)
            add(spent, "puts", len(staged.nodes))
            add(spent, "bytes", sum(len(node) for _, node in staged.nodes))

    def read(self) -> dict[str, float]:
        """Microseconds per get, cold and warm."""
        self.reopen()
        keys = [b"\x02" + who for who in self.rng.sample(self.people, min(self.keys, READS))]
        took = {}
        for name in ("cold", "warm"):
            reader = StoreReader(self.database, self.database.latest().roots[1], self.database.height)
            began = time.process_time()
            for key in keys:
                if reader.get(key) is None:
                    raise SystemExit(f"{key.hex()} is gone")
            took[name] = (time.process_time() - began) / len(keys) * 1e6
        return took

    def report(self) -> dict[str, Any]:
        """All results of this size."""
        result: dict[str, Any] = {"keys": self.keys, "build": self.build_us}
        result["depth"] = self.database.latest().roots[1].depth
        result["memory_mb"] = (read_rss() - self.rss_before) / 1e6
        for name, spent in self.spent.items():
            updates = spent["updates"]
            result[name] = {part: spent[part] / updates * 1e6 for part in ("stage", "commit")}
            result[name] |= {part: spent[part] / updates for part in ("reads", "puts", "bytes")}
        result["get"] = self.read()
        self.database.close()
        result["disk_mb"] = sum(file.stat().st_size for file in self.folder.iterdir()) / 1e6
        return result


def add(spent: dict[str, float], name: str, amount: float) -> None:
    """Sum up."""
    spent[name] = spent.get(name, 0.0) + amount


def read_rss() -> int:
    """Bytes of memory that this process holds; 0 where the system does not tell."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * 4096 if statm.exists() else 0


def count_reads() -> None:
    """Make every database count the records that it reads."""
    read = Database.read

    def counting(self: Database, key: bytes) -> bytes | None:
        COUNT["reads"] += 1
        return read(self, key)

    Database.read = counting  # type: ignore[method-assign]


def measure(folder: Path, sizes: list[int], rounds: int, cache_nodes: int) -> list[dict[str, Any]]:
    """The results of every size, measured in turn."""
    benches = [Bench(folder, keys, cache_nodes) for keys in sizes]
    gc.freeze()  # what was prepared is not looked through again: it is none of the store's doing
    for state in STATES:
        for bench in benches if state == "warm" else ():
            bench.fill_cache()
        for number in range(rounds + 1):
            for workload in WORKLOADS:
                for bench in benches:
                    if state == "cold":
                        bench.reopen()
                    bench.run(workload, state, number > 0)
    return [bench.report() for bench in benches]


def format_table(results: list[dict[str, Any]]) -> list[str]:
    """Lines for people, with the ratio of the last size to the first."""
    lines = ["    keys  blocks         stage  commit   total   (us per key)    reads    puts   bytes"]
    for name in (f"{name} {state}" for state in STATES for name in WORKLOADS):
        totals = []
        for result in results:
            part = result[name]
            totals.append(part["stage"] + part["commit"])
            lines.append(
                f"{result['keys']:>8}  {name:<12} {part['stage']:7.1f} {part['commit']:7.1f} {totals[-1]:7.1f}"
                f"              {part['reads']:9.2f} {part['puts']:7.2f} {part['bytes']:7.0f}"
            )
        lines.append(f"          {name}: the largest costs {totals[-1] / totals[0]:.2f} of the smallest")
    for result in results:
        lines.append(
            f"{result['keys']:>8}  get cold {result['get']['cold']:.1f} us, warm {result['get']['warm']:.1f} us;  "
            f"depth {result['depth']};  memory {result['memory_mb']:.0f} MB, disk {result['disk_mb']:.0f} MB;  "
            f"build {result['build']:.1f} us per key"
        )
    return lines


def main() -> None:
    """Run the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--cache-nodes", type=int, default=CACHE_NODES)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--output", choices=("text", "json"), default="text")
    arguments = parser.parse_args()
    count_reads()
    find_batch()
    with tempfile.TemporaryDirectory() as private:
        results = measure(arguments.folder or Path(private), arguments.keys, arguments.rounds, arguments.cache_nodes)
    if arguments.output == "json":
        print(json.dumps(results))
        return
    print("\n".join(format_table(results)))


if __name__ == "__main__":
    main()
