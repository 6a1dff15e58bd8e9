"""The trained model at work: hosts of which one lies, an answer bought from all of them, and a session.

As the rest of the demo it does what anybody can: hosts are processes of their own, the user buys by the SDK, believes
nobody, and every figure is the chain's.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from abci_app.client.chain import ChainClient
from abci_app.client.keys import Key, Keyring, new_key
from abci_app.client.words import enum_word
from abci_app.sdk.client import Client, Quote, Trusting
from abci_app.sdk.inference import Inference
from abci_app.sdk.paid import PaidSession
from abci_app.sdk.proofs import proved_fields
from abci_app.sdk.translator import Asking
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import HOST_STATUS_ACTIVE
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import SESSION_STATUS_SETTLED, Session, SessionStatus
from localnet.errors import LocalnetError, TimedOut
from localnet.network import Localnet
from localnet.parent import die_with_parent
from localnet.served import HONEST, HostOutcome, Served, SessionOutcome

HOST_UGRAD = 1_000_000_000
USER_UGRAD = 100_000_000
BOND = "100grad"  # covers sessions of a deposit of 2.5 grad by the default terms
DEPOSIT_UGRAD = 1_000_000
LIAR = "lie"
BEHAVIOURS = (HONEST, LIAR, HONEST)
PRICES_UGRAD_PER_GMA = (1_000_000, 1_100_000, 1_200_000)
READY_SECONDS = 120.0
SETTLED_SECONDS = 180.0
POLL_S = 0.25
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Hosting:
    """A host that is started. behaviour: `honest`, or what it was told to do."""

    name: str
    address: str
    behaviour: str


@dataclass(frozen=True)
class Wanted:
    """What the demo's user asks. question, expected: in words. say: an answer in words."""

    question: str
    asking: Asking
    expected: str
    say: Callable[[Inference], str]
    repeats: int


