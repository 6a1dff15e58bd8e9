"""Client: ask models for answers from Python, pay for them, and believe neither node nor host by its word.

    from abci_app.sdk.client import Client

    with Client("http://127.0.0.1:26657", key) as client:
        found = client.infer(1, rows=[[5.1, 3.5, 1.4, 0.2]], replicas=3)
        print(found.names, found.cost_ugrad, found.paid, found.slashed, found.proved)

Source: README.md beside this file.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Unpack

from google.protobuf.message import Message

from abci_app.client.chain import ChainClient
from abci_app.client.errors import ProofInvalid
from abci_app.client.keys import Key
from abci_app.client.light.errors import ELSEWHERE
from abci_app.client.node import Node
from abci_app.client.rpc import Rpc
from abci_app.client.send import Sender, Sent
from abci_app.client.words import enum_word
from abci_app.data.store import DatasetStore
from abci_app.sdk import proofs
from abci_app.sdk.errors import HostsMissing, KeyMissing, RecordMissing
from abci_app.sdk.home import SESSIONS, datasets_folder, open_translator
from abci_app.sdk.inference import POLL_S, Inference, check_answered, find_answer, wait_request
from abci_app.sdk.paid import BLOCKS, PaidSession, open_paid, resume_paid
from abci_app.sdk.proved_records import ProvedRecords
from abci_app.sdk.translator import Asking, Translator, read_asking
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.ints import PPM, mul_div_ceil
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    HOST_STATUS_ACTIVE, Host, HostStatus, Question, Request,
)
from abci_app.wire.pb.gradus.inference.v1.query_pb2 import Offer
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import MsgRequestInference, MsgRequestInferenceResponse
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model, ModelSpec
from abci_app.wire.question import question_hash

HOME = Path("~/.gradus")
DEADLINE_BLOCKS = 100
TIMEOUT_S = 900.0
PROVE_S = 30.0
FEE_MARGIN_PPM = 1_500_000  # of the price now: what is not needed comes back


@dataclass(frozen=True, slots=True)
class Quote:
    """What an answer costs now. work: multiply-adds of one; fee_ugrad: by the cheapest hosts, 0 where there are too
    few; burnt_ugrad: besides, for the request itself. offers: the hosts that would answer, the cheapest first."""

    work: int
    answer_bytes_max: int
    fee_ugrad: int
    burnt_ugrad: int
    is_available: bool
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class Trusting:
    """What proofs rest on, as the options of --prove (abci_app/client/README.md). is_asked: False believes the node."""

    is_asked: bool = True
    witnesses: tuple[str, ...] = ()
    chain_id: str | None = None
    trust_height: int = proofs.FIRST_HEIGHT
    trust_hash: str = ""


class Client:
    """Asks models over one node. Calls may come from several threads; those that send wait for one another."""

    def __init__(self, node: str | Node, key: Key | None = None, home: Path = HOME, trusting: Trusting = Trusting(),
                 report: Callable[[str], None] = lambda text: None, timeout_s: float = TIMEOUT_S,
                 sleep: Callable[[float], None] = time.sleep, sessions: Path | None = None) -> None:
        """node: its RPC address. key: that pays; without one only questions that cost nothing can be asked. home: where
        trusted blocks, datasets and journals of sessions lie. report: is told what is waited for. sessions: another
        folder of journals."""
        self._rpc = Rpc(node) if isinstance(node, str) else None
        self.chain = ChainClient(self._rpc if self._rpc is not None else node)  # type: ignore[arg-type]
        self.home, self.trusting, self.report, self.sleep = home.expanduser(), trusting, report, sleep
        self.timeout_s, self.sessions = timeout_s, sessions or self.home / SESSIONS
        self._key = key
        self._sender = None if key is None else Sender(self.chain, key, sleep=sleep, report=report)
        self._sending = threading.RLock()
        self._store = DatasetStore(datasets_folder(home))
        self._terms = proofs.Terms(self.home, self.chain.node.url, trusting.witnesses, trusting.chain_id,
                                   trusting.trust_height, trusting.trust_hash)
        self._records = ProvedRecords(self._terms)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection up."""
        if self._rpc is not None:
            self._rpc.close()

    @property
    def is_proving(self) -> bool:
        """Whether records are proved, else the node is believed."""
        return self.trusting.is_asked

    @property
    def key(self) -> Key:
        """The key that pays. Raises KeyMissing."""
        if self._key is None:
            raise KeyMissing("this client has no key to pay with", "Client(node, key)")
        return self._key

    def get_model(self, model_id: int) -> Model:
        """A model contract, as the node tells it. Raises ModelMissing."""
        return self.chain.get_model(model_id)

    def new_translator(self, spec: ModelSpec) -> Translator:
        """Between people and a model, with what this home knows of its dataset."""
        return open_translator(self._store, spec)

    def quote(self, model_id: int, replicas: int = 1, **asking: Unpack[Asking]) -> Quote:
        """What an answer by so many hosts costs now; nothing is paid. Raises QuestionRefused, ClientError."""
        question = read_asking(self.new_translator(self.get_model(model_id).spec), asking)
        return self._quote(model_id, question, replicas)

    def infer(self, model_id: int, replicas: int = 1, max_fee_ugrad: int | None = None,
              deadline_blocks: int = DEADLINE_BLOCKS, round_number: int | None = None,
              **asking: Unpack[Asking]) -> Inference:
        """The answer that hosts agree on, or that auditors have found right, with its proof.

        replicas: hosts that answer independently. max_fee_ugrad: the most that is paid for it; None: half more than it
        costs now, of which what is not needed comes back. deadline_blocks: until the last host has shown its answer.
        round_number: of the weights that answer; None: the newest.
        Raises QuestionRefused, HostsMissing, TxRefused, RequestFailed (all coins came back), AnswerMissing, TimedOut,
        ProofInvalid, NodeUnreachable.
        """
        model = self.get_model(model_id)
        question = read_asking(self.new_translator(model.spec), asking)
        if max_fee_ugrad is None:
            max_fee_ugrad = self._choose_fee(model_id, question, replicas)
        message = MsgRequestInference(
            user=self.key.bech32, model_id=model_id, is_pinned=round_number is not None, round=round_number or 0,
            question=question, max_fee=coin_pb(base_coin(max_fee_ugrad)), replicas=replicas,
            deadline_blocks=deadline_blocks)
        response = MsgRequestInferenceResponse.FromString(self.send(message).responses[0].value)
        self.report(f"request {response.request_id} is made; "
                    f"gradus infer {model_id} --request {response.request_id} shows its answer")
        return self.fetch(response.request_id, question)

    def fetch(self, request_id: int, question: Question | None = None) -> Inference:
        """The answer of a request that was made already, by anybody; waited for. question: what it must have asked.

        Raises RecordMissing where there is none, else as infer.
        """
        if question is None and self.chain.find_request(request_id) is None:
            raise RecordMissing(f"no request {request_id} is open or kept",
                                "`gradus query inference requests` shows those that are")
        told = wait_request(self.chain, request_id, self.timeout_s, self.sleep, self.report)
        asked = told.question if question is None else question
        record, proved = self._prove_request(told)
        if record.question_hash != question_hash(asked):
            raise ProofInvalid(f"request {request_id} asks something else than was asked", ELSEWHERE)
        check_answered(record)
        answer = find_answer(self.chain, record)
        spec = self.get_spec(record.model_id, record.spec_version)
        return Inference(self.new_translator(spec).read(asked, answer), answer, record, proved)

    def open_session(self, model_id: int, deposit_ugrad: int, host: str | None = None,
                     price_max_ugrad_per_gma: int | None = None, blocks: int = BLOCKS,
                     round_number: int | None = None) -> PaidSession:
        """A deposit with one host, for many answers: see paid.open_paid."""
        return open_paid(self, model_id, deposit_ugrad, host, price_max_ugrad_per_gma, blocks, round_number)

    def resume_session(self, session_id: int) -> PaidSession:
        """An open session of this home again: see paid.resume_paid."""
        return resume_paid(self, session_id)

    def get_spec(self, model_id: int, version: int) -> ModelSpec:
        """The terms of a model by their version, proved when this client proves. Raises ProofInvalid."""
        if self.is_proving:
            return self._records.get_spec(model_id, version)
        found = self.chain.find_spec(model_id, version)
        if found is None:
            raise ProofInvalid(f"the node does not know version {version} of the terms of model {model_id}", ELSEWHERE)
        return found

    def send(self, message: Message) -> Sent:
        """One message in a transaction of the key, waited for. Raises KeyMissing, TxRefused, TimedOut."""
        with self._sending:
            if self._sender is None:
                raise KeyMissing("this client has no key to pay with", "Client(node, key)")
            return self._sender.send([message], is_usual=False)

    def prove(self, place: proofs.Place, is_awaited: Callable[[bytes | None], bool] = lambda value: False
              ) -> proofs.Proved:
        """A record of the state, or that there is none, proved. Raises ClientError.

        The newest state that can be proved is a block behind what nodes tell. is_awaited: whether a value is not yet
        the one that was told; then later states are proved, for PROVE_S at most.
        """
        deadline = time.monotonic() + PROVE_S
        while True:
            proved = proofs.prove(self._terms, place)
            if not is_awaited(proved.record.value) or time.monotonic() >= deadline:
                return proved
            self.sleep(POLL_S)

    def _prove_request(self, told: Request) -> tuple[Request, proofs.Proved | None]:
        """A request that has ended, proved when that is asked for, else as it was told."""
        if not self.is_proving:
            return told, None
        self.report("proving the record")
        proved = self.prove(proofs.request_place(told.id),
                            lambda value: value is None or Request.FromString(value).status != told.status)
        if proved.record.value is None:
            raise ProofInvalid(f"there is no request {told.id}: that is proved", ELSEWHERE)
        record = Request.FromString(proved.record.value)
        if record.status != told.status:
            raise ProofInvalid(f"request {told.id} has not ended as the node says", ELSEWHERE)
        return record, proved

    def _quote(self, model_id: int, question: Question, replicas: int) -> Quote:
        told = self.chain.quote(model_id, question, replicas)
        return Quote(told.work, told.answer_bytes_max, told.fee_ugrad, told.burnt_ugrad, told.is_available,
                     tuple(told.offers))

    def _choose_fee(self, model_id: int, question: Question, replicas: int) -> int:
        quoted = self._quote(model_id, question, replicas)
        if not quoted.is_available:
            raise self._explain_missing(model_id, quoted, replicas)
        return mul_div_ceil(quoted.fee_ugrad, FEE_MARGIN_PPM, PPM)

    def _explain_missing(self, model_id: int, quoted: Quote, replicas: int) -> HostsMissing:
        """Why so many hosts would not answer now."""
        offering = [offer.host for offer in quoted.offers]
        hosts = list(self.chain.iter_hosts(model_id))
        if not hosts:
            return HostsMissing(f"nobody hosts model {model_id}", f"host it: gradus host start {model_id} --key KEY")
        reasons = [f"{host.address} {_find_hindrance(host)}" for host in hosts if host.address not in offering]
        reasons.append(f"its contract allows {self.get_model(model_id).spec.inference.replicas_max} replicas")
        return HostsMissing(f"{len(offering)} hosts of model {model_id} would answer now, not {replicas}: "
                            + "; ".join(reasons),
                            "ask for fewer replicas, or wait until something has ended: `gradus query "
                            f"inference hosts {model_id}` shows who hosts it")


def _find_hindrance(host: Host) -> str:
    """Why a host would not answer a request now, as far as its record tells."""
    if host.status != HOST_STATUS_ACTIVE:
        return "is " + enum_word(HostStatus.DESCRIPTOR, host.status)
    if host.open_count >= host.capacity:
        return f"has {host.open_count} open, which is all that it takes"
    return (f"has {host.bond_ugrad - host.staked_ugrad} ugrad free of a bond of {host.bond_ugrad}, the rest is bound "
            f"by {host.open_count} open requests and sessions")
