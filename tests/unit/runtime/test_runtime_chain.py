"""The application over the real store, block by block: what is committed stays, and nothing else decides."""

from pathlib import Path

from abci_app.wire.pb.cosmos.bank.v1beta1.query_pb2 import QueryBalanceRequest
from abci_app.wire.proof import Existence
from abci_app.x.bank.keys import balance_key
from tests.chain import Chain, address_of, codes, new_test_key

BALANCE = "/cosmos.bank.v1beta1.Query/Balance"


def run_blocks(chain: Chain) -> list[str]:
    """App hashes of three blocks with good, failing and malformed transactions."""
    hashes = []
    for amount in (5, 10**12, 7):
        txs = [b"garbage", chain.sign("alice", chain.send_msg("alice", "bob", amount)), b""]
        chain.block(txs)
        hashes.append(chain.app_hash.hex())
    return hashes


def test_same_blocks_give_the_same_app_hashes(tmp_path: Path) -> None:
    with Chain(tmp_path / "one", {"alice": 10**9}) as one, Chain(tmp_path / "two", {"alice": 10**9}) as two:
        hashes = run_blocks(one)
        assert run_blocks(two) == hashes and len(set(hashes)) == 3


def test_another_genesis_gives_another_app_hash(tmp_path: Path) -> None:
    with Chain(tmp_path / "one", {"alice": 10**9}) as one, Chain(tmp_path / "two", {"alice": 10**9 + 1}) as two:
        assert one.app_hash != two.app_hash


def test_closed_chain_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with Chain(tmp_path, {"alice": 10**9}) as chain:
        run_blocks(chain)
        height, app_hash, state = chain.height, chain.app_hash, chain.state()
    with Chain(tmp_path) as chain:
        assert (chain.height, chain.app_hash, chain.state()) == (height, app_hash, state)
        assert codes(chain.block([chain.sign("alice", chain.send_msg("alice", "bob", 1))])) == [("", 0)]


def test_older_heights_are_answered_as_they_were(tmp_path: Path) -> None:
    with Chain(tmp_path, {"alice": 10**9}) as chain:
        run_blocks(chain)
        request = QueryBalanceRequest(address=address_of("bob"), denom="ugrad")
        assert [chain.query(BALANCE, request, height).balance.amount for height in (1, 2, 3)] == ["5", "5", "12"]


def test_fees_go_to_the_operator_of_the_proposer(tmp_path: Path) -> None:
    with Chain(tmp_path, {"alice": 10**9}) as chain:
        for proposer in (2, 2, 1):
            chain.block([chain.sign("alice", chain.send_msg("alice", "bob", 1))], proposer=proposer)
        assert [chain.balance(f"operator{index}") for index in range(4)] == [0, 1_000, 2_000, 0]


def test_balance_is_proved_as_a_readable_number(tmp_path: Path) -> None:
    """The value under the key is the decimal number itself, zero included, with a proof against the app hash."""
    with Chain(tmp_path, {"alice": 1_005}) as chain:
        chain.block([chain.sign("alice", chain.send_msg("alice", "bob", 5))])
        for name, amount in (("alice", b"0"), ("bob", b"5")):
            key = balance_key(new_test_key(name).address, "ugrad")
            proof = chain.database.latest().prove("bank", key)
            assert isinstance(proof.entry, Existence) and proof.app_hash == chain.app_hash
            assert (proof.entry.key, proof.entry.value) == (key, amount)
