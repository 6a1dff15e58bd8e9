"""The command line as an interface: exit statuses, where output goes, errors with a hint."""

import json
import subprocess
import sys
from collections.abc import Callable

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.cli.main import COMMANDS, LazyGroup, gradus as root
from abci_app.cli.options import Amount
from abci_app.cli.output import grad_text

HEAVY = ("numpy", "numba", "google.protobuf", "rocksdict", "coincurve", "httpx", "rich")


def every_command() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []

    def walk(group: click.Group, path: tuple[str, ...]) -> None:
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            found.append((*path, name))
            if isinstance(command, click.Group):
                walk(command, (*path, name))

    walk(root, ())
    return found


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    code = ("import sys; from abci_app.cli.main import gradus; gradus.main(['--help'], standalone_mode=False); "
            f"sys.exit(','.join(name for name in {HEAVY!r} if name in sys.modules) or 0)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert isinstance(root, LazyGroup) and all(f"  {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("path", every_command(), ids=" ".join)
def test_every_command_explains_itself_and_every_leaf_shows_an_example(path: tuple[str, ...], gradus: Callable) -> None:
    ran = gradus(*path, "--help")
    assert ran.status == 0 and "Usage:" in ran.out
    command = root
    for name in path:
        command = command.get_command(click.Context(command), name)
    if not isinstance(command, click.Group):
        assert "Example" in ran.out


def test_an_unknown_command_is_wrong_usage(gradus: Callable) -> None:
    assert gradus("nonsense").status == 2


def test_a_node_that_does_not_answer_ends_with_3_and_a_hint(gradus: Callable) -> None:
    ran = gradus("query", "models", "list")
    assert ran.status == 3 and "no node answers" in ran.err and "hint:" in ran.err and ran.out == ""


def test_an_error_is_json_when_json_was_asked_for(gradus: Callable) -> None:
    ran = gradus("query", "models", "list", "--output", "json")
    assert ran.status == 3 and set(json.loads(ran.err)) == {"error", "hint"}


def test_wrong_usage_is_json_when_json_was_asked_for(gradus: Callable) -> None:
    ran = gradus("query", "models", "show", "--output=json")
    assert ran.status == 2 and "MODEL_ID" in json.loads(ran.err)["error"]


def test_a_key_is_made_listed_shown_and_deleted(gradus: Callable) -> None:
    made = json.loads(gradus("keys", "add", "alice", "--keyring", "test", "--output", "json").out)
    assert len(made["mnemonic"].split()) == 24 and made["address"].startswith("gradus1")
    assert [key["address"] for key in json.loads(gradus("keys", "list", "--output", "json").out)] == [made["address"]]
    assert made["address"] in gradus("keys", "show", "alice").out
    assert gradus("keys", "delete", "alice", "--yes").status == 0
    assert gradus("keys", "show", "alice").status == 1
    restored = gradus("keys", "import", "alice", "--keyring", "test", "--mnemonic", made["mnemonic"],
                      "--output", "json")
    assert json.loads(restored.out)["address"] == made["address"]


def test_an_existing_key_is_never_replaced(gradus: Callable) -> None:
    first = gradus("keys", "add", "alice", "--keyring", "test", "--output", "json").out
    assert gradus("keys", "add", "alice", "--keyring", "test").status == 1
    assert json.loads(first)["address"] in gradus("keys", "show", "alice").out


def test_an_encrypted_key_needs_its_passphrase(gradus: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADUS_PASSPHRASE", "a long enough one")
    assert gradus("keys", "add", "alice").status == 0
    monkeypatch.setenv("GRADUS_PASSPHRASE", "another one, wrong")
    ran = gradus("tx", "bank", "send", "alice", "1grad", "--from", "alice")
    assert ran.status == 1 and "wrong passphrase" in ran.err


def test_a_recipient_that_is_no_address_and_no_key_is_refused_before_anything_is_sent(gradus: Callable) -> None:
    gradus("keys", "add", "alice", "--keyring", "test")
    ran = gradus("tx", "bank", "send", "gradus1nonsense", "1grad", "--from", "alice")
    assert ran.status == 2 and "gradus1nonsense" in ran.err


def test_a_contract_for_a_dataset_that_is_not_here_is_refused(gradus: Callable) -> None:
    ran = gradus("tx", "models", "create", "--dataset", "ffff", "--escrow", "1grad", "--from", "alice")
    assert ran.status == 2 and "no dataset" in ran.err


@given(st.integers(min_value=1, max_value=2**64 - 1))
def test_an_amount_is_read_back_from_both_denoms(amount_ugrad: int) -> None:
    assert Amount().convert(f"{amount_ugrad}ugrad", None, None) == amount_ugrad
    assert Amount().convert(grad_text(amount_ugrad).split()[0], None, None) == amount_ugrad


@pytest.mark.parametrize("text", ["", "5", "grad", "-1grad", "1.5ugrad", "1.0000001grad", "0grad", "1e3grad", "١grad",
                                  "1.grad", ".5grad", "18446744073709551616ugrad", "1 grad"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Amount().convert(text, None, None)
