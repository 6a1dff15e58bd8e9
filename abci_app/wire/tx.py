"""Transactions: the one decoder that every phase of a block uses, sign bytes, and injected transactions.

A user's transaction is a Cosmos `TxRaw` in SIGN_MODE_DIRECT. An injected one is put at the head of a block by its
proposer and is not signed: INJECTED_MARK followed by a protobuf Any. No TxRaw begins with the mark's first byte.
Source: Cosmos ADR-020 (TxRaw, SignDoc) and ADR-027 (signed bytes are used as received, never re-encoded).
"""

import hashlib
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message

from abci_app.wire.errors import TxDecodeError, TxTooLarge, UnknownExtensionOptions
from abci_app.wire.pb.cosmos.tx.v1beta1 import tx_pb2

TX_BYTES_MAX = 1 << 20
MESSAGES_MAX = 16
MEMO_CHARS_MAX = 256
SIMULATION_GAS_MAX = 50_000_000  # nobody pays for an estimate, so it may not cost a node more than this
INJECTED_MARK = b"\x00gradus/injected\x00"
Parsed = TypeVar("Parsed", bound=Message)


@dataclass(frozen=True, slots=True)
class Tx:
    """A decoded transaction, with the received bytes that its signatures cover."""

    raw: bytes
    body_bytes: bytes
    auth_info_bytes: bytes
    signatures: tuple[bytes, ...]
    body: tx_pb2.TxBody
    auth_info: tx_pb2.AuthInfo

    @property
    def hash(self) -> bytes:
        return tx_hash(self.raw)


def tx_hash(raw: bytes) -> bytes:
    """SHA-256 of a transaction's bytes, as the engine and every Cosmos client name it."""
    return hashlib.sha256(raw).digest()


def parse_strict(kind: type[Parsed], data: bytes, what: str) -> Parsed:
    """`data` as `kind`, refusing fields we do not know at any depth. Raises TxDecodeError (sdk/2)."""
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise TxDecodeError(f"{what} is not a {kind.DESCRIPTOR.full_name}") from None
    size = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != size:
        raise TxDecodeError(f"{what} has fields this version does not know")
    return message


def decode_tx(raw: bytes) -> Tx:
    """Decode and bound a user's transaction.

    Raises TxTooLarge (sdk/21) above TX_BYTES_MAX, TxDecodeError (sdk/2) for anything malformed or not in canonical
    form, UnknownExtensionOptions (sdk/31).
    """
    if len(raw) > TX_BYTES_MAX:
        raise TxTooLarge(f"{len(raw)} bytes; the most is {TX_BYTES_MAX}")
    envelope = parse_strict(tx_pb2.TxRaw, raw, "the transaction")
    if envelope.SerializeToString(deterministic=True) != raw:
        raise TxDecodeError("the transaction's envelope is not in canonical form")
    body = parse_strict(tx_pb2.TxBody, envelope.body_bytes, "the body")
    auth_info = parse_strict(tx_pb2.AuthInfo, envelope.auth_info_bytes, "the auth info")
    if body.extension_options:
        raise UnknownExtensionOptions("no critical extension option is known here; leave them out")
    if not 1 <= len(body.messages) <= MESSAGES_MAX:
        raise TxDecodeError(f"a transaction has 1 to {MESSAGES_MAX} messages")
    return Tx(raw, envelope.body_bytes, envelope.auth_info_bytes, tuple(envelope.signatures), body, auth_info)


def sign_bytes(body_bytes: bytes, auth_info_bytes: bytes, chain_id: str, account_number: int) -> bytes:
    """The SignDoc that a SIGN_MODE_DIRECT signature covers (its SHA-256 is signed)."""
    document = tx_pb2.SignDoc(body_bytes=body_bytes, auth_info_bytes=auth_info_bytes, chain_id=chain_id,
                              account_number=account_number)
    return document.SerializeToString(deterministic=True)


def type_url(kind: type[Message] | Message) -> str:
    """`/package.Message`, the name of a message inside an Any."""
    return "/" + kind.DESCRIPTOR.full_name


def pack(message: Message) -> Any:
    """The message as an Any with a `/package.Message` URL."""
    return Any(type_url=type_url(message), value=message.SerializeToString(deterministic=True))


def is_injected(raw: bytes) -> bool:
    """Whether the bytes claim to be an injected transaction."""
    return raw.startswith(INJECTED_MARK)


def encode_injected(message: Message) -> bytes:
    """The bytes of an injected transaction."""
    return INJECTED_MARK + pack(message).SerializeToString(deterministic=True)


def decode_injected(raw: bytes) -> Any:
    """The Any inside an injected transaction, which must be in canonical form. Raises TxDecodeError, TxTooLarge."""
    if not is_injected(raw):
        raise TxDecodeError("not an injected transaction")
    if len(raw) > TX_BYTES_MAX:
        raise TxTooLarge(f"{len(raw)} bytes; the most is {TX_BYTES_MAX}")
    body = raw[len(INJECTED_MARK):]
    packed = parse_strict(Any, body, "the injected transaction")
    if packed.SerializeToString(deterministic=True) != body:
        raise TxDecodeError("the injected transaction is not in canonical form")
    return packed
