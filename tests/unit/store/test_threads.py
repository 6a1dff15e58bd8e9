"""Query threads read versions while the consensus thread commits the next ones."""

import random
import sys
import threading
from pathlib import Path

from abci_app.store.branch import Branch
from abci_app.store.disk import Database
from abci_app.store.errors import HeightUnavailable
from abci_app.wire.proof import check_proof

KEYS = [b"k%d" % number for number in range(60)]


def test_readers_see_whole_versions_while_blocks_are_committed(tmp_path: Path) -> None:
    """Each height sets all keys to that height, so any mixture of two heights would show."""
    faults: list[str] = []
    reads = [0, 0]
    stop = threading.Event()

    def read(seed: int) -> None:
        rng = random.Random(seed)
        while not stop.is_set():
            height = rng.randrange(max(1, database.height - 4), database.height + 1)
            try:
                version = database.version(height)
                values = {value for _, value in version.store("s").iter(b"k")}
                key = rng.choice(KEYS)
                proof = version.prove("s", key)
                check_proof(proof, version.app_hash, "s", key)
                if values != {b"%d" % height} or proof.value != b"%d" % height:
                    faults.append(f"height {height}: {values}, {proof.value!r}")
                reads[0] += 1
            except HeightUnavailable:
                reads[1] += 1
            except Exception as error:  # noqa: BLE001 - a thread's failure must reach the test
                faults.append(repr(error))

    def commit(height: int) -> None:
        branch = Branch(database.latest())
        for key in KEYS:
            branch.store("s").set(key, b"%d" % height)
        database.commit(database.stage(branch, height))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    with Database.open(tmp_path, ["s"], 3, cache_nodes=100, fsync=False) as database:
        commit(1)
        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(3)]
        try:
            for thread in threads:
                thread.start()
            for height in range(2, 200):
                commit(height)
        finally:
            stop.set()
            for thread in threads:
                thread.join(timeout=30)
            sys.setswitchinterval(interval)
    assert faults == []
    assert reads[0] > 20
