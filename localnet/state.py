"""run/ of a home: who runs it, in which phase. Written by the supervisor, read by everyone else.

lock: held (flock) by the supervisor as long as it lives, so a stale pid can never be taken for a live one.
"""

from __future__ import annotations

import fcntl
import json
import time
from dataclasses import asdict, dataclass
from typing import IO

from localnet.errors import NodeError
from localnet.files import replace_text
from localnet.homes import Home

LOCK_TRIES = 10
RESTING = ("stopped", "failed")


@dataclass(frozen=True)
class State:
    """What the supervisor last wrote. phase: starting, running, restarting, stopping, stopped or failed.

    `died` is what nobody writes: the supervisor ended without a word. restarts: since it started. error, hint: why it
    does not run though nobody stopped it, else empty. auditor: running, restarting or failed, empty where none runs.
    """

    phase: str
    pid: int
    app_pid: int | None = None
    engine_pid: int | None = None
    restarts: int = 0
    error: str = ""
    hint: str = ""
    auditor_pid: int | None = None
    auditor: str = ""


def take_lock(home: Home) -> IO[str]:
    """Become the only supervisor of a home; NodeError when another one runs."""
    home.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = open(home.run / "lock", "a")
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            time.sleep(0.05)  # somebody may only be looking: is_supervised holds the lock for an instant
    lock.close()
    pid = find_pid(home, "supervisor")
    raise NodeError(f"a node already runs on {home.path}" + (f" (pid {pid})" if pid else ""),
                    f"stop it first: kill {pid}" if pid else "wait until it has ended")


def is_supervised(home: Home) -> bool:
    """Whether a live supervisor holds the home's lock."""
    try:
        with open(home.run / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def put_pid(home: Home, part: str, pid: int | None) -> None:
    """Write, or with None remove, the pid file of a part: supervisor, app, engine or auditor."""
    path = home.run / f"{part}.pid"
    if pid is None:
        path.unlink(missing_ok=True)
    else:
        replace_text(path, f"{pid}\n")


def drop_pids(home: Home) -> None:
    """Remove every pid file: to be called by whoever has just taken the lock, for what a killed supervisor left."""
    for path in home.run.glob("*.pid"):
        path.unlink()


def find_pid(home: Home, part: str) -> int | None:
    """The pid of a part, None when its file is absent or unreadable."""
    try:
        return int((home.run / f"{part}.pid").read_text())
    except (FileNotFoundError, ValueError):
        return None


def put_state(home: Home, state: State) -> None:
    """Write state.json in one step."""
    replace_text(home.run / "state.json", json.dumps(asdict(state) | {"home": str(home.path)}) + "\n")


def find_state(home: Home) -> State | None:
    """What the last supervisor wrote, or what its end without a word means; None where none ever ran."""
    try:
        written = dict(json.loads((home.run / "state.json").read_text()))
        place = written.pop("home", "")
        state = State(**written)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if state.phase in RESTING or is_supervised(home):
        return state
    if place != str(home.path):  # the file of a running node was copied here: none has run in this folder
        return State(phase="stopped", pid=state.pid)
    return State(phase="died", pid=state.pid, restarts=state.restarts,
                 error=f"its supervisor, pid {state.pid}, has ended without a word: it was killed, or the machine went "
                       "down; nothing of the node runs any more")
