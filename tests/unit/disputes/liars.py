"""Claimants who lie: replays that differ from the true one somewhere, each as consistent as its author can make it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from abci_app.runtime.contract import UnitTerms
from abci_app.watch.replay import UnitReplay
from abci_app.x.disputes.types import list_ends
from abci_app.x.work.types import compute_payload_root
from kernels import payload as payload_codec
from kernels import transcript
from kernels.chunks import split
from kernels.errors import KernelInputError


def noise(label: str) -> bytes:
    """32 bytes that nobody else has."""
    return hashlib.sha256(label.encode()).digest()


@dataclass
class Liar:
    """The true replay with another trace, another payload, or other outputs, {(segment, operation): bytes}."""

    truth: UnitReplay
    trace: Sequence[bytes]
    payload: bytes
    outputs: dict[tuple[int, int], bytes] = field(default_factory=dict)
    leaves: dict[tuple[int, int], bytes] = field(default_factory=dict)

    @property
    def terms(self) -> UnitTerms:
        """Those of the truth."""
        return self.truth.terms

    @terms.setter
    def terms(self, terms: UnitTerms) -> None:
        self.truth.terms = terms

    @property
    def payload_root(self) -> bytes:
        """Of the payload that is claimed."""
        return compute_payload_root(self.payload, self.terms.policy.codec)

    def list_leaves(self, segment: int) -> list[bytes]:
        """Those of the truth but where something else is said."""
        leaves = list(self.truth.list_leaves(segment))
        for place, output in self.outputs.items():
            if place[0] == segment:
                leaves[place[1]] = transcript.leaf(output)
        for place, leaf in self.leaves.items():
            if place[0] == segment:
                leaves[place[1]] = leaf
        return leaves

    def read_output(self, segment: int, operation: int) -> bytes:
        """What was said, else the truth."""
        return self.outputs.get((segment, operation)) or self.truth.read_output(segment, operation)

    def load_state(self, segment: int) -> bytes:
        """The truth."""
        return self.truth.load_state(segment)

    def load_weights(self) -> bytes:
        """The truth."""
        return self.truth.load_weights()

    def load_rows(self, indices: Sequence[int]) -> tuple[bytes, list[bytes]]:
        """The truth."""
        return self.truth.load_rows(indices)


def lie_about_trace(truth: UnitReplay, first: int = 0) -> Liar:
    """All digests from `first` on are made up, and the list is forced to end with them."""
    trace = [*truth.trace[:first], *(noise(f"digest {place}") for place in range(first, len(truth.trace)))]
    liar = Liar(truth, trace, truth.payload)
    for segment in range(first, len(trace)):
        liar.outputs[segment, transcript.state_root_index(truth.terms.policy, segment)] = trace[segment]
    return liar


def lie_about_payload(truth: UnitReplay) -> Liar:
    """A canonical payload of zeros; the trace is true."""
    policy, count = truth.terms.policy, len(truth.load_weights()) // 4
    made = payload_codec.encode(bytes(8 * count), count, noise("zeros"), policy.codec)
    liar = Liar(truth, truth.trace, made)
    liar.outputs[len(truth.trace) - 1, transcript.payload_root_index(policy)] = liar.payload_root
    return liar


def find_first(truth: UnitReplay, segment: int, kind: str) -> int:
    """The first operation of a kind."""
    policy = truth.terms.policy
    return next(place for place in range(transcript.count(policy, segment))
                if transcript.describe(policy, segment, place).kind == kind)


def lie_about_operation(truth: UnitReplay, segment: int, operation: int) -> Liar:
    """One output is another, and all that follows computed from it as it should be: the best lie there is.

    It differs in one bit: the first that makes another state and that the following operations do not refuse. The
    claimed payload stays the true one, and so does the end of the last segment's list.
    """
    true, last = truth.read_output(segment, operation), transcript.state_root_index(truth.terms.policy, segment)
    bits = 8 * len(true) if operation <= last else 0  # what is behind the state's root does not change it
    for bit in range(bits):
        changed = bytearray(true)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            outputs = follow(truth, segment, operation, bytes(changed))
        except KernelInputError:
            continue
        digest = outputs[last]
        if digest != truth.trace[segment]:
            trace = [*truth.trace[:segment], digest, *truth.trace[segment + 1:]]
            return Liar(truth, trace, truth.payload, {(segment, place): output for place, output in outputs.items()})
    raise ValueError(f"no bit of operation {operation} changes what segment {segment} gives")


def follow(truth: UnitReplay, segment: int, operation: int, output: bytes) -> dict[int, bytes]:
    """Outputs by place, from an operation with this output to the end of the list."""
    policy, terms = truth.terms.policy, truth.terms
    kept = transcript.payload_root_index(policy) if segment == len(truth.trace) - 1 else -1
    outputs = {operation: output}
    for place in range(operation + 1, transcript.count(policy, segment)):
        if place != kept:
            inputs = [outputs[ref.place] if ref.source == "list" and ref.place in outputs
                      else read_input(truth, segment, ref)
                      for ref in transcript.describe(policy, segment, place).inputs]
            outputs[place] = transcript.execute(policy, segment, place, inputs, terms.seed, terms.first_step)
    return outputs


def read_input(truth: UnitReplay, segment: int, ref: transcript.Ref) -> bytes:
    """A true input."""
    if ref.source == "list":
        return truth.read_output(segment, ref.place)
    if ref.source in ("state", "start"):
        return split(truth.load_state(segment) if ref.source == "state" else truth.load_weights())[ref.place]
    columns, policy = truth.columns[ref.source == "targets"], truth.terms.policy
    size = len(columns) // (policy.local_steps * policy.batch_rows)
    return columns[ref.place * size:(ref.place + 1) * size]


def lie_about_tree(truth: UnitReplay, segment: int = 0) -> Liar:
    """Every leaf is made up but those that the list must end with."""
    liar = lie_about_trace(truth, segment)
    ends = list_ends(truth.terms, segment, liar.trace[segment])
    for place in range(transcript.count(truth.terms.policy, segment)):
        if place not in ends:
            liar.leaves[segment, place] = noise(f"leaf {place}")
    return liar
