"""Records proved through the light client, by nodes that answer well, badly, or about something else."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abci_app.client.errors import NodeRefused, QueryRefused
from abci_app.client.light.client import LightClient, Trust
from abci_app.client.light.errors import Expired, HeightMissing, HeightTooHigh, LightError, Malformed
from abci_app.client.light.records import read_record
from abci_app.client.light.source import RpcSource
from abci_app.client.light.verify import Rules
from abci_app.client.rpc import Answer, new_answer
from abci_app.wire.ints import I64_MAX
from tests.light_chain import CHAIN_ID, START_NS, FakeSource, new_blocks, now_after

RECORDED = json.loads((Path(__file__).parents[2] / "clients" / "light" / "gradus.json").read_text())
ANSWERS = {(fields["path"], bytes.fromhex(fields["key"])): new_answer(fields["answer"]["response"])
           for fields in RECORDED["answers"]}
APP_HASH = bytes.fromhex(RECORDED["blocks"][6]["commit"]["signed_header"]["header"]["app_hash"])
PRESENT, ABSENT_KEY = [next(key for path, key in ANSWERS if bool(ANSWERS[path, key].value) is there)
                       for there in (True, False)]
BLOCKS = new_blocks([{1: 10, 2: 10}] * 9, app_hash=APP_HASH)
TRUST = Trust(BLOCKS[0], True, BLOCKS[0])


class FakeRpc:
    """A node that gives the answers it was told to, one after the other, the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.asked = list(answers), 0

    def abci_query(self, path: str, data: bytes = b"", height: int = 0, prove: bool = False) -> Answer:
        assert path == "store/bank/key" and prove
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def new_client(**fields: Any) -> LightClient:
    return LightClient(CHAIN_ID, FakeSource(BLOCKS), sleep=lambda seconds: None,
                       **{"clock": now_after(BLOCKS), **fields})


def answer_of(key: bytes, path: str = "store/bank/key") -> Answer:
    return ANSWERS[path, key]


@pytest.mark.parametrize("path", ["store/bank/key", "/store/bank/key"])
def test_value_is_proved_in_both_encodings(path: str) -> None:
    answer = answer_of(PRESENT, path)
    record, trust = read_record(new_client(), TRUST, FakeRpc(answer), "bank", PRESENT)
    assert (record.value, record.height, record.header) == (answer.value, 6, BLOCKS[6])
    assert trust.latest == BLOCKS[6] and trust.root == BLOCKS[0]


def test_absence_is_proved() -> None:
    record, _ = read_record(new_client(), TRUST, FakeRpc(answer_of(ABSENT_KEY)), "bank", ABSENT_KEY)
    assert record.value is None


@pytest.mark.parametrize("changes, said", [
    ({"key": ABSENT_KEY}, "the answer is for the key"), ({"height": 0}, "of height 0"),
    ({"height": -1}, "of height -1"), ({"height": I64_MAX}, "of height"), ({"value": b"7"}, "does not hold"),
    ({"value": b""}, "does not hold"), ({"proof_ops": ()}, "does not hold")])
def test_answer_about_something_else_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(LightError, match=said):
        read_record(new_client(), TRUST, FakeRpc(replace(answer_of(PRESENT), **changes)), "bank", PRESENT)


def test_value_of_another_state_than_the_headers_is_refused() -> None:
    client, other = new_client(), new_blocks([{1: 10, 2: 10}] * 9, app_hash=b"\xcc" * 32)
    client.primary = FakeSource(other)
    with pytest.raises(LightError, match="does not hold"):
        read_record(client, Trust(other[0], True, other[0]), FakeRpc(answer_of(PRESENT)), "bank", PRESENT)


@pytest.mark.parametrize("path", ["store/bank/key", "/store/bank/key"])
def test_proof_of_another_key_or_of_absence_does_not_show_a_value(path: str) -> None:
    others = [key for one, key in ANSWERS if one == path and key != PRESENT and ANSWERS[one, key].value]
    for ops in (answer_of(others[0], path).proof_ops, answer_of(ABSENT_KEY).proof_ops):
        with pytest.raises(LightError, match="does not hold"):
            read_record(new_client(), TRUST, FakeRpc(replace(answer_of(PRESENT, path), proof_ops=ops)), "bank", PRESENT)


def test_answer_of_another_height_than_was_asked_is_refused() -> None:
    with pytest.raises(LightError, match="of height 6, not 4"):
        read_record(new_client(), TRUST, FakeRpc(answer_of(PRESENT)), "bank", PRESENT, height=4)
    assert read_record(new_client(), TRUST, FakeRpc(answer_of(PRESENT)), "bank", PRESENT, height=6)[0].height == 6


def test_state_before_what_was_verified_is_waited_out_and_then_refused_unless_it_was_asked_for() -> None:
    trust = Trust(BLOCKS[0], True, BLOCKS[8])
    rpc = FakeRpc(answer_of(PRESENT))
    with pytest.raises(LightError, match="verified before") as caught:
        read_record(new_client(), trust, rpc, "bank", PRESENT)
    assert rpc.asked > 10 and "--node" in caught.value.hint
    assert read_record(new_client(), trust, rpc, "bank", PRESENT, height=6)[0].value
    late = FakeRpc(replace(answer_of(PRESENT), height=2), replace(answer_of(PRESENT), height=3), answer_of(PRESENT))
    assert read_record(new_client(), Trust(BLOCKS[0], True, BLOCKS[6]), late, "bank", PRESENT)[0].height == 6


