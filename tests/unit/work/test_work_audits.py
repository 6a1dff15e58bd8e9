"""Audits: when they are drawn, who brings rows, what a verdict does, and what a block bears."""

from collections.abc import Callable

import pytest

from abci_app.runtime import contract
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    AUDIT_VERDICT_EXPIRED, AUDIT_VERDICT_MATCH, AUDIT_VERDICT_MISMATCH, AUDIT_VERDICT_PENDING,
    AUDIT_VERDICT_UNSPECIFIED, ROUND_PHASE_AUDIT, SLASH_REASON_MISMATCH, TRAINER_STATUS_SLASHED, UNIT_STATUS_ACCEPTED,
    UNIT_STATUS_REJECTED,
)
from abci_app.wire.merkle import MerkleTree
from abci_app.wire.row import new_row, row_bytes
from abci_app.wire.seed import audit_seed, shuffle
from abci_app.wire.tx import encode_injected
from abci_app.x.work import block, types
from abci_app.x.work.errors import AuditsExhausted, EvidenceUnusable, UnitTooLarge
from abci_app.x.work.msgs import audit, trainer
from kernels.payload import check as check_payload
from tests.chain import CHAIN_ID, PROPOSERS, address_of, codes
from tests.sim.claims import Claim, new_commit, new_reveal
from tests.sim.rows import MemoryRows
from tests.unit.work.market import BOND_UGRAD, Market, attribute, kinds, small_spec

NewMarket = Callable[..., Market]


def reach_audit(market: Market, claims: dict[str, Claim] | None = None) -> None:
    market.commit_all(claims)
    market.reveal_all(claims)


def test_audits_are_drawn_from_the_app_hash_that_covers_the_last_reveal(new_market: NewMarket) -> None:
    market = new_market()
    reach_audit(market)
    assert (market.round().phase, market.round().audit_seed) == (ROUND_PHASE_AUDIT, b"")
    assert [unit.verdict for unit in market.units()] == [AUDIT_VERDICT_UNSPECIFIED] * 4
    covering = market.chain.app_hash
    market.block()
    seed = audit_seed(CHAIN_ID, 1, 1, covering)
    assert market.round().audit_seed == seed
    drawn = sorted(shuffle(seed, 4)[:2])  # 40 % of four, rounded up
    assert [unit.index for unit in market.units() if unit.verdict == AUDIT_VERDICT_PENDING] == drawn
    assert market.round().deadline_height == market.chain.height + 4


def test_evidence_for_wrong_claims_slashes_and_drops_the_payload(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, mismatch_slash_ppm=500_000, burn_ppm=400_000)
    wrong = {name: market.wrong_claim(name) for name in ("ann", "ben")}
    reach_audit(market, wrong)
    supply = market.chain.app.bank.supply(market.chain.ctx())
    operator = f"operator{(market.chain.height + 1) % len(PROPOSERS)}"
    before = market.chain.balance(operator)
    events = market.block(evidence=True)
    verdicts = {market.names[unit.trainer]: (unit.verdict, unit.status) for unit in market.units(1)}
    assert verdicts == {"ann": (AUDIT_VERDICT_MISMATCH, UNIT_STATUS_REJECTED),
                        "ben": (AUDIT_VERDICT_MISMATCH, UNIT_STATUS_REJECTED),
                        "cat": (AUDIT_VERDICT_MATCH, UNIT_STATUS_ACCEPTED),
                        "dan": (AUDIT_VERDICT_MATCH, UNIT_STATUS_ACCEPTED)}
    lost, burnt = BOND_UGRAD // 2, BOND_UGRAD // 2 * 4 // 10
    assert [(slash.reason, slash.amount_ugrad, slash.burnt_ugrad) for slash in market.slashes()] == [
        (SLASH_REASON_MISMATCH, lost, burnt)] * 2
    assert market.chain.app.bank.supply(market.chain.ctx()) == supply - 2 * burnt
    assert market.chain.balance(operator) == before + 2 * (lost - burnt)
    assert market.trainer("ann").status == TRAINER_STATUS_SLASHED
    assert market.round(1).accepted_count == 2
    assert kinds(events).count("trainer_slashed") == 2
    assert [response.data != b"" for response in market.results] == [True] * 4


def test_one_bit_of_the_payload_or_of_the_trace_is_enough(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000)
    ann, ben = market.claim(market.unit_of("ann")), market.claim(market.unit_of("ben"))
    last = (ann.payload[-1] + 1) % 256 if ann.payload[-1] != 127 else 126
    nearly = ann.payload[:-1] + bytes([last if last != 128 else 1])
    check_payload(nearly, 43, "int8/256")
    wrong = {"ann": Claim(nearly, ann.trace_root),
             "ben": Claim(ben.payload, bytes([ben.trace_root[0] ^ 1]) + ben.trace_root[1:])}
    reach_audit(market, wrong)
    market.block(evidence=True)
    assert sorted(market.names[slash.trainer] for slash in market.slashes()) == ["ann", "ben"]


