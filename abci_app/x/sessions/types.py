"""Stateless checks of messages, and the pure rules of sessions: which receipt counts, what is drawn, what cannot be.

Reads/Writes: nothing. Every bound has its reason in README.md beside this file, section "Bounds".
"""

from abci_app.runtime.contract import GMA
from abci_app.runtime.fee import compute_judging_chance, compute_judging_cost, compute_session_stake
from abci_app.runtime.question import WORK_MAX
from abci_app.wire.address import decode_address
from abci_app.wire.coin import parse_base_amount
from abci_app.wire.errors import InvalidAddress
from abci_app.wire.ints import PPM, mul_div_floor, ppm_floor
from abci_app.wire.merkle import HASH_BYTES, LEAVES_MAX
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import (
    SESSION_STATUS_AUDIT, SESSION_STATUS_CLOSING, SESSION_STATUS_DRAW, SESSION_STATUS_OPEN, SESSION_STATUS_SETTLED,
    SESSION_STATUS_SHOWING, Entry, Params, Receipt, Session,
)
from abci_app.wire.pb.gradus.sessions.v1.tx_pb2 import (
    MsgChallengeAnswer, MsgCloseSession, MsgOpenSession, MsgShowEntry, MsgTopUpSession,
)
from abci_app.wire.seed import iter_u64
from abci_app.wire.signature import SIGNATURE_BYTES
from abci_app.x.sessions.errors import (
    EntryMalformed, ReceiptKeyMalformed, ReceiptMalformed, StatementMalformed,
)

STORE = "sessions"
KEY_BYTES = 33
KEY_HEADS = (2, 3)  # of a compressed point
BLOCKS_MIN = 10  # a session is open
PARAM_BLOCKS_MAX = 10_000_000
DRAWN_PER_BLOCK = 256
DUE_PER_BLOCK = 256
ASKED_PER_BLOCK = 64  # the audits room has time for fewer
WRITES_LATER = 48  # of a session, by blocks; its user pays for them beforehand
AUDIT_WRITES_LATER = 130  # of an audit of 64 members; who challenges pays for them beforehand
PAID, EMPTY, WRONG, WITHHELD = "paid", "empty", "wrong", "withheld"
OUTCOMES = (PAID, EMPTY, WRONG, WITHHELD)
CLOSABLE = (SESSION_STATUS_OPEN, SESSION_STATUS_CLOSING)
DRAWN = (SESSION_STATUS_SHOWING, SESSION_STATUS_AUDIT, SESSION_STATUS_SETTLED)  # what a drawn coin may be known in
STATUSES = (*CLOSABLE, SESSION_STATUS_DRAW, SESSION_STATUS_SHOWING, SESSION_STATUS_AUDIT, SESSION_STATUS_SETTLED)


def default_params() -> Params:
    """The parameters of a chain whose genesis names none."""
    return Params(close_blocks=2_000, show_blocks=2_000, session_blocks_max=100_000, kept_blocks=1_000)


def check_open_session(msg: MsgOpenSession) -> None:
    """Stateless validity of MsgOpenSession. Raises InvalidAddress (sdk/7), InvalidCoins (sdk/10), ReceiptKeyMalformed
    (sessions/9)."""
    decode_address(msg.user)
    decode_address(msg.host)
    parse_base_amount(msg.deposit)
    if len(msg.receipt_key) != KEY_BYTES or msg.receipt_key[0] not in KEY_HEADS:
        raise ReceiptKeyMalformed(f"{len(msg.receipt_key)} bytes given")


def check_top_up_session(msg: MsgTopUpSession) -> None:
    """Stateless validity of MsgTopUpSession. Raises InvalidAddress (sdk/7), InvalidCoins (sdk/10)."""
    decode_address(msg.user)
    parse_base_amount(msg.amount)


def check_close_session(msg: MsgCloseSession) -> None:
    """Stateless validity of MsgCloseSession. Raises InvalidAddress (sdk/7), ReceiptMalformed, StatementMalformed
    (sessions/13, /18)."""
    decode_address(msg.sender)
    if msg.HasField("receipt"):
        check_state(msg.receipt)
        if len(msg.receipt.signature) != SIGNATURE_BYTES:
            raise ReceiptMalformed(f"a signature of {len(msg.receipt.signature)} bytes")
    if len(msg.statement) not in (0, SIGNATURE_BYTES) or msg.statement and not msg.HasField("receipt"):
        raise StatementMalformed(f"{len(msg.statement)} bytes given")


def check_show_entry(msg: MsgShowEntry) -> None:
    """Stateless validity of MsgShowEntry. Raises InvalidAddress (sdk/7), EntryMalformed (sessions/22)."""
    decode_address(msg.sender)
    check_entry(msg.entry)


def check_challenge_answer(msg: MsgChallengeAnswer) -> None:
    """Stateless validity of MsgChallengeAnswer. Raises InvalidAddress (sdk/7), EntryMalformed, ReceiptMalformed,
    StatementMalformed (sessions/22, /13, /18)."""
    decode_address(msg.user)
    check_entry(msg.entry)
    check_state(msg.receipt)
    if len(msg.statement) != SIGNATURE_BYTES:
        raise StatementMalformed(f"{len(msg.statement)} bytes given")


