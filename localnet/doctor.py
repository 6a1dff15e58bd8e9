"""`gradus doctor`: what is wrong with a node, and the command that puts it right.

Looks at a home without changing it: heights of app and engine and the handshake that follows from them, names of the
chain, the validator's keys and what it has signed, configuration, locks, disk, versions. A running node is asked over
its RPC instead.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from abci_app.client.chain import ChainClient
from abci_app.client.errors import ClientError
from abci_app.client.node import connect
from abci_app.client.rpc import Rpc
from localnet import state
from localnet.config import HOST, begins_at_snapshot, get_wiring
from localnet.engine import find_engine
from localnet.engine_data import EngineData, read_engine_data
from localnet.errors import HomeError, LocalnetError, NodeError
from localnet.handshake import RESYNC, find_row, find_state_fix
from localnet.homes import Home, socket_path
from localnet.logs import tail
from localnet.node import APP_MODULE, find_start_command, find_usual_version, import_path
from localnet.peers import find_first_block
from localnet.signing import get_consensus_address

DAMAGE = "the node stops: DatabaseDamaged"
STATE_DAMAGES = ("DatabaseDamaged", "WrongDatabase")  # the app's errors that a state made anew ends
FREE_BYTES_MIN = 1 << 30
BEHIND_BLOCKS = 2

Json = dict[str, Any]


class StateDamaged(NodeError):
    """The app cannot read its state."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. level: ok, warning or problem. fix: a command or what to do, for a problem."""

    level: str
    name: str
    text: str
    fix: str = ""


@dataclass
class Report:
    """What the doctor found."""

    home: str
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_healthy(self) -> bool:
        """Whether nothing must be done."""
        return all(one.level != "problem" for one in self.findings)

    def as_fields(self) -> Json:
        """For programs."""
        listed = [vars(one) for one in self.findings]
        return {"home": self.home, "healthy": self.is_healthy, "findings": listed,
                "problems": [one for one in listed if one["level"] == "problem"]}


def examine(home: Home, deep: bool = False) -> Report:
    """Look at everything; never raises for what is wrong with the node. deep: read the whole state of a stopped one."""
    report = Report(str(home.path))
    checks = [check_files, check_config, check_permissions, check_disk, check_signer]
    checks += ([check_running, check_auditor] if state.is_supervised(home) else
               [check_stopped, check_end, check_last_words])
    checks += [check_state] if deep and not state.is_supervised(home) else []
    for check in checks:
        report.findings += guarded(check, home)
        if check is check_files and not report.is_healthy:
            break
    return report


def guarded(check: Callable[[Home], Iterator[Finding]], home: Home) -> list[Finding]:
    """A check's findings; what it raises is one too."""
    found: list[Finding] = []
    try:
        found.extend(check(home))
    except ClientError as error:
        found.append(Finding("problem", check.__name__.removeprefix("check_"), error.text, error.hint))
    except OSError as error:
        name = check.__name__.removeprefix("check_")
        found.append(Finding("problem", name, f"{error.filename}: {error.strerror}", "check who owns the file"))
    return found


def check_files(home: Home) -> Iterator[Finding]:
    """A complete home."""
    home.check()
    yield Finding("ok", "files", "the home is complete")


def check_config(home: Home) -> Iterator[Finding]:
    """config.toml can be read, and the app's socket is the home's own; app.toml is for the app to judge."""
    wiring = get_wiring(home.config)
    if wiring.socket is not None and wiring.socket != socket_path(home):
        yield Finding("warning", "config", f"proxy_app names {wiring.socket}, the home's own is {socket_path(home)}; "
                      "`gradus node start` puts it right")
    yield Finding("ok", "config", f"RPC {wiring.rpc_port}, peers {wiring.p2p_port}")


def check_permissions(home: Home) -> Iterator[Finding]:
    """Keys that others can read."""
    keys = [path for path in (home.validator_key, home.node_key, home.operator) if path.exists()]
    for path in keys:
        if path.stat().st_mode & 0o077:
            yield Finding("problem", "permissions", f"{path} can be read by others", f"chmod 600 {path}")


