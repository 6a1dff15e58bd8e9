"""What users and hosts do with sessions: open, top up, close, show a drawn entry, challenge an answer.

Every handler is a list of named checks, then writes. Source: README.md beside this file.
"""

from abci_app.runtime.context import Ctx
from abci_app.runtime.fee import compute_fee, compute_session_stake
from abci_app.runtime.gas import MULTIPLY_ADDS_PER_GAS, WRITE_GAS
from abci_app.runtime.question import QuestionInvalid, check_question, compute_ask, compute_work
from abci_app.wire.address import decode_address
from abci_app.wire.coin import base_coin, parse_base_amount
from abci_app.wire.ints import U64_MAX, mul_div_ceil
from abci_app.wire.merkle import verify_leaves
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import HOST_STATUS_SLASHED, Host, Question
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_RETIRED, Model, ModelSpec
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import (
    SESSION_STATUS_AUDIT, SESSION_STATUS_OPEN, SESSION_STATUS_SHOWING, Entry, Receipt, Session,
)
from abci_app.wire.pb.gradus.sessions.v1.tx_pb2 import (
    MsgChallengeAnswer, MsgChallengeAnswerResponse, MsgCloseSession, MsgCloseSessionResponse, MsgOpenSession,
    MsgOpenSessionResponse, MsgShowEntry, MsgShowEntryResponse, MsgTopUpSession, MsgTopUpSessionResponse,
)
from abci_app.wire.question import (
    entry_leaf, has_coin, question_hash, receipt_digest, session_seed, statement_digest,
)
from abci_app.wire.signature import is_valid_signature
from abci_app.x.sessions import events
from abci_app.x.sessions.errors import (
    BlocksInvalid, DepositTooLarge, EndpointAbsent, EntryNotDrawn, EntryOfOtherCoins, EntryProofWrong, FeeWrong,
    HostSlashed, ModelNotServed, PartyClosed, PartyWrong, PriceTooHigh, QuestionRefused, QuestionWrong,
    ReceiptAboveDeposit, ReceiptNotLater, ReceiptOfAnotherSession, ReceiptSignatureWrong, SessionChallenged,
    SessionNotOpen, SessionOver, StatementWrong, UserIsHost,
)
from abci_app.x.sessions.keeper import Keeper
from abci_app.x.sessions.types import (
    AUDIT_WRITES_LATER, BLOCKS_MIN, CLOSABLE, STORE, WRITES_LATER, is_later,
)


def open_session(ctx: Ctx, keeper: Keeper, msg: MsgOpenSession) -> MsgOpenSessionResponse:
    """Move the deposit into the module account, behind it a part of the host's bond, and hold the weights. What judging
    the largest question costs that the deposit buys is burnt, by the chance of a draw.

    Checks, in consensus order: the blocks are in range, the user is not the host, the model exists, it is served, its
    weights are kept, the host exists, it has an endpoint, its price is not too high, it takes the session, the user has
    the coins, the weights can be held.
    Raises: BlocksInvalid, UserIsHost (sessions/3, /4), ModelNotFound (models/2), ModelNotServed (sessions/5),
    WeightsNotFound (models/3), what `get_host` and `open_stake` of the inference room raise, EndpointAbsent,
    PriceTooHigh (sessions/6, /7), InsufficientFunds (sdk/5), what `hold_weights` of the models room raises.
    Emits: sessions.session_opened.    Gas: 5 writes, and WRITES_LATER for blocks.
    """
    _check_terms(ctx, keeper, msg)
    model = keeper.models.get_model(ctx, msg.model_id)
    _check_served(model)
    number = msg.round if msg.is_pinned else model.rounds_closed
    weights = keeper.models.get_weights(ctx, model.id, number)
    host = keeper.hosts.get_host(ctx, model.id, decode_address(msg.host))
    _check_host(host, msg)
    session = Session(
        id=keeper.next_id(ctx), model_id=model.id, user=msg.user, host=msg.host, round=number,
        weights_root=weights.root, spec_version=model.spec_version, price_ugrad_per_gma=host.price_ugrad_per_gma,
        receipt_key=msg.receipt_key, statement_key=host.statement_key,
        status=SESSION_STATUS_OPEN, opened_height=ctx.height, expiry_height=ctx.height + msg.blocks,
        due_height=ctx.height + msg.blocks)
    deposit_ugrad, policy = parse_base_amount(msg.deposit), model.spec.inference
    stake_ugrad = compute_session_stake(policy, deposit_ugrad)
    keeper.hosts.open_stake(ctx, model.id, decode_address(msg.host), stake_ugrad)
    burnt_ugrad = keeper.take_deposit(ctx, session, policy, deposit_ugrad)
    keeper.models.hold_weights(ctx, model.id, number)
    ctx.gas.use(WRITES_LATER * WRITE_GAS, "what blocks write of a session")
    session.stake_ugrad = stake_ugrad
    session.seed = session_seed(ctx.chain_id, session.id, ctx.last_app_hash, ctx.last_block_hash)
    keeper.put_next_id(ctx, session.id + 1)
    keeper.put_session(ctx, session)
    ctx.emit(events.session_opened(session, burnt_ugrad))
    return MsgOpenSessionResponse(session_id=session.id)


