"""A user's transaction as its bytes alone say it: decoded, its messages checked, its signers and its offer known.

Nothing here knows a state, so a transaction is read once, however often it is admitted. A `UserTx` never changes, and
its messages are parsed anew for whoever runs them, because a handler could change what it is given.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from google.protobuf.message import Message

from abci_app.runtime.module import MsgRoute
from abci_app.runtime.router import Router
from abci_app.wire.address import decode_address
from abci_app.wire.coin import Coin, parse_coins
from abci_app.wire.errors import InvalidPubKey, MemoTooLarge, NotSupported, TxDecodeError
from abci_app.wire.ints import I64_MAX
from abci_app.wire.pb.cosmos.crypto.secp256k1.keys_pb2 import PubKey
from abci_app.wire.pb.cosmos.tx.signing.v1beta1.signing_pb2 import SIGN_MODE_DIRECT
from abci_app.wire.pb.cosmos.tx.v1beta1.tx_pb2 import Fee, SignerInfo
from abci_app.wire.signature import SIGNATURE_BYTES
from abci_app.wire.tx import MEMO_CHARS_MAX, Tx, decode_tx, parse_strict, type_url

KEY_BYTES = 74  # a secp256k1 key as an Any in a signer's info, with what its length adds around it
KEY_URL = type_url(PubKey)


@dataclass(frozen=True, eq=False)
class Signer:
    """What a transaction says of one signature: which key made it, over which sequence, in which mode.

    packed_key: type URL and bytes of the key that it brings; None for the one that the account used before.
    """

    packed_key: tuple[str, bytes] | None
    sequence: int
    is_direct: bool

    @cached_property
    def key(self) -> bytes | None:
        """The 33-byte key that the transaction brings. Raises InvalidPubKey (sdk/8), TxDecodeError (sdk/2)."""
        return None if self.packed_key is None else read_key(*self.packed_key)


@dataclass(frozen=True, eq=False)
class UserTx:
    """One transaction that passed all checks that need no state.

    size: bytes of the whole. gas_limit: 0..2^63-1. timeout_height: the last block that takes it, 0 for any. messages:
    each one's route and bytes. senders: the bech32 texts in the messages' signer fields. fee: not to be changed.
    """

    size: int
    body_bytes: bytes
    auth_info_bytes: bytes
    signatures: tuple[bytes, ...]
    gas_limit: int
    timeout_height: int
    messages: tuple[tuple[MsgRoute, bytes], ...]
    senders: tuple[str, ...]
    infos: tuple[Signer, ...]
    fee: Fee

    @cached_property
    def signers(self) -> tuple[bytes, ...]:
        """Addresses that must sign, in order of first appearance. Raises InvalidAddress (sdk/7)."""
        return tuple(dict.fromkeys(decode_address(sender) for sender in self.senders))

    @cached_property
    def offer(self) -> tuple[Coin, ...]:
        """The offered fee, which the first signer pays.

        Raises NotSupported (sdk/37), InvalidAddress (sdk/7), InvalidCoins (sdk/10).
        """
        fee = self.fee
        if fee.granter or (fee.payer and decode_address(fee.payer) != self.signers[0]):
            raise NotSupported("the fee is paid by the first signer; leave payer and granter empty")
        return parse_coins(fee.amount)

    @property
    def missing_bytes(self) -> int:
        """Bytes that signing will add: signatures that are empty, keys that are left out."""
        signatures = sum(not signature for signature in self.signatures)
        return SIGNATURE_BYTES * signatures + KEY_BYTES * sum(info.packed_key is None for info in self.infos)

    def iter_messages(self) -> Iterator[tuple[MsgRoute, Message]]:
        """Each message, its own to whoever asks, with its route."""
        return ((route, route.request.FromString(packed)) for route, packed in self.messages)


def read_tx(router: Router, raw: bytes) -> UserTx:
    """Everything that needs no state. Raises the wire's and the messages' own errors."""
    tx = decode_tx(raw)
    messages = [router.decode_msg(packed) for packed in tx.body.messages]
    for route, message in messages:
        route.check(message)
    if len(tx.body.memo) > MEMO_CHARS_MAX:
        raise MemoTooLarge(f"{len(tx.body.memo)} characters; the most is {MEMO_CHARS_MAX}")
    if tx.auth_info.fee.gas_limit > I64_MAX:
        raise TxDecodeError("the gas limit is above 2^63-1")
    return _new_user_tx(tx, messages)


def read_key(url: str, packed: bytes) -> bytes:
    """The 33-byte key in an Any of this type URL. Raises InvalidPubKey (sdk/8), TxDecodeError (sdk/2)."""
    if url != KEY_URL:
        raise InvalidPubKey("only secp256k1 keys sign here; send the public key with the first transaction")
    return parse_strict(PubKey, packed, "the public key").key


def _new_user_tx(tx: Tx, messages: list[tuple[MsgRoute, Message]]) -> UserTx:
    return UserTx(
        size=len(tx.raw), body_bytes=tx.body_bytes, auth_info_bytes=tx.auth_info_bytes, signatures=tx.signatures,
        gas_limit=tx.auth_info.fee.gas_limit, timeout_height=tx.body.timeout_height,
        messages=tuple((route, packed.value) for (route, _), packed in zip(messages, tx.body.messages, strict=True)),
        senders=tuple(getattr(message, route.signer) for route, message in messages),
        infos=tuple(_new_signer(info) for info in tx.auth_info.signer_infos), fee=tx.auth_info.fee)


def _new_signer(info: SignerInfo) -> Signer:
    key = (info.public_key.type_url, info.public_key.value) if info.HasField("public_key") else None
    is_direct = info.mode_info.WhichOneof("sum") == "single" and info.mode_info.single.mode == SIGN_MODE_DIRECT
    return Signer(key, info.sequence, is_direct)
