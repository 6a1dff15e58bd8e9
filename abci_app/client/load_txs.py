"""Transactions for a load: accounts that come from one key, coins for them, transfers signed before the clock starts.

The memo of each names its run and a time, so that blocks alone tell how long it took: MARK/run/milliseconds since 1970.
The accounts' keys are an HMAC of the payer's private key and a number: whoever has that key has their coins again.
"""

import hmac
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from coincurve import PrivateKey

from abci_app.client.chain import ChainClient
from abci_app.client.errors import LoadTooLate, QueryRefused, TxRefused
from abci_app.client.keys import Key
from abci_app.client.load import Load, Report
from abci_app.client.send import GAS_MARGIN_PPM, Sender
from abci_app.client.txs import TxTerms, build_auth_info, build_body, compute_fee_ugrad, unsigned_tx
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.ints import PPM, mul_div_ceil
from abci_app.wire.pb.cosmos.bank.v1beta1.tx_pb2 import MsgSend
from abci_app.wire.pb.cosmos.tx.v1beta1.tx_pb2 import TxRaw
from abci_app.wire.tx import MESSAGES_MAX, sign_bytes

MARK = "gradus-bench"
MEMO = re.compile(rb"gradus-bench/([0-9a-f]{8})/([0-9]{13})")
AMOUNT_UGRAD = 1
FUNDED_RUNS = 2  # an account that must be funded gets enough for so many runs like this one
SAMPLE = 200  # transactions that are signed once more, to learn how long signing takes
PREPARE_S = 1.0
PREPARE_FACTOR = 3.0


@dataclass(frozen=True, slots=True)
class Account:
    """An account that sends."""

    key: Key
    number: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Offer:
    """What every transaction of a load says besides its message."""

    chain_id: str
    gas_limit: int
    fee_ugrad: int


@dataclass(frozen=True, slots=True)
class Signed:
    """A load that is signed. run: its name in the memos. seconds: how long signing took, of this process's time."""

    load: Load
    run: str
    seconds: float


def derive_load_key(payer: Key, index: int) -> Key:
    """The key of the account of a number, from 0."""
    return Key(hmac.digest(payer.private, f"{MARK} account {index}".encode(), "sha256"))


def new_run() -> str:
    """A name that no other run has."""
    return secrets.token_hex(4)


def new_memo(run: str, time_s: float) -> str:
    """The memo of a transaction of a run. time_s: as time.time tells it."""
    return f"{MARK}/{run}/{int(time_s * 1000):013d}"


def find_memo(raw: bytes) -> tuple[str, float] | None:
    """(run, time in seconds) of a transaction's memo, wherever it stands in the bytes; None for one without."""
    found = MEMO.search(raw)
    return None if found is None else (found[1].decode(), int(found[2]) / 1000)


def new_transfer(sender: Key, recipient: Key) -> MsgSend:
    """The message that every transaction carries: the least amount of coins to the next account."""
    return MsgSend(from_address=sender.bech32, to_address=recipient.bech32,
                   amount=[coin_pb(base_coin(AMOUNT_UGRAD))])


def estimate_offer(chain: ChainClient, payer: Key) -> Offer:
    """Gas by simulation of a transfer to oneself, and the fee at the node's price. Raises TxRefused."""
    account = chain.find_account(payer.bech32)
    terms = TxTerms("", 0, account.sequence if account else 0, 0, 0, memo=new_memo(new_run(), time.time()))
    try:
        used = chain.simulate(unsigned_tx(payer.public, [new_transfer(payer, payer)], terms))
    except QueryRefused as error:
        raise TxRefused(error.codespace, error.code, error.log) from None
    gas_limit = mul_div_ceil(used, GAS_MARGIN_PPM, PPM)
    return Offer(chain.chain_id(), gas_limit, compute_fee_ugrad(gas_limit, chain.gas_price_ppm()))


