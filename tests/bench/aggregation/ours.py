"""Our side of a cell: what is timed for each rule, and what must equal the reference before it is."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kernels import aggregate, chunks, dispatch, payload
from kernels.aggregate import ref
from kernels.payload import ref as payload_ref
from tests.bench.aggregation.inputs import DENSE, DISTINCT_MAX, SPARSE, Inputs
from tests.bench.aggregation.reference import Reference

REDUCED = ("mean", "median", "trimmed_mean", "krum", "multi_krum", "geometric_median", "centered_clip", "clipped_mean",
           "nnm+trimmed_mean", "sign_vote")
BY_PRODUCTS = ("krum", "multi_krum", "geometric_median", "centered_clip", "nnm+trimmed_mean")
BY_SQUARES = ("clipped_mean",)
SPARSE_GROUP, EXPAND, HASH = "sparse accumulate", "expand", "hash"
INGESTS = {"ingest": DENSE, "ingest int4": "int4/256", "ingest int2": "int2/256", "ingest top64": SPARSE}
GROUPS = (*REDUCED, SPARSE_GROUP, *INGESTS, EXPAND, HASH)
EXPANDED = "trimmed_mean"  # whose sums the row `expand` expands
WEIGHT = 2**14


class Ours(NamedTuple):
    """One timed call. moved: the bytes whose reading (and writing, but for rules) bounds it.

    find_problem: what is wrong with its result, or nothing. whole, sent: the same rule from the stack to the delta, and
    from bytes to bytes.
    """

    group: str
    run: Callable[[], Any]
    find_problem: Callable[[Any], str]
    moved: int
    whole: Callable[[], Any] | None = None
    sent: Callable[[], bytes] | None = None


def list_ours(
    inputs: Inputs, others: dict[str, list[bytes]], reference: Reference, ops: Any, payload_ops: Any
) -> list[Ours]:
    """All groups. others: payloads by codec. ops, payload_ops: kernels.aggregate and kernels.payload of a back end."""
    reduced = [_reduce(rule, inputs, reference, ops) for rule in REDUCED]
    payloads = {DENSE: inputs.payloads, **others}
    ingests = [_ingest(group, codec, payloads[codec], inputs) for group, codec in INGESTS.items()]
    return [*reduced, _accumulate(others[SPARSE], inputs, payload_ops), *ingests, _expand(inputs, ops), _hash(inputs)]


def _reduce(rule: str, inputs: Inputs, reference: Reference, ops: Any) -> Ours:
    stack, dropped = inputs.stack, 0 if rule == "mean" else inputs.dropped

    def find_problem(result: Any) -> str:
        sums, divisor = result
        if rule in BY_PRODUCTS and ops.gram(stack) != reference.gram:
            return f"{rule}: inner products differ from the reference"
        if rule in BY_SQUARES and ops.squares(stack) != reference.squares:
            return f"{rule}: lengths differ from the reference"
        expected, by = reference.sum_rows(rule)
        found = np.asarray(sums).reshape(-1, 256)[reference.places].reshape(-1)
        if not isinstance(divisor, int):  # the scales of votes
            divisor = divisor[reference.places]
        is_equal = found.dtype == expected.dtype and np.array_equal(found, expected) and np.array_equal(divisor, by)
        return "" if is_equal else f"{rule} differs from the reference"

    def send() -> bytes:
        with dispatch.forced("cpu"):
            return aggregate.aggregate(rule, inputs.payloads, inputs.count, inputs.dropped, DENSE)

    def reduce() -> Any:
        with dispatch.forced("cpu"):
            return aggregate.reduce_stack(rule, stack, dropped)

    return Ours(rule, lambda: aggregate.sum_rows(ops, rule, stack, dropped), find_problem, stack.values.nbytes,
                reduce, send)


def _accumulate(sparse: list[bytes], inputs: Inputs, payload_ops: Any) -> Ours:
    count = inputs.count
    datas = [np.frombuffer(sent, np.uint8) for sent in sparse]
    with dispatch.forced("cpu"):
        grid = aggregate.compute_grid(datas, count, SPARSE, 0)
    weights = [WEIGHT - 64 * place for place in range(len(datas))]

    def find_problem(result: Any) -> str:
        distinct = datas[:DISTINCT_MAX]  # the others are copies
        shared = [sum(weights[place::DISTINCT_MAX]) for place in range(len(distinct))]
        expected = payload_ref.accumulate(distinct, count, grid, shared)
        return "" if np.array_equal(result, expected) else "sparse accumulate differs from the reference"

    return Ours(SPARSE_GROUP, lambda: payload_ops.accumulate(datas, count, grid, weights), find_problem,
                sum(map(len, sparse)) + 4 * 256 * grid.size)


def _ingest(group: str, codec: str, payloads: list[bytes], inputs: Inputs) -> Ours:
    def build() -> Any:
        with dispatch.forced("cpu"):
            return aggregate.build_stack(payloads, inputs.count, codec, inputs.dropped)

    def find_problem(result: Any) -> str:
        values, last = payload.REGION_VALUES, (inputs.count - 1) // payload.REGION_VALUES
        for region in sorted({0, last // 2, last}):
            first = region * values
            count = min(values, inputs.count - first)
            begin = region * payload.region_bytes(codec)
            parts = [sent[begin:begin + payload.payload_bytes(count, codec)] for sent in sorted(payloads)]
            with dispatch.forced("ref"):
                expected = aggregate.build_stack(parts, count, codec, inputs.dropped)
            places = slice(first // 256, first // 256 + len(expected.exponents))
            rows = sorted(range(len(parts)), key=parts.__getitem__)
            if not (np.array_equal(result.values[places][:, rows], expected.values)
                    and np.array_equal(result.exponents[places], expected.exponents)):
                return f"{group} differs from the reference in region {region}"
        return ""

    return Ours(group, build, find_problem, sum(map(len, payloads)) + inputs.stack.values.nbytes)


def _expand(inputs: Inputs, ops: Any) -> Ours:
    sums, divisor = aggregate.sum_rows(ops, EXPANDED, inputs.stack, inputs.dropped)
    exponents, count = inputs.stack.exponents, inputs.count

    def find_problem(result: Any) -> str:
        expected = ref.expand(sums, divisor, exponents, count)
        return "" if np.array_equal(result, expected) else "expand differs from the reference"

    return Ours(EXPAND, lambda: ops.expand(sums, divisor, exponents, count), find_problem, sums.nbytes + 8 * count)


def _hash(inputs: Inputs) -> Ours:
    size = payload.region_bytes(DENSE)

    def find_problem(result: Any) -> str:
        parts = -(-len(inputs.payloads[0]) // size)
        for root, sent in zip(result, inputs.payloads[:2]):
            for index in {0, parts - 1}:
                proof = chunks.chunk_proof(sent, index, size)
                if not chunks.verify_chunk(root, sent[index * size:(index + 1) * size], index, parts, proof):
                    return f"chunk {index} of a payload has no proof under its root"
        return ""

    return Ours(HASH, lambda: [chunks.chunk_root(sent, size) for sent in inputs.payloads], find_problem,
                sum(map(len, inputs.payloads)))
