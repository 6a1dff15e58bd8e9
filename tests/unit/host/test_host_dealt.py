"""Requests on the chain: dealt, computed, committed, revealed, paid; and what a crash or a cheat makes of that."""

import sqlite3
import threading
from collections.abc import Callable

import pytest

from abci_app.answers.network import compute_answer
from abci_app.client.errors import TimedOut
from abci_app.host.behaviour import Behaviour
from abci_app.host.errors import HostStopped
from abci_app.host.journal import Dealt, Journal
from abci_app.host.terms import Terms
from abci_app.units.events import Event
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    HOST_STATUS_ACTIVE, HOST_STATUS_SLASHED, REQUEST_STATUS_ANSWERED, REQUEST_STATUS_COMMIT, REQUEST_STATUS_FAILED,
    REQUEST_STATUS_REVEAL, SEAT_STATUS_COMMITTED, SEAT_STATUS_MISSED, SEAT_STATUS_PAID, SEAT_STATUS_WITHHELD,
    SEAT_STATUS_WRONG, Request,
)
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import MsgDrainHost
from tests.chain import address_of
from tests.unit.host.rig import Rig, rows

ENDED = (REQUEST_STATUS_ANSWERED, REQUEST_STATUS_FAILED)


def seats(request: Request) -> dict[str, int]:
    return {seat.host: seat.status for seat in request.seats}


def test_a_host_registers_answers_what_it_is_dealt_and_is_paid_its_ask(rig: Rig) -> None:
    host = rig.host("ann")
    record = rig.client.find_host(1, address_of("ann"))
    assert record is not None and (record.status, record.price_ugrad_per_gma) == (HOST_STATUS_ACTIVE, 10**9)
    number, before = rig.request(), 0
    rig.work([host], lambda: rig.find(number).status in ENDED)
    found = rig.find(number)
    before = compute_answer(rig.spec, rig.chain.app.models.load_weights(rig.chain.ctx(), 1, 0), rows(), found.seed)
    assert (found.status, found.answer) == (REQUEST_STATUS_ANSWERED, before)
    assert seats(found) == {address_of("ann"): SEAT_STATUS_PAID}
    record = rig.client.find_host(1, address_of("ann"))
    assert record is not None and record.earned_ugrad == found.seats[0].ask_ugrad > 0
    assert rig.told("ann", "revealed") == [{"request": number}]


def test_a_host_that_lies_is_slashed_and_the_others_are_paid(rig: Rig) -> None:
    hosts = [rig.host("ann"), rig.host("ben", Behaviour.LIE), rig.host("cat")]
    number = rig.request(replicas=3)
    rig.work(hosts, lambda: rig.find(number).status in ENDED)
    assert seats(rig.find(number)) == {address_of("ann"): SEAT_STATUS_PAID, address_of("ben"): SEAT_STATUS_WRONG,
                                       address_of("cat"): SEAT_STATUS_PAID}
    record = rig.client.find_host(1, address_of("ben"))
    assert record is not None and record.status == HOST_STATUS_SLASHED
    with pytest.raises(HostStopped, match="proved wrong"):
        hosts[1].run()


def test_one_that_withholds_is_slashed_and_one_that_vanishes_loses_nothing(rig: Rig) -> None:
    hosts = [rig.host("ann"), rig.host("ben", Behaviour.WITHHOLD), rig.host("cat", Behaviour.VANISH)]
    number = rig.request(replicas=3, deadline_blocks=20)
    rig.work(hosts, lambda: rig.find(number).status in ENDED)
    found = rig.find(number)
    assert seats(found) == {address_of("ann"): SEAT_STATUS_PAID, address_of("ben"): SEAT_STATUS_WITHHELD,
                            address_of("cat"): SEAT_STATUS_MISSED}
    assert {seat.host: bool(seat.slashed_ugrad) for seat in found.seats} == {
        address_of("ann"): False, address_of("ben"): True, address_of("cat"): False}


def test_many_requests_are_committed_to_and_revealed_in_few_transactions(rig: Rig) -> None:
    host = rig.host("ann")
    numbers = [rig.request(rows(1, first)) for first in range(5)]
    began = rig.chain.height
    rig.work([host], lambda: all(rig.find(number).status in ENDED for number in numbers))
    assert all(seats(rig.find(number)) == {address_of("ann"): SEAT_STATUS_PAID} for number in numbers)
    assert rig.chain.height - began < 20


def test_a_host_that_is_killed_after_its_commitment_reveals_the_same_answer(rig: Rig) -> None:
    host = rig.host("ann")
    number = rig.request()
    rig.work([host], lambda: bool(rig.find(number).seats) and rig.find(number).seats[0].status == SEAT_STATUS_COMMITTED)
    held = host.journal.find_dealt(number)
    rig.end(host)
    again = rig.host("ann")
    rig.work([again], lambda: rig.find(number).status in ENDED)
    assert seats(rig.find(number)) == {address_of("ann"): SEAT_STATUS_PAID}
    assert held is not None and rig.find(number).answer == held.answer


