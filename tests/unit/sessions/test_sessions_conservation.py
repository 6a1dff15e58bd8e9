"""Every coin is conserved whatever both sides do, and who is honest loses no more than one answer or its fee.

The parties of a plot act block by block, from what they have signed and been given alone; either may vanish.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from abci_app.runtime.events import Event
from abci_app.wire.address import module_address
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import HOST_STATUS_SLASHED
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import MsgLeaveHost
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import (
    SESSION_STATUS_CLOSING, SESSION_STATUS_OPEN, SESSION_STATUS_SHOWING, Session,
)
from kernels import dispatch
from tests.chain import address_of
from tests.unit.sessions.desk import (
    BOND_UGRAD, CLOSE_BLOCKS, DEPOSIT_UGRAD, HOST, OTHER, SHOW_BLOCKS, USER, Deal, Desk,
)

FOREVER = 1_000
AWAY_MAX = min(CLOSE_BLOCKS, SHOW_BLOCKS) - 2  # so long an honest host may be away, wherever that falls
HONEST, OLD, NOTHING, FORGER = "honest", "old", "nothing", "forger"
EXAMPLES, BLOCKS_MAX = 30, 100


@dataclass
class Plot:
    """What both sides are, and when they are there; blocks count from the opening.

    user: closes with all that it owes, with its first receipt, with none, or with a receipt that it made up. It closes
    in block closes_at, and the host at the latest in block host_closes_at. Who vanishes is gone from that block on, the
    host until it comes back. lies: the numbers that the host answers wrongly. checks: the user recomputes.
    """

    answers: int
    user: str
    checks: bool
    lies: frozenset[int]
    closes_at: int
    host_closes_at: int
    user_gone_at: int
    host_gone: tuple[int, int]
    given: int = 0
    receipts: int = 0  # that the host holds

    @property
    def is_host_honest(self) -> bool:
        """It answers rightly, and is never away for long."""
        return not self.lies and self.host_gone[1] - self.host_gone[0] <= AWAY_MAX

    def has_user(self, block: int) -> bool:
        """Whether the user is there."""
        return block < self.user_gone_at

    def has_host(self, block: int) -> bool:
        """Whether the host is there."""
        return not self.host_gone[0] <= block < self.host_gone[1]


def plots() -> st.SearchStrategy[Plot]:
    """Any plot: the host is always there, away for as long as an honest one may be, or gone for good."""
    away = st.tuples(st.integers(1, 20), st.sampled_from([0, AWAY_MAX, FOREVER])).map(lambda one: (one[0], sum(one)))
    return st.builds(
        Plot, answers=st.sampled_from([0, 1, 2, 3, 4, 5]), user=st.sampled_from([HONEST, HONEST, OLD, NOTHING, FORGER]),
        checks=st.booleans(), lies=st.sampled_from([frozenset(), frozenset(), frozenset({1}), frozenset({1, 2, 3, 4})]),
        closes_at=st.integers(2, 14), host_closes_at=st.integers(3, 14),
        user_gone_at=st.sampled_from([1, 3, 5, 7, 10, FOREVER, FOREVER]), host_gone=away)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One chain for all plots: every second session is drawn."""
    with dispatch.forced("ref"):
        made = Desk(tmp_path_factory.mktemp("plots"), hosts=(HOST,))
        yield made
        made.chain.database.close()


def play(desk: Desk, plot: Plot) -> tuple[Deal, Session]:
    """A session from its opening to its end; its record then."""
    if desk.host().status == HOST_STATUS_SLASHED:
        desk.send(MsgLeaveHost(host=address_of(HOST), model_id=1))
        desk.send(desk.register_msg(HOST))
    deal, block = desk.open(blocks=16), 0
    while deal.record.closed_height == 0:
        ask(deal, plot, block)
        desk.block(*list_user_moves(deal, plot, block), *list_host_moves(deal, plot, block))
        block += 1
        assert block < BLOCKS_MAX
    return deal, deal.record


def ask(deal: Deal, plot: Plot, block: int) -> None:
    """One question a block, with the receipt for the answers before, while both are there and the session is open."""
    is_met = plot.has_user(block) and plot.has_host(block) and block < plot.closes_at
    if deal.status == SESSION_STATUS_OPEN and is_met and plot.given < plot.answers:
        plot.receipts = plot.given
        plot.given += 1
        deal.answer(lie=plot.given in plot.lies)


def list_user_moves(deal: Deal, plot: Plot, block: int) -> Iterator[Message]:
    """What the user sends in this block."""
    record = deal.record
    if not plot.has_user(block):
        return
    wrong = min((number for number in plot.lies if number <= plot.given), default=0)
    if record.status in (SESSION_STATUS_OPEN, SESSION_STATUS_CLOSING):
        if plot.checks and wrong and not record.is_challenged:
            yield deal.challenge_msg(wrong)
        elif not record.user_closed and (record.status == SESSION_STATUS_CLOSING or block >= plot.closes_at):
            if plot.user == FORGER and plot.given:
                yield deal.close_msg(USER, plot.given, root=bytes(32), signed=False)
            count = {HONEST: plot.given, OLD: min(plot.given, 1), NOTHING: 0, FORGER: 0}[plot.user]
            yield deal.close_msg(USER, count if count > record.receipt.count else 0)
    elif record.status == SESSION_STATUS_SHOWING and plot.user == HONEST and not plot.has_host(block):
        yield deal.show_msg(OTHER)  # for the host, which is away


