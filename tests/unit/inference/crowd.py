"""A crowd of users and failing hosts by chance, and books that are kept beside the chain of every coin they move.

    python -m tests.unit.inference.crowd --requests 10000 --seed 1

Hosts answer rightly, lie alone or together, miss, withhold, change prices, drain, leave and come back; auditors are
silent at times, and one may be wrong. After every block the rooms' invariants hold; each user and host has exactly what
its books say, and the supply has shrunk by exactly what was burnt.
"""

import argparse
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from google.protobuf.message import Message

from abci_app.runtime.events import Event
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    HOST_STATUS_ACTIVE, HOST_STATUS_DRAINING, HOST_STATUS_SLASHED, REQUEST_STATUS_COMMIT, REQUEST_STATUS_REVEAL,
    SEAT_STATUS_ASSIGNED, SEAT_STATUS_COMMITTED, Params, Request,
)
from abci_app.x.inference.types import compute_burnt
from kernels import dispatch
from tests.auditors import NOTHING, RIGHT, WRONG
from tests.chain import SIGNERS, new_test_key
from tests.unit.inference.desk import HOST_BOND_UGRAD, PRICE, Desk, attribute
from tests.unit.work.market import FUNDS_UGRAD

HOST_NAMES = tuple(f"host{index}" for index in range(8))
USER_NAMES = tuple(f"user{index}" for index in range(4))
PARAMS = Params(kept_blocks=12, missed_max=2, request_price_ugrad=7, return_blocks=6)
FATES = ("right",) * 14 + ("lie", "lie", "alone", "miss", "withhold")
GAS_UGRAD = 1_000  # of every transaction
DEADLINES = range(10, 17)


