"""Every example that a help text, a hint or the README shows is a command line that the program takes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from abci_app.cli.hints import HINTS
from abci_app.cli.main import COMMANDS
from abci_app.cli.main import gradus as root
from tests.cli.test_cli import every_command

ROOT = Path(__file__).parents[2]
NAMES = {"KEY": "alice", "MODEL": "1", "AMOUNT": "5grad", "ADDRESS": "gradus1alice", "URL": "http://127.0.0.1:26657",
         "NAME|FILE.csv": "digits", "TX": "b8" * 32, "FILE": "file", "DIR": "folder"}
PROSE = ("light client",)


def find(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that words name, and what is left of them: its arguments and options."""
    command: click.Command = root
    rest = list(words)
    while isinstance(command, click.Group) and rest:
        found = command.get_command(click.Context(command), rest[0])
        assert found is not None, f"gradus {' '.join(words)}: there is no {rest[0]}"
        command, rest = found, rest[1:]
    return command, rest


def parse(line: str) -> None:
    """Have click read a command line as the program would, without running it."""
    words = [NAMES.get(word, word) for word in shlex.split(line, comments=True)]
    assert words[0] == "gradus", line
    command, rest = find(words[1:])
    assert not isinstance(command, click.Group), line
    command.make_context("gradus", rest)


def split_lines(text: str) -> Iterator[str]:
    """The command lines of a text: what stands behind `gradus`, with lines that are continued, one at a time."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        shown = line.strip().removeprefix("Examples:").removeprefix("Example:").strip()
        if shown.startswith("gradus "):
            yield from (part.strip() for part in shown.split(" && "))


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the files that examples name, and a node's address, so that none is asked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADUS_NODE", "http://127.0.0.1:1")
    monkeypatch.setenv("GRADUS_HOME", str(tmp_path))


@pytest.mark.parametrize("path", every_command(), ids=" ".join)
def test_examples_of_a_command_are_taken(path: tuple[str, ...]) -> None:
    command, _ = find(list(path))
    lines = list(split_lines(command.help or ""))
    for line in lines:
        parse(line)
    if not isinstance(command, click.Group):
        assert any(find(shlex.split(line)[1:])[0] is command for line in lines), "no example of the command itself"


@pytest.mark.parametrize("place", sorted(HINTS), ids=str)
def test_commands_of_hints_are_there_with_their_options(place: tuple[str, int]) -> None:
    for quoted in re.findall("`(gradus [^`]*)`", HINTS[place]):
        command, rest = find(quoted.split()[1:])
        known = {"--help", *(name for option in command.params for name in option.opts)}
        assert not isinstance(command, click.Group) and {word for word in rest if word.startswith("-")} <= known


@pytest.mark.parametrize("folder", ["abci_app", "localnet"])
def test_every_command_that_the_program_speaks_of_is_there(folder: str) -> None:
    for path in sorted((ROOT / folder).rglob("*.py")):
        for words in re.findall(r"[`\" ]gradus ([a-z][a-z-]+(?: [a-z][a-z-]+)*)", path.read_text()):
            command: click.Command = root
            for word in words.split() if words.split()[0] in COMMANDS and words not in PROSE else ():
                if not isinstance(command, click.Group):
                    break
                found = command.get_command(click.Context(command), word)
                assert found is not None, f"{path}: gradus {words}"
                command = found


def test_commands_of_the_readme_are_taken() -> None:
    blocks = re.findall(r"^```\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in split_lines(block)]
    assert len(lines) > 25
    for line in lines:
        parse(line)
