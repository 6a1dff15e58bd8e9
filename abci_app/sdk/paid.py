"""PaidSession: a deposit with one host, out of which its answers are paid one by one, without a transaction for each.

`open_paid` chooses a host, opens the session on the chain and proves its record; `resume_paid` goes on with one that an
earlier process has opened, from its journal. Answers are verified as sdk/session.py says.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Unpack

from google.protobuf.message import Message

from abci_app.client.chain import ChainClient
from abci_app.client.errors import ClientError, ProofInvalid
from abci_app.client.keys import Key
from abci_app.client.light.errors import ELSEWHERE
from abci_app.client.send import Sent
from abci_app.runtime.fee import compute_session_stake
from abci_app.sdk import proofs
from abci_app.sdk.closing import new_close
from abci_app.sdk.errors import HostsMissing, JournalDamaged, RecordMissing
from abci_app.sdk.home import chain_folder
from abci_app.sdk.host_client import TIMEOUT_S, HostClient
from abci_app.sdk.journal import Kept, SessionJournal
from abci_app.sdk.session import Session
from abci_app.sdk.translator import Answer, Asking, Translator, read_asking
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import HOST_STATUS_ACTIVE, Host, Question
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model, ModelSpec
from abci_app.wire.pb.gradus.sessions.v1 import sessions_pb2
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import SESSION_STATUS_OPEN
from abci_app.wire.pb.gradus.sessions.v1.tx_pb2 import MsgOpenSession, MsgOpenSessionResponse, MsgTopUpSession

PROBE_S = 3.0
BLOCKS = 1_000
SHORT = "too little bond for the deposit"


class Payer(Protocol):
    """The part of client.Client that sessions need."""

    chain: ChainClient
    sessions: Path
    report: Callable[[str], None]

    @property
    def is_proving(self) -> bool:
        """Whether records are proved."""

    @property
    def key(self) -> Key:
        """That pays."""

    def get_model(self, model_id: int) -> Model:
        """A contract."""

    def get_spec(self, model_id: int, version: int) -> ModelSpec:
        """The terms of a contract."""

    def new_translator(self, spec: ModelSpec) -> Translator:
        """Between people and a model."""

    def prove(self, place: proofs.Place, is_awaited: Callable[[bytes | None], bool]) -> proofs.Proved:
        """A record, proved."""

    def send(self, message: Message) -> Sent:
        """A transaction."""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer in a session, as people read it. cost_ugrad: what its receipt pays. kept: as the journal has it."""

    answer: Answer
    cost_ugrad: int
    kept: Kept

    @property
    def answer_bytes(self) -> bytes:
        """As auditors compare it."""
        return self.kept.answer