def check_disk(home: Home) -> Iterator[Finding]:
    """Room on the disk."""
    free = shutil.disk_usage(home.path).free
    text = f"{free >> 20} MiB are free on the disk"
    yield (Finding("ok", "disk", text) if free >= FREE_BYTES_MIN else
           Finding("problem", "disk", text, f"make room: at least {FREE_BYTES_MIN >> 20} MiB"))


def check_signer(home: Home) -> Iterator[Finding]:
    """The validator's key belongs to its address; whether another home signs with it is told at the start."""
    record = json.loads(home.validator_key.read_text())
    address = get_consensus_address(home)
    if record.get("address") != address:
        yield Finding("problem", "signer", f"{home.validator_key} names address {record.get('address')}, its key has "
                      f"{address}", "put the file back from a copy you trust")


def check_stopped(home: Home) -> Iterator[Finding]:
    """Heights, hashes and names of a node that does not run, and the row of the handshake that they give."""
    genesis, _, validators = read_genesis(home)
    try:
        app = inspect_app(home)
    except StateDamaged as error:
        yield Finding("problem", "state", error.text, get_state_fix(home))
        yield from find_moved(home)
        return
    engine = read_engine(home, app["height"])
    problems = {one["name"]: one for one in app["problems"]}
    if "config" in problems:
        yield Finding("problem", "app.toml", problems["config"]["text"], problems["config"]["hint"])
    is_alone = validators == [get_consensus_address(home)]
    if "chain" in problems:
        fix = find_chain_fix(app, engine, str(home.path), problems["chain"]["hint"])
        yield Finding("problem", "chain", problems["chain"]["text"], fix)
    elif engine.chain_id not in ("", genesis):
        yield Finding("problem", "chain", f"the engine's data is of chain {engine.chain_id}, the genesis of {genesis}",
                      "bring config/genesis.json and data back from one copy")
    else:
        yield Finding("ok", "chain", genesis)
        row = find_row(app["height"], app["app_hash"], engine, str(home.path), is_alone,
                       begins_at_snapshot(home.config))
        yield Finding("ok" if row.is_healthy else "problem", "handshake", row.text, row.fix)
    yield from find_moved(home)
    yield from compare_signed(home, engine)


def read_engine(home: Home, height: int = 0) -> EngineData:
    """The engine's data of a home that does not run. Raises as read_engine_data."""
    return read_engine_data(home, find_engine(usual=find_usual_version(home)), read_genesis(home)[1], height)


def get_state_fix(home: Home) -> str:
    """What to do about a state that is damaged."""
    return find_state_fix(read_engine(home), str(home.path), read_genesis(home)[2] == [get_consensus_address(home)])


def find_chain_fix(app: Json, engine: EngineData, home: str, hint: str) -> str:
    """What to do about a state and a genesis of two chains: whichever of them the engine's blocks contradict is wrong.

    app: as inspect_app says. hint: the app's own, where no block tells.
    """
    expected = engine.find_app_hash(app["height"])
    if expected is None:
        return hint
    if (engine.chain_id, expected) == (app["chain_id"], app["app_hash"]):
        return (f"put back the genesis that belongs to this node's state and blocks: {home}/config/genesis.json of a "
                "copy, or of another node of the chain")
    return find_state_fix(engine, home)


def find_moved(home: Home) -> Iterator[Finding]:
    """States that an earlier reset-state or resync moved away."""
    moved = sorted(str(path) for pattern in ("state.*", "old.*") for path in home.path.glob(pattern) if path.is_dir())
    if moved:
        yield Finding("ok", "moved", f"earlier states were moved away and are whole: {', '.join(moved)}; when data is "
                      "brought back from the time of one, its state goes with it; remove them when the node runs well")


def check_end(home: Home) -> Iterator[Finding]:
    """Why a node that does not run has ended, where nobody stopped it; the handshake tells whether it can start."""
    last = state.find_state(home)
    if last is not None and last.error:
        yield Finding("warning", "ended", f"{last.error}; start it again: {find_start_command(home)}")


def check_last_words(home: Home) -> Iterator[Finding]:
    """An app that found its state damaged while it ran has said so last."""
    lines = [line for line in tail(home.log("app"), 20) if line.strip() and " gradus: " not in line]
    if lines and DAMAGE in lines[-1] and (home.path / "state").exists():
        yield Finding("problem", "state", f"the app's last words: {lines[-1][:400]}", get_state_fix(home))