def check_state(state: Receipt) -> None:
    """Raises ReceiptMalformed (sessions/13) for what no state of a session is; its signature is not looked at."""
    if not 1 <= state.count <= LEAVES_MAX or state.total_ugrad == 0 or len(state.root) != HASH_BYTES:
        raise ReceiptMalformed(f"{state.count} answers for {state.total_ugrad} ugrad, {len(state.root)} bytes of root")


def check_entry(entry: Entry) -> None:
    """Raises EntryMalformed (sessions/22)."""
    if entry.number == 0 or len(entry.question_hash) != HASH_BYTES or len(entry.answer_hash) != HASH_BYTES:
        raise EntryMalformed(f"number {entry.number}, {len(entry.question_hash)} and {len(entry.answer_hash)} bytes")


def is_later(receipt: Receipt, known: Receipt) -> bool:
    """Whether a receipt replaces the one that the chain knows: it is for more answers and for more coins."""
    return receipt.count > known.count and receipt.total_ugrad > known.total_ugrad


def draw_coin(seed: bytes, total_ugrad: int, audit_ppm: int) -> int:
    """The coin 1..total_ugrad whose entry is audited; 0, with the chance 1 - audit_ppm / 10^6, where none is.

    So an entry is audited with the chance of its part of the money. total_ugrad: at least 1. The biases of the
    remainders are below 2^-44 and 2^-64.
    """
    draws = iter_u64(seed)
    if next(draws) % PPM >= audit_ppm:
        return 0
    return 1 + (next(draws) << 64 | next(draws)) % total_ugrad


def compute_largest_work(policy: InferencePolicy, deposit_ugrad: int, price_ugrad_per_gma: int) -> int:
    """Multiply-adds of the largest question whose fee a deposit bears at a session's price (at least 1)."""
    ask_ugrad = ppm_floor(deposit_ugrad, policy.hosts_ppm)  # of a fee of that deposit
    return min(mul_div_floor(ask_ugrad, GMA, price_ugrad_per_gma), WORK_MAX)


def compute_burnt(policy: InferencePolicy, deposit_ugrad: int, price_ugrad_per_gma: int,
                  audit_price_ugrad_per_gma: int) -> int:
    """ugrad that a session burns beside its deposit: what judging the largest question costs, by its chance, rounded
    up. It never falls while the deposit grows."""
    work = compute_largest_work(policy, deposit_ugrad, price_ugrad_per_gma)
    return compute_judging_chance(policy, compute_judging_cost(work, audit_price_ugrad_per_gma))


def find_contradiction(session: Session, policy: InferencePolicy) -> str | None:
    """What cannot be about a session's record by itself; None where nothing is. policy: of its version of the terms."""
    try:
        decode_address(session.user)
        decode_address(session.host)
    except InvalidAddress:
        return "a party is no address"
    if session.user == session.host:
        return "the user is the host"
    if session.status not in STATUSES:
        return f"no such status: {session.status}"
    if session.deposit_ugrad == 0 or session.stake_ugrad != compute_session_stake(policy, session.deposit_ugrad):
        return f"a stake of {session.stake_ugrad} ugrad stands behind a deposit of {session.deposit_ugrad}"
    receipt = session.receipt
    if receipt.total_ugrad > session.deposit_ugrad or session.HasField("receipt") != (receipt.count > 0):
        return f"a receipt for {receipt.count} answers takes {receipt.total_ugrad} ugrad"
    return _find_status_contradiction(session)


def _find_status_contradiction(session: Session) -> str | None:
    """What cannot be in a status: what is there in it alone, and nothing else."""
    status, is_settled = session.status, session.status == SESSION_STATUS_SETTLED
    if status == SESSION_STATUS_OPEN and (session.user_closed or session.host_closed or session.receipt.count):
        return "it is open, and closed by a party"
    if status in (SESSION_STATUS_DRAW, SESSION_STATUS_SHOWING) and not session.receipt.count:
        return "it is drawn from without a receipt"
    is_audited = status == SESSION_STATUS_AUDIT
    if session.HasField("question") != is_audited or session.audit_seed and not is_audited:
        return "a question is audited only in an audit"
    if session.HasField("entry") != is_audited and not is_settled:
        return "an entry is known only of an audit"
    if not is_settled and (session.number > 0) != is_audited:
        return f"number {session.number} stands in status {status}"
    if session.is_drawn != (session.drawn_ugrad > 0) or session.drawn_ugrad > session.receipt.total_ugrad:
        return f"coin {session.drawn_ugrad} was drawn of {session.receipt.total_ugrad}"
    if session.is_drawn and status not in DRAWN or not session.is_drawn and status == SESSION_STATUS_SHOWING:
        return f"a coin is drawn for what is to be shown alone, not in status {status}"
    if session.challenge_bond_ugrad and (status != SESSION_STATUS_AUDIT or session.is_drawn):
        return "a challenge's bond is held without one"
    if (session.outcome in OUTCOMES) != is_settled or bool(session.outcome) != is_settled:
        return f"the outcome {session.outcome!r} in status {status}"
    if is_settled and session.paid_ugrad + session.refund_ugrad != session.deposit_ugrad:
        return f"{session.paid_ugrad} ugrad paid and {session.refund_ugrad} returned of {session.deposit_ugrad}"
    if not is_settled and (session.paid_ugrad or session.refund_ugrad or session.slashed_ugrad):
        return "coins have moved before the end"
    return None
