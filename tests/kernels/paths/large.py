"""Units that a start-up self-test has no time for: products cut over threads, longer than one exact float32 sum."""

from __future__ import annotations

from kernels import decoder, mlp, unit
from kernels.decoder.cases import ADAM, LION, SCHEDULE, SGD
from kernels.decoder.types import KINDS
from kernels.optimiser import Optimiser
from kernels.samples import CODEC, SEED, Case, sample_ints
from kernels.unit.cases import run
from kernels.unit.models import Model

ROWS = 130
WIDTHS = (1300, 120, 10)  # 130 x 1300 x 120 multiply-adds are enough for threads (kernels/threads.py)
PLAIN = decoder.Decoder(vocab=257, context=72, width=128, heads=4, hidden=512, layers=2)
WIDE = decoder.Decoder(257, 72, 128, 2, 1100, 1, "rotary", True, KINDS)  # its sums are over 1100


def _unit_case(label: str, model: Model, optimiser: Optimiser, steps: int, rows: int, bits: int = 0) -> Case:
    policy = unit.UnitPolicy(model, optimiser, SCHEDULE, steps, rows, 1, CODEC)

    def run_unit() -> bytes:
        if bits:
            return run(policy, label, sample_ints(label, unit.param_count(model), 4, bits))
        if isinstance(model, decoder.Decoder):
            return run(policy, label, decoder.init_weights(model, SEED))
        return run(policy, label, mlp.init_weights(model.widths, SEED))
    return run_unit


CASES: dict[str, Case] = {
    "large/classifier": _unit_case("large", unit.Mlp(WIDTHS), SGD, 2, ROWS),
    "large/classifier_wide": _unit_case("large wide", unit.Mlp(WIDTHS, wide=(0, 1)), ADAM, 2, ROWS, 30),
    "large/long_batch": _unit_case("large batch", unit.Mlp((130, 120, 10)), LION, 1, 1100),
    "large/decoder": _unit_case("large decoder", PLAIN, ADAM, 2, 4),
    "large/decoder_wide": _unit_case("large decoder wide", WIDE, LION, 1, 4, 24),
}