def check_state(home: Home) -> Iterator[Finding]:
    """Every node of every kept version."""
    try:
        inspect_app(home, verify=True)
    except StateDamaged as error:
        yield Finding("problem", "state", error.text, get_state_fix(home))
    else:
        yield Finding("ok", "state", "every node of every kept height is sound")


def compare_signed(home: Home, engine: EngineData) -> Iterator[Finding]:
    """What the validator has signed last, against the blocks: a copy or a data folder that was put back shows here."""
    try:
        signed = int(json.loads(home.validator_state.read_text())["height"])
    except (ValueError, KeyError, TypeError) as error:
        raise HomeError(f"{home.validator_state} is damaged: {error!r}", "put it back from the newest copy: without "
                        "it this validator may sign twice") from error
    blocks = engine.block_height
    if signed > blocks + 1 and blocks:
        yield Finding("warning", "signed", f"the validator has signed at height {signed}, the blocks end at {blocks}: "
                      "the engine's blocks are older than the signer. It signs nothing below that height, which is "
                      "right; make sure that no other copy of this key runs")
    elif 0 < signed < blocks - 1:
        yield Finding("warning", "signed", f"the validator has signed at height {signed} last, the blocks end at "
                      f"{blocks}: if it was a validator since, data/priv_validator_state.json is an old one, and "
                      "starting it risks signing twice")
    elif not signed:
        yield Finding("ok", "signed", "the node's key has signed nothing: it is no validator, or has not begun")
    else:
        yield Finding("ok", "signed", f"the validator has signed at height {signed} last")


def check_running(home: Home) -> Iterator[Finding]:
    """A running node, by its RPC."""
    last = state.find_state(home)
    rpc = Rpc(f"http://127.0.0.1:{get_wiring(home.config).rpc_port}")
    try:
        status = rpc.status()
        info = rpc.call("abci_info")["response"]
        app = int(info.get("last_block_height") or 0)
        expected = rpc.header(app + 1).app_hash.hex() if status.height > app else None
    except ClientError as error:
        phase = last.phase if last else "unknown"
        yield Finding("problem", "running", f"the node runs ({phase}), but its RPC does not answer: {error.text}",
                      f"read {home.log('node')} and {home.log('engine')}")
        return
    text = f"the node runs: chain {status.chain_id}, app {app}, blocks {status.height}"
    needs_blocks = status.height > 0 or not begins_at_snapshot(home.config)  # a stuck engine may say that it follows
    first, urls = (find_first_block(rpc) if needs_blocks else None) or (0, [])
    if first > status.height + 1:
        again = RESYNC.format(home=shlex.quote(str(home.path)), rpc=",".join(urls))
        yield Finding("problem", "running", f"{text}, and it can never catch up: no peer that answers has blocks below "
                      f"{first} any more", f"stop the node, then: {again}")
    elif status.height > app + BEHIND_BLOCKS:
        yield Finding("problem", "running", f"{text}: the app is behind", f"read {home.log('app')}")
    elif expected is not None and expected != decode_hash(info):
        yield Finding("warning", "running", f"{text}: the app's hash moved while it was asked; ask again")
    else:
        yield Finding("ok", "running", text + (", catching up with its peers" if status.is_catching_up else ""))


def check_auditor(home: Home) -> Iterator[Finding]:
    """What runs beside a running node, and what the chain thinks of its validator as an auditor."""
    last, address = state.find_state(home), get_consensus_address(home)
    log, is_validator = home.log("auditor"), address in read_genesis(home)[2]
    if last is None or not last.auditor:
        yield (Finding("warning", "auditor", "no auditor runs beside this validator: it earns no fees of audits, and "
                       "is left out of committees in the end; `gradus node start` without --no-auditor runs one")
               if is_validator else Finding("ok", "auditor", "none runs beside this node, which is no validator"))
        return
    if last.auditor == "failed":
        yield Finding("problem", "auditor", "the auditor died too often, and this validator answers no audits; its "
                      "last words: " + " ".join(find_last_words(log)),
                      f"mend what they name (more in {log}), then: {find_start_command(home, 'restart')}")
    elif last.auditor != "running":
        yield Finding("warning", "auditor", f"the auditor has ended and is started again; read {log}")
    else:
        yield Finding("ok", "auditor", f"it runs, pid {last.auditor_pid}")
    chain = ChainClient(connect([f"http://{HOST}:{get_wiring(home.config).rpc_port}"]))
    done = chain.find_auditor(bytes.fromhex(address))
    if done is not None and done.excluded_until_height > chain.height():
        yield Finding("warning", "auditor", f"the chain asks it nothing below height {done.excluded_until_height}: of "
                      f"its answers {done.wrong} were wrong and {done.missed} missing, {done.right} right")
    elif done is not None:
        yield Finding("ok", "auditor", f"{done.right} answers were right, {done.wrong} wrong, {done.missed} missing")


