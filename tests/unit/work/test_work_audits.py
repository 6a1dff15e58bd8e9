"""Audits: when they are drawn, who brings rows, what a verdict does, and what a block bears."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from abci_app.runtime import contract
from abci_app.runtime.block import begin_block
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    AUDIT_VERDICT_EXPIRED, AUDIT_VERDICT_MATCH, AUDIT_VERDICT_MISMATCH, AUDIT_VERDICT_PENDING,
    AUDIT_VERDICT_UNSPECIFIED, ROUND_PHASE_AUDIT, SLASH_REASON_MISMATCH, TRAINER_STATUS_SLASHED, UNIT_STATUS_ACCEPTED,
    UNIT_STATUS_EXPIRED, UNIT_STATUS_REJECTED, Unit,
)
from abci_app.wire.merkle import MerkleTree
from abci_app.wire.row import new_row, row_bytes
from abci_app.wire.seed import audit_seed, shuffle
from abci_app.wire.tx import encode_injected
from abci_app.x.work import block, types
from abci_app.x.work.errors import AuditsExhausted, EvidenceUnusable, UnitTooLarge
from abci_app.x.work.msgs import audit, trainer
from kernels.aggregate import aggregate
from kernels.outer import outer_step
from kernels.payload import check as check_payload
from tests.chain import CHAIN_ID, PROPOSERS, address_of, codes
from tests.sim.claims import Claim, new_commit, new_reveal
from tests.sim.rows import MemoryRows
from tests.unit.work.market import BOND_UGRAD, Market, attribute, kinds, small_spec

NewMarket = Callable[..., Market]


def reach_audit(market: Market, claims: dict[str, Claim] | None = None) -> None:
    market.commit_all(claims)
    market.reveal_all(claims)


def test_audits_are_drawn_from_the_hashes_that_cover_the_last_reveal(new_market: NewMarket) -> None:
    market = new_market()
    reach_audit(market)
    assert (market.round().phase, market.round().audit_seed) == (ROUND_PHASE_AUDIT, b"")
    assert [unit.verdict for unit in market.units()] == [AUDIT_VERDICT_UNSPECIFIED] * 4
    covering = market.chain.ctx()
    assert (covering.last_app_hash, covering.last_block_hash != b"") == (market.chain.app_hash, True)
    market.block()
    seed = audit_seed(CHAIN_ID, 1, 1, 0, covering.last_app_hash, covering.last_block_hash)
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


def test_unit_whose_audit_expires_is_neither_paid_nor_slashed_nor_aggregated(new_market: NewMarket) -> None:
    """Otherwise the bond rule would be wrong: a claim that nobody can check would earn like one that is right."""
    market = new_market(rate_ppm=500_000, audit_blocks=3)
    wrong = {"ann": market.wrong_claim("ann")}
    reach_audit(market, wrong)
    held, market.rows = market.rows, MemoryRows()
    assert market.evidence() == []
    for _ in range(3):
        assert market.round().number == 1
        market.block(evidence=True)
    weights = market.chain.app.models.load_weights(market.chain.ctx(), 1, 0)
    claims = [market._claim_of(unit, wrong) for unit in market.units()]
    events = market.block(evidence=True)
    assert [attribute(event, "verdict") for event in events if event.type == "work.unit_audited"] == ["expired"] * 2
    expired = [unit.index for unit in market.units(1) if unit.verdict == AUDIT_VERDICT_EXPIRED]
    assert [unit.index for unit in market.units(1) if unit.status == UNIT_STATUS_EXPIRED] == expired
    taken = [claims[index].payload for index in range(4) if index not in expired]
    mean = aggregate("mean", taken, 43, 0, "int8/256")
    assert (len(taken), market.round(1).accepted_count, market.slashes()) == (2, 2, [])
    expected = outer_step(weights, bytes(8 * 43), mean, 65_536, 0)[0]
    assert market.chain.app.models.load_weights(market.chain.ctx(), 1, 1) == expected
    paid = [event for event in events if event.type == "rewards.trainer_paid"]
    names = [market.names[attribute(event, "trainer")] for event in paid]
    assert names == [market.names[unit.trainer] for unit in market.units(1) if unit.status == UNIT_STATUS_ACCEPTED]
    assert [market.trainer(market.names[unit.trainer]).bond_ugrad for unit in market.units(1)] == [BOND_UGRAD] * 4
    market.rows = held
    market.run_round()
    assert market.model().rounds_closed == 2


def test_round_of_which_all_audits_expire_and_nothing_else_is_left_is_dealt_again(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, audit_blocks=3)
    reach_audit(market)
    events = [event for _ in range(4) for event in market.block()]
    assert [attribute(event, "reason") for event in events if event.type == "work.round_failed"] == ["rejected"]
    assert (market.round().attempt, market.model().paid_ugrad, market.slashes()) == (1, 0, [])


def test_evidence_may_come_in_any_block_up_to_the_deadline(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, audit_blocks=3)
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
    market.block()
    keeper, chain = market.chain.app.work, market.chain
    claim = Claim(bytes(44), bytes(32))
    for make in (new_commit, new_reveal):
        market.block(*(make(unit, claim) for unit in keeper.list_units(chain.ctx(), 2, 1)))
    market.block(evidence=True)
    assert codes(market.results) == [(EvidenceUnusable.codespace, EvidenceUnusable.code)] * 2
    for _ in range(4):
        market.block(evidence=True)
    assert (market.model(2).rounds_closed, market.slashes()) == (0, [])
    assert keeper.get_round(chain.ctx(), 2, 1).attempt == 1


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


def other_model_in_audit(market: Market, spec: ModelSpec) -> None:
    """Model 2 with two claims of which all are audited."""
    market.create(spec, 100_000_000)
    market.block(*(market.enroll_msg(name, model_id=2) for name in ("boss", "eve")))
    market.block()
    for make in (new_commit, new_reveal):
        units = market.chain.app.work.list_units(market.chain.ctx(), 2, 1)
        market.block(*(make(unit, Claim(bytes(44), bytes(32))) for unit in units))


def test_models_are_audited_in_turn_so_that_none_hides_another(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market(rate_ppm=1_000_000, audit_blocks=9)
    reach_audit(market)
    other_model_in_audit(market, small_spec(rate_ppm=1_000_000, audit_blocks=3))
    assert sorted(one.model_id for one in market.evidence()[:2]) == [1, 2]
    assert sorted(one.model_id for one in market.evidence()) == [1, 1, 1, 1, 2, 2]
    monkeypatch.setattr(audit, "AUDIT_GAS_PER_BLOCK", 3 * contract.compute_audit_gas(market.model().spec) - 1)
    assert sorted(one.model_id for one in market.evidence()) == [1, 2]


def test_every_model_with_pending_audits_is_looked_at_wherever_the_block_begins(new_market: NewMarket) -> None:
    keeper, ctx = (market := new_market(trainers=())).chain.app.work, market.chain.ctx()
    assert keeper.list_pending_models(ctx, 9) == []
    for model_id in (2, 3, 7):
        for index in range(3):
            keeper.mark_pending(ctx, Unit(model_id=model_id, round=1, index=index))
    seen = {tuple(keeper.list_pending_models(replace(ctx, last_app_hash=bytes([first])), count))
            for first in range(8) for count in (9, 2)}
    assert seen == {(2, 3, 7), (3, 7, 2), (7, 2, 3), (2, 3), (3, 7), (7, 2)}


def test_proposer_draws_no_rows_of_a_dataset_that_it_lacks_and_asks_for_it_once(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market(rate_ppm=1_000_000)
    reach_audit(market)
    asked, drawn = [], []

    class Lacking(MemoryRows):
        def has_rows(self, rows_root: bytes) -> bool:
            asked.append(rows_root)
            return super().has_rows(rows_root)

    market.rows = Lacking()
    monkeypatch.setattr(audit, "draw_unit_rows", lambda *args: drawn.append(args))
    assert market.evidence() == []
    assert (asked, drawn) == ([market.table.terms.rows_root], [])


def test_dataset_that_turns_out_damaged_is_drawn_from_once(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market(rate_ppm=1_000_000)
    reach_audit(market)
    drawn = []
    right = audit.draw_unit_rows
    monkeypatch.setattr(audit, "draw_unit_rows", lambda *args: drawn.append(args) or right(*args))
    monkeypatch.setattr(market.rows, "find_rows", lambda *args: None)
    assert market.evidence() == []
    assert len(drawn) == 1


def test_proposal_with_the_same_audit_twice_or_too_much_gas_of_audits_is_refused(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proposer must not make others check more than a block of audits."""
    market = new_market(rate_ppm=1_000_000)
    reach_audit(market)
    everything = [encode_injected(one) for one in market.evidence()]
    assert market.chain.accepts(everything)
    assert not market.chain.accepts([everything[0], everything[0]])
    monkeypatch.setattr(audit, "AUDIT_GAS_PER_BLOCK", 3 * contract.compute_audit_gas(market.model().spec))
    assert market.chain.accepts(everything[:3])
    assert not market.chain.accepts(everything)


