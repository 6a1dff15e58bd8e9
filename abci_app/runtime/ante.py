"""Admission: the checks that every user's transaction passes before a message of it runs.

In consensus order: decode, gas for size and signatures, stateless checks of every message, memo, timeout, signers,
fee, accounts, sequences, signatures; then the writes: fee, sequence, public key. The writes stay when a message
fails later, so a failing transaction pays and cannot be replayed.
Source: Cosmos ADR-020; error codes and wording of the Cosmos SDK, which stock clients parse.
"""

from functools import lru_cache
from typing import Protocol

from abci_app.runtime.context import Ctx
from abci_app.runtime.events import new_event
from abci_app.runtime.gas import ADMISSION_GAS, SIGNATURE_GAS, TX_BYTE_GAS, GasMeter
from abci_app.runtime.mempool import Mempool
from abci_app.runtime.router import Router
from abci_app.runtime.usertx import Signer, UserTx, read_key, read_tx
from abci_app.wire.address import account_address, encode_address
from abci_app.wire.coin import BASE_DENOM, Coin, coins_text
from abci_app.wire.errors import (
    InsufficientFee, InvalidPubKey, NoSignatures, NotSupported, OutOfGas, TxTimeoutHeight, Unauthorized,
    UnknownAddress, WrongSequence,
)
from abci_app.wire.ints import PPM, mul_div_ceil
from abci_app.wire.pb.cosmos.auth.v1beta1.auth_pb2 import BaseAccount
from abci_app.wire.pb.cosmos.crypto.secp256k1.keys_pb2 import PubKey
from abci_app.wire.signature import is_valid_signature
from abci_app.wire.tx import pack, sign_bytes

CACHED_TXS = 1 << 13  # more than a mempool and a block hold
CACHED_TX_BYTES = 1 << 11  # a larger transaction is read again each time


class Accounts(Protocol):
    """What admission needs of the auth room."""

    def find_account(self, ctx: Ctx, address: bytes) -> BaseAccount | None: ...

    def put_account(self, ctx: Ctx, account: BaseAccount) -> None: ...

    def gas_price_ppm(self, ctx: Ctx) -> int:
        """ugrad per million gas that a transaction must offer at least."""


class Fees(Protocol):
    """What admission needs of the bank room."""

    def collect_fee(self, ctx: Ctx, payer: bytes, fee: tuple[Coin, ...]) -> None: ...

    def balance(self, ctx: Ctx, address: bytes, denom: str) -> int: ...

    def check_holds(self, address: bytes, held: int, coin: Coin) -> None:
        """Raises InsufficientFunds (sdk/5) when the amount that is held is below the coin's."""


class Ante:
    """The checks of admission over the rooms they need."""

    def __init__(self, router: Router, accounts: Accounts, fees: Fees) -> None:
        self.router = router
        self.accounts = accounts
        self.fees = fees
        self._read_small = lru_cache(maxsize=CACHED_TXS)(lambda raw: read_tx(router, raw))

    def decode(self, raw: bytes) -> UserTx:
        """Everything that needs no state. Raises the wire's and the messages' own errors.

        A function of the bytes: the cache saves the second reading of what was admitted before, and changes nothing.
        """
        return self._read_small(raw) if len(raw) <= CACHED_TX_BYTES else read_tx(self.router, raw)

    def admit(self, ctx: Ctx, tx: UserTx, simulate: bool = False) -> None:
        """Check against the state and take the fee.

        `simulate` is for wallets that ask before they sign: it leaves out the fee's floor, sequences, keys and
        signatures, and counts the bytes that are still to come.

        ctx.gas carries the transaction's own limit. Raises errors of codespace sdk; writes only when all pass.
        """
        _check_terms(ctx, ctx.gas, tx, tx.missing_bytes if simulate else 0)
        signers, fee = tx.signers, tx.offer
        if simulate:
            fee = ()
        else:
            _check_fee(tx, self.accounts.gas_price_ppm(ctx))
        _check_counts(tx)
        accounts = []
        for index, address in enumerate(signers):
            account = self._get_account(ctx, address)
            accounts.append(account)
            if not simulate:
                _check_signer(ctx, tx, index, account, False)
        unmetered = ctx.unmetered()
        if fee:
            self.fees.collect_fee(unmetered, signers[0], fee)
        for index, account in enumerate(accounts):
            if not simulate:
                _keep_key(tx.infos[index], account)
            account.sequence += 1
            self.accounts.put_account(unmetered, account)
        payer = encode_address(signers[0])
        ctx.emit(new_event("tx", fee=coins_text(fee), fee_payer=payer))
        ctx.emit(new_event("tx", acc_seq=f"{payer}/{accounts[0].sequence - 1}"))

    def new_mempool(self, ctx: Ctx) -> Mempool:
        """An empty mempool over a state."""
        return Mempool(ctx, self.accounts.gas_price_ppm(ctx))

    def reserve(self, mempool: Mempool, gas: GasMeter, tx: UserTx, gas_max: int, is_known: bool) -> None:
        """The same checks for a mempool; what is admitted there uses up its sequence and its fee.

        gas: carries the transaction's own limit. gas_max: what a block takes. is_known: it passed here before, with the
        same account, so its signatures are right. Raises like `admit`, OutOfGas (sdk/11) also above gas_max.
        """
        ctx = mempool.ctx
        _check_terms(ctx, gas, tx, 0)
        signers, fee = tx.signers, tx.offer
        _check_fee(tx, mempool.gas_price_ppm)
        _check_counts(tx)
        accounts = []
        for index, address in enumerate(signers):
            account = mempool.accounts.get(address)
            if account is None:
                account = self._get_account(ctx, address)
            _check_signer(ctx, tx, index, account, is_known)
            accounts.append(account)
        payer, left_ugrad = signers[0], 0
        if fee:
            known_ugrad = mempool.left_ugrad.get(payer)
            held_ugrad = self.fees.balance(ctx, payer, BASE_DENOM) if known_ugrad is None else known_ugrad
            self.fees.check_holds(payer, held_ugrad, fee[0])
            left_ugrad = held_ugrad - fee[0].amount
        if tx.gas_limit > gas_max:
            raise OutOfGas(f"a gas limit of {tx.gas_limit} is above the block's, {gas_max}")
        if fee:
            mempool.left_ugrad[payer] = left_ugrad
        for index, account in enumerate(accounts):
            _keep_key(tx.infos[index], account)
            account.sequence += 1
            mempool.accounts[signers[index]] = account

    def _get_account(self, ctx: Ctx, address: bytes) -> BaseAccount:
        account = self.accounts.find_account(ctx, address)
        if account is None:
            raise UnknownAddress(f"account {encode_address(address)} does not exist; send coins to it first")
        return account