def find_last_words(log: Path) -> list[str]:
    """What a part itself said last, three lines at most; the supervisor's notes where it said nothing."""
    lines = [line for line in tail(log, 40) if line.strip()]
    return ([line for line in lines if " gradus: " not in line] or lines)[-3:]


def decode_hash(info: Json) -> str:
    """The app's hash in an abci_info, in hex."""
    return base64.b64decode(info.get("last_block_app_hash") or "").hex()


def inspect_app(home: Home, height: int = 0, verify: bool = False) -> Json:
    """What the app's own program says of its state. Raises NodeError with the app's words; StateDamaged is one."""
    command = [sys.executable, "-m", APP_MODULE, "inspect", "--home", str(home.path), "--height", str(height)]
    done = subprocess.run(command + (["--verify"] if verify else []), capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": import_path()})
    if done.returncode == 0:
        return dict(json.loads(done.stdout))
    said = done.stderr.strip().splitlines()[-1:]
    try:
        told = json.loads(said[0])
    except (IndexError, ValueError):
        told = {"error": f"the app cannot be asked: {' '.join(said)}", "hint": ""}
    text = f"the app's state: {told['error']}"
    if told.get("kind") in STATE_DAMAGES:
        raise StateDamaged(text, f"see what to do: gradus doctor --home {shlex.quote(str(home.path))}")
    raise NodeError(text, str(told["hint"]))


def read_genesis(home: Home) -> tuple[str, int, list[str]]:
    """The chain's name, its first height and its first validators' addresses in genesis.json."""
    try:
        document = json.loads(home.genesis.read_text())
        return (str(document["chain_id"]), int(document.get("initial_height") or 1),
                [str(one["address"]) for one in document.get("validators") or ()])
    except (ValueError, KeyError, TypeError) as error:
        raise HomeError(f"{home.genesis} is damaged: {error!r}", "take the file from another node of the network"
                        ) from error


def compare(one: Home, other: Home) -> Report:
    """Which stores of two stopped nodes differ at their highest common height."""
    report = Report(str(one.path))
    first, second = inspect_app(one), inspect_app(other)
    height = min(first["height"], second["height"])
    first, second = inspect_app(one, height), inspect_app(other, height)
    if first["app_hash"] == second["app_hash"]:
        report.findings.append(Finding("ok", "compare", f"both have app hash {first['app_hash']} at height {height}"))
        return report
    for name, root in first["store_roots"].items():
        there = second["store_roots"].get(name)
        if root != there:
            report.findings.append(Finding(
                "problem", "compare", f"store {name} differs at height {height}: {root} here, {there} there",
                "keep both homes and report them: nodes of one chain must never differ"))
    return report


def reset_state(home: Home, name: str) -> Path:
    """Move the app's state of a stopped node away, to `name` beside it; returns where it is now.

    Raises NodeError when the node runs, LocalnetError when the engine could not replay the blocks.
    """
    home.check()
    folder, target = home.path / "state", home.path / name
    with state.take_lock(home):
        row = find_row(0, "", read_engine(home), str(home.path))
        if not row.is_healthy:
            raise LocalnetError(f"a state that is made anew would not help: {row.text}", row.fix)
        if not folder.exists():
            raise LocalnetError(f"there is no {folder}",
                                f"start the node: gradus node start --home {shlex.quote(str(home.path))}")
        if target.exists():
            raise LocalnetError(f"{target} exists already", "wait a second, or move it")
        folder.rename(target)
    return target