def test_gas_of_evidence_is_what_the_block_books_for_an_audit(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000)
    reach_audit(market, {"ann": market.wrong_claim("ann")})
    cheat = market.unit_of("ann").index
    evidence = market.evidence()
    gas = contract.compute_audit_gas(market.model().spec)
    market.block(injected=tuple(one for one in evidence if one.unit != cheat))
    assert [result.gas_used for result in market.results] == [gas] * 3
    bad = type(evidence[cheat])()
    bad.CopyFrom(evidence[cheat])
    bad.rows = bytes([bad.rows[0] ^ 1]) + bad.rows[1:]
    market.block(injected=(bad,))
    assert [(result.code, result.gas_used) for result in market.results] == [(26, gas - 8_000)]


def test_last_revealer_cannot_try_out_the_draw_of_its_block(new_market: NewMarket) -> None:
    """The fee that it offers changes the app hash, and it knows that; the hash of the block it does not know."""
    market = new_market()
    reach_audit(market)
    ctx = replace(market.chain.ctx(market.chain.height + 1), last_block_hash=bytes(32))
    begin_block(market.chain.app.modules, ctx)
    tried = market.chain.app.work.get_round(ctx, 1, 1).audit_seed
    market.block()
    assert market.round().audit_seed not in (b"", tried)


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
    market = new_market(reveal_blocks=3)
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


