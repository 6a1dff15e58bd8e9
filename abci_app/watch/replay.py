"""A unit replayed on this machine: what it gives, and the transcript of any segment of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from abci_app.runtime.contract import UnitTerms
from abci_app.watch.memory import SMALL_BYTES_MAX, Memory
from abci_app.wire.merkle import HASH_BYTES
from abci_app.wire.row import RowForm
from abci_app.x.work.types import compute_payload_root
from kernels import transcript
from kernels.transcript.runner import Transcript
from kernels.unit import UnitResult, run_unit


class Dataset(Protocol):
    """A dataset's rows with proofs; data.store.StoredDataset is one, which checks each row against the root."""

    def read_columns(self, indices: Sequence[int], form: RowForm) -> tuple[bytes, bytes]:
        """(features, targets) of the rows at `indices`, in that order, with repetition, as wire/row.py gives them to
        the numerics of a contract that reads its rows so."""

    def read_rows(self, indices: Sequence[int]) -> list[bytes]:
        """The rows at `indices`."""

    def prove(self, indices: Sequence[int]) -> list[bytes]:
        """Multiproof of the rows at rising `indices`."""


@dataclass(frozen=True)
class Memories:
    """What the replays of one process share. large: transcripts, states, weights; small: what units give, which a
    transcript must not drive out: it takes the whole unit to compute it again."""

    large: Memory = field(default_factory=Memory)
    small: Memory = field(default_factory=lambda: Memory(SMALL_BYTES_MAX))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a unit gives: the digests of its trace, and the root of its payload."""

    trace: tuple[bytes, ...]
    payload_root: bytes


class UnitReplay:
    """What a unit truly gives. Computed when it is asked for, and held in memories that are bounded."""

    def __init__(self, terms: UnitTerms, fetch_weights: Callable[[], bytes], dataset: Dataset,
                 memories: Memories | None = None, trace: Sequence[bytes] = ()) -> None:
        """terms: of the unit. fetch_weights: gives those under terms.weights_root. dataset: the one under
        terms.rows_root. trace: what this machine has computed of the unit before, if it knows it."""
        self.terms, self.dataset = terms, dataset
        self._fetch_weights, self._known_trace = fetch_weights, tuple(trace)
        self._memories = memories or Memories()

    @property
    def columns(self) -> tuple[bytes, bytes]:
        """(features, targets) of the drawn rows in the order of use."""
        return self._memories.large.get(("columns", self.terms.seed),
                                        self._read_columns,
                                        lambda columns: len(columns[0]) + len(columns[1]))

    @property
    def result(self) -> UnitResult:
        """The unit's result."""
        return self._memories.large.get(("result", self.terms.seed), self._compute_result,
                                        lambda result: len(result.payload) + HASH_BYTES * len(result.trace))

    @property
    def trace(self) -> Sequence[bytes]:
        """The digests of the states after each segment."""
        return self._known_trace or self._outcome.trace

    @property
    def payload(self) -> bytes:
        """The payload."""
        return self.result.payload

    @property
    def payload_root(self) -> bytes:
        """The root of the payload."""
        return self._outcome.payload_root

    @property
    def _outcome(self) -> Outcome:
        return self._memories.small.get(("outcome", self.terms.seed), self._compute_outcome,
                                        lambda outcome: HASH_BYTES * (len(outcome.trace) + 1))

    def list_leaves(self, segment: int) -> Sequence[bytes]:
        """The hashes of the outputs of a segment's operations, in their order."""
        return self._memories.large.get(("leaves", self.terms.seed, segment),
                                        lambda: self._find_transcript(segment).leaves,
                                        lambda leaves: HASH_BYTES * len(leaves))

    def read_output(self, segment: int, operation: int) -> bytes:
        """The output of one operation."""
        return self._find_transcript(segment).read(operation)

    def load_weights(self) -> bytes:
        """The weights that the unit begins with."""
        return self._memories.large.get(("weights", self.terms.weights_root), self._fetch_weights, len)

    def load_state(self, segment: int) -> bytes:
        """The state before a segment."""
        return self._memories.large.get(("state", self.terms.seed, segment), lambda: self._compute_state(segment), len)

    def load_rows(self, indices: Sequence[int]) -> tuple[bytes, list[bytes]]:
        """Rows of the dataset at rising indices, concatenated, with their multiproof."""
        return b"".join(self.dataset.read_rows(indices)), self.dataset.prove(indices)

    def _find_transcript(self, segment: int) -> Transcript:
        return self._memories.large.get(("transcript", self.terms.seed, segment),
                                        lambda: self._compute_transcript(segment),
                                        lambda found: found.held_bytes)

    def _read_columns(self) -> tuple[bytes, bytes]:
        return self.dataset.read_columns(self.terms.list_rows(), self.terms.form)

    def _compute_result(self) -> UnitResult:
        return run_unit(self.terms.policy, self.load_weights(), *self.columns, self.terms.seed, self.terms.first_step)

    def _compute_outcome(self) -> Outcome:
        result = self.result
        return Outcome(result.trace, compute_payload_root(result.payload, self.terms.policy.codec))

    def _compute_state(self, segment: int) -> bytes:
        return transcript.run_to(self.terms.policy, segment, self.load_weights(), *self.columns, self.terms.seed,
                                 self.terms.first_step)

    def _compute_transcript(self, segment: int) -> Transcript:
        return transcript.run_segment(self.terms.policy, segment, self.load_state(segment), *self.columns,
                                      self.terms.seed, self.terms.first_step, self.load_weights())