def test_without_rows_the_audits_expire_and_the_units_are_accepted(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, audit_blocks=2)
    reach_audit(market, {"ann": market.wrong_claim("ann")})
    market.rows = MemoryRows()
    assert market.evidence() == []
    for _ in range(2):
        assert market.round().number == 1
        market.block(evidence=True)
    events = market.block(evidence=True)
    assert [attribute(event, "verdict") for event in events if event.type == "work.unit_audited"] == ["expired"] * 4
    assert [unit.verdict for unit in market.units(1)] == [AUDIT_VERDICT_EXPIRED] * 4
    assert (market.round(1).accepted_count, market.slashes()) == (4, [])


def test_evidence_may_come_in_any_block_up_to_the_deadline(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, audit_blocks=2)
    reach_audit(market, {"ann": market.wrong_claim("ann")})
    market.block()
    market.block(injected=tuple(market.evidence()[:1]))
    assert market.round().waiting_count == 3
    market.block(evidence=True)
    assert market.model().rounds_closed == 1
    assert [market.names[slash.trainer] for slash in market.slashes()] == ["ann"]


def test_proposal_with_refused_evidence_is_not_accepted_and_its_block_changes_nothing(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000)
    reach_audit(market)
    good = market.evidence()[0]
    bad = type(good)()
    bad.CopyFrom(good)
    bad.rows = bytes([good.rows[0] ^ 1]) + good.rows[1:]
    assert market.chain.accepts([encode_injected(good)])
    assert not market.chain.accepts([encode_injected(bad)])
    market.block(injected=(bad,))
    assert codes(market.results) == [("work", 26)]
    assert [unit.verdict for unit in market.units()] == [AUDIT_VERDICT_PENDING] * 4


def test_rows_that_the_numerics_refuse_never_slash(new_market: NewMarket) -> None:
    market = new_market(trainers=())
    for features, label in ((b"\x80\x01\x01\x01", 0), (b"\x01" * 4, 3)):
        assert not types.is_usable_row(new_row(features, label), 4, 3)
    assert types.is_usable_row(new_row(b"\x81\x01\x01\x01", 2), 4, 3)
    table = market.table
    table.rows[:] = [new_row(b"\x80" * 4, 0)] * 40
    spec = small_spec(rate_ppm=1_000_000)
    table.tree = MerkleTree(table.rows)
    spec.dataset.rows_root = table.tree.root
    market.rows.tables[table.tree.root] = table
    market.create(spec, 100_000_000)
    market.block(market.enroll_msg("boss", model_id=2), market.enroll_msg("eve", model_id=2))
    keeper, chain = market.chain.app.work, market.chain
    claim = Claim(bytes(44), bytes(32))
    for make in (new_commit, new_reveal):
        market.block(*(make(unit, claim) for unit in keeper.list_units(chain.ctx(), 2, 1)))
    market.block(evidence=True)
    assert codes(market.results) == [(EvidenceUnusable.codespace, EvidenceUnusable.code)] * 2
    for _ in range(5):
        market.block(evidence=True)
    assert (market.model(2).rounds_closed, market.slashes()) == (1, [])


