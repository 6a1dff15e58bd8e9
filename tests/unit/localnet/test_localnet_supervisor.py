"""The supervisor with real processes for parts: both live and die together, and nothing is left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localnet.homes import Home, new_home
from localnet.signing import get_consensus_address, put_branch, signers_folder
from localnet.doctor import check_end
from localnet.node import find_failure
from localnet.state import find_pid, find_state, is_supervised, take_lock

APP = """
import os, signal, socket, sys, time
path = sys.argv[1]
print("app speaks", flush=True)
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
signal.signal(signal.SIGTERM, lambda *_: (print("app ends well", flush=True), os._exit(0)))
time.sleep(600)
"""
ENGINE = "import time; print('engine speaks', flush=True); time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
REFUSES = "import sys; print('Error: genesis.json is not JSON'); print('Hint: mend it'); sys.exit(3)"
ABORTS = "import os; print('panic: no luck', flush=True); os.kill(os.getpid(), 6)"
FAILS = "import sys; print('panic: no luck'); sys.exit(1)"
REFUSES_LATER = APP.replace("time.sleep(600)", "server.accept(); time.sleep(0.3); print('Error: bad'); sys.exit(3)")
FALLS = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect({!r}); print('EOF', flush=True); sys.exit(1)"
ANSWERS = APP.replace("time.sleep(600)", """
while True:
    link, _ = server.accept()
    while link.recv(1024):
        link.sendall(bytes.fromhex("0a12080a06677261647573021a00"))
""")
AUDITOR = "import time; print('auditor speaks', flush=True); time.sleep(600)"
GRANDCHILD = "import subprocess, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"

RUNNER = """
import json, sys
from pathlib import Path
from localnet.errors import LocalnetError
from localnet.homes import Home
from localnet.restart import RestartRule
from localnet.supervisor import Command, Supervisor
options = json.loads(sys.argv[1])
home = Home(Path(options["home"]))
socket = home.run / "app.sock"
commands = [Command("engine", (sys.executable, "-c", options["engine"]))]
if options["app"]:
    commands.insert(0, Command("app", (sys.executable, "-c", options["app"], str(socket)), socket))
rule = RestartRule(tries_max=options["tries"], first_delay_s=0.01)
lifeline = sys.stdin.fileno() if options["lifeline"] else None
try:
    Supervisor(home, tuple(commands), rule, lifeline=lifeline, grace_s=options["grace_s"], hang_s=options["hang_s"],
               auditor=Command("auditor", (sys.executable, "-c", options["auditor"])) if options["auditor"] else None
               ).run()
except LocalnetError as error:
    print(json.dumps([error.text, error.hint]))
    sys.exit(error.exit_status)
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "n")
    new_home(home, "n")
    return home


