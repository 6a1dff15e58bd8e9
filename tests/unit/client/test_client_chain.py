"""ChainClient: the application's answers as they are, and none that does not fit what the chain commits to."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from abci_app.client import asking
from abci_app.client.chain import ChainClient
from abci_app.client.errors import ProofInvalid, QueryRefused
from abci_app.client.rpc import Answer
from abci_app.wire.address import encode_address, module_address
from abci_app.wire.errors import InvalidAddress
from abci_app.wire.pb.gradus.models.v1 import query_pb2 as models_pb2
from abci_app.wire.pb.gradus.work.v1 import query_pb2 as work_pb2
from kernels import chunks, dispatch, mlp
from tests.chain import Chain, address_of
from tests.local_rpc import LocalNode
from tests.sim.claims import compute_claim, new_commit, new_reveal
from tests.unit.work.market import FUNDS_UGRAD, TRAINERS, Market

ANN = address_of("ann")


class Tampered:
    """A node that changes the answers to one path."""

    url = "tampered"

    def __init__(self, node: LocalNode, path: str, change: Callable[[bytes], bytes]) -> None:
        self.node, self.path, self.change = node, path, change

    def __getattr__(self, name: str) -> Any:
        return getattr(self.node, name)

    def abci_query(self, path: str, data: bytes = b"", height: int = 0, prove: bool = False) -> Answer:
        answer = self.node.abci_query(path, data, height, prove)
        if path != self.path:
            return answer
        return Answer(answer.code, answer.codespace, answer.log, b"", self.change(answer.value), answer.height, ())


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    with dispatch.forced("ref"):
        made = Market(tmp_path)
        yield made
        made.chain.database.close()


@pytest.fixture
def client(market: Market) -> ChainClient:
    return ChainClient(LocalNode(market.chain))


def tamper(market: Market, path: str, kind: type[Message], **fields: Any) -> ChainClient:
    """A client whose node writes `fields` over an answer's; dots reach into it."""
    def change(value: bytes) -> bytes:
        message = kind.FromString(value)
        for name, new in fields.items():
            *parents, last = name.split("__")
            part: Any = message
            for parent in parents:
                part = getattr(part, parent)
            setattr(part, last, new)
        return message.SerializeToString()
    return ChainClient(Tampered(LocalNode(market.chain), path, change))  # type: ignore[arg-type]


def test_accounts_and_balances_are_the_chains(market: Market, client: ChainClient) -> None:
    account = client.find_account(ANN)
    assert account is not None and account.address == ANN and account.sequence == 1
    assert client.balance(ANN) == market.chain.balance("ann") < FUNDS_UGRAD
    assert client.find_account(address_of("nobody")) is None and client.balance(address_of("nobody")) == 0
    room = client.find_account(encode_address(module_address("work")))
    assert room is not None and room.address == encode_address(module_address("work"))
    with pytest.raises(InvalidAddress):
        client.balance("gradus1xyz")
    assert client.chain_id() == market.chain.chain_id and client.height() == market.chain.height
    assert client.gas_price_ppm() > 0


def test_model_round_trainers_and_slashes_are_the_chains(client: ChainClient) -> None:
    assert client.get_model(1).spec.name == "market" and [model.id for model in client.iter_models()] == [1]
    assert client.find_model(2) is None
    with pytest.raises(QueryRefused) as caught:
        client.get_model(2)
    assert (caught.value.codespace, caught.value.code) == ("sdk", 22)
    dealing = client.find_round(1)
    assert dealing is not None and dealing.round is not None and len(dealing.units) == 4
    assert client.find_round(1, 9) is None
    mine = client.assignments(1, ANN)
    assert [unit.trainer for unit in mine.units] == [ANN] and mine.trainer == client.find_trainer(1, ANN)
    stranger = client.assignments(1, address_of("eve"))
    assert stranger.units == () and stranger.trainer is None and client.find_trainer(1, address_of("eve")) is None
    assert sorted(trainer.address for trainer in client.iter_trainers(1)) == sorted(map(address_of, TRAINERS))
    assert list(client.iter_slashes(1)) == [] and list(client.iter_contributions(1)) == []
    assert client.find_contribution(1, ANN) is None and client.find_payload(1, 1, 0) is None


def test_payload_of_a_revealed_unit_is_found(market: Market, client: ChainClient) -> None:
    dealing = client.find_round(1)
    weights = client.find_weights(1, 0)
    assert dealing is not None and dealing.round is not None and weights is not None
    rows = market.table.rows
    found = {unit.index: compute_claim(client.get_model(1).spec, dealing.round, unit.index, weights, rows)
             for unit in dealing.units}
    names = {address_of(name): name for name in TRAINERS}
    for new_message in (new_commit, new_reveal):
        market.chain.block([market.chain.sign(names[unit.trainer], new_message(unit, found[unit.index]))
                            for unit in dealing.units])
    assert client.find_payload(1, 1, 2) == found[2].payload


