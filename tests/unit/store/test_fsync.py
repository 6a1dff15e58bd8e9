"""A commit is on the disk before it is answered: without a working fsync there is no answer.

The kernel is told (seccomp) to fail every fsync of a process with EIO. If a commit asked for none, it would go through.
"""

import ctypes
import errno
import platform
import struct
import subprocess
import sys
from pathlib import Path

import pytest

NUMBERS = {"x86_64": (0xC000003E, (74, 75, 277)), "aarch64": (0xC00000B7, (82, 83, 84))}
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL_WITH_EIO = 0x7FFF0000, 0x00050000 | errno.EIO
SET_NO_NEW_PRIVILEGES, SET_SECCOMP, FILTER = 38, 22, 2

COMMITTER = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from test_fsync import fail_fsync
from abci_app.abci.config import Config
from abci_app.abci.node import Settings, open_state
from abci_app.app import STORE_NAMES
from abci_app.store.branch import Branch
from abci_app.store.disk import Database
from abci_app.store.errors import DatabaseDamaged

def commit(database):
    branch = Branch(database.latest())
    branch.store("bank").set(b"key", str(database.height).encode())
    return database.commit(database.stage(branch, database.height + 1)).height

home = Path(sys.argv[1])
if sys.argv[3] == "node":
    database = open_state(Settings(home, None, 0, None, Config()))
else:
    database = Database.open(home / "state", STORE_NAMES, 10, fsync=False)
print(commit(database))
fail_fsync()
try:
    print(commit(database))
except DatabaseDamaged as error:
    print("no answer:", error)
"""


def fail_fsync() -> None:
    """Have every fsync, fdatasync and sync_file_range of this thread fail from now on."""
    architecture, calls = NUMBERS[platform.machine()]
    steps = [(LOAD, 0, 0, 4), (JUMP_EQUAL, 0, len(calls) + 1, architecture), (LOAD, 0, 0, 0)]
    steps += [(JUMP_EQUAL, len(calls) - index, 0, number) for index, number in enumerate(calls)]
    steps += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, FAIL_WITH_EIO)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program)))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0), (SET_SECCOMP, FILTER, header, 0, 0)):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), "prctl")


def run_committer(home: Path, how: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", COMMITTER, str(home), str(Path(__file__).parent), how], text=True,
                          capture_output=True, timeout=60, check=False)
    if "OSError" in done.stderr and "prctl" in done.stderr:
        pytest.skip("this system does not let a process filter its calls")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


pytestmark = pytest.mark.skipif(sys.platform != "linux" or platform.machine() not in NUMBERS,
                                reason="seccomp is Linux's, and its numbers are per machine")


def test_commit_of_a_node_whose_fsync_fails_has_no_answer(tmp_path: Path) -> None:
    first, second = run_committer(tmp_path, "node")
    assert first == "1"
    assert second.startswith("no answer: commit of height 2 failed")


def test_same_commit_without_fsync_asks_for_none_and_goes_through(tmp_path: Path) -> None:
    assert run_committer(tmp_path, "unsynced") == ["1", "2"]