def list_host_moves(deal: Deal, plot: Plot, block: int) -> Iterator[Message]:
    """What the host sends in this block: it closes when the user does, or in its own time, and shows what is drawn."""
    record = deal.record
    if not plot.has_host(block):
        return
    is_late = record.status == SESSION_STATUS_OPEN and block >= plot.host_closes_at and plot.given >= plot.receipts
    if not record.host_closed and (record.status == SESSION_STATUS_CLOSING or is_late):
        yield deal.close_msg(HOST, plot.receipts if plot.receipts > record.receipt.count else 0)
    elif record.status == SESSION_STATUS_SHOWING:
        yield deal.show_msg()


def total(deal: Deal, count: int) -> int:
    """The fees of the first `count` answers."""
    return sum(entry.fee_ugrad for entry in deal.entries[:max(count, 0)])


@settings(max_examples=EXAMPLES, deadline=None)
@given(plot=plots())
def test_whoever_vanishes_nobody_honest_loses_more_than_one_answer_or_its_fee(desk: Desk, plot: Plot) -> None:
    before, bond_ugrad = desk.supply(), desk.host().bond_ugrad
    deal, record = play(desk, plot)
    assert record.paid_ugrad + record.refund_ugrad == DEPOSIT_UGRAD
    assert desk.chain.app.bank.balance(desk.chain.ctx(), module_address("sessions")) == 0
    assert desk.host().open_count == desk.host().staked_ugrad == 0 and desk.supply() <= before
    if plot.user == HONEST:  # it pays for what it has, and for nothing else
        assert record.paid_ugrad <= total(deal, plot.given)
    if record.outcome != "paid":
        assert record.refund_ugrad == DEPOSIT_UGRAD
    has_friend = plot.user == HONEST and plot.user_gone_at == FOREVER and not plot.lies
    if plot.is_host_honest or has_friend:
        assert record.slashed_ugrad == 0 and record.paid_ugrad >= total(deal, plot.given - 1)
    if plot.is_host_honest:
        assert desk.host().bond_ugrad == BOND_UGRAD <= max(bond_ugrad, BOND_UGRAD)


MOVES = ("open", "top up", "answer", "lie", "user", "host", "forged", "show", "challenge", "wait", "silence")


@settings(max_examples=EXAMPLES, deadline=None)
@given(moves=st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 2), st.integers(0, 5)), max_size=25))
def test_every_coin_is_conserved_by_whatever_is_sent(desk: Desk, moves: list[tuple[str, int, int]]) -> None:
    """The invariants hold after every block; coins leave the supply by what was burnt alone."""
    before, events, deals = desk.supply(), list[Event](), list[Deal]()
    if desk.host().status == HOST_STATUS_SLASHED:
        events += desk.send(MsgLeaveHost(host=address_of(HOST), model_id=1))
        events += desk.send(desk.register_msg(HOST))
    for move, place, number in moves:
        if move == "open":
            events += desk.block(desk.open_msg(blocks=10 + number))
            if desk.results[0].code == 0:
                deals.append(Deal(desk, desk.chain.app.sessions.next_id(desk.chain.ctx()) - 1))
        elif move in ("wait", "silence"):
            for _ in range(number):
                events += desk.block(votes=move == "wait")
        elif deals:
            events += send_any(desk, deals[place % len(deals)], move, number)
    while desk.chain.app.bank.balance(desk.chain.ctx(), module_address("sessions")):
        events += desk.block()
    assert desk.host().open_count == desk.host().staked_ugrad == 0
    burnt = sum(int(dict(event.attributes)["amount"].removesuffix("ugrad")) for event in events if event.type == "burn")
    assert desk.supply() == before - burnt


def send_any(desk: Desk, deal: Deal, move: str, number: int) -> list[Event]:
    """A block with a message that is taken or not."""
    if deal.id not in [session.id for session in desk.chain.app.sessions.iter_sessions(desk.chain.ctx())]:
        return []
    count = min(number, len(deal.entries))
    if move in ("answer", "lie"):
        deal.answer(lie=move == "lie")
        return []
    if move == "top up":
        return desk.block(deal.top_up_msg(1 + number))
    if move in ("user", "host"):
        return desk.block(deal.close_msg(USER if move == "user" else HOST, count))
    if not count:
        return []
    if move == "forged":
        return desk.block(deal.close_msg(USER, count, root=bytes(32), signed=False))
    return desk.block(deal.show_msg(number=count) if move == "show" else deal.challenge_msg(count))
