"""A unit replayed on this machine: what it gives, and the transcript of any segment of it."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Protocol

from abci_app.runtime.contract import UnitTerms
from abci_app.x.work.types import compute_payload_root
from kernels import transcript
from kernels.transcript.runner import Transcript
from kernels.unit import UnitResult, run_unit


class Dataset(Protocol):
    """A dataset's rows with proofs; data.store.StoredDataset is one, which checks each row against the root."""

    def read_columns(self, indices: Sequence[int]) -> tuple[bytes, bytes]:
        """(int8 features, u16 labels) of the rows at `indices`, in that order, with repetition."""

    def read_rows(self, indices: Sequence[int]) -> list[bytes]:
        """The rows at `indices`."""

    def prove(self, indices: Sequence[int]) -> list[bytes]:
        """Multiproof of the rows at rising `indices`."""


class UnitReplay:
    """What a unit truly gives. Computed when it is asked for; the transcript of one segment at a time is held."""

    def __init__(self, terms: UnitTerms, weights: bytes, dataset: Dataset) -> None:
        """terms: of the unit. weights: those under terms.weights_root. dataset: the one under terms.rows_root."""
        self.terms, self.weights, self.dataset = terms, weights, dataset
        self._find_transcript = lru_cache(maxsize=1)(self._compute_transcript)
        self.load_state = lru_cache(maxsize=1)(self._compute_state)

    @cached_property
    def columns(self) -> tuple[bytes, bytes]:
        """(features, targets) of the drawn rows in the order of use."""
        return self.dataset.read_columns(self.terms.list_rows())

    @cached_property
    def result(self) -> UnitResult:
        """The unit's result."""
        return run_unit(self.terms.policy, self.weights, *self.columns, self.terms.seed, self.terms.first_step)

    @property
    def trace(self) -> Sequence[bytes]:
        """The digests of the states after each segment."""
        return self.result.trace

    @property
    def payload(self) -> bytes:
        """The payload."""
        return self.result.payload

    @cached_property
    def payload_root(self) -> bytes:
        """The root of the payload."""
        return compute_payload_root(self.payload, self.terms.policy.codec)

    def list_leaves(self, segment: int) -> Sequence[bytes]:
        """The hashes of the outputs of a segment's operations, in their order."""
        return self._find_transcript(segment).leaves

    def read_output(self, segment: int, operation: int) -> bytes:
        """The output of one operation."""
        return self._find_transcript(segment).read(operation)

    def load_weights(self) -> bytes:
        """The weights that the unit begins with."""
        return self.weights

    def load_rows(self, indices: Sequence[int]) -> tuple[bytes, list[bytes]]:
        """Rows of the dataset at rising indices, concatenated, with their multiproof."""
        return b"".join(self.dataset.read_rows(indices)), self.dataset.prove(indices)

    def _compute_state(self, segment: int) -> bytes:
        """The state before a segment."""
        return transcript.run_to(self.terms.policy, segment, self.weights, *self.columns, self.terms.seed,
                                 self.terms.first_step)

    def _compute_transcript(self, segment: int) -> Transcript:
        return transcript.run_segment(self.terms.policy, segment, self.load_state(segment), *self.columns,
                                      self.terms.seed, self.terms.first_step, self.weights)
