"""The whole chain for some seeds: whatever people and proposers do, what must be true is true after every block."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from abci_app.runtime.context import Ctx
from abci_app.units.claim import compute_answer, compute_unit
from abci_app.wire.audit import confirmation_of, unit_subject
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round
from abci_app.wire.row import RowForm
from abci_app.x.rewards.keeper import Keeper as RewardsKeeper
from abci_app.x.work import block
from abci_app.x.work.block import verdicts
from kernels import dispatch, mlp
from kernels.aggregate import aggregate
from tests.chain import Chain
from tests.sim import checks, compare, report
from tests.sim.claims import compute_answer as compute_sim_answer
from tests.sim.claims import compute_claim
from tests.sim.compare import HashesDiffer, compare_seed
from tests.sim.world import SimulationFailed, World
from tests.unit.work.market import new_table, small_spec

SEEDS = (1, 2, 8, 12)
BLOCKS = 150


@pytest.fixture(autouse=True)
def reference_kernels() -> Iterator[None]:
    with dispatch.forced("ref"):
        yield


def simulate(folder: Path, seed: int, blocks: int) -> Counter[str]:
    world = World(folder, seed)
    try:
        world.run(blocks)
        return Counter(world.events_seen())
    finally:
        world.close()


def test_invariants_hold_and_honest_trainers_are_never_slashed(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        seen += simulate(tmp_path / str(seed), seed, BLOCKS)
    for kind in ("verdict match", "verdict mismatch", "verdict expired", "late verdict match", "late verdict mismatch",
                 "slashed for mismatch", "slashed for withheld", "rounds audited whole for a withheld reveal",
                 "work.unit_missed", "work.trainer_stood_down",
                 "work.trainer_left", "work.round_failed", "work.round_settled", "models.training_finished",
                 "models.model_funded", "rewards.unit_revoked", "rewards.slash_shared", "rewards.auditor_paid",
                 "rewards.block_rewarded", "rewards.model_backed", "rewards.model_unbacked", "audits.auditor_excluded",
                 "validators.misbehaviour_recorded", "validators.misbehaviour_ignored", "validators.validator_removed",
                 "validators.last_validator_kept", "work.unit_contested", "models.terms_changed", "models.model_paused",
                 "models.model_resumed", "models.training_extended", "models.trainers_invited", "models.admin_changed",
                 "models.model_closed", "disputes.operation_executed", "slashed for dispute",
                 "dispute of griefer: claimant, executed", "dispute of griefer: claimant, silent",
                 "dispute of watcher: challenger, executed", "dispute of watcher: challenger, silent",
                 "inference.request_answered", "inference.request_archived", "inference.host_slashed",
                 "rewards.fee_shared", "rewards.royalties_collected", "sessions.entry_audited",
                 "sessions.session_settled", "audited by lot", "audited for differing answers"):
        assert seen[kind] > 0, f"{kind} never happened: the simulation is too tame"
    assert seen["work.round_closed"] > 150


def test_run_that_was_stopped_goes_on_with_the_seeds_that_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"
    first, = report.iter_reports([7], 12, jobs=1)
    report.append_report(path, first)
    report.append_report(path, replace(first, seed=8, failure="seed 8, height 3: no"))
    with path.open("a") as file:
        file.write('{"seed": 9, "bl')
    assert report.load_reports(path, 12) == {7: first}, "what failed, and what was cut off, is run again"
    assert report.load_reports(path, 13) == {}
    totals = report.sum_up([first, replace(first, seed=8, failure="no")])
    assert (totals["seeds"], totals["blocks"], totals["failures"]) == (2, 24, 1)
    assert totals["honest_slashes"] == 0


def test_honest_slashes_are_counted() -> None:
    seen = {"honest slashed for mismatch": 2, "lazy slashed for dispute": 1, "garbage slashed for mismatch": 5}
    totals = report.sum_up([report.SeedReport(1, 1, 1, "", 0.0, seen)])
    assert (totals["honest_slashes"], totals["slashes"]) == (3, seen)


def test_rounds_go_on_when_blocks_bear_hardly_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "UNITS_PER_BLOCK", 1)
    monkeypatch.setattr(block, "IDLE_MODELS_PER_BLOCK", 1)
    monkeypatch.setattr(block, "OPENED_UNITS_PER_BLOCK", 1)
    monkeypatch.setattr(block, "CLOSE_COST_PER_BLOCK", 1)
    monkeypatch.setattr(block, "SETTLED_UNITS_PER_BLOCK", 1)
    seen = simulate(tmp_path / "chain", 2, BLOCKS)
    assert seen["work.round_closed"] > 10
    assert seen["verdict mismatch"] > 0


def test_same_seed_gives_the_same_app_hash_at_every_height_in_any_process_on_any_backend() -> None:
    """I22: neither PYTHONHASHSEED nor the kernels' back end is an input of the state."""
    said = compare_seed(3, 60)
    assert "60 heights are equal by ref with hash seed 0, cpu with hash seed 4711" in said