class Crowd:
    """A desk with many hosts and users, and what each of them must have. seed: of everything that is left to chance."""

    def __init__(self, folder: Path, seed: int, checks: bool = True) -> None:
        self.chance = random.Random(seed)
        self.desk = Desk(folder, hosts=(), params=PARAMS, names=(*HOST_NAMES, *USER_NAMES), choose=self._choose,
                         checks=checks, audit_ppm=200_000)
        self.owned = dict.fromkeys((*HOST_NAMES, *USER_NAMES), FUNDS_UGRAD)
        self.supply = self._supply()
        self.fates: dict[tuple[int, str], str] = {}
        self.counts: Counter[str] = Counter()
        self.records_max = 0

    def _supply(self) -> int:
        return self.desk.chain.app.bank.supply(self.desk.chain.ctx())

    def _choose(self, validator: bytes, audit: Audit) -> str:
        """The last validator is often silent or wrong; at times nobody answers about an audit at all."""
        chance = random.Random(audit.subject + validator)
        if random.Random(audit.subject).random() < 0.1:
            return NOTHING
        if validator != SIGNERS[-1].address:
            return RIGHT
        return chance.choice((RIGHT, RIGHT, NOTHING, WRONG))

    def step(self, asked: int) -> None:
        """One block in which at most so many questions are asked, and what must hold after it."""
        messages = [*self._list_terms(), *self._list_questions(asked), *self._list_answers()]
        events = self.desk.block(*messages, votes=self.chance.random() < 0.9)
        for message, result in zip(messages, self.desk.results, strict=True):
            assert result.codespace in ("", "inference"), result.log
            self._book(self.desk._signer(message), -GAS_UGRAD)
            self.counts[f"tx {result.codespace}/{result.code}" if result.code else "tx"] += 1
        for event in events:
            self._book_event(event)
        self.check()

    def check(self) -> None:
        """Everybody has what the books say, bonds counted in; nothing else was made or lost."""
        desk, ctx = self.desk, self.desk.chain.ctx()
        assert self._supply() == self.supply
        held = Counter({name: desk.balance(name) for name in self.owned})
        for host in desk.chain.app.inference.iter_hosts(ctx):
            held[desk.names[host.address]] += host.bond_ugrad
        assert dict(held) == self.owned
        if desk.chain.height % 16 == 0:
            self.records_max = max(self.records_max, sum(1 for _ in ctx.state.store("inference").iter(b"")))

    def _book(self, address: str, change_ugrad: int) -> None:
        name = self.desk.names[address]
        if name in self.owned:
            self.owned[name] += change_ugrad

    def _book_event(self, event: Event) -> None:
        """Write what an event says about coins into the books."""
        if event.type == "inference.request_opened":
            burnt_ugrad = compute_burnt(PARAMS, self.desk.chain.app.models.get_model(
                self.desk.chain.ctx(), 1).spec.inference, int(attribute(event, "work")), 1)
            self._book(attribute(event, "user"), -burnt_ugrad - int(attribute(event, "escrow_ugrad")))
            self.supply -= burnt_ugrad
        elif event.type in ("inference.request_answered", "inference.request_failed"):
            self._book(attribute(event, "user"), int(attribute(event, "refund_ugrad")))
            self.counts[attribute(event, "reason") if event.type.endswith("failed") else "answered"] += 1
        elif event.type == "inference.seat_settled":
            status = attribute(event, "status")
            self.counts[f"seat {status}"] += 1
            earned_ugrad = int(attribute(event, "ask_ugrad")) if status == "paid" else 0
            self._book(attribute(event, "host"), earned_ugrad - int(attribute(event, "slashed_ugrad")))
        elif event.type == "inference.host_slashed":
            self.supply -= int(attribute(event, "burnt_ugrad"))
        elif event.type == "rewards.fee_shared":
            self.supply -= int(attribute(event, "burnt_ugrad"))

    def _list_terms(self) -> list[Message]:
        """What hosts do about themselves: all want to answer, most of the time."""
        messages: list[Message] = []
        for name in HOST_NAMES:
            host = self.desk.chain.app.inference.find_host(self.desk.chain.ctx(), 1, new_test_key(name).address)
            luck, price = self.chance.random(), PRICE + self.chance.randrange(3)
            if host is None:
                messages += [self.desk.register_msg(name, price)] if luck < 0.5 else []
            elif host.return_height > self.desk.chain.height + 1 and luck < 0.9:
                continue
            elif host.status in (HOST_STATUS_DRAINING, HOST_STATUS_SLASHED) and not host.open_count:
                messages += [self.desk.leave_msg(name)] if luck < 0.5 else []
            elif host.status not in (HOST_STATUS_ACTIVE, HOST_STATUS_SLASHED):
                missing_ugrad = max(HOST_BOND_UGRAD - host.bond_ugrad, 0)
                messages += [self.desk.update_msg(name, price, missing_ugrad)] if luck < 0.5 else []
            elif luck < 0.02:
                messages.append(self.desk.update_msg(name, price))
            elif luck > 0.99 and host.status == HOST_STATUS_ACTIVE:
                messages.append(self.desk.drain_msg(name))
        return messages

    def _list_questions(self, asked: int) -> list[Message]:
        return [self.desk.request_msg(self.chance.choice(USER_NAMES), replicas=self.chance.randint(1, 3),
                                      max_fee_ugrad=self.chance.choice((10**5, 10**6, 10**6)),
                                      deadline_blocks=self.chance.choice(DEADLINES)) for _ in range(asked)]

    def _list_answers(self) -> list[Message]:
        """Commitments and reveals, each in one of the blocks that there are for it."""
        messages: list[Message] = []
        for request in self.desk.chain.app.inference.iter_requests(self.desk.chain.ctx()):
            if request.status in (REQUEST_STATUS_COMMIT, REQUEST_STATUS_REVEAL):
                messages += self._list_acts(request)
        return messages

    def _list_acts(self, request: Request) -> list[Message]:
        messages: list[Message] = []
        for seat in request.seats:
            name = self.desk.names[seat.host]
            fate = self.fates.setdefault((request.id, name), self.chance.choice(FATES))
            lie = {"lie": "together", "alone": name}.get(fate, "")
            if self.chance.random() < 0.2:
                continue
            if seat.status == SEAT_STATUS_ASSIGNED and request.status == REQUEST_STATUS_COMMIT and fate != "miss":
                messages.append(self.desk.commit_msg(name, request.id, lie))
            if seat.status == SEAT_STATUS_COMMITTED and request.status == REQUEST_STATUS_REVEAL and fate != "withhold":
                messages.append(self.desk.reveal_msg(name, request.id, lie))
        return messages

    def finish(self) -> None:
        """Blocks without questions until no request is open."""
        keeper = self.desk.chain.app.inference
        while any(not request.closed_height for request in keeper.iter_requests(self.desk.chain.ctx())):
            self.step(0)


def main() -> None:
    """So many requests, and what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen, started = parser.parse_args(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, dispatch.forced("ref"):
        crowd = Crowd(Path(folder) / "crowd", chosen.seed)
        keeper = crowd.desk.chain.app.inference
        while keeper.next_id(crowd.desk.chain.ctx()) <= chosen.requests:
            crowd.step(crowd.chance.randrange(8))
        crowd.finish()
        ctx = crowd.desk.chain.ctx()
        print(f"{keeper.next_id(ctx) - 1} requests in {crowd.desk.chain.height} blocks, "
              f"{time.perf_counter() - started:.0f} s; every coin is accounted for after each")
        print(f"archived: {keeper.archive(ctx).count}; records of the room at most: {crowd.records_max}")
        for name in sorted(crowd.counts):
            print(f"{crowd.counts[name]:8} {name}")


if __name__ == "__main__":
    main()
