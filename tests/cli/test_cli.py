"""The command line as an interface: exit statuses, where output goes, errors with a hint."""

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.cli.errors import CommandError, find_command_error
from abci_app.cli.main import COMMANDS, LazyGroup, gradus as root
from abci_app.cli.options import Amount
from abci_app.cli.output import grad_text, message_fields, print_fields, print_rows
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model, ModelSpec

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
    assert gradus("keys", "show", "alice").status == 2
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


def test_terms_that_a_dry_run_prints_can_be_given_back(gradus: Callable, tmp_path: Path) -> None:
    gradus("keys", "add", "alice", "--keyring", "test")
    gradus("data", "add", "iris")
    command = ("tx", "models", "create", "--dataset", "iris", "--escrow", "30grad", "--from", "alice", "--dry-run",
               "--output", "json")
    first = gradus(*command, "--hidden", "8", "--rounds", "7")
    assert (first.status, first.err) == (0, "")
    terms = json.loads(first.out)
    assert (terms["mlp_classifier"]["widths"], terms["training"]["rounds"]) == ([4, 8, 3], 7)
    assert len(bytes.fromhex(terms["init_seed"])) == 32
    path = tmp_path / "terms.json"
    path.write_text(first.out)
    again = gradus(*command, "--spec", str(path))
    assert json.loads(again.out) == terms
    path.write_text(json.dumps(terms | {"init_seed": "xyz"}))
    refused = gradus(*command, "--spec", str(path))
    assert refused.status == 2 and "init_seed is \"xyz\", allowed are hex" in json.loads(refused.err)["error"]
    path.write_text("[1]")
    assert gradus(*command, "--spec", str(path)).status == 2


def test_codec_and_rule_of_a_contract_are_chosen_by_name_and_the_trim_follows(gradus: Callable) -> None:
    gradus("keys", "add", "alice", "--keyring", "test")
    gradus("data", "add", "iris")
    command = ("tx", "models", "create", "--dataset", "iris", "--escrow", "30grad", "--from", "alice", "--dry-run",
               "--output", "json")
    for options, expected in [
        ((), ("int8/256", "trimmed_mean", 1)),
        (("--codec", "top64/4096", "--aggregation", "mean"), ("top64/4096", "mean", 0)),
        (("--codec", "top64/4096"), ("top64/4096", "nnm+trimmed_mean", 1)),
        (("--aggregation", "krum"), ("int8/256", "krum", 0)),
        (("--aggregation", "nnm+krum", "--trainers-min", "7", "--trim", "2"), ("int8/256", "nnm+krum", 2)),
    ]:
        training = json.loads(gradus(*command, *options).out)["training"]
        assert (training["codec"], training["aggregation"], training.get("trim", 0)) == expected
    refused = gradus(*command, "--aggregation", "krum", "--trim", "1")
    assert refused.status == 1 and "2 * trim + 3 payloads" in json.loads(refused.err)["error"]
    refused = gradus(*command, "--codec", "top64/4096", "--aggregation", "median")
    assert refused.status == 1 and "take nnm+trimmed_mean or multi_krum" in json.loads(refused.err)["error"]
    assert gradus(*command, "--aggregation", "mode").status == 2


def test_hidden_layers_that_do_not_fit_are_refused_with_some_that_do(gradus: Callable) -> None:
    gradus("keys", "add", "alice", "--keyring", "test")
    gradus("data", "add", "iris")
    command = ("tx", "models", "create", "--dataset", "iris", "--escrow", "30grad", "--from", "alice", "--dry-run",
               "--output", "json")
    refused = gradus(*command, "--hidden", "65536,65536")
    fitting = json.loads(refused.err)["hint"].removeprefix("--hidden ").removesuffix(" fits")
    assert refused.status == 2 and gradus(*command, "--hidden", fitting).status == 0
    assert json.loads(gradus(*command, "--hidden", "").out)["mlp_classifier"]["widths"] == [4, 3]