def test_pages_are_followed_to_their_end(client: ChainClient, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(client.iter_trainers(1))
    monkeypatch.setattr(asking, "PAGE_LIMIT", 1)
    assert list(client.iter_trainers(1)) == whole and len(whole) == 4


def test_pages_without_an_end_are_refused(market: Market) -> None:
    path = "/gradus.work.v1.Query/Trainers"
    client = tamper(market, path, work_pb2.QueryTrainersResponse, pagination__next_key=b"again")
    with pytest.raises(ProofInvalid, match="do not come to an end"):
        list(client.iter_trainers(1))


def test_weights_are_those_that_the_root_commits_to(market: Market, client: ChainClient,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    model, told = client.get_model(1), []
    weights = client.find_weights(1, 0, model.weights_root, report=lambda *progress: told.append(progress))
    assert weights == mlp.init_weights(tuple(model.spec.mlp_classifier.widths), model.spec.init_seed)
    record = client.find_weights_record(1, 0)
    assert record is not None and chunks.chunk_root(weights, record.chunk_bytes) == record.root == model.weights_root
    assert told == [(1, 1)]
    assert client.find_weights(1, 1) is None and client.find_weights(2, 0) is None


def test_weights_under_another_root_are_refused(client: ChainClient) -> None:
    with pytest.raises(ProofInvalid, match="not 0000"):
        client.find_weights(1, 0, bytes(32))


CHUNK, RECORD = "/gradus.models.v1.Query/WeightsChunk", "/gradus.models.v1.Query/Weights"


@pytest.mark.parametrize("path, kind, fields", [
    (CHUNK, models_pb2.QueryWeightsChunkResponse, {"chunk": b"x"}),
    (CHUNK, models_pb2.QueryWeightsChunkResponse, {"chunk": b""}),
    (RECORD, models_pb2.QueryWeightsResponse, {"weights__root": bytes(32)}),
    (RECORD, models_pb2.QueryWeightsResponse, {"weights__chunk_count": 2}),
    (RECORD, models_pb2.QueryWeightsResponse, {"weights__chunk_count": 0}),
    (RECORD, models_pb2.QueryWeightsResponse, {"weights__chunk_bytes": 0}),
    (RECORD, models_pb2.QueryWeightsResponse, {"weights__total_bytes": 4}),
    (RECORD, models_pb2.QueryWeightsResponse, {"weights__total_bytes": 1 << 60}),
])
def test_weights_that_do_not_fit_the_commitment_are_refused(market: Market, path: str, kind: type[Message],
                                                            fields: dict[str, Any]) -> None:
    with pytest.raises(ProofInvalid):
        tamper(market, path, kind, **fields).find_weights(1, 0)


def test_chunk_with_one_flipped_bit_is_refused(market: Market) -> None:
    def flip(value: bytes) -> bytes:
        message = models_pb2.QueryWeightsChunkResponse.FromString(value)
        message.chunk = bytes([message.chunk[0] ^ 1]) + message.chunk[1:]
        return message.SerializeToString()
    client = ChainClient(Tampered(LocalNode(market.chain), CHUNK, flip))  # type: ignore[arg-type]
    with pytest.raises(ProofInvalid, match="chunk 0"):
        client.find_weights(1, 0)


@pytest.mark.parametrize("path, ask", [
    ("/gradus.models.v1.Query/Model", lambda client: client.get_model(1)),
    ("/cosmos.auth.v1beta1.Query/Account", lambda client: client.find_account(ANN)),
    ("/cosmos.bank.v1beta1.Query/Balance", lambda client: client.balance(ANN)),
    ("/gradus.work.v1.Query/Assignments", lambda client: client.assignments(1, ANN)),
])
def test_answer_that_is_no_answer_is_refused(market: Market, path: str, ask: Callable[[ChainClient], object]) -> None:
    node = Tampered(LocalNode(market.chain), path, lambda value: b"\xff\xff\xff")
    with pytest.raises(ProofInvalid):
        ask(ChainClient(node))  # type: ignore[arg-type]


def test_account_of_somebody_else_is_refused(tmp_path: Path) -> None:
    with Chain(tmp_path, {"ann": 5, "ben": 5}) as chain:
        node = LocalNode(chain)
        node.block()
        other = node.abci_query("/cosmos.auth.v1beta1.Query/Account",
                                b"\x0a" + bytes([len(address_of("ben"))]) + address_of("ben").encode()).value
        client = ChainClient(Tampered(node, "/cosmos.auth.v1beta1.Query/Account",
                                      lambda value: other))  # type: ignore[arg-type]
        with pytest.raises(ProofInvalid, match="answered with"):
            client.find_account(ANN)
