"""What requests cost the chain: CPU of a node, bytes of blocks and of state, for one and three replicas.

One application in this process with all rooms, called as an engine calls it (tests/bench/txs.py); no sockets, no
engine, no kernels: what hosts and auditors compute is not the chain's. Every block bears new requests, the commits of
those that were dealt and the reveals of those before; nobody audits, hosts agree.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import Message

from abci_app.abci.application import Application
from abci_app.abci.node import spare_collector
from abci_app.app import STORE_NAMES, App, new_app
from abci_app.client.txs import TxTerms, compute_fee_ugrad, sign_tx
from abci_app.genesis import GAS_PRICE_PPM
from abci_app.runtime.contract import compute_round_cost
from abci_app.runtime.context import Ctx
from abci_app.runtime.question import compute_answer_bytes_max
from abci_app.runtime.records import export_record
from abci_app.store.branch import Branch
from abci_app.store.disk import Database
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    REQUEST_STATUS_ANSWERED, REQUEST_STATUS_COMMIT, REQUEST_STATUS_REVEAL, Params, Question, Request,
)
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import (
    MsgCommitAnswer, MsgRegisterHost, MsgRequestInference, MsgRevealAnswer,
)
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.question import answer_commitment, answer_hash
from abci_app.x.models.types import default_spec
from tests.bench.txs import CHAIN_ID, Node, new_init_request
from tests.chain import address_of, new_test_key
from tests.sim.rows import new_rows

Row = dict[str, int | float | str]
GAS_LIMIT = 1_000_000
FEATURES, CLASSES = 64, 10
HOSTS, USERS = ("host0", "host1", "host2"), tuple(f"user{index}" for index in range(100))
REQUESTS, PER_BLOCK, KEPT_BLOCKS = 1_000, 100, 20
SALT = bytes(32)
FOLLOWER = ("check", "process_other", "finalize", "commit", "wire")


class Load:
    """A chain with one model and three hosts, and what everybody sends."""

    def __init__(self, database: Database, replicas: int) -> None:
        self.app: App = new_app()
        self.database, self.replicas = database, replicas
        self.node = Node(Application(self.app, database))
        names = ["creator", *HOSTS, *USERS]
        order = sorted(names, key=address_of)
        self.numbers = {name: number for number, name in enumerate(order)}
        self.sent: Counter[str] = Counter()
        self.tx_bytes = self.txs = self.asked = 0
        self.names = {address_of(name): name for name in names}
        self.spec = new_spec()
        request = new_init_request(names)
        state = json.loads(request.app_state_bytes)
        state["inference"] = {"params": export_record(Params(kept_blocks=KEPT_BLOCKS, missed_max=3))}
        request.app_state_bytes = json.dumps(state).encode()
        self.node.application.call("init_chain", request)
        spare_collector()
        self._settle()

    def _settle(self) -> None:
        """The model and its hosts."""
        escrow = coin_pb(base_coin(compute_round_cost(self.spec)))
        self.block([("creator", MsgCreateModel(creator=address_of("creator"), spec=self.spec, escrow=escrow))])
        self.block([(name, MsgRegisterHost(host=address_of(name), model_id=1, price_ugrad_per_gma=10**6, capacity=1_024,
                                           bond=coin_pb(base_coin(10**11)))) for name in HOSTS])
        self.block([])

    def block(self, messages: list[tuple[str, Message]]) -> None:
        """One block with a transaction for each; every second one is the node's own proposal."""
        txs = []
        for name, message in messages:
            txs.append(sign_tx(new_test_key(name), [message], TxTerms(
                CHAIN_ID, self.numbers[name], self.sent[name], GAS_LIMIT,
                compute_fee_ugrad(GAS_LIMIT, GAS_PRICE_PPM))))
            self.sent[name] += 1
        self.tx_bytes += sum(map(len, txs))
        self.txs += len(txs)
        self.node.check(txs, abci.NEW)
        self.node.block(txs, is_own=self.node.height % 2 == 0)

    def trade(self, count: int) -> None:
        """A block with so many requests more, and all that hosts have to send."""
        messages = [*self._iter_requests(count)]
        ctx = self.ctx()
        for request in self.app.inference.iter_requests(ctx):
            messages += self._iter_answers(request)
        self.block(messages)

    def _iter_requests(self, count: int) -> Iterator[tuple[str, Message]]:
        for _ in range(count):
            name = USERS[self.asked % len(USERS)]
            self.asked += 1
            yield name, MsgRequestInference(
                user=address_of(name), model_id=1, question=self._new_question(), max_fee=coin_pb(base_coin(10**7)),
                replicas=self.replicas, deadline_blocks=20)

    def _new_question(self) -> Question:
        return Question(rows=1, features=self.asked.to_bytes(4, "big").replace(b"\x80", b"\x01") + bytes(FEATURES - 4))

    def _iter_answers(self, request: Request) -> Iterator[tuple[str, Message]]:
        """An answer of the right size: nobody recomputes it here."""
        answer = request.id.to_bytes(8, "big").ljust(compute_answer_bytes_max(self.spec, self._new_question()), b"\0")
        for seat in request.seats:
            name = self.names[seat.host]
            if request.status == REQUEST_STATUS_COMMIT:
                commitment = answer_commitment(new_test_key(name).address, request.id, answer_hash(answer), SALT)
                yield name, MsgCommitAnswer(host=seat.host, request_id=request.id, commitment=commitment)
            elif request.status == REQUEST_STATUS_REVEAL:
                yield name, MsgRevealAnswer(host=seat.host, request_id=request.id, answer_hash=answer_hash(answer),
                                            salt=SALT, answer=answer)

    def ctx(self) -> Ctx:
        """The last state."""
        return Ctx(CHAIN_ID, self.node.height, 0, b"", b"", b"", Branch(self.database.latest()))

    def list_kept(self) -> list[Request]:
        """Requests that are over and kept."""
        return [one for one in self.app.inference.iter_requests(self.ctx()) if one.status == REQUEST_STATUS_ANSWERED]

    def measure_state(self) -> int:
        """Bytes of all keys and values."""
        branch = Branch(self.database.latest())
        return sum(len(key) + len(value) for name in STORE_NAMES for key, value in branch.store(name).iter(b""))


