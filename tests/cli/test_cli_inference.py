"""`gradus query|tx inference|sessions` and `gradus infer`, over a chain without an engine whose hosts answer."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from abci_app.cli import infer, sending
from abci_app.cli.output import grad_text
from abci_app.client.keys import Keyring
from abci_app.client.send import Sender
from abci_app.sdk import proofs
from abci_app.sdk.client import Client
from abci_app.sdk.home import sessions_folder
from abci_app.sdk.journal import SessionJournal, list_receipt_keys
from kernels import dispatch
from tests.answerers import Answering
from tests.chain import address_of, new_test_key
from tests.cli.conftest import Ran
from tests.unit.inference.desk import HOST_BOND_UGRAD

ROW = "--features=1,0,-3,7"


class Shell:
    """`gradus` with keys of una (who asks) and eve; every node is that of a chain with hosts."""

    def __init__(self, answering: Answering, home: Path, gradus: Callable[..., Ran],
                 monkeypatch: pytest.MonkeyPatch) -> None:
        self.answering, self.gradus, self.home = answering, gradus, home
        node = answering.node
        for place in ("abci_app.cli.connect.Rpc", "abci_app.client.node.Rpc", "abci_app.sdk.client.Rpc"):
            monkeypatch.setattr(place, lambda url, *_: node)
        monkeypatch.setattr(proofs, "Rpc", lambda url: node)
        monkeypatch.setattr(sending, "Sender", partial(Sender, sleep=node.sleep))
        monkeypatch.setattr(infer, "Client", partial(Client, sleep=node.sleep))
        for name in ("una", "eve"):
            Keyring(home / "keys").put(name, new_test_key(name), None)

    def json(self, *arguments: str) -> Any:
        ran = self.gradus(*arguments, "--output", "json")
        assert ran.status == 0, ran.err
        return json.loads(ran.out)

    def refused(self, *arguments: str) -> tuple[int, str, str]:
        ran = self.gradus(*arguments, "--output", "json")
        told = json.loads(ran.err.splitlines()[-1])
        return ran.status, told["error"], told["hint"]


@pytest.fixture
def shell(tmp_path: Path, gradus: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    with dispatch.forced("ref"), Answering(tmp_path / "chain", liars=("hob",)) as answering:
        yield Shell(answering, tmp_path / "home", gradus, monkeypatch)


def test_prices_are_known_before_anything_is_paid(shell: Shell) -> None:
    told = shell.json("query", "inference", "quote", "1", ROW, "--replicas", "3")
    assert told["is_available"] and len(told["offers"]) == 3 and told["fee_ugrad"] > 3 * told["work"]
    ran = shell.gradus("query", "inference", "quote", "1", ROW, "--replicas", "5")
    assert ran.status == 0 and "3 hosts would answer, not 5" in ran.out
    assert shell.refused("query", "inference", "quote", "1")[:2] == (2, "nothing is asked")
    status, error, _ = shell.refused("query", "inference", "quote", "1", "--features", "1,2")
    assert status == 2 and "2 bytes are no whole number of rows of 4" in error


def test_an_answer_is_shown_with_its_price_the_liar_and_the_proof(shell: Shell) -> None:
    told = shell.json("infer", "1", ROW, "--replicas", "3", "--from", "una", "--chain-id", "gradus-test-1")
    assert len(told["labels"]) == 1 and told["audited"] and told["cost_ugrad"] > 0
    assert sorted(part["host"] for part in told["paid"]) == sorted([address_of("hal"), address_of("hex")])
    assert [part["host"] for part in told["slashed"]] == [address_of("hob")]
    assert told["proved"]["exists"] and told["proved"]["trusted_by"] == "first use"
    again = shell.json("infer", "1", "--request", str(told["request_id"]), "--no-prove")
    assert again["labels"] == told["labels"] and "proved" not in again
    record = shell.json("query", "inference", "request", "1", "--prove")
    assert record["proved"]["exists"]
    assert (record["status"], record["answer_hash"]) == ("answered", told["answer_hash"])
    assert [row["id"] for row in shell.json("query", "inference", "requests", "--user", "una")] == [1]
    assert shell.json("query", "inference", "requests", "--host", "eve") == []


def test_hosts_are_shown_and_come_and_go(shell: Shell) -> None:
    key = "02" + "00" * 31 + "01"
    shell.json("tx", "inference", "register", "1", "--price", "5ugrad", "--endpoint", "http://127.0.0.1:1",
               "--statement-key", key, "--from", "eve")
    shell.answering.node.block()
    shown = shell.json("query", "inference", "host", "1", "eve", "--prove")
    assert (shown["price_ugrad_per_gma"], shown["status"], shown["statement_key"]) == (5, "active", key)
    shell.json("tx", "inference", "update", "1", "--price", "7ugrad", "--endpoint", "", "--from", "eve")
    shown = shell.json("query", "inference", "host", "1", "eve")
    assert (shown["price_ugrad_per_gma"], shown["endpoint"], shown["capacity"]) == (7, "", 8)
    assert len(shell.json("query", "inference", "hosts", "1")) == 4
    shell.json("tx", "inference", "drain", "1", "--from", "eve")
    assert shell.json("tx", "inference", "leave", "1", "--from", "eve") == {
        "returned": grad_text(HOST_BOND_UGRAD)}
    status, error, hint = shell.refused("query", "inference", "host", "1", "eve")
    assert status == 1 and "does not host model 1" in error and "hosts 1" in hint
    assert shell.refused("tx", "inference", "update", "1", "--price", "7ugrad", "--from", "eve")[0] == 1


def test_a_request_by_hand_names_the_command_that_shows_its_answer(shell: Shell) -> None:
    told = shell.json("tx", "inference", "request", "1", ROW, "--from", "una")
    assert told["request_id"] == 1 and told["next"] == "gradus infer 1 --request 1"
    assert shell.json("infer", "1", "--request", "1", "--chain-id", "gradus-test-1")["request_id"] == 1


def test_rows_of_a_file_and_of_the_standard_input_are_features_without_the_dataset(
        shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b,c,d\n1,0,-3,7\n2,2,2,2\n")
    two = shell.json("query", "inference", "quote", "1", "--rows", str(path))
    one = shell.json("query", "inference", "quote", "1", ROW)
    assert two["work"] > one["work"] and two["answer_bytes_max"] == 2 * one["answer_bytes_max"]
    path.write_text("a,b,c,d\n1,0,-3,700\n")
    status, error, _ = shell.refused("query", "inference", "quote", "1", "--rows", str(path))
    assert status == 1 and "'700' is no feature" in error


def test_a_session_is_opened_topped_up_and_closed_by_hand(shell: Shell) -> None:
    shell.answering.send("hal", shell.answering.update_msg("hal", endpoint="http://127.0.0.1:1"))
    shell.answering.node.block()
    told = shell.json("tx", "sessions", "open", "1", address_of("hal"), "--deposit", "1000ugrad", "--from", "una")
    assert told["session_id"] == 1
    folder = sessions_folder(shell.home, "gradus-test-1")
    shell.answering.node.block()
    shown = shell.json("query", "sessions", "show", "1", "--prove")
    assert shown["status"] == "open" and shown["receipt_key"] == list_receipt_keys(folder)[0].hex()
    shell.json("tx", "sessions", "top-up", "1", "500ugrad", "--from", "una")
    with SessionJournal.find(folder, bytes.fromhex(shown["receipt_key"])) as journal:
        assert journal.find_pending() is None
    status, error, _ = shell.refused("tx", "sessions", "challenge", "1", "1", "--from", "una")
    assert status == 2 and "has no answer" in error
    shell.json("tx", "sessions", "close", "1", "--from", "una")
    rows = shell.json("query", "sessions", "list", "--user", "una")
    assert [(row["id"], row["deposit_ugrad"]) for row in rows] == [(1, 1500)] and rows[0]["status"] != "open"
    assert shell.refused("query", "sessions", "show", "9")[0] == 1


def test_parameters_and_the_archive_are_shown_and_proved(shell: Shell) -> None:
    shell.answering.node.block()
    assert shell.json("query", "inference", "params", "--prove")["kept_blocks"] > 0
    assert shell.json("query", "sessions", "params", "--prove")["close_blocks"] > 0
    assert shell.json("query", "inference", "archive")["count"] == 0


def test_what_there_is_not_is_said_without_blame_for_the_node(shell: Shell) -> None:
    status, text, hint = shell.refused("infer", "1", "--request", "9999")
    assert (status, text) == (1, "no request 9999 is open or kept") and "query inference requests" in hint
    status, text, hint = shell.refused("infer", "1", ROW, "--session", "99", "--from", "una")
    assert (status, text) == (1, "no session 99 is open or kept") and "query sessions list" in hint


def test_hosts_that_are_missing_are_named_with_why(shell: Shell) -> None:
    status, text, _ = shell.refused("infer", "1", ROW, "--replicas", "9", "--from", "una")
    assert status == 1 and "would answer now, not 9" in text and "replicas" in text
    assert all(row["free_ugrad"] == row["bond_ugrad"] - row["staked_ugrad"]
               for row in shell.json("query", "inference", "hosts", "1"))
