"""A miner that runs for years: terms change, models are paused, datasets and nodes come and go, and it goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from abci_app.client.send import Sender
from abci_app.data.store import DatasetStore
from abci_app.miner import miner as loop
from abci_app.miner.miner import Miner
from abci_app.miner.reasons import describe_absence
from abci_app.watch.player import Player
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.disputes.v1.tx_pb2 import MsgChallenge
from abci_app.wire.pb.gradus.models.v1 import models_pb2
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import (
    MsgCloseModel, MsgInviteTrainers, MsgPauseModel, MsgResumeModel, MsgUpdateModel,
)
from abci_app.wire.pb.gradus.work.v1.work_pb2 import TRAINER_STATUS_ACTIVE
from kernels import unit
from tests.chain import address_of, new_test_key
from tests.unit.miner.conftest import NAMES, Rig


class LimitedRig(Rig):
    """A rig whose contract lets its admin raise the bond."""

    def new_spec(self, rounds: int, changes: dict[str, Any]) -> models_pb2.ModelSpec:
        spec = super().new_spec(rounds, changes)
        spec.limits.ranges.add(field="economy.bond_ugrad", max=10**9)
        return spec


def send(rig: Rig, message: Message, name: str = "boss") -> None:
    Sender(rig.client, new_test_key(name), sleep=rig.node.sleep).send([message])


def turn(rig: Rig, miners: list[Miner], count: int = 1) -> None:
    for _ in range(count):
        for miner in miners:
            miner.step()
        rig.node.block()


def turn_until(rig: Rig, miners: list[Miner], is_reached: Callable[[], bool]) -> None:
    for _ in range(60):
        if is_reached():
            return
        turn(rig, miners)
    raise AssertionError("not reached")


def last_wait(rig: Rig, name: str) -> str:
    """What a miner says that it waits for."""
    return str(rig.told(name, "standing")[-1].get("waiting_for", ""))


@pytest.mark.parametrize("tops_up", (False, True))
def test_bond_below_newer_terms_is_told_with_the_command_that_adds_or_added(tmp_path: Path, tops_up: bool) -> None:
    rig = LimitedRig(tmp_path, rounds=6)
    miners = [rig.miner(name, tops_up=tops_up and name == "ann") for name in NAMES]
    turn_until(rig, miners, lambda: rig.model().rounds_closed == 1)
    economy = models_pb2.Economy()
    economy.CopyFrom(rig.model().spec.economy)
    economy.bond_ugrad += 7
    send(rig, MsgUpdateModel(authority=address_of("boss"), model_id=1, economy=economy))
    turn_until(rig, miners, lambda: rig.model().spec.economy.bond_ugrad == economy.bond_ugrad)
    if tops_up:
        turn_until(rig, miners, lambda: rig.told("ann", "enrolled")[-1]["bond_ugrad"] == economy.bond_ugrad)
        trainer = rig.client.find_trainer(1, address_of("ann"))
        assert trainer is not None and describe_absence(rig.client, trainer) == ""
    else:
        turn_until(rig, miners, lambda: "gradus tx work enroll 1 --bond 7ugrad --from KEY" in last_wait(rig, "ann"))
        assert len(rig.told("ann", "enrolled")) == 1
    rig.chain.database.close()


def test_trainer_that_is_invited_no_longer_is_told_so(rig: Rig) -> None:
    miners = [rig.miner(name) for name in NAMES]
    turn_until(rig, miners, lambda: rig.model().rounds_closed == 1)
    others = [address_of(name) for name in (*NAMES[1:], "mallory")]
    send(rig, MsgInviteTrainers(admin=address_of("boss"), model_id=1, add=others))
    turn_until(rig, miners, lambda: "an invitation, which" in last_wait(rig, "ann"))


def test_miner_waits_for_the_end_of_a_pause_to_enrol_and_goes_on(rig: Rig) -> None:
    send(rig, MsgPauseModel(authority=address_of("boss"), model_id=1))
    ann = rig.miner("ann")
    ann.check()
    turn(rig, [ann], 3)
    assert "paused it, and resumes it" in last_wait(rig, "ann") and rig.told("ann", "enrolled") == []
    send(rig, MsgResumeModel(authority=address_of("boss"), model_id=1))
    turn_until(rig, [ann], lambda: rig.client.find_trainer(1, address_of("ann")) is not None)
    trainer = rig.client.find_trainer(1, address_of("ann"))
    assert trainer is not None and trainer.status == TRAINER_STATUS_ACTIVE


def test_miner_of_a_model_that_was_retired_before_it_enrolled_ends(rig: Rig) -> None:
    ann = rig.miner("ann")
    ann.check()
    send(rig, MsgCloseModel(admin=address_of("boss"), model_id=1))
    ann.run()
    assert rig.told("ann", "enrolled") == []


def test_dataset_that_is_gone_for_a_while_is_told_and_waited_for(rig: Rig, tmp_path: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "DATASET_RETRY_S", 0.0)
    miners = [rig.miner(name) for name in NAMES]
    turn_until(rig, miners, lambda: rig.client.find_round(1) is not None)
    here, miners[0].store = miners[0].store, DatasetStore(tmp_path / "nowhere")
    turn(rig, miners, 2)
    assert ["gradus data add" in str(told["problem"]) for told in rig.told("ann", "waiting")] == [True]
    miners[0].store = here
    turn_until(rig, miners, lambda: rig.told("ann", "committed") != [])


def test_chain_that_halts_and_goes_on_costs_a_miner_nothing(rig: Rig) -> None:
    """No block for a while, then the node itself is away, then both are back: the loop neither ends nor gives up."""
    ann, others = rig.miner("ann"), [rig.miner(name) for name in NAMES[1:]]
    naps, halts, downs = 0, 0, 0

    def sleep(seconds: float) -> None:
        nonlocal naps, halts, downs
        naps, halts, downs = naps + 1, halts + (naps % 9 >= 4), downs + rig.node.is_down
        rig.node.is_down = False
        if naps % 9 < 4:
            turn(rig, others)
        rig.node.is_down = naps % 9 > 6
        if rig.chain.app.models.get_model(rig.chain.ctx(), 1).rounds_closed >= 2:
            ann.drain()

    ann.sleep = ann.sender.sleep = sleep
    ann.run()
    assert list(rig.chain.app.work.iter_slashes(rig.chain.ctx())) == []
    assert len(rig.told("ann", "revealed")) >= 2 and halts > 4 and downs > 1


def test_price_above_the_bound_tells_what_is_at_stake_and_until_when(rig: Rig) -> None:
    miners = [rig.miner(name) for name in NAMES]
    turn_until(rig, miners, lambda: rig.told("ann", "committed") != [])
    ann, naps = miners[0], iter(range(8))

    def sleep(seconds: float) -> None:
        turn(rig, miners[1:])
        if next(naps) == 5:
            ann.sender.gas_price_ppm_max = 10**6
            ann.drain()

    ann.sender.gas_price_ppm_max = 999
    ann.sleep = ann.sender.sleep = sleep
    ann.run()
    problems = [str(told["problem"]) for told in rig.told("ann", "refused")]
    assert problems and all("asks 1000 ugrad per million gas" in text and "--gas-price-max-ppm" in text
                            and "REVEALED BY BLOCK" in text for text in problems)
    assert rig.told("ann", "revealed") != []


def test_challenge_is_answered_after_a_restart_without_computing_the_unit(rig: Rig, tmp_path: Path,
                                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    made = Rig(tmp_path / "second", rounds=1, challenge_blocks=30)
    miners = [made.miner(name) for name in NAMES]
    turn_until(made, miners, lambda: made.model().rounds_closed == 1)
    dealing = made.client.find_round(1, 1)
    assert dealing is not None
    own = next(one for one in dealing.units if one.trainer == address_of("ann"))
    bond = coin_pb(base_coin(made.spec.audit.challenge_bond_ugrad))
    send(made, MsgChallenge(challenger=address_of("mallory"), model_id=1, round=1, unit=own.index, bond=bond),
         "mallory")
    miners[0].journal.__exit__()

    def refuse(*arguments: Any, **options: Any) -> unit.UnitResult:
        raise AssertionError("the whole unit is computed")

    monkeypatch.setattr("abci_app.watch.replay.run_unit", refuse)
    anew = made.miner("ann")
    assert not Player(made.client, anew.sender, anew._replays, model_id=2).step()  # other models' miners
    anew.step()
    assert [told["stage"] for told in made.told("ann", "moved")] == ["trace"]
    made.chain.database.close()
