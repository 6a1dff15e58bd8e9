"""Player: plays every open dispute of one key to its end, on whichever side the key stands.

Nothing is remembered between two steps but what is costly to compute again, so a player that was killed goes on where
the chain says that its disputes are. A refusal is never final: until a dispute is gone from the chain, what is due is
sent again, alone when it was refused among others.
"""

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from google.protobuf.message import Message

from abci_app.client.chain import ChainClient
from abci_app.client.errors import NodeRefused, ProofInvalid, TimedOut, TxRefused
from abci_app.client.send import Sender
from abci_app.client.words import enum_word
from abci_app.data.errors import DataError
from abci_app.units.events import Event, Report
from abci_app.watch.game import Replay, find_move
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import (
    DISPUTE_STAGE_STATE, DISPUTE_WINNER_CHALLENGER, DISPUTE_WINNER_CLAIMANT, Dispute, DisputeReason, DisputeStage,
    DisputeWinner, EndedDispute,
)
from abci_app.wire.pb.gradus.work.v1.work_pb2 import SLASH_REASON_DISPUTE
from abci_app.wire.tx import MESSAGES_MAX
from abci_app.x.disputes.types import is_challenger_due
from kernels.errors import KernelInputError

BATCH_BYTES_MAX = 900_000
GATHER_S = 1.0
REPLAYS_KEPT = 64  # what they have computed is held, and bounded, by the source
OVER_KEPT = 1_024
CLAIMANT, CHALLENGER = "claimant", "challenger"
Place = tuple[int, int, int]
Turn = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Move:
    """What is due in one dispute."""

    dispute: Dispute
    message: Message


@dataclass(slots=True)
class Part:
    """This key's part in an open dispute. turn: the last one that was answered; problem: what was last told of it."""

    dispute: Dispute
    turn: Turn = (0, 0, 0)
    problem: str = ""


class Replays(Protocol):
    """Disputed units as this machine computes them; source.ReplaySource is one."""

    def open(self, dispute: Dispute) -> Replay:
        """May raise DataError, OSError, KernelInputError, NodeRefused, ProofInvalid: reported, and tried again."""

    def forget_settled(self) -> None:
        """A dispute is over: what is kept for rounds that are settled is needed no longer."""


