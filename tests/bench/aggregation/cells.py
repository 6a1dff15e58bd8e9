"""One cell of the table: n workers and d coordinates, everything in it compared first and then timed in turns."""

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from tests.bench.aggregation import libraries
from tests.bench.aggregation.inputs import SPARSE, Inputs, draw_inputs, draw_others, unpack_stack
from tests.bench.aggregation.ours import Ours, list_ours
from tests.bench.aggregation.reference import Reference
from tests.bench.aggregation.timing import Call, read_twice, run_rounds
from tests.bench.training.records import Json

SLOW = 1.5  # a library this many times slower than the best one at a smaller d is left out at a larger
NEAR = 1e-5
Report = Callable[[str], None]


class Timed(NamedTuple):
    """The calls of one group; `whole` and `sent` only of rules."""

    ours: Ours
    call: Call
    whole: Call | None
    sent: Call | None
    peers: list[tuple[str, Call]]


class Settings(NamedTuple):
    """How a cell is measured. modules: the other libraries, if any. ops, payload_ops: what of ours is timed."""

    rules: tuple[str, ...]
    rounds: int
    seconds: float
    modules: libraries.Modules | None
    ops: Any
    payload_ops: Any


class Cell(NamedTuple):
    """figures: by group. refused: what is wrong with groups that were not timed."""

    figures: dict[str, Json]
    refused: list[str]


def measure_cell(workers: int, count: int, settings: Settings, slow: set[tuple[str, str]], report: Report) -> Cell:
    """One cell; `slow` names the calls (group, name) that are left out."""
    report("drawing payloads")
    inputs = draw_inputs(workers, count)
    others = draw_others(workers, count)
    reference = Reference(inputs)
    listed = [ours for ours in list_ours(inputs, others, reference, settings.ops, settings.payload_ops)
              if ours.group in settings.rules]
    refused, timed = [], []
    for ours in listed:
        report(f"comparing {ours.group} with the reference")
        if problem := ours.find_problem(ours.run()):
            refused.append(problem)
        else:
            timed.append(_new_timed(ours, settings))
    del reference
    gc.collect()
    if settings.modules is not None:
        report("preparing the other libraries")
        matrices = unpack_stack(inputs.stack)
        peers = libraries.list_peers(settings.modules, matrices, inputs.dropped)
        peers += libraries.list_others(settings.modules, inputs, others[SPARSE])
        timed = [_add_peers(entry, peers, matrices.floats.nbytes, settings.seconds, slow) for entry in timed]
        problems = {entry.ours.group: find_far(entry, inputs, report) for entry in timed}
        refused += filter(None, problems.values())
        timed = [entry for entry in timed if not problems[entry.ours.group]]
    with ThreadPoolExecutor(1) as pool:
        ceiling = Call("reading", lambda: read_twice(inputs.stack.values, pool))
        calls = [call for entry in timed for call in (ceiling, *_list_calls(entry))]
        run_rounds(calls, settings.rounds, report)
    return Cell({entry.ours.group: _describe(entry, ceiling, inputs) for entry in timed}, refused)


def _new_timed(ours: Ours, settings: Settings) -> Timed:
    whole = None if ours.whole is None else Call(f"{ours.group} to a delta", ours.whole)
    sent = None if ours.sent is None else Call(f"{ours.group} from bytes to bytes", ours.sent, settings.seconds)
    return Timed(ours, Call(ours.group, ours.run), whole, sent, [])


def _add_peers(
    entry: Timed, peers: list[libraries.Peer], size: int, seconds: float, slow: set[tuple[str, str]]
) -> Timed:
    calls = []
    for peer in peers:
        if peer.rule == entry.ours.group:
            call = Call(peer.name, peer.run, seconds, int(peer.memory * size), peer.prepare, peer.is_same)
            if (peer.rule, peer.name) in slow:
                call.note = f"left out: over {SLOW:g} times the best at a smaller d"
            calls.append((peer.kind, call))
    return entry._replace(peers=calls)


def _list_calls(entry: Timed) -> list[Call]:
    return [call for call in (entry.call, entry.whole, entry.sent) if call] + [call for _, call in entry.peers]


def find_far(entry: Timed, inputs: Inputs, report: Report) -> str:
    """What is wrong if a library that has our definition has another result; its call is a round of it."""
    same = [call for _, call in entry.peers if call.is_same and call.has_rounds_left()]
    if not same:
        return ""
    sums, divisor = entry.ours.run()
    scales = np.repeat(np.ldexp(1.0, inputs.stack.exponents.astype(np.int32)), 256)[:inputs.count]
    expected = np.asarray(sums)[:inputs.count] / divisor * scales
    for call in same:
        report(f"comparing with {call.name}")
        result = call.make()
        if result is None:
            continue
        found = libraries.read_result(result)
        if found.shape != expected.shape or not np.allclose(found, expected, rtol=NEAR, atol=NEAR * scales.max()):
            return f"{entry.ours.group} is far from {call.name}"
    return ""


def _describe(entry: Timed, ceiling: Call, inputs: Inputs) -> Json:
    """Figures of a group, milliseconds."""
    per_ms = inputs.stack.values.nbytes / ceiling.best_ms
    figures: Json = {
        "ours_ms": round(entry.call.best_ms, 3), "rounds": len(entry.call.seconds),
        "ceiling_gb_s": round(per_ms / 1e6, 2), "ceiling_ms": round(entry.ours.moved / per_ms, 3),
        "processor_ms": round(min(entry.call.processor_seconds) * 1000, 3),
        "median_ms": round(float(np.median(entry.call.seconds)) * 1000, 3),
    }
    for name, call in (("whole_ms", entry.whole), ("bytes_ms", entry.sent)):
        if call is not None and call.seconds:
            figures[name] = round(call.best_ms, 3)
    figures["peers"] = [_describe_peer(kind, call) for kind, call in entry.peers]
    return figures


def _describe_peer(kind: str, call: Call) -> Json:
    if not call.seconds:
        return {"name": call.name, "kind": kind, "note": call.note}
    return {"name": call.name, "kind": kind, "ms": round(call.undisturbed_ms, 3),
            "wall_ms": round(call.best_ms, 3), "rounds": len(call.seconds)}


def find_slow(figures: dict[str, Json]) -> set[tuple[str, str]]:
    """Calls that took over SLOW times the best of their kind: (group, name)."""
    slow = set()
    for group, entry in figures.items():
        for kind in (libraries.LIBRARY, libraries.PRIMITIVE):
            times = {peer["name"]: peer["ms"] for peer in entry["peers"] if peer["kind"] == kind and "ms" in peer}
            slow |= {(group, name) for name, ms in times.items() if ms > SLOW * min(times.values())}
    return slow
