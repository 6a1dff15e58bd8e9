"""What the engine will do when it starts, from the heights of the app, its block store and its state. Pure.

Source: CometBFT v0.38 consensus/replay.go, ReplayBlocksWithContext: the rows in its order.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from localnet.engine_data import EngineData

RESET = "gradus node reset-state --home {home}"
RESYNC = "gradus node resync --home {home} --rpc {rpc}"
BRING_BACK = "bring {home}/data back from the newest copy"
BRING_BACK_OR_RESYNC = (BRING_BACK + ", or begin at a snapshot of running nodes, with the same keys: "
                        "gradus node resync --home {home} --rpc URL,URL")
JOIN = ("bring {home}/data and {home}/state back from a copy, or begin at a snapshot of running nodes, with the same "
        "keys: gradus node resync --home {home} --rpc URL,URL")


@dataclass(frozen=True)
class Row:
    """One row of the handshake. fix: the command to run, or what to do; empty when the node can just be started."""

    name: str
    text: str
    fix: str = ""

    @property
    def is_healthy(self) -> bool:
        """Whether starting the node is all that is needed."""
        return not self.fix


def find_row(app: int, app_hash: str, engine: EngineData, home: str, is_alone: bool = False,
             from_snapshot: bool = False) -> Row:
    """The row for an app at height `app` with an app hash in hex.

    home: named in the fixes. is_alone: the chain has no other validator, so nobody else has its blocks. from_snapshot:
    the node is to begin at a snapshot while it has no blocks.
    """
    blocks, state, base = engine.block_height, engine.state_height, engine.base
    at = f"app {app}, blocks {blocks}, state {state}"
    row = (_find_loss(engine, is_alone) or _find_gap(app, engine, at, is_alone, from_snapshot)
           or _find_wrong_hash(app, app_hash, engine, at) or _find_replay(app, engine, at))
    if row.fix == RESET and blocks and base > engine.initial_height:
        row = Row(row.name, f"{row.text}; blocks below {base} are pruned, so the engine cannot replay them all", JOIN)
    return Row(row.name, row.text, row.fix.format(home=shlex.quote(home)))


def find_state_fix(engine: EngineData, home: str, is_alone: bool = False) -> str:
    """What to do about a state that is damaged or of another chain: made anew from the blocks, where they allow it."""
    if is_alone and not engine.block_height and not engine.missing:
        return f"bring {home}/data and {home}/state back from the newest copy"
    row = find_row(0, "", engine, home, is_alone)
    return row.fix or RESET.format(home=shlex.quote(home))


def _find_loss(engine: EngineData, is_alone: bool) -> Row | None:
    """Databases of the engine that are lost."""
    if not engine.missing:
        return None
    names = " and ".join(f"data/{name}" for name in engine.missing)
    return Row("engine-torn", f"the engine has no {names}, or an empty one, though the rest of its data is there: it "
               "would refuse to start, or begin a chain that is not this one", BRING_BACK if is_alone else
               BRING_BACK_OR_RESYNC)


def _find_gap(app: int, engine: EngineData, at: str, is_alone: bool, from_snapshot: bool) -> Row | None:
    """Heights that do not go together."""
    blocks, state, base = engine.block_height, engine.state_height, engine.base
    if not blocks and not state:
        if app == 0 and from_snapshot:
            return Row("snapshot", f"{at}: nothing has happened yet: the engine will begin at a snapshot of its peers; "
                       "nothing to do: start the node")
        if app == 0:
            return Row("new", f"{at}: nothing has happened yet: the engine will send InitChain; nothing to do: start "
                       "the node")
        return Row("engine-gone", f"{at}: the app has a state, the engine has none: its data was reset or lost, and it "
                   "refuses to start", BRING_BACK if is_alone else RESET)
    if state > blocks or blocks > state + 1:
        return Row("engine-torn", f"{at}: the engine's own databases contradict each other (the state is the blocks' "
                   "height or one less), and it refuses to start", BRING_BACK if is_alone else BRING_BACK_OR_RESYNC)
    if app > blocks:
        return Row("app-ahead", f"{at}: the app is ahead of the engine, which refuses to start: the data folder is "
                   "older than the app's state", RESET)
    if app == 0 and base > engine.initial_height or 0 < app < base - 1:
        return Row("app-too-low", f"{at}: the engine's blocks begin at {base}, so the app cannot be brought up from "
                   f"{app}, and the engine refuses to start", JOIN)
    return None


def _find_wrong_hash(app: int, app_hash: str, engine: EngineData, at: str) -> Row | None:
    """A state that is not the chain's."""
    expected = engine.find_app_hash(app) if app else None
    if expected is None or expected == app_hash:
        return None
    return Row("wrong-hash", f"{at}: the app's hash at {app} is {app_hash}, the chain's is {expected}: it is the state "
               "of another chain, or was changed, and the engine refuses to start", RESET)


def _find_replay(app: int, engine: EngineData, at: str) -> Row:
    """Rows that mend themselves."""
    blocks, state = engine.block_height, engine.state_height
    begin = "send InitChain, and " if app == 0 else ""
    if app == blocks == state:
        return Row("level", f"{at}: all agree; nothing to do: start the node")
    if app == blocks:
        return Row("mock", f"{at}: the app has committed block {blocks}, the engine has not saved it: it will do so "
                   "from the app's saved answer; nothing to do: start the node")
    first = f"block {blocks}" if app == blocks - 1 else f"blocks {app + 1 if app else engine.base} to {blocks}"
    name = "replay-last" if app == state else "replay"
    return Row(name, f"{at}: the engine will {begin}replay {first}; nothing to do: start the node")