class Player:
    """One key in its disputes."""

    def __init__(self, chain: ChainClient, sender: Sender, source: Replays, report: Report = lambda event: None,
                 model_id: int = 0) -> None:
        """model_id: whose disputes alone are played; 0: all."""
        self.chain, self.sender, self.source, self.report = chain, sender, source, report
        self.model_id, self.address = model_id, sender.key.bech32
        self._replays: OrderedDict[Place, Replay] = OrderedDict()
        self._parts: dict[Place, Part] = {}
        self._over: dict[Place, int] = {}

    @property
    def is_bound(self) -> bool:
        """Whether the last step has seen an open dispute of the key: who leaves now loses it."""
        return bool(self._parts)

    def step(self) -> bool:
        """Send every move that is due, the most urgent first. True when one was made.

        What is ready is sent after GATHER_S at the latest: the replays of many disputes must not add up before the
        first move. Raises ClientError when no node answers.
        """
        disputes = sorted(self.chain.iter_disputes(self.model_id, self.address),
                          key=lambda one: one.deadline_height)
        has_ended = self._forget_ended(disputes)
        did, moves, began = False, list[Move](), time.monotonic()
        for dispute in disputes:
            moves += self._find_moves(dispute)
            if moves and time.monotonic() - began >= GATHER_S:
                did = self._send_all(moves) or did
                moves, began = [], time.monotonic()
        did = self._send_all(moves) or did
        if has_ended:
            self.source.forget_settled()
        return did

    def _send_all(self, moves: list[Move]) -> bool:
        """True when one was made."""
        return any([self._send(batch) for batch in split_batches(moves)])

    def _forget_ended(self, disputes: Iterable[Dispute]) -> bool:
        """Whether any dispute has ended since the last step. A node that is behind ends none."""
        found = {find_place(dispute): dispute for dispute in disputes}
        has_ended = False
        for place, part in list(self._parts.items()):
            if place in found and found[place].opened_height <= part.dispute.opened_height:
                continue
            ended = self._find_end(part.dispute)
            if ended is None and self.chain.find_round(*place[:2]) is not None:
                continue
            told = describe_end(self.chain, ended, self.address) if ended is not None else {}
            self._over[place] = part.dispute.opened_height
            del self._parts[place]
            self._replays.pop(place, None)
            self.report(Event("dispute-over", {**_fields(place), **told}))
            has_ended = True
        for place, dispute in found.items():
            if dispute.opened_height > self._over.get(place, 0):
                self._parts.setdefault(place, Part(dispute))
        while len(self._over) > OVER_KEPT:
            del self._over[next(iter(self._over))]
        return has_ended

    def _find_end(self, dispute: Dispute) -> EndedDispute | None:
        """How a dispute has ended; None while it has not, and when its round is dropped."""
        ended = self.chain.iter_ended_disputes(dispute.model_id, dispute.round, self.address)
        return next((one for one in ended
                     if (one.unit, one.opened_height) == (dispute.unit, dispute.opened_height)), None)

    def _find_moves(self, dispute: Dispute) -> Iterator[Move]:
        """The move that is due from this key, if there is one that was not made yet."""
        place = find_place(dispute)
        if place not in self._parts:  # over, for a node that is behind
            return
        due = dispute.challenger if is_challenger_due(dispute.stage) else dispute.claimant
        if due != self.address or _turn(dispute) <= self._parts[place].turn:
            return
        try:
            replay = self._open(place, dispute)
            posted = self.chain.find_posted_trace(*place) if dispute.stage == DISPUTE_STAGE_STATE else ()
            message = None if posted is None else find_move(dispute, posted, replay)
        except (DataError, KernelInputError, OSError, NodeRefused, ProofInvalid) as error:
            self._tell_problem(place, str(error))
            return
        if message is not None:
            yield Move(dispute, message)
        elif posted is not None:
            self._tell_problem(place, "nothing is wrong with the claim: this challenge is lost")

    def _open(self, place: Place, dispute: Dispute) -> Replay:
        """The unit's replay. Raises what the source raises."""
        if place not in self._replays:
            self._replays[place] = self.source.open(dispute)
            if len(self._replays) > REPLAYS_KEPT:
                self._replays.popitem(last=False)
        self._replays.move_to_end(place)
        return self._replays[place]

    def _send(self, batch: list[Move]) -> bool:
        """Send moves in one transaction; each alone when the chain refuses them together."""
        timeout_height = min(move.dispute.deadline_height for move in batch)
        try:
            sent = self.sender.send([move.message for move in batch], timeout_height=timeout_height)
        except (TxRefused, TimedOut) as error:
            if len(batch) > 1:
                return any([self._send([move]) for move in batch])
            self._tell_problem(find_place(batch[0].dispute), error.text)
            return False
        for move in batch:
            place = find_place(move.dispute)
            self._parts[place].turn = _turn(move.dispute)
            stage = enum_word(DisputeStage.DESCRIPTOR, move.dispute.stage)
            self.report(Event("moved", {**_fields(place), "stage": stage, "path": "/".join(map(str, move.dispute.path)),
                                        "height": sent.height}))
        return True

    def _tell_problem(self, place: Place, problem: str) -> None:
        """Report what keeps a move, once."""
        if self._parts[place].problem != problem:
            self._parts[place].problem = problem
            self.report(Event("waiting", {**_fields(place), "problem": problem}))


def describe_end(chain: ChainClient, ended: EndedDispute, address: str) -> dict[str, int | str]:
    """A dispute's end as one of its sides sees it: side, winner, reason, ugrad that it has won and lost."""
    side = CLAIMANT if ended.claimant == address else CHALLENGER
    lost_ugrad = 0
    if side == CHALLENGER and ended.winner == DISPUTE_WINNER_CLAIMANT:
        lost_ugrad = ended.bond_ugrad
    elif side == CLAIMANT and ended.winner == DISPUTE_WINNER_CHALLENGER:
        lost_ugrad = sum(slash.amount_ugrad for slash in chain.iter_slashes(ended.model_id)
                         if (slash.reason, slash.round, slash.unit) == (SLASH_REASON_DISPUTE, ended.round, ended.unit))
    winner = enum_word(DisputeWinner.DESCRIPTOR, ended.winner)
    return {"side": side, "winner": winner, "reason": enum_word(DisputeReason.DESCRIPTOR, ended.reason),
            "won_ugrad": ended.won_ugrad if winner == side else 0, "lost_ugrad": lost_ugrad,
            "height": ended.ended_height}


def find_place(dispute: Dispute) -> Place:
    """(model, round, unit) of a dispute."""
    return dispute.model_id, dispute.round, dispute.unit


def split_batches(moves: Iterable[Move]) -> list[list[Move]]:
    """Moves in the order given, as many together as one transaction bears: many disputes have the same deadline."""
    batches: list[list[Move]] = []
    size = 0
    for move in moves:
        added = move.message.ByteSize()
        if not batches or len(batches[-1]) == MESSAGES_MAX or size + added > BATCH_BYTES_MAX:
            batches.append([])
            size = 0
        batches[-1].append(move)
        size += added
    return batches


def _turn(dispute: Dispute) -> Turn:
    """Where a dispute stands; it rises with every move, and a new dispute of the unit begins higher."""
    return dispute.opened_height, len(dispute.path), dispute.stage


def _fields(place: Place) -> dict[str, int | str]:
    return {"model_id": place[0], "round": place[1], "unit": place[2]}
