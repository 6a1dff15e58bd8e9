"""Sender: one account's transactions, from messages to a result in a block.

A transaction is signed over one sequence, so handing its bytes in again can never do it twice. Whatever happens on the
way (a node dies, a reply is lost), the same bytes go to the next node until the chain has an answer; new bytes are
signed only once the old ones can never be in a block.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message

from abci_app.client.chain import ChainClient
from abci_app.client.errors import (
    FeeTooHigh, NodeRefused, NodeUnreachable, ProofInvalid, QueryRefused, TimedOut, TxRefused, WrongChain,
)
from abci_app.client.keys import Key
from abci_app.client.rpc import IN_MEMPOOL, TxOutcome
from abci_app.client.txs import TxTerms, compute_fee_ugrad, sign_tx, unsigned_tx
from abci_app.wire.errors import ChainError, OutOfGas, TxTimeoutHeight, WrongSequence
from abci_app.wire.ints import PPM, mul_div_ceil
from abci_app.wire.pb.cosmos.auth.v1beta1.auth_pb2 import BaseAccount
from abci_app.wire.pb.cosmos.base.abci.v1beta1.abci_pb2 import TxMsgData
from abci_app.wire.tx import SIMULATION_GAS_MAX, tx_hash, type_url

GAS_MARGIN_PPM = 1_300_000
GAS_PRICE_PPM_MAX = 100_000  # a hundred times what a chain begins with
TIMEOUT_S = 60.0
POLL_S = 0.1
POLL_S_MAX = 0.5
INDEX_S = 3.0
RESEND_S = 2.0
OPEN = "it may still get into one: ask for its hash before you send it again"
Sleep = Callable[[float], None]
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction that did what it should. responses: one per message."""

    tx_hash: bytes
    height: int
    gas_used: int
    responses: tuple[Any, ...]


