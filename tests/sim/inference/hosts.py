"""Hosts of the simulation: what each does in a block, from what the last state shows.

honest: answers at once. late: honest, nearly at the last moment. changing: honest, and changes its price. drifting:
honest, drains, leaves and comes back. wrong: has an answer of its own, most of the time. gang: most of the time the
wrong answer that all of the gang give. absent: mostly does not commit. withhold: mostly does not reveal. copy: commits
to what another has committed. vanish: honest, and away for a while now and then. Only those in TRUSTWORTHY must never
be slashed, and must be paid for what was judged right.
"""

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from abci_app.runtime.context import Ctx
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    HOST_STATUS_ACTIVE, HOST_STATUS_DRAINING, HOST_STATUS_SLASHED, REQUEST_STATUS_COMMIT, REQUEST_STATUS_REVEAL,
    SEAT_STATUS_ASSIGNED, SEAT_STATUS_COMMITTED, SEAT_STATUS_REVEALED, Host, Request, Seat,
)
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import (
    MsgCommitAnswer, MsgDrainHost, MsgLeaveHost, MsgRegisterHost, MsgRevealAnswer, MsgUpdateHost,
)
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_RETIRED, Model
from abci_app.wire.question import ANSWER_INLINE_BYTES_MAX, answer_commitment, answer_hash
from tests.chain import address_of, new_test_key
from tests.sim.inference.answers import Answers
from tests.sim.market import Intent

BEHAVIOURS = ("honest", "honest", "honest", "late", "changing", "drifting", "wrong", "gang", "gang", "absent",
              "withhold", "copy", "vanish")
TRUSTWORTHY = ("honest", "late", "changing", "drifting")
AWAY_BLOCKS = 25
PRICES = (10**6, 10**6, 10**7, 123_456_789)  # ugrad for 10^9 multiply-adds


