"""Requests and sessions beside everything else that happens on a chain: for tests/sim/world.py."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from abci_app.runtime.context import Ctx
from abci_app.runtime.events import Event
from abci_app.wire.audit import statement_subject
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Request
from abci_app.wire.pb.gradus.rewards.v1.tx_pb2 import MsgCollectRoyalties
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Session
from tests.chain import CHAIN_ID, address_of
from tests.sim.inference.answers import Answers
from tests.sim.inference.checks import RequestChecks
from tests.sim.inference.hosts import BEHAVIOURS, Hosts
from tests.sim.inference.parties import Parties
from tests.sim.inference.session_checks import SessionChecks
from tests.sim.inference.users import NAMES, PPM, Users, compute_fee, compute_judging
from tests.sim.market import Intent

ASKING = ("user0", "user1")
HOST_NAMES = tuple(f"host{index}" for index in range(8))
BURNING = ("rewards.fee_shared", "inference.host_slashed", "sessions.session_opened", "sessions.session_topped_up")
Fields = dict[str, str]


@dataclass(frozen=True)
class Looked:
    """What was open before a block. ctx: over the state then, at the block's height."""

    ctx: Ctx
    requests: list[Request]
    sessions: dict[int, Session]


@dataclass
class Trade:
    """Hosts, users and what must be true of them. trainers: names of those who may collect what answers brought them.

    right: of decided audits, by subject, how many were right. bonds: of challenges, by session.
    """

    answers: Answers
    hosts: Hosts
    users: Users
    parties: Parties
    requests: RequestChecks
    sessions: SessionChecks
    trainers: list[str]
    dice: Callable[[str], random.Random]
    right: Counter[str] = field(default_factory=Counter)
    bonds: Counter[int] = field(default_factory=Counter)

    def look(self, ctx: Ctx, next_ctx: Ctx) -> Looked:
        """What is open; the right answers are computed while their weights are held."""
        return Looked(next_ctx, self.requests.look(ctx), self.parties.look(ctx))

    def iter_asks(self, ctx: Ctx, looked: Looked) -> Iterator[Intent]:
        """What users and parties send: the first messages of the next block, so that all stands as `ctx` shows it."""
        models, dice = list(self.answers.app.models.iter_models(ctx)), self.dice("trade")
        yield from self.users.iter_intents(ctx, models, dice.choice((0, 0, 1, 2)))
        yield from self.parties.iter_intents(ctx, looked.sessions, models, dice.choice((0, 0, 1)), is_alone=False)

    def iter_answers(self, ctx: Ctx, looked: Looked, changed: list[int]) -> Iterator[Intent]:
        """What hosts send, and trainers who collect. changed: models of which the admin changes something before."""
        models = list(self.answers.app.models.iter_models(ctx))
        for intent in self.hosts.iter_intents(ctx, looked.requests, models):
            is_sure = getattr(intent.message, "model_id", 0) not in changed
            yield intent if is_sure else Intent(intent.name, intent.message)
        dice = self.dice("collecting")
        if models and dice.random() < 0.2:
            name = dice.choice(self.trainers)
            yield Intent(name, MsgCollectRoyalties(trainer=address_of(name), model_id=dice.choice(models).id))

    def check_block(self, looked: Looked, after: Ctx, events: list[Event]) -> None:
        """Raises AssertionError for what must not be."""
        self.requests.check_block(looked.ctx, after, looked.requests, events)
        self.sessions.check_block(looked.ctx, after, looked.sessions, events)
        self._check_fees(looked.ctx, after, events)
        for event in events:
            fields = dict(event.attributes)
            if event.type in ("inference.request_answered", "inference.request_failed"):
                self.hosts.forget(int(fields["request_id"]))
            elif event.type == "audits.audit_closed":
                self.answers.forget_audit(bytes.fromhex(fields["subject"]))

    def count_burnt(self, looked: Looked, after: Ctx, events: list[Event]) -> int:
        """ugrad that requests and sessions have had burnt in a block."""
        burnt = 0
        for event in events:
            fields = dict(event.attributes)
            if event.type in BURNING:
                burnt += int(fields["burnt_ugrad"])
            elif event.type == "inference.request_opened":
                burnt += self._count_price(looked.ctx, fields)
            elif event.type == "audits.audit_decided":
                self.right[fields["subject"]] = int(fields["right"])
            elif event.type == "sessions.answer_challenged":
                self.bonds[int(fields["session_id"])] = int(fields["bond_ugrad"])
            elif event.type == "sessions.entry_audited":
                burnt += self._count_bond(after, fields)
        return burnt

    def _count_price(self, before: Ctx, one: Fields) -> int:
        """Of a request: its price, and what judging is worth by the chance of the lot."""
        policy = self.answers.app.models.get_model(before, int(one["model_id"])).spec.inference
        judging = compute_judging(self.answers, before, int(one["work"]))
        price = self.answers.app.inference.params(before).request_price_ugrad
        return price + -(-judging * policy.audit_ppm // PPM)

    def _count_bond(self, after: Ctx, one: Fields) -> int:
        """Of a challenge of a right answer what equal parts of its bond leave."""
        bond = self.bonds.pop(int(one["session_id"]), 0)
        if one["verdict"] != "right":
            return 0
        session = self.answers.app.sessions.get_session(after, int(one["session_id"]))
        count = self.right[statement_subject(session.model_id, session.id, int(one["number"])).hex()]
        return bond % count if count else bond

    def _check_fees(self, before: Ctx, after: Ctx, events: list[Event]) -> None:
        """What users paid is what was shared, and hosts have their asks of it."""
        paid, shared = list[tuple[str, int, int]](), list[tuple[str, int, int]]()
        for event in events:
            fields = dict(event.attributes)
            if event.type == "rewards.fee_shared":
                parts = {name: int(fields[name]) for name in fields if name.endswith("_ugrad")}
                shared.append((fields["host"], parts["host_ugrad"], sum(parts.values())))
            elif event.type == "inference.seat_settled" and fields["status"] == "paid":
                request = self.answers.app.inference.get_request(before, int(fields["request_id"]))
                policy = self.answers.app.models.get_spec(before, request.model_id, request.spec_version).inference
                ask = int(fields["ask_ugrad"])
                paid.append((fields["host"], ask, compute_fee(policy, ask)))
            elif event.type == "sessions.session_settled" and int(fields["paid_ugrad"]):
                session = self.answers.app.sessions.get_session(after, int(fields["session_id"]))
                policy = self.answers.app.models.get_spec(after, session.model_id, session.spec_version).inference
                total = int(fields["paid_ugrad"])
                paid.append((fields["host"], total * policy.hosts_ppm // PPM, total))
        assert sorted(paid) == sorted(shared), f"users paid {paid}, shared were {shared}"

    @property
    def seen(self) -> Counter[str]:
        """How often each thing has happened to requests and sessions, but for events, which all are counted once."""
        seen = self.requests.seen + self.sessions.seen
        return Counter({name: seen[name] for name in seen if "." not in name})


def new_trade(answers: Answers, seed: int, dice: Callable[[str], random.Random], trainers: list[str]) -> Trade:
    """Two honest hosts, the others of any kind, and everybody who asks."""
    drawn = dice("hosts")
    behaviours = {name: drawn.choice(BEHAVIOURS) for name in HOST_NAMES} | dict.fromkeys(HOST_NAMES[:2], "honest")
    hosts = Hosts(answers, behaviours, dice, seed)
    users = Users(answers, (*ASKING, HOST_NAMES[-1]), dice)
    parties = Parties(hosts, (*ASKING, HOST_NAMES[-1]), dice, CHAIN_ID)
    named = {address_of(name): behaviours[name] for name in behaviours}
    checks = RequestChecks(answers, named, hosts.trustworthy)
    return Trade(answers, hosts, users, parties, checks, SessionChecks(parties), trainers, dice)


def list_names() -> list[str]:
    """All accounts that this needs."""
    return [*HOST_NAMES, *NAMES]
