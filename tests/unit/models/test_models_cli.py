"""`gradus tx models` and `gradus query models versions|params`, over a chain without an engine."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from abci_app.cli import query, query_models, sending, tx_models
from abci_app.cli.hints import HINTS
from abci_app.cli.main import main
from abci_app.client.chain import ChainClient
from abci_app.client.errors import ProofInvalid, QueryRefused
from abci_app.client.keys import Keyring
from abci_app.client.send import Sender
from abci_app.wire.errors import REGISTRY
from abci_app.wire.pb.gradus.models.v1 import query_pb2
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_PAUSED, MODEL_STATUS_RETIRED, Model
from abci_app.x.models.types.limits import CHOICES, NUMBER_FIELDS
from abci_app.x.models.types.terms import compute_audit_fee_ppm_min
from kernels import dispatch
from tests.chain import Chain, address_of, new_test_key
from tests.local_rpc import LocalNode

LIMITS = ("--limit", "training.local_steps=8..64", "--limit", "training.codec=int4/256,int8/256")


class Shell:
    """The program, with a home that has keys of alice and bob and the dataset iris, against one node."""

    def __init__(self, home: Path, chain: Chain, monkeypatch: pytest.MonkeyPatch,
                 capsys: pytest.CaptureFixture[str]) -> None:
        self.chain, self.monkeypatch, self.capsys = chain, monkeypatch, capsys
        node = LocalNode(chain)
        self.client = ChainClient(node)  # type: ignore[arg-type]
        monkeypatch.setenv("GRADUS_HOME", str(home))
        monkeypatch.setenv("GRADUS_NODE", "http://127.0.0.1:1")
        for place in (query, query_models, sending, tx_models):
            monkeypatch.setattr(place, "connect", lambda url: self.client)
        monkeypatch.setattr(sending, "Sender", partial(Sender, sleep=node.sleep))
        for name in ("alice", "bob"):
            Keyring(home / "keys").put(name, new_test_key(name), None)
        self.run("data", "add", "iris")

    def run(self, *arguments: str) -> tuple[int, Any]:
        """(exit status, what it printed as JSON: the answer or the error)."""
        line = [*arguments, "--output", "json"]
        self.monkeypatch.setattr("sys.argv", ["gradus", *line])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(line)
        status, said = int(ended.value.code or 0), self.capsys.readouterr()
        return status, json.loads(said.err.splitlines()[-1] if status else said.out)

    def tx(self, *arguments: str, sender: str = "alice") -> Any:
        """The answer of `gradus tx models`."""
        status, told = self.run("tx", "models", *arguments, "--from", sender)
        assert status == 0, told
        return told

    def refused(self, *arguments: str, sender: str = "alice") -> tuple[int, str, str]:
        """(exit status, error, hint) of `gradus tx models`."""
        status, told = self.run("tx", "models", *arguments, "--from", sender)
        return status, told["error"], told["hint"]

    def model(self) -> Model:
        return self.client.get_model(1)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    with dispatch.forced("ref"), Chain(tmp_path / "chain", {"alice": 10**9, "bob": 10**9}) as chain:
        chain.block()
        yield Shell(tmp_path / "home", chain, monkeypatch, capsys)


@pytest.fixture
def made(shell: Shell) -> Shell:
    """A model of alice with limits."""
    told = shell.tx("create", "--dataset", "iris", "--hidden", "4", *LIMITS)
    assert told["model_id"] == 1 and told["escrow"] == "26.25grad (26250000ugrad)"
    return shell


def test_created_contract_has_the_audits_guests_and_limits_of_its_options(shell: Shell) -> None:
    shell.tx("create", "--dataset", "iris", "--hidden", "4", "--audit-rate-ppm", "250000", "--committee", "7",
             "--audit-fee-ppm", "100000", "--challenge-blocks", "240", "--challenge-bond", "2grad", "--invite", "bob",
             "--trainers-min", "1", *LIMITS)
    spec = shell.model().spec
    audit = spec.audit
    assert (audit.rate_ppm, audit.committee_max, audit.audit_fee_ppm) == (250_000, 7, 100_000)
    assert (audit.challenge_blocks, audit.challenge_bond_ugrad, spec.training.kept_rounds) == (240, 2_000_000, 81)
    assert spec.economy.bond_ugrad == 2 * 12_000_000
    assert list(spec.invited_trainers) == [address_of("bob")]
    assert [(one.field, one.min, one.max) for one in spec.limits.ranges] == [("training.local_steps", 8, 64)]
    assert [(one.field, list(one.values)) for one in spec.limits.choices] == [
        ("training.codec", ["int4/256", "int8/256"])]
    assert shell.model().escrow_ugrad == 25 * 1_100_000


def test_contract_has_a_fee_that_the_chain_takes_unless_another_is_named(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with Chain(tmp_path / "plain") as plain:
        state = plain.new_app_state({"alice": 10**9})
    state["models"] = {"params": {"audit_price_ugrad_per_gma": "10000000"}}
    with dispatch.forced("ref"), Chain(tmp_path / "chain", app_state=state) as chain:
        chain.block()
        shell = Shell(tmp_path / "home", chain, monkeypatch, capsys)
        shell.tx("create", "--dataset", "iris", "--hidden", "4")
        assert shell.run("query", "models", "params") == (0, {"audit_price_ugrad_per_gma": 10_000_000})
        spec = shell.model().spec
        assert spec.audit.audit_fee_ppm == compute_audit_fee_ppm_min(spec, 10_000_000) > 50_000
        status, error, hint = shell.refused("create", "--dataset", "iris", "--hidden", "4", "--audit-fee-ppm", "50000")
        assert status == 1 and error.startswith("models/38 ") and "it must be at least" in error
        assert "--audit-fee-ppm" in hint


def test_contract_without_an_end_has_no_escrow_by_itself(shell: Shell) -> None:
    status, error, hint = shell.refused("create", "--dataset", "iris", "--rounds", "0")
    assert status == 2 and "without end" in error and hint == "--escrow AMOUNT"


def test_terms_are_updated_one_by_one_and_listed_by_version(made: Shell) -> None:
    told = made.tx("update", "1", "--set", "training.local_steps=16", "--set", "training.codec=int4/256")
    assert told == {"spec_version": 2, "in_force": "now"}
    training = made.model().spec.training
    assert (training.local_steps, training.codec) == (16, "int4/256")
    status, rows = made.run("query", "models", "versions", "1")
    assert status == 0 and [(row["version"], row["state"], row["changes"]) for row in rows] == [
        (1, "replaced", "as created"),
        (2, "in force", "training.local_steps 32 -> 16, training.codec int8/256 -> int4/256")]
    assert rows[0]["spec"]["training"]["local_steps"] == 32 and rows[1]["height"] > rows[0]["height"]


def test_dry_run_of_an_update_prints_the_terms_and_sends_nothing(made: Shell) -> None:
    height = made.chain.height
    told = made.tx("update", "1", "--set", "training.local_steps=16", "--dry-run")
    assert told["training"]["local_steps"] == 16 and made.chain.height == height


def test_update_takes_a_file_of_terms_and_says_what_no_update_changes(made: Shell, tmp_path: Path) -> None:
    path = tmp_path / "terms.json"
    path.write_text(json.dumps({"training": {"local_steps": 9}}))
    assert made.tx("update", "1", "--spec", str(path))["spec_version"] == 2
    path.write_text(json.dumps({"training": {"local_steps": 8}, "name": "other"}))
    status, error, hint = made.refused("update", "1", "--spec", str(path))
    assert status == 2 and "more than training, audit, economy and inference" in error and "attach" in hint


@pytest.mark.parametrize(("arguments", "status", "error", "hint"), [
    (("--set", "training.local_steps=65"), 1,
     "models/29 training.local_steps is 32 and would be 65; the contract allows 8 to 64", "show MODEL"),
    (("--set", "audit.rate_ppm=1"), 1, "the contract allows nothing else", "show MODEL"),
    (("--set", "training.local_steps=32"), 1, "models/31", "versions MODEL"),
    (("--set", "training.local_step=16"), 2, "did you mean training.local_steps?", "FIELD=VALUE"),
    (("--set", "dataset.train_rows=16"), 2, "names no field of the policies", "FIELD=VALUE"),
    (("--set", "training.local_steps=many"), 2,
     'training.local_steps is "many", allowed are whole numbers from 0 to 4294967295', "FIELD=VALUE"),
    (("--set", "training.local_steps"), 2, "names no field", "FIELD=VALUE"),
    ((), 2, "nothing to change is given", "--set"),
])
def test_update_that_cannot_be_says_field_value_and_what_is_allowed(
        made: Shell, arguments: tuple[str, ...], status: int, error: str, hint: str) -> None:
    found = made.refused("update", "1", *arguments)
    assert found[0] == status and error in found[1] and hint in found[2]


def test_data_and_rounds_are_attached(made: Shell) -> None:
    told = made.tx("attach", "1", "--dataset", "iris", "--rounds-more", "5")
    assert (told["spec_version"], told["in_force"], made.model().spec.training.rounds) == (2, "now", 30)
    assert made.refused("attach", "1")[0] == 2
    assert made.refused("attach", "1", "--dataset", "nothing")[0] == 2


def test_model_is_paused_resumed_handed_on_and_closed(made: Shell) -> None:
    made.tx("pause", "1")
    assert made.model().status == MODEL_STATUS_PAUSED
    assert made.refused("pause", "1")[1].startswith("models/33 ")
    made.tx("resume", "1")
    made.tx("offer-admin", "1", "bob")
    made.tx("offer-admin", "1", "--withdraw")
    status, error, hint = made.refused("accept-admin", "1", sender="bob")
    assert status == 1 and error.startswith("models/36 ") and "offer-admin" in hint
    assert made.refused("offer-admin", "1")[0] == made.refused("offer-admin", "1", "bob", "--withdraw")[0] == 2
    made.tx("offer-admin", "1", "bob")
    made.tx("accept-admin", "1", sender="bob")
    assert made.model().admin == address_of("bob")
    assert made.refused("close", "1")[1].startswith("models/24 ")
    assert made.tx("close", "1", sender="bob") == {"refunded": "26.25grad (26250000ugrad)"}
    assert made.model().status == MODEL_STATUS_RETIRED


def test_trainers_are_invited_and_enrolment_opened(made: Shell) -> None:
    names = [f"guest{n}" for n in range(4)]
    made.tx("invite", "1", *(part for name in names for part in ("--add", address_of(name))))
    assert list(made.model().spec.invited_trainers) == [address_of(name) for name in names]
    made.tx("invite", "1", "--add", "bob", "--remove", address_of("guest0"))
    assert list(made.model().spec.invited_trainers)[-1] == address_of("bob")
    made.tx("invite", "1", "--open")
    assert list(made.model().spec.invited_trainers) == []
    assert made.refused("invite", "1")[0] == 2
    assert made.refused("invite", "1", "--open", "--add", "bob")[1].startswith("models/19 ")


@pytest.mark.parametrize(("terms", "status", "error", "hint"), [
    ({"training": {"units_max": 65}}, 1, "models/10 units_max is 65, allowed are 1 to 64", "`training`"),
    ({"audit": {"rate_ppm": 2_000_000}}, 1, "rate_ppm is 2000000, allowed are 1 to 1000000", "`audit`"),
    ({"training": {"local_steps": 5_000}}, 1, "given are local_steps 5000", "`training`"),
    ({"name": ""}, 1, "models/4 name is ", "--name"),
    ({"training": {"unit_max": 6}}, 2, "training.unit_max is no field of a contract; did you mean units_max?", ""),
    ({"training": {"units_max": -1}}, 2, "units_max is -1, allowed are whole numbers from 0 to 4294967295", ""),
    ({"training": {"units_max": 1.5}}, 2, "training.units_max is 1.5, allowed are whole numbers", ""),
    ({"training": {"units_max": True}}, 2, "training.units_max is true, allowed are whole numbers", ""),
    ({"training": 5}, 2, "training is 5, not an object", ""),
    ({"training": {"codec": 5}}, 2, "training.codec is 5, allowed is text in quotes", ""),
    ({"name": "\ud800"}, 2, "name is ", ""),
    ({"invited_trainers": "bob"}, 2, 'invited_trainers is "bob", not a list', ""),
    ({"mlp_classifier": {"widths": [4, "x"]}}, 2, 'mlp_classifier.widths[1] is "x", allowed are whole numbers', ""),
    ({"limits": {"ranges": [{"feld": "x"}]}}, 2, "limits.ranges[0].feld is no field", ""),
    ({"init_seed": "xyz"}, 2, 'init_seed is "xyz", allowed are hex digits', ""),
    ([1], 2, "[1] is not an object", ""),
])
def test_term_of_a_file_that_cannot_be_is_named_with_its_value_and_what_is_allowed(
        shell: Shell, tmp_path: Path, terms: Any, status: int, error: str, hint: str) -> None:
    path = tmp_path / "terms.json"
    path.write_text(json.dumps(terms))
    found = shell.refused("create", "--dataset", "iris", "--spec", str(path), "--dry-run")
    assert found[0] == status and error in found[1] and hint in found[2] and found[2]


@pytest.mark.parametrize("limit", ["training.local_steps", "training.local_steps=8", "training.local_steps=8..x",
                                   "training.local_steps=8..18446744073709551616", "training.steps=8..9",
                                   "training.codec="])
def test_limit_that_cannot_be_read_is_wrong_usage(shell: Shell, limit: str) -> None:
    status, error, hint = shell.refused("create", "--dataset", "iris", "--limit", limit, "--dry-run")
    assert status == 2 and limit.partition("=")[0] in error and "MIN..MAX" in hint


def test_every_error_of_the_room_has_a_hint() -> None:
    codes = sorted(code for codespace, code in REGISTRY if codespace == "models")
    assert [code for codespace, code in sorted(HINTS) if codespace == "models"] == codes
    assert all(HINTS.values())


def test_every_field_of_the_policies_can_be_set_and_limited() -> None:
    assert len(NUMBER_FIELDS) == 42 and sorted(CHOICES) == ["training.aggregation", "training.codec"]


def test_client_takes_no_terms_of_another_version(made: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert made.client.find_spec(1, 1) == made.model().spec
    assert made.client.find_spec(1, 2) is None and made.client.find_spec(2, 1) is None
    assert made.client.find_pending_spec(1) is None
    with pytest.raises(QueryRefused):
        made.client.list_versions(2)
    answer = query_pb2.QuerySpecResponse()
    answer.version.model_id, answer.version.version = 1, 3
    monkeypatch.setattr(made.client, "_find", lambda *_: answer)
    with pytest.raises(ProofInvalid):
        made.client.find_spec(1, 1)


def test_created_contract_shares_fees_as_its_options_say(shell: Shell) -> None:
    shell.tx("create", "--dataset", "iris", "--hidden", "4", "--trainers-ppm", "300000", "--owner-ppm", "10000",
             "--data-owner", "bob", "--host-bond", "3grad", "--answer-audit-ppm", "20000", "--replicas-max", "5")
    status, told = shell.run("query", "models", "show", "1")
    policy = told["spec"]["inference"]
    assert status == 0 and (policy["hosts_ppm"], policy["trainers_ppm"], policy["owner_ppm"]) == (
        590_000, 300_000, 10_000)
    assert (policy["data_owner"], policy["host_bond_ugrad"]) == (address_of("bob"), 3_000_000)
    assert (policy["audit_ppm"], policy["replicas_max"], policy["burn_slash_ppm"]) == (20_000, 5, 500_000)


def test_contract_without_hosts_gets_the_default_policy_with_the_fields_that_an_update_sets(shell: Shell) -> None:
    shell.tx("create", "--dataset", "iris", "--hidden", "4", "--no-hosts")
    assert not shell.model().spec.HasField("inference")
    shell.tx("update", "1", "--set", "inference.creator_ppm=0", "--set", "inference.owner_ppm=50000",
             "--set", f"inference.data_owner={address_of('bob')}")
    policy = shell.model().spec.inference
    assert (policy.hosts_ppm, policy.owner_ppm, policy.data_owner) == (700_000, 50_000, address_of("bob"))
    status, error, hint = shell.refused("update", "1", "--set", f"inference.data_owner={address_of('alice')}")
    assert status == 1 and error.startswith("models/29 inference.data_owner is ")


@pytest.mark.parametrize(("arguments", "problem"), [
    (("--trainers-ppm", "950000"), "leaves the hosts nothing"),
    (("--owner-ppm", "10000"), "go together"),
    (("--data-owner", "bob"), "go together"),
])
def test_shares_that_cannot_be_are_wrong_usage(shell: Shell, arguments: tuple[str, ...], problem: str) -> None:
    status, error, hint = shell.refused("create", "--dataset", "iris", *arguments, "--dry-run")
    assert status == 2 and problem in error and hint
