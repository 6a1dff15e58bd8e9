"""Replays a round or a whole model: from records while the chain keeps them, else from blocks, rows from this machine.

A round's claims are recomputed one by one; its weights from the payloads that were accepted. Whatever differs is a
result; only what cannot be had or does not hold together is an error.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from abci_app.client.chain import ChainClient
from abci_app.client.errors import ProofInvalid
from abci_app.client.light.blocks import Header
from abci_app.client.light.errors import ELSEWHERE
from abci_app.client.words import enum_word
from abci_app.data.errors import DataError
from abci_app.replay.blocks import BlockReader
from abci_app.replay.draw import compare_draw, read_draw
from abci_app.replay.errors import DatasetLacking, NothingToReplay
from abci_app.replay.history import has_proved_operation
from abci_app.replay.rebuild import Rebuilt, compute_first_weights, iter_rebuilt
from abci_app.replay.records import Records
from abci_app.replay.rounds import (
    Outcome, PastUnit, Progress, ReplayedUnit, Verdict, close_round, compute_root, replay_units,
)
from abci_app.units.source import Datasets, open_dataset
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model, ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    AUDIT_VERDICT_MISMATCH, ROUND_PHASE_CLOSED, SLASH_REASON_DISPUTE, UNIT_STATUS_ASSIGNED, UNIT_STATUS_COMMITTED,
    UNIT_STATUS_MISSED, UNIT_STATUS_REJECTED, UNIT_STATUS_WITHHELD, Round, Unit, UnitStatus,
)
from abci_app.x.work.types import compute_payload_root
from kernels import outer
from kernels.errors import KernelInputError

UNREVEALED = (UNIT_STATUS_ASSIGNED, UNIT_STATUS_COMMITTED, UNIT_STATUS_MISSED, UNIT_STATUS_WITHHELD)
ALL = "gradus audit {} --all rebuilds every round from blocks"


@dataclass(frozen=True, slots=True)
class RoundReplay:
    """What came of a round. number 0: the weights before the first.

    source: `records` or `blocks`. units: those that were replayed. weights: those after the round, compared;
    root: what the chain names, computed_root: what came out, each empty where there is none. note: why weights were
    not checked. audits: the units that were audited, compared with the draw.
    """

    number: int
    attempt: int
    source: str
    units: tuple[ReplayedUnit, ...]
    weights: Outcome
    root: bytes = b""
    computed_root: bytes = b""
    note: str = ""
    audits: Outcome = Outcome.UNKNOWN

    @property
    def is_equal(self) -> bool:
        """Whether the chain has it as it came out here, as far as it was compared."""
        is_equal = self.weights is not Outcome.DIFFERENT and self.audits is not Outcome.DIFFERENT
        return is_equal and all(one.verdict.is_right for one in self.units)


class Replayer:
    """Replays what one chain says, with the datasets of one folder."""

    def __init__(self, chain: ChainClient, records: Records, reader: BlockReader, store: Datasets,
                 report: Progress = lambda what, done, total: None,
                 check_header: Callable[[Header], None] | None = None) -> None:
        """chain: for weights and payloads, which are checked by their roots. check_header: raises when a header is not
        the chain's; for records that are proved, so that no block is taken on the node's word either."""
        self.chain, self.records, self.reader, self.store = chain, records, reader, store
        self.report, self.check_header = report, check_header

    def replay_round(self, model_id: int, number: int, index: int | None = None) -> RoundReplay:
        """A round, or the claim of its unit `index` alone.

        Raises NothingToReplay, DatasetLacking, BlockPruned, ProofInvalid, and what a node's silence raises.
        """
        with _fitting(model_id):
            return self._replay_round(self._get_model(model_id), number, index)

    def replay_model(self, model_id: int, with_units: bool = False) -> Iterator[RoundReplay]:
        """The weights of the seed, then every closed round up to now, from blocks; ends after one that is not equal.

        with_units: recompute every claim, too. Raises as replay_round.
        """
        with _fitting(model_id):
            yield from self._replay_model(self._get_model(model_id), with_units)

    def _replay_round(self, model: Model, number: int, index: int | None) -> RoundReplay:
        if number > model.rounds_closed + 1:
            raise NothingToReplay(f"model {model.id} has closed {model.rounds_closed} rounds, not {number}",
                                  f"gradus query work round {model.id} shows the one that runs")
        running = self.records.find_round(model.id, number)
        if running is not None:
            _check_identity(running, model.id, number)
            weights = self.chain.find_weights(model.id, number - 1, running.weights_root)
            if weights is not None:
                return self._replay_kept(model, running, weights, index)
        elif number > model.rounds_closed:
            raise NothingToReplay(f"round {number} of model {model.id} has not been opened yet")
        return self._replay_past(model, number, index)

    def _replay_model(self, model: Model, with_units: bool) -> Iterator[RoundReplay]:
        yield self._replay_first(model)
        last = None
        if model.rounds_closed:
            slashes = self.records.list_slashes(model.id) if with_units else []
            for rebuilt in self._iter_rebuilt(model):
                last = self._compare(model, rebuilt, rebuilt.list_units(slashes) if with_units else [])
                if not last.is_equal or last.number == model.rounds_closed:
                    self._check_header(rebuilt)
                yield last
                if not last.is_equal:
                    return
        if (last.number if last is not None else 0) != model.rounds_closed:
            raise ProofInvalid(f"the blocks of {self.reader.rpc.url} close {last.number if last else 0} rounds of "
                               f"model {model.id}, its record says {model.rounds_closed}", ELSEWHERE)

    def _get_model(self, model_id: int) -> Model:
        model = self.records.find_model(model_id)
        if model is None:
            raise NothingToReplay(f"there is no model {model_id} on this chain", "see: gradus query models list")
        return model

    def _replay_kept(self, model: Model, running: Round, weights: bytes, index: int | None) -> RoundReplay:
        spec = self.records.get_spec(model.id, running.spec_version)
        units = [self._get_unit(running, one) for one in _choose(running.unit_count, index)]
        replayed = self._replay_units(spec, running, self._read_units(running, units), weights)
        if index is not None:
            return RoundReplay(running.number, running.attempt, "records", tuple(replayed), Outcome.UNKNOWN,
                               note="one unit was asked for")
        root = self._find_root(model, running.number)
        computed, note = self._close_kept(spec, running, replayed, weights)
        audits = compare_draw(read_draw(running, units), self.reader.chain_id, model.id, spec.audit.rate_ppm)
        if root and computed:
            outcome, note = Outcome.EQUAL if root == computed else Outcome.DIFFERENT, ""
        else:
            outcome, note = Outcome.UNKNOWN, note or "the chain keeps no root of the weights after the round"
        return RoundReplay(running.number, running.attempt, "records", tuple(replayed), outcome, root, computed, note,
                           audits)

    def _close_kept(self, spec: ModelSpec, running: Round, replayed: list[ReplayedUnit],
                    weights: bytes) -> tuple[bytes, str]:
        """(root of the weights that the round's payloads give, "") or (b"", why it cannot be told)."""
        if running.phase != ROUND_PHASE_CLOSED:
            return b"", "the round is not closed"
        if running.number > 1 and spec.training.outer_momentum_q16:
            return b"", f"the outer momentum before the round is in no record; {ALL.format(running.model_id)}"
        payloads = []
        for one in replayed:
            if not one.unit.is_aggregated:
                continue  # it was rejected before the round was closed
            payload = self._find_payload(spec, running, one)
            if payload is None:
                return b"", (f"the payload of unit {one.unit.index} is no longer kept, and is not the computed one; "
                             f"{ALL.format(running.model_id)}")
            payloads.append(payload)
        momentum = bytes(outer.MOMENTUM_BYTES * (len(weights) // outer.WEIGHT_BYTES))
        return compute_root(close_round(spec, payloads, weights, momentum)[0]), ""

    def _find_payload(self, spec: ModelSpec, running: Round, replayed: ReplayedUnit) -> bytes | None:
        """An accepted payload: the computed one where it is the claimed one, else the node's, checked by its root."""
        unit = replayed.unit
        if replayed.computed is not None and replayed.verdict.is_equal:
            return replayed.computed.payload
        found = self.chain.find_payload(running.model_id, running.number, unit.index)
        if found is not None and compute_payload_root(found, spec.training.codec) != unit.payload_root:
            raise ProofInvalid(f"the payload of unit {unit.index} does not stand under its root", ELSEWHERE)
        return found

    def _replay_past(self, model: Model, number: int, index: int | None) -> RoundReplay:
        """A round from blocks.

        What a block says of accepted units and of weights is the node's word. So where records are proved, the rounds
        after it are rebuilt too, up to the first whose root the state still has: no other round leads there.
        """
        slashes, found = self.records.list_slashes(model.id), None
        for rebuilt in self._iter_rebuilt(model):
            past = rebuilt.past
            root = self._find_anchor(model, past.number)
            if past.number == number:
                units = rebuilt.list_units(slashes)
                chosen = [units[one] for one in _choose(len(units), index)]
                found = self._compare(model, rebuilt, chosen)
            elif rebuilt.root != past.weights_root or root and root != rebuilt.root:
                raise ProofInvalid(f"the weights after round {past.number} do not come out of the blocks, so nothing "
                                   f"is known of round {number}", ALL.format(model.id))
            if found is not None and (self.check_header is None or root or found.weights is Outcome.DIFFERENT):
                self._check_header(rebuilt)
                return found
        raise ProofInvalid(f"no block of {self.reader.rpc.url} closes round {number} of model {model.id}", ELSEWHERE)

    def _find_anchor(self, model: Model, number: int) -> bytes:
        """The root of the weights after a round, by the state; empty for those that cannot be kept any more."""
        may_be_kept = number >= model.rounds_closed - model.spec.training.kept_rounds
        return self._find_root(model, number) if may_be_kept else b""

    def _iter_rebuilt(self, model: Model) -> Iterator[Rebuilt]:
        last = self.records.find_weights(model.id, model.rounds_closed)
        if last is None:
            raise ProofInvalid(f"the chain has no weights after round {model.rounds_closed} of model {model.id}",
                               ELSEWHERE)
        return iter_rebuilt(self.records, self.reader, model, last.height, self.report)

    def _check_header(self, rebuilt: Rebuilt) -> None:
        """See to it that the block that closed a round, and so all that were read before it, are the chain's."""
        if rebuilt.past.header is not None and self.check_header is not None:
            self.check_header(rebuilt.past.header)

    def _compare(self, model: Model, rebuilt: Rebuilt, units: list[PastUnit]) -> RoundReplay:
        """A round from blocks beside its root, as the state has it while it is kept, else as the block says."""
        past = rebuilt.past
        replayed = self._replay_units(rebuilt.spec, rebuilt.running, units, rebuilt.weights) if units else []
        root = self._find_root(model, past.number) or past.weights_root
        outcome = Outcome.EQUAL if rebuilt.root == root == past.weights_root else Outcome.DIFFERENT
        audits = compare_draw(past.draw, self.reader.chain_id, model.id, rebuilt.spec.audit.rate_ppm)
        return RoundReplay(past.number, past.attempt, "blocks", tuple(replayed), outcome, root, rebuilt.root,
                           audits=audits)

    def _replay_first(self, model: Model) -> RoundReplay:
        computed, root = compute_root(compute_first_weights(self.records, model)), self._find_root(model, 0)
        outcome = Outcome.UNKNOWN if not root else Outcome.EQUAL if root == computed else Outcome.DIFFERENT
        return RoundReplay(0, 0, "records", (), outcome, root, computed,
                           "" if root else "the chain no longer keeps the weights before the first round")

    def _find_root(self, model: Model, number: int) -> bytes:
        """The root of the weights after a round, by the state; empty when it is no longer kept."""
        if number == model.rounds_closed:
            return model.weights_root
        record = self.records.find_weights(model.id, number) if number < model.rounds_closed else None
        return record.root if record is not None else b""

    def _get_unit(self, running: Round, index: int) -> Unit:
        unit = self.records.find_unit(running.model_id, running.number, index)
        if unit is None or (unit.model_id, unit.round, unit.index) != (running.model_id, running.number, index):
            raise ProofInvalid(f"round {running.number} has {running.unit_count} units, and the node does not show "
                               f"unit {index}", "the round may have been dealt again just now: try once more, then "
                               "another node (--node URL)")
        return unit

    def _read_units(self, running: Round, units: list[Unit]) -> list[PastUnit]:
        """Units of a kept round as a replay takes them."""
        lost = {}
        if any(unit.status == UNIT_STATUS_REJECTED and unit.verdict != AUDIT_VERDICT_MISMATCH for unit in units):
            lost = {slash.unit: slash.height for slash in self.records.list_slashes(running.model_id)
                    if slash.reason == SLASH_REASON_DISPUTE and slash.round == running.number}
        return [_read_unit(unit, lost.get(unit.index, 0)) for unit in units]

    def _replay_units(self, spec: ModelSpec, running: Round, units: list[PastUnit],
                      weights: bytes) -> list[ReplayedUnit]:
        with _rows_needed():
            replayed = replay_units(spec, running, units, weights, open_dataset(self.store, spec), self.report)
        return [self._judge_dispute(running, one) if one.verdict is Verdict.FORFEITED else one for one in replayed]

    def _judge_dispute(self, running: Round, forfeited: ReplayedUnit) -> ReplayedUnit:
        """Who is silent in a dispute loses it, right or wrong; a right claim that was executed must not lose."""
        height = forfeited.unit.lost_height
        block, *following = self.reader.walk(height, height if self.check_header is None else height + 1)
        if self.check_header is not None:
            self.check_header(following[-1].header)
        if not has_proved_operation(block, running.model_id, running.number, forfeited.unit.index):
            return forfeited
        return replace(forfeited, verdict=Verdict.WRONGED)


@contextmanager
def _rows_needed() -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise DatasetLacking(f"units are recomputed from the contract's rows: {error}", error.hint) from None


@contextmanager
def _fitting(model_id: int) -> Iterator[None]:
    """What the numerics refuse was never on the chain."""
    try:
        yield
    except KernelInputError as error:
        raise ProofInvalid(f"what the node says of model {model_id} does not fit together: {error}",
                           ELSEWHERE) from None


def _choose(count: int, index: int | None) -> list[int]:
    """The indices to replay. Raises NothingToReplay for one that there is not."""
    if index is None:
        return list(range(count))
    if index >= count:
        raise NothingToReplay(f"the round has {count} units, from 0 on, and no unit {index}")
    return [index]


def _read_unit(unit: Unit, lost_height: int) -> PastUnit:
    payload_root = b"" if unit.status in UNREVEALED else unit.payload_root
    status = enum_word(UnitStatus.DESCRIPTOR, unit.status)
    return PastUnit(unit.index, unit.trainer, status, payload_root, unit.trace_root, unit.aggregated,
                    unit.status == UNIT_STATUS_REJECTED, unit.verdict == AUDIT_VERDICT_MISMATCH, lost_height)


def _check_identity(running: Round, model_id: int, number: int) -> None:
    if (running.model_id, running.number) != (model_id, number):
        raise ProofInvalid(f"asked for round {number} of model {model_id}, the node answered with round "
                           f"{running.number} of model {running.model_id}", ELSEWHERE)
