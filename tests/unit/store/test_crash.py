"""A process that is killed at any point leaves exactly its last committed height."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from abci_app.store.branch import Branch
from abci_app.store.check import check_database
from abci_app.store.disk import Database

WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from test_crash import commit_block
from abci_app.store.disk import Database
database = Database.open(sys.argv[1], ["a", "b"], 3, fsync=sys.argv[3] == "fsync")
while True:
    version = commit_block(database, database.height + 1)
    print(version.height, version.app_hash.hex(), flush=True)
"""


def commit_block(database: Database, height: int):  # type: ignore[no-untyped-def]
    """The block of `height`: a function of the height alone."""
    rng = random.Random(height)
    branch = Branch(database.latest())
    for _ in range(30):
        store = branch.store(rng.choice("ab"))
        key = b"k" + rng.randbytes(1)
        if rng.random() < 0.4:
            store.delete(key)
        else:
            store.set(key, rng.randbytes(5))
    branch.blobs.set(b"last", str(height).encode())
    branch.blobs.set(b"chunk%d" % (height % 7), rng.randbytes(20_000))
    return database.commit(database.stage(branch, height))


@pytest.mark.parametrize("sync", ["fsync", "no-fsync"])
def test_killed_writer_leaves_its_last_height_and_goes_on_to_the_same_hashes(tmp_path: Path, sync: str) -> None:
    rng = random.Random(sync)
    hashes: dict[int, str] = {}
    for _ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "db"), str(Path(__file__).parent), sync],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        blocks = rng.randrange(1, 40)
        lines = [writer.stdout.readline() for _ in range(blocks)]
        os.kill(writer.pid, signal.SIGKILL)
        lines += writer.stdout.readlines()
        writer.wait(timeout=30)
        writer.stdout.close()
        for line in lines:
            if line.endswith("\n"):
                height, app_hash = line.split()
                hashes[int(height)] = app_hash
        with Database.open(tmp_path / "db", ["a", "b"], 3, fsync=False) as database:
            reported = max(hashes)
            assert reported <= database.height <= reported + 1, "committed but not reported is one at most"
            if database.height == reported:
                assert database.latest().app_hash.hex() == hashes[reported]
            assert database.blobs.get(b"last") == str(database.height).encode()
            check_database(database)
            last = database.height
    with Database.open(tmp_path / "straight", ["a", "b"], 3, fsync=False) as straight:
        for height in range(1, last + 1):
            version = commit_block(straight, height)
            assert hashes.get(height, version.app_hash.hex()) == version.app_hash.hex()
