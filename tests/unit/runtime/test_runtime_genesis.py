"""Genesis: made, checked, exported and started again; every mistake of a hand is named by its path."""

import copy
from pathlib import Path
from typing import Any

import pytest

from abci_app.app import CONSENSUS_STORE, MODULE_ACCOUNTS, STORE_NAMES, new_app
from abci_app.genesis import check_genesis, new_genesis
from abci_app.runtime.genesis import GenesisInvalid
from abci_app.wire.address import encode_address, module_address
from tests.chain import CHAIN_ID, PROPOSERS, Chain, address_of, new_test_key

ALICE, BOB = sorted([address_of("alice"), address_of("bob")])


def new_state() -> dict[str, Any]:
    validators = [{"consensus_address_hex": PROPOSERS[0].hex().upper(), "operator": ALICE}]
    return new_genesis(CHAIN_ID, validators, {ALICE: 5, BOB: 6})


def test_new_genesis_is_plain_json_and_starts_a_chain() -> None:
    assert new_state() == {
        "auth": {"gas_price_ppm": "1000", "accounts": [{"address": ALICE}, {"address": BOB}]},
        "bank": {
            "balances": [{"address": ALICE, "coins": [{"denom": "ugrad", "amount": "5"}]},
                         {"address": BOB, "coins": [{"denom": "ugrad", "amount": "6"}]}],
            "supply": [{"denom": "ugrad", "amount": "11"}],
        },
        "rewards": {"payouts": [{"consensus_address": PROPOSERS[0].hex(), "account": ALICE}]},
    }


def test_order_of_the_arguments_changes_nothing() -> None:
    validators = [{"consensus_address_hex": proposer.hex(), "operator": ALICE} for proposer in PROPOSERS]
    assert new_genesis(CHAIN_ID, validators, {ALICE: 1, BOB: 2}) == new_genesis(
        CHAIN_ID, validators[::-1], {BOB: 2, ALICE: 1})


def test_export_starts_a_chain_with_the_same_state(tmp_path: Path) -> None:
    with Chain(tmp_path / "first", {"alice": 1_000_000, "bob": 7}) as first:
        first.block([first.sign("alice", first.send_msg("alice", "carol", 5)),
                     first.sign("bob", first.send_msg("bob", "alice", 7), gas_limit=0, fee_ugrad=0)])
        first.block([first.sign("carol", first.send_msg("carol", "dave", 5), gas_limit=30_000, fee_ugrad=0)])
        exported = first.app.export_genesis(first.ctx())
        with Chain(tmp_path / "second", app_state=copy.deepcopy(exported)) as second:
            assert second.app.export_genesis(second.ctx()) == exported
            second.block()
            assert second.state() == first.state()


@pytest.mark.parametrize(("where", "value", "path"), [
    ("auth.gas_price_ppm", 1000, "app_state.auth.gas_price_ppm"),
    ("auth.gas_price_ppm", "01", "app_state.auth.gas_price_ppm"),
    ("auth.gas_price_ppm", "-1", "app_state.auth.gas_price_ppm"),
    ("auth.gas_price_ppm", "18446744073709551616", "app_state.auth.gas_price_ppm"),
    ("auth.gas_price", "5", "app_state.auth.gas_price"),
    ("auth.accounts", {}, "app_state.auth.accounts"),
    ("auth.accounts.0", "x", r"app_state.auth.accounts\[0\]"),
    ("auth.accounts.1.address", ALICE[:-1] + "b", r"app_state.auth.accounts\[1\].address"),
    ("auth.accounts.1.address", ALICE, r"app_state.auth.accounts\[1\].address"),
    ("auth.accounts.0.sequence", 5, r"app_state.auth.accounts\[0\].sequence"),
    ("auth.accounts.0.public_key", "00", r"app_state.auth.accounts\[0\].public_key"),
    ("auth.accounts.0.public_key", new_test_key("carol").public.hex(), r"app_state.auth.accounts\[0\].public_key"),
    ("auth", [], "app_state.auth"),
    ("bank.balances.0.coins.0.amount", "0x5", r"app_state.bank.balances\[0\].coins\[0\].amount"),
    ("bank.balances.0.coins.0.amount", str(2**128), r"app_state.bank.balances\[0\].coins\[0\].amount"),
    ("bank.balances.0.coins.0.amount", "7", "app_state.bank.supply"),
    ("bank.balances.0.coins.0.denom", "u", r"app_state.bank.balances\[0\].coins\[0\].denom"),
    ("bank.balances.1.address", ALICE, r"app_state.bank.balances\[1\].address"),
    ("bank.balances.0.coins", [{"denom": "bbb", "amount": "1"}, {"denom": "aaa", "amount": "1"}],
     r"app_state.bank.balances\[0\].coins\[1\].denom"),
    ("bank.supply.0.amount", "12", "app_state.bank.supply"),
    ("rewards.payouts.0.consensus_address", "xy", r"app_state.rewards.payouts\[0\].consensus_address"),
    ("rewards.payouts.0.consensus_address", "00", r"app_state.rewards.payouts\[0\].consensus_address"),
    ("rewards.payouts.0.account", "alice", r"app_state.rewards.payouts\[0\].account"),
    ("gov", {}, "app_state.gov"),
])
def test_mistake_is_named_by_its_path_with_a_hint(where: str, value: Any, path: str) -> None:
    state = new_state()
    target: Any = state
    *parents, last = where.split(".")
    for step in parents:
        target = target[int(step)] if step.isdigit() else target[step]
    target[int(last) if last.isdigit() else last] = value
    with pytest.raises(GenesisInvalid, match=f"^{path}: .+ \\(.+\\)$"):
        check_genesis(CHAIN_ID, state)


