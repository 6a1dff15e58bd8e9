"""Users and hosts of sessions: how far they talk between two blocks, and what each sends into the next.

Users: honest pays every answer and closes with the last receipt; checking recomputes, and challenges what is wrong;
stale closes with an old receipt; unpaying does not sign for the last answer; forger shows a state that nobody stated;
griefer challenges what is right; vanish goes away at any moment; idle never closes. Hosts do as tests/sim/inference/
hosts.py has it: wrong and gang answer some questions wrongly, withhold does not show what was drawn, absent goes
away at any moment, copy shows a receipt that it signed itself, late acts nearly at the last moment.
"""

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from abci_app.runtime.context import Ctx
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Host, Question
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_RETIRED, Model
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import (
    SESSION_STATUS_CLOSING, SESSION_STATUS_OPEN, SESSION_STATUS_SETTLED, SESSION_STATUS_SHOWING, Receipt, Session,
)
from abci_app.wire.pb.gradus.sessions.v1.tx_pb2 import (
    MsgChallengeAnswer, MsgCloseSession, MsgOpenSession, MsgShowEntry, MsgTopUpSession,
)
from tests.chain import address_of, new_test_key
from tests.sim.inference.hosts import Hosts
from tests.sim.inference.talks import Talk
from tests.sim.inference.terms import draw_question
from tests.sim.inference.users import PPM, compute_ask, compute_fee, list_active
from tests.sim.market import Intent

USER_KINDS = ("honest", "honest", "checking", "checking", "stale", "unpaying", "forger", "griefer", "vanish", "idle")
ANSWERS_MAX = 6
PATIENCE_BLOCKS = 5  # of a host whose user is silent, and of a user whose host is


