"""What the state of a stopped node holds: for people and for programs that compare nodes.

Reads: `<home>/state`, the names in `<home>/snapshots`, and config/app.toml and config/genesis.json as a start would.
Opening the database replays its log, as a start would; no height is written.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from abci_app.abci.chain import Chain, find_chain
from abci_app.abci.config import read_config
from abci_app.abci.errors import ConfigProblem
from abci_app.abci.node import GENESIS_FILE, STATE_FOLDER, check_chain
from abci_app.app import STORE_NAMES
from abci_app.store.branch import Branch
from abci_app.store.check import check_database
from abci_app.store.disk import Database
from abci_app.store.errors import StoreError

SNAPSHOTS_FOLDER = "snapshots"


def inspect_home(home: Path, height: int = 0, verify: bool = False) -> dict[str, Any]:
    """The state of a node's home as plain fields; hashes in hex, an app hash of "" before the first block.

    problems: what else would keep the app from starting, each {"name": config or chain, "text", "hint"}.
    height: of a kept version, 0 for the latest. verify: read and hash every node of every kept version. Raises
    ConfigProblem when the state is in use, damaged or of other software, or the height is not kept.
    """
    folder = home / STATE_FOLDER
    if not folder.is_dir():
        return _fields(0, "", 0, {}, None, home)
    try:
        with Database.open(folder, STORE_NAMES) as database:
            if verify:
                check_database(database)
            version = database.version(height) if height else database.latest()
            if not version.height:
                return _fields(0, "", 0, {}, None, home)
            chain = find_chain(Branch(version))
            roots = {name: root.hex() for name, root in version.store_roots()}
            return _fields(version.height, version.app_hash.hex(), database.oldest, roots, chain, home)
    except StoreError as error:
        raise ConfigProblem(error.args[0].removesuffix(f" ({error.hint})"), error.hint) from error


def _fields(height: int, app_hash: str, oldest: int, roots: dict[str, str], chain: Chain | None,
            home: Path) -> dict[str, Any]:
    snapshots = home / SNAPSHOTS_FOLDER
    names = [path.name for path in snapshots.iterdir()] if snapshots.is_dir() else []
    return {"height": height, "app_hash": app_hash, "oldest_height": oldest,
            "chain_id": chain.chain_id if chain else "", "store_roots": roots,
            "snapshots": sorted(int(name) for name in names if name.isdecimal()),
            "problems": find_problems(home, chain)}


def find_problems(home: Path, chain: Chain | None) -> list[dict[str, str]]:
    """What would keep the app of a home with the state of `chain` from starting, in its own words."""
    checks: tuple[tuple[str, Callable[[], object]], ...] = (
        ("config", lambda: read_config(home, {})), ("chain", lambda: check_chain(home / GENESIS_FILE, chain)))
    found = []
    for name, check in checks:
        try:
            check()
        except ConfigProblem as problem:
            found.append({"name": name, "text": str(problem), "hint": problem.hint})
    return found
