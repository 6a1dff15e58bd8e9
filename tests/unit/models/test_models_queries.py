"""Queries: records, pages, and chunks whose proofs verify against the record that the state commits to."""

import pytest

from abci_app.wire.errors import InvalidRequest, NotFound
from abci_app.wire.pb.cosmos.base.query.v1beta1.pagination_pb2 import PageRequest
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Weights
from abci_app.wire.pb.gradus.models.v1.query_pb2 import (
    QueryModelRequest, QueryModelsRequest, QueryWeightsChunkRequest, QueryWeightsRequest,
)
from abci_app.x.models import keys
from kernels.chunks import verify_chunk
from tests.unit.models.rooms import Rooms, small_spec

PATH = "/gradus.models.v1.Query/"


def test_model_is_answered_and_an_unknown_one_is_not_found(rooms: Rooms) -> None:
    model = rooms.create()
    assert rooms.query(PATH + "Model", QueryModelRequest(model_id=1)).model == model
    for unknown in (0, 2, 2**64 - 1):
        with pytest.raises(NotFound):
            rooms.query(PATH + "Model", QueryModelRequest(model_id=unknown))


def test_models_come_by_pages_in_the_order_of_ids(rooms: Rooms) -> None:
    made = [rooms.create() for _ in range(5)]
    found, key = [], b""
    while True:
        page = PageRequest(key=key, limit=2)
        answer = rooms.query(PATH + "Models", QueryModelsRequest(pagination=page))
        assert len(answer.models) <= 2
        found += answer.models
        key = answer.pagination.next_key
        if not key:
            break
    assert found == made
    with pytest.raises(InvalidRequest):
        rooms.query(PATH + "Models", QueryModelsRequest(pagination=PageRequest(limit=10_000)))


def test_every_chunk_verifies_against_the_record_and_the_chunks_are_the_weights(rooms: Rooms) -> None:
    spec = small_spec()
    spec.mlp_classifier.widths[:] = [4, 9000, 3]
    model = rooms.create(spec)
    record = rooms.query(PATH + "Weights", QueryWeightsRequest(model_id=1)).weights
    assert record.root == model.weights_root and record.chunk_count == 5
    parts = []
    for index in range(record.chunk_count):
        answer = rooms.query(PATH + "WeightsChunk", QueryWeightsChunkRequest(model_id=1, index=index))
        proof = list(answer.proof)
        assert verify_chunk(record.root, answer.chunk, index, record.chunk_count, proof)
        assert not verify_chunk(record.root, answer.chunk[:-1] + b"\x01", index, record.chunk_count, proof)
        parts.append(answer.chunk)
    assert b"".join(parts) == rooms.models.load_weights(rooms.ctx, 1, 0)


def test_weights_record_stands_in_the_state_under_its_key(rooms: Rooms) -> None:
    rooms.create()
    raw = rooms.ctx.state.store("models").get(keys.weights(1, 0))
    assert raw is not None
    assert Weights.FromString(raw) == rooms.query(PATH + "Weights", QueryWeightsRequest(model_id=1)).weights


@pytest.mark.parametrize(("model_id", "round_number", "index"), [(2, 0, 0), (1, 1, 0), (1, 0, 1), (1, 0, 2**32 - 1)])
def test_chunk_that_is_not_there_is_not_found(rooms: Rooms, model_id: int, round_number: int, index: int) -> None:
    rooms.create()
    request = QueryWeightsChunkRequest(model_id=model_id, round=round_number, index=index)
    with pytest.raises(NotFound):
        rooms.query(PATH + "WeightsChunk", request)


def test_chunk_whose_blob_is_missing_is_not_found(rooms: Rooms) -> None:
    rooms.create()
    rooms.ctx.state.blobs.delete(keys.chunk_blob(1, 0, 0))
    with pytest.raises(NotFound):
        rooms.query(PATH + "WeightsChunk", QueryWeightsChunkRequest(model_id=1))
