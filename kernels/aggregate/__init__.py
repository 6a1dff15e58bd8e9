"""Robust aggregation of payloads: 18 rules, exact, the same for every order of payloads.

Payloads are brought to one exponent per block of 256 coordinates (the stack), and a rule reduces that to one delta.
Source: kernels/README.md section 9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kernels import checks, dispatch
from kernels import payload as payload_codec
from kernels.aggregate import rules
from kernels.aggregate.types import PAYLOADS_MAX, WEIGHT_ONE, Stack
from kernels.errors import KernelInputError
from kernels.payload.types import BLOCK_VALUES, FORMATS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PLAIN_RULES = ("mean", "trimmed_mean", "median", "krum", "multi_krum", "geometric_median", "clipped_mean",
               "centered_clip", "sign_vote")
SPARSE_RULES = ("mean", "clipped_mean")  # need no stack where most values are zero
RANK_RULES = ("trimmed_mean", "median")
MIXING = "nnm+"
RULES = (*PLAIN_RULES, *(MIXING + rule for rule in PLAIN_RULES))


def aggregate(rule: str, payloads: list[bytes], param_count: int, trim: int, codec: str) -> bytes:
    """The delta that a rule makes of 1..64 valid payloads: int64 little-endian [param_count].

    rule: one of RULES. trim: 0..64 payloads that may lie, of which at most (n - 1) // 2 are reckoned with; `mean`
    ignores it. codec: of all payloads. |value| <= 127 * 2**25.
    Raises: KernelInputError for arguments outside these, and for what `payload.check` refuses.
    """
    check_rule(rule)
    if not isinstance(payloads, list) or not 1 <= len(payloads) <= PAYLOADS_MAX:
        raise KernelInputError(f"payloads must be a list of 1..{PAYLOADS_MAX} payloads")
    checks.check_int("trim", trim, 0, PAYLOADS_MAX)
    dropped = 0 if rule == "mean" else compute_trim(len(payloads), trim)
    if payload_codec.find_format(codec).is_sparse and rule in SPARSE_RULES:
        delta = _sum_sparse(rule, payloads, param_count, codec, dropped)
    else:
        delta = reduce_stack(rule, build_stack(payloads, param_count, codec, dropped), dropped)
    return checks.write_array(dispatch.implementation("memory").take(delta))


def check_rule(rule: object) -> None:
    """Refuse a rule that is not in RULES."""
    if not isinstance(rule, str) or rule not in RULES:
        raise KernelInputError(f"rule must be one of {', '.join(RULES)}")


def compute_trim(count: int, trim: int) -> int:
    """How many of `count` payloads may lie: `trim`, or as many as leave an honest majority."""
    return trim if 2 * trim < count else (count - 1) // 2


def payloads_needed(rule: str, trim: int) -> int:
    """The fewest payloads with which a rule withstands `trim` liars: 2 * trim + 1, and two more for Krum's scores."""
    check_rule(rule)
    checks.check_int("trim", trim, 0, PAYLOADS_MAX)
    if rule == "mean":
        return 1
    return 2 * trim + (3 if rule.removeprefix(MIXING) in ("krum", "multi_krum") else 1)


def is_suited(rule: str, codec: str) -> bool:
    """Whether models learn by `rule` from payloads of `codec`.

    A coordinate that most payloads leave out has the median 0: order statistics of sparse payloads forget nearly all of
    what was learnt. Mixing fills the rows first.  Source: tests/bench/aggregation/README.md, codecs under attack.
    """
    check_rule(rule)
    return rule not in RANK_RULES or not payload_codec.find_format(codec).is_sparse


def cost(rule: str, count: int, param_count: int, codec: str) -> int:
    """Multiply-adds of a unit that take as long as aggregating `count` payloads, on a processor without wide vectors.

    rule, codec: of RULES and CODECS. count: 1..64. param_count: as of `aggregate`. By shape alone, for what bounds and
    prices work: 4 for each value of the stack and 2 for each of a weighted sum, 16 for each coordinate of the result,
    n * n / 8 for each coordinate of a Gram matrix and as many for the means of neighbours, and 2500 for each pair of
    payloads that a Gram matrix is read for. A processor with vpdpbusd takes a tenth of it.
    """
    check_rule(rule)
    payload_codec.check_codec(codec)
    checks.check_int("count", count, 1, PAYLOADS_MAX)
    params, plain = checks.check_param_count(param_count), rule.removeprefix(MIXING)
    pairs, mixes = count * count, rule != plain
    grams = mixes + (plain in ("krum", "multi_krum", "geometric_median", "centered_clip"))
    weighs = plain in ("geometric_median", "clipped_mean", "centered_clip")
    values = (4 + 2 * weighs) * count + 16 + (grams + mixes) * pairs // 8
    return values * params + 2500 * pairs * grams


def build_stack(payloads: list[bytes], param_count: int, codec: str, dropped: int) -> Stack:
    """Payloads in their canonical order, that of their bytes, on the grid that `dropped` liars cannot raise."""
    views = _view_all(payloads, param_count, codec)
    order = sorted(range(len(payloads)), key=payloads.__getitem__)
    grid = compute_grid(views, param_count, codec, dropped)
    values = dispatch.implementation("memory").new((grid.size, len(views), BLOCK_VALUES), "int8")
    ops = dispatch.implementation("payload")
    for row, place in enumerate(order):
        fault = ops.fill_row(views[place], param_count, codec, grid, values, row)
        payload_codec.refuse_fault(fault, codec, _name(place))
    return Stack(values, grid, param_count)


