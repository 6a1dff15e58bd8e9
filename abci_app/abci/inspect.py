"""What the state of a stopped node holds: for people and for programs that compare nodes.

Reads: `<home>/state` and the names in `<home>/snapshots`. Opening the database replays its log, as a start would; no
height is written.
"""

from pathlib import Path
from typing import Any

from abci_app.abci.chain import find_chain
from abci_app.abci.errors import ConfigProblem
from abci_app.abci.node import STATE_FOLDER
from abci_app.app import STORE_NAMES
from abci_app.store.branch import Branch
from abci_app.store.check import check_database
from abci_app.store.disk import Database
from abci_app.store.errors import StoreError

SNAPSHOTS_FOLDER = "snapshots"


def inspect_home(home: Path, height: int = 0, verify: bool = False) -> dict[str, Any]:
    """The state of a node's home as plain fields; hashes in hex, an app hash of "" before the first block.

    height: of a kept version, 0 for the latest. verify: read and hash every node of every kept version. Raises
    ConfigProblem when the state is in use, damaged or of other software, or the height is not kept.
    """
    folder = home / STATE_FOLDER
    if not folder.is_dir():
        return _fields(0, "", 0, {}, "", home)
    try:
        with Database.open(folder, STORE_NAMES) as database:
            if verify:
                check_database(database)
            version = database.version(height) if height else database.latest()
            if not version.height:
                return _fields(0, "", 0, {}, "", home)
            chain = find_chain(Branch(version))
            roots = {name: root.hex() for name, root in version.store_roots()}
            return _fields(version.height, version.app_hash.hex(), database.oldest, roots,
                           chain.chain_id if chain else "", home)
    except StoreError as error:
        raise ConfigProblem(error.args[0].removesuffix(f" ({error.hint})"), error.hint) from error


def _fields(height: int, app_hash: str, oldest: int, roots: dict[str, str], chain_id: str, home: Path
            ) -> dict[str, Any]:
    snapshots = home / SNAPSHOTS_FOLDER
    names = [path.name for path in snapshots.iterdir()] if snapshots.is_dir() else []
    return {"height": height, "app_hash": app_hash, "oldest_height": oldest, "chain_id": chain_id,
            "store_roots": roots, "snapshots": sorted(int(name) for name in names if name.isdecimal())}