@dataclass
class Hosts:
    """All of them. behaviours: by name. committed: (answer, salt) by (name, request), b"" for another's commitment.

    dice: those of a topic at the present height. seed: of the simulation.
    """

    answers: Answers
    behaviours: dict[str, str]
    dice: Callable[[str], random.Random]
    seed: int
    committed: dict[tuple[str, int], bytes] = field(default_factory=dict)

    @property
    def trustworthy(self) -> frozenset[str]:
        """Their addresses."""
        return frozenset(address_of(name) for name in self.behaviours if self.behaviours[name] in TRUSTWORTHY)

    def iter_intents(self, ctx: Ctx, requests: list[Request], models: list[Model]) -> Iterator[Intent]:
        """What they send into the next block. requests: those that are open."""
        names = {address_of(name): name for name in self.behaviours}
        awake = {name: not self.is_away(ctx, name) for name in self.behaviours}
        for request in requests:
            for seat in request.seats:
                name = names.get(seat.host)
                if name is not None and awake[name]:
                    yield from self._answer(ctx, name, request, seat)
        for name in self.behaviours:
            for model in models if awake[name] else ():
                yield from self._manage(ctx, name, model)

    def forget(self, request_id: int) -> None:
        """A request is over."""
        for name in self.behaviours:
            self.committed.pop((name, request_id), None)

    def is_away(self, ctx: Ctx, name: str) -> bool:
        """Whether a host that vanishes now and then does nothing at present."""
        span = random.Random(f"{self.seed}/{name}/{ctx.height // AWAY_BLOCKS}")
        return self.behaviours[name] == "vanish" and span.random() < 0.4

    def _answer(self, ctx: Ctx, name: str, request: Request, seat: Seat) -> Iterator[Intent]:
        """Commit or reveal."""
        behaviour, is_last = self.behaviours[name], ctx.height + 2 >= request.due_height
        if behaviour == "late" and not is_last:
            return
        dice = self.dice(f"{name}/{request.id}")
        if request.status == REQUEST_STATUS_COMMIT and seat.status == SEAT_STATUS_ASSIGNED:
            if behaviour != "absent" or dice.random() < 0.2:
                yield from self._commit(ctx, name, request, dice)
        elif request.status == REQUEST_STATUS_REVEAL and seat.status == SEAT_STATUS_COMMITTED:
            if behaviour != "withhold" or dice.random() < 0.2:
                yield from self._reveal(name, request)

    def _commit(self, ctx: Ctx, name: str, request: Request, dice: random.Random) -> Iterator[Intent]:
        address = new_test_key(name).address
        if self.behaviours[name] == "copy" and dice.random() < 0.7:
            copied = next((one.commitment for one in request.seats if one.commitment), b"")
            if copied:
                self.committed[name, request.id] = b""
                yield Intent(name, MsgCommitAnswer(host=address_of(name), request_id=request.id, commitment=copied),
                             succeeds=True)
            return
        answer = self.committed.setdefault((name, request.id), self._choose_answer(ctx, name, request, dice))
        commitment = answer_commitment(address, request.id, answer_hash(answer), salt_of(name, request.id))
        yield Intent(name, MsgCommitAnswer(host=address_of(name), request_id=request.id, commitment=commitment),
                     succeeds=True)

    def _reveal(self, name: str, request: Request) -> Iterator[Intent]:
        """What was committed to; who has copied a commitment shows the other's answer, and must be refused."""
        answer = self.committed[name, request.id]
        is_own, hash_of_answer = bool(answer), answer_hash(answer)
        if not is_own:
            hash_of_answer = next((one.answer_hash for one in request.seats if one.status == SEAT_STATUS_REVEALED), b"")
            if not hash_of_answer:
                return
        shown = answer if len(answer) <= ANSWER_INLINE_BYTES_MAX else b""
        yield Intent(name, MsgRevealAnswer(host=address_of(name), request_id=request.id, answer_hash=hash_of_answer,
                                           salt=salt_of(name, request.id), answer=shown), succeeds=is_own)

    def _choose_answer(self, ctx: Ctx, name: str, request: Request, dice: random.Random) -> bytes:
        """The right answer, or a wrong one of its size."""
        behaviour, right = self.behaviours[name], self.answers.answer_request(ctx, request)
        shared = random.Random(f"{self.seed}/gang/{request.id}")
        if behaviour == "wrong" and dice.random() < 0.8:
            return right[:-4] + hashlib.sha256(f"{name}/{request.id}".encode()).digest()[:4]
        if behaviour == "gang" and shared.random() < 0.8:
            return right[:-4] + hashlib.sha256(f"gang/{request.id}".encode()).digest()[:4]
        return right

    def _manage(self, ctx: Ctx, name: str, model: Model) -> Iterator[Intent]:
        """Come, change terms, go."""
        host = self.answers.app.inference.find_host(ctx, model.id, new_test_key(name).address)
        dice, is_asked = self.dice(f"{name}/host/{model.id}"), model.status != MODEL_STATUS_RETIRED
        if host is None:
            if is_asked and model.spec.HasField("inference") and dice.random() < 0.3:
                yield self._register(name, model, dice)
        elif host.status == HOST_STATUS_SLASHED or not is_asked:
            if dice.random() < 0.3:
                yield self._leave(ctx, name, host)
        elif host.status == HOST_STATUS_DRAINING:
            if dice.random() < 0.3:
                yield self._leave(ctx, name, host)
        elif host.status != HOST_STATUS_ACTIVE:
            if dice.random() < 0.2:
                yield self._update(ctx, name, model, host, host.price_ugrad_per_gma, dice)
        elif self.behaviours[name] == "drifting" and dice.random() < 0.03:
            yield Intent(name, MsgDrainHost(host=address_of(name), model_id=model.id), succeeds=True)
        elif self.behaviours[name] == "changing" and dice.random() < 0.1:
            yield self._update(ctx, name, model, host, dice.choice(PRICES), dice)
        elif dice.random() < 0.01:
            yield Intent(name, MsgLeaveHost(host=address_of(name), model_id=model.id),
                         succeeds=None)
        elif host.bond_ugrad < model.spec.inference.host_bond_ugrad or dice.random() < 0.01:
            yield self._update(ctx, name, model, host, host.price_ugrad_per_gma, dice)

    def _register(self, name: str, model: Model, dice: random.Random) -> Intent:
        bond = coin_pb(base_coin(max(model.spec.inference.host_bond_ugrad, dice.choice((10**6, 10**8, 10**9)))))
        return Intent(name, MsgRegisterHost(
            host=address_of(name), model_id=model.id, price_ugrad_per_gma=dice.choice(PRICES),
            capacity=dice.choice((2, 64, 1_000)), bond=bond, endpoint=f"http://{name}.example",
            statement_key=new_test_key(f"{name}/statements").public), succeeds=True)

    def _update(self, ctx: Ctx, name: str, model: Model, host: Host, price: int, dice: random.Random) -> Intent:
        missing_ugrad = max(0, model.spec.inference.host_bond_ugrad - host.bond_ugrad)
        return Intent(name, MsgUpdateHost(
            host=host.address, model_id=model.id, price_ugrad_per_gma=price, capacity=dice.choice((2, 64, 1_000)),
            bond=coin_pb(base_coin(missing_ugrad + dice.choice((0, 0, 10**7)))), endpoint=host.endpoint,
            statement_key=host.statement_key),
            succeeds=host.status == HOST_STATUS_ACTIVE or host.return_height <= ctx.height + 1)

    def _leave(self, ctx: Ctx, name: str, host: Host) -> Intent:
        """What is open may be over when the block begins; nothing new is dealt to who is not active."""
        is_cool = host.return_height <= ctx.height + 1
        return Intent(name, MsgLeaveHost(host=host.address, model_id=host.model_id),
                      succeeds=None if is_cool and host.open_count else is_cool)


def salt_of(name: str, request_id: int) -> bytes:
    """A salt that only this host's seat has; a test needs no secret."""
    return hashlib.sha256(f"{name}/{request_id}".encode()).digest()


def new_behaviours(dice: random.Random, count: int) -> dict[str, str]:
    """Hosts of all kinds, as many as there is room for, and the others of any kind."""
    drawn = [*BEHAVIOURS, *(dice.choice(BEHAVIOURS) for _ in range(count))][:count]
    dice.shuffle(drawn)
    return {f"host{index}": behaviour for index, behaviour in enumerate(drawn)}