def _check_terms(ctx: Ctx, gas: GasMeter, tx: UserTx, missing_bytes: int) -> None:
    """Gas for size and signatures, and the timeout."""
    gas.use(TX_BYTE_GAS * (tx.size + missing_bytes), "transaction size")
    gas.use(ADMISSION_GAS + SIGNATURE_GAS * len(tx.infos), "admission")
    if tx.timeout_height and ctx.height > tx.timeout_height:
        raise TxTimeoutHeight(f"block {ctx.height} is past the timeout {tx.timeout_height}")


def _check_fee(tx: UserTx, gas_price_ppm: int) -> None:
    """Whether the offered fee is of the base coin alone and reaches the floor."""
    offered = tx.offer
    if any([coin.denom != BASE_DENOM for coin in offered]):
        raise InsufficientFee(f"fees are paid in {BASE_DENOM}")
    floor = mul_div_ceil(tx.gas_limit, gas_price_ppm, PPM)
    if sum([coin.amount for coin in offered]) < floor:
        raise InsufficientFee(f"{coins_text(offered) or 'no fee'} offered, {floor}{BASE_DENOM} required "
                              f"for a gas limit of {tx.gas_limit}")


def _check_counts(tx: UserTx) -> None:
    """As many signatures and infos as signers."""
    if not tx.signatures:
        raise NoSignatures("sign the transaction")
    if not len(tx.signatures) == len(tx.infos) == len(tx.signers):
        raise Unauthorized(f"{len(tx.signers)} signers, {len(tx.infos)} signer infos, "
                           f"{len(tx.signatures)} signatures")


def _check_signer(ctx: Ctx, tx: UserTx, index: int, account: BaseAccount, is_known: bool) -> None:
    """Key, sequence, mode and signature of one signer."""
    info, address = tx.infos[index], tx.signers[index]
    key = _signer_key(info, account, address)
    if info.sequence != account.sequence:
        raise WrongSequence(f"account sequence mismatch, expected {account.sequence}, got {info.sequence}")
    if not info.is_direct:
        raise NotSupported("only SIGN_MODE_DIRECT is supported")
    if not is_known:
        document = sign_bytes(tx.body_bytes, tx.auth_info_bytes, ctx.chain_id, account.account_number)
        if not is_valid_signature(key, document, tx.signatures[index]):
            raise Unauthorized(f"signature verification failed; check chain-id ({ctx.chain_id}), account number "
                               f"({account.account_number}) and sequence ({account.sequence})")


def _keep_key(info: Signer, account: BaseAccount) -> None:
    """Give an account the key that signed for it, unless it has one."""
    if not account.HasField("pub_key") and info.key is not None:
        account.pub_key.CopyFrom(pack(PubKey(key=info.key)))


def _signer_key(info: Signer, account: BaseAccount, address: bytes) -> bytes:
    """The signer's 33-byte key: from the transaction, else the one the account used before."""
    key = info.key
    if key is None:
        key = read_key(account.pub_key.type_url, account.pub_key.value)
    if account_address(key) != address:
        raise InvalidPubKey(f"the public key does not belong to {encode_address(address)}")
    return key
