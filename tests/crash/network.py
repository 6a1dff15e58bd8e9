"""One of four validators is hurt, again and again, while the other three go on."""

import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from localnet.checks import find_height
from tests.abci.grammar import GrammarBroken
from tests.crash.base import new_network, put_state, read_validators
from tests.crash.load import Load, read_block, read_blocks
from tests.crash.points import Point
from tests.crash.rig import Refused, Rig, Stuck
from tests.crash.run import Outcome, check_calls
from tests.crash.tap import Strike
from tests.crash.twin import Divergence, Lost, check_kept, check_once, check_state, replay

VALIDATORS = 4
HURT = 3
STRIKE_SECONDS = 60.0
RECOVER_SECONDS = 120.0


class Net:
    """A running network and the load on its first node."""

    def __init__(self, folder: Path) -> None:
        self.net = new_network(folder, VALIDATORS)
        self.run = Path(tempfile.mkdtemp(prefix="crash-"))
        homes = [node.paths for node in self.net.manifest.nodes]
        self.rigs = [Rig(home, self.run / str(index)) for index, home in enumerate(homes)]
        self.load, self.witness = Load.of(homes[0].genesis), Load.of(homes[HURT].genesis)
        self.init_chain = b""
        self.checked = self.calls = 0
        self.past: Path = folder / "past"

    def start(self) -> None:
        """Start all and wait for a few blocks."""
        for rig in self.rigs:
            rig.start()
        self.wait(4)
        tap = self.rigs[0].tap
        assert tap is not None
        self.init_chain = tap.init_chain
        self.rigs[HURT].stop()
        shutil.copytree(self.rigs[HURT].home.path / "state", self.past / "state")
        self.rigs[HURT].start()

    def wait(self, height: int) -> None:
        """Load the first node until its height."""
        deadline_s = time.monotonic() + RECOVER_SECONDS
        while self.load.step(self.rigs[0].rpc) < height:
            if time.monotonic() > deadline_s:
                raise Stuck(f"the others do not reach height {height}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End all."""
        for rig in self.rigs:
            rig.kill()
        self.net.claim.release()
        shutil.rmtree(self.run, ignore_errors=True)


def run_network(points: list[Point], folder: Path, seed: int) -> Iterator[Outcome]:
    """Run the points one after the other on one network, then compare it with its twin."""
    net = Net(folder)
    try:
        net.start()
        for point in points:
            yield run_point(net, point, random.Random(f"{seed} {point}"))
        yield compare_all(net, folder)
    finally:
        net.stop()


def run_point(net: Net, point: Point, dice: random.Random) -> Outcome:
    """Hurt the last node, start it again, and compare it with the first."""
    started_s, rig = time.monotonic(), net.rigs[HURT]
    starts, result, detail, height = rig.starts, "recovered", "", 0
    try:
        hurt(net, point.what, dice)
        height = catch_up(net)
        check_same(net, height)
    except Lost as error:
        result, detail = "lost", str(error)
    except Divergence as error:
        result, detail = "divergent", str(error)
    except (Stuck, Refused) as error:
        result, detail = "stuck", str(error)
    calls = 0
    try:
        calls = check_calls(rig.home.path / "trace", is_whole=False) - net.calls
        net.calls += calls
    except GrammarBroken as error:
        result, detail = "misordered", str(error)
    return Outcome(str(point), point.kind, result, round(time.monotonic() - started_s, 2), rig.starts - starts, height,
                   detail, calls=calls)


def hurt(net: Net, what: str, dice: random.Random) -> None:
    """Do to the last node what a point says; it is dead afterwards."""
    rig = net.rigs[HURT]
    words = what.split()
    if words[0] in ("before", "after", "fail"):
        rig.stop()
        strike = Strike(words[1], dice.randint(1, 3), words[0]) if words[0] != "fail" else None
        rig.start(strike, int(words[1]) if strike is None else None)
        drive_dead(net, rig)
        rig.end()
        return
    time.sleep(dice.random() / 2)
    if what in ("kill-app", "kill-engine"):
        part = rig.app if what == "kill-app" else rig.engine
        assert part is not None
        part.kill()
        rig.wait_dead(5)
        rig.end()
        return
    rig.kill()
    if what in ("state-gone", "engine-gone-both"):
        shutil.rmtree(rig.home.path / "state")
    if what == "engine-gone-both":
        for path in (rig.home.path / "data").iterdir():
            if path != rig.home.validator_state:
                shutil.rmtree(path)
        net.witness.seen.clear()
        net.checked = 0
    elif what == "state-past":
        put_state(rig.home, net.past, "state")


def drive_dead(net: Net, rig: Rig) -> None:
    """Load the network until the struck node is dead."""
    deadline_s = time.monotonic() + STRIKE_SECONDS
    while not rig.is_dead():
        if time.monotonic() > deadline_s:
            raise Stuck("the point was never reached")
        net.load.step(net.rigs[0].rpc)
        net.witness.step(rig.rpc) if not rig.is_dead() else None
        time.sleep(0.05)


def catch_up(net: Net) -> int:
    """Start the last node until it is past the others' height of now; returns the height of both."""
    target = net.load.step(net.rigs[0].rpc) + 2
    rig = net.rigs[HURT]

    def is_done() -> bool:
        net.load.step(net.rigs[0].rpc)
        return (find_height(rig.rpc) or 0) >= target

    rig.run_until(is_done, RECOVER_SECONDS)
    return target


def check_same(net: Net, height: int) -> None:
    """Raises Lost or Divergence when the last node differs from the first."""
    own = {at: read_block(net.rigs[HURT].rpc, at) for at in range(net.checked + 1, height + 1)}
    check_kept({at: seen for at, seen in net.witness.seen.items() if at <= height}, {**net.witness.seen, **own})
    net.checked = height
    for at, seen in own.items():
        if at in net.load.seen and (seen.hash, seen.app_hash, seen.results) != (
                net.load.seen[at].hash, net.load.seen[at].app_hash, net.load.seen[at].results):
            raise Divergence(f"block {at} is not the others'")


def compare_all(net: Net, folder: Path) -> Outcome:
    """The whole chain against the twin, and the last node's state against both."""
    started_s = time.monotonic()
    result, detail, height = "recovered", "", 0
    try:
        rig = net.rigs[HURT]
        height = catch_up(net)
        blocks = read_blocks(rig.rpc, height)
        rig.stop()
        check_once(blocks)
        hashes = replay(folder / "twin", net.init_chain, blocks, read_validators(rig.home.genesis))
        check_state(rig.home.path / "state", hashes)
    except Divergence as error:
        result, detail = "divergent", str(error)
    except (Stuck, Refused) as error:
        result, detail = "stuck", str(error)
    return Outcome("network:twin:0", "network", result, round(time.monotonic() - started_s, 2), 0, height, detail)