class PaidSession:
    """An open session with one host. Use in a `with`, or close() it: the host is then asked to settle it."""

    def __init__(self, client: Payer, session: Session, translator: Translator) -> None:
        self.client, self.session, self.translator = client, session, translator
        self._is_closed = False

    def __enter__(self) -> "PaidSession":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def id(self) -> int:
        """The session's number on the chain."""
        return self.session.id

    @property
    def host(self) -> str:
        """The host's account."""
        return self.session.record.host

    @property
    def spent_ugrad(self) -> int:
        """What is owed for the answers so far."""
        return self.session.total_ugrad

    @property
    def left_ugrad(self) -> int:
        """What is left of the deposit."""
        return self.session.left_ugrad

    def read(self, **asking: Unpack[Asking]) -> Question:
        """What is asked, as the model takes it. Raises QuestionRefused, DataError."""
        return read_asking(self.translator, asking)

    def ask(self, **asking: Unpack[Asking]) -> Told:
        """The verified answer; the next question pays it. Raises as session.Session.ask, and QuestionRefused."""
        return self._tell(self.session.ask(self.read(**asking)))

    def stream(self, **asking: Unpack[Asking]) -> Iterator[list[int]]:
        """The tokens of an answer as they are drawn; when all have come, `last` is the verified answer."""
        return self.session.stream(self.read(**asking))

    @property
    def last(self) -> Told | None:
        """The last answer that was verified."""
        kept = self.session.last
        return None if kept is None else self._tell(kept)

    def top_up(self, amount_ugrad: int) -> None:
        """Add to the deposit. Raises TxRefused."""
        self.client.send(MsgTopUpSession(user=self.client.key.bech32, session_id=self.id,
                                         amount=coin_pb(base_coin(amount_ugrad))))
        self.session.update(fetch_session(self.client, self.id, self.session.record.deposit_ugrad + amount_ugrad))

    def close(self) -> None:
        """End it: the last receipt goes to the host, then the chain is told. A host that sees it closes too, and with
        both the session is settled at once; without one when the window for its receipts is over. What is not spent
        comes back then.

        Raises ClientError where the chain cannot be reached: the journal stays, and `resume_paid` closes it later.
        """
        if self._is_closed:
            return
        with suppress(ClientError):
            self.session.hand_over()
        self.abandon()

    def abandon(self) -> None:
        """Tell the chain alone that the session ends, with what was answered so far: of a host that has vanished."""
        close_on_chain(self.client, self.id, self.session.last)
        self._is_closed = True
        self.session.close()

    def _tell(self, kept: Kept) -> Told:
        return Told(self.translator.read(kept.question, kept.answer), kept.entry.fee_ugrad, kept)


def open_paid(client: Payer, model_id: int, deposit_ugrad: int, host: str | None = None,
              price_max_ugrad_per_gma: int | None = None, blocks: int = BLOCKS, round_number: int | None = None,
              timeout_s: float = TIMEOUT_S, excluded: Callable[[Host], bool] = lambda host: False) -> PaidSession:
    """A new session.

    host: its account; None: the cheapest that has room and answers. price_max_ugrad_per_gma: None: what that host asks
    now. blocks: until it expires. excluded: hosts that are not wanted. Raises HostsMissing, TxRefused, ProofInvalid.
    """
    spec = client.get_model(model_id).spec
    chosen = choose_host(client, model_id, spec, deposit_ugrad, host, price_max_ugrad_per_gma, excluded)
    journal = SessionJournal.create(chain_folder(client.sessions, client.chain.chain_id()))
    try:
        message = MsgOpenSession(
            user=client.key.bech32, model_id=model_id, host=chosen.address, is_pinned=round_number is not None,
            round=round_number or 0, deposit=coin_pb(base_coin(deposit_ugrad)), receipt_key=journal.key.public,
            price_max_ugrad_per_gma=chosen.price_ugrad_per_gma, blocks=blocks)
        response = MsgOpenSessionResponse.FromString(client.send(message).responses[0].value)
        client.report(f"session {response.session_id} is open; gradus tx sessions close {response.session_id} ends it")
        return _join(client, fetch_session(client, response.session_id), chosen.endpoint, journal, timeout_s)
    except BaseException:
        journal.close()
        raise


def resume_paid(client: Payer, session_id: int, timeout_s: float = TIMEOUT_S) -> PaidSession:
    """An open session of this home again. Raises RecordMissing, JournalDamaged, SessionBusy, HostsMissing."""
    if client.chain.find_session(session_id) is None:
        raise RecordMissing(f"no session {session_id} is open or kept",
                            "`gradus query sessions list --user KEY` shows those that are")
    record = fetch_session(client, session_id)
    found = client.chain.find_host(record.model_id, record.host)
    if found is None or not found.endpoint:
        raise HostsMissing(f"{record.host} no longer hosts model {record.model_id}",
                           f"close the session: gradus tx sessions close {session_id} --from KEY")
    journal = SessionJournal.find(chain_folder(client.sessions, client.chain.chain_id()), record.receipt_key)
    try:
        return _join(client, record, found.endpoint, journal, timeout_s)
    except BaseException:
        journal.close()
        raise


