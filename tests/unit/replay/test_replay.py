"""Replays of real chains: what is right is equal, whatever was altered is not, and what is lacking is named."""

import base64
from pathlib import Path
from typing import Any

import pytest

from abci_app.client.errors import NodeRefused, ProofInvalid, QueryRefused
from abci_app.data.store import DatasetStore
from abci_app.miner.behaviour import Behaviour
from abci_app.replay.blocks import Block
from abci_app.replay.errors import BlockPruned, DatasetLacking, NothingToReplay
from abci_app.replay.records import NodeRecords
from abci_app.replay.replay import Replayer, RoundReplay
from abci_app.replay.rounds import Outcome, Verdict
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    ROUND_PHASE_REVEAL, SLASH_REASON_DISPUTE, UNIT_STATUS_REVEALED, Slash, Unit,
)
from kernels.errors import KernelInputError
from tests.block_tape import TapeNode, record
from tests.chain import address_of
from tests.unit.miner.conftest import NAMES, Rig
from tests.unit.replay.conftest import KEPT, ROUNDS, Trained

WITHHOLD = Behaviour.WITHHOLD


def find_cheat(trained: Trained) -> tuple[int, int]:
    """Round and unit of the claim that was slashed."""
    slash, = trained.rig.client.iter_slashes(1)
    assert slash.trainer == address_of("mallory") and slash.round <= ROUNDS - KEPT
    return slash.round, slash.unit


def roots(trained: Trained) -> list[bytes]:
    """Of the weights after each closed round, as blocks told them."""
    told = [event for height in sorted(trained.tape.results)
            for event in trained.tape.results[height]["finalize_block_events"] or ()
            if event["type"] == "work.round_closed"]
    return [bytes.fromhex(dict((one["key"], one["value"]) for one in event["attributes"])["weights_root"])
            for event in told]


def test_kept_round_is_equal_in_every_claim_and_in_its_weights(trained: Trained) -> None:
    found = trained.replayer().replay_round(1, ROUNDS)
    assert found.is_equal and (found.number, found.source, found.weights) == (ROUNDS, "records", Outcome.EQUAL)
    assert found.root == found.computed_root == trained.rig.model().weights_root
    assert found.audits is Outcome.EQUAL
    assert [(one.verdict, one.unit.standing) for one in found.units] == [(Verdict.EQUAL, "accepted")] * 3
    assert all(one.computed is not None and one.computed.payload_root == one.unit.payload_root for one in found.units)


def test_round_that_is_no_longer_kept_is_rebuilt_from_blocks(trained: Trained) -> None:
    assert trained.rig.client.find_round(1, 1) is None
    found = trained.replayer().replay_round(1, 2)
    assert found.is_equal and (found.source, found.weights, found.root) == ("blocks", Outcome.EQUAL, roots(trained)[1])
    assert [one.verdict for one in found.units] == [Verdict.EQUAL] * 3


def test_claim_that_the_chain_has_rejected_is_not_equal_and_leaves_the_round_right(trained: Trained) -> None:
    number, cheat = find_cheat(trained)
    found = trained.replayer().replay_round(1, number)
    assert found.is_equal and found.weights is Outcome.EQUAL
    assert {one.unit.index: one.verdict for one in found.units} == {
        index: Verdict.REJECTED if index == cheat else Verdict.EQUAL for index in range(4)}
    alone = trained.replayer().replay_round(1, number, cheat)
    assert [(one.unit.index, one.verdict) for one in alone.units] == [(cheat, Verdict.REJECTED)]


def test_whole_model_comes_out_of_its_seed_and_its_blocks(trained: Trained) -> None:
    found = list(trained.replayer().replay_model(1))
    assert [one.number for one in found] == list(range(ROUNDS + 1)) and all(one.is_equal for one in found)
    assert [one.root for one in found[1:]] == [one.computed_root for one in found[1:]] == roots(trained)
    assert found[-1].root == trained.rig.model().weights_root
    assert found[0].weights is Outcome.UNKNOWN and "no longer keeps" in found[0].note
    assert [one.audits for one in found] == [Outcome.UNKNOWN, *[Outcome.EQUAL] * ROUNDS]
    assert not any(one.units for one in found)