def test_node_that_shows_the_state_verified_last_for_ever_is_believed_for_the_trusting_period_only() -> None:
    trust, rpc = Trust(BLOCKS[0], True, BLOCKS[6]), FakeRpc(answer_of(PRESENT))
    end_ns = BLOCKS[6].header.time_ns + Rules().trusting_period_ns
    assert read_record(new_client(clock=lambda: end_ns - 1), trust, rpc, "bank", PRESENT)[0].height == 6
    with pytest.raises(Expired, match="trusting period"):
        read_record(new_client(clock=lambda: end_ns), trust, rpc, "bank", PRESENT)
    assert read_record(new_client(clock=lambda: end_ns), trust, rpc, "bank", PRESENT, height=6)[0].height == 6


def test_old_state_is_told_with_its_age() -> None:
    client = new_client(clock=lambda: START_NS + 7 * 10**9 + 100 * 10**9)
    read_record(client, TRUST, FakeRpc(answer_of(PRESENT)), "bank", PRESENT)
    assert client.notes == ["the newest state that the node has is 100 seconds old"]


def test_refusal_of_the_application_keeps_its_code() -> None:
    with pytest.raises(QueryRefused) as caught:
        read_record(new_client(), TRUST, FakeRpc(replace(answer_of(PRESENT), code=26, codespace="sdk")), "bank",
                    PRESENT)
    assert (caught.value.codespace, caught.value.code) == ("sdk", 26)


class BlockRpc:
    """A node's RPC over the recorded blocks; what it says can be altered."""

    url = "fake:rpc"

    def __init__(self, status: Any = None) -> None:
        self.blocks = {fields["height"]: copy.deepcopy(fields) for fields in RECORDED["blocks"]}
        self.status, self.pages = status, 0
        self.refusal = ""

    def commit(self, height: int) -> Any:
        if self.refusal:
            raise NodeRefused(self.refusal)
        return self.blocks[height]["commit"]

    def validators(self, height: int, page: int = 1, page_size: int = 100) -> Any:
        self.pages += 1
        return self.blocks[height]["validators"]

    def call(self, method: str) -> Any:
        return self.status


def test_validators_are_fetched_once_while_they_stay_the_same() -> None:
    rpc = BlockRpc()
    source = RpcSource(rpc, RECORDED["chain_id"])
    assert [source.light_block(height).height for height in range(1, 9)] == list(range(1, 9))
    assert rpc.pages == 1


@pytest.mark.parametrize("text, kind", [
    ("height 9 must be less than or equal to the current blockchain height 8", HeightTooHigh),
    ("height 9 is not available, lowest height is 10", HeightMissing), ("something else", NodeRefused)])
def test_refusals_of_a_node_are_told_apart(text: str, kind: type[Exception]) -> None:
    rpc = BlockRpc()
    rpc.refusal = text
    with pytest.raises(kind):
        RpcSource(rpc, RECORDED["chain_id"]).light_block(9)


@pytest.mark.parametrize("pages", [
    {"validators": [], "total": "4"}, {"validators": None, "total": "4"}, {}, {"validators": [{}] * 101, "total": "9"},
    {"validators": [{}] * 100, "total": "99999999"}, {"validators": [{}] * 100, "total": "10100"},
    {"validators": "x", "total": "1"}])
def test_pages_of_validators_are_bounded_and_must_come_to_an_end(pages: Any) -> None:
    rpc = BlockRpc()
    rpc.blocks[3]["validators"] = pages
    with pytest.raises(Malformed):
        RpcSource(rpc, RECORDED["chain_id"]).light_block(3)
    assert rpc.pages <= 100


@pytest.mark.parametrize("signed", [None, {}, [], {"header": None, "commit": None}, {"header": {}}, "x"])
def test_commit_without_a_header_is_no_block(signed: Any) -> None:
    rpc = BlockRpc()
    rpc.blocks[3]["commit"] = {"signed_header": signed}
    with pytest.raises(LightError):
        RpcSource(rpc, RECORDED["chain_id"]).light_block(3)


@pytest.mark.parametrize("status", [{}, {"sync_info": None}, {"sync_info": {}},
                                    {"sync_info": {"latest_block_height": 5}},
                                    {"sync_info": {"latest_block_height": "٣"}},
                                    {"sync_info": {"latest_block_height": "9" * 30}}])
def test_newest_height_that_is_none_is_refused(status: Any) -> None:
    with pytest.raises(Malformed):
        RpcSource(BlockRpc(status), CHAIN_ID).latest_height()


@settings(max_examples=200)
@given(st.dictionaries(st.text(max_size=5) | st.sampled_from(["code", "height", "key", "value", "proofOps"]),
                       st.none() | st.integers() | st.text(max_size=10) | st.lists(st.integers(), max_size=2)
                       | st.dictionaries(st.sampled_from(["ops"]), st.lists(st.dictionaries(
                           st.sampled_from(["type", "key", "data"]), st.text(max_size=8)), max_size=3), max_size=1)))
def test_any_answer_is_refused_and_never_a_traceback_of_another_kind(response: dict[str, Any]) -> None:
    try:
        answer = new_answer(response)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return  # what rpc.Rpc turns into NodeRefused
    with pytest.raises((LightError, QueryRefused)):
        read_record(new_client(), TRUST, FakeRpc(answer), "bank", PRESENT)