class Sender:
    """Sends the transactions of one key, one after the other; not for use from several threads at once.

    sleep: waits so many seconds; may raise to give up. report: is told, once for each silence, that it is waited out:
    a node that has never answered is not waited for, one that falls silent later is. Gas estimates are remembered by
    the kinds of messages, so that a message that is sent again and again is simulated once.
    """

    def __init__(self, chain: ChainClient, key: Key, timeout_s: float = TIMEOUT_S, sleep: Sleep = time.sleep,
                 report: Callable[[str], None] = lambda text: None, gas_price_ppm_max: int = GAS_PRICE_PPM_MAX) -> None:
        """gas_price_ppm_max: the most that is paid, ugrad per million gas, whatever a node asks."""
        self.gas_price_ppm_max = gas_price_ppm_max
        self.chain, self.key, self.timeout_s, self.sleep = chain, key, timeout_s, sleep
        self.report = report
        self._has_answered = False
        self._chain_id = ""
        self._gas: dict[tuple[str, ...], int] = {}
        self._sequence = 0

    def send(self, messages: Sequence[Message], gas_limit: int | None = None, timeout_height: int = 0,
             memo: str = "", is_usual: bool = True) -> Sent:
        """Sign, hand in, and wait until a block has it.

        gas_limit: None estimates it, once for all usual messages of a kind. timeout_height: last block that may include
        it, 0 for any. is_usual: False where the messages cost more than others of their kind.
        Raises TxRefused with codespace and code (on estimate, on admission, or in a block), TimedOut,
        NodeUnreachable when no node answers at first or answered in time.
        """
        deadline = time.monotonic() + self.timeout_s
        kinds = tuple(type_url(message) for message in messages)
        while True:
            account = self._wait_account(deadline)
            known = gas_limit or (self._gas.get(kinds) if is_usual else None)
            limit = known or self._estimate(messages, account, timeout_height, deadline)
            terms = self._retry(lambda: self._terms(account, limit, timeout_height, memo), deadline)
            try:
                sent = self._deliver(sign_tx(self.key, messages, terms), terms, deadline)
            except TxRefused as error:
                if is_usual and is_error(error, OutOfGas) and kinds in self._gas:
                    del self._gas[kinds]
                    continue
                raise
            if sent is not None:
                self._sequence = terms.sequence + 1
                self._gas |= {kinds: limit} if is_usual and not gas_limit else {}
                return sent

    def _wait_account(self, deadline: float) -> BaseAccount:
        """The account, once a node has the state after this sender's last transaction."""
        while True:
            account = self._retry(lambda: self.chain.find_account(self.key.bech32), deadline)
            if account is None:
                return BaseAccount(address=self.key.bech32)
            if account.sequence >= self._sequence or time.monotonic() >= deadline:
                return account
            self.sleep(POLL_S)

    def _terms(self, account: BaseAccount, gas_limit: int, timeout_height: int, memo: str) -> TxTerms:
        return TxTerms(chain_id=self._pin_chain_id(), account_number=account.account_number,
                       sequence=account.sequence, gas_limit=gas_limit,
                       fee_ugrad=compute_fee_ugrad(gas_limit, self.get_gas_price_ppm()),
                       timeout_height=timeout_height, memo=memo)

    def _pin_chain_id(self) -> str:
        """The chain of the first transaction, which all later ones are for. Raises WrongChain."""
        found = self.chain.chain_id()
        self._chain_id = self._chain_id or found
        if found != self._chain_id:
            raise WrongChain(f"{self.chain.node.url} was a node of chain {self._chain_id!r} and now says {found!r}",
                             "check --node and --chain-id")
        return self._chain_id

    def get_gas_price_ppm(self) -> int:
        """The node's gas price, ugrad per million gas. Raises FeeTooHigh above what this sender pays."""
        price = self.chain.gas_price_ppm()
        if price > self.gas_price_ppm_max:
            raise FeeTooHigh(f"{self.chain.node.url} asks {price} ugrad per million gas; the most that is paid is "
                             f"{self.gas_price_ppm_max}", "ask another node; if the price is right, raise the bound")
        return price

    def _estimate(self, messages: Sequence[Message], account: BaseAccount, timeout_height: int,
                  deadline: float) -> int:
        """A gas limit by simulation. Raises TxRefused with the error that the transaction would end with."""
        terms = TxTerms(chain_id="", account_number=0, sequence=account.sequence, gas_limit=0, fee_ugrad=0,
                        timeout_height=timeout_height)
        raw = unsigned_tx(self.key.public, messages, terms)
        try:
            used = self._retry(lambda: self.chain.simulate(raw), deadline)
        except QueryRefused as error:
            raise TxRefused(error.codespace, error.code, error.log) from None
        if used > SIMULATION_GAS_MAX:
            raise FeeTooHigh(f"{self.chain.node.url} estimates {used} gas; an estimate never passes "
                             f"{SIMULATION_GAS_MAX}", "ask another node")
        return mul_div_ceil(used, GAS_MARGIN_PPM, PPM)

    def _deliver(self, raw: bytes, terms: TxTerms, deadline: float) -> Sent | None:
        """Hand in the bytes and wait for their result. None: another transaction has taken the sequence; sign anew.

        A mempool lives no longer than its node. So while no block has the bytes they are handed in again: at once when
        another node is in use than the one that took them, and every RESEND_S to one that may have started anew.
        """
        name, pause, hopeless_since = tx_hash(raw), POLL_S, 0.0
        refused = self._hand_in(raw, deadline)
        holder, handed_at, is_taken = self.chain.node.url, time.monotonic(), refused is None
        while True:
            try:
                found = self._find_tx(name)
                if found is not None:
                    return _read_outcome(found)
                if refused is not None and not is_error(refused, WrongSequence, TxTimeoutHeight):
                    raise _still_open(refused, name) if is_taken else refused
                hopeless = self._find_hindrance(terms) if refused or terms.timeout_height else None
                hopeless_since = (hopeless_since or time.monotonic()) if hopeless else 0.0
                if hopeless and time.monotonic() - hopeless_since > INDEX_S:
                    if is_error(hopeless, WrongSequence):
                        return None
                    raise hopeless
                is_due = self.chain.node.url != holder or time.monotonic() - handed_at >= RESEND_S
                if hopeless is None and (refused is not None or is_due):
                    refused = self._broadcast(raw)
                    holder, handed_at = self.chain.node.url, time.monotonic()
                    is_taken = is_taken or refused is None
            except NodeUnreachable:
                refused = self._hand_in(raw, deadline)
                holder, handed_at, is_taken = self.chain.node.url, time.monotonic(), is_taken or refused is None
            except NodeRefused:
                pause = POLL_S_MAX
            if time.monotonic() >= deadline:
                raise TimedOut(f"transaction {name.hex().upper()} was in no block after {self.timeout_s:g} s", OPEN)
            self.sleep(pause)
            pause = min(2 * pause, POLL_S_MAX)

    def _find_tx(self, name: bytes) -> TxOutcome | None:
        """What a transaction did; None too from a node that does not say, which is no reason not to hand it in."""
        try:
            return self.chain.node.find_tx(name)
        except NodeRefused:
            return None

    def _find_hindrance(self, terms: TxTerms) -> TxRefused | None:
        """Why a transaction that no block has can never get into one; a block that has it may not be indexed yet."""
        account = self.chain.find_account(self.key.bech32)
        if account is not None and account.sequence > terms.sequence:
            return TxRefused(WrongSequence.codespace, WrongSequence.code, "the sequence is taken")
        if terms.timeout_height and self.chain.height() > terms.timeout_height:
            return TxRefused(TxTimeoutHeight.codespace, TxTimeoutHeight.code,
                             f"block {terms.timeout_height} has passed without it")
        return None

    def _hand_in(self, raw: bytes, deadline: float) -> TxRefused | None:
        """None when a mempool has it, else the refusal; tried again while no node answers."""
        return self._retry(lambda: self._broadcast(raw), deadline)

    def _broadcast(self, raw: bytes) -> TxRefused | None:
        """None when a mempool has it, else the refusal."""
        try:
            outcome = self.chain.node.broadcast_tx(raw)
        except NodeRefused as error:
            if IN_MEMPOOL in error.text:
                return None
            raise
        return _refusal(outcome) if outcome.code else None

    def _retry(self, call: Callable[[], _Result], deadline: float) -> _Result:
        """The call's result, tried again while no node answers any longer, until the deadline."""
        is_told = False
        while True:
            try:
                result = call()
                self._has_answered = True
                return result
            except (NodeUnreachable, NodeRefused) as error:
                if not self._has_answered or time.monotonic() >= deadline:
                    raise
                if not is_told:
                    self.report(f"{error.text}; it is waited for, at most {self.timeout_s:g} s")
                is_told = True
            self.sleep(POLL_S_MAX)


def is_error(error: TxRefused | QueryRefused, *kinds: type[ChainError]) -> bool:
    """Whether the chain's refusal is one of these."""
    return (error.codespace, error.code) in [(kind.codespace, kind.code) for kind in kinds]


def _read_outcome(outcome: TxOutcome) -> Sent:
    """What a transaction in a block did. Raises TxRefused."""
    if outcome.code:
        raise _refusal(outcome)
    try:
        responses = TxMsgData.FromString(outcome.data).msg_responses
    except DecodeError:
        raise ProofInvalid("the node's answer is no result of a transaction") from None
    return Sent(outcome.tx_hash, outcome.height, outcome.gas_used, tuple(responses))


def _still_open(refused: TxRefused, name: bytes) -> TimedOut:
    """A node has taken a transaction and another one refuses it: it may yet come from the first one's mempool."""
    return TimedOut(f"transaction {name.hex().upper()} is in no block yet, and would be refused now: {refused.text}",
                    OPEN)


def _refusal(outcome: TxOutcome) -> TxRefused:
    return TxRefused(outcome.codespace, outcome.code, outcome.log, outcome.tx_hash, outcome.height)
