"""Accounts: made once, numbered in order, found again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from abci_app.app import MODULE_ACCOUNTS
from abci_app.client.txs import TxTerms, build_body
from abci_app.runtime.context import Ctx
from abci_app.wire.address import encode_address, module_address
from abci_app.wire.errors import InvalidAddress, InvariantBroken, UnknownAddress
from abci_app.wire.pb.cosmos.auth.v1beta1.auth_pb2 import BaseAccount
from abci_app.wire.pb.cosmos.tx.v1beta1.tx_pb2 import AuthInfo, TxRaw
from abci_app.wire.tx import decode_tx, sign_bytes
from abci_app.x.auth.keys import NEXT_NUMBER_KEY, account_key
from tests.chain import Chain, new_test_key

ALICE, BOB, CAROL = (new_test_key(name).address for name in ("alice", "bob", "carol"))


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    with Chain(tmp_path, {"alice": 100, "bob": 50}) as chain:
        yield chain


@pytest.fixture
def ctx(chain: Chain) -> Ctx:
    return chain.ctx()


def test_accounts_are_numbered_in_order_and_once(chain: Chain, ctx: Ctx) -> None:
    auth = chain.app.auth
    first = 2 + len(MODULE_ACCOUNTS)  # two people, and the modules
    assert auth.next_account_number(ctx) == first
    assert auth.ensure_account(ctx, CAROL).account_number == first
    assert auth.ensure_account(ctx, CAROL).account_number == first
    assert auth.ensure_account(ctx, bytes(20)).account_number == first + 1
    assert sorted(account.account_number for account in auth.iter_accounts(ctx)) == list(range(first + 2))
    assert chain.app.check_invariants(ctx) == []


def test_unknown_account_is_not_found(chain: Chain, ctx: Ctx) -> None:
    assert chain.app.auth.find_account(ctx, CAROL) is None and not chain.app.auth.has_account(ctx, CAROL)
    with pytest.raises(UnknownAddress):
        chain.app.auth.get_account(ctx, CAROL)


def test_account_is_written_under_its_own_address(chain: Chain, ctx: Ctx) -> None:
    account = chain.app.auth.get_account(ctx, ALICE)
    account.sequence = 9
    chain.app.auth.put_account(ctx, account)
    assert chain.app.auth.get_account(ctx, ALICE).sequence == 9
    with pytest.raises(InvalidAddress):
        chain.app.auth.put_account(ctx, BaseAccount(address="alice"))


def test_gas_price_has_bounds(chain: Chain, ctx: Ctx) -> None:
    assert chain.app.auth.gas_price_ppm(ctx) == 1_000
    chain.app.auth.put_gas_price_ppm(ctx, 0)
    assert chain.app.auth.gas_price_ppm(ctx) == 0
    for price in (-1, 2**64):
        with pytest.raises(InvariantBroken):
            chain.app.auth.put_gas_price_ppm(ctx, price)


def test_free_chain_takes_no_fee(tmp_path: Path) -> None:
    with Chain(tmp_path / "free", {"alice": 100}) as chain:
        state = chain.app.export_genesis(chain.ctx())
    state["auth"]["gas_price_ppm"] = "0"
    with Chain(tmp_path / "other", app_state=state) as chain:
        assert chain.block([chain.sign("alice", chain.send_msg("alice", "bob", 100), fee_ugrad=0)])[0].code == 0


def test_public_key_of_the_first_signature_serves_the_later_ones(chain: Chain) -> None:
    message = chain.send_msg("alice", "bob", 1)
    assert chain.block([chain.sign("alice", message, gas_limit=20_000)])[0].code == 0
    tx = decode_tx(chain.sign("alice", message, gas_limit=20_000))
    auth_info = AuthInfo.FromString(tx.auth_info_bytes)
    auth_info.signer_infos[0].ClearField("public_key")
    body, auth_bytes = build_body([message], TxTerms("", 0, 0, 0, 0)), auth_info.SerializeToString()
    number = chain.app.auth.get_account(chain.ctx(), ALICE).account_number
    signature = new_test_key("alice").sign(sign_bytes(body, auth_bytes, chain.chain_id, number))
    raw = TxRaw(body_bytes=body, auth_info_bytes=auth_bytes, signatures=[signature]).SerializeToString()
    assert chain.block([raw])[0].code == 0


@pytest.mark.parametrize(("key", "value", "name"), [
    (NEXT_NUMBER_KEY, b"9", "auth/numbers"),
    (account_key(CAROL), BaseAccount(address=encode_address(CAROL), account_number=1).SerializeToString(),
     "auth/numbers"),
    (account_key(BOB), BaseAccount(address=encode_address(CAROL), account_number=1).SerializeToString(),
     "auth/addresses"),
    (account_key(module_address("work")),
     BaseAccount(address=encode_address(module_address("work")), account_number=4, sequence=1).SerializeToString(),
     "auth/modules"),
])
def test_broken_state_is_found(chain: Chain, ctx: Ctx, key: bytes, value: bytes, name: str) -> None:
    ctx.state.store("auth").set(key, value)
    assert name in [line.split(":")[0] for line in chain.app.check_invariants(ctx)]
