"""A model's weights from its seed to now, by blocks alone: each round's payloads aggregated anew, roots compared."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from abci_app.client.errors import ProofInvalid
from abci_app.client.light.errors import ELSEWHERE
from abci_app.replay.blocks import Block, BlockReader
from abci_app.replay.history import PastRound, iter_rounds
from abci_app.replay.records import Records
from abci_app.replay.rounds import PastUnit, Progress, close_round, compute_root
from abci_app.runtime import contract
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model, ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    SLASH_REASON_DISPUTE, SLASH_REASON_MISMATCH, Round, Slash, SlashReason,
)
from abci_app.x.models.types import compute_learning_rate_q16
from abci_app.x.work.types import compute_payload_root
from kernels import outer
from kernels.errors import KernelInputError

FIRST_VERSION = 1


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A closed round from blocks. weights: those it began with; root: of those that its payloads give."""

    model_id: int
    past: PastRound
    spec: ModelSpec
    weights: bytes
    root: bytes

    @property
    def running(self) -> Round:
        """The round's record as far as units need it."""
        rate = compute_learning_rate_q16(self.spec.training.learning_rate, self.past.number)
        return Round(model_id=self.model_id, number=self.past.number, attempt=self.past.attempt, seed=self.past.seed,
                     learning_rate_q16=rate)

    def list_units(self, slashes: Iterable[Slash]) -> list[PastUnit]:
        """Every unit that was dealt, with its claim where one was revealed. slashes: the model's, for wrong claims."""
        found = {(slash.unit, slash.reason): slash.height for slash in slashes
                 if slash.round == self.past.number and slash.height > self.past.opened_height}  # of no earlier dealing
        return [self._read_unit(index, found) for index in range(self.past.unit_count)]

    def _read_unit(self, index: int, slashes: dict[tuple[int, SlashReason], int]) -> PastUnit:
        reveal = self.past.reveals.get(index)
        if reveal is None or compute_payload_root(reveal.payload, self.spec.training.codec) != reveal.payload_root:
            return PastUnit(index, "" if reveal is None else reveal.trainer, "not revealed")
        is_refuted, is_accepted = (index, SLASH_REASON_MISMATCH) in slashes, index in self.past.accepted
        lost_height = slashes.get((index, SLASH_REASON_DISPUTE), 0)
        is_slashed = is_refuted or lost_height > 0
        standing = ("accepted" if is_accepted else "not accepted") + (", slashed" if is_slashed else "")
        return PastUnit(index, reveal.trainer, standing, reveal.payload_root, reveal.trace_root,
                        is_accepted, not is_accepted or is_slashed, is_refuted, lost_height)


def compute_first_weights(records: Records, model: Model) -> bytes:
    """The weights that a contract's seed gives: those before its first round."""
    return contract.compute_first_weights(records.get_spec(model.id, FIRST_VERSION))


def iter_rebuilt(records: Records, reader: BlockReader, model: Model, last: int, report: Progress) -> Iterator[Rebuilt]:
    """The closed rounds of a model up to the block at height `last`, each from the weights that the one before gave.

    Ends after a round whose weights are not those that its block names: what follows would be compared with nothing.
    Raises ClientError: BlockPruned, ProofInvalid, what a node's silence raises.
    """
    weights = compute_first_weights(records, model)
    momentum = bytes(outer.MOMENTUM_BYTES * (len(weights) // outer.WEIGHT_BYTES))
    number = 0
    for past in iter_rounds(_walk(reader, model.created_height, last, report), model.id):
        number += 1
        if past.number != number:
            raise ProofInvalid(f"blocks of {reader.rpc.url} close round {past.number} of model {model.id} after round "
                               f"{number - 1}", ELSEWHERE)
        spec = records.get_spec(model.id, past.spec_version)
        before, (weights, momentum) = weights, _close(spec, past, weights, momentum)
        rebuilt = Rebuilt(model.id, past, spec, before, compute_root(weights))
        yield rebuilt
        if rebuilt.root != past.weights_root:
            return


def _walk(reader: BlockReader, first: int, last: int, report: Progress) -> Iterator[Block]:
    """The blocks in order, reported as they come."""
    for block in reader.walk(first, last):
        report("reading blocks", block.header.height - first + 1, last - first + 1)
        yield block


def _close(spec: ModelSpec, past: PastRound, weights: bytes, momentum: bytes) -> tuple[bytes, bytes]:
    try:
        payloads = [past.reveals[index].payload for index in past.accepted]
        return close_round(spec, payloads, weights, momentum)
    except KeyError as error:
        raise ProofInvalid(f"round {past.number} is said to have accepted unit {error.args[0]}, which no block reveals",
                           ELSEWHERE) from None
    except KernelInputError as error:
        raise ProofInvalid(f"the payloads of round {past.number} cannot be what the chain has aggregated: {error}",
                           ELSEWHERE) from None
