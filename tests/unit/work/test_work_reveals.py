"""Reveals in parts: sizes, turn, what the last part must give, beginning anew, and what is forgotten."""

from collections.abc import Callable

import pytest

from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgRevealPart
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    ROUND_PHASE_AUDIT, UNIT_STATUS_COMMITTED, UNIT_STATUS_REVEALED, UNIT_STATUS_WITHHELD,
)
from abci_app.x.work import types
from abci_app.x.work.msgs import claim as claim_msgs
from abci_app.x.work.errors import CommitmentMismatch, PartMalformed, PartOutOfTurn, PayloadInvalid
from tests.chain import Chain
from tests.sim.claims import Claim, new_commit, new_reveal, new_reveals
from tests.unit.work.market import Market, kinds

NewMarket = Callable[..., Market]


@pytest.fixture
def market(new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> Market:
    """Ann and ben have committed; a part is 10 bytes here, so that their payloads of 44 are several parts."""
    monkeypatch.setattr(types, "compute_part_bytes", lambda codec: 10)
    made = new_market(trainers=("ann", "ben"), reveal_blocks=6)
    made.commit_all()
    return made


def parts_of(market: Market, claim: Claim | None = None) -> list[MsgRevealPart]:
    unit = market.unit_of("ann")
    return new_reveals(unit, claim or market.claim(unit), 10)


def held(market: Market) -> int:
    return len(list(market.chain.ctx().state.blobs.iter(b"work/p/")))


def test_unit_is_revealed_with_its_last_part(market: Market) -> None:
    parts, claim = parts_of(market), market.claim(market.unit_of("ann"))
    assert len(parts) == 5
    for count, part in enumerate(parts[:-1], 1):
        assert kinds(market.block(part)) == ["part_revealed"]
        unit = market.unit_of("ann")
        assert (unit.status, unit.parts, held(market)) == (UNIT_STATUS_COMMITTED, count, count)
    assert "unit_revealed" in kinds(market.block(parts[-1]))
    assert market.unit_of("ann").status == UNIT_STATUS_REVEALED
    assert market.chain.app.work.find_payload(market.chain.ctx(), market.unit_of("ann")) == claim.payload
    ben = market.unit_of("ben")
    market.block(*new_reveals(ben, market.claim(ben), 10))
    assert market.round().phase == ROUND_PHASE_AUDIT
    market.audit()
    assert market.round(1).accepted_count == 2


def test_parts_are_taken_in_turn_and_of_their_size(market: Market) -> None:
    first, second, third, *_ = parts_of(market)
    assert market.refusal(second) == ("work", PartOutOfTurn.code)
    market.block(first)
    assert market.refusal(third) == ("work", PartOutOfTurn.code)
    second.data += b"\0"
    assert market.refusal(second) == ("work", PartMalformed.code)
    assert (market.unit_of("ann").parts, held(market)) == (1, 1)


def test_last_part_of_another_payload_is_refused_and_the_reveal_may_begin_anew(market: Market) -> None:
    parts = parts_of(market)
    spoilt = MsgRevealPart()
    spoilt.CopyFrom(parts[2])
    spoilt.data = bytes(10)
    market.block(*parts[:2], spoilt, parts[3])
    assert market.refusal(parts[4]) == ("work", CommitmentMismatch.code)
    assert (market.unit_of("ann").parts, held(market)) == (4, 4)
    market.block(parts[0])
    assert (market.unit_of("ann").parts, held(market)) == (1, 1)
    market.block(*parts[1:])
    assert market.unit_of("ann").status == UNIT_STATUS_REVEALED


def test_refused_last_part_pays_for_all_that_was_hashed_because_of_it(
        market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    *parts, last = parts_of(market)
    market.block(*parts)
    last.data = bytes(len(last.data))
    gas = []
    for byte_gas in (1, 0):
        monkeypatch.setattr(claim_msgs, "BLOB_READ_BYTE_GAS", byte_gas)
        assert market.refusal(last) == ("work", CommitmentMismatch.code)
        gas.append(market.results[-1].gas_used)
    assert gas[0] - gas[1] == 40


def test_payload_that_is_not_canonical_is_refused_with_its_last_part(new_market: NewMarket,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(types, "compute_part_bytes", lambda codec: 10)
    market = new_market(trainers=("ann", "ben"))
    bad = Claim(b"\x80" * 44, bytes(32))
    market.commit_all({"ann": bad})
    *parts, last = parts_of(market, bad)
    market.block(*parts)
    assert market.refusal(last) == ("work", PayloadInvalid.code)


def test_parts_of_a_reveal_that_was_never_finished_are_forgotten(market: Market) -> None:
    ben = market.unit_of("ben")
    market.block(*parts_of(market)[:3], *new_reveals(ben, market.claim(ben), 10))
    market.wait_for(market.round().deadline_height)
    assert [market.names[slash.trainer] for slash in market.slashes()] == ["ann"]
    unit = market.unit_of("ann")
    assert (unit.status, held(market)) == (UNIT_STATUS_WITHHELD, 5)


def test_reveal_that_has_begun_is_exported_and_gone_on_with(
        market: Market, tmp_path_factory: pytest.TempPathFactory) -> None:
    parts = parts_of(market)
    market.block(*parts[:3])
    exported = market.chain.app.export_genesis(market.chain.ctx())
    with Chain(tmp_path_factory.mktemp("again"), app_state=exported) as again:
        assert again.app.export_genesis(again.ctx()) == exported
        market.chain, original = again, market.chain
        market.block(*parts[3:])
        assert market.unit_of("ann").status == UNIT_STATUS_REVEALED
        market.chain = original


def test_reveal_of_one_part_needs_no_other(new_market: NewMarket) -> None:
    market = new_market(trainers=("ann", "ben"))
    unit = market.unit_of("ann")
    claim = market.claim(unit)
    market.block(new_commit(unit, claim), new_commit(market.unit_of("ben"), market.claim(market.unit_of("ben"))))
    assert "unit_revealed" in kinds(market.block(new_reveal(unit, claim)))
