"""Player: plays every open dispute of one key to its end, on whichever side the key stands.

Nothing is remembered between two steps but what is costly to compute again, so a player that was killed goes on where
the chain says that its disputes are. A refusal is never final: until a dispute is gone from the chain, what is due is
sent again, alone when it was refused among others.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from google.protobuf.message import Message

from abci_app.client.chain import ChainClient
from abci_app.client.errors import NodeRefused, ProofInvalid, TimedOut, TxRefused
from abci_app.client.send import Sender
from abci_app.data.errors import DataError
from abci_app.units.events import Event, Report
from abci_app.watch.game import Replay, find_move
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import DISPUTE_STAGE_STATE, Dispute, DisputeStage
from abci_app.wire.tx import MESSAGES_MAX
from abci_app.x.disputes.types import is_challenger_due
from kernels.errors import KernelInputError

BATCH_BYTES_MAX = 900_000
GATHER_S = 1.0
Place = tuple[int, int, int]
Turn = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Move:
    """What is due in one dispute."""

    dispute: Dispute
    message: Message


class Replays(Protocol):
    """Disputed units as this machine computes them; source.ReplaySource is one."""

    def open(self, dispute: Dispute) -> Replay:
        """May raise DataError, OSError, KernelInputError, NodeRefused, ProofInvalid: reported, and tried again."""

    def forget_settled(self) -> None:
        """A dispute is over: what is kept for rounds that are settled is needed no longer."""


class Player:
    """One key in all its disputes."""

    def __init__(self, chain: ChainClient, sender: Sender, source: Replays,
                 report: Report = lambda event: None) -> None:
        self.chain, self.sender, self.source, self.report = chain, sender, source, report
        self.address = sender.key.bech32
        self._replays: dict[Place, Replay] = {}
        self._turns: dict[Place, Turn] = {}
        self._problems: dict[Place, str] = {}

    @property
    def is_bound(self) -> bool:
        """Whether the last step has seen an open dispute of the key: who leaves now loses it."""
        return bool(self._turns)

    def step(self) -> bool:
        """Send every move that is due, the most urgent first. True when one was made.

        What is ready is sent after GATHER_S at the latest: the replays of many disputes must not add up before the
        first move. Raises ClientError when no node answers.
        """
        disputes = sorted(self.chain.iter_disputes(party=self.address), key=lambda one: one.deadline_height)
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
        """Whether any dispute has ended since the last step."""
        open_places = [find_place(dispute) for dispute in disputes]
        ended = [place for place in self._turns if place not in open_places]
        for place in ended:
            self.report(Event("dispute-over", _fields(place)))
            for kept in (self._replays, self._turns, self._problems):
                kept.pop(place, None)
        for place in open_places:
            self._turns.setdefault(place, (0, 0, 0))
        return bool(ended)

    def _find_moves(self, dispute: Dispute) -> Iterator[Move]:
        """The move that is due from this key, if there is one that was not made yet."""
        place = find_place(dispute)
        due = dispute.challenger if is_challenger_due(dispute.stage) else dispute.claimant
        if due != self.address or _turn(dispute) <= self._turns[place]:
            return
        try:
            if place not in self._replays:
                self._replays[place] = self.source.open(dispute)
            posted = self.chain.find_posted_trace(*place) if dispute.stage == DISPUTE_STAGE_STATE else ()
            message = None if posted is None else find_move(dispute, posted, self._replays[place])
        except (DataError, KernelInputError, OSError, NodeRefused, ProofInvalid) as error:
            self._tell_problem(place, str(error))
            return
        if message is not None:
            yield Move(dispute, message)
        elif posted is not None:
            self._tell_problem(place, "nothing is wrong with the claim: this challenge is lost")

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
            self._turns[place] = _turn(move.dispute)
            stage = DisputeStage.Name(move.dispute.stage).removeprefix("DISPUTE_STAGE_").lower()
            self.report(Event("moved", {**_fields(place), "stage": stage, "path": "/".join(map(str, move.dispute.path)),
                                        "height": sent.height}))
        return True

    def _tell_problem(self, place: Place, problem: str) -> None:
        """Report what keeps a move, once."""
        if self._problems.get(place) != problem:
            self._problems[place] = problem
            self.report(Event("waiting", {**_fields(place), "problem": problem}))


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
