"""Delivery: whatever the bytes and whatever a handler does, one result; kept or dropped as a whole."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from abci_app.runtime.context import Ctx
from abci_app.runtime.deliver import check_tx, run_tx, simulate_tx
from abci_app.store.errors import DatabaseDamaged, StaleBranch, UnknownStore
from abci_app.wire.errors import REGISTRY, ChainError, InvariantBroken, Unauthorized
from abci_app.wire.pb.cosmos.tx.signing.v1beta1.signing_pb2 import SIGN_MODE_LEGACY_AMINO_JSON
from abci_app.wire.pb.cosmos.tx.v1beta1.tx_pb2 import AuthInfo, TxRaw
from abci_app.wire.tx import INJECTED_MARK, encode_injected
from tests.chain import Chain, address_of, codes, new_test_key


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    with Chain(tmp_path, {"alice": 1_000_000, "bob": 0}) as chain:
        yield chain


def with_handler(chain: Chain, run: Callable[[Ctx, Any], Any]) -> None:
    """Put another handler behind MsgSend."""
    name = "/cosmos.bank.v1beta1.MsgSend"
    chain.app.router.msgs[name] = replace(chain.app.router.msgs[name], run=run)


@pytest.mark.parametrize("bug", [KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError, StopIteration])
def test_bug_in_a_handler_costs_its_transaction_and_not_the_chain(chain: Chain, bug: type[Exception]) -> None:
    def run(ctx: Ctx, msg: object) -> None:
        ctx.state.store("bank").set(b"written", b"1")
        raise bug("secret 0x7f00")

    with_handler(chain, run)
    result = chain.block([chain.sign("alice", chain.send_msg("alice", "bob", 5))], proposer=0)[0]
    assert (result.codespace, result.code, result.log) == ("internal", 1, f"internal error: {bug.__name__}")
    assert not chain.ctx().state.store("bank").has(b"written")
    account = chain.app.auth.get_account(chain.ctx(), new_test_key("alice").address)
    assert (chain.balance("alice"), account.sequence) == (999_000, 1)


@pytest.mark.parametrize("fault", [
    InvariantBroken, MemoryError, RecursionError, OSError, ImportError, ModuleNotFoundError, SystemError,
    StaleBranch, UnknownStore, DatabaseDamaged,
])
def test_fault_of_the_state_or_the_machine_stops_the_node(chain: Chain, fault: type[Exception]) -> None:
    def run(ctx: Ctx, msg: object) -> None:
        raise fault("of this machine")

    with_handler(chain, run)
    with pytest.raises(fault):
        chain.block([chain.sign("alice", chain.send_msg("alice", "bob", 5))])


def test_entry_that_the_store_does_not_take_is_a_bug_that_every_node_has(chain: Chain) -> None:
    with_handler(chain, lambda ctx, msg: ctx.state.store("bank").set(b"", b"1"))
    result = chain.block([chain.sign("alice", chain.send_msg("alice", "bob", 5))])[0]
    assert (result.codespace, result.code, result.log) == ("internal", 1, "internal error: InvalidEntry")


def test_events_of_messages_carry_their_index(chain: Chain) -> None:
    raw = chain.sign("alice", chain.send_msg("alice", "bob", 5), chain.send_msg("alice", "bob", 6))
    events = chain.block([raw])[0].events
    kinds = ["coin_spent", "coin_received", "transfer"]
    assert [event.type for event in events] == kinds + ["tx", "tx"] + ["message", *kinds] * 2
    assert [dict(event.attributes).get("msg_index") for event in events[5:]] == ["0"] * 4 + ["1"] * 4
    assert dict(events[4].attributes) == {"acc_seq": f"{address_of('alice')}/0"}
    assert dict(events[5].attributes) == {"action": "/cosmos.bank.v1beta1.MsgSend", "sender": address_of("alice"),
                                          "module": "bank", "msg_index": "0"}
    assert all(key for event in events for key, _ in event.attributes)


def test_failed_message_keeps_the_events_of_admission_only(chain: Chain) -> None:
    result = chain.block([chain.sign("alice", chain.send_msg("alice", "bob", 10**9))])[0]
    assert [event.type for event in result.events] == ["coin_spent", "coin_received", "transfer", "tx", "tx"]


def test_refused_transaction_has_no_events(chain: Chain) -> None:
    result = chain.block([chain.sign("alice", chain.send_msg("alice", "bob", 5), sequence=5)])[0]
    assert result.events == () and result.data == b""


def test_mempool_admits_a_row_of_sequences_and_no_gap(chain: Chain) -> None:
    message = chain.send_msg("alice", "bob", 5)
    first, second, third = (chain.sign("alice", message, ahead=ahead) for ahead in range(3))
    assert codes([chain.check(third)]) == [("sdk", 32)]
    assert codes([chain.check(raw) for raw in (first, second, third, first)]) == [("", 0)] * 3 + [("sdk", 32)]
    assert codes(chain.block([first, second, third])) == [("", 0)] * 3
    assert codes([chain.check(chain.sign("alice", message))]) == [("", 0)]


def test_mempool_runs_no_message(chain: Chain) -> None:
    """What fails only in its handler is admitted: it pays for its failure in a block."""
    assert codes([chain.check(chain.sign("alice", chain.send_msg("alice", "bob", 10**9)))]) == [("", 0)]


def test_injected_transactions_never_come_from_the_mempool(chain: Chain) -> None:
    raw = encode_injected(chain.send_msg("alice", "bob", 5))
    result = chain.check(raw)
    assert (result.codespace, result.code) == (Unauthorized.codespace, Unauthorized.code)


def test_message_for_users_is_refused_when_injected(chain: Chain) -> None:
    """A proposer cannot move anybody's coins by leaving out the signature."""
    assert codes(chain.block([encode_injected(chain.send_msg("alice", "bob", 5))])) == [("sdk", 6)]
    assert chain.balance("bob") == 0


