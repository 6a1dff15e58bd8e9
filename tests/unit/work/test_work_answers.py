"""Queries, and genesis: a state that is exported in the middle of a round starts a chain that goes on with it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abci_app.runtime.genesis import GenesisInvalid
from abci_app.wire.errors import ChainError
from abci_app.wire.pb.cosmos.base.query.v1beta1.pagination_pb2 import PageRequest
from abci_app.wire.pb.gradus.work.v1 import query_pb2
from abci_app.wire.pb.gradus.work.v1.work_pb2 import ROUND_PHASE_AUDIT, ROUND_PHASE_CLOSED, ROUND_PHASE_COMMIT
from tests.chain import Chain, address_of
from tests.unit.work.market import TRAINERS, Market

NewMarket = Callable[..., Market]
Change = Callable[[dict[str, Any]], None]
PATH = "/gradus.work.v1.Query/"


def ask(market: Market, name: str, **fields: Any) -> Any:
    request = getattr(query_pb2, f"Query{name}Request")(**fields)
    return market.chain.query(PATH + name, request)


def refusal(market: Market, name: str, **fields: Any) -> tuple[str, int]:
    with pytest.raises(ChainError) as caught:
        ask(market, name, **fields)
    return caught.value.codespace, caught.value.code


def test_trainer_and_trainers_are_answered_by_pages(new_market: NewMarket) -> None:
    market = new_market()
    assert ask(market, "Trainer", model_id=1, address=address_of("ann")).trainer == market.trainer("ann")
    whole = ask(market, "Trainers", model_id=1)
    assert sorted(one.address for one in whole.trainers) == sorted(address_of(name) for name in TRAINERS)
    first = ask(market, "Trainers", model_id=1, pagination=PageRequest(limit=3))
    rest = ask(market, "Trainers", model_id=1, pagination=PageRequest(key=first.pagination.next_key))
    assert list(first.trainers) + list(rest.trainers) == list(whole.trainers)


def test_round_zero_is_the_running_one(new_market: NewMarket) -> None:
    market = new_market()
    market.run_round()
    running, closed = ask(market, "Round", model_id=1), ask(market, "Round", model_id=1, round=1)
    assert (running.round.number, running.round.phase, len(running.units)) == (2, ROUND_PHASE_COMMIT, 4)
    assert (closed.round.number, closed.round.phase) == (1, ROUND_PHASE_CLOSED)


def test_assignments_say_what_a_trainer_has_to_do(new_market: NewMarket) -> None:
    market = new_market()
    answer = ask(market, "Assignments", model_id=1, trainer=address_of("ann"))
    assert list(answer.units) == [market.unit_of("ann")]
    assert (answer.round, answer.trainer) == (market.round(), market.trainer("ann"))
    stranger = ask(market, "Assignments", model_id=1, trainer=address_of("eve"))
    assert not stranger.HasField("trainer") and not stranger.units and stranger.HasField("round")


def test_assignments_before_the_first_round_are_empty(new_market: NewMarket) -> None:
    market = new_market(trainers=())
    answer = ask(market, "Assignments", model_id=1, trainer=address_of("ann"))
    assert not (answer.HasField("round") or answer.HasField("trainer") or answer.units)


def test_payload_is_answered_while_it_is_kept(new_market: NewMarket) -> None:
    market = new_market()
    unit = market.unit_of("ann")
    claim = market.claim(unit)
    assert refusal(market, "Payload", model_id=1, round=1, unit=unit.index) == ("sdk", 22)
    market.run_round()
    assert ask(market, "Payload", model_id=1, round=1, unit=unit.index).payload == claim.payload
    market.run_round()
    market.run_round()
    assert refusal(market, "Payload", model_id=1, round=1, unit=unit.index) == ("sdk", 22)


def test_slashes_are_answered_in_the_order_in_which_they_fell(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000)
    for name in ("ann", "ben"):
        market.run_round({name: market.wrong_claim(name)})
    answer = ask(market, "Slashes", model_id=1)
    assert [market.names[one.trainer] for one in answer.slashes] == ["ann", "ben"]
    assert [one.round for one in answer.slashes] == [1, 2]


def test_absent_things_are_not_found(new_market: NewMarket) -> None:
    market = new_market()
    ann = address_of("ann")
    assert refusal(market, "Trainer", model_id=1, address=address_of("eve")) == ("sdk", 22)
    assert refusal(market, "Trainer", model_id=1, address="ann") == ("sdk", 7)
    assert refusal(market, "Trainers", model_id=2) == ("sdk", 22)
    assert refusal(market, "Round", model_id=2) == ("sdk", 22)
    assert refusal(market, "Round", model_id=1, round=2) == ("sdk", 22)
    assert refusal(market, "Assignments", model_id=2**64 - 1, trainer=ann) == ("sdk", 22)
    assert refusal(market, "Payload", model_id=0, round=0, unit=0) == ("sdk", 22)
    assert refusal(market, "Slashes", model_id=9) == ("sdk", 22)


def busy_market(new_market: NewMarket) -> Market:
    """A slash behind it, a payload kept, and audits pending."""
    market = new_market(rate_ppm=1_000_000, audit_blocks=9)
    market.run_round({"ann": market.wrong_claim("ann")})
    market.commit_all()
    market.reveal_all()
    market.block()
    return market


@pytest.mark.parametrize("blocks", [0, 1])
def test_chain_from_an_exported_state_goes_on(new_market: NewMarket, tmp_path: Path, blocks: int) -> None:
    market = new_market(rate_ppm=1_000_000, audit_blocks=9)
    market.run_round({"ann": market.wrong_claim("ann")})
    market.commit_all()
    market.reveal_all()
    for _ in range(blocks):
        market.block()
    exported = market.chain.app.export_genesis(market.chain.ctx())
    with Chain(tmp_path / "again", app_state=exported) as again:
        assert again.app.export_genesis(again.ctx()) == exported
        market.chain, original = again, market.chain
        market.auditors.chain = again
        assert market.round().phase == ROUND_PHASE_AUDIT
        market.audit()
        assert market.model().rounds_closed == 2
        market.run_round({"ben": market.wrong_claim("ben")})
        assert [market.names[one.trainer] for one in market.slashes()] == ["ann", "ben"]
        market.chain = original


def drop_round(work: dict[str, Any]) -> None:
    del work["rounds"][0]


def double_trainer(work: dict[str, Any]) -> None:
    work["trainers"].append(work["trainers"][0])


def strange_trainer(work: dict[str, Any]) -> None:
    work["trainers"][0]["model_id"] = "7"


def nameless_trainer(work: dict[str, Any]) -> None:
    work["trainers"][0]["address"] = "gradus1x"


def idle_trainer(work: dict[str, Any]) -> None:
    del work["trainers"][0]["status"]


def wrong_payload(work: dict[str, Any]) -> None:
    work["payloads"][0]["parts"][0] = "00"


def double_unit(work: dict[str, Any]) -> None:
    work["units"].append(work["units"][0])


def phaseless_round(work: dict[str, Any]) -> None:
    del work["rounds"][0]["phase"]


def double_round(work: dict[str, Any]) -> None:
    work["rounds"].append(work["rounds"][0])


def statusless_unit(work: dict[str, Any]) -> None:
    del work["units"][0]["status"]


def unknown_idle(work: dict[str, Any]) -> None:
    work["idle"].append({"model_id": "9"})


def unknown_slash(work: dict[str, Any]) -> None:
    work["slashes"][0]["model_id"] = "9"


def unknown_field(work: dict[str, Any]) -> None:
    work["trainer"] = []


@pytest.mark.parametrize(("change", "path"), [
    (drop_round, "app_state.work.units[0]"), (double_trainer, "app_state.work.trainers[4]"),
    (strange_trainer, "app_state.work.trainers[0].model_id"), (nameless_trainer, "app_state.work.trainers[0].address"),
    (idle_trainer, "app_state.work.trainers[0].status"), (wrong_payload, "app_state.work.payloads[0]"),
    (double_unit, "app_state.work.units[7]"), (phaseless_round, "app_state.work.rounds[0].phase"),
    (double_round, "app_state.work.rounds[2].number"), (statusless_unit, "app_state.work.units[0].status"),
    (unknown_idle, "app_state.work.idle[0].model_id"), (unknown_slash, "app_state.work.slashes[0].model_id"),
    (unknown_field, "app_state.work.trainer"),
])
def test_wrong_genesis_is_named_by_its_path(new_market: NewMarket, tmp_path: Path, change: Change, path: str) -> None:
    market = busy_market(new_market)
    exported = market.chain.app.export_genesis(market.chain.ctx())
    change(exported["work"])
    with pytest.raises(GenesisInvalid) as caught:
        Chain(tmp_path / "again", app_state=exported)
    assert caught.value.path == path