def test_whole_model_with_its_units_has_every_claim_recomputed(trained: Trained) -> None:
    found = list(trained.replayer().replay_model(1, with_units=True))
    verdicts = [one.verdict for past in found for one in past.units]
    assert all(one.is_equal for one in found) and verdicts.count(Verdict.REJECTED) == 1
    assert verdicts.count(Verdict.EQUAL) == 3 * ROUNDS == len(verdicts) - 1


def test_outer_momentum_is_known_from_blocks_alone(moving: Trained) -> None:
    found = list(moving.replayer().replay_model(1))
    assert [one.weights for one in found] == [Outcome.EQUAL] * 4
    first, last = (moving.replayer().replay_round(1, number) for number in (1, 3))
    assert (first.weights, last.weights) == (Outcome.EQUAL, Outcome.UNKNOWN)
    assert last.is_equal and "momentum" in last.note and "--all" in last.note


def test_each_round_is_replayed_by_the_terms_and_rows_that_held_in_it(retrained: Trained) -> None:
    found = list(retrained.replayer().replay_model(1, with_units=True))
    assert [one.number for one in found] == [0, 1, 2, 3, 4] and all(one.is_equal for one in found)
    assert [one.verdict for past in found for one in past.units] == [Verdict.EQUAL] * 12
    versions = [retrained.rig.client.find_spec(1, version) for version in (1, 2)]
    assert all(versions) and versions[0].dataset.rows_root != versions[1].dataset.rows_root
    kept = retrained.replayer().replay_round(1, 4)
    assert (kept.source, kept.weights) == ("records", Outcome.EQUAL)
    assert [one.verdict for one in kept.units] == [Verdict.EQUAL] * 3


def test_one_unit_is_replayed_alone(trained: Trained) -> None:
    found = trained.replayer().replay_round(1, ROUNDS, 2)
    assert [one.unit.index for one in found.units] == [2] and found.units[0].verdict is Verdict.EQUAL
    assert found.weights is Outcome.UNKNOWN


class Altered(NodeRecords):
    """Records in which one unit's are changed."""

    def __init__(self, trained: Trained, **changes: Any) -> None:
        super().__init__(trained.rig.client)
        self.changes = changes

    def find_unit(self, model_id: int, number: int, index: int) -> Unit | None:
        unit = super().find_unit(model_id, number, index)
        for name, value in self.changes.items() if unit is not None and index == 1 else ():
            setattr(unit, name, value)
        return unit


@pytest.mark.parametrize("name", ["payload_root", "trace_root"])
def test_claim_that_is_another_is_not_equal(trained: Trained, name: str) -> None:
    replayer = trained.replayer()
    replayer.records = Altered(trained, **{name: bytes(32)})
    found = replayer.replay_round(1, ROUNDS, 1)
    assert [one.verdict for one in found.units] == [Verdict.DIFFERENT] and not found.is_equal


@pytest.mark.parametrize("changes", [{"salt": bytes(32)}, {"salt": b""}, {"verdict": 0}, {"verdict": 4}])
def test_audits_of_other_units_than_the_salts_name_are_not_equal(trained: Trained, changes: dict[str, Any]) -> None:
    """Unit 1 was drawn or not: of two verdicts one is wrong."""
    replayer = trained.replayer()
    replayer.records = Altered(trained, **changes)
    unit = NodeRecords(trained.rig.client).find_unit(1, ROUNDS, 1)
    assert unit is not None
    found = replayer.replay_round(1, ROUNDS)
    is_as_it_was = "verdict" in changes and bool(changes["verdict"]) == bool(unit.verdict)
    assert (found.audits is Outcome.EQUAL) == found.is_equal == is_as_it_was


def test_node_that_tells_of_other_audits_than_the_salts_name_is_caught(trained: Trained) -> None:
    class Liar(TapeNode):
        def block_results(self, height: int) -> Any:
            shown = super().block_results(height)
            told = [event for event in shown["finalize_block_events"] or () if event["type"] != "work.unit_drawn"]
            return {**shown, "finalize_block_events":
                    [event for event in told if event["type"] != "work.unit_audited" or height > 20]}

    found = list(trained.replayer(Liar(trained.rig.node, trained.tape)).replay_model(1))
    assert (found[-1].number, found[-1].weights, found[-1].audits) == (1, Outcome.EQUAL, Outcome.DIFFERENT)
    assert not found[-1].is_equal