@dataclass
class Parties:
    """All sessions that are not settled. new: by receipt key, those that are asked for. dice: of a topic now."""

    hosts: Hosts
    users: tuple[str, ...]
    dice: Callable[[str], random.Random]
    chain_id: str
    talks: dict[int, Talk] = field(default_factory=dict)
    new: dict[bytes, Talk] = field(default_factory=dict)
    count: int = 0

    def look(self, ctx: Ctx) -> dict[int, Session]:
        """The sessions that are not settled; those that were opened in the last block begin to talk."""
        sessions = {one.id: one for one in self.hosts.answers.app.sessions.iter_sessions(ctx)
                    if one.status != SESSION_STATUS_SETTLED}
        for session in sessions.values():
            if session.id not in self.talks:
                talk = self.new.pop(session.receipt_key)
                talk.session_id = session.id
                self.talks[session.id] = talk
        return sessions

    def iter_intents(self, ctx: Ctx, sessions: dict[int, Session], models: list[Model], count: int,
                     is_alone: bool) -> Iterator[Intent]:
        """What they send into the next block. is_alone: whether nobody else binds hosts' bonds in it."""
        self.new.clear()
        yield from self._open(ctx, models, count, is_alone)
        for session in sessions.values():
            talk, dice = self.talks[session.id], self.dice(f"session {session.id}")
            if session.status == SESSION_STATUS_OPEN:
                self._talk(ctx, session, talk, dice)
            acts = [self._act_user(session, talk, dice), self._act_host(ctx, session, talk)]
            if session.status != SESSION_STATUS_OPEN:
                acts.reverse()
            for act in acts:
                intent = next(act, None)
                if intent is not None:
                    yield intent
                    break

    def _open(self, ctx: Ctx, models: list[Model], count: int, is_alone: bool) -> Iterator[Intent]:
        """New sessions with hosts that have room."""
        served = [one for one in models if one.status != MODEL_STATUS_RETIRED and one.spec.HasField("inference")]
        hosts = {(host.model_id, host.address): host for host in list_active(self.hosts.answers, ctx)}
        for at in range(count):
            dice = self.dice(f"open/{at}")
            user, model = dice.choice(self.users), dice.choice(served) if served else None
            found = [name for name in self.hosts.behaviours if model and (model.id, address_of(name)) in hosts]
            if model is None or not found:
                return
            name = dice.choice(found)
            host, wanted = hosts[model.id, address_of(name)], dice.randint(1, ANSWERS_MAX)
            fee_ugrad = self._compute_fee(model, draw_question(dice, model.spec), host)
            deposit_ugrad = fee_ugrad * dice.randint(1, 2 * wanted)
            stake_ugrad = compute_session_stake(model, deposit_ugrad)
            if user == name or host.open_count >= host.capacity or host.bond_ugrad - host.staked_ugrad < stake_ugrad:
                continue
            host.open_count += 1
            host.staked_ugrad += stake_ugrad
            yield self._new_session(model, user, name, host, wanted, deposit_ugrad, dice, is_alone)

    def _new_session(self, model: Model, user: str, name: str, host: Host, wanted: int, deposit_ugrad: int,
                     dice: random.Random, is_alone: bool) -> Intent:
        self.count += 1
        key = new_test_key(f"{user}/receipts/{self.count}")
        talk = Talk(user, dice.choice(USER_KINDS), name, self.hosts.behaviours[name], key, wanted, self.chain_id)
        self.new[key.public] = talk
        return Intent(user, MsgOpenSession(
            user=address_of(user), model_id=model.id, host=address_of(name), is_pinned=dice.random() < 0.3,
            round=model.rounds_closed, price_max_ugrad_per_gma=host.price_ugrad_per_gma,
            deposit=coin_pb(base_coin(deposit_ugrad)), receipt_key=key.public, blocks=dice.choice((10, 25, 40))),
            succeeds=True if is_alone else None)

    def _compute_fee(self, model: Model, question: Question, host: Host) -> int:
        return compute_fee(model.spec.inference, compute_ask(model.spec, question, host.price_ugrad_per_gma))

    def _talk(self, ctx: Ctx, session: Session, talk: Talk, dice: random.Random) -> None:
        """Some questions and answers, until one side goes away."""
        began = talk.given
        for _ in range(dice.randint(0, 3)):
            if talk.is_over or talk.paid_count < talk.given or self.hosts.is_away(ctx, talk.host):
                break
            if not self._answer(ctx, session, talk, dice):
                break
            self._pay(talk, dice)
        talk.idle_blocks = 0 if talk.given > began else talk.idle_blocks + 1

    def _answer(self, ctx: Ctx, session: Session, talk: Talk, dice: random.Random) -> bool:
        """One answer, if the deposit bears its fee."""
        spec = self.hosts.answers.app.models.get_spec(ctx, session.model_id, session.spec_version)
        question = draw_question(dice, spec)
        fee_ugrad = compute_fee(spec.inference, compute_ask(spec, question, session.price_ugrad_per_gma))
        if talk.owed(talk.given) + fee_ugrad > session.deposit_ugrad:
            return False
        right = self.hosts.answers.answer(ctx, session, question)
        lies = talk.host_kind in ("wrong", "gang") and dice.random() < 0.3
        answer = right[:-4] + hashlib.sha256(f"{talk.host}/{talk.given}".encode()).digest()[:4] if lies else right
        talk.give(question, answer, answer == right, fee_ugrad)
        talk.host_left = talk.host_kind == "absent" and dice.random() < 0.2
        return True

    def _pay(self, talk: Talk, dice: random.Random) -> None:
        """The user signs for the last answer, if it does."""
        if talk.user_kind == "checking" and not talk.is_right[-1]:
            talk.wrong_number = talk.given
            return
        talk.user_left = talk.user_kind == "vanish" and dice.random() < 0.3
        is_signed = not talk.user_left or dice.random() < 0.5
        if is_signed and not (talk.user_kind == "unpaying" and talk.given >= talk.wanted):
            talk.paid_count = talk.given

    def _act_user(self, session: Session, talk: Talk, dice: random.Random) -> Iterator[Intent]:
        if talk.user_left or session.status not in (SESSION_STATUS_OPEN, SESSION_STATUS_CLOSING):
            return
        if not session.is_challenged:
            if talk.wrong_number:
                yield self._challenge(talk, talk.wrong_number)
            elif talk.user_kind == "griefer" and any(talk.is_right) and dice.random() < 0.2:
                yield self._challenge(talk, 1 + talk.is_right.index(True))
        is_silent = talk.idle_blocks > PATIENCE_BLOCKS
        if session.status == SESSION_STATUS_CLOSING:
            if not session.user_closed and dice.random() < 0.3:
                yield self._close(talk, talk.user, Receipt())
        elif is_silent and not talk.is_over and dice.random() < 0.3:
            yield Intent(talk.user, MsgTopUpSession(user=address_of(talk.user), session_id=session.id,
                                                    amount=coin_pb(base_coin(session.deposit_ugrad))))
        elif talk.user_kind != "idle" and (talk.is_over or is_silent):
            yield self._end(talk)

    def _end(self, talk: Talk) -> Intent:
        """The user closes, as it is its kind."""
        count, talk.tries = talk.paid_count, talk.tries + 1
        if talk.user_kind == "forger" and talk.tries == 1 and talk.given:
            message = MsgCloseSession(sender=address_of(talk.user), session_id=talk.session_id, receipt=talk.invent(),
                                      statement=talk.statements[-1])
            return Intent(talk.user, message, succeeds=False)
        if talk.user_kind == "stale":
            count //= 2
        return self._close(talk, talk.user, talk.sign(count) if count else Receipt())

    def _act_host(self, ctx: Ctx, session: Session, talk: Talk) -> Iterator[Intent]:
        if talk.host_left or self.hosts.is_away(ctx, talk.host):
            return
        is_late = talk.host_kind == "late" and ctx.height + 3 < session.due_height
        if session.status == SESSION_STATUS_SHOWING:
            if talk.host_kind != "withhold" and not is_late:
                yield self._show(session, talk)
        elif session.status == SESSION_STATUS_CLOSING or session.status == SESSION_STATUS_OPEN \
                and talk.idle_blocks > 2 * PATIENCE_BLOCKS:
            later = talk.sign(talk.paid_count) if talk.paid_count > session.receipt.count else Receipt()
            if talk.host_kind == "copy" and talk.given > talk.paid_count:
                talk.host_kind = "honest"
                forged = talk.forge(talk.states[-1], new_test_key(talk.host))
                yield Intent(talk.host, MsgCloseSession(sender=address_of(talk.host), session_id=session.id,
                                                        receipt=forged), succeeds=False)
            elif not is_late and (later.count or not session.host_closed):
                yield self._close(talk, talk.host, later)

    def _close(self, talk: Talk, name: str, receipt: Receipt) -> Intent:
        """Close with a receipt, which from the user comes with the host's statement; or with none."""
        message = MsgCloseSession(sender=address_of(name), session_id=talk.session_id)
        if receipt.count:
            message.receipt.CopyFrom(receipt)
            if name == talk.user:
                message.statement = talk.statements[receipt.count - 1]
        return Intent(name, message, succeeds=True)

    def _challenge(self, talk: Talk, number: int) -> Intent:
        """An answer that the host has stated last."""
        return Intent(talk.user, MsgChallengeAnswer(
            user=address_of(talk.user), session_id=talk.session_id, entry=talk.entries[number - 1],
            receipt=talk.states[-1], proof=talk.prove(number, talk.given), statement=talk.statements[-1],
            question=talk.questions[number - 1]), succeeds=True)

    def _show(self, session: Session, talk: Talk) -> Intent:
        number = talk.find_number(session.drawn_ugrad)
        return Intent(talk.host, MsgShowEntry(
            sender=address_of(talk.host), session_id=session.id, entry=talk.entries[number - 1],
            proof=talk.prove(number, session.receipt.count), question=talk.questions[number - 1]), succeeds=True)


def compute_session_stake(model: Model, deposit_ugrad: int) -> int:
    """What a wrong answer in a session costs at least."""
    policy = model.spec.inference
    at_risk_ugrad = -(-deposit_ugrad * PPM // policy.audit_ppm)
    return -(-at_risk_ugrad * PPM // policy.burn_slash_ppm)
