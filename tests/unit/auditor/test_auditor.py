"""What an auditor answers, what it skips and forgets, and that nothing but being told to ends it."""

from pathlib import Path
from typing import Any

import pytest

from abci_app.auditor import auditor as auditor_module
from abci_app.auditor import tasks as tasks_module
from abci_app.auditor.auditor import Auditor
from abci_app.auditor.behaviour import Behaviour
from abci_app.auditor.errors import AuditorStopped
from abci_app.client.errors import NodeUnreachable, ProofInvalid
from abci_app.data.store import DatasetStore
from abci_app.data.stores import DatasetStores
from abci_app.wire.audit import Subject, confirmation_of, is_confirmed, request_subject, unit_subject
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round
from kernels import dispatch
from kernels.errors import KernelInputError
from tests.unit.auditor.conftest import VALIDATOR, Asked


def test_every_audit_that_waits_is_answered_rightly_once(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    warmed = []
    monkeypatch.setattr(dispatch, "warm", warmed.append)
    asked.ask(0, 2)
    with asked.folder() as answers:
        auditor = asked.auditor(answers)
        assert auditor.step() and not auditor.step()
        assert answers.list_subjects() == [asked.subjects[0], asked.subjects[2]]
        assert [answers.find(asked.subjects[unit]) for unit in (0, 2)] == [asked.right(0), asked.right(2)]
    assert asked.names() == ["answered", "answered"] and len(warmed) == 1
    fields = asked.told[1].fields
    assert (fields["model_id"], fields["round"], fields["unit"]) == (1, 1, 2)


def test_restart_computes_nothing_that_is_on_the_disk(asked: Asked) -> None:
    asked.ask(1)
    with asked.folder() as answers:
        assert asked.auditor(answers).step()
    with asked.folder() as answers:
        assert not asked.auditor(answers).step()
    assert asked.names() == ["answered"]


def test_answer_to_an_earlier_audit_of_the_same_subject_is_computed_again(asked: Asked) -> None:
    """Its witness is of another seed: who said it would be excluded as wrong."""
    asked.ask(1)
    with asked.folder() as answers:
        answers.put(asked.subjects[1], bytes(96), b"before".ljust(32))
        assert asked.auditor(answers).step() and answers.find(asked.subjects[1]) == asked.right(1)


def test_damaged_answer_is_computed_again(asked: Asked) -> None:
    asked.ask(1)
    with asked.folder() as answers:
        auditor = asked.auditor(answers)
        auditor.step()
        path, = answers.folder.glob("*.answer")
        path.write_bytes(path.read_bytes()[:-1])
        assert answers.find(asked.subjects[1]) is None
        assert auditor.step() and answers.find(asked.subjects[1]) == asked.right(1)


def test_answer_stays_while_its_audit_is_undecided_and_goes_with_it(asked: Asked) -> None:
    asked.ask(0, 1)
    with asked.folder() as answers:
        auditor = asked.auditor(answers)
        auditor.step()
        asked.vote()
        assert list(asked.chain.iter_open_audits(VALIDATOR)) == []
        assert not auditor.step() and len(answers.list_subjects()) == 2
        asked.decide()
        assert auditor.step() and answers.list_subjects() == []


def test_what_everybody_is_asked_is_answered_by_its_own_witness(asked: Asked) -> None:
    """The committee's answer about the same unit stays what it was, and both go to the node."""
    asked.ask(1)
    question = Audit(subject=confirmation_of(asked.subjects[1]), seed=b"c" * 32, opened_height=1)
    asked.chain.others = [question]
    with asked.folder() as answers:
        assert asked.auditor(answers).step()
        first, answer = answers.find(asked.subjects[1]), answers.find(question.subject)
    assert first == asked.right(1) and answer is not None
    assert is_confirmed(answer, first) and answer[64:] not in (first[64:], answer[32:64])


def test_audit_of_another_attempt_unit_or_kind_is_passed_over(asked: Asked) -> None:
    others = [unit_subject(1, 1, asked.running.attempt + 1, 0), unit_subject(1, 1, asked.running.attempt, 99),
              unit_subject(1, 50, 0, 0), unit_subject(9, 1, 0, 0), Subject(7, 1, 1, 0, 0).encode()]
    asked.chain.others = [Audit(subject=subject) for subject in others]
    with asked.folder() as answers:
        auditor = asked.auditor(answers)
        assert not auditor.step() and not auditor.step() and answers.list_subjects() == []
    assert [event.fields["problem"] for event in asked.told] == [
        "audits of kind 7 are not known here: use a newer version"]


def test_dataset_that_is_not_here_is_told_once_and_used_when_it_comes(
        asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("abci_app.auditor.auditor.time.monotonic", lambda: now[0])
    asked.ask(0, 1)
    late = tmp_path / "late"
    with asked.folder() as answers:
        auditor = asked.auditor(answers, store=DatasetStores([DatasetStore(tmp_path / "none"), DatasetStore(late)]))
        for _ in range(3):
            assert not auditor.step()
            now[0] += 6
        late.symlink_to(asked.rig.store.folder)
        assert auditor.step() and len(answers.list_subjects()) == 2
    assert asked.names() == ["skipped", "answered", "answered"]
    assert "no dataset" in str(asked.told[0].fields["problem"]) and "gradus data add" in str(
        asked.told[0].fields["problem"])


def test_one_audit_that_cannot_be_answered_does_not_hold_up_the_others(
        asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    asked.ask(0, 1)
    find, failed = asked.chain.find_weights, list[int]()

    def fail_once(*arguments: object) -> bytes | None:
        if not failed:
            failed.append(1)
            raise ProofInvalid("a lie")
        return find(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(asked.chain, "find_weights", fail_once)
    with asked.folder() as answers:
        auditor = asked.auditor(answers)
        with pytest.raises(ProofInvalid):
            auditor.step()
        assert answers.list_subjects() == [asked.subjects[1]]
        assert auditor.step() and len(answers.list_subjects()) == 2


@pytest.mark.parametrize("error", [MemoryError(), ValueError("shape"), KernelInputError("label"), OSError("mapped")])
def test_unit_that_cannot_be_computed_here_keeps_nobody_elses_waiting(
        asked: Asked, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    asked.ask(0, 1)
    compute, tried = tasks_module.compute_answer, list[int]()

    def fail_on_first(spec: ModelSpec, running: Round, unit: int, *rest: Any) -> bytes:
        tried.append(unit)
        if unit == 0:
            raise error
        return compute(spec, running, unit, *rest)

    monkeypatch.setattr(tasks_module, "compute_answer", fail_on_first)
    with asked.folder() as answers:
        auditor = asked.auditor(answers)
        assert auditor.step() and answers.list_subjects() == [asked.subjects[1]]
        assert not auditor.step() and tried == [0, 1]  # not at once again
        auditor._lacking.clear()
        assert not auditor.step() and tried == [0, 1, 0]
    assert asked.names() == ["skipped", "answered"]
    assert "cannot be computed: " + (str(error) or "MemoryError") in str(asked.told[0].fields["problem"])


def test_long_step_ends_and_what_waits_is_asked_anew(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    asked.ask(0, 1)
    compute, now = tasks_module.compute_answer, [100.0]

    def take_long(*arguments: Any) -> bytes:
        now[0] += 11
        return compute(*arguments)

    monkeypatch.setattr("abci_app.auditor.auditor.time.monotonic", lambda: now[0])
    monkeypatch.setattr(tasks_module, "compute_answer", take_long)
    with asked.folder() as answers:
        auditor = asked.auditor(answers)
        assert auditor.step() and len(answers.list_subjects()) == 1
        assert auditor.step() and len(answers.list_subjects()) == 2


def test_answers_are_audited_first_and_in_the_order_in_which_they_were_asked() -> None:
    """Whatever else of one model waits: the chain counts their time by that order."""
    answers = [Audit(subject=request_subject(1, number), opened_height=5 + number, busy_height=6 + number)
               for number in range(4)]
    other = Audit(subject=request_subject(2, 1), opened_height=9, busy_height=11)
    units = [Audit(subject=unit_subject(3, 1, 0, index), opened_height=1) for index in range(2)]
    assert auditor_module.order_fairly([*units, other, *reversed(answers)]) == [*answers, other, *units]


def test_models_are_audited_in_turn() -> None:
    def new_audit(model_id: int, index: int, height: int) -> Audit:
        return Audit(subject=unit_subject(model_id, 1, 0, index), opened_height=height)

    many = [new_audit(1, index, 5) for index in range(5)]
    few = [new_audit(2, 0, 9), new_audit(3, 0, 7), new_audit(2, 1, 8)]
    assert auditor_module.order_fairly([*many, *few]) == [many[0], few[1], few[2], many[1], few[0], *many[2:]]


def test_audit_whose_weights_are_gone_is_told_once_and_delays_no_other(
        asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may stay open for a long window: a step that failed for it would be followed by longer and longer waits."""
    asked.ask(0)
    monkeypatch.setattr(asked.chain, "find_weights", lambda *_arguments: None)
    with asked.folder() as answers:
        auditor = asked.auditor(answers)
        for _ in range(3):
            assert not auditor.step()
        assert asked.names() == ["skipped"] and "does not hold the weights" in str(asked.told[0].fields["problem"])
        monkeypatch.undo()
        auditor._lacking.clear()
        assert auditor.step() and answers.list_subjects() == [asked.subjects[0]]


@pytest.mark.parametrize("behaviour", [Behaviour.LAZY, Behaviour.COPY, Behaviour.WRONG])
def test_cheating_auditor_never_gives_the_right_answer(asked: Asked, behaviour: Behaviour) -> None:
    asked.ask(0)
    with asked.folder() as answers:
        asked.auditor(answers, behaviour).step()
        found, right = answers.find(asked.subjects[0]), asked.right(0)
    if behaviour is Behaviour.LAZY:
        assert found is None
    elif behaviour is Behaviour.COPY:
        assert found is not None and found[:64] == right[:64] and found[64:] != right[64:]
    else:
        assert found == bytes(byte ^ 0xFF for byte in right)


def test_cheat_is_refused_on_a_chain_that_is_no_test_network(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked.chain, "chain_id", lambda: "gradus-1")
    with asked.folder() as answers:
        with pytest.raises(AuditorStopped, match="behaviour wrong is for test networks; this is chain 'gradus-1'"):
            asked.auditor(answers, Behaviour.WRONG).run()
        assert not asked.auditor(answers).step()


def test_back_end_that_there_is_not_ends_the_auditor_before_its_first_step(
        asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise KernelInputError("unknown back end 'abacus'")

    monkeypatch.setattr(dispatch, "warm", refuse)
    with asked.folder() as answers:
        with pytest.raises(AuditorStopped, match="unknown back end 'abacus'") as caught:
            asked.auditor(answers).run()
    assert caught.value.hint == "set or unset GRADUS_KERNELS_BACKEND"


def test_silent_node_and_full_disk_are_waited_for(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """run() goes on until it is told to stop, whatever fails; here at its fourth pause."""
    pauses, faults = list[float](), [NodeUnreachable("no node answers"), OSError(28, "No space left on device")]
    asked.ask(0)
    with asked.folder() as answers:
        auditor = asked.auditor(answers)
        step = auditor.step

        def fail_first() -> bool:
            if faults:
                raise faults.pop(0)
            return step()

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 4:
                auditor.stop()

        monkeypatch.setattr(auditor, "step", fail_first)
        auditor.sleep = sleep
        auditor.run()
        assert answers.find(asked.subjects[0]) == asked.right(0)
    assert pauses == [0.5, 1.0, 0.2, pytest.approx(0.3)]
    assert [event.name for event in asked.told] == ["waiting", "waiting", "answered"]
    assert str(asked.told[1].fields["problem"]).endswith("No space left on device")


def test_stop_ends_behind_the_unit_that_is_being_computed(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    asked.ask(0, 1, 2)
    with asked.folder() as answers:
        auditor: Auditor = asked.auditor(answers)
        auditor.report = lambda event: auditor.stop()
        auditor.run()
        assert len(answers.list_subjects()) == 1


def test_two_auditors_do_not_share_a_folder(asked: Asked) -> None:
    with asked.folder():
        with pytest.raises(AuditorStopped, match="another auditor works here"):
            asked.folder().__enter__()
    with asked.folder() as answers:
        (answers.folder / "x.writing").write_bytes(b"torn")
    with asked.folder() as answers:
        assert [path.name for path in answers.folder.iterdir()] == ["lock"]
