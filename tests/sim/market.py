"""What everybody in the simulation can compute from the chain: models, datasets, right claims, and claims made."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from google.protobuf.message import Message

from abci_app.app import App
from abci_app.runtime.context import Ctx
from abci_app.watch.game import Replay
from abci_app.watch.replay import UnitReplay
from abci_app.wire.audit import ANSWER, STATEMENT, decode_subject
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.merkle import merkle_root
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model, ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Unit
from abci_app.x.work.types import new_unit_terms
from tests.sim.claims import Claim, compute_answer, compute_claim
from tests.sim.inference.answers import Answers
from tests.sim.rows import RowsTable, TableDataset

Place = tuple[int, int, int, int]
Lie = Callable[[UnitReplay], Replay]


@dataclass(frozen=True)
class Intent:
    """A message that somebody sends. succeeds: whether it must; None where it may do either. refusal: the (codespace,
    code) with which it must be refused, where that is told."""

    name: str
    message: Message
    succeeds: bool | None = None
    refusal: tuple[str, int] | None = None


@dataclass
class Markets:
    """Shared knowledge; nothing here is known to the chain. lies: how who claimed a lie would defend it.

    inference: what models answer.
    """

    app: App
    inference: Answers
    tables: dict[bytes, RowsTable] = field(default_factory=dict)
    made: dict[Place, Claim] = field(default_factory=dict)
    lies: dict[Place, Lie] = field(default_factory=dict)
    right: dict[Place, Claim] = field(default_factory=dict)
    answers: dict[bytes, bytes] = field(default_factory=dict)

    def add(self, table: RowsTable) -> None:
        """Let everybody have a dataset."""
        self.tables[table.terms.rows_root] = table

    def models(self, ctx: Ctx) -> list[Model]:
        """All models of the chain."""
        return list(self.app.models.iter_models(ctx))

    def right_claim(self, ctx: Ctx, running: Round, unit: int) -> Claim:
        """What the unit gives."""
        place = place_of(running, unit)
        if place not in self.right:
            self.right[place] = compute_claim(*self._inputs(ctx, running, unit))
        return self.right[place]

    def claim_on_other_rows(self, ctx: Ctx, running: Round, unit: int) -> Claim:
        """The unit on the dataset turned by one row: right work on wrong data."""
        *inputs, rows = self._inputs(ctx, running, unit)
        self.lies[place_of(running, unit)] = _turn_rows
        return compute_claim(*inputs, rows[1:] + rows[:1])

    def claim_of_fewer_steps(self, ctx: Ctx, running: Round, unit: int) -> Claim:
        """The unit without its last local step, or of another unit where there is only one."""
        spec, *inputs = self._inputs(ctx, running, unit)
        if spec.training.local_steps == 1:
            return compute_claim(spec, running, unit + 100, *inputs[2:])
        lazy = ModelSpec()
        lazy.CopyFrom(spec)
        lazy.training.local_steps -= 1
        lazy.training.trace_every = min(lazy.training.trace_every, lazy.training.local_steps)
        return compute_claim(lazy, *inputs)

    def claim_of_lie(self, ctx: Ctx, running: Round, unit: Unit, lie: Lie) -> Claim:
        """What a liar claims, who has a transcript to defend it with."""
        spec, _, _, weights, _ = self._inputs(ctx, running, unit.index)
        truth = UnitReplay(new_unit_terms(spec, running, unit), lambda: weights, TableDataset(self._table_of(spec)))
        liar = lie(truth)
        self.lies[place_of(running, unit.index)] = lie
        return Claim(liar.payload, merkle_root(liar.trace), spec.training.codec)

    def find_answer(self, ctx: Ctx, audit: Audit) -> bytes:
        """The right answer to an audit, computed when it is first asked for: the weights are not kept for long."""
        named = decode_subject(audit.subject)
        if named.kind in (ANSWER, STATEMENT):
            return self.inference.find_said(ctx, audit)
        if audit.subject not in self.answers:
            audited = self.app.work.get_round(ctx, named.model_id, named.number)
            self.answers[audit.subject] = compute_answer(*self._inputs(ctx, audited, named.index), audit)
        return self.answers[audit.subject]

    def replay(self, ctx: Ctx, model_id: int, number: int, unit: int) -> UnitReplay:
        """The truth about a unit whose weights are kept, and what is claimed of it."""
        owner = self.app.work.get_round(ctx, model_id, number)
        spec, _, _, weights, _ = self._inputs(ctx, owner, unit)
        terms = self.app.work.compute_terms(ctx, model_id, number, unit)
        return UnitReplay(terms, lambda: weights, TableDataset(self._table_of(spec)))

    def _inputs(self, ctx: Ctx, running: Round, unit: int) -> tuple[ModelSpec, Round, int, bytes, list[bytes]]:
        """What a unit is computed from."""
        spec = self.app.work.spec_of(ctx, running)
        weights = self.app.models.load_weights(ctx, running.model_id, running.number - 1)
        return spec, running, unit, weights, self._table_of(spec).rows

    def _table_of(self, spec: ModelSpec) -> RowsTable:
        return self.tables[spec.dataset.rows_root]

    def keep_claim(self, running: Round, unit: Unit, claim: Claim) -> Claim:
        """Remember what is committed; who commits again after a block was lost commits to the same."""
        return self.made.setdefault(place_of(running, unit.index), claim)

    def kept_claim(self, running: Round, unit: Unit) -> Claim:
        """What was committed."""
        return self.made[place_of(running, unit.index)]

    def find_earlier_claim(self, running: Round, codec: str, dice: random.Random) -> Claim | None:
        """Somebody's claim of the round before in this codec, which terms may have changed; None when there is none."""
        earlier = [place for place, claim in self.made.items()
                   if place[:2] == (running.model_id, running.number - 1) and claim.codec == codec]
        return self.made[dice.choice(sorted(earlier))] if earlier else None

    def is_right(self, owner: Round, unit: int) -> bool:
        """Whether what was committed is what the unit gives, which has been computed before."""
        return self.made[place_of(owner, unit)] == self.right[place_of(owner, unit)]

    def forget(self, model_id: int, number: int, attempt: int | None = None) -> None:
        """Drop what is known of a round, or of one of its attempts."""
        for known in (self.made, self.lies, self.right):
            for place in [place for place in known if place[:2] == (model_id, number)
                          and attempt in (None, place[2])]:
                del known[place]
        for subject in [subject for subject in self.answers if _is_of(subject, model_id, number, attempt)]:
            del self.answers[subject]


def place_of(running: Round, unit: int) -> Place:
    """By what a claim is known here."""
    return running.model_id, running.number, running.attempt, unit


def _turn_rows(truth: UnitReplay) -> UnitReplay:
    """The unit on the rows turned by one."""
    table = truth.dataset.table
    return UnitReplay(truth.terms, truth.load_weights, TableDataset(table.turned()))


def _is_of(subject: bytes, model_id: int, number: int, attempt: int | None) -> bool:
    named = decode_subject(subject)
    return (named.model_id, named.number) == (model_id, number) and attempt in (None, named.attempt)
