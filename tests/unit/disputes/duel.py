"""A disputed unit on a whole chain: a claimant and a challenger, each with a replay of its own, honest or not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from abci_app.runtime.events import Event
from abci_app.watch.game import Replay, find_move
from abci_app.watch.replay import UnitReplay
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.merkle import merkle_root
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import (
    DISPUTE_STAGE_CHILD, DISPUTE_STAGE_STATE, Dispute, DisputeStage,
)
from abci_app.wire.pb.gradus.disputes.v1.tx_pb2 import MsgChallenge, MsgPickChild, MsgPickState
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Unit
from abci_app.x.disputes.types import is_challenger_due
from tests.chain import address_of
from tests.sim.claims import Claim
from tests.sim.rows import TableDataset
from tests.unit.disputes.liars import Liar
from tests.unit.work.market import Market, attribute

CLAIMANT, CHALLENGER, OTHER = "ann", "eve", "ben"
BOND_UGRAD = 1_000_001  # odd: halves are rounded
MESSAGES_MAX = 40
Lie = Callable[[UnitReplay], Liar]
Pick = Callable[[int], int]


class Duel:
    """An accepted unit of CLAIMANT, whose claim `lie` makes of the truth, and CHALLENGER with coins and the truth.

    pick: makes CHALLENGER a liar: which of so many children (or digests and payload) it says is wrong.
    """

    def __init__(self, folder: Path, lie: Lie | None = None, pick: Pick | None = None, **changes: Any) -> None:
        """changes: of the contract."""
        self.market = Market(folder, trainers=(CLAIMANT, OTHER), **changes)
        self.pick, self.sent = pick, list[Message]()
        self.truth = self.replay(self.market.unit_of(CLAIMANT))
        self.claimant: UnitReplay | Liar = self.truth if lie is None else lie(self.truth)
        claim = Claim(self.claimant.payload, merkle_root(self.claimant.trace), self.truth.terms.policy.codec)
        number = self.market.round().number
        self.market.commit_all({CLAIMANT: claim})
        self.market.reveal_all({CLAIMANT: claim})
        self.market.block()
        self.market.wait_for(self.market.round(number).deadline_height)
        self.unit = next(unit for unit in self.market.units(number) if unit.trainer == address_of(CLAIMANT))
        self.truth.terms = self.replay(self.unit).terms

    def replay(self, unit: Unit) -> UnitReplay:
        """The truth about a unit, and what is claimed of it so far."""
        ctx, app = self.market.chain.ctx(), self.market.chain.app
        weights = app.models.load_weights(ctx, 1, unit.round - 1)
        terms = app.work.compute_terms(ctx, 1, unit.round, unit.index)
        return UnitReplay(terms, lambda: weights, TableDataset(self.market.table))

    @property
    def dispute(self) -> Dispute | None:
        """The open dispute."""
        chain = self.market.chain
        return chain.app.disputes.find_dispute(chain.ctx(), 1, self.unit.round, self.unit.index)

    @property
    def stage(self) -> DisputeStage:
        """What the dispute waits for."""
        assert self.dispute is not None
        return self.dispute.stage

    def challenge_msg(self, bond_ugrad: int = BOND_UGRAD, unit: Unit | None = None) -> MsgChallenge:
        """A challenge by CHALLENGER."""
        unit = unit or self.unit
        return MsgChallenge(challenger=address_of(CHALLENGER), model_id=1, round=unit.round, unit=unit.index,
                            bond=coin_pb(base_coin(bond_ugrad)))

    def send(self, message: Message) -> list[Event]:
        """A block with a message, which must be taken; the block's events."""
        events = self.market.block(message)
        assert self.market.results[0].code == 0, self.market.results[0].log
        self.sent.append(message)
        return events

    def next_move(self) -> Message | None:
        """What the side that is due would send."""
        dispute, chain = self.dispute, self.market.chain
        assert dispute is not None
        posted = chain.app.disputes.find_trace(chain.ctx(), dispute) or []
        if self.pick is not None and is_challenger_due(dispute.stage):
            return self._pick(dispute, len(posted), self.pick)
        replay: Replay = self.truth if is_challenger_due(dispute.stage) else self.claimant
        return find_move(dispute, posted, replay)

    def _pick(self, dispute: Dispute, digests: int, pick: Pick) -> Message:
        place = {"challenger": dispute.challenger, "model_id": 1, "round": dispute.round, "unit": dispute.unit}
        if dispute.stage == DISPUTE_STAGE_STATE:
            return MsgPickState(**place, place=pick(digests + 1))
        assert dispute.stage == DISPUTE_STAGE_CHILD
        return MsgPickChild(**place, place=pick(len(dispute.children)))

    def move(self) -> list[Event]:
        """Make the move that is due; the events of its block. Without a move the deadline passes."""
        message, dispute = self.next_move(), self.dispute
        if message is not None:
            return self.send(message)
        assert dispute is not None
        return self.market.wait_for(dispute.deadline_height)

    def reach(self, stage: DisputeStage) -> None:
        """Challenge if nobody has, and play until the dispute waits for `stage`."""
        if self.dispute is None:
            self.send(self.challenge_msg())
        while self.stage != stage:
            self.move()

    def play(self) -> Event:
        """Challenge, and play to the end; the event that tells of it."""
        events = self.send(self.challenge_msg())
        while self.dispute is not None:
            assert len(self.sent) <= MESSAGES_MAX
            events = self.move()
        return find_end(events)

    def status(self) -> int:
        """Of the unit."""
        return self.market.units(self.unit.round)[self.unit.index].status


def find_end(events: list[Event]) -> Event:
    """The end of a dispute among a block's events."""
    return next(event for event in events if event.type == "disputes.dispute_ended")


def outcome(event: Event) -> tuple[str, str]:
    """(winner, reason) of the end of a dispute."""
    return attribute(event, "winner"), attribute(event, "reason")
