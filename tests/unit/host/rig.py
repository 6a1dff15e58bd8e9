"""A chain with a model that is asked, hosts that answer over real HTTP, and nothing that waits for a clock."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from abci_app.abci.chain import put_chain
from abci_app.answers.network import compute_audit_answer
from abci_app.client.chain import ChainClient
from abci_app.client.node import Nodes
from abci_app.client.send import Sender, Sent
from abci_app.genesis import new_genesis
from abci_app.host.behaviour import Behaviour
from abci_app.host.host import Host
from abci_app.host.journal import Journal
from abci_app.host.terms import Terms
from abci_app.sdk.host_client import HostClient
from abci_app.sdk.journal import SessionJournal
from abci_app.sdk.session import Session
from abci_app.units.events import Event
from abci_app.wire.audit import ANSWER, STATEMENT, decode_subject
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question, Request
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import MsgRequestInference, MsgRequestInferenceResponse
from abci_app.wire.pb.gradus.models.v1 import models_pb2
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel
from abci_app.wire.pb.gradus.sessions.v1 import sessions_pb2
from abci_app.wire.pb.gradus.sessions.v1.tx_pb2 import MsgOpenSession, MsgOpenSessionResponse
from abci_app.wire.pb.tendermint.abci.types_pb2 import RequestInitChain
from abci_app.wire.question import entry_seed
from abci_app.x.models.types import default_spec
from tests.auditors import Auditors
from tests.chain import CHAIN_ID, SIGNERS, Chain, address_of, new_test_key
from tests.local_rpc import LocalNode

FUNDS_UGRAD = 10**14
FEATURES, CLASSES = 4, 3
SESSIONS = {"close_blocks": "30", "show_blocks": "30", "session_blocks_max": "1000", "kept_blocks": "60"}
LOCALHOST = ("127.0.0.1", 0)


def rows(count: int = 2, first: int = 1) -> Question:
    """A question of `count` rows; other `first` make others."""
    return Question(rows=count, features=bytes((first + index) % 100 for index in range(count * FEATURES)))


def name_chain(chain: Chain) -> None:
    """Have the state say which chain it is, as a node does: signatures of receipts are checked in simulations too."""
    assert chain._genesis is not None
    request = RequestInitChain(chain_id=chain.chain_id, initial_height=1)
    request.consensus_params.block.max_bytes, request.consensus_params.block.max_gas = 4 << 20, 10**9
    request.consensus_params.abci.vote_extensions_enable_height = 1
    put_chain(chain._genesis, request)


class Rig:
    """One chain, one node, one model without rounds; ann, ben and cat may host, uma asks."""

    def __init__(self, folder: Path, chain_id: str = CHAIN_ID, features: int = FEATURES, classes: int = CLASSES,
                 hidden: tuple[int, ...] = (8,), **policy: Any) -> None:
        """policy: fields of the contract's inference policy."""
        self.folder, self.events = folder, dict[str, list[Event]]()
        accounts = {address_of(name): FUNDS_UGRAD for name in ("ann", "ben", "cat", "uma", "boss")}
        validators = [{"consensus_address_hex": signer.address.hex(), "operator": address_of(f"operator{index}")}
                      for index, signer in enumerate(SIGNERS)]
        app_state = new_genesis(chain_id, validators, accounts, 0)
        app_state["sessions"] = {"params": SESSIONS}
        self.chain = Chain(folder / "chain", chain_id=chain_id, app_state=app_state)
        name_chain(self.chain)
        self.node = LocalNode(self.chain, Auditors(self.chain, self.find_answer))
        self.client = ChainClient(self.node)
        self._open: list[Host | Journal | SessionJournal] = []
        terms = models_pb2.Dataset(rows_root=bytes(32), train_rows=100, test_rows=50, features=features,
                                   classes=classes)
        spec = default_spec("flowers", terms, bytes(range(32)), 3, 3, hidden=hidden)
        for name, value in ({"audit_ppm": 1_000_000, "host_bond_ugrad": 1_000_000_000} | policy).items():
            setattr(spec.inference, name, value)
        self.spec = spec
        self.node.block()
        self.send("boss", MsgCreateModel(creator=address_of("boss"), spec=spec, escrow=coin_pb(base_coin(10**8))))

    def send(self, name: str, message: Any) -> Sent:
        """One message of a name, in a block."""
        return Sender(self.client, new_test_key(name), sleep=self.node.sleep).send([message])

    def host(self, name: str, behaviour: Behaviour = Behaviour.HONEST, serves: bool = False, **options: Any) -> Host:
        """A host that has started; it ends with the rig, or by `end`."""
        journal = Journal(self.folder / "journals", self.chain.chain_id, 1, address_of(name))
        self._open.append(journal.__enter__())
        made = Host(ChainClient(Nodes([self.node])), new_test_key(name), 1, journal, behaviour=behaviour,
                    listen=LOCALHOST if serves else None, sleep=self.node.sleep, workers=1, list_s=0.0,
                    **({"terms": Terms(price_ugrad_per_gma=10**9),
                        "report": self.events.setdefault(name, []).append} | options))
        self._open.append(made)
        made.start()
        return made

    def end(self, host: Host) -> None:
        """As a process ends that is killed: what is on the disk stays."""
        for one in (host, host.journal):
            one.__exit__(None, None, None)
            self._open.remove(one)

    def close(self) -> None:
        """End what is still there."""
        for one in reversed(self._open):
            one.__exit__(None, None, None)
        self.chain.database.close()

    def request(self, question: Question | None = None, replicas: int = 1, deadline_blocks: int = 40) -> int:
        """A request of uma's; its id."""
        sent = self.send("uma", MsgRequestInference(
            user=address_of("uma"), model_id=1, question=question or rows(), replicas=replicas,
            max_fee=coin_pb(base_coin(10**9)), deadline_blocks=deadline_blocks))
        return MsgRequestInferenceResponse.FromString(sent.responses[0].value).request_id

    def find(self, request_id: int) -> Request:
        """A request as the chain has it."""
        found = self.client.find_request(request_id)
        assert found is not None
        return found

    def work(self, hosts: list[Host], until: Callable[[], bool], blocks: int = 60) -> None:
        """Steps of hosts and blocks in turn, until something is so."""
        for _ in range(blocks):
            if until():
                return
            for host in hosts:
                host.step()
            self.node.block()
        raise AssertionError("it did not come to pass")

    def find_answer(self, audit: Audit) -> bytes | None:
        """What an auditor says of an answer or a statement."""
        subject = decode_subject(audit.subject)
        if subject.kind == ANSWER:
            found = self.client.find_request(subject.number)
            assert found is not None
            weights = self.chain.app.models.load_weights(self.chain.ctx(), found.model_id, found.round)
            return compute_audit_answer(self.spec, weights, found.question, found.seed, audit.seed)
        if subject.kind == STATEMENT:
            session = self.find_session(subject.number)
            weights = self.chain.app.models.load_weights(self.chain.ctx(), session.model_id, session.round)
            seed = entry_seed(session.seed, session.entry.number)
            return compute_audit_answer(self.spec, weights, session.question, seed, audit.seed)
        return None

    def open(self, host: Host, deposit_ugrad: int = 10**7, blocks: int = 500) -> Session:
        """A session of uma's with a host that serves, which has heard of it."""
        journal = SessionJournal.create(self.folder / "user")
        self._open.append(journal)
        sent = self.send("uma", MsgOpenSession(
            user=address_of("uma"), model_id=1, host=host.key.bech32, price_max_ugrad_per_gma=10**9,
            deposit=coin_pb(base_coin(deposit_ugrad)), receipt_key=journal.key.public, blocks=blocks))
        number = MsgOpenSessionResponse.FromString(sent.responses[0].value).session_id
        host.step()
        record = self.client.find_host(1, host.key.bech32)
        assert record is not None
        return Session(self.chain.chain_id, self.find_session(number), self.spec, HostClient(record.endpoint), journal)

    def find_session(self, session_id: int) -> sessions_pb2.Session:
        """A session as the chain has it."""
        found = self.client.find_session(session_id)
        assert found is not None
        return found

    def told(self, name: str, what: str) -> list[dict[str, int | str]]:
        """The fields of the events of one kind."""
        return [event.fields for event in self.events[name] if event.name == what]
