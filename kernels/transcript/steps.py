"""The stages of one step of a perceptron's unit: operands, forward pass, slopes, gradients, the optimiser.

Reads/Writes: nothing. Needs neither numpy nor numba. Source: README.md beside this file, section 22.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from kernels import gin1
from kernels.loss import TARGET_MAX
from kernels.mlp.types import Mlp
from kernels.transcript import stages as kinds
from kernels.transcript.sheets import (
    FAN, INT32_MAX, STATE_VALUES, TILE, Area, Box, Sheet, divide_up, list_boxes, list_narrower, list_wider, new_column,
    new_line, new_load, new_strips, new_tiles, read_box, read_flat, read_part,
)
from kernels.transcript.stages import Held, Phase, Source, Stage

INNER, WIDE_INNER = 16 * TILE, 8 * TILE
WIDE_BITS = 15
MOMENT_MAX = 2**40
VARIANCE_MAX = (2**30 - 1) ** 2
STATE_KINDS = (kinds.STEP_W, kinds.STEP_M, kinds.STEP_V)
_SUM_MAX, _WIDE_BACK_MAX = 65536 * 127**2, 2**38
_GRADIENT_MAX, _WIDE_GRADIENT_MAX, _BIAS_GRADIENT_MAX = 2**26, 2**34, 2**27


class Piece(NamedTuple):
    """Parameters begin..end-1 of one tensor of a layer, counted within the tensor."""

    layer: int
    is_bias: bool
    begin: int
    end: int


@dataclass
class Layer:
    """A layer's place in the flat parameters, and the stages that its gradient needs."""

    number: int
    fan_in: int
    fan_out: int
    begin: int
    bits: int
    operands: Any = None      # int8 [fan_in, fan_out], tiles
    scale: Any = None         # of operands
    inputs: Any = None        # int8 [B, fan_in], tiles
    inputs_scale: Any = None  # None in layer 0: features have exponent 6
    outputs: Any = None       # int32 [B, fan_out], tiles, with biases
    errors: Any = None
    errors_scale: Any = None
    gradient: Any = None      # strips
    bias_gradient: Any = None

    @property
    def middle(self) -> int:
        """Where the biases begin."""
        return self.begin + self.fan_in * self.fan_out

    @property
    def end(self) -> int:
        """Where the next layer begins."""
        return self.middle + self.fan_out

    @property
    def inner(self) -> int:
        """Inner length of a product of this layer's errors."""
        return WIDE_INNER if self.bits == WIDE_BITS else INNER

    def sum_exponent(self) -> tuple[int, list[Area]]:
        """(constant, scales): the exponent of the layer's sums is the constant and the exponents of the scales."""
        if self.inputs_scale is None:
            return gin1.FEATURE_EXPONENT, [read_part(self.scale)]
        return 0, [read_part(self.inputs_scale), read_part(self.scale)]


def list_layers(model: Mlp) -> list[Layer]:
    """The layers without stages."""
    layers: list[Layer] = []
    for number, (fan_in, fan_out) in enumerate(zip(model.widths, model.widths[1:])):
        bits = WIDE_BITS if number in model.wide else gin1.OPERAND_BITS
        layers.append(Layer(number, fan_in, fan_out, layers[-1].end if layers else 0, bits))
    return layers


def list_pieces(model: Mlp, begin: int, end: int) -> list[Piece]:
    """The pieces of tensors that parameters begin..end-1 are, in order."""
    pieces = []
    for layer in list_layers(model):
        for first, last, is_bias in ((layer.begin, layer.middle, False), (layer.middle, layer.end, True)):
            low, high = max(begin, first), min(end, last)
            if low < high:
                pieces.append(Piece(layer.number, is_bias, low - first, high - first))
    return pieces


def count_example_bytes(model: Mlp) -> int:
    """Bytes of an example: its features, and its label of two bytes or its targets of four."""
    return model.widths[0] + (2 if model.task == "classifier" else 4 * model.widths[-1])


def new_state_sheets(count: int, has_variance: bool) -> list[Sheet]:
    """w, m and, with Adam, v, of `count` parameters, in parts of 8192."""
    sheets = [new_line(count, "i4", STATE_VALUES, -INT32_MAX - 1, INT32_MAX),
              new_line(count, "i8", STATE_VALUES, -MOMENT_MAX, MOMENT_MAX)]
    return [*sheets, new_line(count, "i8", STATE_VALUES, 0, VARIANCE_MAX)] if has_variance else sheets