def compute_grid(
    views: list[NDArray[np.uint8]], param_count: int, codec: str, dropped: int
) -> NDArray[np.uint8]:
    """uint8 [blocks]: the exponent of rank n - 1 - dropped of each block, less the codec's headroom, at least 0."""
    import numpy as np

    ops = dispatch.implementation("payload")
    exponents = np.stack([ops.read_exponents(data, param_count, codec) for data in views])
    rank, headroom = len(views) - 1 - dropped, np.uint8(FORMATS[codec].headroom)
    return np.maximum(_select(exponents, rank), headroom) - headroom


def _select(exponents: NDArray[np.uint8], rank: int) -> NDArray[np.uint8]:
    """The value of that rank in each column of values below 32, bit by bit: a tenth of the time of np.partition."""
    import numpy as np

    found = np.zeros(exponents.shape[1], dtype=np.uint8)
    for bit in (16, 8, 4, 2, 1):
        above = found + np.uint8(bit)
        found = np.where((exponents < above).sum(axis=0, dtype=np.uint8) <= rank, above, found)
    return found


def reduce_stack(rule: str, stack: Stack, dropped: int) -> Any:
    """What `rule` makes of a stack, of whose rows `dropped` may lie: int64 [count], an array of the back end in use."""
    ops = dispatch.implementation("aggregate")
    sums, divisor = sum_rows(ops, rule, stack, dropped)
    if isinstance(divisor, int):
        return ops.expand(sums, divisor, stack.exponents, stack.count)
    return ops.expand_votes(sums, divisor, stack.exponents, stack.count)


def sum_rows(ops: Any, rule: str, stack: Stack, dropped: int) -> tuple[Any, int | NDArray[np.int32]]:
    """(sums, what to divide them by) of a rule, by the functions `ops` of a back end; of votes their scales instead."""
    if rule.startswith(MIXING):
        import numpy as np

        neighbours = rules.choose_neighbours(ops.gram(stack), dropped)
        return sum_rows(ops, rule.removeprefix(MIXING), ops.mix(stack, np.array(neighbours, dtype=np.uint8)), dropped)
    rows = stack.values.shape[1]
    if rule == "mean":
        return ops.sum_chosen(stack, list(range(rows))), rows
    if rule == "trimmed_mean":
        return ops.sum_ranks(stack, dropped, rows - dropped), rows - 2 * dropped
    if rule == "median":
        low, high = (rows - 1) // 2, rows // 2 + 1
        return ops.sum_ranks(stack, low, high), high - low
    if rule == "sign_vote":
        return ops.sum_signs(stack), _choose_scales(ops, stack)
    if rule == "clipped_mean":
        return ops.sum_weighted(stack, rules.weigh_by_length(ops.squares(stack))), rows * WEIGHT_ONE
    return _sum_by_gram(ops, rule, stack, dropped)


def _sum_by_gram(ops: Any, rule: str, stack: Stack, dropped: int) -> tuple[Any, int]:
    rows, gram = stack.values.shape[1], ops.gram(stack)
    if rule == "geometric_median":
        weights = rules.weigh_by_distance(gram)
        return ops.sum_weighted(stack, weights), sum(weights)
    if rule == "centered_clip":
        return ops.sum_weighted(stack, rules.weigh_by_clipping(gram)), WEIGHT_ONE
    kept = 1 if rule == "krum" else rows - dropped
    return ops.sum_chosen(stack, sorted(rules.rank_by_score(gram, dropped)[:kept])), kept


def _sum_sparse(rule: str, payloads: list[bytes], param_count: int, codec: str, dropped: int) -> Any:
    """`mean` and `clipped_mean` of sparse payloads, from their entries alone: int64 [param_count]."""
    views = _view_all(payloads, param_count, codec)
    ops = dispatch.implementation("payload")
    for place, view in enumerate(views):
        payload_codec.refuse_fault(ops.find_fault(view, param_count, codec), codec, _name(place))
    grid = compute_grid(views, param_count, codec, dropped)
    weights, divisor = [1] * len(views), len(views)
    if rule == "clipped_mean":
        weights = rules.weigh_by_length([ops.squares(view, param_count, grid) for view in views])
        divisor *= WEIGHT_ONE
    sums = ops.accumulate(views, param_count, grid, weights)
    return dispatch.implementation("aggregate").expand(sums, divisor, grid, param_count)


def _view_all(payloads: list[bytes], param_count: int, codec: str) -> list[NDArray[np.uint8]]:
    return [payload_codec.view_payload(item, param_count, codec, _name(place)) for place, item in enumerate(payloads)]


def _name(place: int) -> str:
    return f"payloads[{place}]"


def _choose_scales(ops: Any, stack: Stack) -> NDArray[np.int32]:
    """int32 [blocks]: the lower median over rows of the mean magnitude in a block, rounded down."""
    import numpy as np

    magnitudes = dispatch.implementation("memory").take(ops.sum_magnitudes(stack)).astype(np.int32)
    lengths = np.full(len(magnitudes), BLOCK_VALUES, dtype=np.int32)
    lengths[-1] = stack.count - BLOCK_VALUES * (len(magnitudes) - 1)
    rank = (magnitudes.shape[1] - 1) // 2
    middle: NDArray[np.int32] = np.partition(magnitudes, rank, axis=1)[:, rank] // lengths
    return middle
