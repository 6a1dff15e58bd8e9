"""Admission: the checks that every user's transaction passes before a message of it runs.

In consensus order: decode, gas for size and signatures, stateless checks of every message, memo, timeout, signers,
fee, accounts, sequences, signatures; then the writes: fee, sequence, public key. The writes stay when a message
fails later, so a failing transaction pays and cannot be replayed.
Source: Cosmos ADR-020; error codes and wording of the Cosmos SDK, which stock clients parse.
"""

from dataclasses import dataclass
from typing import Protocol

from google.protobuf.message import Message

from abci_app.runtime.context import Ctx
from abci_app.runtime.events import new_event
from abci_app.runtime.gas import ADMISSION_GAS, SIGNATURE_GAS, TX_BYTE_GAS
from abci_app.runtime.module import MsgRoute
from abci_app.runtime.router import Router
from abci_app.wire.address import account_address, decode_address, encode_address
from abci_app.wire.coin import BASE_DENOM, Coin, coins_text, parse_coins
from abci_app.wire.errors import (
    InsufficientFee, InvalidPubKey, MemoTooLarge, NoSignatures, NotSupported, TxDecodeError,
    TxTimeoutHeight, Unauthorized, UnknownAddress, WrongSequence,
)
from abci_app.wire.ints import I64_MAX, PPM, mul_div_ceil
from abci_app.wire.pb.cosmos.auth.v1beta1.auth_pb2 import BaseAccount
from abci_app.wire.pb.cosmos.crypto.secp256k1.keys_pb2 import PubKey
from abci_app.wire.pb.cosmos.tx.signing.v1beta1.signing_pb2 import SIGN_MODE_DIRECT
from abci_app.wire.pb.cosmos.tx.v1beta1.tx_pb2 import Fee, SignerInfo
from abci_app.wire.signature import SIGNATURE_BYTES, is_valid_signature
from abci_app.wire.tx import MEMO_CHARS_MAX, Tx, decode_tx, pack, parse_strict, sign_bytes, type_url


KEY_BYTES = 74  # a secp256k1 key as an Any in a signer's info, with what its length adds around it


class Accounts(Protocol):
    """What admission needs of the auth room."""

    def find_account(self, ctx: Ctx, address: bytes) -> BaseAccount | None: ...

    def put_account(self, ctx: Ctx, account: BaseAccount) -> None: ...

    def gas_price_ppm(self, ctx: Ctx) -> int:
        """ugrad per million gas that a transaction must offer at least."""


class Fees(Protocol):
    """What admission needs of the bank room."""

    def collect_fee(self, ctx: Ctx, payer: bytes, fee: tuple[Coin, ...]) -> None: ...


@dataclass(frozen=True)
class Admitted:
    """A transaction that may run: its messages with their routes, in order."""

    tx: Tx
    messages: tuple[tuple[MsgRoute, Message], ...]


