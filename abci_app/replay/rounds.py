"""One round computed again: every claim beside its recomputed unit, and the weights beside what its payloads give.

Pure but for the rows, which a dataset of this machine gives. Equal arguments give equal results on every machine.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from abci_app.runtime.contract import compute_param_count
from abci_app.units.claim import Claim, Rows, compute_unit
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round
from kernels.aggregate import aggregate
from kernels.chunks import chunk_root
from kernels.outer import outer_step

Progress = Callable[[str, int, int], None]


class Verdict(StrEnum):
    """What came of comparing a claim."""

    EQUAL = "equal"
    DIFFERENT = "not equal"
    REJECTED = "rejected"  # it is not equal, and the chain has found so
    WRONGED = "equal, but slashed"
    FORFEITED = "equal, but not defended"  # its trainer was silent in a dispute
    NONE = "no claim"

    @property
    def is_equal(self) -> bool:
        """Whether the claim is what comes out here, whatever became of it."""
        return self in (Verdict.EQUAL, Verdict.WRONGED, Verdict.FORFEITED)

    @property
    def is_right(self) -> bool:
        """Whether the chain has it as it is."""
        return self not in (Verdict.DIFFERENT, Verdict.WRONGED)


class Outcome(StrEnum):
    """What came of comparing weights."""

    EQUAL = "equal"
    DIFFERENT = "not equal"
    UNKNOWN = "not checked"


@dataclass(frozen=True, slots=True)
class PastUnit:
    """A unit as the chain has it. payload_root: empty where nothing was revealed. standing: the chain's word for it.

    is_aggregated: its payload is in the weights after the round, whatever was found of it since. is_rejected: it earned
    nothing, or lost what it had; is_refuted: because auditors found its claim wrong; lost_height: of the block in which
    its trainer lost a dispute about it, 0 for none.
    """

    index: int
    trainer: str
    standing: str
    payload_root: bytes = b""
    trace_root: bytes = b""
    is_aggregated: bool = False
    is_rejected: bool = False
    is_refuted: bool = False
    lost_height: int = 0


@dataclass(frozen=True, slots=True)
class ReplayedUnit:
    """A unit beside the one that was computed from the same data; None where there was nothing to compare with."""

    unit: PastUnit
    verdict: Verdict
    computed: Claim | None = None


def replay_unit(spec: ModelSpec, running: Round, unit: PastUnit, weights: bytes, rows: Rows) -> ReplayedUnit:
    """A unit's claim, compared.

    spec: the terms of the round. weights: those that the round began with. rows: of the dataset of `spec`.
    Raises what `rows` raises, and KernelInputError for what does not belong together.
    """
    if not unit.payload_root:
        return ReplayedUnit(unit, Verdict.NONE)
    claim = compute_unit(spec, running, unit.index, weights, rows).claim
    if (claim.payload_root, claim.trace_root) != (unit.payload_root, unit.trace_root):
        return ReplayedUnit(unit, Verdict.REJECTED if unit.is_rejected else Verdict.DIFFERENT, claim)
    if unit.is_refuted:
        return ReplayedUnit(unit, Verdict.WRONGED, claim)
    return ReplayedUnit(unit, Verdict.FORFEITED if unit.lost_height else Verdict.EQUAL, claim)


def replay_units(spec: ModelSpec, running: Round, units: Sequence[PastUnit], weights: bytes, rows: Rows,
                 report: Progress) -> list[ReplayedUnit]:
    """All of some units of a round, in their order."""
    replayed = []
    for done, unit in enumerate(units):
        report("computing units", done, len(units))
        replayed.append(replay_unit(spec, running, unit, weights, rows))
    report("computing units", len(units), len(units))
    return replayed


def close_round(spec: ModelSpec, payloads: list[bytes], weights: bytes, momentum: bytes) -> tuple[bytes, bytes]:
    """(weights, momentum) after a round in which these payloads were accepted, by the contract's rule.

    weights: int32 [P]; momentum: int64 [P], those before the round. Raises KernelInputError.
    """
    training = spec.training
    delta = aggregate(training.aggregation, payloads, compute_param_count(spec), training.trim, training.codec)
    return outer_step(weights, momentum, delta, training.outer_learning_rate_q16, training.outer_momentum_q16)


def compute_root(weights: bytes) -> bytes:
    """The root that names weights in the chain's records."""
    return chunk_root(weights)
