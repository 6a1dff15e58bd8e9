"""Transactions: a real one that CosmJS 0.39.0 made, the decoder's refusals, signatures, injected ones."""

import hashlib

import pytest
from google.protobuf.any_pb2 import Any

from abci_app.client.keys import derive_key
from abci_app.wire.address import decode_address
from abci_app.wire.errors import TxDecodeError, TxTooLarge
from abci_app.wire.pb.cosmos.bank.v1beta1.tx_pb2 import MsgSend
from abci_app.wire.pb.cosmos.crypto.secp256k1.keys_pb2 import PubKey
from abci_app.wire.signature import is_valid_signature
from abci_app.wire.tx import (
    INJECTED_MARK, TX_BYTES_MAX, decode_injected, decode_tx, encode_injected, is_injected, parse_strict, sign_bytes,
    type_url,
)

COSMJS_TX = bytes.fromhex(
    "0a8b010a84010a1c2f636f736d6f732e62616e6b2e763162657461312e4d736753656e6412640a2b707963683139726c34636d32686d7238"
    "616679346b6c6470787a33666b61346a677571306134356c323968122b707963683139726c34636d32686d7238616679346b6c6470787a33"
    "666b61346a677571306134356c3239681a080a037570791201311202686912640a500a460a1f2f636f736d6f732e63727970746f2e736563"
    "703235366b312e5075624b657912230a21024f4e2ad99c34d60b9ba6283c9431a8418af8673212961f97a77b6377fcd05b6212040a020801"
    "180312100a0a0a03757079120337303010f0a2041a40b1436f3e0ed9e15ebf7b1fb993872693e82467a7dd7f7113a6944be6a766aceb3f16"
    "1ed5dab0635f39b8d35f90ae9e075c7d6ed0a8f837cf0d433f4e2cfe32b7")
CHAIN_ID, ACCOUNT_NUMBER = "py-1", 7
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
ORDER = 2 * HALF_ORDER + 1


def cosmjs_document() -> bytes:
    tx = decode_tx(COSMJS_TX)
    return sign_bytes(tx.body_bytes, tx.auth_info_bytes, CHAIN_ID, ACCOUNT_NUMBER)


def test_transaction_of_cosmjs_is_read() -> None:
    tx = decode_tx(COSMJS_TX)
    assert tx.hash.hex().upper() == "B8F0DC7A1EC13F6D23AD982F227C7D211361E80BDA9B3FB59F6AFE854F6F1055"
    assert tx.body.messages[0].type_url == type_url(MsgSend) == "/cosmos.bank.v1beta1.MsgSend"
    message = parse_strict(MsgSend, tx.body.messages[0].value, "message")
    assert (message.amount[0].denom, message.amount[0].amount, tx.body.memo) == ("upy", "1", "hi")
    fee, info = tx.auth_info.fee, tx.auth_info.signer_infos[0]
    assert (fee.gas_limit, fee.amount[0].amount, fee.amount[0].denom, info.sequence) == (70_000, "700", "upy", 3)
    key = parse_strict(PubKey, info.public_key.value, "key").key
    assert decode_address(message.from_address, prefix="pych") == derive_key("abandon " * 11 + "about").address
    assert is_valid_signature(key, cosmjs_document(), tx.signatures[0])


def test_our_signature_is_the_one_that_cosmjs_made() -> None:
    """Both are deterministic (RFC 6979), so key derivation, sign bytes and signature agree to the bit."""
    key = derive_key("abandon " * 11 + "about")
    assert [key.sign(cosmjs_document())] == list(decode_tx(COSMJS_TX).signatures)


@pytest.mark.parametrize(("chain_id", "number"), [("py-2", 7), ("py-1", 8), ("py-1", 0)])
def test_signature_is_bound_to_chain_and_account(chain_id: str, number: int) -> None:
    tx = decode_tx(COSMJS_TX)
    document = sign_bytes(tx.body_bytes, tx.auth_info_bytes, chain_id, number)
    key = derive_key("abandon " * 11 + "about")
    assert not is_valid_signature(key.public, document, tx.signatures[0])


def test_signature_with_high_s_is_refused() -> None:
    """The same signature in its other form: valid to the curve, refused here, so that a hash stays unique."""
    key, signature = derive_key("abandon " * 11 + "about"), decode_tx(COSMJS_TX).signatures[0]
    high = ORDER - int.from_bytes(signature[32:], "big")
    assert not is_valid_signature(key.public, cosmjs_document(), signature[:32] + high.to_bytes(32, "big"))


@pytest.mark.parametrize("key", [b"", bytes(33), b"\2" + b"\xff" * 32, b"\4" + b"a" * 64, b"\5" + b"a" * 32])
def test_malformed_key_signs_nothing(key: bytes) -> None:
    assert not is_valid_signature(key, b"message", decode_tx(COSMJS_TX).signatures[0])


@pytest.mark.parametrize("signature", [
    b"", bytes(64), bytes(63), bytes(65), b"\xff" * 32 + bytes(32), bytes(32) + b"\1" * 32,
])
def test_malformed_signature_is_no_signature(signature: bytes) -> None:
    assert not is_valid_signature(derive_key("abandon " * 11 + "about").public, b"message", signature)


@pytest.mark.parametrize("size", range(0, len(COSMJS_TX), 7))
def test_every_truncation_is_refused(size: int) -> None:
    with pytest.raises(TxDecodeError):
        decode_tx(COSMJS_TX[:size])


def test_too_many_bytes_are_refused_before_they_are_read() -> None:
    with pytest.raises(TxTooLarge):
        decode_tx(bytes(TX_BYTES_MAX + 1))
    with pytest.raises(TxTooLarge):
        decode_injected(INJECTED_MARK + bytes(TX_BYTES_MAX))


def test_deep_nesting_is_refused_and_does_not_exhaust_the_stack() -> None:
    """Groups and messages nested far deeper than any of ours."""
    for nested in (b"\x0b" * 500_000, b"".join(b"\x0a" + bytes([127]) for _ in range(5_000))):
        with pytest.raises(TxDecodeError):
            decode_tx(nested)


def test_injected_transaction_is_written_and_read_back() -> None:
    raw = encode_injected(MsgSend(from_address="a"))
    assert is_injected(raw) and not is_injected(COSMJS_TX)
    assert decode_injected(raw) == Any(type_url="/cosmos.bank.v1beta1.MsgSend", value=b"\n\1a")
    with pytest.raises(TxDecodeError):
        decode_tx(raw)


@pytest.mark.parametrize("body", [b"\xff", b"\x12\0\x0a\0", b"\x18\1", b"\x0a\0"])
def test_injected_transaction_in_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(TxDecodeError):
        decode_injected(INJECTED_MARK + body)


def test_transaction_hash_is_sha256_of_its_bytes() -> None:
    assert decode_tx(COSMJS_TX).hash == hashlib.sha256(COSMJS_TX).digest()