def test_right_claim_that_was_found_wrong_is_not_right(trained: Trained) -> None:
    replayer = trained.replayer()
    replayer.records = Altered(trained, status=5, verdict=3)
    found = replayer.replay_round(1, ROUNDS, 1)
    assert [one.verdict for one in found.units] == [Verdict.WRONGED] and not found.is_equal


def lose_dispute(trained: Trained) -> Replayer:
    """A replayer in whose records the trainer of unit 1 of the last round has lost a dispute."""
    records, height = Altered(trained, status=5), find_height(trained, "work.round_closed", ROUNDS - 1)
    slash = Slash(model_id=1, round=ROUNDS, unit=1, reason=SLASH_REASON_DISPUTE, height=height)
    earlier = Slash(model_id=1, round=ROUNDS - 1, unit=0, reason=SLASH_REASON_DISPUTE, height=height)
    records.list_slashes = lambda model_id: [earlier, slash]  # type: ignore[method-assign]
    replayer = trained.replayer()
    replayer.records = records
    return replayer


def test_right_claim_whose_trainer_was_silent_in_a_dispute_leaves_the_round_right(trained: Trained) -> None:
    found = lose_dispute(trained).replay_round(1, ROUNDS)
    assert [one.verdict for one in found.units] == [Verdict.EQUAL, Verdict.FORFEITED, Verdict.EQUAL]
    assert found.is_equal and found.weights is Outcome.EQUAL and found.units[1].unit.standing == "rejected"


def test_right_claim_of_which_an_operation_was_executed_to_something_else_is_not_right(
        trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, ...]] = []

    def has_proved(block: Block, *place: int) -> bool:
        asked.append((block.header.height, *place))
        return True

    monkeypatch.setattr("abci_app.replay.replay.has_proved_operation", has_proved)
    found = lose_dispute(trained).replay_round(1, ROUNDS)
    assert [one.verdict for one in found.units] == [Verdict.EQUAL, Verdict.WRONGED, Verdict.EQUAL]
    assert not found.is_equal and asked == [(find_height(trained, "work.round_closed", ROUNDS - 1), 1, ROUNDS, 1)]