@pytest.fixture
def start(home: Home) -> Iterator[Start]:
    """Start a supervisor in a process of its own; whatever happens, it ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(engine: str = ENGINE, app: str | None = APP, tries: int = 3, grace_s: float = 10, lifeline: bool = False,
              wait: bool = True, at: Home = home, hang_s: float = 60, auditor: str = "") -> "subprocess.Popen[str]":
        options: dict[str, Any] = {"home": str(at.path), "engine": engine, "app": app, "tries": tries,
                                   "grace_s": grace_s, "lifeline": lifeline, "hang_s": hang_s, "auditor": auditor}
        process = subprocess.Popen([sys.executable, "-c", RUNNER, json.dumps(options)], text=True, cwd=os.getcwd(),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])})
        started.append(process)
        if wait:
            until(lambda: phase(at) == "running")
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
    for left in signers_folder().glob(f"validator-{get_consensus_address(home)}*"):
        left.unlink()


def until(is_true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not is_true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def phase(home: Home) -> str | None:
    state = find_state(home)
    return state.phase if state else None


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pid_of(home: Home, part: str) -> int:
    pid = find_pid(home, part)
    assert pid is not None
    return pid


def test_both_parts_end_in_good_order_on_sigterm(home: Home, start: Start) -> None:
    supervisor = start()
    pids = [pid_of(home, "app"), pid_of(home, "engine")]
    assert all(map(is_alive, pids))
    until(lambda: "engine speaks" in home.log("engine").read_text())
    supervisor.terminate()
    assert supervisor.wait(20) == 0
    assert not any(map(is_alive, pids))
    assert "app ends well" in home.log("app").read_text()
    assert phase(home) == "stopped"
    assert sorted(p.name for p in home.run.iterdir()) == ["lock", "state.json"]


@pytest.mark.parametrize(("part", "other"), [("app", "engine"), ("engine", "app")])
def test_when_either_part_is_killed_both_are_started_again(home: Home, start: Start, part: str, other: str) -> None:
    start()
    before = {name: pid_of(home, name) for name in (part, other)}
    os.kill(before[part], signal.SIGKILL)
    until(lambda: (s := find_state(home)) and s.phase == "running" and s.restarts == 1)
    after = {name: pid_of(home, name) for name in (part, other)}
    assert not any(map(is_alive, before.values()))
    assert all(map(is_alive, after.values()))
    assert set(before.values()).isdisjoint(after.values())


def test_app_that_answers_nothing_is_killed_with_a_line_in_the_log_and_both_are_started_again(
        home: Home, start: Start) -> None:
    start(hang_s=0.6, tries=100)
    before = [pid_of(home, "app"), pid_of(home, "engine")]
    until(lambda: (s := find_state(home)) and s.restarts > 0)
    assert not any(map(is_alive, before))
    until(lambda: "the app did not answer" in home.log("node").read_text())
    assert "app ended, killed by SIGKILL" in home.log("app").read_text()
    assert "app ends well" not in home.log("app").read_text()


def test_app_that_never_answers_is_given_up_by_the_rule_for_restarts(home: Home, start: Start) -> None:
    supervisor = start(hang_s=0.3, tries=2, wait=False)
    out, _ = supervisor.communicate(timeout=20)
    text, hint = json.loads(out)
    assert supervisor.returncode == 1 and "did not answer" in text and "app.log" in hint
    assert phase(home) == "failed"


def test_app_that_answers_is_left_alone_until_it_is_stopped_and_its_supervisor_may_sleep(
        home: Home, start: Start) -> None:
    supervisor = start(app=ANSWERS, hang_s=1.2)
    app = pid_of(home, "app")
    time.sleep(1.5)
    supervisor.send_signal(signal.SIGSTOP)
    time.sleep(1.5)
    supervisor.send_signal(signal.SIGCONT)
    time.sleep(0.5)
    assert is_alive(app) and (state := find_state(home)) and state.restarts == 0
    os.kill(app, signal.SIGSTOP)
    until(lambda: (s := find_state(home)) and s.restarts == 1)
    assert not is_alive(app)


def test_app_that_is_never_asked_may_hang(home: Home, start: Start) -> None:
    start(hang_s=0)
    time.sleep(0.5)
    assert (state := find_state(home)) and state.phase == "running" and state.restarts == 0


def test_part_that_keeps_failing_is_given_up_with_its_last_words_and_a_hint(home: Home, start: Start) -> None:
    supervisor = start(engine=ABORTS, tries=2, wait=False)
    assert supervisor.wait(30) == 1
    assert supervisor.stdout is not None
    text, hint = json.loads(supervisor.stdout.read())
    assert "SIGABRT" in text and "panic: no luck" in text
    assert str(home.log("engine")) in hint
    state = find_state(home)
    assert state is not None and (state.phase, state.restarts, state.error) == ("failed", 2, text)


def test_without_restart_the_first_death_ends_the_node(home: Home, start: Start) -> None:
    supervisor = start(tries=0)
    app = pid_of(home, "app")
    os.kill(pid_of(home, "engine"), signal.SIGKILL)
    assert supervisor.wait(20) == 1
    assert not is_alive(app)


def test_app_that_refuses_its_configuration_is_not_started_again(home: Home, start: Start) -> None:
    supervisor = start(app=REFUSES, wait=False)
    assert supervisor.wait(20) == 1
    assert supervisor.stdout is not None
    text, hint = json.loads(supervisor.stdout.read())
    assert "genesis.json is not JSON" in text and "Hint: mend it" in text and hint
    assert home.log("app").read_text().count("genesis.json is not JSON") == 1
    assert not home.log("engine").exists()


def test_app_that_refuses_while_its_engine_falls_first_is_the_one_to_blame(home: Home, start: Start) -> None:
    supervisor = start(app=REFUSES_LATER, engine=FALLS.format(str(home.run / "app.sock")), wait=False)
    assert supervisor.wait(20) == 1
    assert supervisor.stdout is not None
    text, _ = json.loads(supervisor.stdout.read())
    assert "app refuses to start" in text and "Error: bad" in text


def test_engine_that_fails_at_once_on_its_first_start_is_not_started_again(home: Home, start: Start) -> None:
    supervisor = start(engine=FAILS, wait=False)
    assert supervisor.wait(20) == 1
    assert home.log("engine").read_text().count("panic: no luck") == 1


def test_second_supervisor_of_a_home_is_refused_and_the_first_goes_on(home: Home, start: Start) -> None:
    first = start()
    second = start(wait=False)
    assert second.wait(20) == 1
    assert second.stdout is not None
    text, hint = json.loads(second.stdout.read())
    assert "already runs" in text and str(first.pid) in text and hint
    assert first.poll() is None
    assert phase(home) == "running"


@pytest.fixture
def copied(home: Home, tmp_path: Path) -> Home:
    shutil.copytree(home.path, tmp_path / "copied")
    return Home(tmp_path / "copied")


def test_copied_home_is_refused_while_the_original_signs_and_starts_when_it_has_ended(
        home: Home, copied: Home, start: Start) -> None:
    first = start()
    second = start(at=copied, wait=False)
    assert second.wait(20) == 1
    assert second.stdout is not None
    text, hint = json.loads(second.stdout.read())
    assert f"{copied.path} signs already in {home.path}" in text and hint
    assert not copied.log("engine").exists()
    assert phase(copied) == "failed"
    assert first.poll() is None and phase(home) == "running"
    first.terminate()
    assert first.wait(20) == 0
    start(at=copied)


def test_original_that_was_killed_leaves_its_key_to_the_copy(home: Home, copied: Home, start: Start) -> None:
    first = start()
    first.kill()
    first.wait()
    start(at=copied)
    assert start(wait=False).wait(20) == 1


def test_home_of_a_copied_network_with_a_branch_of_its_own_runs_beside_the_original(
        home: Home, copied: Home, start: Start) -> None:
    put_branch([copied])
    start()
    start(at=copied)
    assert phase(home) == phase(copied) == "running"


@pytest.mark.parametrize(("name", "text"), [
    ("priv_validator_key.json", "{}"), ("priv_validator_key.json", '{"priv_key": {"value": "AAAA"}}'),
    ("priv_validator_key.json", "7"), ("branch", "../../x"), ("branch", ""),
])
def test_home_whose_key_or_branch_is_damaged_does_not_run_and_names_the_file(
        home: Home, copied: Home, start: Start, name: str, text: str) -> None:
    (copied.path / "config" / name).write_text(text)
    supervisor = start(at=copied, wait=False)
    assert supervisor.wait(20) == 1
    assert supervisor.stdout is not None
    said, hint = json.loads(supervisor.stdout.read())
    assert f"{copied.path}/config/{name} is damaged" in said and hint


def test_no_part_survives_a_supervisor_that_was_killed(home: Home, start: Start) -> None:
    supervisor = start()
    pids = [pid_of(home, "app"), pid_of(home, "engine")]
    supervisor.kill()
    supervisor.wait()
    until(lambda: not any(map(is_alive, pids)))
    assert not is_supervised(home)


def test_killed_supervisor_does_not_look_like_a_stopped_one_until_the_node_is_started_and_stopped_again(
        home: Home, start: Start) -> None:
    first = start()
    first.kill()
    first.wait()
    until(lambda: not is_supervised(home))
    last, failure = find_state(home), find_failure(home)
    assert last is not None and last.phase == "died" and f"pid {first.pid}, has ended without a word" in last.error
    assert failure.text == last.error and f"gradus node start --home {home.path}" in failure.hint
    (finding,) = check_end(home)
    assert finding.level == "warning" and failure.hint.removeprefix("start it again: ") in finding.text
    second = start(wait=False)
    until(lambda: phase(home) == "running")
    second.terminate()
    assert second.wait(20) == 0
    assert phase(home) == "stopped" and list(check_end(home)) == []


def test_copied_home_of_a_running_node_has_not_died(home: Home, start: Start, tmp_path: Path) -> None:
    start()
    shutil.copytree(home.path, tmp_path / "copied", ignore=lambda folder, names: [n for n in names if ".sock" in n])
    assert phase(Home(tmp_path / "copied")) == "stopped" and phase(home) == "running"


def test_home_of_a_killed_supervisor_starts_again_over_its_stale_socket(home: Home, start: Start) -> None:
    first = start()
    first.kill()
    first.wait()
    assert (home.run / "app.sock").is_socket()
    start(wait=False)
    until(lambda: phase(home) == "running")


def test_part_that_ignores_sigterm_is_killed_after_the_grace(home: Home, start: Start) -> None:
    supervisor = start(engine=DEAF, grace_s=0.2)
    until(lambda: "deaf" in home.log("engine").read_text())
    engine = pid_of(home, "engine")
    supervisor.terminate()
    assert supervisor.wait(20) == 0
    assert not is_alive(engine)


def test_what_a_part_has_started_ends_with_it(home: Home, start: Start) -> None:
    supervisor = start(engine=GRANDCHILD, app=None)
    engine = pid_of(home, "engine")
    children = Path(f"/proc/{engine}/task/{engine}/children")
    until(lambda: children.read_text().split())
    grandchild = int(children.read_text().split()[0])
    supervisor.terminate()
    assert supervisor.wait(20) == 0
    until(lambda: not is_alive(grandchild))


def test_full_disk_under_the_logs_leaves_the_node_running_and_it_ends_in_good_order(home: Home, start: Start) -> None:
    for part in ("app", "engine", "node"):
        home.log(part).symlink_to("/dev/full")
    supervisor = start()
    pids = [pid_of(home, "app"), pid_of(home, "engine")]
    assert supervisor.poll() is None and all(map(is_alive, pids))
    supervisor.terminate()
    assert supervisor.wait(20) == 0
    assert not any(map(is_alive, pids))
    assert phase(home) == "stopped"


def test_log_that_cannot_be_opened_ends_every_part_and_is_the_reason(home: Home, start: Start) -> None:
    home.log("engine").mkdir(parents=True)
    supervisor = start(wait=False)
    assert supervisor.wait(20) == 1
    assert supervisor.stdout is not None
    text, hint = json.loads(supervisor.stdout.read())
    assert str(home.log("engine")) in text and "Is a directory" in text and hint
    assert "app ended" in home.log("app").read_text()
    state = find_state(home)
    assert state is not None and (state.phase, state.error, state.app_pid) == ("failed", text, None)
    assert sorted(p.name for p in home.run.iterdir()) == ["lock", "state.json"]


def test_part_whose_end_cannot_be_written_down_does_not_keep_the_others_alive(home: Home, start: Start) -> None:
    supervisor = start()
    pids = [pid_of(home, "app"), pid_of(home, "engine")]
    (home.run / "engine.pid").unlink()
    (home.run / "engine.pid").mkdir()
    supervisor.terminate()
    assert supervisor.wait(20) == 1
    assert not any(map(is_alive, pids))
    assert "app ends well" in home.log("app").read_text()
    state = find_state(home)
    assert state is not None and state.phase == "failed" and "engine.pid" in state.error


def test_pids_that_a_killed_supervisor_left_are_gone_before_anything_starts(home: Home, start: Start) -> None:
    for part in ("supervisor", "app", "engine"):
        (home.run / f"{part}.pid").write_text(f"{os.getpid()}\n")
    supervisor = start(app=None)
    assert find_pid(home, "app") is None
    assert find_pid(home, "supervisor") == supervisor.pid
    assert find_pid(home, "engine") not in (None, os.getpid())


def test_node_stops_when_its_lifeline_ends(home: Home, start: Start) -> None:
    supervisor = start(lifeline=True)
    assert supervisor.stdin is not None
    supervisor.stdin.close()
    assert supervisor.wait(20) == 0


def test_lock_is_free_again_when_its_holder_lets_go(home: Home) -> None:
    with take_lock(home):
        assert is_supervised(home)
    assert not is_supervised(home)


def test_auditor_runs_beside_the_node_and_ends_with_it(home: Home, start: Start) -> None:
    supervisor = start(auditor=DEAF)
    until(lambda: (s := find_state(home)) and s.auditor == "running")
    state, auditor = find_state(home), pid_of(home, "auditor")
    assert state is not None and state.auditor_pid == auditor and is_alive(auditor)
    until(lambda: "deaf" in home.log("auditor").read_text())
    supervisor.terminate()
    assert supervisor.wait(20) == 0
    assert not is_alive(auditor) and "killed by SIGKILL" in home.log("auditor").read_text()
    assert sorted(p.name for p in home.run.iterdir()) == ["lock", "state.json"]


def test_auditor_that_is_killed_is_started_again_and_the_node_does_not_notice(home: Home, start: Start) -> None:
    start(auditor=AUDITOR)
    until(lambda: find_pid(home, "auditor"))
    before = [pid_of(home, part) for part in ("app", "engine", "auditor")]
    os.kill(before[2], signal.SIGKILL)
    until(lambda: (s := find_state(home)) and s.auditor_pid not in (None, before[2]))
    state = find_state(home)
    assert state is not None and (state.phase, state.restarts, state.auditor) == ("running", 0, "running")
    assert pid_of(home, "auditor") == state.auditor_pid
    assert [pid_of(home, "app"), pid_of(home, "engine")] == before[:2] and all(map(is_alive, before[:2]))
    assert "the auditor ended, killed by SIGKILL; starting again in" in home.log("node").read_text()


def test_auditor_outlives_a_restart_of_the_node(home: Home, start: Start) -> None:
    start(auditor=AUDITOR)
    until(lambda: find_pid(home, "auditor"))
    auditor = pid_of(home, "auditor")
    os.kill(pid_of(home, "app"), signal.SIGKILL)
    until(lambda: (s := find_state(home)) and s.phase == "running" and s.restarts == 1)
    assert pid_of(home, "auditor") == auditor and is_alive(auditor)


@pytest.mark.parametrize("program", [FAILS, None], ids=["ends at once", "its log cannot be opened"])
def test_auditor_that_keeps_failing_is_given_up_and_the_node_runs_on(
        home: Home, start: Start, program: str | None) -> None:
    if program is None:
        home.log("auditor").mkdir(parents=True)
    supervisor = start(auditor=program or AUDITOR)
    until(lambda: "starting again in 0.6 s" in home.log("node").read_text())
    state = find_state(home)
    assert supervisor.poll() is None and state is not None and (state.phase, state.restarts) == ("running", 0)
    assert find_pid(home, "auditor") is None
