"""Disputes of the simulation: who challenges what, and what both sides do when they are due.

watcher: replays what was accepted and challenges what is wrong; always moves, and never loses. griefer: challenges
right units and wrong ones, picks anything, and falls silent. Claimants who are trustworthy always move; cheats defend
their lie as far as they can, or are silent.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from google.protobuf.message import Message

from abci_app.runtime.context import Ctx
from abci_app.watch.game import Replay, find_move
from abci_app.watch.replay import UnitReplay
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import DISPUTE_STAGE_STATE, Dispute
from abci_app.wire.pb.gradus.disputes.v1.tx_pb2 import MsgChallenge, MsgPickChild, MsgPickState
from abci_app.wire.pb.gradus.work.v1.work_pb2 import ROUND_PHASE_CLOSED, UNIT_STATUS_ACCEPTED, Round, Unit
from abci_app.x.disputes.types import is_challenger_due
from kernels.errors import KernelInputError
from tests.chain import address_of
from tests.sim.market import Intent, Markets, place_of

WATCHER, GRIEFER = "watcher", "griefer"
OPEN_MAX = 4  # so that a block stays cheap

Place = tuple[int, int, int]


@dataclass
class Duels:
    """trainers: their behaviours, by name. names: of all accounts, by address. dice: of a topic, for this block."""

    markets: Markets
    names: dict[str, str]
    trustworthy: frozenset[str]
    dice: Callable[[str], random.Random]
    truths: dict[Place, UnitReplay] = field(default_factory=dict)
    defences: dict[Place, Replay] = field(default_factory=dict)

    def iter_intents(self, ctx: Ctx) -> Iterator[Intent]:
        """Challenges and moves for the next block. ctx: over the last state, at the next block's height."""
        disputes = list(self.markets.app.disputes.iter_disputes(ctx))
        if len(disputes) < OPEN_MAX:
            yield from self._iter_challenges(ctx)
        for dispute in disputes:
            yield from self._iter_moves(ctx, dispute)

    def forget(self, model_id: int, number: int, unit: int) -> None:
        """A dispute is over."""
        self.truths.pop((model_id, number, unit), None)
        self.defences.pop((model_id, number, unit), None)

    def _iter_challenges(self, ctx: Ctx) -> Iterator[Intent]:
        dice = self.dice("challenges")
        for model_id, number in self._list_open_rounds(ctx):
            owner = self.markets.app.work.get_round(ctx, model_id, number)
            for unit in self.markets.app.work.list_units(ctx, model_id, number):
                if not self._is_challengeable(ctx, owner, unit):
                    continue
                right = self.markets.is_right(owner, unit.index)
                if not right and dice.random() < 0.25:
                    yield self._challenge(ctx, unit, WATCHER)
                    return
                if dice.random() < 0.004:
                    yield self._challenge(ctx, unit, GRIEFER)
                    return

    def _list_open_rounds(self, ctx: Ctx) -> list[tuple[int, int]]:
        """Rounds of which something vests: closed and not settled."""
        return [(one.model_id, one.round) for one in self.markets.app.rewards.iter_vestings(ctx)]

    def _is_challengeable(self, ctx: Ctx, owner: Round, unit: Unit) -> bool:
        if owner.phase != ROUND_PHASE_CLOSED or place_of(owner, unit.index) not in self.markets.right:
            return False
        return self.markets.app.work.find_challengeable(ctx, unit.model_id, unit.round, unit.index) is not None

    def _challenge(self, ctx: Ctx, unit: Unit, name: str) -> Intent:
        """A challenge, for which a watcher replays the unit: its weights are there until the round is settled."""
        place = unit.model_id, unit.round, unit.index
        self.truths[place] = self.markets.replay(ctx, *place)
        bond = self.markets.app.disputes.compute_bond_min(ctx, Dispute(model_id=unit.model_id, round=unit.round,
                                                                       unit=unit.index))
        return Intent(name, MsgChallenge(challenger=address_of(name), model_id=unit.model_id, round=unit.round,
                                         unit=unit.index, bond=coin_pb(base_coin(bond))), succeeds=True)

    def _iter_moves(self, ctx: Ctx, dispute: Dispute) -> Iterator[Intent]:
        """What the side that is due sends, if it sends anything."""
        unit = self.markets.app.work.get_unit(ctx, dispute.model_id, dispute.round, dispute.unit)
        if unit.status != UNIT_STATUS_ACCEPTED or ctx.height > dispute.deadline_height:
            return
        truth = self.truths[dispute.model_id, dispute.round, dispute.unit]
        posted = self.markets.app.disputes.find_trace(ctx, dispute) or []
        if is_challenger_due(dispute.stage):
            yield from self._iter_picks(dispute, truth, posted)
        elif dispute.claimant in self.trustworthy:
            yield self._move(dispute, dispute.claimant, find_move(dispute, posted, truth), True)
        else:
            yield from self._iter_defences(ctx, dispute, truth)

    def _iter_picks(self, dispute: Dispute, truth: UnitReplay, posted: list[bytes]) -> Iterator[Intent]:
        if self.names[dispute.challenger] == WATCHER:
            yield self._move(dispute, dispute.challenger, find_move(dispute, posted, truth), True)
        elif _is_steady(dispute):
            dice = self.dice(f"pick {dispute.model_id}/{dispute.round}/{dispute.unit}")
            yield self._move(dispute, dispute.challenger, _pick(dispute, len(posted), dice), True)

    def _iter_defences(self, ctx: Ctx, dispute: Dispute, truth: UnitReplay) -> Iterator[Intent]:
        """The next move of a cheat: of the truth where it told it, of its lie where it has one to show."""
        owner = self.markets.app.work.get_round(ctx, dispute.model_id, dispute.round)
        lie = self.markets.lies.get(place_of(owner, dispute.unit))
        if not _is_steady(dispute):
            return
        if self.markets.is_right(owner, dispute.unit):
            yield self._move(dispute, dispute.claimant, find_move(dispute, [], truth), True)
        elif lie is not None:
            place = dispute.model_id, dispute.round, dispute.unit
            try:
                defence = self.defences.get(place) or self.defences.setdefault(place, lie(truth))
                yield self._move(dispute, dispute.claimant, find_move(dispute, [], defence), None)
            except KernelInputError:
                return  # what follows from the lie is nothing that could be shown

    def _move(self, dispute: Dispute, address: str, message: Message | None, succeeds: bool | None) -> Intent:
        assert message is not None, f"an honest side has no move: {dispute}"
        return Intent(self.names[address], message, succeeds)


def _is_steady(dispute: Dispute) -> bool:
    """Whether a side that may fall silent still plays."""
    place = f"{dispute.model_id}/{dispute.round}/{dispute.unit}/{dispute.opened_height}"
    return random.Random(f"{place}/{dispute.stage}/{len(dispute.path)}").random() < 0.95


def _pick(dispute: Dispute, digests: int, dice: random.Random) -> Message:
    """Any place that there is."""
    place = {"challenger": dispute.challenger, "model_id": dispute.model_id, "round": dispute.round,
             "unit": dispute.unit}
    if dispute.stage == DISPUTE_STAGE_STATE:
        return MsgPickState(**place, place=dice.randint(0, digests))
    return MsgPickChild(**place, place=dice.randrange(len(dispute.children)))
