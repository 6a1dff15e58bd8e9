"""For any bytes: the decoder and delivery answer with a code, and nothing but the signed transaction itself runs."""

from collections.abc import Iterator

import pytest
from google.protobuf.any_pb2 import Any
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from abci_app.runtime.deliver import TxResult, check_tx, run_tx, simulate_tx
from abci_app.wire.address import decode_bech32, encode_bech32
from abci_app.wire.coin import parse_amount
from abci_app.wire.errors import ChainError
from abci_app.wire.ints import U128_MAX, mul_div_ceil, mul_div_floor
from abci_app.wire.merkle import MerkleTree, inner_hash, leaf_hash, merkle_root, verify_leaves
from abci_app.wire.pb.cosmos.tx.v1beta1.tx_pb2 import AuthInfo, Fee, ModeInfo, SignerInfo, TxBody, TxRaw
from abci_app.wire.seed import draw_rows, hash_fields, shuffle
from abci_app.wire.tx import INJECTED_MARK, decode_injected, decode_tx
from tests.chain import Chain

# Not what other modules' objects warn of when they happen to be collected while a test of this one runs.
pytestmark = pytest.mark.filterwarnings("error", "ignore::pytest.PytestUnraisableExceptionWarning")
FUZZ = settings(max_examples=300, deadline=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with Chain(tmp_path_factory.mktemp("chain"), {"alice": 10**9, "bob": 0}) as chain:
        chain.block([chain.sign("alice", chain.send_msg("alice", "bob", 1_000_000))])
        yield chain


def type_urls(chain: Chain) -> list[str]:
    return sorted([*chain.app.router.msgs, *chain.app.router.injected, "", "/a.B", "/cosmos.crypto.secp256k1.PubKey"])


def run_all(chain: Chain, raw: bytes) -> list[TxResult]:
    """One result each from the mempool, the block and simulation."""
    ante = chain.app.ante
    results = [check_tx(ante, ante.new_mempool(chain.ctx()), raw), run_tx(ante, chain.ctx(), raw),
               simulate_tx(ante, chain.ctx(), raw)]
    assert all(isinstance(result, TxResult) and result.codespace != "internal" for result in results)
    return results


@FUZZ
@given(st.binary(max_size=400))
def test_random_bytes_get_a_refusal(chain: Chain, raw: bytes) -> None:
    assert all(result.code >= 2 for result in run_all(chain, raw))


@FUZZ
@given(st.binary(max_size=200))
def test_random_bytes_behind_the_mark_get_a_refusal(chain: Chain, body: bytes) -> None:
    assert all(result.code >= 2 for result in run_all(chain, INJECTED_MARK + body))


@FUZZ
@given(st.data())
def test_random_messages_in_a_sound_envelope_get_a_refusal(chain: Chain, data: st.DataObject) -> None:
    """Well-formed protobuf at every level but the messages' own bytes: reaches the rooms' stateless checks."""
    anys = st.builds(Any, type_url=st.sampled_from(type_urls(chain)), value=st.binary(max_size=60))
    modes = st.builds(ModeInfo, single=st.builds(ModeInfo.Single, mode=st.sampled_from([0, 1, 127, 500])))
    infos = st.builds(SignerInfo, public_key=anys, mode_info=modes, sequence=st.integers(0, 2**64 - 1))
    fees = st.builds(Fee, gas_limit=st.integers(0, 2**64 - 1), payer=st.text(max_size=5), granter=st.text(max_size=5))
    body = data.draw(st.builds(TxBody, messages=st.lists(anys, max_size=3), memo=st.text(max_size=300),
                               timeout_height=st.integers(0, 2**64 - 1)))
    auth_info = data.draw(st.builds(AuthInfo, signer_infos=st.lists(infos, max_size=3), fee=fees))
    raw = TxRaw(body_bytes=body.SerializeToString(), auth_info_bytes=auth_info.SerializeToString(),
                signatures=data.draw(st.lists(st.binary(max_size=65), max_size=3))).SerializeToString()
    results = run_all(chain, raw)
    assert all(result.code >= 2 for result in results[:2])


@FUZZ
@given(st.data())
def test_random_fields_in_every_message_get_one_result(chain: Chain, data: st.DataObject) -> None:
    """A signed transaction with any message whose fields are random: whatever the handlers make of it, one result.

    Addresses are often the signer's own, so that handlers run too.
    """
    url = data.draw(st.sampled_from(sorted(chain.app.router.msgs)))
    route = chain.app.router.msgs[url]
    message = route.request()
    try:
        message.ParseFromString(data.draw(st.binary(max_size=80)))
    except Exception:
        message = route.request()
    setattr(message, route.signer, chain.send_msg("alice", "bob", 1).from_address)
    message.DiscardUnknownFields()
    raw = chain.sign("alice", message)
    result = run_tx(chain.app.ante, chain.ctx(), raw)
    assert isinstance(result, TxResult) and result.codespace != "internal"


@FUZZ
@given(st.data())
def test_changed_transaction_never_runs(chain: Chain, data: st.DataObject) -> None:
    """Any other bytes than those that were signed are refused before anything is written."""
    raw = chain.sign("alice", chain.send_msg("alice", "bob", 5))
    at = data.draw(st.integers(0, len(raw) - 1))
    kind = data.draw(st.sampled_from(["flip", "cut", "insert", "swap", "repeat"]))
    if kind == "flip":
        changed = raw[:at] + bytes([raw[at] ^ data.draw(st.integers(1, 255))]) + raw[at + 1:]
    elif kind == "cut":
        changed = raw[:at] + raw[at + data.draw(st.integers(1, 8)):]
    elif kind == "insert":
        changed = raw[:at] + data.draw(st.binary(min_size=1, max_size=8)) + raw[at:]
    elif kind == "swap":
        other = data.draw(st.integers(0, len(raw) - 1))
        low, high = sorted([at, other])
        changed = raw[:low] + raw[high:] + raw[low:high]
    else:
        changed = raw + raw[at:]
    assume(changed != raw)
    ctx = chain.ctx()
    result = run_tx(chain.app.ante, ctx, changed)
    assert result.code >= 2 and ctx.state.changes() == [] and ctx.events == []


@given(st.binary(max_size=300))
def test_decoder_raises_only_its_own_errors(raw: bytes) -> None:
    for decode in (decode_tx, decode_injected, lambda body: decode_injected(INJECTED_MARK + body)):
        try:
            decode(raw)
        except ChainError:
            pass


@given(st.text(max_size=100))
def test_bech32_is_read_only_in_the_form_it_is_written(text: str) -> None:
    try:
        prefix, data = decode_bech32(text)
    except ChainError:
        return
    assert encode_bech32(prefix, data) == text


@given(st.binary(max_size=40), st.integers(0, 59), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
def test_bech32_finds_every_single_typing_error(data: bytes, place: int, char: str) -> None:
    text = encode_bech32("gradus", data)
    assert decode_bech32(text) == ("gradus", data)
    place = 7 + place % (len(text) - 7)
    wrong = text[:place] + char + text[place + 1:]
    if wrong != text:
        with pytest.raises(ChainError):
            decode_bech32(wrong)


@given(st.text(max_size=45))
def test_amount_is_read_only_in_the_form_it_is_written(text: str) -> None:
    try:
        amount = parse_amount(text)
    except ChainError:
        return
    assert str(amount) == text and 0 <= amount <= U128_MAX


@given(st.integers(0, 2**128), st.integers(0, 2**64), st.integers(1, 2**64))
def test_divisions_differ_by_at_most_one(a: int, b: int, divisor: int) -> None:
    low, high = mul_div_floor(a, b, divisor), mul_div_ceil(a, b, divisor)
    assert low * divisor <= a * b <= high * divisor and high - low == (1 if a * b % divisor else 0)


def root_by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962: split at the largest power of two below the size."""
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return inner_hash(root_by_definition(leaves[:split]), root_by_definition(leaves[split:]))


LEAVES = st.lists(st.binary(max_size=5), min_size=1, max_size=40)


@given(LEAVES)
def test_merkle_root_is_that_of_rfc_6962(leaves: list[bytes]) -> None:
    assert merkle_root(leaves) == root_by_definition(leaves)


@given(LEAVES, st.data())
def test_proof_of_any_leaves_verifies_and_no_other(leaves: list[bytes], data: st.DataObject) -> None:
    tree, count = MerkleTree(leaves), len(leaves)
    indices = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1)))
    proof, chosen = tree.prove(indices), [leaves[index] for index in indices]
    assert verify_leaves(tree.root, count, indices, chosen, proof)
    assert not verify_leaves(tree.root, count, indices, chosen, proof + [bytes(32)])
    assert not verify_leaves(tree.root, count, indices, chosen[:-1] + [chosen[-1] + b"!"], proof)
    assert not verify_leaves(hash_fields("another"), count, indices, chosen, proof)
    assert not verify_leaves(tree.root, count, indices[:-1], chosen, proof)
    if proof:
        assert not verify_leaves(tree.root, count, indices, chosen, proof[:-1])
        at = data.draw(st.integers(0, len(proof) - 1))
        other = bytes([proof[at][0] ^ 1]) + proof[at][1:]
        assert not verify_leaves(tree.root, count, indices, chosen, proof[:at] + [other] + proof[at + 1:])


@given(LEAVES, st.data())
def test_leaf_does_not_verify_in_another_place(leaves: list[bytes], data: st.DataObject) -> None:
    tree, count = MerkleTree(leaves), len(leaves)
    index, other = data.draw(st.integers(0, count - 1)), data.draw(st.integers(0, count + 3))
    assume(other >= count or leaves[index] != leaves[other])
    assert not verify_leaves(tree.root, count, [other], [leaves[index]], tree.prove([index]))


@given(st.binary(min_size=32, max_size=32), st.integers(-2, 40), st.lists(st.integers(-2, 45), max_size=6),
       st.lists(st.binary(max_size=3), max_size=6), st.lists(st.binary(min_size=30, max_size=33), max_size=6))
def test_verifier_refuses_any_nonsense(root: bytes, count: int, indices: list[int], leaves: list[bytes],
                                       proof: list[bytes]) -> None:
    assert not verify_leaves(root, count, indices, leaves, proof)


@given(st.binary(max_size=8), st.integers(0, 50), st.integers(1, 2**32 - 1))
def test_draws_are_in_range_and_shuffles_are_permutations(seed: bytes, count: int, rows: int) -> None:
    assert all(0 <= row < rows for row in draw_rows(seed, count, rows))
    assert sorted(shuffle(seed, count)) == list(range(count))


def test_chain_under_test_runs_the_unchanged_transaction(chain: Chain) -> None:
    """The properties above would be empty if nothing ran."""
    raw = chain.sign("alice", chain.send_msg("alice", "bob", 5))
    assert [result.code for result in run_all(chain, raw)] == [0, 0, 0]