def test_network_of_a_contract_is_the_one_that_its_dataset_is_for(gradus: Callable, tmp_path: Path) -> None:
    gradus("keys", "add", "alice", "--keyring", "test")
    text = tmp_path / "novel.txt"
    text.write_text("it was a dark and stormy night. " * 400)
    gradus("data", "text", str(text), "--context", "16")
    gradus("data", "add", "wine", "--target", "alcohol")
    command = ("tx", "models", "create", "--from", "alice", "--dry-run", "--output", "json", "--dataset")
    terms = json.loads(gradus(*command, "novel", "--width", "32", "--heads", "2", "--hidden", "48", "--layers", "1",
                              "--positions", "rotary").out)
    assert terms["decoder"] == {"vocab": 16, "context": 16, "width": 32, "heads": 2, "hidden": 48, "layers": 1,
                                "positions": "rotary", "tied": False}
    assert (terms["dataset"]["features"], terms["dataset"]["classes"]) == (16, 16)
    assert json.loads(gradus(*command, "novel").out)["decoder"]["width"] == 64
    assert json.loads(gradus(*command, "wine", "--hidden", "8").out)["mlp_regressor"]["widths"] == [15, 8, 1]
    for wrong in (("wine", "--width", "32"), ("novel", "--hidden", "8,8"), ("novel", "--hidden", "")):
        assert gradus(*command, *wrong).status == 2
    refused = gradus(*command, "novel", "--heads", "3")
    assert refused.status == 1 and "width must be heads times" in json.loads(refused.err)["error"]


@pytest.mark.parametrize("arguments", [
    ("query", "models", "show", "99999999999999999999999"), ("query", "models", "show", "0"),
    ("query", "work", "round", "99999999999999999999999", "1"), ("query", "work", "round", "1", "4294967296"),
    ("miner", "start", "18446744073709551616", "--key", "alice"), ("tx", "work", "leave", "18446744073709551616"),
    ("query", "models", "show", "1", "--prove", "--trust-height", "9223372036854775808"),
    ("tx", "models", "create", "--rounds", "4294967296"), ("tx", "models", "create", "--trainers-min", "4294967296"),
], ids=" ".join)
def test_number_beyond_its_field_is_wrong_usage(arguments: tuple[str, ...], gradus: Callable) -> None:
    ran = gradus(*arguments)
    assert ran.status == 2 and "is not in the range" in ran.err


def test_home_that_cannot_be_written_is_one_line_with_its_path_and_a_hint(gradus: Callable) -> None:
    ran = gradus("keys", "add", "alice", "--keyring", "test", "--home", "/proc/foo")
    assert ran.status == 1 and ran.out == ""
    error, hint = ran.err.splitlines()
    assert "/proc/foo" in error and hint.startswith("hint:") and "GRADUS_HOME" in hint


def test_full_disk_asks_for_room_and_a_missing_folder_for_another() -> None:
    full = find_command_error(OSError(errno.ENOSPC, "No space left on device", "/a/b"))
    assert isinstance(full, CommandError) and (full.message, full.hint) == (
        "/a/b: No space left on device", "make room on the disk")
    moved = find_command_error(OSError(errno.EACCES, "Permission denied", "/a", None, "/b"))
    assert isinstance(moved, CommandError) and moved.message == "/a -> /b: Permission denied" and "--home" in moved.hint
    assert find_command_error(KeyError("a bug")) is None


@pytest.mark.parametrize("url", ["nonsense", "tcp://127.0.0.1:26657", "http://", "127.0.0.1:26657"])
@pytest.mark.parametrize("command", [("query", "models", "list"), ("miner", "status", "1", "--key", "alice")])
def test_malformed_address_of_a_node_is_wrong_usage(command: tuple[str, ...], url: str, gradus: Callable) -> None:
    ran = gradus(*command, "--node", url)
    assert ran.status == 2 and "http://127.0.0.1:26657" in ran.err