def top_up_session(ctx: Ctx, keeper: Keeper, msg: MsgTopUpSession) -> MsgTopUpSessionResponse:
    """Add to the deposit of a session that is open, to what the host stakes behind it, and to what is burnt.

    Checks, in consensus order: the session exists, the sender is its user, it is open, the deposit fits, the host was
    not slashed, its bond bears it, the user has the coins.
    Raises: SessionNotFound, PartyWrong, SessionNotOpen, DepositTooLarge, HostSlashed (sessions/2, /10, /11, /8, /29),
    what `add_stake` of the inference room raises, InsufficientFunds (sdk/5).
    Emits: sessions.session_topped_up.    Gas: 1 write.
    """
    session = keeper.get_session(ctx, msg.session_id)
    _check_party(msg.user, session.user)
    if session.status != SESSION_STATUS_OPEN:
        raise SessionNotOpen(f"session {session.id}")
    added_ugrad = parse_base_amount(msg.amount)
    if session.deposit_ugrad + added_ugrad > U64_MAX:
        raise DepositTooLarge(f"{session.deposit_ugrad} held, {added_ugrad} offered")
    if keeper.hosts.get_host(ctx, session.model_id, decode_address(session.host)).status == HOST_STATUS_SLASHED:
        raise HostSlashed(session.host)
    policy = keeper.get_spec(ctx, session).inference
    stake_ugrad = compute_session_stake(policy, session.deposit_ugrad + added_ugrad)
    keeper.hosts.add_stake(ctx, session.model_id, decode_address(session.host), stake_ugrad - session.stake_ugrad)
    burnt_ugrad = keeper.take_deposit(ctx, session, policy, added_ugrad)
    session.stake_ugrad = stake_ugrad
    keeper.put_session(ctx, session)
    ctx.emit(events.session_topped_up(session, added_ugrad, burnt_ugrad))
    return MsgTopUpSessionResponse()


def close_session(ctx: Ctx, keeper: Keeper, msg: MsgCloseSession) -> MsgCloseSessionResponse:
    """End a session, or show a later receipt of one that is closing.

    Checks, in consensus order: the session exists, the sender is its user or host, it is open or closing; with a
    receipt: it names the session, is later than the known one, not above the deposit, its signature is the receipt
    key's, and where the user shows it the statement is the statement key's; without one: the sender has not closed.
    Raises: SessionNotFound, PartyWrong, SessionOver (sessions/2, /10, /12), ReceiptOfAnotherSession, ReceiptNotLater,
    ReceiptAboveDeposit, ReceiptSignatureWrong (sessions/14 to /17), StatementWrong, PartyClosed (sessions/19, /20).
    Emits: sessions.session_closing, or sessions.session_settled where nobody owes anything.    Gas: 3 writes.
    """
    session = keeper.get_session(ctx, msg.session_id)
    _check_party(msg.sender, session.user, session.host)
    if session.status not in CLOSABLE:
        raise SessionOver(f"session {session.id}")
    is_host, was_open = msg.sender == session.host, session.status == SESSION_STATUS_OPEN
    if msg.HasField("receipt"):
        _check_receipt(ctx, session, msg, needs_statement=not is_host)
        session.receipt.CopyFrom(msg.receipt)
    elif session.host_closed if is_host else session.user_closed:
        raise PartyClosed(f"session {session.id}")
    session.host_closed, session.user_closed = session.host_closed or is_host, session.user_closed or not is_host
    if _is_over(session):
        keeper.end_closing(ctx.unmetered(), session)  # paid for when it was opened
    elif was_open:
        keeper.begin_closing(ctx, session, "host" if is_host else "user")
    else:
        keeper.put_session(ctx, session)
    return MsgCloseSessionResponse()


