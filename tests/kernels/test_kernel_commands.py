"""The commands of the kernels: how they end for Ctrl-C, for a reader that goes away, and for settings without sense."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from kernels import bench, command, report
from tests.interruptible import Command, Group

ROOT = Path(__file__).parents[2]
POLLS = 300


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    kept = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, kept)


def write_module(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    (folder / "made_for_commands.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "made_for_commands", raising=False)
    return "made_for_commands"


def is_group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("text", ["raise KeyboardInterrupt\n", "def main(arguments):\n    raise KeyboardInterrupt\n"])
def test_interrupt_while_a_command_is_loaded_or_runs_ends_it_with_130_and_a_word(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.run(write_module(tmp_path, monkeypatch, text))
    assert ended.value.code == 130 and capsys.readouterr().err == "\nInterrupted\n"


@pytest.mark.parametrize("arguments", [["kernels.bench", "gemm"], ["tests.kernels.paths", "--op", "residual"]])
def test_interrupted_command_ends_with_130_without_a_traceback_and_leaves_no_process(arguments: list[str]) -> None:
    program = subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, start_new_session=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert program.stdout is not None and program.stdout.readline()
    os.killpg(program.pid, signal.SIGINT)
    _, errors = program.communicate(timeout=60)
    assert (program.returncode, errors.split()) == (130, ["Interrupted"])
    for _ in range(POLLS):
        if not is_group_alive(program.pid):
            return
        time.sleep(0.1)
    raise AssertionError("a process is left")


def test_reader_that_goes_away_ends_a_command_without_a_word() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run([sys.executable, "-m", "kernels"], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE,
                           env={**os.environ, "GRADUS_KERNELS_BACKEND": "ref"}, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.parametrize("arguments", [["hash"], ["gemm"], ["gpu"], []])
def test_setting_without_sense_is_misuse_of_a_bench_and_named_with_its_value(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRADUS_KERNELS_THREADS", "many")
    assert bench.main(arguments) == 2
    told = capsys.readouterr()
    assert told.err == "error: GRADUS_KERNELS_THREADS is 'many': it must be a number in 1..256\n" and not told.out


def test_table_that_there_is_not_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    for main in (bench.main, report.main):
        with pytest.raises(SystemExit) as ended:
            main(["nothing"])
        assert ended.value.code == 2 and "'nothing'" in capsys.readouterr().err


def test_programs_of_the_tests_end_with_130_for_an_interrupt_2_for_misuse_and_0_else() -> None:
    @click.group(cls=Group)
    def programs() -> None:
        """Programs."""

    @programs.command(cls=Command)
    @click.option("--what", type=click.Choice(["interrupt", "end"]))
    def program(what: str) -> None:
        if what == "interrupt":
            raise KeyboardInterrupt

    run = CliRunner().invoke
    for chosen, first in ((programs, ["program"]), (program, [])):
        interrupted = run(chosen, [*first, "--what", "interrupt"])
        assert interrupted.exit_code == 130 and interrupted.stderr.split() == ["Interrupted"]
        assert run(chosen, [*first, "--what", "end"]).exit_code == run(chosen, ["--help"]).exit_code == 0
        assert run(chosen, [*first, "--what", "nothing"]).exit_code == 2
