"""Cases of aggregation: every rule, one worker and the most, shapes around a block."""

from __future__ import annotations

from kernels import aggregate, payload
from kernels.samples import CODEC, SEED, Case, sample_ints


def _aggregate_case(rule: str, workers: int, count: int, trim: int) -> Case:
    def run() -> bytes:
        sent = []
        for worker in range(workers):
            delta = sample_ints(f"aggregate {worker}", count, 8, 32 if worker % 2 else 12)
            sent.append(payload.encode(delta, count, SEED, CODEC))
        return aggregate.aggregate(rule, sent, count, trim, CODEC)
    return run


def _every_rule(workers: int, count: int, trim: int) -> Case:
    def run() -> bytes:
        return b"".join(_aggregate_case(rule, workers, count, trim)() for rule in aggregate.RULES)
    return run


def _close_case(codec: str) -> Case:
    """Every rule on payloads of one size, two of them equal, and a liar's of 16 times it: no result is all zeros."""
    def run() -> bytes:
        deltas = [sample_ints(f"close {worker % 6}", 300, 8, 24 if worker == 5 else 20) for worker in range(7)]
        sent = [payload.encode(delta, 300, SEED, codec) for delta in deltas]
        return b"".join(aggregate.aggregate(rule, sent, 300, 2, codec) for rule in aggregate.RULES)
    return run


CASES: dict[str, Case] = {
    "aggregate/mean": _aggregate_case("mean", 5, 600, 0),
    "aggregate/trimmed": _aggregate_case("trimmed_mean", 7, 257, 2),
    "aggregate/all_trimmed": _aggregate_case("trimmed_mean", 4, 256, 9),
    "aggregate/most_workers": _aggregate_case("trimmed_mean", 64, 40, 20),
    "aggregate/alone": _aggregate_case("mean", 1, 3, 0),
    **{f"aggregate/{rule}_rule": _aggregate_case(rule, 9, 515, 2) for rule in aggregate.RULES},
    "aggregate/every_rule_even": _every_rule(6, 255, 2),
    "aggregate/every_rule_alone": _every_rule(1, 1, 1),
    "aggregate/every_rule_most": _every_rule(64, 300, 15),
    **{f"aggregate/close_{codec.split('/')[0]}": _close_case(codec) for codec in payload.CODECS},
}