def show_entry(ctx: Ctx, keeper: Keeper, msg: MsgShowEntry) -> MsgShowEntryResponse:
    """Show the entry that the drawn coin is of; the next block asks auditors whether the answer is right.

    Checks, in consensus order: the session exists, it waits for an entry, the drawn coin is of this one, which stands
    under the receipt's root, the question is the entry's and the model has an answer to it, the fee is the question's,
    and no more than the receipt's total.
    Raises: SessionNotFound, EntryNotDrawn, EntryOfOtherCoins, EntryProofWrong, QuestionWrong, QuestionRefused,
    FeeWrong (sessions/2, /21, /23 to /27).
    Emits: sessions.entry_shown.    Gas: 3 writes. The audit was paid for when the deposit was made.
    """
    session = keeper.get_session(ctx, msg.session_id)
    if session.status != SESSION_STATUS_SHOWING:
        raise EntryNotDrawn(f"session {session.id}")
    if not has_coin(msg.entry, session.drawn_ugrad):
        raise EntryOfOtherCoins(f"{msg.entry.fee_ugrad} up to {msg.entry.total_ugrad} ugrad are shown, "
                                f"{session.drawn_ugrad} was drawn")
    spec = keeper.get_spec(ctx, session)
    _check_entry(session.receipt, msg.entry, list(msg.proof))
    _check_question(spec, msg.entry, msg.question)
    fee_ugrad = compute_fee(spec.inference, compute_ask(compute_work(spec, msg.question), session.price_ugrad_per_gma))
    if msg.entry.fee_ugrad != fee_ugrad:
        raise FeeWrong(f"{msg.entry.fee_ugrad} is not {fee_ugrad}")
    if fee_ugrad > session.receipt.total_ugrad:
        raise FeeWrong(f"{fee_ugrad} is more than all answers cost together, {session.receipt.total_ugrad}")
    session.number = msg.entry.number
    _ask(ctx, keeper, session, msg.entry, msg.question)
    ctx.emit(events.entry_shown(session, msg.sender))
    return MsgShowEntryResponse()


def challenge_answer(ctx: Ctx, keeper: Keeper, msg: MsgChallengeAnswer) -> MsgChallengeAnswerResponse:
    """Have an answer judged that the host has stated; the next block asks auditors.

    Checks, in consensus order: the session exists, the sender is its user, it is open or closing, was not challenged
    before, the state is of this session and the host's statement of it valid, the entry stands under its root, the
    question is the entry's and the model has an answer to it, the user has the bond.
    Raises: SessionNotFound, PartyWrong, SessionOver, SessionChallenged, ReceiptOfAnotherSession, StatementWrong,
    EntryProofWrong, QuestionWrong, QuestionRefused (sessions/2, /10, /12, /28, /14, /19, /24 to /26),
    InsufficientFunds (sdk/5).
    Emits: sessions.answer_challenged.
    Gas: 3 writes, AUDIT_WRITES_LATER for the audit, and ceil(multiply-adds / 1000) of the answer.
    """
    session = keeper.get_session(ctx, msg.session_id)
    _check_party(msg.user, session.user)
    if session.status not in CLOSABLE:
        raise SessionOver(f"session {session.id}")
    if session.is_challenged:
        raise SessionChallenged(f"session {session.id}")
    _check_statement(ctx, session, msg.receipt, msg.statement)
    spec = keeper.get_spec(ctx, session)
    _check_entry(msg.receipt, msg.entry, list(msg.proof))
    _check_question(spec, msg.entry, msg.question)
    bond_ugrad = spec.audit.challenge_bond_ugrad
    if bond_ugrad:
        keeper.bank.send_to_module(ctx, decode_address(msg.user), STORE, (base_coin(bond_ugrad),))
    ctx.gas.use(AUDIT_WRITES_LATER * WRITE_GAS, "what blocks write of an audit")
    ctx.gas.use(mul_div_ceil(compute_work(spec, msg.question), 1, MULTIPLY_ADDS_PER_GAS), "work of an audit")
    session.number, session.challenge_bond_ugrad = msg.entry.number, bond_ugrad
    session.is_challenged = session.user_closed = True
    _ask(ctx, keeper, session, msg.entry, msg.question)
    ctx.emit(events.answer_challenged(session))
    return MsgChallengeAnswerResponse()