def fund_accounts(chain: ChainClient, payer: Key, keys: Sequence[Key], need_ugrad: int, report: Report) -> None:
    """Give every account that has less than it needs the coins of FUNDED_RUNS runs, many messages in a transaction."""
    missing = []
    for place, key in enumerate(keys):
        has_ugrad = chain.balance(key.bech32)
        report("reading accounts", place + 1, len(keys))
        if has_ugrad < need_ugrad:
            missing.append((key, FUNDED_RUNS * need_ugrad - has_ugrad))
    sender = Sender(chain, payer)
    for place in range(0, len(missing), MESSAGES_MAX):
        part = missing[place:place + MESSAGES_MAX]
        sender.send([MsgSend(from_address=payer.bech32, to_address=key.bech32, amount=[coin_pb(base_coin(ugrad))])
                     for key, ugrad in part])
        report("funding accounts", place + len(part), len(missing))


def read_accounts(chain: ChainClient, keys: Sequence[Key]) -> list[Account]:
    """Number and sequence of each, once a node has the state that they were funded in."""
    accounts = []
    for key in keys:
        found = chain.find_account(key.bech32)
        accounts.append(Account(key, found.account_number if found else 0, found.sequence if found else 0))
    return accounts


def sign_load(accounts: Sequence[Account], offer: Offer, count: int, rate: float | None,
              report: Report = lambda what, done, total: None) -> Signed:
    """`count` transfers, of each account in turn.

    The memo tells when a transaction is due where there is a rate, else when it was signed. So the first is due when
    all will be signed, by an estimate that is three times as long as signing a few takes. Raises LoadTooLate when even
    that was not enough.
    """
    run, signer = new_run(), Signer(accounts, offer)
    begin_s = 0.0
    if rate is not None:
        began_s = time.perf_counter()
        for index in range(min(SAMPLE, count)):
            signer.sign(index, new_memo(run, time.time()))
        begin_s = time.time() + PREPARE_S + PREPARE_FACTOR * count * (time.perf_counter() - began_s) / SAMPLE
    txs, due_s, began_s = [], [], time.process_time()
    for index in range(count):
        due_s += [] if rate is None else [begin_s + index / rate]
        txs.append(signer.sign(index, new_memo(run, due_s[-1] if due_s else time.time())))
        if index % 100 == 99 or index + 1 == count:
            report("signing", index + 1, count)
    if rate is not None and time.time() > begin_s:
        raise LoadTooLate(f"{count} transactions were not signed in time to hand them in at {rate:g} a second",
                          "the machine is too busy: take fewer, with --txs or --seconds")
    lanes = [index % len(accounts) for index in range(count)]
    return Signed(Load(txs, lanes, due_s), run, time.process_time() - began_s)


class Signer:
    """Signs the transfers of a load; what is the same in all of an account's is made once."""

    def __init__(self, accounts: Sequence[Account], offer: Offer) -> None:
        self._accounts, self._offer = accounts, offer
        self._keys = [(PrivateKey(account.key.private), account.key.public) for account in accounts]
        self._messages = [new_transfer(account.key, accounts[(place + 1) % len(accounts)].key)
                          for place, account in enumerate(accounts)]

    def sign(self, index: int, memo: str) -> bytes:
        """The bytes of the transaction of a number, from 0."""
        turn, place = divmod(index, len(self._accounts))
        account, (private, public) = self._accounts[place], self._keys[place]
        terms = TxTerms(self._offer.chain_id, account.number, account.sequence + turn, self._offer.gas_limit,
                        self._offer.fee_ugrad, memo=memo)
        body, auth_info = build_body([self._messages[place]], terms), build_auth_info(public, terms)
        signature = private.sign_recoverable(sign_bytes(body, auth_info, terms.chain_id, account.number))[:64]
        return TxRaw(body_bytes=body, auth_info_bytes=auth_info,
                     signatures=[signature]).SerializeToString(deterministic=True)