def open_rounds(market: Market) -> list[int]:
    return sorted(found.model_id for found in market.chain.app.work.iter_rounds(market.chain.ctx()))


def test_models_that_wait_to_open_take_turns(new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market(trainers=())
    for _ in range(4):
        market.create(small_spec(), 100_000_000)
    market.block(*(market.enroll_msg(name, model_id=model) for name in ("boss", "eve") for model in range(1, 6)))
    monkeypatch.setattr(block, "IDLE_MODELS_PER_BLOCK", 2)
    opened = [open_rounds(market)]
    for _ in range(3):
        market.block()
        opened.append(open_rounds(market))
    assert opened == [[], [1, 2], [1, 2, 3, 4], [1, 2, 3, 4, 5]]


def test_block_deals_no_more_units_to_waiting_models_than_it_bears(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market(trainers=())
    market.create(small_spec(), 100_000_000)
    market.block(*(market.enroll_msg(name, model_id=model) for name in ("boss", "eve") for model in (1, 2)))
    monkeypatch.setattr(block, "OPENED_UNITS_PER_BLOCK", 3)
    market.block()
    assert open_rounds(market) == [1]
    market.block()
    assert open_rounds(market) == [1, 2]


def test_models_that_wait_do_not_slow_those_that_train(new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market()
    for _ in range(5):
        market.create(small_spec(trainers_min=3), 100_000_000)
    market.block(*(market.enroll_msg(name, model_id=model) for name in ("boss", "eve") for model in range(2, 7)))
    monkeypatch.setattr(block, "IDLE_MODELS_PER_BLOCK", 1)
    before = market.chain.height
    for _ in range(3):
        market.run_round()
    assert (market.model().rounds_closed, market.chain.height - before) == (3, 9)


def test_block_ends_phases_of_no_more_units_than_it_bears_and_the_rest_in_the_next(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainers who enrol and never work must not make blocks long."""
    market = new_market(trainers=())
    market.create(small_spec(commit_blocks=3, units_max=2), 100_000_000)
    market.create(small_spec(commit_blocks=3, units_max=2), 100_000_000)
    market.block(*(market.enroll_msg(name, model_id=model) for name in ("boss", "eve") for model in (2, 3)))
    market.block()
    monkeypatch.setattr(block, "UNITS_PER_BLOCK", 7)
    keeper, attempts = market.chain.app.work, []
    for _ in range(4):
        market.block()
        attempts.append([keeper.get_round(market.chain.ctx(), model, 1).attempt for model in (2, 3)])
    assert attempts == [[0, 0], [0, 0], [1, 0], [1, 1]]


def test_turn_begins_after_the_last_visited_and_names_each_model_once(new_market: NewMarket) -> None:
    keeper, ctx = (market := new_market(trainers=())).chain.app.work, market.chain.ctx()
    for model_id in (2, 3, 5, 9):
        keeper.mark_idle(ctx, model_id)
    for cursor, count, turn in ((0, 2, [2, 3]), (3, 2, [5, 9]), (5, 2, [9, 2]), (9, 3, [2, 3, 5]), (4, 9, [5, 9, 2, 3]),
                                (5, 4, [9, 2, 3, 5]), (2**64 - 1, 1, [2])):
        keeper.put_cursor(ctx, cursor)
        assert keeper.list_turn(ctx, count) == turn


def test_round_that_is_too_large_for_any_block_closes_alone(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market()
    monkeypatch.setattr(block, "CLOSE_COST_PER_BLOCK", 1)
    market.run_round()
    assert market.model().rounds_closed == 1


def test_closing_is_spread_over_blocks_when_it_is_too_much_for_one(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market(trainers=())
    market.create(small_spec(), 100_000_000)
    market.create(small_spec(), 100_000_000)
    models = (1, 2, 3)
    market.block(*(market.enroll_msg(name, model_id=model) for name in ("boss", "eve") for model in models))
    market.block()
    monkeypatch.setattr(block, "CLOSE_COST_PER_BLOCK", contract.compute_close_cost(market.model().spec, 2) * 2 - 1)
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
