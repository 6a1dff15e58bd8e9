"""Watchers and players against a whole chain: wrong claims are found, challenged and lost, right ones are kept."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from abci_app.client.errors import NodeRefused, TxRefused
from abci_app.client.send import Sender
from abci_app.data.store import DatasetStore
from abci_app.miner.behaviour import Behaviour
from abci_app.watch.player import Player
from abci_app.watch.replay import UnitReplay
from abci_app.watch.watcher import Watcher
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import (
    DISPUTE_STAGE_CHILD, DISPUTE_STAGE_STATE, Dispute,
)
from abci_app.wire.pb.gradus.disputes.v1.tx_pb2 import MsgChallenge, MsgPickChild, MsgPickState
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    SLASH_REASON_DISPUTE, TRAINER_STATUS_SLASHED, UNIT_STATUS_ACCEPTED, UNIT_STATUS_REJECTED, Round, Unit,
)
from tests.chain import address_of, new_test_key
from tests.unit.watch.conftest import WATCHER, WatchedRig

BOND_UGRAD = 1_000_000


def names_of(rig: WatchedRig, name: str) -> list[str]:
    return [event.name for event in rig.told_by(name)]


def challenge(rig: WatchedRig, unit: Unit, challenger: str = WATCHER) -> None:
    """A challenge by hand."""
    message = MsgChallenge(challenger=address_of(challenger), model_id=1, round=unit.round, unit=unit.index,
                           bond=coin_pb(base_coin(BOND_UGRAD)))
    Sender(rig.client, new_test_key(challenger), sleep=rig.node.sleep).send([message])


def watch(rig: WatchedRig, watcher: Watcher, blocks: int = 200) -> None:
    """Step until nothing is disputed and there is nothing left to do."""
    for _ in range(blocks):
        if not watcher.step() and not rig.has_disputes():
            return
        rig.node.block()
    raise AssertionError(f"still at work after {blocks} blocks")


@pytest.mark.parametrize("behaviour", (Behaviour.GARBAGE, Behaviour.WRONG_DATA))
def test_watcher_finds_the_wrong_claim_and_takes_the_cheats_bond(
        new_rig: Callable[..., WatchedRig], behaviour: Behaviour) -> None:
    rig = new_rig()
    rig.run_rounds({"cat": behaviour})
    assert rig.unit("cat").status == UNIT_STATUS_ACCEPTED
    before = rig.client.balance(address_of(WATCHER))
    watch(rig, rig.watcher())
    assert rig.unit("cat").status == UNIT_STATUS_REJECTED
    trainer = rig.client.find_trainer(1, address_of("cat"))
    assert trainer is not None and trainer.status == TRAINER_STATUS_SLASHED
    assert [slash.reason for slash in rig.client.iter_slashes(1)] == [SLASH_REASON_DISPUTE]
    assert rig.client.balance(address_of(WATCHER)) > before
    assert [rig.unit(name).status for name in ("ann", "ben")] == [UNIT_STATUS_ACCEPTED] * 2
    found = sorted(str(fields["found"]) for fields in rig.told("watcher", "replayed"))
    assert found == ["right", "right", "wrong"]
    assert names_of(rig, "watcher").count("challenged") == 1


def test_watcher_without_a_key_tells_and_does_nothing(new_rig: Callable[..., WatchedRig]) -> None:
    rig = new_rig()
    rig.run_rounds({"cat": Behaviour.GARBAGE})
    watcher = rig.watcher(key=None)
    while watcher.step():
        pass
    wrong = [fields for fields in rig.told("watcher", "replayed") if fields["found"] == "wrong"]
    assert [fields["claimant"] for fields in wrong] == [address_of("cat")]
    assert not rig.has_disputes()


def test_watcher_that_starts_again_replays_nothing_twice_and_goes_on(new_rig: Callable[..., WatchedRig]) -> None:
    rig = new_rig()
    rig.run_rounds({"cat": Behaviour.GARBAGE})
    first = rig.watcher()
    while not rig.has_disputes():
        first.step()
    replayed = len(rig.told("watcher", "replayed"))
    rig.journal.__exit__()
    rig.journal.__enter__()
    watch(rig, rig.watcher())
    assert rig.unit("cat").status == UNIT_STATUS_REJECTED
    assert len(rig.told("watcher", "replayed")) == 3
    assert replayed <= 3
    assert names_of(rig, "watcher").count("challenged") == 1


def test_watcher_without_the_dataset_says_so_once(new_rig: Callable[..., WatchedRig], tmp_path: Path) -> None:
    rig = new_rig()
    rig.run_rounds({"cat": Behaviour.GARBAGE})
    watcher = rig.watcher(store=DatasetStore(tmp_path / "none"))
    for _ in range(3):
        assert not watcher.step()
        rig.node.block()
    assert names_of(rig, "watcher") == ["skipped"]


def test_watcher_passes_a_decoder_over_and_says_so_once(new_rig: Callable[..., WatchedRig]) -> None:
    """None of its units could be challenged: what is wrong there only audits find."""
    rig = new_rig(architecture="decoder")
    watcher = rig.watcher()
    assert not watcher.step() and not watcher.step()
    assert [fields["problem"] for fields in rig.told("watcher", "skipped")] == [
        "model 1 is a decoder, whose units audits alone judge"]


def test_watcher_of_a_settled_round_has_nothing_to_do(new_rig: Callable[..., WatchedRig]) -> None:
    rig = new_rig(challenge_blocks=3)
    rig.run_rounds({"cat": Behaviour.GARBAGE})
    while not rig.chain.app.work.get_round(rig.chain.ctx(), 1, 1).settled_height:
        rig.node.block()
    watcher = rig.watcher()
    assert not watcher.step()
    assert rig.told_by("watcher") == []


def test_round_that_a_dispute_holds_up_is_watched_when_later_ones_are_settled(
        new_rig: Callable[..., WatchedRig]) -> None:
    """Else a cheat would dispute its own unit until a later round is settled, and be forgotten."""
    rig = new_rig(rounds=2, challenge_blocks=12)
    rig.run_rounds({})
    challenge(rig, rig.unit("ann", 1), "boss")
    rig.miners["ann"].step()
    work = rig.chain.app.work
    while not work.get_round(rig.chain.ctx(), 1, 2).settled_height:
        rig.node.block()
    assert work.get_round(rig.chain.ctx(), 1, 1).disputed_count == 1
    watcher = rig.watcher()
    while watcher.step():
        pass
    assert [fields["round"] for fields in rig.told("watcher", "replayed")] == [1, 1, 1]


def test_watcher_that_comes_late_watches_rounds_that_are_older_than_those_the_contract_keeps(
        new_rig: Callable[..., WatchedRig]) -> None:
    """A dispute of one unit keeps a round challengeable, and its wrong claims must not be safe from who starts anew."""
    rig = new_rig(rounds=4, kept_rounds=2, challenge_blocks=3, commit_blocks=60)
    rig.begin_rounds({"cat": Behaviour.GARBAGE})
    rig.run_until_closed(1)
    challenge(rig, rig.unit("ann", 1), "boss")
    rig.run_until_closed(4)
    assert not rig.chain.app.work.get_round(rig.chain.ctx(), 1, 1).settled_height
    assert rig.client.find_round(1, 2) is None
    watch(rig, rig.watcher())
    assert rig.unit("cat", 1).status == UNIT_STATUS_REJECTED
    assert 1 in [fields["round"] for fields in rig.told("watcher", "challenged")]


class Picker:
    """A challenger who says of anything that it is wrong."""

    def __init__(self, rig: WatchedRig) -> None:
        self.rig, self.dice = rig, random.Random(5)
        self.sender = Sender(rig.client, new_test_key(WATCHER), sleep=rig.node.sleep)

    def step(self, dispute: Dispute) -> None:
        """Pick something when it is due."""
        place = {"challenger": dispute.challenger, "model_id": 1, "round": dispute.round, "unit": dispute.unit}
        if dispute.stage == DISPUTE_STAGE_STATE:
            self.sender.send([MsgPickState(**place, place=self.dice.randrange(4))])
        elif dispute.stage == DISPUTE_STAGE_CHILD:
            self.sender.send([MsgPickChild(**place, place=self.dice.randrange(len(dispute.children)))])


def test_honest_miner_answers_challenges_of_its_units_and_earns_by_them(new_rig: Callable[..., WatchedRig]) -> None:
    rig = new_rig()
    rig.run_rounds({})
    unit, picker = rig.unit("ann"), Picker(rig)
    challenge(rig, unit)
    before = rig.client.balance(address_of("ann"))
    while (dispute := rig.client.find_dispute(1, 1, unit.index)) is not None:
        picker.step(dispute)
        rig.miners["ann"].step()
        rig.node.block()
    assert rig.unit("ann").status == UNIT_STATUS_ACCEPTED
    assert rig.client.balance(address_of("ann")) > before + BOND_UGRAD // 2 - 20_000
    trainer = rig.client.find_trainer(1, address_of("ann"))
    assert trainer is not None and trainer.bond_ugrad == rig.spec.economy.bond_ugrad
    stages = [fields["stage"] for fields in rig.told("ann", "moved")]
    assert stages[:2] == ["trace", "segment"] and stages[-1] == "operation"


def test_miner_stays_until_its_units_can_be_challenged_no_more(new_rig: Callable[..., WatchedRig]) -> None:
    """The model is trained, but a challenge that comes late must find somebody who answers."""
    rig = new_rig(challenge_blocks=12)
    rig.run_rounds({})
    unit, picker = rig.unit("ann"), Picker(rig)
    rig.node.block()
    challenge(rig, unit)

    def pick() -> None:
        dispute = rig.client.find_dispute(1, 1, unit.index)
        if dispute is not None and dispute.stage in (DISPUTE_STAGE_STATE, DISPUTE_STAGE_CHILD):
            rig.node.on_block = lambda: None
            picker.step(dispute)
            rig.node.on_block = pick

    rig.node.on_block = pick
    rig.miners["ann"].run()
    assert rig.client.find_dispute(1, 1, unit.index) is None
    assert rig.unit("ann").status == UNIT_STATUS_ACCEPTED
    trainer = rig.client.find_trainer(1, address_of("ann"))
    assert trainer is not None and trainer.open_units == 0


@pytest.mark.parametrize("gather_s, is_shared", ((1e9, True), (0.0, False)))
def test_moves_that_are_ready_in_time_share_a_transaction_and_wait_for_no_others(
        new_rig: Callable[..., WatchedRig], monkeypatch: pytest.MonkeyPatch, gather_s: float, is_shared: bool) -> None:
    monkeypatch.setattr("abci_app.watch.player.GATHER_S", gather_s)
    rig = new_rig(rounds=2)
    rig.run_rounds({})
    for number in (2, 1):
        challenge(rig, rig.unit("ann", number))
    rig.miners["ann"].step()
    moved = rig.told("ann", "moved")
    assert [(fields["round"], fields["stage"]) for fields in moved] == [(2, "trace"), (1, "trace")]
    assert (moved[0]["height"] == moved[1]["height"]) == is_shared


def test_miner_proves_its_unit_though_no_node_gives_it_the_weights(new_rig: Callable[..., WatchedRig]) -> None:
    """Nodes keep them until the round is settled, but a move has a deadline."""
    rig = new_rig()
    rig.run_rounds({})
    rig.miners["ann"].journal.__exit__(None, None, None)
    anew = rig.miner("ann")
    anew._source.load_weights = refuse_weights  # type: ignore[method-assign]
    unit, picker = rig.unit("ann"), Picker(rig)
    challenge(rig, unit)
    while (dispute := rig.client.find_dispute(1, 1, unit.index)) is not None:
        picker.step(dispute)
        anew.step()
        rig.node.block()
    assert rig.unit("ann").status == UNIT_STATUS_ACCEPTED
    assert list((anew.journal.folder / "weights").glob("*.weights"))
    while not rig.chain.app.work.get_round(rig.chain.ctx(), 1, 1).settled_height:
        rig.node.block()
    anew._replays.forget_settled()
    assert not list((anew.journal.folder / "weights").glob("*.weights"))


def refuse_weights(running: Round) -> bytes:
    raise NodeRefused(f"no node gives the weights of round {running.number}")


def test_challenger_who_finds_nothing_wrong_says_that_it_has_lost(new_rig: Callable[..., WatchedRig]) -> None:
    rig = new_rig()
    rig.run_rounds({})
    challenge(rig, rig.unit("ann"))
    rig.miners["ann"].step()
    watcher = rig.watcher(challenges=False)
    while rig.has_disputes():
        watcher.step()
        rig.node.block()
    problems = [str(fields["problem"]) for fields in rig.told("watcher", "waiting")]
    assert problems == ["nothing is wrong with the claim: this challenge is lost"]
    assert rig.unit("ann").status == UNIT_STATUS_ACCEPTED


def test_player_without_replays_tells_why_and_tries_again(new_rig: Callable[..., WatchedRig],
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    rig = new_rig()
    rig.run_rounds({})
    challenge(rig, rig.unit("ann"))
    miner = rig.miners["ann"]
    player = miner._player
    assert player is not None
    open_replay = player.source.open

    def fail(dispute: Dispute) -> UnitReplay:
        raise OSError("no disk")

    monkeypatch.setattr(player.source, "open", fail)
    assert not player.step() and not player.step()
    assert [fields["problem"] for fields in rig.told("ann", "waiting")] == ["no disk"]
    monkeypatch.setattr(player.source, "open", open_replay)
    assert player.step()


def test_moves_that_are_refused_together_are_made_alone(new_rig: Callable[..., WatchedRig],
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    rig = new_rig()
    rig.run_rounds({})
    challenge(rig, rig.unit("ann"))
    player = rig.miners["ann"]._player
    assert isinstance(player, Player)
    send, sizes = player.sender.send, list[int]()

    def refuse_pairs(messages: list[object], **terms: object) -> object:
        sizes.append(len(messages))
        if len(messages) > 1:
            raise TxRefused("disputes", 9, "another was refused")
        return send(messages, **terms)  # type: ignore[arg-type]

    monkeypatch.setattr(player.sender, "send", refuse_pairs)
    disputes = list(rig.client.iter_disputes(party=player.address))
    player._forget_ended(disputes)
    move = next(player._find_moves(disputes[0]))
    assert player._send([move, move])
    assert sizes == [2, 1, 1]


def test_node_that_is_behind_ends_no_dispute(new_rig: Callable[..., WatchedRig],
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not know of the dispute yet: the miner must not leave for that."""
    rig = new_rig()
    rig.run_rounds({})
    challenge(rig, rig.unit("ann"))
    player = rig.miners["ann"]._player
    assert isinstance(player, Player)
    player.step()
    with monkeypatch.context() as behind:
        behind.setattr(player.chain, "iter_disputes", lambda *arguments: iter(()))
        player.step()
        assert player.is_bound and rig.told("ann", "dispute-over") == []
    while rig.has_disputes():
        rig.node.block()
    player.step()
    (over,) = rig.told("ann", "dispute-over")
    assert (over["side"], over["winner"], over["reason"], over["won_ugrad"], over["lost_ugrad"]) == (
        "claimant", "claimant", "silent", BOND_UGRAD // 2, 0)
    assert not player.is_bound


def test_watcher_that_cannot_pay_the_price_tells_what_is_at_stake(new_rig: Callable[..., WatchedRig]) -> None:
    rig = new_rig()
    rig.run_rounds({"cat": Behaviour.GARBAGE})
    watcher = rig.watcher()
    assert watcher.sender is not None
    watcher.sender.gas_price_ppm_max, naps = 999, iter(range(8))

    def sleep(seconds: float) -> None:
        rig.node.block()
        if next(naps) == 6:
            watcher.stop()

    watcher.sleep = watcher.sender.sleep = sleep
    watcher.run()
    problems = [str(fields["problem"]) for fields in rig.told("watcher", "refused")]
    assert problems and all("asks 1000" in problem and "--gas-price-max-ppm" in problem for problem in problems)
