"""Processes that are killed with SIGKILL in the middle of a session, again and again: books agree afterwards."""

import multiprocessing
import random
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

from abci_app.sdk.errors import HostUnreachable
from abci_app.sdk.host_client import HostClient
from abci_app.wire.merkle import merkle_root
from abci_app.wire.pb.gradus.models.v1 import models_pb2
from abci_app.wire.question import entry_leaf
from abci_app.x.models.types import default_spec
from tests.unit.host.rig import CLASSES, FEATURES, rows
from tests.unit.host.serving import Serving

KILLS = 5
FORK = multiprocessing.get_context("fork")


def new_serving(folder: Path) -> Serving:
    terms = models_pb2.Dataset(rows_root=bytes(32), train_rows=100, test_rows=50, features=FEATURES, classes=CLASSES)
    return Serving(folder, default_spec("flowers", terms, bytes(range(32)), 3, 3, hidden=(8,)))


def serve(serving: Serving, told: Connection) -> None:
    """A host's process: serves until it is killed."""
    serving.start()
    told.send(serving.server.url)
    threading.Event().wait()


def ask(serving: Serving) -> None:
    """A user's process: asks until it is killed."""
    session = serving.session()
    while True:
        session.ask(rows(1, session.count))


def check_books(serving: Serving) -> int:
    """That both sides know the same, but for the last answer and the last receipt; how many answers there are."""
    session, entries = serving.session(), serving.journal.list_entries(1)
    paid = serving.journal.find_receipt(1)
    assert len(entries) - session.count in (0, 1) and [kept.entry for kept in session.journal.iter_answers()] == \
        entries[:session.count]
    assert paid is not None and session.receipt is not None and len(entries) - paid.count in (0, 1)
    assert paid.root == merkle_root(entry_leaf(entry) for entry in entries[:paid.count])
    session.finish()
    assert session.ask(rows(1, 99)).entry.number == session.count
    assert [kept.entry for kept in session.journal.iter_answers()] == serving.journal.list_entries(1)
    return session.count


def test_a_host_that_is_killed_again_and_again_loses_no_answer(tmp_path: Path) -> None:
    serving, dice = new_serving(tmp_path), random.Random(1)
    session = serving.session()
    session.ask(rows())
    serving.stop()
    for _ in range(KILLS):
        here, there = FORK.Pipe()
        host = FORK.Process(target=serve, args=(serving, there))
        host.start()
        session.host.close()
        session.host = HostClient(here.recv())
        session.ask(rows(1, session.count))
        killer = threading.Timer(dice.uniform(0.0, 0.1), host.kill)
        killer.start()
        try:
            while True:
                session.ask(rows(1, session.count))
        except HostUnreachable:
            host.join()
    session.close()
    serving.sessions.clear()
    serving.start()
    assert check_books(serving) > KILLS
    serving.close()


def test_a_user_who_is_killed_again_and_again_pays_each_answer_once(tmp_path: Path) -> None:
    serving, dice = new_serving(tmp_path), random.Random(2)
    serving.session().ask(rows())
    serving.sessions.pop().close()
    for _ in range(KILLS):
        before = len(serving.journal.list_entries(1))
        user = FORK.Process(target=ask, args=(serving,))
        user.start()
        while len(serving.journal.list_entries(1)) == before:
            time.sleep(0.005)
        time.sleep(dice.uniform(0.0, 0.1))
        user.kill()
        user.join()
    assert check_books(serving) > KILLS
    serving.close()