def test_transaction_to_a_node_that_does_not_answer_ends_with_3_at_once(gradus: Callable,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(seconds: float) -> None:
        raise AssertionError("it waits")

    monkeypatch.setattr("time.sleep", sleep)
    gradus("keys", "add", "alice", "--keyring", "test")
    ran = gradus("tx", "bank", "send", "alice", "1grad", "--from", "alice")
    assert ran.status == 3 and "no node answers" in ran.err


@pytest.mark.parametrize("arguments", [
    ("keys", "show", "nobody"), ("keys", "show", "No Name"), ("keys", "add", "No Name"), ("keys", "delete", "nobody"),
    ("tx", "bank", "send", "nobody", "1grad", "--from", "nobody"), ("query", "bank", "balance", "nobody"),
    ("miner", "start", "1", "--key", "nobody"), ("query", "tx", "abc"), ("query", "tx", "zz" * 32), ("query", "tx", ""),
    ("query", "models", "show", "1", "--prove", "--trust-hash", "abc"), ("data", "add", "mnist"),
    ("data", "show", "mnist"), ("data", "verify", "mnist"),
    ("data", "add", "t.csv", "--label", "y", "--delimiter", "ab"),
    ("data", "add", "t.csv", "--label", "y", "--delimiter", ""),
    ("tx", "models", "create", "--dataset", "x", "--escrow", "1grad", "--from", "alice"),
], ids=" ".join)
def test_what_is_wrong_in_the_command_line_is_wrong_usage(arguments: tuple[str, ...], gradus: Callable) -> None:
    assert gradus(*arguments).status == 2


def test_unknown_key_names_the_home_of_a_localnet(gradus: Callable) -> None:
    for command in (("keys", "show", "faucet"), ("query", "bank", "balance", "faucet"),
                    ("tx", "bank", "send", "faucet", "1grad", "--from", "faucet")):
        ran = gradus(*command)
        assert "localnet" in ran.err and "--home" in ran.err and "GRADUS_HOME" in ran.err


LONG = "gradus1" + "q" * 60


def test_rows_are_whole_and_aligned_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": 1, "name": LONG}, {"id": 22, "name": "b c", "root": "f" * 64}]
    print_rows(rows, ("id", "name", "root"), "text", "")
    assert capsys.readouterr().out.splitlines() == [
        f"id  {'name':<67}  root", f"1   {LONG}", f"22  {'b c':<67}  {'f' * 64}"]


def test_fields_inside_a_field_stand_below_it_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({"id": 1, "spec": {"name": "x", "mlp": {"widths": [4, 8]}, "guests": []},
                  "units": [{"index": 0, "by": "a"}, {"index": 1, "by": "b"}]}, "text")
    assert capsys.readouterr().out.splitlines() == [
        "id     1", "spec", "  name    x", "  mlp", "    widths  4 8", "  guests",
        "units", "- index  0", "  by     a", "- index  1", "  by     b"]


def test_fields_that_are_zero_are_shown() -> None:
    fields = message_fields(Model(id=1, spec=ModelSpec(name="x")))
    assert (fields["rounds_closed"], fields["weights_root"], fields["spec"]["name"]) == (0, "", "x")
    assert "training" not in fields["spec"]


@pytest.mark.parametrize(("text", "said"), [
    ("0grad", "must be positive"), ("0.000000grad", "must be positive"), ("0ugrad", "must be positive"),
    ("18446744073709551616ugrad", "at most 18446744073709.551615grad"),
    ("1" + "0" * 5000 + "grad", "at most 18446744073709.551615grad"), ("5", "is not an amount")])
def test_amount_is_refused_for_what_is_wrong_with_it(text: str, said: str) -> None:
    with pytest.raises(click.BadParameter, match=said):
        Amount().convert(text, None, None)


@given(st.integers(min_value=1, max_value=2**64 - 1))
def test_an_amount_is_read_back_from_both_denoms(amount_ugrad: int) -> None:
    assert Amount().convert(f"{amount_ugrad}ugrad", None, None) == amount_ugrad
    assert Amount().convert(grad_text(amount_ugrad).split()[0], None, None) == amount_ugrad


@pytest.mark.parametrize("text", ["", "5", "grad", "-1grad", "1.5ugrad", "1.0000001grad", "0grad", "1e3grad", "١grad",
                                  "1.grad", ".5grad", "18446744073709551616ugrad", "1 grad"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Amount().convert(text, None, None)


@pytest.mark.parametrize("arguments, how", [
    (("keys", "add", "bob"), "GRADUS_PASSPHRASE"), (("keys", "import", "bob"), "--mnemonic"),
    (("keys", "delete", "alice"), "--yes")], ids=lambda value: value if isinstance(value, str) else value[1])
def test_question_that_nobody_is_there_to_answer_is_wrong_usage_and_says_how_to_answer_it(
        arguments: tuple[str, ...], how: str, tmp_path: Path, gradus: Callable) -> None:
    gradus("keys", "add", "alice", "--keyring", "test")
    done = subprocess.run([sys.executable, "-m", "abci_app.cli", *arguments], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, start_new_session=True)
    assert done.returncode == 2 and how in done.stderr.splitlines()[-1] and "Warning: Can not" not in done.stderr
    assert [key["name"] for key in json.loads(gradus("keys", "list", "--output", "json").out)] == ["alice"]


def test_end_by_the_user_is_an_object_when_json_was_asked_for(
        gradus: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("abci_app.cli.keys.keyring", interrupt)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    ran = gradus("keys", "list", "--output", "json")
    assert ran.status == 130 and json.loads(ran.err)["error"] == "interrupted"
    assert gradus("keys", "list").err.strip() == "interrupted"
