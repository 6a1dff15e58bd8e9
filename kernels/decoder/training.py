"""Training of a decoder: its batches, and the gradient of a batch by parameter tensor.

Offers what kernels/unit/models.py asks of a model. Source: kernels/decoder/README.md sections 14 to 19.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kernels import checks, dispatch, samples
from kernels.decoder.composition import Stage
from kernels.decoder.types import Decoder, check_model, list_parameters
from kernels.errors import KernelInputError
from kernels.tensor import Tensor

__all__ = ["Trainer", "check_batch", "check_model", "check_unit", "count_terms", "draw_examples", "param_shapes",
           "read_batches", "reduce_model", "step_cost"]

BATCH_TOKENS_MAX = 65536
SCORES_MAX = 2**32 - 1
STEP_BYTES_MAX = 2**34
UNIT_TOKENS_MAX = 2**27
LAYER_COST = 20_000_000
TOKEN_COST = 100


def check_batch(model: Decoder, batch_rows: int) -> None:
    """Refuse a batch whose sums could overflow or whose elements 32 bits cannot count."""
    if batch_rows * model.context > BATCH_TOKENS_MAX:
        raise KernelInputError(f"batch_rows times context must be at most {BATCH_TOKENS_MAX}: use fewer batch_rows")
    if batch_rows * model.heads * model.context**2 > SCORES_MAX:
        raise KernelInputError(f"batch_rows times heads times context squared must be at most {SCORES_MAX}: "
                               "use fewer batch_rows or heads")
    needed = count_step_bytes(model, batch_rows)
    if needed > STEP_BYTES_MAX:
        raise KernelInputError(f"a step of {batch_rows} batch_rows needs {needed} bytes beside the parameters, more "
                               f"than {STEP_BYTES_MAX}: use fewer batch_rows or layers, or a shorter context")


def count_step_bytes(model: Decoder, batch_rows: int) -> int:
    """Bytes that a step's rows may take beside the parameters, so that whoever checks a unit can hold it.

    What every block saves for its slope, and the largest of what is there for a moment: logits, slopes of scores, or
    sums of a block's products. A bound by the shape alone: a back end may need less.  Source: README section 14.
    """
    rows = batch_rows * model.context
    pairs = rows * model.heads * model.context
    saved = model.layers * (rows * (14 * model.width + 3 * model.hidden) + pairs)
    sloping = 4 * (pairs + model.context**2) + 48 * rows * model.width
    return saved + max(14 * rows * model.vocab, sloping, 24 * rows * model.hidden)


def check_unit(model: Decoder, local_steps: int, batch_rows: int) -> None:
    """Refuse a unit whose batch or whose text is too large."""
    check_batch(model, batch_rows)
    if local_steps * batch_rows * (model.context + 1) > UNIT_TOKENS_MAX:
        raise KernelInputError(f"local_steps * batch_rows * (context + 1) must be at most {UNIT_TOKENS_MAX}")


def param_shapes(model: Decoder) -> tuple[tuple[int, ...], ...]:
    """Shapes of the parameter tensors in their order."""
    return tuple(entry.shape for entry in list_parameters(model))


def count_terms(model: Decoder, batch_rows: int) -> int:
    """The number of tokens in a step's summed loss."""
    return batch_rows * model.context


def step_cost(model: Decoder, batch_rows: int) -> int:
    """Multiply-adds of a step without the passes over the parameters.

    Three products of every matrix, where a wide slope counts twice; six of attention over half of the pairs;
    TOKEN_COST for every value of the passes over rows, and LAYER_COST for the calls of a layer, whatever its width.
    """
    return batch_rows * _row_cost(model) + calls_cost(model)


def calls_cost(model: Decoder) -> int:
    """What of step_cost is the time of calls, however narrow the layers and few the rows."""
    return LAYER_COST * (model.layers + 1)


def _row_cost(model: Decoder) -> int:
    width = model.width
    matrices = {
        "head": width * model.vocab, "down": model.layers * width * model.hidden,
        "up": model.layers * width * model.hidden, "out": model.layers * width**2, "qkv": 3 * model.layers * width**2,
    }
    per_token = sum(size * (5 if kind in model.wide else 3) for kind, size in sorted(matrices.items()))
    per_token += 3 * model.layers * model.context * width
    per_token += TOKEN_COST * (model.layers * (8 * width + model.hidden + model.heads * model.context) + model.vocab)
    return model.context * per_token


def reduce_model(model: Decoder, cost: int) -> Decoder:
    """A model of the same widths with one layer, of which one row costs at most `cost` or has one token."""
    reduced = replace(model, layers=1)
    while reduced.context > 1 and _row_cost(reduced) > cost:
        reduced = replace(reduced, context=reduced.context // 2)
    return reduced


def read_batches(
    model: Decoder, local_steps: int, batch_rows: int, rows: bytes, targets: bytes
) -> list[tuple[Any, Any]]:
    """(tokens [B, context], targets [B * context]) of every step, checked.

    rows: uint16 [local_steps * batch_rows, context + 1], tokens below vocab: each token's target is the next one, and
    the last is a target alone. targets: empty.
    """
    checks.check_bytes("targets", targets, 0)
    count, length = local_steps * batch_rows, model.context + 1
    checks.check_bytes("rows", rows, 2 * count * length)
    text = checks.read_array(rows, "<u2").reshape(local_steps, batch_rows, length)
    if int(text.max()) >= model.vocab:
        raise KernelInputError(f"rows holds a token that is not below {model.vocab}, the vocab")
    return [(batch[:, :-1].copy(), batch[:, 1:].reshape(-1)) for batch in text]


def draw_examples(model: Decoder, label: str, count: int) -> tuple[bytes, bytes]:
    """(rows, targets) of `count` rows of tokens drawn from `label`."""
    return samples.sample_labels(label, count * (model.context + 1), model.vocab), b""


class Trainer:
    """Gradients of one unit's batches.

    weights: the flat parameters in the back end's array, int32 at exponent 24; the caller changes them between steps.
    """

    def __init__(self, model: Decoder, weights: Any, seed: bytes) -> None:
        self.stage = Stage(model, 0, model.layers, weights, seed)

    def run_step(self, rows: Any, targets: Any, step: int) -> Iterator[tuple[int, Tensor]]:
        """(number of a parameter tensor, its gradient) for each one, from the last to the first.

        rows: numpy uint16 [B, context]; targets: [B * context]. Weights are read before the first is yielded. The
        gradient is of the summed loss; its integers stand for scale(values, exponent - 24) at exponent 24.
        """
        put = dispatch.implementation("memory").put
        self.stage.forward(put(rows), rows.shape[0])
        yield from self.stage.backward(put(targets), step)