def test_a_host_that_is_killed_between_its_journal_and_its_commitment_commits_to_what_is_there(
        rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    host = rig.host("ann")
    number = rig.request()
    rig.work([], lambda: rig.find(number).status == REQUEST_STATUS_COMMIT)
    with monkeypatch.context() as patched:
        patched.setattr(host._dealer, "_send_all", lambda *_: exec("raise KeyboardInterrupt"))
        with pytest.raises(KeyboardInterrupt):
            host.step()
    held = host.journal.find_dealt(number)
    rig.end(host)
    assert held is not None
    again = rig.host("ann")
    rig.work([again], lambda: rig.find(number).status in ENDED)
    assert rig.find(number).answer == held.answer and again.journal.find_dealt(number) == Dealt(
        held.seed, held.answer, held.salt, is_revealed=True)


def test_a_host_without_its_journal_reveals_what_it_had_committed_to(rig: Rig) -> None:
    host = rig.host("ann")
    number = rig.request()
    rig.work([host], lambda: rig.find(number).status == REQUEST_STATUS_REVEAL)
    rig.end(host)
    host.journal.path.unlink()
    again = rig.host("ann")
    rig.work([again], lambda: rig.find(number).status in ENDED)
    assert seats(rig.find(number)) == {address_of("ann"): SEAT_STATUS_PAID}


def test_a_journal_takes_no_second_answer(rig: Rig) -> None:
    with Journal(rig.folder, "test", 1, "ann") as journal:
        journal.put_dealt(1, Dealt(bytes(32), b"one", bytes(32)), 5)
        journal.put_dealt(1, Dealt(bytes(32), b"one", bytes(32)), 6)
        with pytest.raises(ValueError):
            journal.put_dealt(1, Dealt(bytes(32), b"two", bytes(32)), 6)
        assert journal.find_dealt(1) == Dealt(bytes(32), b"one", bytes(32))


def test_new_terms_are_sent_once_and_a_drained_host_ends(rig: Rig) -> None:
    host = rig.host("ann")
    rig.end(host)
    again = rig.host("ann", terms=Terms(price_ugrad_per_gma=7, capacity=3))
    record = rig.client.find_host(1, address_of("ann"))
    assert record is not None and (record.price_ugrad_per_gma, record.capacity) == (7, 3)
    rig.end(again)
    last = rig.host("ann", terms=Terms())
    assert len(rig.told("ann", "registered")) == 1 and len(rig.told("ann", "updated")) == 1
    number = rig.request()
    rig.work([last], lambda: rig.find(number).status in ENDED)
    rig.send("ann", MsgDrainHost(host=address_of("ann"), model_id=1))
    last.run()
    assert seats(rig.find(number)) == {address_of("ann"): SEAT_STATUS_PAID}


def test_ctrl_c_ends_a_host_when_what_is_committed_is_revealed(rig: Rig) -> None:
    host = rig.host("ann")
    number = rig.request()
    rig.work([host], lambda: bool(rig.find(number).seats) and rig.find(number).seats[0].status == SEAT_STATUS_COMMITTED)
    host.drain()
    host.run()
    assert rig.told("ann", "revealed") == [{"request": number}]


def test_cheats_are_refused_but_on_test_networks(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig(chain_id="main-1")
    with pytest.raises(HostStopped, match="is for test networks"):
        rig.host("ann", Behaviour.LIE)


def test_an_answer_is_no_secret_any_more_once_its_reveal_may_have_been_sent(
        rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    host = rig.host("ann")
    number = rig.request()
    rig.work([host], lambda: rig.find(number).status == REQUEST_STATUS_REVEAL)

    def time_out(*_: object) -> None:
        raise TimedOut("no block came")

    monkeypatch.setattr(host._dealer, "_send", time_out)
    with pytest.raises(TimedOut):
        host.step()
    held = host.journal.find_dealt(number)
    assert held is not None and held.is_revealed


def test_a_long_computation_holds_up_no_reveal(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    host = rig.host("ann")
    first = rig.request()
    rig.work([host], lambda: bool(rig.find(first).seats) and rig.find(first).seats[0].status == SEAT_STATUS_COMMITTED)
    goes_on, compute = threading.Event(), host._dealer._compute

    def take_long(request: Request) -> Dealt:
        goes_on.wait(60)
        return compute(request)

    monkeypatch.setattr("abci_app.host.dealt.WAIT_S", 0.0)
    monkeypatch.setattr(host._dealer, "_compute", take_long)
    second = rig.request(rows(1, 9))
    rig.work([host], lambda: rig.find(first).status in ENDED)
    assert seats(rig.find(first)) == {address_of("ann"): SEAT_STATUS_PAID}
    assert rig.find(second).status == REQUEST_STATUS_COMMIT
    goes_on.set()
    monkeypatch.setattr("abci_app.host.dealt.WAIT_S", 30.0)
    rig.work([host], lambda: rig.find(second).status in ENDED)
    assert seats(rig.find(second)) == {address_of("ann"): SEAT_STATUS_PAID}


def test_a_request_that_cannot_be_computed_holds_up_no_other(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    host = rig.host("ann")
    numbers = [rig.request(rows(1, first)) for first in range(2)]
    compute = host._dealer._compute

    def fail_first(request: Request) -> Dealt:
        if request.id == numbers[0]:
            raise ValueError("no such row")
        return compute(request)

    monkeypatch.setattr(host._dealer, "_compute", fail_first)
    rig.work([host], lambda: rig.find(numbers[1]).status in ENDED)
    assert seats(rig.find(numbers[1])) == {address_of("ann"): SEAT_STATUS_PAID}
    assert {"request": numbers[0], "problem": "ValueError: no such row"} in rig.told("ann", "waiting")


def test_neither_a_full_disk_nor_a_broken_pipe_ends_a_host(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Event] = []

    def report(event: Event) -> None:
        told.append(event)
        raise BrokenPipeError

    host = rig.host("ann", report=report)
    faults = [sqlite3.OperationalError("database or disk is full")] * 2
    drop = host.journal.drop_dealt_before

    def fail(height: int) -> None:
        if faults:
            raise faults.pop()
        drop(height)
        host.drain()

    monkeypatch.setattr(host.journal, "drop_dealt_before", fail)
    host.run()
    problems = [event.fields["problem"] for event in told if event.name == "waiting"]
    assert problems == ["OperationalError: database or disk is full"] * 2