def test_processes_that_come_to_different_states_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = {"ref": ["aa", "bb", "cc"], "cpu": ["aa", "bd", "ce"]}
    monkeypatch.setattr(compare, "list_hashes", lambda seed, blocks, hash_seed, backend: hashes[backend])
    with pytest.raises(HashesDiffer, match="seed 9, height 2: bb by ref with hash seed 0, bd by cpu"):
        compare_seed(9, 3)


def test_state_of_a_simulation_can_be_exported_and_gone_on_with(tmp_path: Path) -> None:
    world = World(tmp_path / "chain", 5)
    world.run(70)
    exported = world.chain.app.export_genesis(world.chain.ctx())
    world.close()
    with Chain(tmp_path / "again", app_state=exported, powers=world.chain.engine.powers,
               signers=world.params.signers) as again:
        assert again.app.export_genesis(again.ctx()) == exported
        for _ in range(5):
            again.block()


def test_failure_names_seed_and_height(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An honest trainer that is taken for a cheat is noticed, and the failure says how to see it again."""
    monkeypatch.setattr(verdicts, "is_answer_of", lambda *_: False)
    with pytest.raises(SimulationFailed, match=r"seed 2, height \d+: AssertionError: .*\nagain: python -m tests.sim"):
        simulate(tmp_path / "chain", 2, BLOCKS)


def test_audit_that_believes_everything_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "is_answer_of", lambda *_: True)
    with pytest.raises(SimulationFailed, match="verdict"):
        simulate(tmp_path / "chain", 2, BLOCKS)


def test_pay_before_its_window_is_over_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = RewardsKeeper.release_round
    booked = RewardsKeeper.pay_round

    def pay_at_once(self: RewardsKeeper, ctx: Ctx, model_id: int, spec: ModelSpec, number: int,
                    accepted: list[tuple[int, bytes]], dealt: int) -> int:
        share = booked(self, ctx, model_id, spec, number, accepted, dealt)
        release(self, ctx, model_id, number)
        return share

    monkeypatch.setattr(RewardsKeeper, "pay_round", pay_at_once)
    with pytest.raises(SimulationFailed, match="paid while it can be challenged|work/pay"):
        simulate(tmp_path / "chain", 2, BLOCKS)


def test_weights_from_other_payloads_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Aggregating in another order gives the same bytes; aggregating other payloads does not."""
    monkeypatch.setattr(checks, "aggregate", lambda rule, payloads, *rest: aggregate(rule, payloads[:1], *rest))
    with pytest.raises(SimulationFailed, match="AssertionError"):
        simulate(tmp_path / "chain", 2, BLOCKS)


def test_claims_of_miners_and_answers_of_auditors_are_those_that_the_simulation_computes() -> None:
    """Two implementations over the same kernels, written apart."""
    market_rows = new_table()
    spec = small_spec()
    running = Round(model_id=1, number=4, seed=bytes(range(32)), learning_rate_q16=5_000, audit_seed=bytes(32))
    weights = mlp.init_weights((4, 5, 3), bytes(32))

    class Rows:
        def read_columns(self, indices: Sequence[int], form: RowForm) -> tuple[bytes, bytes]:
            return form.join_columns([market_rows.rows[index] for index in indices])

    for unit in range(5):
        mine = compute_claim(spec, running, unit, weights, market_rows.rows)
        theirs = compute_unit(spec, running, unit, weights, Rows()).claim
        assert (mine.payload, mine.trace_root) == (theirs.payload, theirs.trace_root)
        subject = unit_subject(1, 4, 0, unit)
        for audit in (Audit(subject=subject, seed=bytes(32)), Audit(subject=confirmation_of(subject), seed=b"c" * 32)):
            assert compute_answer(spec, running, unit, weights, Rows(), audit) == compute_sim_answer(
                spec, running, unit, weights, market_rows.rows, audit)
