"""What the engine of a stopped node has on its disk: the ends of its block store and its own state.

Reads `data/blockstore.db` and `data/state.db`, which are goleveldb databases. RocksDB reads their format; it is given a
folder of links to their files, read-only, so that nothing is added to the engine's data, not even a log.
Source: CometBFT v0.38 store/store.go (keys `blockStore`, `H:<height>`), state/store.go (`stateKey`),
proto/tendermint/{store,state,types}/types.proto.
"""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from rocksdict import AccessType, Options, Rdict

from abci_app.wire.fields import Fields
from localnet.errors import NodeError
from localnet.homes import Home

FIELDS_MAX = 1000
OPEN_FILES_MAX = 32


@dataclass(frozen=True)
class EngineData:
    """Heights are 0 where there is nothing. app_hash: of the state after `state_height`, in hex.

    next_app_hashes: by height, what the header above it says of the state after that height, in hex, as far as asked.
    """

    base: int = 0
    block_height: int = 0
    state_height: int = 0
    initial_height: int = 1
    chain_id: str = ""
    app_hash: str = ""
    next_app_hashes: tuple[tuple[int, str], ...] = ()

    def find_app_hash(self, height: int) -> str | None:
        """The app hash that the chain has for the state after a height, None when no header here tells."""
        if height == self.state_height and self.app_hash:
            return self.app_hash
        return dict(self.next_app_hashes).get(height)


def read_engine_data(home: Home, height: int) -> EngineData:
    """The engine's data of a home that does not run. height: of the app, whose hash a header may tell.

    Raises NodeError when another process has it open, or it cannot be read.
    """
    folder = home.path / "data"
    base = block_height = 0
    told: list[tuple[int, str]] = []
    with open_level(folder / "blockstore.db") as blocks:
        if blocks is not None:
            ends = Fields(read(blocks, b"blockStore"), FIELDS_MAX)
            base, block_height = ends.uint(1), ends.uint(2)
            meta = read(blocks, b"H:%d" % (height + 1))
            if meta:
                told.append((height, Fields(Fields(meta, FIELDS_MAX).one(3), FIELDS_MAX).one(11).hex()))
    with open_level(folder / "state.db") as state:
        record = Fields(read(state, b"stateKey") if state is not None else b"", FIELDS_MAX)
        return EngineData(base, block_height, record.uint(3), record.uint(14) or 1,
                          (record.find(2) or b"").decode(errors="replace"), (record.find(13) or b"").hex(), tuple(told))


def read(database: Rdict, key: bytes) -> bytes:
    """A record, empty when there is none."""
    return cast(bytes, database.get(key) or b"")


@contextmanager
def open_level(folder: Path) -> Iterator[Rdict | None]:
    """A goleveldb database for reading; None where there is none. Raises NodeError."""
    if not (folder / "CURRENT").is_file():
        yield None
        return
    check_unlocked(folder)
    with tempfile.TemporaryDirectory(prefix="gradus-doctor-") as scratch:
        for path in folder.iterdir():
            if path.name not in ("LOCK", "LOG", "LOG.old"):
                (Path(scratch) / path.name).symlink_to(path.absolute())
        options = Options(raw_mode=True)
        options.set_max_open_files(OPEN_FILES_MAX)
        try:
            database = Rdict(scratch, options, access_type=AccessType.read_only())
        except Exception as error:  # rocksdict raises bare Exception
            raise NodeError(f"the engine's database {folder} cannot be read: {error}",
                            f"bring the folder {folder.parent} back from a copy, or join the network anew") from error
        try:
            yield database
        except ValueError as error:
            raise NodeError(f"the engine's database {folder} holds a malformed record: {error}",
                            f"bring the folder {folder.parent} back from a copy, or join the network anew") from error
        finally:
            database.close()


def check_unlocked(folder: Path) -> None:
    """NodeError when an engine has the database open."""
    with suppress(FileNotFoundError), open(folder / "LOCK") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NodeError(f"another process has {folder} open", "stop that engine: `fuser` of psmisc names it") from None
