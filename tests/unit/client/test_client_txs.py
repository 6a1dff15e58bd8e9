"""What the client builds is what the chain admits."""

from pathlib import Path

from abci_app.client.txs import TxTerms, compute_fee_ugrad, sign_tx, unsigned_tx
from abci_app.runtime.deliver import simulate_tx
from abci_app.wire.tx import decode_tx
from tests.chain import CHAIN_ID, Chain, codes, new_test_key


def test_fee_is_rounded_up() -> None:
    assert [compute_fee_ugrad(gas, 1_000) for gas in (0, 1, 1_000, 1_001, 200_000)] == [0, 1, 1, 2, 200]


def test_terms_stand_in_the_transaction() -> None:
    terms = TxTerms(CHAIN_ID, account_number=0, sequence=3, gas_limit=5, fee_ugrad=6, timeout_height=7, memo="note")
    tx = decode_tx(sign_tx(new_test_key("alice"), [Chain.send_msg("alice", "bob", 1)], terms))
    assert (tx.body.memo, tx.body.timeout_height, tx.auth_info.signer_infos[0].sequence) == ("note", 7, 3)
    assert (tx.auth_info.fee.gas_limit, tx.auth_info.fee.amount[0].amount) == (5, "6")


def test_simulation_of_an_unsigned_transaction_tells_the_gas_of_the_signed_one(tmp_path: Path) -> None:
    """The fee's own bytes are all that is missing; clients add a margin of more than that."""
    with Chain(tmp_path, {"alice": 1_000_000}) as chain:
        key, message = new_test_key("alice"), chain.send_msg("alice", "bob", 5)
        raw = unsigned_tx(key.public, [message], TxTerms(CHAIN_ID, 0, 0, 0, 0))
        simulated = simulate_tx(chain.app.ante, chain.ctx(), raw)
        assert (simulated.code, simulated.gas_wanted) == (0, 0)
        gas_limit = simulated.gas_used * 11 // 10
        signed = chain.sign("alice", message, gas_limit=gas_limit)
        result = chain.block([signed])[0]
        assert codes([result]) == [("", 0)]
        assert simulated.gas_used < result.gas_used <= gas_limit