def _join(client: Payer, record: sessions_pb2.Session, endpoint: str, journal: SessionJournal,
          timeout_s: float) -> PaidSession:
    if record.status != SESSION_STATUS_OPEN:
        raise JournalDamaged(f"session {record.id} is no longer open", f"see `gradus query sessions show {record.id}`")
    spec = client.get_spec(record.model_id, record.spec_version)
    session = Session(client.chain.chain_id(), record, spec, HostClient(endpoint, timeout_s), journal)
    return PaidSession(client, session, client.new_translator(spec))


def fetch_session(client: Payer, session_id: int, deposit_ugrad: int = 0) -> sessions_pb2.Session:
    """A session's record, proved when the client proves. Raises ProofInvalid where there is none.

    deposit_ugrad: that it has by now at least: a proved record may be of the block before.
    """
    def is_awaited(value: bytes | None) -> bool:
        return value is None or sessions_pb2.Session.FromString(value).deposit_ugrad < deposit_ugrad

    if client.is_proving:
        value = client.prove(proofs.session_place(session_id), is_awaited).record.value
        found = None if value is None else sessions_pb2.Session.FromString(value)
    else:
        found = client.chain.find_session(session_id)
    if found is None:
        raise ProofInvalid(f"there is no session {session_id}", ELSEWHERE)
    return found


def close_on_chain(client: Payer, session_id: int, last: Kept | None) -> None:
    """Begin a session's end by the user, with the last answer's receipt and what the host has stated of it."""
    client.send(new_close(client.key.bech32, session_id, last))


def choose_host(client: Payer, model_id: int, spec: ModelSpec, deposit_ugrad: int, address: str | None = None,
                price_max_ugrad_per_gma: int | None = None,
                excluded: Callable[[Host], bool] = lambda host: False) -> Host:
    """The cheapest host with an endpoint, room and a free bond that covers the deposit, and that answers; ties by
    address. Raises HostsMissing with why each one is not it."""
    reasons = []
    for host in sorted(client.chain.iter_hosts(model_id), key=lambda one: (one.price_ugrad_per_gma, one.address)):
        if address not in (None, host.address) or excluded(host):
            continue
        reason = _find_hindrance(host, spec, deposit_ugrad, price_max_ugrad_per_gma) or _probe(host)
        if not reason:
            return host
        reasons.append(f"{host.address} {reason}")
    raise HostsMissing(f"no host of model {model_id} takes a session with a deposit of {deposit_ugrad} ugrad: "
                       + ("; ".join(reasons) or "there is none"),
                       f"`gradus query inference hosts {model_id}` shows them"
                       + ("; a smaller deposit needs less of their bonds" if any(map(_is_short, reasons)) else ""))


def _find_hindrance(host: Host, spec: ModelSpec, deposit_ugrad: int, price_max_ugrad_per_gma: int | None) -> str:
    """Why a host takes no session; empty when it does."""
    if host.status != HOST_STATUS_ACTIVE:
        return "is not active"
    if not host.endpoint:
        return "takes no sessions"
    if host.open_count >= host.capacity:
        return "has no room"
    if price_max_ugrad_per_gma is not None and host.price_ugrad_per_gma > price_max_ugrad_per_gma:
        return f"asks {host.price_ugrad_per_gma} ugrad for 10^9 multiply-adds"
    if host.bond_ugrad - host.staked_ugrad < compute_session_stake(spec.inference, deposit_ugrad):
        return f"has {SHORT}"
    return ""


def _is_short(reason: str) -> bool:
    return reason.endswith(SHORT)


def _probe(host: Host) -> str:
    """Why a host cannot be talked to; empty when it can."""
    try:
        with closing(HostClient(host.endpoint, PROBE_S)) as connection:
            connection.status()
    except ClientError as error:
        return f"does not answer: {error.text}"
    return ""