def test_simulation_writes_nothing(chain: Chain) -> None:
    before, ctx = chain.state(), chain.ctx()
    result = simulate_tx(chain.app.ante, ctx, chain.sign("alice", chain.send_msg("alice", "bob", 5)))
    assert result.code == 0 and result.gas_used > 0
    chain.block()
    assert chain.state() == before


def edit_auth(raw: bytes, edit: Callable[[AuthInfo], None]) -> bytes:
    """A transaction with another auth info and a signature of zeros, as wallets send it before they sign."""
    envelope = TxRaw.FromString(raw)
    auth_info = AuthInfo.FromString(envelope.auth_info_bytes)
    edit(auth_info)
    envelope.auth_info_bytes = auth_info.SerializeToString(deterministic=True)
    envelope.signatures[0] = bytes(64)
    return envelope.SerializeToString(deterministic=True)


def test_simulation_needs_neither_key_nor_sequence_nor_a_mode_that_signs_here(chain: Chain) -> None:
    def unsign(auth_info: AuthInfo) -> None:
        info = auth_info.signer_infos[0]
        info.ClearField("public_key")
        info.mode_info.single.mode = SIGN_MODE_LEGACY_AMINO_JSON
        info.sequence = 7

    signed = chain.sign("alice", chain.send_msg("alice", "bob", 5))
    asked = edit_auth(signed, unsign)
    estimate = simulate_tx(chain.app.ante, chain.ctx(), asked)
    assert estimate.code == 0, estimate.log
    result = chain.block([asked, signed])
    assert codes(result) == [("sdk", 8), ("", 0)]
    assert 0 <= estimate.gas_used - result[1].gas_used < 100
    again = simulate_tx(chain.app.ante, chain.ctx(), asked)  # the account's key is known by now
    assert (again.code, again.gas_used) == (0, estimate.gas_used)


def test_simulation_of_an_account_that_does_not_exist_is_refused(chain: Chain) -> None:
    result = simulate_tx(chain.app.ante, chain.ctx(), chain.sign("nobody", chain.send_msg("nobody", "bob", 5)))
    assert (result.codespace, result.code) == ("sdk", 9)


def test_bug_in_admission_refuses_and_does_not_raise(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("bug")

    monkeypatch.setattr(type(chain.app.auth), "find_account", broken)
    raw, ante = b"\x0a", chain.app.ante
    monkeypatch.setattr(type(ante), "decode", broken)
    for run in (check_tx, run_tx, simulate_tx):
        assert codes([run(ante, chain.ctx(), raw)]) == [("internal", 1)]


def test_every_registered_error_says_what_it_is() -> None:
    for (codespace, code), kind in REGISTRY.items():
        assert code >= 2 and codespace and kind.text and kind("detail").detail == "detail"
        assert str(kind("detail")) == f"detail: {kind.text}" and str(kind()) == kind.text


@pytest.mark.parametrize(("codespace", "code"), [("sdk", 0), ("sdk", 1), ("sdk", 5)])
def test_reserved_or_taken_code_cannot_be_registered(codespace: str, code: int) -> None:
    with pytest.raises(TypeError, match="reserved or taken"):
        type("Another", (ChainError,), {"codespace": codespace, "code": code, "text": "x"})


def test_mark_alone_is_refused(chain: Chain) -> None:
    assert codes(chain.block([INJECTED_MARK, INJECTED_MARK + b"\0"])) == [("sdk", 6), ("sdk", 2)]