class StepStages:
    """Makes the stages of a step, in the order of their operations.

    phase: takes them. state: w, m and, with Adam, v before the step.
    """

    def __init__(self, model: Mlp, batch_rows: int, state: list[Held]) -> None:
        self.model, self.batch_rows, self.state = model, batch_rows, state
        self.weights = state[0]
        self.phase = Phase(kinds.STEP)
        self.layers = list_layers(model)
        self._add_operands()
        self._add_forward()
        self._add_backward(self._add_slope())
        for kind, held in zip(STATE_KINDS, state):
            self.phase.add(kind, held.sheet, self._read_step, settings=(held.number, len(state)))

    def _add_operands(self) -> None:
        for layer in self.layers:
            peak = self._add_weight_peak(layer)
            layer.scale = self._add_scale(peak, gin1.WEIGHT_EXPONENT, [], gin1.OPERAND_BITS, layer.number, lowest=0)
            layer.operands = self._add_moves(self._add_weights(layer), layer.number)

    def _add_weight_peak(self, layer: Layer) -> Stage:
        first, behind = layer.begin // STATE_VALUES, divide_up(layer.middle, STATE_VALUES)

        def read(part: int, turn: int) -> list[Area]:
            held = range(first + turn * FAN, min(first + (turn + 1) * FAN, behind))
            return [read_flat(self.weights, max(layer.begin, at * STATE_VALUES),
                              min(layer.middle, (at + 1) * STATE_VALUES)) for at in held]

        sheet = new_line(1, "i8", 1, 0, INT32_MAX)
        return self.phase.add(kinds.PEAK, sheet, read, divide_up(behind - first, FAN), layer.number)

    def _add_peak(self, stage: Stage, layer: int) -> Stage:
        def read(part: int, turn: int) -> list[Area]:
            held = range(turn * FAN, min((turn + 1) * FAN, stage.sheet.parts))
            return [read_part(stage, at) for at in held]

        sheet = new_line(1, "i8", 1, 0, INT32_MAX)
        return self.phase.add(kinds.PEAK, sheet, read, divide_up(stage.sheet.parts, FAN), layer)

    def _add_scale(
        self, peak: Stage, constant: int, scales: list[Area], bits: int, layer: int,
        lowest: int = gin1.OPERAND_EXPONENT_MIN
    ) -> Stage:
        sheet = new_line(2, "i8", 2, lowest, gin1.OPERAND_EXPONENT_MAX)
        return self.phase.add(kinds.SCALE, sheet, lambda part, turn: [read_part(peak), *scales], 1, layer,
                              (constant, bits))

    def _add_weights(self, layer: Layer) -> Stage:
        sheet = new_strips(layer.fan_in, layer.fan_out, "i1", gin1.OPERAND_MAX)

        def read(part: int, turn: int) -> list[Area]:
            box, columns = sheet.bounds(part), layer.fan_out
            runs = [(row * columns + box.left, row * columns + box.right) for row in range(box.top, box.bottom)]
            if box.width == columns:
                runs = [(box.top * columns, box.bottom * columns)]
            held = [read_flat(self.weights, layer.begin + first, layer.begin + last) for first, last in runs]
            return [*held, read_part(layer.scale)]

        return self.phase.add(kinds.WEIGHTS, sheet, read, 1, layer.number)

    def _add_moves(self, stage: Stage, layer: int) -> Stage:
        """Strips to tiles."""
        for sheet in list_narrower(stage.sheet):
            stage = self._add_move(stage, sheet, layer)
        return stage

    def _add_move(self, stage: Stage, sheet: Sheet, layer: int) -> Stage:
        return self.phase.add(
            kinds.MOVE, sheet, lambda part, turn: [Area(stage, sheet.bounds(part))], 1, layer)

    def _add_load(self, name: str, columns: int, item: str, low: int, high: int, layer: int) -> Stage:
        """Features or targets of the drawn examples."""
        source = Source(name, Sheet(self.batch_rows, columns, item, 1, columns, low, high), self.batch_rows)
        sheet = new_load(self.batch_rows, columns, item, low, high, count_example_bytes(self.model))
        return self.phase.add(
            kinds.LOAD, sheet, lambda part, turn: [Area(source, sheet.bounds(part))], 1, layer)

    def _add_forward(self) -> None:
        features = self._add_load(kinds.ROWS, self.layers[0].fan_in, "i1", -gin1.OPERAND_MAX, gin1.OPERAND_MAX, 0)
        self.layers[0].inputs = self._add_moves(features, 0)
        for layer, following in zip(self.layers, [*self.layers[1:], None]):
            layer.outputs = self._add_biases(layer, self._add_product(layer), following is not None)
            if following is not None:
                self._add_activation(layer, following)

    def _add_product(self, layer: Layer) -> Stage:
        sheet = new_tiles(self.batch_rows, layer.fan_out, "i4", _SUM_MAX)

        def read(part: int, turn: int) -> list[Area]:
            box, first = sheet.bounds(part), turn * INNER
            return [read_box(layer.inputs, box.top, box.bottom, first, first + INNER),
                    read_box(layer.operands, first, first + INNER, box.left, box.right)]

        return self.phase.add(kinds.FORWARD, sheet, read, divide_up(layer.fan_in, INNER), layer.number)

    def _add_biases(self, layer: Layer, sums: Stage, is_hidden: bool) -> Stage:
        sheet = new_tiles(self.batch_rows, layer.fan_out, "i4", INT32_MAX, 0 if is_hidden else None)
        constant, scales = layer.sum_exponent()

        def read(part: int, turn: int) -> list[Area]:
            box = sheet.bounds(part)
            biases = read_flat(self.weights, layer.middle + box.left, layer.middle + box.right)
            return [read_part(sums, part), biases, *scales]

        return self.phase.add(kinds.BIASES, sheet, read, 1, layer.number, (constant, int(is_hidden)))

    def _add_activation(self, layer: Layer, following: Layer) -> None:
        peak = self._add_peak(layer.outputs, following.number)
        constant, scales = layer.sum_exponent()
        scale = self._add_scale(peak, constant, scales, gin1.OPERAND_BITS, following.number)
        sheet = new_tiles(self.batch_rows, layer.fan_out, "i1", gin1.OPERAND_MAX, 0)
        following.inputs_scale = scale
        following.inputs = self.phase.add(
            kinds.ACTIVATION, sheet, lambda part, turn: [read_part(layer.outputs, part), read_part(scale)], 1,
            following.number)

    def _add_slope(self) -> Stage:
        return self._add_entropy() if self.model.task == "classifier" else self._add_square()

    def _add_entropy(self) -> Stage:
        layer = self.layers[-1]
        outputs, number = layer.outputs, layer.number
        labels = self._add_load(kinds.TARGETS, 1, "u2", 0, layer.fan_out - 1, number)
        constant, scales = layer.sum_exponent()
        turns = divide_up(outputs.sheet.across, FAN)
        peaks = new_column(self.batch_rows, INT32_MAX, -INT32_MAX)
        sums = new_column(self.batch_rows, 2**32, 0)

        def read_outputs(part: int, turn: int) -> Area:
            box = peaks.bounds(part)
            return read_box(outputs, box.top, box.bottom, turn * FAN * TILE, (turn + 1) * FAN * TILE)

        peak = self.phase.add(
            kinds.ROW_PEAK, peaks, lambda part, turn: [read_outputs(part, turn)], turns, number)
        total = self.phase.add(
            kinds.ROW_SUM, sums, lambda part, turn: [read_outputs(part, turn), read_part(peak, part), *scales], turns,
            number, (constant,))
        sheet = new_tiles(self.batch_rows, layer.fan_out, "i4", 1 << gin1.LOSS_EXPONENT)

        def read(part: int, turn: int) -> list[Area]:
            box = sheet.bounds(part)
            rows = part // sheet.across
            return [read_part(outputs, part), read_part(peak, rows), read_part(total, rows),
                    read_box(labels, box.top, box.bottom, 0, 1), *scales]

        return self.phase.add(kinds.ENTROPY, sheet, read, 1, number, (constant,))

    def _add_square(self) -> Stage:
        layer = self.layers[-1]
        constant, scales = layer.sum_exponent()
        targets = self._add_load(kinds.TARGETS, layer.fan_out, "i4", -TARGET_MAX, TARGET_MAX, layer.number)
        wanted = self._add_moves(targets, layer.number)
        sheet = new_tiles(self.batch_rows, layer.fan_out, "i4", INT32_MAX)
        return self.phase.add(
            kinds.SQUARE, sheet,
            lambda part, turn: [read_part(layer.outputs, part), read_part(wanted, part), *scales], 1, layer.number,
            (constant,))

    def _add_backward(self, slope: Stage) -> None:
        constant, scales = gin1.LOSS_EXPONENT, list[Area]()
        for layer in reversed(self.layers):
            self._add_errors(layer, slope, constant, scales)
            self._add_gradients(layer)
            if layer.number > 0:
                slope = self._add_mask(layer, self._add_back(layer))
                constant, scales = 0, [read_part(layer.errors_scale), read_part(layer.scale)]

    def _add_errors(self, layer: Layer, slope: Stage, constant: int, scales: list[Area]) -> None:
        scale = self._add_scale(self._add_peak(slope, layer.number), constant, scales, layer.bits, layer.number)
        item = "i2" if layer.bits == WIDE_BITS else "i1"
        sheet = new_tiles(self.batch_rows, layer.fan_out, item, 2**layer.bits - 1)
        layer.errors_scale = scale
        layer.errors = self.phase.add(
            kinds.ERROR, sheet, lambda part, turn: [read_part(slope, part), read_part(scale)], 1, layer.number,
            (layer.bits,))

    def _add_gradients(self, layer: Layer) -> None:
        is_wide = layer.bits == WIDE_BITS
        sheet = new_tiles(layer.fan_in, layer.fan_out, "i8" if is_wide else "i4",
                          _WIDE_GRADIENT_MAX if is_wide else _GRADIENT_MAX)

        def read(part: int, turn: int) -> list[Area]:
            box, first = sheet.bounds(part), turn * layer.inner
            return [read_box(layer.inputs, first, first + layer.inner, box.top, box.bottom),
                    read_box(layer.errors, first, first + layer.inner, box.left, box.right)]

        stage = self.phase.add(kinds.GRADIENT, sheet, read, divide_up(self.batch_rows, layer.inner), layer.number)
        layer.gradient = self._add_wider(stage, layer.number)
        line = new_tiles(1, layer.fan_out, "i4", _BIAS_GRADIENT_MAX)

        def read_rows(part: int, turn: int) -> list[Area]:
            box, first = line.bounds(part), turn * FAN * TILE
            return [read_box(layer.errors, first, first + FAN * TILE, box.left, box.right)]

        turns = divide_up(self.batch_rows, FAN * TILE)
        stage = self.phase.add(kinds.BIAS_GRADIENT, line, read_rows, turns, layer.number)
        layer.bias_gradient = self._add_wider(stage, layer.number)

    def _add_wider(self, stage: Stage, layer: int) -> Stage:
        """Tiles to strips."""
        for sheet in list_wider(stage.sheet):
            stage = self._add_move(stage, sheet, layer)
        return stage

    def _add_back(self, layer: Layer) -> Stage:
        is_wide = layer.bits == WIDE_BITS
        sheet = new_tiles(self.batch_rows, layer.fan_in, "i8" if is_wide else "i4",
                          _WIDE_BACK_MAX if is_wide else _SUM_MAX)

        def read(part: int, turn: int) -> list[Area]:
            box, first = sheet.bounds(part), turn * layer.inner
            return [read_box(layer.errors, box.top, box.bottom, first, first + layer.inner),
                    read_box(layer.operands, box.left, box.right, first, first + layer.inner)]

        return self.phase.add(kinds.BACKWARD, sheet, read, divide_up(layer.fan_out, layer.inner), layer.number)

    def _add_mask(self, layer: Layer, back: Stage) -> Stage:
        sheet = new_tiles(self.batch_rows, layer.fan_in, "i4", INT32_MAX)
        return self.phase.add(
            kinds.MASK, sheet, lambda part, turn: [Area(back, sheet.bounds(part)), read_part(layer.inputs, part)], 1,
            layer.number)

    def _read_step(self, part: int, turn: int) -> list[Area]:
        """State of the part's parameters, then for each piece of a tensor its gradient and the scales of that."""
        areas = [read_part(held, part) for held in self.state]
        box = self.weights.sheet.bounds(part)
        for piece in list_pieces(self.model, box.left, box.right):
            layer = self.layers[piece.layer]
            if piece.is_bias:
                areas += [Area(layer.bias_gradient, Box(0, 1, piece.begin, piece.end)), read_part(layer.errors_scale)]
                continue
            areas += [Area(layer.gradient, box) for box in list_boxes(layer.fan_out, piece.begin, piece.end)]
            if layer.inputs_scale is not None:
                areas.append(read_part(layer.inputs_scale))
            areas.append(read_part(layer.errors_scale))
        return areas