def new_spec() -> ModelSpec:
    """The digits classifier, of which hardly any answers are audited."""
    table = new_rows("digits", 32, 8, FEATURES, CLASSES)
    spec = default_spec("digits", table.terms, bytes(32))
    spec.inference.audit_ppm = 1_000
    return spec


def measure() -> list[Row]:
    """One row for each number of replicas."""
    return [measure_replicas(replicas) for replicas in (1, 3)]


def measure_replicas(replicas: int) -> Row:
    """So many requests, from the message to the archive."""
    with tempfile.TemporaryDirectory(prefix="gradus-bench-") as folder, \
            Database.open(Path(folder) / "state", STORE_NAMES) as database:
        load = Load(database, replicas)
        began = load.measure_state()
        load.node.seconds = dict.fromkeys(load.node.seconds, 0.0)
        load.tx_bytes = load.txs = 0
        while load.asked < REQUESTS:
            load.trade(PER_BLOCK)
        for _ in range(4):
            load.trade(0)
        kept, at_most = len(load.list_kept()), load.measure_state()
        assert kept == REQUESTS, f"{kept} of {REQUESTS} are answered and kept"
        for _ in range(KEPT_BLOCKS + 1):
            load.trade(0)
        assert load.app.inference.archive(load.ctx()).count == REQUESTS
        return _new_row(load, began, at_most)


def _new_row(load: Load, began: int, at_most: int) -> Row:
    seconds = load.node.seconds
    follower = sum(seconds[name] for name in FOLLOWER)  # every block runs in one way of the two
    both = follower + seconds["prepare"] + seconds["process_own"]
    return {
        "replicas": load.replicas, "requests": REQUESTS, "requests/block": PER_BLOCK,
        "txs/request": round(load.txs / REQUESTS, 1), "block bytes/request": round(load.tx_bytes / REQUESTS),
        "CPU ms/request": round(1_000 * both / REQUESTS, 2), "requests/CPU s": round(REQUESTS / both),
        "state bytes/request kept": round((at_most - began) / REQUESTS),
        "state bytes of 10,000 kept": 10_000 * (at_most - began) // REQUESTS,
        "state bytes left of all": load.measure_state() - began,
    }
