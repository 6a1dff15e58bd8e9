"""What the engine of a stopped node has on its disk: the ends of its block store and its own state.

Asked of the engine itself: `cometbft inspect` serves a part of the RPC from a stopped node's databases, here on a free
port of 127.0.0.1 for the moment it takes. It opens them as a start would, and changes no height.
Source: CometBFT v0.38 inspect/rpc/rpc.go (what is served), rpc/core/{blocks,consensus,env}.go, state/store.go (the
parameters of height h+1 are saved with the state of height h, which tells that height).
"""

from __future__ import annotations

import base64
import fcntl
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abci_app.client.rpc import Rpc
from localnet.claims import PortClaim
from localnet.config import HOST
from localnet.engine import Engine
from localnet.errors import NodeError, NodeRefused, NodeUnreachable
from localnet.homes import Home
from localnet.parent import die_with_parent
from localnet.ports import choose_random

READY_SECONDS = 60.0
POLL_S = 0.05
LOWEST = re.compile(r"lowest height is (\d+)")
DATABASES = ("blockstore.db", "state.db")
COMPANIONS = ("cs.wal", "evidence.db", "tx_index.db")  # made together with the databases or later, never before

Json = dict[str, Any]


@dataclass(frozen=True)
class EngineData:
    """Heights are 0 where there is nothing. app_hashes: of the state after a height, in hex, as far as asked.

    missing: databases that are lost while others of the engine are there; the heights are then 0.
    """

    base: int = 0
    block_height: int = 0
    state_height: int = 0
    initial_height: int = 1
    chain_id: str = ""
    app_hashes: tuple[tuple[int, str], ...] = ()
    missing: tuple[str, ...] = ()

    def find_app_hash(self, height: int) -> str | None:
        """The app hash that the chain has for the state after a height, None when nothing here tells."""
        return dict(self.app_hashes).get(height)


def read_engine_data(home: Home, engine: Engine, initial_height: int, height: int) -> EngineData:
    """The engine's data of a home that does not run. height: of the app, whose hash the chain may tell.

    Raises NodeError when another process has it open, or the engine cannot read it.
    """
    folders = [home.path / "data" / name for name in DATABASES]
    if not any((folder / "CURRENT").is_file() for folder in folders) and not find_missing(home):
        return EngineData(initial_height=initial_height)
    for folder in folders:
        check_unlocked(folder)
    missing = find_missing(home)
    if missing:  # the engine is not asked: it would make them anew, empty
        return EngineData(initial_height=initial_height, missing=missing)
    with inspecting(home, engine) as rpc:
        top = find(rpc, "header")
        if not top or not top.get("header"):
            return EngineData(initial_height=initial_height, missing=DATABASES[:1] if has_indexed(rpc) else ())
        header = top["header"]
        blocks = int(header["height"])
        state = next((at - 1 for at in (blocks + 1, blocks) if find(rpc, "consensus_params", at)), 0)
        return EngineData(find_base(rpc), blocks, state, initial_height, str(header["chain_id"]),
                          tuple(read_hashes(rpc, height, blocks)))


def find_missing(home: Home) -> tuple[str, ...]:
    """The databases that are not there though others of the engine are."""
    data = home.path / "data"
    gone = tuple(name for name in DATABASES if not (data / name / "CURRENT").is_file())
    if gone == DATABASES[1:] and not any((data / name).is_dir() for name in (*gone, *COMPANIONS)):
        return ()  # the first one alone: a first start that was cut short
    return gone if len(gone) < len(DATABASES) or any((data / name).is_dir() for name in COMPANIONS) else ()


def has_indexed(rpc: Rpc) -> bool:
    """Whether the engine's index knows blocks: of a store that is empty, it was lost and made anew."""
    try:
        answer = rpc.call("block_search", query="block.height > 0", page="1", per_page="1")
    except NodeRefused:
        return False
    return int(answer["total_count"]) > 0


def read_hashes(rpc: Rpc, height: int, blocks: int) -> Iterator[tuple[int, str]]:
    """The app hash after a height: of the header above, or of the results of the block itself."""
    if not 0 < height <= blocks:
        return
    above = find(rpc, "header", height + 1) if height < blocks else None
    if above and above.get("header"):
        yield height, str(above["header"]["app_hash"]).lower()
        return
    results = find(rpc, "block_results", height)
    if results and results.get("app_hash"):
        yield height, decode_hash(str(results["app_hash"]))


def decode_hash(text: str) -> str:
    """Hex of a hash that an answer has in hex or in base64."""
    with suppress(ValueError):
        return bytes.fromhex(text).hex()
    return base64.b64decode(text).hex()


def find_base(rpc: Rpc) -> int:
    """The first block of the store."""
    try:
        rpc.call("block", height="1")
    except NodeRefused as error:
        seen = LOWEST.search(error.text)
        return int(seen[1]) if seen else 1
    return 1


def find(rpc: Rpc, method: str, height: int | None = None) -> Json | None:
    """An answer, None when the engine has none for this height."""
    try:
        return rpc.call(method) if height is None else rpc.call(method, height=str(height))
    except NodeRefused:
        return None


@contextmanager
def inspecting(home: Home, engine: Engine) -> Iterator[Rpc]:
    """Serve the databases of a stopped engine while the block runs; NodeError with its words when it cannot."""
    claim = PortClaim()
    port = choose_random(1, claim)
    command = [str(engine.path), "inspect", "--home", str(home.path), "--rpc.laddr", f"tcp://{HOST}:{port}"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, process_group=0, preexec_fn=die_with_parent()) as process:
        try:
            with Rpc(f"http://{HOST}:{port}") as rpc:
                wait_ready(rpc, process, home)
                yield rpc
        finally:
            claim.release()
            process.kill()


def wait_ready(rpc: Rpc, process: "subprocess.Popen[str]", home: Home) -> None:
    """Wait until it answers; NodeError when it ends or does not."""
    deadline_s = time.monotonic() + READY_SECONDS
    while True:
        try:
            rpc.call("header")
            return
        except NodeRefused:
            return
        except NodeUnreachable:
            if process.poll() is None and time.monotonic() < deadline_s:
                time.sleep(POLL_S)
                continue
        process.kill()
        said = [line for line in (process.stdout or ()) if line.strip()]
        raise NodeError(f"the engine cannot read its data: {''.join(said[-3:]).strip()[:600]}",
                        f"bring {home.path}/data back from a copy, or join the network anew by state sync")


def check_unlocked(folder: Path) -> None:
    """NodeError when an engine has the database open."""
    with suppress(FileNotFoundError), open(folder / "LOCK") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NodeError(f"another process has {folder} open", "stop that engine; `fuser` of psmisc names it"
                            ) from None
