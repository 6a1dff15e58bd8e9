"""One node under test: the real engine, the real app and the tap between them, started as a supervisor would.

    <home>/            an engine's home, with the app's state in it
    <run>/tap, app     the sockets: a short path of their own
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from abci_app.client.rpc import Rpc
from localnet.config import get_wiring, replace_value
from localnet.engine import find_engine
from localnet.homes import Home
from localnet.parent import die_with_parent
from tests.crash.tap import Strike, Tap

START_SECONDS = 90.0
STOP_SECONDS = 30.0
POLL_S = 0.02
TRIES_MAX = 3
CONFIG_EXIT = 3


class Refused(Exception):
    """The node does not start, and says why; the text is the end of what it said."""


class Stuck(Exception):
    """The node neither goes on nor says why it does not."""


@dataclass
class Rig:
    """A node. run: a folder with a short path. wrap: commands put before the app's and the engine's, such as a tracer.

    answered: see Tap.
    """

    home: Home
    run: Path
    app_wrap: Sequence[str] = ()
    engine_wrap: Sequence[str] = ()
    answered: Callable[[str], None] = lambda _name: None
    app: subprocess.Popen[bytes] | None = None
    engine: subprocess.Popen[bytes] | None = None
    tap: Tap | None = None
    starts: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def rpc(self) -> Rpc:
        """The node's RPC."""
        return Rpc(f"http://127.0.0.1:{get_wiring(self.home.config).rpc_port}", timeout_s=5.0)

    def start(self, strike: Strike | None = None, fail_index: int | None = None) -> None:
        """Start app, tap and engine. fail_index: at which of its own points the engine exits. Raises Refused."""
        self.starts += 1
        self.run.mkdir(parents=True, exist_ok=True)
        self.home.logs.mkdir(exist_ok=True)
        tap_path, app_path = self.run / "tap", self.run / "app"
        text = self.home.config.read_text()
        self.home.config.write_text(replace_value(text, "", "proxy_app", f"unix://{tap_path}"))
        app_path.unlink(missing_ok=True)
        environment = {**os.environ, "GRADUS_KERNELS_BACKEND": "ref", **self.environment}
        self.app = self._spawn("app", [*self.app_wrap, sys.executable, "-m", "abci_app.abci", "--home",
                                       str(self.home.path), "--socket", str(app_path), "--trace",
                                       str(self.home.path / "trace")], environment)
        self._wait_app(app_path)
        self.tap = Tap(tap_path, app_path, self.app.pid, strike, self.answered)
        if fail_index is not None:
            environment["FAIL_TEST_INDEX"] = str(fail_index)
        self.engine = self._spawn("engine", [*self.engine_wrap, str(find_engine().path), "start", "--home",
                                             str(self.home.path)], environment)

    def _wait_app(self, path: Path) -> None:
        assert self.app is not None
        deadline_s = time.monotonic() + START_SECONDS
        while not path.is_socket():
            if self.app.poll() is not None:
                raise Refused("the app: " + self.said("app"))
            if time.monotonic() > deadline_s:
                raise Stuck("the app does not listen")
            time.sleep(POLL_S)

    def _spawn(self, part: str, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        with open(self.home.log(part), "ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                    process_group=0, preexec_fn=die_with_parent(), env=environment)

    def said(self, part: str, lines: int = 6) -> str:
        """The end of a part's log."""
        with suppress(FileNotFoundError):
            text = self.home.log(part).read_text(errors="replace")
            return "\n".join(text.splitlines()[-lines:])
        return ""

    def is_dead(self) -> bool:
        """Whether a part has ended."""
        return any(part is not None and part.poll() is not None for part in (self.app, self.engine))

    def wait_dead(self, seconds: float) -> bool:
        """Whether a part has ended, waiting at most this long."""
        deadline_s = time.monotonic() + seconds
        while not self.is_dead():
            if time.monotonic() > deadline_s:
                return False
            time.sleep(POLL_S)
        return True

    def kill(self) -> None:
        """SIGKILL both at once, as a power cut would end them."""
        for part in (self.app, self.engine):
            if part is not None and part.poll() is None:
                with suppress(ProcessLookupError):
                    part.send_signal(signal.SIGKILL)
        self._reap()

    def stop(self) -> None:
        """End both in good order: the engine first."""
        for part in (self.engine, self.app):
            if part is not None and part.poll() is None:
                part.terminate()
                with suppress(subprocess.TimeoutExpired):
                    part.wait(STOP_SECONDS)
        self.kill()

    def end(self) -> None:
        """What a supervisor does when one of the two has ended: the other one is ended too."""
        self.stop()

    def _reap(self) -> None:
        for part in (self.app, self.engine):
            if part is not None:
                part.wait(STOP_SECONDS)
        if self.tap is not None:
            self.tap.close()
        self.app = self.engine = self.tap = None

    def run_until(self, is_done: Callable[[], bool], seconds: float = 60.0) -> int:
        """Keep the node running, starting it again when it dies, until `is_done`; returns how often it was started.

        Raises Refused when the app refuses its configuration or the parts die again and again, Stuck.
        """
        deadline_s = time.monotonic() + seconds
        tries = 0
        while True:
            if self.engine is None or self.is_dead():
                if self.engine is not None:
                    refusal = self._describe()
                    self.end()
                    if tries >= TRIES_MAX:
                        raise Refused(refusal)
                if self.app is None:
                    tries += 1
                    try:
                        self.start()
                    except Refused:
                        self.end()
                        raise
            if is_done():
                return tries
            if time.monotonic() > deadline_s:
                raise Stuck(f"no progress in {seconds:.0f} s; engine: {self.said('engine')}; app: {self.said('app')}")
            time.sleep(POLL_S)

    def _describe(self) -> str:
        assert self.app is not None
        part = "app" if self.app.poll() not in (None, 0, -signal.SIGTERM) else "engine"
        return f"the {part}: {self.said(part, 12)}"


def copy_home(source: Path, target: Path) -> Home:
    """A copy of a stopped node's home."""
    shutil.copytree(source, target, symlinks=True)
    return Home(target)