@dataclass(frozen=True)
class Ante:
    """The checks of admission over the rooms they need."""

    router: Router
    accounts: Accounts
    fees: Fees

    def decode(self, raw: bytes) -> Admitted:
        """Everything that needs no state. Raises the wire's and the messages' own errors."""
        tx = decode_tx(raw)
        messages = tuple(self.router.decode_msg(packed) for packed in tx.body.messages)
        for route, message in messages:
            route.check(message)
        if len(tx.body.memo) > MEMO_CHARS_MAX:
            raise MemoTooLarge(f"{len(tx.body.memo)} characters; the most is {MEMO_CHARS_MAX}")
        if tx.auth_info.fee.gas_limit > I64_MAX:
            raise TxDecodeError("the gas limit is above 2^63-1")
        return Admitted(tx, messages)

    def admit(self, ctx: Ctx, admitted: Admitted, simulate: bool = False) -> None:
        """Check against the state and take the fee.

        `simulate` is for wallets that ask before they sign: it leaves out the fee's floor, sequences, keys and
        signatures, and counts the bytes that are still to come.

        ctx.gas carries the transaction's own limit. Raises errors of codespace sdk; writes only when all pass.
        """
        tx = admitted.tx
        size = len(tx.raw) + (_count_missing_bytes(tx) if simulate else 0)
        ctx.gas.use(TX_BYTE_GAS * size, "transaction size")
        ctx.gas.use(ADMISSION_GAS + SIGNATURE_GAS * len(tx.auth_info.signer_infos), "admission")
        if tx.body.timeout_height and ctx.height > tx.body.timeout_height:
            raise TxTimeoutHeight(f"block {ctx.height} is past the timeout {tx.body.timeout_height}")
        signers = compute_signers(admitted.messages)
        fee = self._check_fee(ctx, tx.auth_info.fee, signers[0], simulate)
        accounts = self._check_signers(ctx, tx, signers, simulate)
        unmetered = ctx.unmetered()
        if fee:
            self.fees.collect_fee(unmetered, signers[0], fee)
        for account in accounts:
            account.sequence += 1
            self.accounts.put_account(unmetered, account)
        payer = encode_address(signers[0])
        ctx.emit(new_event("tx", fee=coins_text(fee), fee_payer=payer))
        ctx.emit(new_event("tx", acc_seq=f"{payer}/{accounts[0].sequence - 1}"))

    def _check_fee(self, ctx: Ctx, fee: Fee, payer: bytes, simulate: bool) -> tuple[Coin, ...]:
        """The offered fee, if it reaches the floor and comes from the first signer."""
        if fee.granter or (fee.payer and decode_address(fee.payer) != payer):
            raise NotSupported("the fee is paid by the first signer; leave payer and granter empty")
        offered = parse_coins(fee.amount)
        if simulate:
            return ()
        if any(coin.denom != BASE_DENOM for coin in offered):
            raise InsufficientFee(f"fees are paid in {BASE_DENOM}")
        floor = mul_div_ceil(fee.gas_limit, self.accounts.gas_price_ppm(ctx), PPM)
        if sum(coin.amount for coin in offered) < floor:
            raise InsufficientFee(f"{coins_text(offered) or 'no fee'} offered, {floor}{BASE_DENOM} required "
                                  f"for a gas limit of {fee.gas_limit}")
        return offered

    def _check_signers(self, ctx: Ctx, tx: Tx, signers: tuple[bytes, ...], simulate: bool) -> list[BaseAccount]:
        """One account per signer, each with the right sequence and a valid signature."""
        infos = tx.auth_info.signer_infos
        if not tx.signatures:
            raise NoSignatures("sign the transaction")
        if not len(tx.signatures) == len(infos) == len(signers):
            raise Unauthorized(f"{len(signers)} signers, {len(infos)} signer infos, {len(tx.signatures)} signatures")
        accounts = []
        for address, info, signature in zip(signers, infos, tx.signatures):
            account = self.accounts.find_account(ctx, address)
            if account is None:
                raise UnknownAddress(f"account {encode_address(address)} does not exist; send coins to it first")
            accounts.append(account)
            if simulate:
                continue
            key = _signer_key(info, account, address)
            if info.sequence != account.sequence:
                raise WrongSequence(f"account sequence mismatch, expected {account.sequence}, got {info.sequence}")
            _check_signature(ctx, tx, info, account, key, signature)
            account.pub_key.CopyFrom(pack(PubKey(key=key)))
        return accounts


def compute_signers(messages: tuple[tuple[MsgRoute, Message], ...]) -> tuple[bytes, ...]:
    """Addresses that must sign, in order of first appearance."""
    signers: list[bytes] = []
    for route, message in messages:
        address = decode_address(getattr(message, route.signer))
        if address not in signers:
            signers.append(address)
    return tuple(signers)


def _count_missing_bytes(tx: Tx) -> int:
    """Bytes that signing will add: signatures that are empty, keys that are left out."""
    signatures = sum(not signature for signature in tx.signatures)
    keys = sum(not info.HasField("public_key") for info in tx.auth_info.signer_infos)
    return SIGNATURE_BYTES * signatures + KEY_BYTES * keys


def _signer_key(info: SignerInfo, account: BaseAccount, address: bytes) -> bytes:
    """The signer's 33-byte key: from the transaction, else the one the account used before."""
    packed = info.public_key if info.HasField("public_key") else account.pub_key
    if packed.type_url != type_url(PubKey):
        raise InvalidPubKey("only secp256k1 keys sign here; send the public key with the first transaction")
    key = parse_strict(PubKey, packed.value, "the public key").key
    if account_address(key) != address:
        raise InvalidPubKey(f"the public key does not belong to {encode_address(address)}")
    return key


def _check_signature(ctx: Ctx, tx: Tx, info: SignerInfo, account: BaseAccount, key: bytes, signature: bytes) -> None:
    if info.mode_info.WhichOneof("sum") != "single" or info.mode_info.single.mode != SIGN_MODE_DIRECT:
        raise NotSupported("only SIGN_MODE_DIRECT is supported")
    document = sign_bytes(tx.body_bytes, tx.auth_info_bytes, ctx.chain_id, account.account_number)
    if not is_valid_signature(key, document, signature):
        raise Unauthorized(f"signature verification failed; check chain-id ({ctx.chain_id}), account number "
                           f"({account.account_number}) and sequence ({account.sequence})")
