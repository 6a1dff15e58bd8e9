"""A mempool on plain numbers says of every transaction what the full admission over layers of the state says."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abci_app.runtime.context import Ctx
from abci_app.runtime.deliver import check_tx
from abci_app.runtime.gas import GasMeter
from abci_app.wire.errors import ChainError
from tests.chain import Chain

NAMES = ["alice", "bob", "poor", "nobody"]
OFFERS = st.fixed_dictionaries({
    "names": st.lists(st.sampled_from(NAMES), min_size=1, max_size=3), "ahead": st.integers(0, 4),
    "fee_ugrad": st.sampled_from([0, 999, 1_000, 1_001, 400_000]), "gas_limit": st.sampled_from([5_000, 1_000_000]),
    "timeout_height": st.sampled_from([0, 1, 2]), "has_wrong_signature": st.booleans()})


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with Chain(tmp_path_factory.mktemp("chain"), {"alice": 1_000_000, "bob": 900_000, "poor": 1_500}) as chain:
        chain.block([chain.sign("bob", chain.send_msg("bob", "alice", 1))])  # so that one account has its key
        yield chain


def new_tx(chain: Chain, offer: dict[str, object]) -> bytes:
    """A transaction of the first name's; further names sign other messages of it, whose signatures are not there."""
    names, has_wrong_signature = offer["names"], offer["has_wrong_signature"]
    terms = {name: offer[name] for name in ("ahead", "fee_ugrad", "gas_limit", "timeout_height")}
    raw = chain.sign(names[0], *[chain.send_msg(name, "alice", 1) for name in names], **terms)
    return raw[:-1] + bytes([raw[-1] ^ 1]) if has_wrong_signature else raw


def admit_in_layers(chain: Chain, ctx: Ctx, raw: bytes) -> tuple[str, int, str, int]:
    """Admission as a block has it, without the messages: codespace, code, text, gas."""
    meter = GasMeter(0)
    try:
        tx = chain.app.ante.decode(raw)
        meter = GasMeter(tx.gas_limit)
        layer = ctx.branch(meter)
        chain.app.ante.admit(layer, tx)
        layer.state.write()
    except ChainError as error:
        return error.codespace, error.code, str(error), meter.used
    return "", 0, "", meter.used


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(OFFERS, min_size=1, max_size=12), st.booleans())
def test_mempool_says_of_any_transactions_what_admission_in_a_block_says(
        chain: Chain, offers: list[dict[str, object]], is_again: bool) -> None:
    ctx, mempool = chain.ctx(2), chain.app.ante.new_mempool(chain.ctx(2))
    txs = [new_tx(chain, offer) for offer in offers]
    expected = [admit_in_layers(chain, ctx, raw) for raw in txs]
    results = [check_tx(chain.app.ante, mempool, raw) for raw in txs]
    assert [(one.codespace, one.code, one.log, one.gas_used) for one in results] == expected
    if is_again:
        admitted = [raw for raw, one in zip(txs, results, strict=True) if one.code == 0]
        after = chain.app.ante.new_mempool(chain.ctx(2))
        assert [check_tx(chain.app.ante, after, raw, is_known=True).code for raw in admitted] == [0] * len(admitted)


def test_what_is_refused_after_its_signature_was_right_leaves_no_key_and_no_sequence(chain: Chain) -> None:
    mempool = chain.app.ante.new_mempool(chain.ctx(2))
    refused = chain.sign("poor", chain.send_msg("poor", "alice", 1), fee_ugrad=1_501)
    assert check_tx(chain.app.ante, mempool, refused).code == 5
    assert (mempool.accounts, mempool.left_ugrad) == ({}, {})
    assert check_tx(chain.app.ante, mempool, chain.sign("poor", chain.send_msg("poor", "alice", 1))).code == 0


def test_gas_limit_above_a_blocks_uses_up_nothing(chain: Chain) -> None:
    mempool = chain.app.ante.new_mempool(chain.ctx(2))
    raw = chain.sign("alice", chain.send_msg("alice", "bob", 1))
    assert (check_tx(chain.app.ante, mempool, raw, gas_max=999_999).code, mempool.accounts) == (11, {})
    assert check_tx(chain.app.ante, mempool, raw, gas_max=1_000_000).code == 0
