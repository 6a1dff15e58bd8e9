"""A transaction is read once: what is remembered of it is its own, and never decides for another state."""

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from abci_app.runtime.ante import CACHED_TX_BYTES
from abci_app.runtime.context import Ctx
from abci_app.runtime.deliver import check_tx, run_tx
from abci_app.runtime.gas import GasMeter
from abci_app.runtime.mempool import Mempool
from abci_app.wire.errors import TxDecodeError
from tests.chain import Chain, codes


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    with Chain(tmp_path, {"alice": 1_000_000, "bob": 0}) as chain:
        yield chain


def test_handler_that_changes_its_message_changes_nobody_elses(chain: Chain) -> None:
    name = "/cosmos.bank.v1beta1.MsgSend"
    route, seen = chain.app.router.msgs[name], []

    def run(ctx: Ctx, message: Any) -> Any:
        seen.append(message.amount[0].amount)
        message.amount[0].amount = "1"
        return route.run(ctx, message)

    chain.app.router.msgs[name] = replace(route, run=run)
    raw = chain.sign("alice", chain.send_msg("alice", "bob", 5))
    for _ in range(3):
        assert run_tx(chain.app.ante, chain.ctx(1), raw).code == 0
    assert seen == ["5", "5", "5"]


def test_small_transaction_is_read_once_and_a_large_one_each_time(chain: Chain) -> None:
    ante = chain.app.ante
    small = chain.sign("alice", chain.send_msg("alice", "bob", 5))
    large = chain.sign("alice", *[chain.send_msg("alice", "bob", 5)] * 16)
    assert len(small) <= CACHED_TX_BYTES < len(large)
    assert ante.decode(bytes(bytearray(small))) is ante.decode(small)
    assert ante.decode(large) is not ante.decode(large)
    assert codes([run_tx(ante, chain.ctx(1), large)]) == [("", 0)]


def test_bytes_that_are_no_transaction_are_refused_each_time(chain: Chain) -> None:
    for _ in range(2):
        with pytest.raises(TxDecodeError):
            chain.app.ante.decode(b"garbage")


def test_transaction_that_was_read_is_judged_by_each_state_anew(chain: Chain) -> None:
    raw = chain.sign("alice", chain.send_msg("alice", "bob", 5), timeout_height=2)
    assert codes([chain.check(raw)]) == [("", 0)]
    assert codes(chain.block([raw])) == [("", 0)]
    assert codes([chain.check(raw)]) == [("sdk", 32)]
    chain.block()
    assert codes([chain.check(raw)]) == [("sdk", 30)]


def new_mempool(chain: Chain) -> Mempool:
    return chain.app.ante.new_mempool(chain.ctx(1))


def test_transaction_that_is_known_is_asked_for_its_state_and_not_for_its_signature(chain: Chain) -> None:
    raw = chain.sign("alice", chain.send_msg("alice", "bob", 5))
    forged = raw[:-1] + bytes([raw[-1] ^ 1])
    assert codes([check_tx(chain.app.ante, new_mempool(chain), forged)]) == [("sdk", 4)]
    assert codes([check_tx(chain.app.ante, new_mempool(chain), forged, is_known=True)]) == [("", 0)]
    assert codes([check_tx(chain.app.ante, new_mempool(chain), chain.sign(
        "alice", chain.send_msg("alice", "bob", 5), ahead=1), is_known=True)]) == [("sdk", 32)]
    assert codes([run_tx(chain.app.ante, chain.ctx(1), forged)]) == [("sdk", 4)]


def test_mempool_takes_the_fee_of_what_it_admits_and_emits_nothing(chain: Chain) -> None:
    mempool = new_mempool(chain)
    first = chain.sign("alice", chain.send_msg("alice", "bob", 5), fee_ugrad=999_000)
    result = check_tx(chain.app.ante, mempool, first)
    assert (result.code, result.events, mempool.ctx.events) == (0, (), [])
    second = chain.sign("alice", chain.send_msg("alice", "bob", 5), ahead=1, fee_ugrad=1_001)
    assert codes([check_tx(chain.app.ante, mempool, second)]) == [("sdk", 5)]


def test_context_of_a_layer_is_of_the_same_block(chain: Chain) -> None:
    ctx = replace(chain.ctx(7), proposer_address=b"p", last_app_hash=b"a", last_block_hash=b"b", misbehaviour=("m",))
    own = {"state", "gas", "events"}
    for other in (ctx.branch(), ctx.branch(GasMeter(1)), ctx.unmetered()):
        for field in fields(Ctx):
            assert field.name in own or getattr(other, field.name) == getattr(ctx, field.name)
