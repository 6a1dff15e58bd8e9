"""Making and signing transactions: Cosmos TxRaw in SIGN_MODE_DIRECT. No network here.

Source: Cosmos ADR-020; `abci_app/wire/tx.py` for the sign bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from abci_app.client.keys import Key
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.ints import PPM, mul_div_ceil
from abci_app.wire.pb.cosmos.crypto.secp256k1.keys_pb2 import PubKey
from abci_app.wire.pb.cosmos.tx.signing.v1beta1.signing_pb2 import SIGN_MODE_DIRECT, SIGN_MODE_UNSPECIFIED, SignMode
from abci_app.wire.pb.cosmos.tx.v1beta1.tx_pb2 import AuthInfo, Fee, ModeInfo, SignerInfo, TxBody, TxRaw
from abci_app.wire.tx import pack, sign_bytes


@dataclass(frozen=True, slots=True)
class TxTerms:
    """What a signature covers besides the messages. timeout_height: last block that may include it, 0 for any."""

    chain_id: str
    account_number: int
    sequence: int
    gas_limit: int
    fee_ugrad: int
    timeout_height: int = 0
    memo: str = ""


def compute_fee_ugrad(gas_limit: int, gas_price_ppm: int) -> int:
    """The least fee for a gas limit at a price (ugrad per million gas), rounded up."""
    return mul_div_ceil(gas_limit, gas_price_ppm, PPM)


def build_body(messages: Sequence[Message], terms: TxTerms) -> bytes:
    """The bytes of the body: what is to be done."""
    body = TxBody(messages=[pack(message) for message in messages], memo=terms.memo,
                  timeout_height=terms.timeout_height)
    return body.SerializeToString(deterministic=True)


def build_auth_info(public_key: bytes, terms: TxTerms, mode: SignMode = SIGN_MODE_DIRECT) -> bytes:
    """The bytes of the auth info: who signs, with which sequence, for which fee."""
    amount = [coin_pb(base_coin(terms.fee_ugrad))] if terms.fee_ugrad else []
    signer = SignerInfo(public_key=pack(PubKey(key=public_key)), sequence=terms.sequence,
                        mode_info=ModeInfo(single=ModeInfo.Single(mode=mode)))
    auth_info = AuthInfo(signer_infos=[signer], fee=Fee(amount=amount, gas_limit=terms.gas_limit))
    return auth_info.SerializeToString(deterministic=True)


def sign_tx(key: Key, messages: Sequence[Message], terms: TxTerms) -> bytes:
    """The bytes of a transaction signed by one key, ready to broadcast."""
    body, auth_info = build_body(messages, terms), build_auth_info(key.public, terms)
    signature = key.sign(sign_bytes(body, auth_info, terms.chain_id, terms.account_number))
    return TxRaw(body_bytes=body, auth_info_bytes=auth_info,
                 signatures=[signature]).SerializeToString(deterministic=True)


def unsigned_tx(public_key: bytes, messages: Sequence[Message], terms: TxTerms) -> bytes:
    """The bytes of a transaction with an empty signature, for a gas estimate by simulation."""
    body, auth_info = build_body(messages, terms), build_auth_info(public_key, terms, SIGN_MODE_UNSPECIFIED)
    return TxRaw(body_bytes=body, auth_info_bytes=auth_info, signatures=[b""]).SerializeToString(deterministic=True)
