"""The list of a unit's operations, written a second time from section 22 (kernels/transcript/README.md).

In plain integers, and by whole matrices: an output is cut out of what section 7 computes, so that nothing of how the
list is made elsewhere comes in. A box is (top, bottom, left, right); an input is (source, place).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import plain_payload
from blake3 import blake3
from plain import (
    TABLE, Matrix, State, bits, chunk_root, clip, cross_entropy, draw, flatten, fold, half_square, keys, learning_rate,
    product, rs, scale, scaled, transpose, tree,
)

from kernels.unit import Adam, Sgd, UnitPolicy

Box = tuple[int, int, int, int]
Input = tuple[str, int]
CODES = {"u1": "B", "i1": "b", "u2": "H", "i2": "h", "i4": "i", "i8": "q"}


@dataclass
class Sheet:
    """A matrix, its cut, and where its parts are: in the list from `first` on, or in a source."""

    values: Matrix
    cut: tuple[int, int]
    item: str = "i8"
    first: int = 0
    turns: int = 1
    source: str = "list"

    def boxes(self) -> list[Box]:
        rows, columns, (r, c) = len(self.values), len(self.values[0]), self.cut
        return [(top, min(top + r, rows), left, min(left + c, columns))
                for top in range(0, rows, r) for left in range(0, columns, c)]

    def touch(self, box: Box) -> list[Input]:
        found = []
        for part, (top, bottom, left, right) in enumerate(self.boxes()):
            if top < box[1] and box[0] < bottom and left < box[3] and box[2] < right:
                found.append((self.source, self.first + self.turns * (part + 1) - 1 if self.source == "list"
                              else self.first + part))
        return found


Reads = Callable[[int, Box, int], list[tuple[Sheet, Box]]]


def cut_of(kind: str, columns: int, item: str, example_bytes: int = 0) -> tuple[int, int]:
    if kind == "tiles":
        return (64 if item == "i8" else 128), 128
    c = min(max(128, 2**bits(columns - 1)), 8192)
    r = (8192 if item == "i8" else 16384) // c
    if kind == "examples":
        r = min(r, 2**(bits(max(1, 65536 // example_bytes)) - 1))
    return r, c


def take(matrix: Matrix, box: Box) -> Matrix:
    return [row[box[2]:box[3]] for row in matrix[box[0]:box[1]]]


def whole(sheet: Sheet, part: int = 0) -> tuple[Sheet, Box]:
    return sheet, sheet.boxes()[part]


def flat(sheet: Sheet, begin: int, end: int) -> tuple[Sheet, Box]:
    return sheet, (0, 1, begin, end)


@dataclass
class PlainLayer:
    """Where a layer is, and its sheets."""

    number: int
    rows: int
    columns: int
    begin: int
    b: int
    weights: Any = None
    weights_scale: Any = None
    inputs: Any = None
    inputs_scale: Any = None
    errors: Any = None
    errors_scale: Any = None
    gradient: Any = None
    bias_gradient: Any = None

    @property
    def middle(self) -> int:
        return self.begin + self.rows * self.columns


class PlainUnit:
    """Lists of all segments: outputs[i] and inputs[i] of segment i, in order."""

    def __init__(
        self, policy: UnitPolicy, weights: list[int], rows: Matrix, targets: Matrix, seed: bytes, first_step: int
    ) -> None:
        self.policy, self.model, self.seed, self.first_step = policy, policy.model, seed, first_step
        self.rows, self.targets, self.start = rows, targets, weights
        self.state = State(policy.optimiser, weights)
        self.outputs: list[list[bytes]] = []
        self.inputs: list[list[list[Input]]] = []
        for first in range(0, policy.local_steps, policy.trace_every):
            self.outputs.append([])
            self.inputs.append([])
            held = self.open_segment(first == 0)
            for h in range(first, min(first + policy.trace_every, policy.local_steps)):
                held = self.run_step(h, held)
            self.close_segment(held, first + policy.trace_every >= policy.local_steps)

    # the parts of a list

    def emit(
        self, values: Matrix, cut: tuple[int, int], item: str, reads: Reads, turns: int = 1,
        at: Callable[[Box, int], Matrix] | None = None
    ) -> Sheet:
        """A sheet's operations; at(box, turn): what a turn before the last has."""
        outputs, inputs = self.outputs[-1], self.inputs[-1]
        sheet = Sheet(values, cut, item, len(outputs), turns)
        for part, box in enumerate(sheet.boxes()):
            for turn in range(turns):
                found = take(values, box) if at is None or turn == turns - 1 else at(box, turn)
                numbers = flatten(found)
                outputs.append(struct.pack(f"<{len(numbers)}{CODES[item]}", *numbers))
                touched = [place for other, read in reads(part, box, turn) for place in other.touch(read)]
                touched += [("list", len(outputs) - 2)] if turn else []
                inputs.append(list(dict.fromkeys(touched)))
        return sheet

    def move(self, sheet: Sheet, target: str) -> Sheet:
        columns, item = len(sheet.values[0]), sheet.item
        unit = 8192 if item == "i8" else 16384
        while sheet.cut != cut_of(target, columns, item) if target == "tiles" else (
                sheet.cut[1] < cut_of(target, columns, item)[1]):
            step = (max(128, sheet.cut[1] // 8) if target == "tiles"
                    else min(cut_of(target, columns, item)[1], 8 * sheet.cut[1]))
            before = sheet
            sheet = self.emit(before.values, (unit // step, step), item, lambda part, box, turn, of=before: [(of, box)])
        return sheet

    def peak(self, sheet: Sheet, boxes: list[Box]) -> Sheet:
        turns = -(-len(boxes) // 8)

        def found(turn: int) -> Matrix:
            held = [abs(v) for box in boxes[:8 * turn + 8] for v in flatten(take(sheet.values, box))]
            return [[min(max(held), 2**31 - 1)]]

        return self.emit(found(turns), (1, 1), "i8", lambda part, box, turn: [
            (sheet, read) for read in boxes[8 * turn:8 * turn + 8]], turns, lambda box, turn: found(turn))

    def scale(self, peak: Sheet, constant: int, scales: list[Sheet], b: int = 7) -> Sheet:
        f = constant + sum(sheet.values[0][1] for sheet in scales)
        s = min(max(0, bits(peak.values[0][0]) - b, f - 24), f + 24)
        return self.emit([[s, f - s]], (1, 2), "i8", lambda part, box, turn: [whole(peak), *map(whole, scales)])

    # phases

    def open_segment(self, is_first: bool) -> list[Sheet]:
        held, place = [], 0
        for values, item, size in self.list_state():
            data = Sheet([[0] * (len(self.start) * (4 if is_first else self.state_size()))], (1, 65536), "u1",
                         source="start" if is_first else "state")

            def read(part: int, box: Box, turn: int) -> list[tuple[Sheet, Box]]:
                if is_first and item == "i8":
                    return []
                return [flat(data, place + size * box[2], place + size * box[3])]

            held.append(self.emit([values], (1, 8192), item, read))
            place += size * len(values)
        return held

    def list_state(self) -> list[tuple[list[int], str, int]]:
        held = [(list(self.state.w), "i4", 4), (list(self.state.m), "i8", 8)]
        return [*held, (list(self.state.v), "i8", 8)] if isinstance(self.policy.optimiser, Adam) else held

    def state_size(self) -> int:
        return 20 if isinstance(self.policy.optimiser, Adam) else 12

    def run_step(self, h: int, held: list[Sheet]) -> list[Sheet]:
        layers, begin = [], 0
        for number, (rows, columns) in enumerate(zip(self.model.widths, self.model.widths[1:])):
            layers.append(PlainLayer(number, rows, columns, begin, 15 if number in self.model.wide else 7))
            begin += (rows + 1) * columns
        for layer in layers:
            self.add_weights(layer, held[0])
        z = self.add_forward(h, layers, held[0])
        self.add_backward(h, layers, z)
        gradient = []
        for layer in layers:
            fe, fa = layer.errors_scale.values[0][1], 6 if layer.number == 0 else layer.inputs_scale.values[0][1]
            gradient += flatten(scaled(layer.gradient.values, fa + fe - 24))
            gradient += [scale(v, fe - 24) for v in layer.bias_gradient.values[0]]
        optimiser = self.policy.optimiser
        peak = getattr(optimiser, "learning_rate_q16" if isinstance(optimiser, Sgd) else "learning_rate_q24")
        rate = learning_rate(self.policy.schedule, peak, self.first_step, h)
        self.state.step(rate, self.policy.batch_rows, gradient)

        def read(part: int, box: Box, turn: int) -> list[tuple[Sheet, Box]]:
            return [*(whole(sheet, part) for sheet in held), *self.read_gradient(layers, box[2], box[3])]

        return [self.emit([values], (1, 8192), item, read) for values, item, _ in self.list_state()]

    def read_gradient(self, layers: list[PlainLayer], begin: int, end: int) -> list[tuple[Sheet, Box]]:
        found: list[tuple[Sheet, Box]] = []
        for layer in layers:
            low, high = max(begin, layer.begin) - layer.begin, min(end, layer.middle) - layer.begin
            if low < high:
                found += [(layer.gradient, box) for box in self.cut_run(layer.columns, low, high)]
                found += [whole(layer.inputs_scale)] if layer.number else []
                found += [whole(layer.errors_scale)]
            low, high = max(begin, layer.middle) - layer.middle, min(end - layer.middle, layer.columns)
            if low < high:
                found += [flat(layer.bias_gradient, low, high), whole(layer.errors_scale)]
        return found

    @staticmethod
    def cut_run(columns: int, low: int, high: int) -> list[Box]:
        """The rest of a row, whole rows, the beginning of a row."""
        boxes = []
        if low % columns or high - low < columns:
            end = min(high, low - low % columns + columns)
            boxes.append((low // columns, low // columns + 1, low % columns, low % columns + end - low))
            low = end
        if low + columns <= high:
            boxes.append((low // columns, high // columns, 0, columns))
            low = high - high % columns
        if low < high:
            boxes.append((low // columns, low // columns + 1, 0, high - low))
        return boxes

    def add_weights(self, layer: PlainLayer, w: Sheet) -> None:
        boxes = [(0, 1, max(box[2], layer.begin), min(box[3], layer.middle)) for box in w.boxes()]
        peak = self.peak(w, [box for box in boxes if box[2] < box[3]])
        layer.weights_scale = record = self.scale(peak, 24, [])
        s, values = record.values[0][0], fold(w.values[0][layer.begin:layer.middle], layer.columns)
        w8 = [[clip(rs(clip(v, 2**31 - 1), s), 127) for v in row] for row in values]

        def read(part: int, box: Box, turn: int) -> list[tuple[Sheet, Box]]:
            runs = [(row * layer.columns + box[2], row * layer.columns + box[3]) for row in range(box[0], box[1])]
            return [*(flat(w, layer.begin + low, layer.begin + high) for low, high in runs), whole(record)]

        strips = self.emit(w8, cut_of("strips", layer.columns, "i1"), "i1", read)
        layer.weights = self.move(strips, "tiles")

    def load(self, h: int, source: str, data: Matrix, item: str) -> Sheet:
        size = self.model.widths[0] + (2 if self.model.task == "classifier" else 4 * self.model.widths[-1])
        count = self.policy.batch_rows
        drawn = data[h * count:(h + 1) * count]
        held = Sheet(drawn, (1, len(drawn[0])), item, h * count, source=source)
        return self.emit(drawn, cut_of("examples", len(drawn[0]), item, size), item, lambda part, box, turn: [
            (held, box)])

    def add_forward(self, h: int, layers: list[PlainLayer], w: Sheet) -> Sheet:
        layers[0].inputs = self.move(self.load(h, "rows", self.rows, "i1"), "tiles")
        for layer, following in zip(layers, [*layers[1:], None]):
            a, w8 = layer.inputs, layer.weights
            scales = [*([layer.inputs_scale] if layer.number else []), layer.weights_scale]
            f = sum(sheet.values[0][1] for sheet in scales) + (0 if layer.number else 6)
            sums = self.add_product(
                a.values, transpose(w8.values), "i4", 2048,
                lambda box, low, high, a=a, w8=w8: [
                    (a, (box[0], box[1], low, high)), (w8, (low, high, box[2], box[3]))])
            biases = w.values[0][layer.middle:layer.middle + layer.columns]
            z = [[v + clip(scale(bias, 24 - f), 2**30) for v, bias in zip(row, biases)] for row in sums.values]
            if following is not None:
                z = [[max(v, 0) for v in row] for row in z]

            def read(
                part: int, box: Box, turn: int, sums: Sheet = sums, first: int = layer.middle,
                scales: list[Sheet] = scales
            ) -> list[tuple[Sheet, Box]]:
                return [whole(sums, part), flat(w, first + box[2], first + box[3]), *map(whole, scales)]

            out = self.emit(z, (128, 128), "i4", read)
            if following is not None:
                record = self.scale(self.peak(out, out.boxes()), 0 if layer.number else 6, scales)
                s = record.values[0][0]
                following.inputs_scale = record
                following.inputs = self.emit(
                    [[clip(rs(v, s), 127) for v in row] for row in z], (128, 128), "i1",
                    lambda part, box, turn, out=out, record=record: [whole(out, part), whole(record)])
        self.last_scales, self.last_exponent = scales, f
        return self.add_slope(h, out)

    def add_product(
        self, left: Matrix, right: Matrix, item: str, k: int, reads: Callable[[Box, int, int], list[tuple[Sheet, Box]]]
    ) -> Sheet:
        """left @ transpose(right), in turns of k."""
        inner, limit = len(left[0]), 2**62

        def at(box: Box, turn: int) -> Matrix:
            rows, columns = left[box[0]:box[1]], right[box[2]:box[3]]
            return product(*([row[:turn * k + k] for row in side] for side in (rows, columns)), limit)

        return self.emit(
            product(left, right, limit), cut_of("tiles", len(right), item), item,
            lambda part, box, turn: reads(box, turn * k, min(turn * k + k, inner)), -(-inner // k), at)

    def add_slope(self, h: int, z: Sheet) -> Sheet:
        scales, f = [whole(sheet) for sheet in self.last_scales], self.last_exponent
        if self.model.task == "regressor":
            wanted = self.move(self.load(h, "targets", self.targets, "i4"), "tiles")
            return self.emit(half_square(z.values, f, wanted.values), (128, 128), "i4", lambda part, box, turn: [
                whole(z, part), whole(wanted, part), *scales])
        labels = self.load(h, "targets", self.targets, "u2")
        columns = len(z.values[0])
        turns = -(-columns // 1024)

        def part_of(box: Box, turn: int) -> tuple[Sheet, Box]:
            return z, (box[0], box[1], 1024 * turn, min(1024 * turn + 1024, columns))

        def peaks(box: Box, turn: int) -> Matrix:
            return [[max(row[:1024 * turn + 1024])] for row in z.values[box[0]:box[1]]]

        def sums(box: Box, turn: int) -> Matrix:
            rows = zip(z.values[box[0]:box[1]], peak.values[box[0]:box[1]])
            places = [[min(scale((m[0] - v) * 23637, f + 4), 32767) for v in row[:1024 * turn + 1024]]
                      for row, m in rows]
            return [[sum(TABLE[p & 1023] >> (p >> 10) for p in row)] for row in places]

        every = (0, len(z.values), 0, 1)
        peak = self.emit(
            peaks(every, turns), (128, 1), "i8", lambda part, box, turn: [part_of(box, turn)], turns, peaks)
        total = self.emit(sums(every, turns), (128, 1), "i8", lambda part, box, turn: [
            part_of(box, turn), whole(peak, part), *scales], turns, sums)
        g = cross_entropy(z.values, f, flatten(labels.values))
        return self.emit(g, (128, 128), "i4", lambda part, box, turn: [
            whole(z, part), (peak, (box[0], box[1], 0, 1)), (total, (box[0], box[1], 0, 1)),
            (labels, (box[0], box[1], 0, 1)), *scales])

    def add_backward(self, h: int, layers: list[PlainLayer], g: Sheet) -> None:
        constant, scales = 20, list[Sheet]()
        for layer in reversed(layers):
            record = layer.errors_scale = self.scale(self.peak(g, g.boxes()), constant, scales, layer.b)
            e = draw(g.values, record.values[0][0], keys("gradient", self.seed, h, layer.number), layer.b)
            item, wide = ("i2", "i8") if layer.b == 15 else ("i1", "i4")
            e_sheet = layer.errors = self.emit(e, (128, 128), item, lambda part, box, turn, g=g, record=record: [
                whole(g, part), whole(record)])
            self.add_gradients(layer, e_sheet, wide)
            if layer.number == 0:
                return
            a, w8 = layer.inputs, layer.weights
            back = self.add_product(
                e, w8.values, wide, 1024 if layer.b == 15 else 2048,
                lambda box, low, high, e=e_sheet, w8=w8: [
                    (e, (box[0], box[1], low, high)), (w8, (box[2], box[3], low, high))])
            masked = [[clip(v, 2**31 - 1) if x else 0 for v, x in zip(*pair)] for pair in zip(back.values, a.values)]
            g = self.emit(masked, (128, 128), "i4", lambda part, box, turn, back=back, a=a: [
                (back, box), whole(a, part)])
            constant, scales = 0, [record, layer.weights_scale]

    def add_gradients(self, layer: PlainLayer, e: Sheet, wide: str) -> None:
        a = layer.inputs
        sums = self.add_product(
            transpose(a.values), transpose(e.values), wide, 1024 if layer.b == 15 else 2048,
            lambda box, low, high: [(a, (low, high, box[0], box[1])), (e, (low, high, box[2], box[3]))])
        layer.gradient = self.move(sums, "strips")
        count = len(e.values)

        def at(box: Box, turn: int) -> Matrix:
            rows = [row[box[2]:box[3]] for row in e.values[:1024 * turn + 1024]]
            return [[sum(column) for column in transpose(rows)]]

        lines = self.emit([[sum(column) for column in transpose(e.values)]], (128, 128), "i4", lambda part, box, turn: [
            (e, (1024 * turn, min(1024 * turn + 1024, count), box[2], box[3]))], -(-count // 1024), at)
        layer.bias_gradient = self.move(lines, "strips")

    def close_segment(self, held: list[Sheet], is_last: bool) -> None:
        data, places = b"", []
        for values, item, size in self.list_state():
            places.append((len(data), size))
            data += struct.pack(f"<{len(values)}{CODES[item]}", *values)

        def read(part: int, box: Box, turn: int) -> list[tuple[Sheet, Box]]:
            found = []
            for sheet, (place, size) in zip(held, places):
                low, high = max(box[2] - place, 0), min(box[3] - place, size * len(self.start))
                if low < high:
                    found.append(flat(sheet, low // size, -(-high // size)))
            return found

        self.add_nodes(self.emit([list(data)], (1, 65536), "u1", read), chunk_root(data))
        if not is_last:
            return
        payload = plain_payload.encode(
            [after - before for after, before in zip(self.state.w, self.start)], self.seed, self.policy.codec)
        size = {"int8/256": 65792, "int4/256": 33024, "int2/256": 16640, "top64/4096": 1808}[self.policy.codec]
        start = Sheet([[0] * (4 * len(self.start))], (1, 65536), "u1", source="start")
        regions = self.emit([list(payload)], (1, size), "u1", lambda part, box, turn: [
            flat(held[0], 65536 * part, min(65536 * part + 65536, len(self.start))),
            flat(start, 262144 * part, min(262144 * part + 262144, 4 * len(self.start)))])
        leaves = [blake3(b"\0" + payload[at:at + size]).digest() for at in range(0, len(payload), size)]
        header = len(payload).to_bytes(8, "little") + size.to_bytes(4, "little")
        self.add_nodes(regions, blake3(b"\2" + header + tree(leaves, blake3)).digest())

    def add_nodes(self, below: Sheet, root: bytes) -> None:
        """Tops over eight; the last is the root, which comes from elsewhere."""
        tops = [blake3(b"\0" + bytes(take(below.values, box)[0])).digest() for box in below.boxes()]
        while len(tops) > 8:
            tops = [tree(tops[at:at + 8], blake3) for at in range(0, len(tops), 8)]
            below = self.emit([list(top) for top in tops], (1, 32), "u1", lambda part, box, turn, of=below: [
                whole(of, at) for at in range(8 * part, min(8 * part + 8, len(of.boxes())))])
        self.emit([list(root)], (1, 32), "u1", lambda part, box, turn, of=below: [
            whole(of, at) for at in range(len(of.boxes()))])
