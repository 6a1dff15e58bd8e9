"""Runs the parts of a node together: the app, then the engine; beside them an auditor. One process, one thread.

The engine neither survives its app nor reconnects to it, so both live and die as one: when either ends, or the
app hangs, the other is ended, and both are started again by the RestartRule. Their output goes to bounded logs through
pipes. No part outlives a supervisor that was killed (on Linux, by a parent-death signal). The auditor comes when the
node runs, outlives its restarts, and is started again by a rule of its own: its death never touches the node.

Source: CometBFT v0.38 proxy/multi_app_conn.go (the engine ends itself when the app's connection breaks).
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from types import FrameType

from localnet.beside import TEND_S, Beside
from localnet.errors import LocalnetError, NodeError, PortInUse
from localnet.homes import Home, prepare_socket_folder, remove_socket
from localnet.logs import BoundedLog, tail
from localnet.parent import die_with_parent
from localnet.parts import Command, Part, describe_exit, is_ready, signal_group
from localnet.pulse import Pulse
from localnet.restart import RestartRule
from localnet.signing import sole_signer
from localnet.state import State, drop_pids, put_pid, put_state, take_lock

FIRST_SECONDS = 5.0  # an engine that fails this early, on its very first start, has a fault in its configuration
FALLS_WITH_APP = (0, 1, -signal.SIGTERM)  # how an engine ends when the app's connections break
LAST_WORDS_SECONDS = 2.0
CONFIG_EXIT = 3  # an app that ends with this status will not do better the next time
READY_SECONDS_MAX = 120.0
GRACE_S = 15.0
HANG_S = 60.0
PULSES = 12  # an app hangs when it has not answered this many questions, one after the other


class StartRefused(NodeError):
    """A part ended because of its configuration: starting it again would be the same."""


@dataclass
class Supervisor:
    """Keeps the parts of one home running until it is told to stop.

    check: is called before every start and raises what makes starting pointless, such as a port in use.
    say: is told each change in a few words. lifeline: a file descriptor; its end of file means stop. hang_s: how long
    an app may leave a question unanswered before it is ended; 0 never asks. auditor: what runs beside, if anything.
    """

    home: Home
    commands: tuple[Command, ...]
    rule: RestartRule = field(default_factory=RestartRule)
    check: Callable[[], None] = lambda: None
    say: Callable[[str], None] = lambda _text: None
    lifeline: int | None = None
    grace_s: float = GRACE_S
    hang_s: float = HANG_S
    auditor: Command | None = None
    parts: list[Part] = field(default_factory=list)
    restarts: int = 0
    stops: int = 0  # how often it was told to stop; the second time it no longer waits
    is_interrupted: bool = False  # whether Ctrl-C was what told it first
    selector: selectors.BaseSelector = field(init=False, repr=False)
    note_log: BoundedLog = field(init=False, repr=False)
    beside: Beside | None = field(init=False, default=None)

    def run(self) -> None:
        """Run until SIGTERM, SIGINT, SIGHUP or the lifeline's end; then end every part and return.

        Raises: NodeError when another supervisor runs here or signs with the same key elsewhere, when an app refuses
        its configuration, when the parts died too often, or when a file of the home cannot be written; HomeError when
        the key is damaged; PortInUse and HomeError from `check`.
        """
        with take_lock(self.home), selectors.DefaultSelector() as self.selector:
            restore = self.listen()
            try:
                drop_pids(self.home)
                with sole_signer(self.home), closing(BoundedLog(self.home.log("node"))) as self.note_log:
                    put_pid(self.home, "supervisor", os.getpid())
                    if self.auditor is not None:
                        self.beside = Beside(self.auditor, self.open_part, self.note_start, self.close, self.announce)
                    try:
                        self.keep_running()
                    finally:
                        self.end_beside()
                    self.put_phase("stopped")
            except LocalnetError as error:
                self.put_failed(error)
                raise
            except OSError as error:
                failure = describe_os_error(error)
                self.put_failed(failure)
                raise failure from error
            finally:
                with suppress(OSError):
                    put_pid(self.home, "supervisor", None)
                restore()

    def keep_running(self) -> None:
        """Start, wait for a death, start again, until told to stop or given up."""
        failure: LocalnetError | None
        while True:
            try:
                self.start_parts()
                failure = self.wait_for_failure()
            except PortInUse as error:
                if self.restarts == 0:
                    raise
                failure = error  # our own dead engine's port may take a moment to come free
            finally:
                self.end_parts()
            if failure is None:
                return
            self.announce(failure.text)
            delay_s = None if isinstance(failure, StartRefused) else self.rule.next_delay_s(time.monotonic())
            if delay_s is None:
                raise failure
            self.restarts += 1
            self.put_phase("restarting")
            self.announce(f"starting again in {delay_s:.1f} s (restart {self.restarts})")
            if self.wait(lambda: False, delay_s):
                return

    def start_parts(self) -> None:
        """Start the parts in order, each when the one before is ready."""
        self.check()
        self.put_phase("restarting" if self.restarts else "starting")
        for command in self.commands:
            if command.socket:
                prepare_socket_folder(command.socket)
            part = self.open_part(command)
            self.parts.append(part)
            self.note_start(part)
            if not self.wait(lambda: is_ready(part), READY_SECONDS_MAX, poll_s=0.02):
                raise NodeError(f"the {command.name} did not listen on {command.socket} in "
                                f"{READY_SECONDS_MAX:.0f} s", self.log_hint(command.name))
            if self.stops or part.process.poll() is not None:
                return
        self.put_phase("running")

    def open_part(self, command: Command) -> Part:
        """Start one part in a process group of its own, its output piped to its log."""
        log = BoundedLog(self.home.log(command.name))
        try:
            process = subprocess.Popen(
                command.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                process_group=0, preexec_fn=die_with_parent(), env=command.environment,
            )
        except OSError as error:
            log.close()
            raise NodeError(f"the {command.name} cannot be started: {error}", f"check {command.argv[0]}") from error
        part = Part(command, process, log)
        if process.stdout is not None:
            os.set_blocking(process.stdout.fileno(), False)
            self.selector.register(process.stdout, selectors.EVENT_READ, lambda: self.pump(part))
        return part

    def note_start(self, part: Part) -> None:
        """Tell that a part runs, for those who look from outside."""
        name, pid = part.command.name, part.process.pid
        part.log.note(f"{name} started, pid {pid}")
        put_pid(self.home, name, pid)
        self.announce(f"{name} started, pid {pid}")

    def wait_for_failure(self) -> NodeError | None:
        """Wait until a part ends, or hangs and is killed, and say so; None when told to stop."""
        asked = Pulse(self.commands[0].socket, self.hang_s / PULSES, PULSES if self.hang_s else 0)
        with closing(asked) as pulse:
            poll_s = TEND_S if self.beside is not None else pulse.every_s or None
            self.wait(lambda: self.find_dead() is not None or pulse.tick() or self.tend_beside(), poll_s=poll_s)
        if self.stops:
            return None
        dead = self.find_dead()
        return self.describe_death(self.find_culprit(dead)) if dead else self.kill_hanging(self.parts[0])

    def tend_beside(self) -> bool:
        """Look after what runs beside the node. False, for the node itself is well."""
        if self.beside is not None and self.beside.tend():
            self.put_phase("running")
        return False

    def end_beside(self) -> None:
        """End what runs beside the node."""
        if self.beside is not None:
            self.beside.end()
            self.beside = None

    def kill_hanging(self, part: Part) -> NodeError:
        """End a part that answers no more, and perhaps no signal either."""
        signal_group(part.process, signal.SIGKILL)
        part.process.wait()
        return NodeError(f"the {part.command.name} did not answer for {self.hang_s:.0f} s, and was killed",
                         self.log_hint(part.command.name))

    def find_culprit(self, dead: Part) -> Part:
        """The part to blame for a death: an engine ends itself when its app goes, and may be seen to end first."""
        if dead.command.name == "engine" and dead.process.returncode in FALLS_WITH_APP:
            first = self.parts[0]
            self.wait(lambda: first.process.poll() is not None, LAST_WORDS_SECONDS)
        return self.find_dead() or dead

    def find_dead(self) -> Part | None:
        """The first part, in the order of starting, that has ended by itself."""
        return next((part for part in self.parts if part.process.poll() is not None), None)

    def end_parts(self) -> None:
        """End every part, the engine before its app, whatever fails on the way; OSError, the first one, after that."""
        errors: list[OSError] = []
        try:
            if self.parts and self.stops:
                self.put_phase("stopping")
            if self.beside is not None and self.stops:
                self.beside.ask_to_end()
        except OSError as error:
            errors.append(error)
        for part in reversed(self.parts):
            try:
                self.end_part(part)
            except OSError as error:
                errors.append(error)
        self.parts.clear()
        if errors:
            raise errors[0]

    def end_part(self, part: Part) -> None:
        """End one part: SIGTERM, and SIGKILL after the grace."""
        signal_group(part.process, signal.SIGTERM)
        self.drain(part)
        signal_group(part.process, signal.SIGKILL)  # whatever of its group is left
        part.process.wait()
        self.close(part)

    def drain(self, part: Part) -> None:
        """Wait for a part's end, at most the grace, logging what it still says."""
        deadline_s = time.monotonic() + self.grace_s
        while part.process.poll() is None and time.monotonic() < deadline_s and self.stops < 2:
            self.step(min(0.1, self.grace_s))

    def close(self, part: Part) -> None:
        """Forget an ended part, with the last of what it said in its log."""
        self.pump(part)
        lost = f"; the disk did not take {part.log.dropped_bytes} bytes of this log" if part.log.dropped_bytes else ""
        part.log.note(f"{part.command.name} ended, {describe_exit(part.process.returncode)}{lost}")
        if part.process.stdout is not None:
            with suppress(KeyError):
                self.selector.unregister(part.process.stdout)
            part.process.stdout.close()
        part.log.close()
        put_pid(self.home, part.command.name, None)
        if part.command.socket:
            remove_socket(self.home, part.command.socket)

    def pump(self, part: Part) -> None:
        """Move what a part has said to its log."""
        pipe = part.process.stdout
        while pipe is not None and not pipe.closed:
            try:
                data = os.read(pipe.fileno(), 65536)
            except BlockingIOError:
                return
            if not data:
                with suppress(KeyError):
                    self.selector.unregister(pipe)
                return
            part.log.write(data)

    def wait(self, is_done: Callable[[], bool], seconds: float | None = None, poll_s: float | None = None) -> bool:
        """Serve signals and pipes until `is_done` or a stop: True. False when `seconds` have passed.

        poll_s: how often to ask again when what is waited for sends no signal.
        """
        deadline_s = None if seconds is None else time.monotonic() + seconds
        while not self.stops and not is_done():
            left_s = None if deadline_s is None else deadline_s - time.monotonic()
            if left_s is not None and left_s <= 0:
                return False
            self.step(left_s if poll_s is None else poll_s)
        return True

    def step(self, timeout_s: float | None) -> None:
        """Serve what is ready now, or the first thing that gets ready in time."""
        for key, _events in self.selector.select(timeout_s):
            key.data()

    def listen(self) -> Callable[[], None]:
        """Take signals and the lifeline into the selector; returns what puts the old handlers back."""
        reader, writer = os.pipe()
        for end in (reader, writer):
            os.set_blocking(end, False)
        before_wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        before = {number: signal.signal(number, self.on_signal)
                  for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)}
        self.selector.register(reader, selectors.EVENT_READ, lambda: os.read(reader, 4096))
        if self.lifeline is not None:
            self.selector.register(self.lifeline, selectors.EVENT_READ, self.on_lifeline)

        def restore() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before_wakeup)
            os.close(reader)
            os.close(writer)

        return restore

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Count a request to stop; a child's end only needs the selector to wake."""
        if number != signal.SIGCHLD:
            self.is_interrupted = self.is_interrupted or number == signal.SIGINT and not self.stops
            self.stops += 1

    def on_lifeline(self) -> None:
        """Stop when whoever started this node is gone."""
        if self.lifeline is not None and not os.read(self.lifeline, 4096):
            self.selector.unregister(self.lifeline)
            self.stops += 1

    def describe_death(self, part: Part) -> NodeError:
        """Say how a part ended, with the end of its log, and what to do."""
        self.pump(part)
        status, name = part.process.returncode, part.command.name
        if name == "app" and status == CONFIG_EXIT:
            return StartRefused("the app refuses to start:\n" + self.last_words(name, 2),
                                "mend what the app names, then start again")
        if name == "engine" and status > 0 and not self.restarts and time.monotonic() - part.started_s < FIRST_SECONDS:
            return StartRefused("the engine refuses to start:\n" + self.last_words(name, 3), self.log_hint(name))
        return NodeError(f"the {name} ended, {describe_exit(status)}; its last words:\n" + self.last_words(name, 5),
                         self.log_hint(name))

    def last_words(self, name: str, count: int) -> str:
        """The end of a part's log, without the supervisor's notes."""
        lines = [line for line in tail(self.home.log(name), 4 * count) if " gradus: " not in line and line.strip()]
        return "\n".join("  " + line[:400] for line in lines[-count:])

    def log_hint(self, name: str) -> str:
        """Where to read on."""
        return f"read {self.home.log(name)}"

    def announce(self, text: str) -> None:
        """Tell the log and the caller."""
        self.note_log.note(text)
        self.say(text)

    def put_phase(self, phase: str, error: LocalnetError | None = None) -> None:
        """Publish the phase and the pids."""
        pids = {part.command.name: part.process.pid for part in self.parts if part.process.poll() is None}
        beside = self.beside.part if self.beside is not None else None
        put_state(self.home, State(phase, os.getpid(), pids.get("app"), pids.get("engine"), self.restarts,
                                   error.text if error else "", error.hint if error else "",
                                   beside.process.pid if beside is not None else None,
                                   self.beside.phase if self.beside is not None else ""))

    def put_failed(self, error: LocalnetError) -> None:
        """Publish why it gave up, where the disk still takes it."""
        with suppress(OSError):
            self.put_phase("failed", error)


def describe_os_error(error: OSError) -> NodeError:
    """What the system would not do to a file of the home, and what to do about it."""
    return NodeError(f"{error.filename2 or error.filename or 'a file of the node'}: {error.strerror or error}",
                     "make room on the disk, or put right what it names, then start the node again")
