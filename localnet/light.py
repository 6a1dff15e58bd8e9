"""Answers verified by the stock light client: `cometbft light` between us and the nodes.

The proxy checks an ABCI query's proof against a header, and the header against the validators' signatures from a
trusted block on, cross-checked with witnesses. What it does not check, this module does: that the answer is for
the key that was asked. It can prove that a value is there, never that one is not.
Source: CometBFT v0.38 light/rpc/client.go, cmd/cometbft/commands/light.go.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from abci_app.client.rpc import Answer, Rpc
from localnet.checks import wait_until
from localnet.claims import PortClaim
from localnet.config import HOST
from localnet.engine import Engine
from localnet.errors import LightError, NodeRefused, NodeUnreachable, TimedOut
from localnet.parent import die_with_parent
from localnet.ports import choose_random
from localnet.releases import engine_environment

START_SECONDS = 30.0


class NotProved(LightError):
    """The proxy refused an answer, or the answer is not what was asked."""


@dataclass(frozen=True)
class TrustRoot:
    """A block that is believed. hash: of its header, 64 hex digits."""

    height: int
    hash: str


@dataclass(frozen=True)
class Verified:
    """A key and its value in the state after `height`, proved against the header of `height + 1`."""

    key: bytes
    value: bytes
    height: int


def trust_root(rpc: Rpc, height: int = 1) -> TrustRoot:
    """Believe a node about one block. Sound only as far as that node, or the user who compared the hash, is."""
    header = rpc.header(height)
    return TrustRoot(header.height, header.block_hash.hex().upper())


class LightProxy:
    """A running `cometbft light`, on a free port of this machine. Use as `with`.

    primary: URL of the node that is asked. witnesses: URLs of at least one other node that must agree (with a single
    node, itself). folder: keeps verified headers; a temporary one when None.
    """

    def __init__(self, engine: Engine, chain_id: str, primary: str, witnesses: Sequence[str], root: TrustRoot,
                 folder: Path | None = None) -> None:
        self.engine, self.chain_id, self.root = engine, chain_id, root
        self.primary, self.witnesses = primary, list(witnesses)
        self.folder = folder
        self.rpc: Rpc
        self.source = Rpc(primary)

    def __enter__(self) -> LightProxy:
        self.temporary = None if self.folder else tempfile.TemporaryDirectory(prefix="gradus-light-")
        home = Path(self.temporary.name) if self.temporary else self.folder
        claim = PortClaim()
        port = choose_random(1, claim)
        self.log = tempfile.TemporaryFile("w+")
        self.rpc = Rpc(f"http://{HOST}:{port}", timeout_s=30)
        self.process = subprocess.Popen(
            [str(self.engine.path), "light", self.chain_id, "--primary", self.primary,
             "--witnesses", ",".join(self.witnesses), "--height", str(self.root.height), "--hash", self.root.hash,
             "--laddr", f"tcp://{HOST}:{port}", "--home-dir", str(home), "--log_level", "error",
             "--home", str(home)],  # else the engine makes its own ~/.cometbft
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, preexec_fn=die_with_parent(),
            env=engine_environment(),
        )
        try:
            wait_until(self.answers, START_SECONDS, "an answer of the light client proxy")
        except TimedOut as error:
            self.close()
            raise LightError(error.text + ":\n" + self.last_words(), error.hint) from error
        except BaseException:
            self.close()
            raise
        claim.release()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the proxy and drop what it kept in a temporary folder."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.rpc.close()
        self.source.close()
        if self.temporary:
            self.temporary.cleanup()

    def answers(self) -> bool:
        """Whether the proxy serves; LightError with its last words when it has ended."""
        if self.process.poll() is not None:
            raise LightError("the light client proxy ended:\n" + self.last_words(),
                             "check that the trusted hash is of this chain, and that primary and witnesses answer")
        try:
            self.rpc.call("health")
        except NodeUnreachable:
            return False
        except NodeRefused:
            return True
        return True

    def last_words(self) -> str:
        """The end of what the proxy has said."""
        self.log.seek(0)
        return "\n".join(self.log.read().splitlines()[-6:])

    def abci_query(self, path: str, data: bytes, height: int | None = None, seconds: float = 30.0) -> Verified:
        """A value with the proxy's word that it is in the state.

        path: `/store/<name>/key`. data: the key. height: of the state; the newest provable one when None, which is
        one below the chain's, because the next header carries the state's root. seconds: to wait for that header.

        Raises: NotProved when the proof does not hold, the key is absent, or another key was answered;
        TimedOut when the header does not appear; NodeUnreachable.
        """
        lowest = 2 if height is None else height + 1
        wait_until(lambda: self.source.status().height >= lowest, seconds, f"block {lowest}")
        at = self.source.status().height - 1 if height is None else height
        answer = self.ask(path, data, at, seconds)
        if answer.code != 0:
            raise NotProved(f"the node refuses the query: {answer.codespace}/{answer.code} {answer.log}",
                            "check path, key and height")
        if answer.key != data:
            raise NotProved(f"the answer is for key {answer.key.hex()}, not {data.hex()}", "do not trust this node")
        if answer.height != at:
            raise NotProved(f"the answer is of height {answer.height}, not {at}", "do not trust this node")
        return Verified(answer.key, answer.value, answer.height)

    def ask(self, path: str, data: bytes, height: int, seconds: float) -> Answer:
        """Ask the proxy, again while a witness has not seen the header yet."""
        deadline_s = time.monotonic() + seconds
        while True:
            try:
                return self.rpc.abci_query(path, data, height, prove=True)
            except NodeUnreachable:
                raise
            except NodeRefused as error:
                is_early = any(words in error.text for words in ("height too high", "height requested is too high",
                                                                 "must be less than or equal"))
                if not is_early or time.monotonic() > deadline_s:
                    raise NotProved(f"not proved: {error.text}",
                                    "a key that is absent cannot be proved this way") from error
                time.sleep(0.2)
