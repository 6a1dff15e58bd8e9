"""Prepared homes that every point copies: a chain that has not begun, and one that has run for a while.

The second one has transfers and a model contract whose weights are blobs, and copies of the app's state from earlier
heights.
"""

import json
import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from abci_app.store.disk import Database
from abci_app.app import STORE_NAMES
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel
from abci_app.x.models.types import default_spec
from localnet.engine import find_engine
from localnet.genesis import new_composer
from localnet.homes import Home
from localnet.network import Localnet
from localnet.state import replace_text
from tests.chain import address_of
from tests.crash.load import CREATE_GAS, SENDER_UGRAD, SENDERS, Load, wait_height
from tests.crash.rig import Rig
from tests.sim.rows import new_rows

ESCROW_UGRAD = 100_000_000
STOPS = (4, 7, 10)  # heights at least reached before each copy of the app's state


@dataclass(frozen=True)
class Base:
    """What points start from. past: folder and height of each older copy of the node's state, oldest first."""

    fresh: Path
    grown: Path
    past: Sequence[tuple[Path, int]]
    init_chain: bytes
    validators: dict[str, int]


def new_network(folder: Path, validators: int, chain_id: str = "gradus-crash-1") -> Localnet:
    """Homes of a network with fast blocks, in which the senders have coins."""
    net = Localnet.new(folder, validators, chain_id, base_port=0, engine=find_engine(), timeout_commit="100ms",
                       timeout_propose="3s", compose=new_composer({address_of(name): SENDER_UGRAD for name in SENDERS}))
    return net


def new_base(folder: Path) -> Base:
    """Make the homes; takes some ten blocks."""
    net = new_network(folder / "net", 1)
    fresh = net.manifest.nodes[0].paths.path
    grown = folder / "grown"
    shutil.copytree(fresh, grown, symlinks=True)
    shutil.copytree(folder / "net" / "datasets", folder / "datasets")
    rig, load = Rig(Home(grown), folder / "run"), Load.of(Home(grown).genesis)
    past = []
    init_chain = b""
    for number, stop in enumerate(STOPS):
        rig.start()
        tap = rig.tap
        assert tap is not None
        wait_height(load, rig.rpc, max(1, stop - 2))
        if number == 0:
            rig.rpc.broadcast_tx(new_contract(load, load.find_sequence(rig.rpc, SENDERS[0])))
            load.next_sequence.clear()
        wait_height(load, rig.rpc, stop)
        time.sleep(0.2)
        init_chain = init_chain or tap.init_chain
        rig.stop()
        load.next_sequence.clear()
        past.append((folder / f"past{number}", find_state_height(grown)))
        shutil.copytree(grown, past[-1][0], symlinks=True)
    net.claim.release()
    return Base(fresh, grown, tuple(past), init_chain, read_validators(Home(grown).genesis))


def new_contract(load: Load, sequence: int) -> bytes:
    """A model contract whose first weights are large enough to be blobs."""
    table = new_rows("crash", 40, 8, 16, 4)
    spec = default_spec("crash", table.terms, random.Random(1).randbytes(32), hidden=(64, 32))
    message = MsgCreateModel(creator=address_of(SENDERS[0]), spec=spec, escrow=coin_pb(base_coin(ESCROW_UGRAD)))
    return load.sign(SENDERS[0], sequence, [message], CREATE_GAS)


def read_validators(genesis: Path) -> dict[str, int]:
    """Power by address, in the engine's order: by power, then by address."""
    listed = json.loads(genesis.read_text())["validators"]
    return {one["address"]: int(one["power"]) for one in sorted(listed, key=lambda one: one["address"])}


def find_state_height(home: Path) -> int:
    """The height of a stopped node's state."""
    with Database.open(home / "state", STORE_NAMES, fsync=False) as database:
        return database.height


def put_state(home: Home, source: Path, *parts: str) -> None:
    """Replace folders of a home by those of another one."""
    for part in parts:
        shutil.rmtree(home.path / part, ignore_errors=True)
        shutil.copytree(source / part, home.path / part)


def put_chain_id(home: Home, chain_id: str) -> None:
    """Change the chain's name in a home's genesis."""
    document = json.loads(home.genesis.read_text())
    document["chain_id"] = chain_id
    replace_text(home.genesis, json.dumps(document))
