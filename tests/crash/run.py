"""Runs one point: hurts a node, starts it again as often as a supervisor would, and compares it with its twin."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from abci_app.store.errors import DatabaseDamaged
from abci_app.store.errors import StoreError
from localnet.claims import PortClaim
from localnet.config import HOST, replace_value
from localnet.homes import Home
from localnet.ports import choose_base, p2p_port, rpc_port
from tests.abci.grammar import UNKNOWN, GrammarBroken, check_life, check_trace
from tests.crash import power
from tests.crash.base import Base, find_state_height, put_chain_id, put_state
from tests.crash.load import Load, read_blocks
from tests.crash.points import Point
from tests.crash.rig import Refused, Rig, Stuck, copy_home
from tests.crash.tap import Strike
from tests.crash.twin import Divergence, Lost, check_kept, check_once, check_state, replay

STRIKE_SECONDS = 40.0
RECOVER_SECONDS = 90.0
BLOCKS_AFTER = 2


@dataclass
class Outcome:
    """What became of a point. result: recovered, refused (with a fix that works), or what must not be: lost, divergent,
    stuck, misordered (the calls that the app got break the protocol's grammar). calls: how many there were."""

    point: str
    kind: str
    result: str
    seconds: float
    starts: int
    height: int
    detail: str = ""
    fix: str = ""
    calls: int = 0

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.result in ("recovered", "refused")


@dataclass
class Scene:
    """One point being run."""

    point: Point
    base: Base
    rig: Rig
    load: Load
    dice: random.Random
    detail: str = ""

    def drive(self, seconds: float, until: Callable[[], bool]) -> None:
        """Go on with the load until `until` or a death; Stuck."""
        deadline_s = time.monotonic() + seconds
        while not until() and not self.rig.is_dead():
            if time.monotonic() > deadline_s:
                raise Stuck(f"{self.point} was never reached; engine: {self.rig.said('engine')}")
            self.load.step(self.rig.rpc)
            time.sleep(0.01)


def run_point(point: Point, base: Base, folder: Path, seed: int) -> Outcome:
    """Run a point in a folder of its own, which is removed unless something is wrong."""
    started_s = time.monotonic()
    claim = PortClaim()
    home = copy_home(base.fresh if point.is_fresh else base.grown, folder / "home")
    put_ports(home, claim)
    run = Path(tempfile.mkdtemp(prefix="crash-"))
    rig = Rig(home, run)
    load = Load.of(home.genesis)
    scene = Scene(point, base, rig, load, random.Random(f"{seed} {point}"))
    result, fix, height = "recovered", "", 0
    try:
        ACTS[point.kind](scene)
        height, result, fix = recover(scene, folder)
    except Lost as error:
        result, scene.detail = "lost", f"{scene.detail} {error}"
    except Divergence as error:
        result, scene.detail = "divergent", f"{scene.detail} {error}"
    except (Stuck, Refused, DatabaseDamaged, TimeoutError) as error:
        result, scene.detail = "stuck", f"{scene.detail} {type(error).__name__} {error}"
    finally:
        rig.kill()
        claim.release()
        shutil.rmtree(run, ignore_errors=True)
    calls = 0
    try:
        calls = check_calls(home.path / "trace", point.kind in ("call", "fail", "kill"))
    except GrammarBroken as error:
        result, scene.detail = "misordered", f"{scene.detail} {error}"
    outcome = Outcome(str(point), point.kind, result, round(time.monotonic() - started_s, 2), rig.starts, height,
                      scene.detail.strip(), fix, calls)
    if outcome.is_right:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def check_calls(trace: Path, is_whole: bool) -> int:
    """How many calls the app got, in an order that the protocol allows; raises GrammarBroken.

    is_whole: the state was never taken back, so that each life of the app must follow from those before.
    """
    lives = [line for line in trace.read_text().splitlines() if line] if trace.exists() else []
    if is_whole:
        return check_trace("\n".join(lives))
    for number, life in enumerate(lives, start=1):
        check_life(life, UNKNOWN, f"life {number}")
    return sum(map(len, lives))


def recover(scene: Scene, folder: Path) -> tuple[int, str, str]:
    """Start the node until it goes on, mending what the doctor names, and compare it with its twin."""
    result, fix = "recovered", ""
    try:
        height = advance(scene)
        compare(scene, height, folder / "first")
        return height, result, fix
    except (Refused, DatabaseDamaged) as refusal:
        if not scene.point.may_refuse:
            raise
        scene.rig.kill()
        fix = find_fix(scene.rig.home)
        scene.detail += f" refused: {str(refusal)[-300:]}"
        if not fix:
            raise Stuck(f"refused without a fix: {refusal}") from refusal
        result = "refused"
        if not apply_fix(scene, fix):
            return 0, result, fix
        height = advance(scene)
    compare(scene, height, folder)
    return height, result, fix


def advance(scene: Scene) -> int:
    """Run the node until it has made BLOCKS_AFTER blocks more than it had promised; returns its height."""
    target = 0
    height = 0

    def is_done() -> bool:
        nonlocal target, height
        height = scene.load.step(scene.rig.rpc)
        if height and not target:
            target = max(height, max(scene.load.seen, default=0)) + BLOCKS_AFTER
        return bool(target) and height >= target

    scene.load.next_sequence.clear()
    scene.rig.run_until(is_done, RECOVER_SECONDS)
    return height


def compare(scene: Scene, height: int, folder: Path) -> None:
    """Compare a running node with its twin, and stop it.

    Raises DatabaseDamaged for a state that has the right hashes and lacks something that no block has asked for yet.
    """
    blocks = read_blocks(scene.rig.rpc, height)
    scene.rig.stop()
    check_kept({at: seen for at, seen in scene.load.seen.items() if at <= height},
               {seen.height: seen for seen in blocks})
    check_once(blocks)
    hashes = replay(folder / "twin", scene.base.init_chain, blocks, scene.base.validators)
    check_state(scene.rig.home.path / "state", hashes)


def put_ports(home: Home, claim: PortClaim) -> None:
    """Give a copied home free ports."""
    at, _ = choose_base(1, 0, claim)
    text = home.config.read_text()
    text = replace_value(text, "rpc", "laddr", f"tcp://{HOST}:{rpc_port(at, 0)}")
    home.config.write_text(replace_value(text, "p2p", "laddr", f"tcp://{HOST}:{p2p_port(at, 0)}"))


def find_fix(home: Home) -> str:
    """The command that the doctor names for a node that does not start; empty when it names none."""
    command = [sys.executable, "-m", "abci_app.cli", "doctor", "--deep", "--home", str(home.path), "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 1:
        return ""
    with suppress(ValueError):
        problems = json.loads(done.stdout)["problems"]
        return str(next((one["fix"] for one in problems if one["fix"]), ""))
    return ""


def apply_fix(scene: Scene, fix: str) -> bool:
    """Run a fix of ours; False when it is one for a person, such as to bring a file back."""
    words = fix.split()
    if words[:3] != ["gradus", "node", "reset-state"]:
        return False
    done = subprocess.run([sys.executable, "-m", "abci_app.cli", *words[1:], "--yes"], capture_output=True, text=True,
                          timeout=120, check=False)
    if done.returncode:
        raise Stuck(f"{fix} ended with {done.returncode}: {done.stderr}")
    return True


def act_call(scene: Scene) -> None:
    """The app dies at a call."""
    when, call = scene.point.what.split()
    scene.rig.start(Strike(call, scene.point.number, when))
    tap = scene.rig.tap
    assert tap is not None
    scene.drive(STRIKE_SECONDS, tap.has_struck.is_set)
    scene.rig.end()


def act_fail(scene: Scene) -> None:
    """The engine ends itself."""
    scene.rig.start(fail_index=scene.point.number)
    scene.drive(STRIKE_SECONDS, lambda: False)
    assert f"*** fail-test {scene.point.number} ***" in scene.rig.said("engine", 30)
    scene.rig.end()


def act_kill(scene: Scene) -> None:
    """SIGKILL at some moment of some block."""
    grow(scene)
    rig = scene.rig
    assert rig.app is not None and rig.engine is not None
    if scene.point.what == "both":
        rig.kill()
    else:
        (rig.app if scene.point.what == "app" else rig.engine).kill()
        rig.wait_dead(5)
        rig.end()


def grow(scene: Scene) -> None:
    """Start, and run for a few blocks and a part of one."""
    scene.rig.start()
    first = max(scene.load.seen, default=0)
    blocks = scene.dice.randint(2, 5)
    scene.drive(STRIKE_SECONDS, lambda: max(scene.load.seen, default=0) >= first + blocks)
    time.sleep(scene.dice.random() * 0.15)


def act_database(scene: Scene) -> None:
    """A state is gone, older, newer or another chain's."""
    home, past, what = scene.rig.home, scene.base.past, scene.point.what
    state = home.path / "state"
    if scene.point.number or what.endswith("killed"):
        grow(scene)
        scene.rig.kill()
    if what == "state-gone":
        shutil.rmtree(state)
    elif what == "state-empty-folder":
        shutil.rmtree(state)
        state.mkdir()
    elif what.startswith("state-past"):
        put_state(home, past[scene.point.number][0], "state")
    elif what == "engine-past":
        put_state(home, past[scene.point.number][0], "data")
        scene.load.seen.clear()  # the engine itself has lost its blocks
    elif what == "engine-gone":
        for path in (home.path / "data").iterdir():
            if path != home.validator_state:
                shutil.rmtree(path)
        scene.load.seen.clear()
    elif what == "other-chain":
        make_other_chain(scene)


def make_other_chain(scene: Scene) -> None:
    """Give the node the state of a chain with another name, at a lower height, and at the same one."""
    other = copy_home(scene.base.fresh, scene.rig.home.path.parent / "other")
    put_chain_id(other, "gradus-crash-2")
    (other.path / "config" / "config.toml").write_bytes(scene.rig.home.config.read_bytes())
    rig = Rig(other, scene.rig.run / "o")
    load = Load.of(other.genesis)
    wanted = 4 if scene.point.number == 0 else max(scene.load.seen, default=10) + 1
    rig.run_until(lambda: load.step(rig.rpc) >= wanted, RECOVER_SECONDS)
    rig.stop()
    put_state(scene.rig.home, other.path, "state")


def act_damage(scene: Scene) -> None:
    """A file of the state is damaged."""
    state, dice = scene.rig.home.path / "state", scene.dice
    grow(scene)
    scene.rig.kill() if scene.point.number == 0 else scene.rig.stop()
    name, _, how = scene.point.what.partition("-")
    globs = {"wal": "*.log", "sst": "*.sst", "manifest": "MANIFEST*", "current": "CURRENT", "blob": "*.blob",
             "config": "rocksdict-config.json", "lock": "LOCK"}
    files = sorted(path for path in state.glob(globs[name]) if path.stat().st_size or name == "lock")
    if not files:
        scene.detail = "there was no such file"
        return
    path = files[-1] if name in ("wal", "manifest") else dice.choice(files)
    size = path.stat().st_size
    if how == "cut":
        os.truncate(path, dice.randrange(size))
    elif how == "empty":
        os.truncate(path, 0)
    elif how == "gone":
        path.unlink()
    elif how == "flip":
        data = bytearray(path.read_bytes())
        for _ in range(3):
            data[dice.randrange(size)] ^= 1 << dice.randrange(8)
        path.write_bytes(data)
    scene.detail = f"{path.name}, {size} bytes: {how}"


def act_power(scene: Scene) -> None:
    """The power fails."""
    if scene.point.what == "heights-lost":
        grow(scene)
        scene.rig.kill()
        scene.detail = power.cut_logs(scene.rig.home.path / "state", {}, scene.dice)
        return
    state, durable = scene.rig.home.path / "state", dict[str, int]()
    first, answered = find_state_height(scene.rig.home.path), Counter[str]()

    def note(name: str) -> None:
        answered[name] += 1
        if name == "commit":
            durable.update(power.measure_logs(state))

    scene.rig.answered = note
    if scene.point.what == "log-tail":
        grow(scene)
        scene.rig.kill()
        scene.detail = power.cut_logs(state, durable, scene.dice)
    else:
        cut_traced(scene)
    check_durable(scene, first + answered["commit"])


def check_durable(scene: Scene, height: int) -> None:
    """Raises Lost when the state has not the height whose Commit the app had answered before the power failed."""
    try:
        kept = find_state_height(scene.rig.home.path)
    except StoreError:
        return  # the next start tells what is wrong
    if kept < height:
        raise Lost(f"the app had answered the Commit of {height}, and its state is at {kept}")


def cut_traced(scene: Scene) -> None:
    """Run both programs under a tracer, kill them, and take away what was not synced."""
    tracer = power.find_tracer()
    assert tracer is not None
    home, rig = scene.rig.home.path, scene.rig
    rig.app_wrap = power.trace_command(tracer, rig.run / "app.trace")
    rig.engine_wrap = power.trace_command(tracer, rig.run / "engine.trace")
    sizes = {path: size for part in ("state", "data") for path, size in power.measure(home / part).items()}
    grow(scene)
    rig.kill()
    time.sleep(0.3)  # the tracers write what they know and end
    rig.app_wrap = rig.engine_wrap = ()
    how = scene.point.what.removeprefix("traced-")
    for part, output in (("state", "app.trace"), ("data", "engine.trace")):
        _, durable = power.read_trace(rig.run / output, sizes)
        scene.detail += f"{part}: {power.cut_power(home / part, durable, scene.dice, how)}. "


ACTS: dict[str, Callable[[Scene], None]] = {
    "call": act_call, "fail": act_fail, "kill": act_kill, "database": act_database, "damage": act_damage,
    "power": act_power,
}


def as_record(outcome: Outcome) -> dict[str, object]:
    """For the report."""
    return asdict(outcome)