def test_block_audits_no_more_than_its_gas_and_the_rest_in_later_blocks(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market(rate_ppm=1_000_000)
    reach_audit(market)
    cost = contract.compute_audit_gas(market.model().spec)
    everything = tuple(market.evidence())
    monkeypatch.setattr(audit, "AUDIT_GAS_PER_BLOCK", 3 * cost - 1)
    assert len(market.evidence()) == 2
    market.block(injected=everything)
    assert codes(market.results) == [("", 0)] * 2 + [("work", AuditsExhausted.code)] * 2
    assert market.round().waiting_count == 2
    market.block(evidence=True)
    assert market.model().rounds_closed == 1


def test_earliest_deadline_is_audited_first(new_market: NewMarket) -> None:
    market = new_market(trainers=("ann", "ben"), rate_ppm=1_000_000, audit_blocks=9)
    market.create(small_spec(rate_ppm=1_000_000, audit_blocks=3), 100_000_000)
    reach_audit(market)
    market.block(market.enroll_msg("ann", model_id=2), market.enroll_msg("ben", model_id=2))
    keeper = market.chain.app.work
    for make in (new_commit, new_reveal):
        units = keeper.list_units(market.chain.ctx(), 2, 1)
        market.block(*(make(unit, Claim(bytes(44), bytes(32))) for unit in units))
    assert [one.model_id for one in market.evidence()] == [2, 2, 1, 1]


def test_model_whose_audit_never_fits_a_block_takes_no_trainers(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market()
    monkeypatch.setattr(trainer, "AUDIT_GAS_PER_BLOCK", contract.compute_audit_gas(market.model().spec) - 1)
    assert market.refusal(market.enroll_msg("eve")) == ("work", UnitTooLarge.code)


def test_full_model_takes_no_more_trainers(new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market()
    monkeypatch.setattr(trainer, "TRAINERS_MAX", 4)
    assert market.refusal(market.enroll_msg("eve")) == ("work", 6)


def test_bond_that_would_grow_above_u64_is_refused(new_market: NewMarket) -> None:
    market = new_market(reveal_blocks=1)
    market.commit_all()
    market.reveal_all(absent=("ann",))
    assert market.refusal(market.enroll_msg("ann", 2**64 - 1)) == ("work", 8)


def test_users_cannot_send_evidence(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000)
    reach_audit(market)
    raw = encode_injected(market.evidence()[0])
    assert (market.chain.check(raw).codespace, market.chain.check(raw).code) == ("sdk", 4)


def test_evidence_is_a_small_part_of_the_dataset(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000)
    reach_audit(market)
    one = market.evidence()[0]
    assert len(one.rows) <= 12 * row_bytes(4)
    assert len(encode_injected(one)) < 2_000


def test_models_take_turns_when_there_are_more_than_a_block_visits(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market(trainers=())
    monkeypatch.setattr(block, "MODELS_PER_BLOCK", 2)
    for _ in range(4):
        market.create(small_spec(), 100_000_000)
    market.block(*(market.enroll_msg(name, model_id=model) for name in ("boss", "eve") for model in range(1, 6)))
    opened = [sorted(found.model_id for found in market.chain.app.work.iter_rounds(market.chain.ctx()))]
    for _ in range(2):
        market.block()
        opened.append(sorted(found.model_id for found in market.chain.app.work.iter_rounds(market.chain.ctx())))
    assert opened == [[1, 2], [1, 2, 3, 4], [1, 2, 3, 4, 5]]


def test_turn_begins_after_the_last_visited_and_names_each_model_once(new_market: NewMarket) -> None:
    keeper, ctx = (market := new_market(trainers=())).chain.app.work, market.chain.ctx()
    for model_id in (2, 3, 5, 9):
        keeper.mark_live(ctx, model_id)
    for cursor, count, turn in ((0, 2, [2, 3]), (3, 2, [5, 9]), (5, 2, [9, 2]), (9, 3, [2, 3, 5]), (4, 9, [5, 9, 2, 3]),
                                (5, 4, [9, 2, 3, 5]), (2**64 - 1, 1, [2])):
        keeper.put_cursor(ctx, cursor)
        assert keeper.list_turn(ctx, count) == turn


def test_round_that_is_too_large_for_any_block_closes_alone(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market()
    monkeypatch.setattr(block, "CLOSE_VALUES_PER_BLOCK", 1)
    market.run_round()
    assert market.model().rounds_closed == 1


def test_closing_is_spread_over_blocks_when_it_is_too_much_for_one(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market(trainers=())
    market.create(small_spec(), 100_000_000)
    market.create(small_spec(), 100_000_000)
    models = (1, 2, 3)
    market.block(*(market.enroll_msg(name, model_id=model) for name in ("boss", "eve") for model in models))
    monkeypatch.setattr(block, "CLOSE_VALUES_PER_BLOCK", types.compute_close_values(market.model().spec, 2) * 2 - 1)
    keeper = market.chain.app.work
    for make in (new_commit, new_reveal):
        market.block(*(make(unit, Claim(bytes(44), bytes(32))) for model in models
                       for unit in keeper.list_units(market.chain.ctx(), model, 1)))
    market.rows = MemoryRows()
    closed = []
    for _ in range(9):
        market.block()
        closed.append([market.model(model).rounds_closed for model in models])
    assert closed[4:8] == [[1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]]


def test_trainer_may_work_for_several_models_with_a_bond_for_each(new_market: NewMarket) -> None:
    market = new_market(trainers=("ann", "ben"))
    market.create(small_spec(), 100_000_000)
    market.block(*(market.enroll_msg(name, model_id=2) for name in ("ann", "ben")))
    held = [one for one in market.chain.app.work.iter_trainers(market.chain.ctx()) if one.address == address_of("ann")]
    assert [(one.model_id, one.bond_ugrad) for one in held] == [(1, BOND_UGRAD), (2, BOND_UGRAD)]
