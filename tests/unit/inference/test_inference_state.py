"""What the room keeps: exported and imported in the middle of requests, asked for, archived, and always consistent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abci_app.runtime.genesis import GenesisInvalid
from abci_app.store.branch import Overlay
from abci_app.wire.address import module_address
from abci_app.wire.archive import append_leaf, compute_archive_root
from abci_app.wire.coin import base_coin
from abci_app.wire.errors import InvalidRequest, NotFound
from abci_app.wire.merkle import MerkleTree, merkle_root, verify_leaves
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    HOST_STATUS_ACTIVE, REQUEST_STATUS_ANSWERED, REQUEST_STATUS_AUDIT, REQUEST_STATUS_COMMIT, REQUEST_STATUS_DRAW,
    REQUEST_STATUS_PENDING, REQUEST_STATUS_REVEAL, Archive, Params,
)
from abci_app.wire.question import request_hash
from abci_app.x.inference import keys
from abci_app.x.inference.errors import InferenceAbsent, QuestionRefused
from abci_app.x.inference.types import STORE
from tests.chain import Chain, address_of, new_test_key
from tests.unit.inference.desk import HOSTS, PRICE, Desk, attribute, new_question
from tests.unit.work.market import small_spec

QUERY = "/gradus.inference.v1.Query/"
NewDesk = Callable[..., Desk]
SHORT = Params(kept_blocks=6, missed_max=3, request_price_ugrad=7)


def query(desk: Desk, name: str, **fields: Any) -> Any:
    route = desk.chain.app.router.queries[QUERY + name]
    return desk.chain.query(QUERY + name, route.request(**fields))


def reach(desk: Desk, status: int) -> None:
    """A desk with a request in a status: its hosts differ."""
    desk.block(desk.request_msg())
    if status == REQUEST_STATUS_PENDING:
        return
    desk.block()
    if status == REQUEST_STATUS_COMMIT:
        desk.block(desk.commit_msg("hal"))
        return
    desk.block(*(desk.commit_msg(name, lie="lie" if name == "hex" else "") for name in HOSTS))
    desk.block(desk.reveal_msg("hal"))
    if status == REQUEST_STATUS_REVEAL:
        return
    desk.block(desk.reveal_msg("hex", lie="lie"), desk.reveal_msg("hob"))
    if status == REQUEST_STATUS_DRAW:
        return
    desk.block()
    if status != REQUEST_STATUS_AUDIT:
        desk.block(votes=True)


def finish(desk: Desk) -> None:
    """Whoever has to act acts, until the request has ended."""
    while desk.request().status != REQUEST_STATUS_ANSWERED:
        request = desk.request()
        if request.status == REQUEST_STATUS_COMMIT:
            desk.block(*(desk.commit_msg(name) for name, seat in desk.seats().items() if not seat.commitment))
        elif request.status == REQUEST_STATUS_REVEAL:
            waiting = [name for name, seat in desk.seats().items() if not seat.answer_hash]
            desk.block(*(desk.reveal_msg(name, lie=lie_of(desk, name)) for name in waiting))
        else:
            desk.block(votes=True)


def lie_of(desk: Desk, name: str) -> str:
    return "" if desk.commit_msg(name).commitment == desk.seats()[name].commitment else "lie"


STATUSES = (REQUEST_STATUS_PENDING, REQUEST_STATUS_COMMIT, REQUEST_STATUS_REVEAL, REQUEST_STATUS_DRAW,
            REQUEST_STATUS_AUDIT, REQUEST_STATUS_ANSWERED)


@pytest.mark.parametrize("status", STATUSES)
def test_a_chain_from_an_exported_state_goes_on(new_desk: NewDesk, tmp_path: Path, status: int) -> None:
    desk = new_desk(params=SHORT)
    reach(desk, status)
    assert desk.request().status == status
    chain = desk.chain
    exported = chain.app.export_genesis(chain.ctx())
    with Chain(tmp_path / "again", app_state=exported) as again:
        assert again.app.export_genesis(again.ctx()) == exported
        desk.chain = desk.auditors.chain = again
        finish(desk)
        assert desk.request().status == REQUEST_STATUS_ANSWERED and desk.request().answer == desk.answer()
        desk.wait_for(desk.request().due_height)
        assert again.app.inference.archive(again.ctx()).count == 1
        assert again.app.export_genesis(again.ctx())["inference"]["archive"]["count"] == "1"
    desk.chain = chain


@pytest.mark.parametrize(("section", "change", "path"), (
    ("params", {"kept_blocks": "0"}, "params"),
    ("params", {"missed_max": "0"}, "params"),
    ("params", {"return_blocks": "10000001"}, "params"),
    ("hosts", {"model_id": "9"}, "hosts[0].model_id"),
    ("hosts", {"address": "hal"}, "hosts[0].address"),
    ("hosts", {"status": "HOST_STATUS_UNSPECIFIED"}, "hosts[0].status"),
    ("hosts", None, "hosts[3]"),
    ("requests", {"id": "0"}, "requests[0].id"),
    ("requests", {"model_id": "2"}, "requests[0].spec_version"),
    ("requests", {"spec_version": "2"}, "requests[0].spec_version"),
    ("requests", {"status": "REQUEST_STATUS_UNSPECIFIED"}, "requests[0].status"),
    ("requests", {"user": "una"}, "requests[0].user"),
    ("requests", {"question": {"rows": "1"}}, "requests[0].question"),
    ("requests", None, "requests[1].id"),
    ("archive", {"count": "2"}, "archive"),
    ("hosts", {"bond_ugrad": "1"}, "inference/coins"),
    ("hosts", {"open_count": "0"}, "inference/stakes"),
    ("requests", {"waiting_count": "9"}, "inference/requests"),
    ("answers", {"request_id": "7"}, "inference/requests"),
))
def test_a_genesis_that_contradicts_itself_is_refused_by_its_path(
        new_desk: NewDesk, tmp_path: Path, section: str, change: dict[str, Any] | None, path: str) -> None:
    desk = new_desk()
    reach(desk, REQUEST_STATUS_REVEAL)
    exported = desk.chain.app.export_genesis(desk.chain.ctx())
    state = exported["inference"]
    if section == "archive":
        state["archive"] = change
    elif section == "params":
        state["params"] |= change or {}
    elif change is None:
        state[section].append(state[section][0])
    else:
        state[section][0] |= change
    with pytest.raises(GenesisInvalid) as refused:
        Chain(tmp_path / "again", app_state=exported)
    assert path in str(refused.value)


def test_next_id_0_is_refused(desk: Desk, tmp_path: Path) -> None:
    exported = desk.chain.app.export_genesis(desk.chain.ctx())
    exported["inference"]["next_id"] = "0"
    with pytest.raises(GenesisInvalid):
        Chain(tmp_path / "again", app_state=exported)


def spoil_due(desk: Desk, store: Overlay) -> None:
    store.set(keys.due(REQUEST_STATUS_AUDIT, 9, 1), b"\x01")


def spoil_users(desk: Desk, store: Overlay) -> None:
    store.delete(keys.user_mark(new_test_key("una").address, 1))


def spoil_hosts(desk: Desk, store: Overlay) -> None:
    store.delete(keys.host_mark(new_test_key("hal").address, 1))


def spoil_question(desk: Desk, store: Overlay) -> None:
    store.set(keys.question(1), new_question(first=9).SerializeToString())


def spoil_questions(desk: Desk, store: Overlay) -> None:
    store.set(keys.question(2), new_question().SerializeToString())


def spoil_active(desk: Desk, store: Overlay) -> None:
    store.delete(keys.active(1, PRICE, new_test_key("hal").address))


def spoil_count(desk: Desk, store: Overlay) -> None:
    store.set(keys.active_count(1), bytes([0, 0, 0, 9]))


def spoil_seats(desk: Desk, store: Overlay) -> None:
    store.delete(keys.host(1, new_test_key("hal").address))


def spoil_archive(desk: Desk, store: Overlay) -> None:
    store.set(keys.ARCHIVE, Archive(count=1, peaks=[bytes(32)]).SerializeToString())


def spoil_peaks(desk: Desk, store: Overlay) -> None:
    store.set(keys.ARCHIVE, Archive(count=1).SerializeToString())


def spoil_id(desk: Desk, store: Overlay) -> None:
    store.set(keys.NEXT_ID, bytes(7) + b"\x01")


@pytest.mark.parametrize(("spoil", "name"), (
    (spoil_due, "marks"), (spoil_users, "marks"), (spoil_hosts, "marks"), (spoil_question, "requests"),
    (spoil_questions, "requests"), (spoil_active, "active"), (spoil_count, "active"), (spoil_seats, "stakes"),
    (spoil_archive, "archive"), (spoil_peaks, "archive"), (spoil_id, "requests"),
))
def test_invariants_see_what_is_broken(desk: Desk, spoil: Callable[[Desk, Overlay], None], name: str) -> None:
    reach(desk, REQUEST_STATUS_COMMIT)
    ctx = desk.chain.ctx()
    spoil(desk, ctx.state.store(STORE))
    broken = desk.chain.app.check_invariants(ctx)
    assert f"inference/{name}" in [line.partition(":")[0] for line in broken], broken


def test_invariants_see_missing_coins_holds_and_audits(desk: Desk) -> None:
    reach(desk, REQUEST_STATUS_AUDIT)
    app, ctx = desk.chain.app, desk.chain.ctx()
    app.bank.send(ctx, module_address(STORE), new_test_key("eve").address, (base_coin(1),))
    app.models.release_weights(ctx, 1, 0)
    (audit,) = app.audits.iter_audits(ctx)
    app.audits.close_audit(ctx, audit.subject)
    broken = [line.partition(":")[0] for line in app.check_invariants(ctx) if line.startswith("inference/")]
    assert broken == ["inference/coins", "inference/holds", "inference/audits"]


def test_what_is_kept_no_longer_is_proved_by_the_archive(new_desk: NewDesk) -> None:
    desk, leaves, records = new_desk(params=SHORT), list[bytes](), list[bytes]()
    for request_id in range(1, 6):
        desk.ask(desk.request_msg(replicas=1))
        desk.answer_all(request_id)
        desk.block()
        records.append(desk.request(request_id).SerializeToString(deterministic=True))
        for event in desk.wait_for(desk.request(request_id).due_height):
            if event.type == "inference.request_archived":
                assert attribute(event, "leaf") == str(len(leaves))
                leaves.append(bytes.fromhex(attribute(event, "request_hash")))
    archive = query(desk, "Archive").archive
    assert archive.count == 5 and leaves == [request_hash(record) for record in records]
    proof = MerkleTree(leaves).prove([2])
    root = compute_archive_root(archive)
    assert verify_leaves(root, 5, [2], [request_hash(records[2])], proof)
    assert not verify_leaves(root, 5, [2], [request_hash(records[2] + b"\x00")], proof)
    with pytest.raises(NotFound):
        query(desk, "Request", request_id=3)
    kept = [key for key, _ in desk.chain.ctx().state.store(STORE).iter(b"") if key[0] in b"\x04\x05\x06\x07\x08\x09"]
    assert kept == []


def test_peaks_fold_to_the_root_of_the_whole_tree() -> None:
    archive, leaves = Archive(), list[bytes]()
    with pytest.raises(ValueError):
        compute_archive_root(archive)
    for number in range(40):
        leaves.append(bytes([number]))
        append_leaf(archive, leaves[-1])
        assert compute_archive_root(archive) == merkle_root(leaves)
        assert len(archive.peaks) == (number + 1).bit_count()


def test_queries_answer_what_clients_ask(desk: Desk) -> None:
    reach(desk, REQUEST_STATUS_COMMIT)
    assert query(desk, "Host", model_id=1, host=address_of("hal")).host.status == HOST_STATUS_ACTIVE
    assert sorted(host.address for host in query(desk, "Hosts", model_id=1).hosts) == sorted(map(address_of, HOSTS))
    found = query(desk, "Request", request_id=1).request
    assert found.question == new_question()
    found.ClearField("question")
    assert found == desk.request()
    for fields in ({"user": address_of("una")}, {"host": address_of("hex")}, {}):
        assert [one.id for one in query(desk, "Requests", **fields).requests] == [1]
    for fields in ({"user": address_of("uwe")}, {"host": address_of("eve")}):
        assert list(query(desk, "Requests", **fields).requests) == []
    with pytest.raises(InvalidRequest):
        query(desk, "Requests", user=address_of("una"), host=address_of("hal"))
    assert query(desk, "Params").params.kept_blocks == 1_000
    for name, fields in (("Host", {"model_id": 1, "host": address_of("eve")}), ("Hosts", {"model_id": 2}),
                         ("Request", {"request_id": 2}), ("Quote", {"model_id": 2})):
        with pytest.raises(NotFound):
            query(desk, name, **fields)


def test_a_quote_is_what_is_then_paid(desk: Desk) -> None:
    desk.block(desk.update_msg("hob", 2 * PRICE))
    quote = query(desk, "Quote", model_id=1, question=new_question(), replicas=3)
    assert [offer.host for offer in quote.offers][-1] == address_of("hob") and quote.is_available
    desk.ask(desk.request_msg(max_fee_ugrad=quote.fee_ugrad))
    desk.answer_all()
    desk.block()
    assert desk.request().fee_ugrad == quote.fee_ugrad and desk.request().work == quote.work
    assert quote.burnt_ugrad == 101
    assert len(desk.request().answer) == quote.answer_bytes_max
    none = query(desk, "Quote", model_id=1, question=new_question(), replicas=4)
    assert not none.is_available and none.fee_ugrad == 0 and len(none.offers) == 3
    assert desk.refusal(desk.request_msg(max_fee_ugrad=quote.fee_ugrad - 1)) == ("inference", 22)
    with pytest.raises(QuestionRefused):
        query(desk, "Quote", model_id=1, question=new_question(rows=257))


def test_a_model_without_an_inference_policy_is_hosted_by_nobody(desk: Desk) -> None:
    spec = small_spec()
    spec.ClearField("inference")
    desk.create(spec)
    with pytest.raises(InferenceAbsent):
        query(desk, "Quote", model_id=2, question=new_question())
    assert desk.refusal(desk.register_msg("hal", model_id=2)) == ("inference", 8)
    assert desk.refusal(desk.request_msg(model_id=2)) == ("inference", 8)