def _check_terms(ctx: Ctx, keeper: Keeper, msg: MsgOpenSession) -> None:
    blocks_max = keeper.params(ctx).session_blocks_max
    if not BLOCKS_MIN <= msg.blocks <= blocks_max:
        raise BlocksInvalid(f"{msg.blocks} given, the most is {blocks_max}")
    if msg.user == msg.host:
        raise UserIsHost(msg.user)


def _check_served(model: Model) -> None:
    if model.status == MODEL_STATUS_RETIRED or not model.spec.HasField("inference"):
        raise ModelNotServed(f"model {model.id}")


def _check_host(host: Host, msg: MsgOpenSession) -> None:
    if not host.endpoint:
        raise EndpointAbsent(host.address)
    if host.price_ugrad_per_gma > msg.price_max_ugrad_per_gma:
        raise PriceTooHigh(f"{host.price_ugrad_per_gma} asked, {msg.price_max_ugrad_per_gma} at most")


def _check_party(sender: str, *parties: str) -> None:
    if sender not in parties:
        raise PartyWrong(f"{sender} is none of {', '.join(parties)}")


def _check_receipt(ctx: Ctx, session: Session, msg: MsgCloseSession, needs_statement: bool) -> None:
    """That a receipt replaces the known one, and both sides have agreed to it."""
    receipt = msg.receipt
    if receipt.session_id != session.id:
        raise ReceiptOfAnotherSession(f"session {receipt.session_id}, not {session.id}")
    if not is_later(receipt, session.receipt):
        raise ReceiptNotLater(f"{receipt.count} answers for {receipt.total_ugrad} ugrad; known are "
                              f"{session.receipt.count} for {session.receipt.total_ugrad}")
    if receipt.total_ugrad > session.deposit_ugrad:
        raise ReceiptAboveDeposit(f"{receipt.total_ugrad} of {session.deposit_ugrad} ugrad")
    if not is_valid_signature(session.receipt_key, receipt_digest(ctx.chain_id, receipt), receipt.signature):
        raise ReceiptSignatureWrong(f"session {session.id}")
    if needs_statement:
        _check_statement(ctx, session, receipt, msg.statement)


def _check_statement(ctx: Ctx, session: Session, state: Receipt, statement: bytes) -> None:
    if state.session_id != session.id:
        raise ReceiptOfAnotherSession(f"session {state.session_id}, not {session.id}")
    if not is_valid_signature(session.statement_key, statement_digest(ctx.chain_id, state), statement):
        raise StatementWrong(f"session {session.id}")


def _check_entry(state: Receipt, entry: Entry, proof: list[bytes]) -> None:
    if not verify_leaves(state.root, state.count, [entry.number - 1], [entry_leaf(entry)], proof):
        raise EntryProofWrong(f"entry {entry.number} of {state.count}")


def _check_question(spec: ModelSpec, entry: Entry, question: Question) -> None:
    if question_hash(question) != entry.question_hash:
        raise QuestionWrong(f"entry {entry.number}")
    try:
        check_question(spec, question)
    except QuestionInvalid as error:
        raise QuestionRefused(str(error)) from None


def _is_over(session: Session) -> bool:
    """Whether nobody who may still do something about a closing session is left.

    The user may no longer challenge where it has closed, or challenged, before the host; and where no answer is paid
    for, a host that closes owes nothing.
    """
    return session.host_closed and (session.user_closed or session.receipt.count == 0)


def _ask(ctx: Ctx, keeper: Keeper, session: Session, entry: Entry, question: Question) -> None:
    """Have the next block ask auditors."""
    session.status, session.due_height = SESSION_STATUS_AUDIT, ctx.height + 1
    session.entry.CopyFrom(entry)
    session.question.CopyFrom(question)
    keeper.put_session(ctx, session)
