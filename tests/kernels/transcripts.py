"""Units and their lists for tests: drawn policies, and what a list's operations take."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from hypothesis import strategies as st

from kernels import chunks, transcript, unit
from kernels.payload import CODECS
from kernels.samples import SEED, sample_ints
from kernels.transcript.runner import Transcript
from kernels.unit.models import find_training

FIRST_STEP = 3
SGD, ADAM, LION = unit.Sgd(6554, 58982), unit.Adam(2**16, 58982, 6), unit.Lion(2**14, 58982, 64881)


def new_policy(
    widths: tuple[int, ...], steps: int, rows: int, every: int, optimiser: unit.Optimiser = SGD,
    codec: str = "int8/256", task: str = "classifier", wide: tuple[int, ...] = ()
) -> unit.UnitPolicy:
    """A perceptron's unit with every kind of rate: warm-up of the run and of the unit, and a fall."""
    schedule = unit.Schedule("cosine", 2, 7, 3000, 2)
    return unit.UnitPolicy(unit.Mlp(widths, task, wide), optimiser, schedule, steps, rows, every, codec)


@dataclass(frozen=True)
class Worked:
    """A unit on drawn weights and examples."""

    policy: unit.UnitPolicy
    label: str = "list"
    bits: int = 24

    @cached_property
    def weights(self) -> bytes:
        return sample_ints(self.label, unit.param_count(self.policy.model), 4, self.bits)

    @cached_property
    def examples(self) -> tuple[bytes, bytes]:
        count = self.policy.local_steps * self.policy.batch_rows
        return find_training(self.policy.model).draw_examples(self.policy.model, self.label, count)

    @cached_property
    def result(self) -> unit.UnitResult:
        return unit.run_unit(self.policy, self.weights, *self.examples, SEED, FIRST_STEP)

    def state(self, segment: int) -> bytes:
        return transcript.run_to(self.policy, segment, self.weights, *self.examples, SEED, FIRST_STEP)

    def run(self, segment: int) -> Transcript:
        return transcript.run_segment(
            self.policy, segment, self.state(segment), *self.examples, SEED, FIRST_STEP, self.weights)

    def execute(self, segment: int, index: int, inputs: list[bytes]) -> bytes:
        return transcript.execute(self.policy, segment, index, inputs, SEED, FIRST_STEP)

    def read_inputs(self, segment: int, index: int, made: Transcript) -> list[bytes]:
        """What an operation takes, from where its description says it is."""
        rows, targets = self.examples
        count = self.policy.local_steps * self.policy.batch_rows
        sources = {"state": chunks.split(self.state(segment)), "start": chunks.split(self.weights)}
        inputs = []
        for source, place, size in transcript.describe(self.policy, segment, index).inputs:
            if source == "list":
                assert place < index
                found = made.read(place)
            elif source in sources:
                found = sources[source][place]
            else:
                data = {"rows": rows, "targets": targets}[source]
                width = len(data) // count
                found = data[place * width:(place + 1) * width]
            assert len(found) == size
            inputs.append(found)
        return inputs


@st.composite
def draw_policies(draw: st.DrawFn) -> unit.UnitPolicy:
    """Small units of every optimiser, codec and task; some layers and batches are larger than a tile."""
    width = st.one_of(st.integers(1, 12), st.sampled_from((127, 128, 129, 260)))
    widths = tuple(draw(st.lists(width, min_size=2, max_size=5)))
    task = draw(st.sampled_from(("classifier", "regressor")))
    wide = tuple(layer for layer in range(len(widths) - 1) if draw(st.booleans()))
    steps = draw(st.integers(1, 4))
    rows = draw(st.one_of(st.integers(1, 9), st.sampled_from((64, 128, 130))))
    return new_policy(widths, steps, rows, draw(st.integers(1, steps)), draw(st.sampled_from((SGD, ADAM, LION))),
                      draw(st.sampled_from(CODECS)), task, wide)
