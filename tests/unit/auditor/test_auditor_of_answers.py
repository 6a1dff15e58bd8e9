"""Audits of answers: computed again from the chain's records, and who answered otherwise is slashed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from abci_app.answers.network import compute_audit_answer
from abci_app.auditor.behaviour import Behaviour
from abci_app.wire.audit import request_subject, split_answer
from abci_app.wire.question import answer_hash
from tests.unit.auditor.bench import VALIDATOR, Bench

SUBJECT = request_subject(1, 1)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    with made.folder:
        yield made
    made.chain.database.close()


def ask_about(bench: Bench, liars: tuple[str, ...] = ("hob",)) -> None:
    """A request with three hosts, of whom some lie; the block after it asks everybody."""
    bench.ask()
    bench.answer_all(lies=dict.fromkeys(liars, "x"))
    bench.block()


def right_answer(bench: Bench) -> bytes:
    request, ctx = bench.request(), bench.chain.ctx()
    inference = bench.chain.app.inference
    return compute_audit_answer(
        inference.spec_of(ctx, request), bench.chain.app.models.load_weights(ctx, 1, request.round),
        inference.get_question(ctx, request), request.seed, bench.chain.app.audits.get_audit(ctx, SUBJECT).seed)


def test_liar_is_found_by_who_computes_and_is_slashed(bench: Bench) -> None:
    ask_about(bench)
    assert bench.auditor.step() and bench.folder.list_subjects() == [SUBJECT]
    assert bench.folder.find(SUBJECT) == right_answer(bench)
    before = bench.host("hob").bond_ugrad
    bench.block(votes=True)
    assert bench.statuses() == {"hal": "paid", "hex": "paid", "hob": "wrong"}
    assert bench.request().answer == bench.answer() and bench.host("hob").bond_ugrad < before
    assert bench.chain.app.audits.get_auditor(bench.chain.ctx(), VALIDATOR).wrong == 0
    assert bench.auditor.step() and bench.folder.list_subjects() == []  # it is over
    event, = bench.told
    assert (event.name, event.fields["model_id"], event.fields["request_id"]) == ("answered", 1, 1)


def test_majority_that_lies_alike_is_no_truth(bench: Bench) -> None:
    ask_about(bench, liars=("hal", "hob"))
    bench.auditor.step()
    bench.block(votes=True)
    assert bench.statuses() == {"hal": "wrong", "hex": "paid", "hob": "wrong"}
    assert bench.request().answer_hash == answer_hash(bench.answer())


def test_answer_is_computed_once(bench: Bench) -> None:
    ask_about(bench)
    assert bench.auditor.step() and not bench.auditor.step() and len(bench.told) == 1


def test_request_that_is_over_before_it_is_looked_at_is_passed_over(bench: Bench) -> None:
    ask_about(bench)
    waiting = list(bench.auditor.chain.iter_open_audits(VALIDATOR))
    bench.wait_for(bench.request().due_height + 1)
    bench.auditor.chain.iter_open_audits = lambda validator=b"": iter(waiting)  # type: ignore[method-assign]
    assert not bench.auditor.step() and bench.told == []


@pytest.mark.parametrize("behaviour", [one for one in Behaviour if one is not Behaviour.HONEST])
def test_cheats_say_nothing_or_what_is_not_the_answer(tmp_path: Path, behaviour: Behaviour) -> None:
    bench = Bench(tmp_path, behaviour)
    with bench.folder:
        ask_about(bench)
        assert bench.auditor.step() == (behaviour is not Behaviour.LAZY)
        said, right = bench.folder.find(SUBJECT), right_answer(bench)
        if behaviour is Behaviour.COPY:
            claimed = next(iter(bench.seats().values())).answer_hash
            assert said is not None and split_answer(said)[:2] == (claimed, bench.request().question_hash)
            assert split_answer(said)[2] != split_answer(right)[2]
        elif behaviour is Behaviour.WRONG:
            assert said == bytes(byte ^ 0xFF for byte in right)
        else:
            assert said is None
    bench.chain.database.close()


def test_weights_that_the_node_does_not_give_are_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ask_about(bench)
    chain = bench.auditor.chain
    with monkeypatch.context() as patch:
        patch.setattr(chain, "find_weights", lambda *args: None)
        assert not bench.auditor.step() and not bench.auditor.step()
    assert [event.name for event in bench.told] == ["skipped"]
    assert "does not hold the weights of model 1 after round 0" in str(bench.told[0].fields["problem"])
    bench.auditor._lacking.clear()
    assert bench.auditor.step()
