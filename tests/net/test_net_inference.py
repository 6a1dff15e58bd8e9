"""Paid inference on a real network: three hosts of which one lies, judged by auditors who compute; a session that is
drawn, shown, audited and paid."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from abci_app.answers.source import AnswerSource
from abci_app.cli.contracts import compute_escrow, new_contract, new_spec
from abci_app.client.chain import ChainClient
from abci_app.client.errors import ClientError
from abci_app.client.keys import Key, Keyring, new_key
from abci_app.client.node import connect
from abci_app.client.send import Sender
from abci_app.data.dataset import Options, new_dataset
from abci_app.data.named import LABEL, load_named
from abci_app.data.store import DatasetStore
from abci_app.runtime.records import export_record
from abci_app.sdk.host_client import HostClient
from abci_app.sdk.journal import SessionJournal
from abci_app.sdk.session import Session
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    HOST_STATUS_ACTIVE, HOST_STATUS_SLASHED, REQUEST_STATUS_ANSWERED, SEAT_STATUS_PAID, SEAT_STATUS_WRONG, Question,
    Request,
)
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import MsgRequestInference, MsgRequestInferenceResponse
from abci_app.wire.pb.gradus.sessions.v1 import sessions_pb2
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import SESSION_STATUS_SETTLED
from abci_app.wire.pb.gradus.sessions.v1.tx_pb2 import MsgOpenSession, MsgOpenSessionResponse
from abci_app.wire.question import entry_seed
from kernels import dispatch
from localnet import checks
from localnet.engine import find_engine
from localnet.genesis import FAUCET, new_composer
from localnet.homes import Home, Identity
from localnet.network import DATASETS, Localnet

pytestmark = [pytest.mark.net, pytest.mark.timeout(420)]
HOSTS = ("honest", "lie", "honest")
LIAR = 1
QUESTION = Question(rows=2, features=bytes(range(8)))
DEPOSIT_UGRAD = 1_000_000
ANSWERS = 3


@dataclass
class Market:
    """A running network with a model and its hosts, and a user."""

    net: Localnet
    client: ChainClient
    user: Key
    hosts: list[str]

    def ask(self, replicas: int) -> Request:
        """A request, settled."""
        message = MsgRequestInference(user=self.user.bech32, model_id=1, question=QUESTION, replicas=replicas,
                                      max_fee=coin_pb(base_coin(10_000)), deadline_blocks=100)
        sent = Sender(self.client, self.user).send([message])
        number = MsgRequestInferenceResponse.FromString(sent.responses[0].value).request_id
        wait_until(lambda: self.get_request(number).closed_height > 0, f"the end of request {number}")
        return self.get_request(number)

    def get_request(self, number: int) -> Request:
        """A request that is kept."""
        found = self.client.find_request(number)
        assert found is not None
        return found

    def get_session(self, number: int) -> sessions_pb2.Session:
        """A session that is kept."""
        found = self.client.find_session(number)
        assert found is not None
        return found

    def compute(self, request: Request | sessions_pb2.Session, seed: bytes) -> bytes:
        """What the model answers, by a node that no host has asked."""
        chain = ChainClient(connect([self.net.manifest.nodes[3].rpc], self.net.manifest.chain_id))
        network = AnswerSource(chain).load_network(1, request.spec_version, request.round, request.weights_root)
        return network.answer(QUESTION, seed)


def compose(accounts: dict[str, int]) -> Any:
    """A genesis by which sessions end soon."""
    usual = new_composer(accounts)

    def made(chain_id: str, identities: Sequence[Identity], homes: Sequence[Home]) -> tuple[dict[str, Any], Any]:
        app_state, operators = usual(chain_id, identities, homes)
        params = sessions_pb2.Params(close_blocks=30, show_blocks=60, session_blocks_max=10_000, kept_blocks=10_000)
        app_state["sessions"] = {"params": export_record(params)}
        return app_state, operators

    return made


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    """Four validators with their auditors, a model of which every answer is audited, and a process for each host."""
    dispatch.warm()  # once, before hosts and auditors would all compile at the same time
    folder = tmp_path_factory.mktemp("inference")
    made = new_dataset(load_named("iris"), Options(label=LABEL, name="iris"))
    keys, user = [new_key() for _ in HOSTS], new_key()
    net = Localnet.new(folder / "net", 4, "gradus-test-inference", base_port=0, engine=find_engine(),
                       compose=compose({key.bech32: 10**9 for key in (*keys, user)}))
    net.auditors = ("honest",) * 4
    DatasetStore(net.folder / DATASETS).add(made)
    with net:
        urls = [node.rpc for node in net.manifest.nodes]
        client = ChainClient(connect(urls[:1], net.manifest.chain_id))
        creator = Keyring(net.folder / "keys").get(FAUCET)
        spec = new_spec(made.manifest, 10, 2, 1_000_000, (8,))
        spec.inference.audit_ppm, spec.inference.audit_blocks = 1_000_000, 60
        sent = Sender(client, creator).send([new_contract(creator.bech32, spec, compute_escrow(spec))])
        assert sent.responses
        processes = [start_host(folder, index, key, urls[index]) for index, key in enumerate(keys)]
        try:
            wait_until(lambda: count_active(client) == len(HOSTS), "three hosts", 180, processes)
            yield Market(net, client, user, [key.bech32 for key in keys])
        finally:
            for process in processes:
                process.kill()
            for process in processes:
                process.wait(20)


def start_host(folder: Path, index: int, key: Key, url: str) -> subprocess.Popen[bytes]:
    """`gradus host start` as a user runs it."""
    home = folder / f"host{index}"
    Keyring(home / "keys").put("host", key, None)
    with (home / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "abci_app.cli", "host", "start", "1", "--key", "host", "--home", str(home),
             "--node", url, "--behaviour", HOSTS[index], "--listen", "127.0.0.1:0", "--output", "json"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)


def count_active(client: ChainClient) -> int:
    return sum(host.status == HOST_STATUS_ACTIVE for host in client.iter_hosts(1))


def wait_until(is_true: Callable[[], bool], what: str, seconds: float = 90,
               processes: Sequence[subprocess.Popen[bytes]] = ()) -> None:
    deadline_s = time.monotonic() + seconds
    while True:
        with suppress(ClientError):
            if is_true():
                return
        assert all(process.poll() is None for process in processes), f"a process has ended: {what}"
        assert time.monotonic() < deadline_s, f"not in {seconds} s: {what}"
        time.sleep(0.2)


def check_auditors(market: Market, right_min: int) -> None:
    """All auditors were right, and none was ever excluded."""
    standing = list(market.client.iter_auditors())
    assert len(standing) == 4 and sum(one.right for one in standing) >= right_min
    assert [(one.wrong, one.excluded_until_height) for one in standing] == [(0, 0)] * 4


def test_liar_among_three_hosts_is_slashed_and_the_others_are_paid(market: Market) -> None:
    bond_ugrad = {host.address: host.bond_ugrad for host in market.client.iter_hosts(1)}
    before = market.client.balance(market.user.bech32)
    request = market.ask(replicas=3)
    assert request.status == REQUEST_STATUS_ANSWERED and request.audited
    assert request.answer == market.compute(request, request.seed)
    seats = {seat.host: seat for seat in request.seats}
    assert [seats[host].status for host in market.hosts] == [SEAT_STATUS_PAID, SEAT_STATUS_WRONG, SEAT_STATUS_PAID]
    liar = market.client.find_host(1, market.hosts[LIAR])
    assert liar is not None and liar.status == HOST_STATUS_SLASHED
    slashed_ugrad = seats[liar.address].slashed_ugrad
    assert bond_ugrad[liar.address] - liar.bond_ugrad == slashed_ugrad >= seats[liar.address].stake_ugrad > 0
    assert request.fee_ugrad + request.refund_ugrad == request.escrow_ugrad
    assert before - market.client.balance(market.user.bech32) >= request.fee_ugrad
    check_auditors(market, right_min=3)


def test_liar_is_asked_nothing_more_and_right_answers_are_audited_and_paid(market: Market) -> None:
    request = market.ask(replicas=2)
    assert request.status == REQUEST_STATUS_ANSWERED and request.audited
    assert sorted(seat.host for seat in request.seats) == sorted([market.hosts[0], market.hosts[2]])
    assert all(seat.status == SEAT_STATUS_PAID for seat in request.seats)
    assert request.answer == market.compute(request, request.seed)
    check_auditors(market, right_min=6)


def test_session_is_drawn_shown_audited_and_paid_to_the_last_receipt(market: Market, tmp_path: Path) -> None:
    host = market.client.find_host(1, market.hosts[0])
    assert host is not None
    with SessionJournal.create(tmp_path) as journal:
        message = MsgOpenSession(user=market.user.bech32, model_id=1, host=host.address, blocks=5_000,
                                 price_max_ugrad_per_gma=host.price_ugrad_per_gma,
                                 deposit=coin_pb(base_coin(DEPOSIT_UGRAD)), receipt_key=journal.key.public)
        sent = Sender(market.client, market.user).send([message])
        record = market.get_session(MsgOpenSessionResponse.FromString(sent.responses[0].value).session_id)
        spec = market.client.get_model(1).spec
        session = Session(market.net.manifest.chain_id, record, spec, HostClient(host.endpoint), journal)
        for number in range(1, ANSWERS + 1):
            assert session.ask(QUESTION).answer == market.compute(record, entry_seed(record.seed, number))
        owed_ugrad = session.total_ugrad
        assert session.hand_over(closes=True)
    wait_until(lambda: market.get_session(record.id).status == SESSION_STATUS_SETTLED, "the session's end")
    settled = market.get_session(record.id)
    assert (settled.outcome, settled.receipt.count, settled.paid_ugrad) == ("paid", ANSWERS, owed_ugrad)
    assert 1 <= settled.number <= ANSWERS and settled.refund_ugrad == DEPOSIT_UGRAD - owed_ugrad
    check_auditors(market, right_min=9)


def test_nodes_agree_and_every_invariant_holds(market: Market) -> None:
    assert len(checks.same_app_hash(market.net.rpcs)[1]) == 32
    assert market.client.check_invariants()[1] == []