class Serving:
    """The hosts and the user of one demo. Its processes end with stop()."""

    def __init__(self, folder: Path, console: Console, is_kept: bool) -> None:
        """folder: of the network. is_kept: the hosts outlive this process."""
        self.folder, self.console, self.is_kept = folder, console, is_kept
        self.user: Key = new_key()
        self.processes: list[subprocess.Popen[bytes]] = []
        self.hosts: list[Hosting] = []
        self._keys = [new_key() for _ in BEHAVIOURS]

    def accounts(self) -> dict[str, int]:
        """Coins that they need at genesis, by address."""
        return {key.bech32: HOST_UGRAD for key in self._keys} | {self.user.bech32: USER_UGRAD}

    def put_keys(self) -> None:
        """Lay the keys into the homes of those who use them."""
        for index, (key, behaviour) in enumerate(zip(self._keys, BEHAVIOURS, strict=True)):
            host = Hosting(f"host{index}", key.bech32, behaviour)
            Keyring(self.host_home(host) / "keys").put(host.name, key, None)
            self.hosts.append(host)
        Keyring(self.user_home / "keys").put("user", self.user, None)

    @property
    def user_home(self) -> Path:
        """Where the user keeps its key, what it trusts and its receipts."""
        return self.folder / "user"

    def host_home(self, host: Hosting) -> Path:
        """Where a host keeps its key, its journal and its log."""
        return self.folder / "hosts" / host.name

    def start(self, net: Localnet, client: ChainClient, model_id: int) -> None:
        """One process a host; returns when all of them are registered. Raises LocalnetError."""
        nodes = net.manifest.nodes
        for index, (host, price_ugrad_per_gma) in enumerate(zip(self.hosts, PRICES_UGRAD_PER_GMA, strict=True)):
            home = self.host_home(host)
            urls = [nodes[(index + turn) % len(nodes)].rpc for turn in range(len(nodes))]
            with (home / "host.log").open("wb") as log:
                self.processes.append(subprocess.Popen(
                    [sys.executable, "-m", "abci_app.cli", "host", "start", str(model_id), "--key", host.name,
                     "--home", str(home), "--behaviour", host.behaviour, "--listen", "127.0.0.1:0", "--bond", BOND,
                     "--price", str(price_ugrad_per_gma),
                     *(part for url in urls for part in ("--node", url))],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                    preexec_fn=None if self.is_kept else die_with_parent()))
        deadline_s = time.monotonic() + READY_SECONDS
        while sum(one.status == HOST_STATUS_ACTIVE for one in client.iter_hosts(model_id)) < len(self.hosts):
            if any(process.poll() is not None for process in self.processes) or time.monotonic() > deadline_s:
                raise LocalnetError("not all hosts have registered", f"read {self.folder}/hosts/*/host.log")
            time.sleep(POLL_S)
        self.console.print(f"{len(self.hosts)} hosts registered: " + ", ".join(host.behaviour for host in self.hosts))

    def buy(self, net: Localnet, model_id: int, wanted: Wanted) -> Served:
        """Buy an answer of all hosts by a request, then some of one by a session, and read what became of it."""
        nodes = net.manifest.nodes
        trusting = Trusting(witnesses=tuple(node.rpc for node in nodes[1:]), chain_id=net.manifest.chain_id)
        with Client(nodes[0].rpc, self.user, home=self.user_home, trusting=trusting) as client:
            quote = client.quote(model_id, len(self.hosts), **wanted.asking)
            found = client.infer(model_id, replicas=len(self.hosts), **wanted.asking)
            with client.open_session(model_id, DEPOSIT_UGRAD, host=self._find_honest()) as session:
                took_s = _ask_often(session, wanted)
                owed_ugrad, answers, session_id = session.spent_ugrad, session.session.count, session.id
            settled = self._wait_settled(client, session_id)
        outcome = SessionOutcome(
            session_id, self._name(settled.host), answers, owed_ugrad, settled.paid_ugrad, settled.refund_ugrad,
            settled.deposit_ugrad, enum_word(SessionStatus.DESCRIPTOR, settled.status), settled.outcome,
            round(1000 * took_s / max(answers, 1), 1))
        return self._describe(wanted, quote, found, outcome)

    def stop(self) -> None:
        """End every host that still runs: each reveals what it has committed, and closes its sessions."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _describe(self, wanted: Wanted, quote: Quote, found: Inference, outcome: SessionOutcome) -> Served:
        behaviours = {host.address: host for host in self.hosts}
        hosts = [HostOutcome(behaviours[part.host].name, part.host, behaviours[part.host].behaviour, part.standing,
                             part.earned_ugrad, part.slashed_ugrad) for part in found.parts]
        return Served(
            request_id=found.request_id, question=wanted.question, answer=wanted.say(found), expected=wanted.expected,
            answer_hash=found.record.answer_hash.hex(), quoted_ugrad=quote.fee_ugrad, cost_ugrad=found.cost_ugrad,
            refund_ugrad=found.record.refund_ugrad, is_audited=found.record.audited, hosts=hosts,
            proved=proved_fields(found.proved) if found.proved is not None else {}, session=outcome)

    def _find_honest(self) -> str:
        return next(host.address for host in self.hosts if host.behaviour == HONEST)

    def _name(self, address: str) -> str:
        return next((host.name for host in self.hosts if host.address == address), address)

    def _wait_settled(self, client: Client, session_id: int) -> Session:
        """The session's record once nothing of it can change."""
        deadline_s = time.monotonic() + SETTLED_SECONDS
        while True:
            record = client.chain.find_session(session_id)
            if record is not None and record.status == SESSION_STATUS_SETTLED:
                return record
            if time.monotonic() > deadline_s:
                raise TimedOut(f"session {session_id} was not settled in {SETTLED_SECONDS:.0f} s",
                               f"read {self.folder}/hosts/*/host.log")
            time.sleep(POLL_S)


def _ask_often(session: PaidSession, wanted: Wanted) -> float:
    """Ask the same question again and again; the seconds that it took."""
    began_s = time.monotonic()
    for _ in range(wanted.repeats):
        session.ask(**wanted.asking)
    return time.monotonic() - began_s