def test_unit_that_the_numerics_refuse_was_never_on_the_chain(
        trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows they never refuse: what else a unit is made of, the node tells."""
    def refuse(*arguments: Any) -> Any:
        raise KernelInputError("weights must have 12 bytes and has 8")

    monkeypatch.setattr("abci_app.replay.rounds.compute_unit", refuse)
    with pytest.raises(ProofInvalid, match="does not fit together: weights must have 12 bytes"):
        trained.replayer().replay_round(1, ROUNDS)


def test_round_that_says_it_accepted_another_unit_has_other_weights(trained: Trained) -> None:
    """What was aggregated is told by the records where they add up, else by the block that closed the round."""
    node = trained.node()
    closed = trained.rig.client.find_round(1, ROUNDS)
    assert closed is not None and closed.round is not None
    replayer = trained.replayer(node)
    replayer.records = Altered(trained, status=5)
    found = replayer.replay_round(1, ROUNDS)
    assert found.weights is Outcome.EQUAL and found.units[1].unit.standing == "rejected"


def forge(trained: Trained, height: int, change: Any) -> TapeNode:
    """A node that shows one block otherwise. change: of (block, results), in place."""
    node = trained.node()
    shown = (node.block(height), node.block_results(height))
    change(*shown)

    class Forger(TapeNode):
        def block(self, at: int) -> Any:
            return shown[0] if at == height else super().block(at)

        def block_results(self, at: int) -> Any:
            return shown[1] if at == height else super().block_results(at)

    return Forger(trained.rig.node, trained.tape)


def find_height(trained: Trained, kind: str, occurrence: int = 0) -> int:
    """The height of a block with an event of a kind."""
    heights = [height for height in sorted(trained.tape.results)
               if any(event["type"] == kind for event in trained.tape.results[height]["finalize_block_events"] or ())]
    return heights[occurrence]


def replay_forged(trained: Trained, height: int, change: Any) -> list[RoundReplay]:
    return list(trained.replayer(forge(trained, height, change)).replay_model(1))


def test_block_with_other_transactions_is_refused(trained: Trained) -> None:
    def swap(block: Any, results: Any) -> None:
        block["block"]["data"]["txs"].append(base64.b64encode(b"more").decode())
        results["txs_results"] = [*(results["txs_results"] or ()), {"code": 0}]

    with pytest.raises(ProofInvalid, match="not those of its header"):
        replay_forged(trained, find_height(trained, "work.round_closed"), swap)


def test_block_of_another_chain_of_hashes_is_refused(trained: Trained) -> None:
    def touch(block: Any, results: Any) -> None:
        block["block"]["header"]["app_hash"] = "11" * 32

    height = find_height(trained, "work.round_opened")
    with pytest.raises(ProofInvalid, match=f"block {height + 1} .* does not follow"):
        replay_forged(trained, height, touch)


@pytest.mark.parametrize("change", [{"code": 5}, {"data": "AAAA"}, {"gas_used": "1"}])
def test_result_of_a_transaction_that_the_next_header_does_not_have_is_refused(trained: Trained,
                                                                               change: dict[str, Any]) -> None:
    """A node that says that a reveal failed, or that a failed one was taken, could have any claim replayed."""
    def spoil(block: Any, results: Any) -> None:
        results["txs_results"][0].update(change)

    height = next(height for height in range(find_height(trained, "work.round_opened") + 1, trained.rig.chain.height)
                  if trained.tape.results[height]["txs_results"])
    with pytest.raises(ProofInvalid, match=f"transactions of block {height} .* are said to have done"):
        replay_forged(trained, height, spoil)


def test_block_of_another_height_or_chain_is_refused(trained: Trained) -> None:
    def rename(block: Any, results: Any) -> None:
        block["block"]["header"]["chain_id"] = "other-1"

    with pytest.raises(ProofInvalid, match="answered with block"):
        replay_forged(trained, find_height(trained, "work.round_opened"), rename)


def test_event_that_hides_an_accepted_unit_gives_other_weights_and_ends_the_replay(trained: Trained) -> None:
    def hide(block: Any, results: Any) -> None:
        events = results["finalize_block_events"]
        events.remove(next(event for event in events if event["type"] == "work.unit_accepted"))

    found = replay_forged(trained, find_height(trained, "work.round_closed", 1), hide)
    assert [one.number for one in found] == [0, 1, 2] and found[1].is_equal
    assert found[2].weights is Outcome.DIFFERENT and found[2].root != found[2].computed_root


def test_closed_round_that_blocks_leave_out_is_refused(trained: Trained) -> None:
    def hide(block: Any, results: Any) -> None:
        results["finalize_block_events"] = [event for event in results["finalize_block_events"]
                                            if event["type"] != "work.round_closed"]

    with pytest.raises(ProofInvalid, match="closes? round 2 of model 1 after round 0|close round 2"):
        replay_forged(trained, find_height(trained, "work.round_closed"), hide)
    with pytest.raises(ProofInvalid, match=f"close {ROUNDS - 1} rounds"):
        replay_forged(trained, find_height(trained, "work.round_closed", ROUNDS - 1), hide)


@pytest.mark.parametrize("spoil", [
    lambda block, results: block.pop("block"), lambda block, results: block["block"]["header"].update(height="x"),
    lambda block, results: results.update(finalize_block_events=[{"kind": 1}]),
    lambda block, results: results.update(txs_results=[{"code": "many"}]),
    lambda block, results: block["block"]["data"].update(txs=["?"])])
def test_malformed_answers_are_refused(trained: Trained, spoil: Any) -> None:
    with pytest.raises((ProofInvalid, NodeRefused), match="malformed|height|not those"):
        replay_forged(trained, find_height(trained, "work.round_opened"), spoil)


def test_last_header_of_the_walk_is_checked_and_a_wrong_one_ends_it(trained: Trained) -> None:
    seen: list[int] = []
    replayer = trained.replayer()
    replayer.check_header = lambda header: seen.append(header.height)
    list(replayer.replay_model(1))
    trained_height, second_height = (find_height(trained, "work.round_closed", number - 1) for number in (ROUNDS, 2))
    replayer.replay_round(1, 2)
    anchor_height = find_height(trained, "work.round_closed", ROUNDS - KEPT)
    kept = [number for number in range(ROUNDS + 1) if trained.rig.client.find_weights_record(1, number)]
    assert seen == [trained_height, anchor_height] and kept[0] == ROUNDS - KEPT + 1
    replayer.replay_round(1, ROUNDS - KEPT)
    assert seen[2:] == [anchor_height] and second_height < anchor_height

    def refuse(header: Any) -> None:
        raise ProofInvalid("another block")

    replayer.check_header = refuse
    with pytest.raises(ProofInvalid, match="another block"):
        list(replayer.replay_model(1))
    with pytest.raises(ProofInvalid, match="another block"):
        replayer.replay_round(1, 2)


def test_pruned_block_is_named_with_what_to_do(trained: Trained) -> None:
    height = trained.rig.model().created_height
    replayer = trained.replayer(trained.node(lowest=height + 3))
    with pytest.raises(BlockPruned, match=f"no longer has block {height}") as caught:
        list(replayer.replay_model(1))
    assert "--node" in caught.value.hint and caught.value.exit_status == 3
    assert replayer.replay_round(1, ROUNDS).is_equal


def test_missing_dataset_is_named_with_what_to_do_and_weights_need_none(trained: Trained, tmp_path: Path) -> None:
    replayer: Replayer = trained.replayer()
    replayer.store = DatasetStore(tmp_path)
    with pytest.raises(DatasetLacking, match=trained.rig.spec.dataset.rows_root.hex()) as caught:
        replayer.replay_round(1, ROUNDS)
    assert "gradus data add" in caught.value.hint and caught.value.exit_status == 2
    assert all(one.is_equal for one in replayer.replay_model(1))


@pytest.mark.parametrize("place, text", [
    ((9, 1, None), "there is no model 9"), ((1, ROUNDS + 1, None), f"round {ROUNDS + 1} of model 1 has not been"),
    ((1, ROUNDS + 2, None), f"has closed {ROUNDS} rounds"), ((1, ROUNDS, 3), "has 3 units"),
    ((1, 1, 3), "has 3 units")])
def test_what_is_not_there_is_named(trained: Trained, place: tuple[int, int, int | None], text: str) -> None:
    with pytest.raises(NothingToReplay, match=text) as caught:
        trained.replayer().replay_round(*place)
    assert caught.value.exit_status == 2


def test_terms_of_a_version_that_there_is_not_are_refused(trained: Trained) -> None:
    with pytest.raises((ProofInvalid, QueryRefused)):
        NodeRecords(trained.rig.client).get_spec(1, 9)


def test_round_that_runs_has_its_claims_replayed_and_no_weights(tmp_path: Path, patch: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as recording:
        tape = record(recording)
        rig = Rig(tmp_path)
        miners = [rig.miner(name, behaviour) for name, behaviour in zip(NAMES, (*[Behaviour.HONEST] * 2, WITHHOLD))]
        while not is_revealing(rig):
            assert rig.chain.height < 100
            for miner in miners:
                if not is_revealing(rig):
                    miner.step()
            rig.node.block()
    found = Trained(rig, tape).replayer().replay_round(1, 1)
    rig.chain.database.close()
    assert found.is_equal and found.weights is Outcome.UNKNOWN and found.note == "the round is not closed"
    verdicts = [one.verdict for one in found.units]
    assert Verdict.NONE in verdicts and Verdict.EQUAL in verdicts and len(verdicts) == 3


def is_revealing(rig: Rig) -> bool:
    """Whether the first round is in its reveal phase, and something is revealed."""
    running = rig.client.find_round(1, 1)
    return running is not None and running.round is not None and running.round.phase == ROUND_PHASE_REVEAL and any(
        unit.status == UNIT_STATUS_REVEALED for unit in running.units)
