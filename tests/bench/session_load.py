"""Sessions under load: one host and one user, each a process, over real HTTP; settled by the real rooms in this one.

The digits classifier (64 features, two hidden layers, 10 classes), one row a question. Every session is closed by its
user, drawn, shown, audited and paid; what it paid must be the fees of its answers to the last ugrad. Journals of both
sides are synced at each write, as they are in use.
"""

import multiprocessing
import os
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

from abci_app.host.host import Host
from abci_app.host.terms import Terms
from abci_app.sdk.host_client import HostClient
from abci_app.sdk.journal import SessionJournal
from abci_app.sdk.session import Session
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.sessions.v1 import sessions_pb2
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import SESSION_STATUS_SETTLED
from abci_app.wire.pb.gradus.sessions.v1.tx_pb2 import MsgCloseSession
from kernels import dispatch
from tests.chain import CHAIN_ID, address_of
from tests.unit.host.rig import Rig

SESSIONS = (1, 2, 4, 8, 16)
REQUESTS = 3_000  # of each row, of all its sessions together
FEATURES, CLASSES, HIDDEN = 64, 10, (128, 64)
DEPOSIT_UGRAD = 10**10
BOND_UGRAD = 10**12
BLOCKS_MAX = 200
PRICE_UGRAD_PER_GMA = 10**9


def measure() -> list[dict[str, int | float | str]]:
    """A row for each number of sessions at once."""
    dispatch.warm()
    return [measure_sessions(count) for count in SESSIONS]


def measure_sessions(count: int, requests: int = REQUESTS) -> dict[str, int | float | str]:
    """So many sessions at once, which ask `requests` questions together."""
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder), features=FEATURES, classes=CLASSES, hidden=HIDDEN, host_bond_ugrad=BOND_UGRAD // 10)
        try:
            return _measure(rig, count, requests // count)
        finally:
            rig.close()


def _measure(rig: Rig, count: int, each: int) -> dict[str, int | float | str]:
    host = rig.host("ann", serves=True, terms=Terms(PRICE_UGRAD_PER_GMA, bond_ugrad=BOND_UGRAD))
    sessions = [rig.open(host, DEPOSIT_UGRAD) for _ in range(count)]
    records = [session.record.SerializeToString() for session in sessions]
    keys = [session.journal.key.public for session in sessions]
    url = sessions[0].host.url
    for session in sessions:
        session.close()
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    user = context.Process(target=run_user, args=(there, url, str(rig.folder / "user"), rig.spec.SerializeToString(),
                                                  records, keys, each))
    user.start()
    here.recv()  # it is ready
    load = os.getloadavg()[0]
    began_cpu = time.process_time()
    here.send("begin")
    seconds, user_cpu_s, latencies = here.recv()
    host_cpu_s = time.process_time() - began_cpu
    user.join()
    paid_ugrad, tx_bytes = settle(rig, host, keys, each)
    latencies.sort()
    done = count * each
    return {"sessions": count, "load before": round(load, 1), "answers": done,
            "seconds": round(seconds, 2), "answers/s": round(done / seconds),
            "median ms": round(1000 * latencies[done // 2], 2), "99 % ms": round(1000 * latencies[done * 99 // 100], 2),
            "host CPU us": round(1e6 * host_cpu_s / done), "user CPU us": round(1e6 * user_cpu_s / done),
            "paid ugrad": paid_ugrad, "block bytes/answer": round(tx_bytes / done, 2)}


def run_user(told: Connection, url: str, folder: str, spec: bytes, records: list[bytes], keys: list[bytes],
             each: int) -> None:
    """The user's process: a thread for each session asks `each` questions one after the other."""
    terms = ModelSpec.FromString(spec)
    sessions = [Session(CHAIN_ID, sessions_pb2.Session.FromString(record), terms, HostClient(url),
                        SessionJournal.find(Path(folder), key)) for record, key in zip(records, keys)]
    latencies: list[float] = []

    def ask(session: Session) -> None:
        for number in range(each):
            features = bytes((number * 31 + place * 7) % 100 for place in range(FEATURES))
            began = time.perf_counter()
            session.ask(Question(rows=1, features=features))
            latencies.append(time.perf_counter() - began)

    threads = [threading.Thread(target=ask, args=(session,)) for session in sessions]
    told.send("ready")
    told.recv()
    began, began_cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
    for session in sessions:
        session.hand_over()
        session.close()
    told.send((seconds, cpu_s, latencies))


def settle(rig: Rig, host: Host, keys: list[bytes], each: int) -> tuple[int, int]:
    """(ugrad that all sessions paid, bytes of the user's closing messages). Raises AssertionError where one of them
    did not pay exactly what its answers cost."""
    paid_ugrad = message_bytes = 0
    for key in keys:
        with SessionJournal.find(rig.folder / "user", key) as journal:
            record = journal.find_session()
            kept = journal.find_answer(each)
            assert record is not None and kept is not None
            fees_ugrad = sum(one.entry.fee_ugrad for one in journal.iter_answers())
        message = MsgCloseSession(sender=address_of("uma"), session_id=record.id, receipt=kept.receipt,
                                  statement=kept.statement)
        rig.send("uma", message)
        message_bytes += message.ByteSize()
        rig.work([host], lambda: rig.find_session(record.id).status == SESSION_STATUS_SETTLED, BLOCKS_MAX)
        found = rig.find_session(record.id)
        assert (found.outcome, found.paid_ugrad, found.receipt.count) == ("paid", fees_ugrad, each), found
        paid_ugrad += found.paid_ugrad
    return paid_ugrad, message_bytes