@pytest.mark.parametrize("state", [None, [], "x", {}, {"bank": {}}])
def test_genesis_without_its_parts_is_refused(state: Any) -> None:
    with pytest.raises(GenesisInvalid):
        check_genesis(CHAIN_ID, state)


def test_sum_beyond_the_largest_supply_is_refused() -> None:
    state = new_state()
    for item in state["bank"]["balances"]:
        item["coins"][0]["amount"] = str(2**128 - 1)
    del state["bank"]["supply"]
    with pytest.raises(GenesisInvalid, match="2\\^128"):
        check_genesis(CHAIN_ID, state)


def test_coins_in_a_module_account_that_nobody_owes_are_refused() -> None:
    """The escrow account must hold what the models owe; a genesis that contradicts that starts no chain."""
    state = new_state()
    state["bank"]["balances"].append({"address": encode_address(module_address("models")),
                                      "coins": [{"denom": "ugrad", "amount": "1"}]})
    del state["bank"]["supply"]
    with pytest.raises(GenesisInvalid, match="models/escrow"):
        check_genesis(CHAIN_ID, state)


def test_genesis_with_a_block_reward_emits() -> None:
    state = new_genesis(CHAIN_ID, [], {ALICE: 1}, block_reward_ugrad=1_000_000)
    assert state["rewards"]["params"] == {
        "initial_block_reward_ugrad": "1000000", "halving_blocks": "10000000", "stakers_ppm": "300000",
        "work_ppm": "500000", "hosts_ppm": "100000", "community_ppm": "100000", "unback_blocks": "1000",
        "mint_price_ugrad_per_gma": "40000000"}
    with pytest.raises(GenesisInvalid) as caught:
        new_genesis(CHAIN_ID, [], {ALICE: 1}, block_reward_ugrad=2**63)
    assert caught.value.path == "app_state.rewards.params"


@pytest.mark.parametrize(("chain_id", "operator", "accounts", "path"), [
    ("", ALICE, {ALICE: 1}, "chain_id"), ("c" * 51, ALICE, {ALICE: 1}, "chain_id"),
    (CHAIN_ID, "alice", {ALICE: 1}, r"validators\[0\].operator"), (CHAIN_ID, ALICE, {"bob": 1}, "accounts.bob"),
    (CHAIN_ID, ALICE, {ALICE: -1}, f"accounts.{ALICE}"), (CHAIN_ID, ALICE, {ALICE: 2**64}, f"accounts.{ALICE}"),
])
def test_wrong_argument_is_named(chain_id: str, operator: str, accounts: dict[str, int], path: str) -> None:
    with pytest.raises(GenesisInvalid, match=f"^{path}: "):
        new_genesis(chain_id, [{"consensus_address_hex": PROPOSERS[0].hex(), "operator": operator}], accounts)


def test_every_room_has_a_store_and_so_has_the_engines_part() -> None:
    assert STORE_NAMES == tuple(sorted([CONSENSUS_STORE, *(module.name for module in new_app().modules)]))
    assert sorted(MODULE_ACCOUNTS) == ["community", "disputes", "fee_collector", "inference", "models", "rewards",
                                       "sessions", "work"]
