"""Users of the simulation who ask models: what each asks in a block, and what must come of it.

asking: a right question for as much as the cheapest hosts want, or more. poor: offers what it does not have. miser:
offers one ugrad less than the cheapest hosts want. fool: asks what has no answer, or for what no contract allows.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import HOST_STATUS_ACTIVE, Host, Question
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import MsgRequestInference
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_RETIRED, InferencePolicy, Model, ModelSpec
from kernels import mlp
from tests.chain import address_of, new_test_key
from tests.sim.inference.answers import Answers
from tests.sim.inference.terms import draw_nonsense, draw_question
from tests.sim.market import Intent

PPM, GMA = 1_000_000, 10**9
AUDITORS_MAX = 64
ASKING = ("user0", "user1", "user2", "user3")
POOR, MISER, FOOL = "poor", "miser", "fool"
POOR_UGRAD = 10**9  # enough for the fees of its transactions
NAMES = (*ASKING, POOR, MISER, FOOL)


@dataclass(frozen=True)
class Users:
    """names: of those who ask what has an answer, hosts among them. dice: of a topic at the present height."""

    answers: Answers
    names: tuple[str, ...]
    dice: Callable[[str], random.Random]

    def iter_intents(self, ctx: Ctx, models: list[Model], count: int) -> Iterator[Intent]:
        """So many requests that must be taken, where hosts enough are there; and some that must be refused.

        They are the first messages of the block, so that hosts stand as `ctx` shows them.
        """
        asked = [model for model in models if model.status != MODEL_STATUS_RETIRED and model.spec.HasField("inference")]
        hosts = list_active(self.answers, ctx)
        for at in range(count if asked else 0):
            dice = self.dice(f"ask/{at}")
            yield from self._ask(ctx, dice.choice(asked), hosts, dice)
        for name in (POOR, MISER, FOOL) if asked else ():
            dice = self.dice(name)
            if dice.random() < 0.2:
                yield from self._ask_in_vain(ctx, name, dice.choice(asked), hosts, dice)

    def _ask(self, ctx: Ctx, model: Model, hosts: list[Host], dice: random.Random) -> Iterator[Intent]:
        name = dice.choice(self.names)
        question = draw_question(dice, model.spec)
        replicas = dice.randint(1, model.spec.inference.replicas_max)
        price_ugrad = compute_price(self.answers, ctx, model, hosts, address_of(name), question, replicas)
        if price_ugrad is None:
            return
        max_fee_ugrad = price_ugrad + dice.choice((0, price_ugrad, 100 * price_ugrad, 100 * price_ugrad))
        message = new_request(name, model, question, replicas, max_fee_ugrad, dice)
        if model.rounds_closed and dice.random() < 0.3:
            message.is_pinned, message.round = True, dice.randint(0, model.rounds_closed - 1)
        yield Intent(name, message, succeeds=True if message.round == model.rounds_closed else None)

    def _ask_in_vain(self, ctx: Ctx, name: str, model: Model, hosts: list[Host],
                     dice: random.Random) -> Iterator[Intent]:
        question = draw_question(dice, model.spec)
        price_ugrad = compute_price(self.answers, ctx, model, hosts, address_of(name), question, 1)
        if price_ugrad is None:
            return
        if name == POOR:
            max_fee_ugrad = self.answers.app.bank.balance(ctx, new_test_key(name).address)
            message, refusal = new_request(name, model, question, 1, max_fee_ugrad, dice), ("sdk", 5)
        elif name == MISER:
            if price_ugrad == 1:
                return
            message, refusal = new_request(name, model, question, 1, price_ugrad - 1, dice), ("inference", 22)
        else:
            message, refusal = self._draw_folly(model, question, price_ugrad, dice)
        yield Intent(name, message, succeeds=False, refusal=refusal)

    def _draw_folly(self, model: Model, question: Question, price_ugrad: int,
                    dice: random.Random) -> tuple[MsgRequestInference, tuple[str, int]]:
        kind = dice.randrange(5)
        if kind == 0:
            replicas = model.spec.inference.replicas_max + 1
            return new_request(FOOL, model, question, replicas, price_ugrad, dice), ("inference", 19)
        message = new_request(FOOL, model, question, 1, price_ugrad, dice)
        if kind == 1:
            message.deadline_blocks = dice.choice((0, 9, 10_001))
            return message, ("inference", 18)
        if kind == 2:
            message.is_pinned, message.round = True, 2**31
            return message, ("models", 3)
        if kind == 3:
            message.model_id = 2**60
            return message, ("models", 2)
        message.question.CopyFrom(draw_nonsense(dice, model.spec))
        return message, ("inference", 20)


def new_request(name: str, model: Model, question: Question, replicas: int, max_fee_ugrad: int,
                dice: random.Random) -> MsgRequestInference:
    """A request for the newest weights, or for the same by their round."""
    return MsgRequestInference(
        user=address_of(name), model_id=model.id, is_pinned=dice.random() < 0.3, round=model.rounds_closed,
        question=question, max_fee=coin_pb(base_coin(max_fee_ugrad)), replicas=replicas,
        deadline_blocks=dice.choice((10, 12, 12, 30)))


def list_active(answers: Answers, ctx: Ctx) -> list[Host]:
    """The hosts that take requests."""
    return [host for host in answers.app.inference.iter_hosts(ctx) if host.status == HOST_STATUS_ACTIVE]


def compute_price(answers: Answers, ctx: Ctx, model: Model, hosts: list[Host], user: str, question: Question,
                  replicas: int) -> int | None:
    """What the cheapest hosts want for an answer to a message of the next block; None where they are too few."""
    policy, fees = model.spec.inference, []
    judging_ugrad = compute_judging(answers, ctx, compute_work(model.spec, question))
    for host in hosts:
        ask_ugrad = compute_ask(model.spec, question, host.price_ugrad_per_gma)
        is_able = host.bond_ugrad >= max(policy.host_bond_ugrad, compute_stake(policy, ask_ugrad, judging_ugrad))
        if host.model_id == model.id and host.address != user and host.ready_height <= ctx.height + 1 and is_able:
            fees.append(compute_fee(policy, ask_ugrad))
    return sum(sorted(fees)[:replicas]) if len(fees) >= replicas else None


def compute_work(spec: ModelSpec, question: Question) -> int:
    """Multiply-adds of an answer."""
    return mlp.logits_cost(tuple(spec.mlp_classifier.widths), question.rows)


def compute_ask(spec: ModelSpec, question: Question, price_ugrad_per_gma: int) -> int:
    """What a host earns for an answer."""
    return max(1, -(-compute_work(spec, question) * price_ugrad_per_gma // GMA))


def compute_judging(answers: Answers, ctx: Ctx, work: int) -> int:
    """What it is worth that as many auditors as there can be compute an answer again."""
    return -(-work * AUDITORS_MAX * answers.app.models.params(ctx).audit_price_ugrad_per_gma // GMA)


def compute_fee(policy: InferencePolicy, ask_ugrad: int) -> int:
    """What a user pays for it."""
    return -(-ask_ugrad * PPM // policy.hosts_ppm)


def compute_stake(policy: InferencePolicy, ask_ugrad: int, judging_ugrad: int) -> int:
    """What a wrong answer costs at least."""
    least_ugrad = max(-(-ask_ugrad * (PPM - policy.audit_ppm) // policy.audit_ppm), ask_ugrad)
    return max(-(-least_ugrad * PPM // policy.burn_slash_ppm), judging_ugrad)
