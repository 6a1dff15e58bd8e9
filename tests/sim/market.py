"""What everybody in the simulation can compute from the chain: models, datasets, right claims, and claims made."""

import random
from dataclasses import dataclass, field

from google.protobuf.message import Message

from abci_app.runtime.context import Ctx
from abci_app.wire.audit import decode_subject
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model, ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Unit
from abci_app.x.models.keeper import Keeper as ModelsKeeper
from abci_app.x.work.keeper import Keeper as WorkKeeper
from tests.sim.claims import Claim, compute_answer, compute_claim
from tests.sim.rows import RowsTable

Place = tuple[int, int, int, int]


@dataclass(frozen=True)
class Intent:
    """A message that somebody sends. succeeds: whether it must; None where it may do either."""

    name: str
    message: Message
    succeeds: bool | None = None


@dataclass
class Markets:
    """Shared knowledge; nothing here is known to the chain."""

    model_keeper: ModelsKeeper
    work: WorkKeeper
    tables: dict[bytes, RowsTable] = field(default_factory=dict)
    made: dict[Place, Claim] = field(default_factory=dict)
    right: dict[Place, Claim] = field(default_factory=dict)
    answers: dict[bytes, bytes] = field(default_factory=dict)

    def add(self, table: RowsTable) -> None:
        """Let everybody have a dataset."""
        self.tables[table.terms.rows_root] = table

    def models(self, ctx: Ctx) -> list[Model]:
        """All models of the chain."""
        return list(self.model_keeper.iter_models(ctx))

    def right_claim(self, ctx: Ctx, running: Round, unit: int) -> Claim:
        """What the unit gives."""
        place = _place(running, unit)
        if place not in self.right:
            self.right[place] = compute_claim(*self._inputs(ctx, running, unit))
        return self.right[place]

    def claim_on_other_rows(self, ctx: Ctx, running: Round, unit: int) -> Claim:
        """The unit on the dataset turned by one row: right work on wrong data."""
        *inputs, rows = self._inputs(ctx, running, unit)
        return compute_claim(*inputs, rows[1:] + rows[:1])

    def find_answer(self, ctx: Ctx, audit: Audit) -> bytes:
        """The right answer to an audit, computed when it is first asked for: the weights are not kept for long."""
        if audit.subject not in self.answers:
            named = decode_subject(audit.subject)
            audited = self.work.get_round(ctx, named.model_id, named.number)
            self.answers[audit.subject] = compute_answer(*self._inputs(ctx, audited, named.index), audit.seed)
        return self.answers[audit.subject]

    def _inputs(self, ctx: Ctx, running: Round, unit: int) -> tuple[ModelSpec, Round, int, bytes, list[bytes]]:
        """What a unit is computed from."""
        spec = self.work.spec_of(ctx, running)
        weights = self.model_keeper.load_weights(ctx, running.model_id, running.number - 1)
        return spec, running, unit, weights, self.tables[spec.dataset.rows_root].rows

    def keep_claim(self, running: Round, unit: Unit, claim: Claim) -> Claim:
        """Remember what is committed; who commits again after a block was lost commits to the same."""
        return self.made.setdefault(_place(running, unit.index), claim)

    def kept_claim(self, running: Round, unit: Unit) -> Claim:
        """What was committed."""
        return self.made[_place(running, unit.index)]

    def find_earlier_claim(self, running: Round, dice: random.Random) -> Claim | None:
        """Somebody's claim of the round before, None when there is none."""
        earlier = [place for place in sorted(self.made) if place[:2] == (running.model_id, running.number - 1)]
        return self.made[dice.choice(earlier)] if earlier else None

    def is_right(self, owner: Round, unit: int) -> bool:
        """Whether what was committed is what the unit gives, which has been computed before."""
        return self.made[_place(owner, unit)] == self.right[_place(owner, unit)]


def _place(running: Round, unit: int) -> Place:
    return running.model_id, running.number, running.attempt, unit
