"""The market of requests for one seed: whatever hosts, users and auditors do, what must be true stays true."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from abci_app.answers.network import compute_answer as compute_room_answer
from abci_app.answers.network import compute_audit_answer
from abci_app.runtime.fee import FeeParts, split_fee
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy
from abci_app.x.inference import block
from abci_app.x.rewards import keeper as rewards
from kernels import dispatch, mlp
from tests.sim.inference.answers import compute_answer, compute_said
from tests.sim.inference.terms import draw_question
from tests.sim.inference.town import TownFailed
from tests.sim.requests import simulate
from tests.unit.work.market import small_spec


@pytest.fixture(autouse=True)
def reference_kernels() -> Iterator[None]:
    with dispatch.forced("ref"):
        yield


def test_coins_are_conserved_and_nobody_honest_is_slashed(tmp_path: Path) -> None:
    report = simulate(tmp_path / "chain", seed=5, requests=400, kept_blocks=5, per_block=20)
    assert (report.honest_slashed, report.answered + report.failed) == (0, 400)
    assert report.answered_right > 250
    for kind in ("audited by lot", "audited for differing answers", "not audited", "failed: no hosts",
                 "copy slashed for withheld", "gang slashed for wrong", "wrong slashed for wrong",
                 "inference.host_left", "inference.host_drained", "inference.host_stood_down",
                 "rewards.answer_auditor_paid"):
        assert report.seen.get(kind, 0) > 0, f"{kind} never happened: the simulation is too tame"
    kept = report.state_bytes_of_10000_kept * report.requests // 10_000
    assert report.state_bytes_left - report.state_bytes_before < kept // 10, "what is over stays in the state"


def test_verdict_that_is_not_asked_for_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "is_of_one_mind", lambda request: True)
    with pytest.raises(TownFailed, match=r"answers: \d, but(.|\n)*again: python -m tests.sim.requests --seed 5"):
        simulate(tmp_path / "chain", seed=5, requests=200, kept_blocks=5, per_block=20)


def test_coin_that_goes_to_somebody_else_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def split_wrongly(policy: InferencePolicy, fee_ugrad: int, ask_ugrad: int) -> FeeParts:
        parts = split_fee(policy, fee_ugrad, ask_ugrad)
        return replace(parts, creator_ugrad=parts.creator_ugrad + 1, burnt_ugrad=parts.burnt_ugrad - 1)

    monkeypatch.setattr(rewards, "split_fee", split_wrongly)
    with pytest.raises(TownFailed, match="fees were shared as"):
        simulate(tmp_path / "chain", seed=5, requests=50, kept_blocks=5, per_block=20)


def test_answers_of_hosts_and_auditors_are_those_that_the_simulation_computes() -> None:
    """Two implementations over the same kernels, written apart."""
    spec, seed = small_spec(), bytes(32)
    for widths in ((4, 5, 3), (4, 3)):
        spec.mlp_classifier.widths[:] = widths
        weights, question = mlp.init_weights(widths, seed), draw_question(random.Random(1), spec)
        assert compute_answer(spec, weights, question) == compute_room_answer(spec, weights, question, seed)
        assert compute_said(spec, weights, question, b"a" * 32) == compute_audit_answer(
            spec, weights, question, seed, b"a" * 32)
