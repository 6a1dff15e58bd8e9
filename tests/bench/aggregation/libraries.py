"""The other implementations of each rule: byzfl and flwr, and the best that torch and numpy have for it.

They get float32 [n, d] (or int8 [n, d] where they take it) and are charged for no conversion. byzfl's rules have its
default numbers of rounds: 3 of Weiszfeld's where ours has 8, 1 of centred clipping where ours has 3.
Needs the extras `bench` and, for flwr, `flower`.
"""

import importlib
import importlib.util
import itertools
from collections.abc import Callable
from hashlib import sha256
from typing import Any, NamedTuple

import click
import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from tests.bench.aggregation.inputs import Inputs, Matrices

INSTALL = """not installed: {missing}. The comparison wants a virtual environment of its own, since flwr takes an
older protobuf than Gradus:
    python -m venv .bench && .bench/bin/pip install '.[bench,flower]'
    .bench/bin/python -m tests.bench.aggregation.speed
Ours alone, beside the read ceiling, is measured anywhere: --ours"""
THREADS = 2
LIBRARY, PRIMITIVE = "library", "primitive"
Floats = NDArray[np.float64]


class Peer(NamedTuple):
    """One call. kind: LIBRARY or PRIMITIVE. memory: what it takes beside its input, in sizes of float32 [n, d].

    is_same: its rule is defined as ours is, so that its result must be near ours. prepare: makes its argument.
    """

    rule: str
    name: str
    kind: str
    run: Callable[..., Any]
    memory: float
    is_same: bool = False
    prepare: Callable[[], Any] | None = None


class Modules(NamedTuple):
    """What was imported."""

    torch: Any
    byzfl: Any
    flwr: Any
    multikrum: Any
    records: Any


def find_missing() -> list[str]:
    """Names of the packages that are not installed."""
    return [name for name in ("torch", "byzfl", "flwr") if importlib.util.find_spec(name) is None]


def load_modules() -> Modules:
    """Import them all.

    Raises: click.ClickException that says how to install what is missing.
    """
    if missing := find_missing():
        raise click.ClickException(INSTALL.format(missing=", ".join(missing)))
    torch = importlib.import_module("torch")
    return Modules(torch, importlib.import_module("byzfl"),
                   importlib.import_module("flwr.server.strategy.aggregate"),
                   importlib.import_module("flwr.serverapp.strategy.multikrum"), importlib.import_module("flwr.app"))


def take_turns(torch: Any, run: Callable[..., Any]) -> Callable[..., Any]:
    """`run` with two threads and with one in turns: on a machine with other work one may be the faster."""
    counts = itertools.cycle((THREADS, 1))

    def call(*arguments: Any) -> Any:
        torch.set_num_threads(next(counts))
        return run(*arguments)

    return call


def read_result(result: Any) -> Floats:
    """What a library returned, as float64 [d]: flwr wraps layers in lists."""
    inner = result[0] if isinstance(result, list) else result
    return np.asarray(inner, dtype=np.float64).reshape(-1)


def list_peers(modules: Modules, matrices: Matrices, dropped: int) -> list[Peer]:
    """All calls, rule by rule."""
    tensor = modules.torch.from_numpy(matrices.floats)
    small = modules.torch.from_numpy(matrices.bytes)
    peers = [
        *_list_means(modules, matrices, tensor, small),
        *_list_medians(modules, matrices, tensor, small),
        *_list_trimmed(modules, matrices, small, tensor, dropped),
        *_list_krum(modules, matrices, tensor, dropped),
        *_list_weighted(modules, matrices, tensor),
        *_list_mixed(modules, matrices, tensor, dropped),
        *_list_votes(modules, matrices, tensor, small),
    ]
    return [_alternate(modules, peer) for peer in peers]


def _alternate(modules: Modules, peer: Peer) -> Peer:
    return peer._replace(run=take_turns(modules.torch, peer.run)) if "torch" in peer.name else peer


def list_others(modules: Modules, inputs: Inputs, sparse: list[bytes]) -> list[Peer]:
    """All calls beside those of rules."""
    from tests.bench.aggregation import templar

    torch, count, stack = modules.torch, inputs.count, inputs.stack
    sent = [templar.split_payload(payload, count) for payload in sparse]
    indices = torch.cat([templar.unpack_indices(part.indices) for part in sent], 1)
    values = torch.cat([templar.unpack_values(part) for part in sent], 1)
    scales = torch.from_numpy(np.ldexp(np.float32(1), stack.exponents.astype(np.int32)))
    rows, sums = torch.from_numpy(stack.values), torch.from_numpy(stack.values.sum(axis=1, dtype=np.int16))
    peers = [
        Peer("sparse accumulate", "templar-like torch", LIBRARY, lambda: templar.accumulate(sent), 1.0),
        Peer("sparse accumulate", "torch scatter_add, unpacked", PRIMITIVE, lambda: templar.scatter(indices, values),
             0.2),
        *(Peer(group, "torch int8 to float32", PRIMITIVE, lambda: rows * scales[:, None, None], 1.1)
          for group in ("ingest", "ingest int4", "ingest int2", "ingest top64")),
        Peer("expand", "torch int16 to float32", PRIMITIVE, lambda: sums * (scales / inputs.workers)[:, None], 0.2),
        Peer("hash", "hashlib sha256", PRIMITIVE, lambda: [sha256(part).digest() for part in inputs.payloads], 0.0),
        Peer("hash", "blake3, one thread", PRIMITIVE, lambda: [blake3(part).digest() for part in inputs.payloads], 0.0),
        Peer("hash", "blake3, two threads", PRIMITIVE,
             lambda: [blake3(part, max_threads=2).digest() for part in inputs.payloads], 0.0),
    ]
    return [_alternate(modules, peer) for peer in peers]


def _list_means(modules: Modules, matrices: Matrices, tensor: Any, small: Any) -> list[Peer]:
    torch, floats, rows = modules.torch, matrices.floats, len(matrices.floats)
    ones = torch.full((1, rows), 1.0 / rows)
    return [
        Peer("mean", "byzfl numpy", LIBRARY, lambda: modules.byzfl.Average()(floats), 0.2, True),
        Peer("mean", "byzfl torch", LIBRARY, lambda: modules.byzfl.Average()(tensor), 0.2, True),
        Peer("mean", "flwr", LIBRARY, lambda: modules.flwr.aggregate(_wrap(floats)), 1.3, True),
        Peer("mean", "torch.mm float32", PRIMITIVE, lambda: torch.mm(ones, tensor), 0.2, True),
        Peer("mean", "torch.sum int8", PRIMITIVE, lambda: small.sum(0, dtype=torch.int32), 0.2),
        Peer("mean", "numpy.sum int8", PRIMITIVE, lambda: matrices.bytes.sum(axis=0, dtype=np.int16), 0.2),
    ]


def _list_medians(modules: Modules, matrices: Matrices, tensor: Any, small: Any) -> list[Peer]:
    torch, floats, flat, rows = modules.torch, matrices.floats, matrices.bytes, len(matrices.floats)
    low, high = (rows - 1) // 2, rows // 2
    return [
        Peer("median", "byzfl numpy", LIBRARY, lambda: modules.byzfl.Median()(floats), 2.2, True),
        Peer("median", "byzfl torch", LIBRARY, lambda: modules.byzfl.Median()(tensor), 5.0, True),
        Peer("median", "flwr", LIBRARY, lambda: modules.flwr.aggregate_median(_wrap(floats)), 2.2, True),
        Peer("median", "torch.median float32", PRIMITIVE, lambda: torch.median(tensor, 0), 2.2),
        Peer("median", "torch.median int8", PRIMITIVE, lambda: torch.median(small, 0), 1.0),
        Peer("median", "numpy.partition float32", PRIMITIVE, lambda: np.partition(floats, (low, high), axis=0), 1.2),
        Peer("median", "numpy.partition int8", PRIMITIVE, lambda: np.partition(flat, (low, high), axis=0), 0.5),
        Peer("median", "numpy.sort int8", PRIMITIVE, lambda: np.sort(flat, axis=0), 0.5),
    ]


def _list_trimmed(modules: Modules, matrices: Matrices, small: Any, tensor: Any, dropped: int) -> list[Peer]:
    torch, floats, flat, rows = modules.torch, matrices.floats, matrices.bytes, len(matrices.floats)
    kept = slice(dropped, rows - dropped)
    ends = (dropped, rows - dropped - 1)
    return [
        Peer("trimmed_mean", "byzfl numpy", LIBRARY, lambda: modules.byzfl.TrMean(dropped)(floats), 1.2, True),
        Peer("trimmed_mean", "byzfl torch", LIBRARY, lambda: modules.byzfl.TrMean(dropped)(tensor), 4.2, True),
        Peer("trimmed_mean", "flwr", LIBRARY,
             lambda: modules.flwr.aggregate_trimmed_avg(_wrap(floats), (dropped + 0.5) / rows), 2.2, True),
        Peer("trimmed_mean", "torch.sort int8", PRIMITIVE,
             lambda: torch.sort(small, 0).values[kept].sum(0, dtype=torch.int32), 3.2),
        Peer("trimmed_mean", "numpy.partition int8", PRIMITIVE,
             lambda: np.partition(flat, ends, axis=0)[kept].sum(axis=0, dtype=np.int16), 0.7),
        Peer("trimmed_mean", "numpy.sort int8", PRIMITIVE,
             lambda: np.sort(flat, axis=0)[kept].sum(axis=0, dtype=np.int16), 0.7),
        Peer("trimmed_mean", "numpy.sort float32", PRIMITIVE, lambda: np.sort(floats, axis=0)[kept].mean(axis=0), 1.2),
    ]


def _list_krum(modules: Modules, matrices: Matrices, tensor: Any, dropped: int) -> list[Peer]:
    torch, floats = modules.torch, matrices.floats
    kept = len(floats) - dropped
    peers = []
    for rule, byzfl, keep in (("krum", modules.byzfl.Krum, 1), ("multi_krum", modules.byzfl.MultiKrum, kept)):
        legacy = 0 if keep == 1 else keep
        peers += [
            Peer(rule, "byzfl numpy", LIBRARY, lambda byzfl=byzfl: byzfl(dropped)(floats), 4.3),
            Peer(rule, "byzfl torch", LIBRARY, lambda byzfl=byzfl: byzfl(dropped)(tensor), 1.3),
            Peer(rule, "flwr", LIBRARY,
                 lambda legacy=legacy: modules.flwr.aggregate_krum(_wrap(floats), dropped, legacy), 2.3),
            Peer(rule, "flwr MultiKrum", LIBRARY,
                 lambda records, keep=keep: modules.multikrum.select_multikrum(records, dropped, keep), 6.0,
                 prepare=lambda: _wrap_records(modules, floats)),
            Peer(rule, "torch Gram float32", PRIMITIVE, lambda: torch.mm(tensor, tensor.t()), 0.1),
        ]
    return peers


def _list_weighted(modules: Modules, matrices: Matrices, tensor: Any) -> list[Peer]:
    torch, byzfl, floats = modules.torch, modules.byzfl, matrices.floats
    limit = float(np.median([np.sqrt(np.square(row, dtype=np.float64).sum()) for row in floats]))
    geometric, centred, clipped = "geometric_median", "centered_clip", "clipped_mean"
    return [
        Peer(geometric, "byzfl numpy", LIBRARY, lambda: byzfl.GeometricMedian()(floats), 3.5),
        Peer(geometric, "byzfl torch", LIBRARY, lambda: byzfl.GeometricMedian()(tensor), 3.5),
        Peer(geometric, "torch Gram float32", PRIMITIVE, lambda: torch.mm(tensor, tensor.t()), 0.1),
        Peer(centred, "byzfl numpy", LIBRARY, lambda: byzfl.CenteredClipping(tau=limit)(floats), 3.2),
        Peer(centred, "byzfl torch", LIBRARY, lambda: byzfl.CenteredClipping(tau=limit)(tensor), 3.2),
        Peer(centred, "torch norm, mm float32", PRIMITIVE, lambda: _clip(torch, tensor, limit), 0.2),
        Peer(clipped, "byzfl numpy", LIBRARY, lambda rows: byzfl.Average()(byzfl.Clipping(limit)(rows)), 1.3,
             prepare=floats.copy),  # Clipping writes into its argument
        Peer(clipped, "byzfl torch", LIBRARY, lambda rows: byzfl.Average()(byzfl.Clipping(limit)(rows)), 1.3,
             prepare=tensor.clone),
        Peer(clipped, "torch norm, mm float32", PRIMITIVE, lambda: _clip(torch, tensor, limit), 0.2),
    ]


def _list_mixed(modules: Modules, matrices: Matrices, tensor: Any, dropped: int) -> list[Peer]:
    rule, byzfl, floats = "nnm+trimmed_mean", modules.byzfl, matrices.floats
    kept = len(floats) - dropped
    return [
        Peer(rule, "byzfl numpy", LIBRARY, lambda: byzfl.TrMean(dropped)(byzfl.NNM(dropped)(floats)), kept + 4.0),
        Peer(rule, "byzfl torch", LIBRARY, lambda: byzfl.TrMean(dropped)(byzfl.NNM(dropped)(tensor)), kept + 5.0),
        Peer(rule, "torch Gram, mm, sort float32", PRIMITIVE, lambda: _mix(modules.torch, tensor, dropped), 4.5),
    ]


def _list_votes(modules: Modules, matrices: Matrices, tensor: Any, small: Any) -> list[Peer]:
    torch = modules.torch
    return [
        Peer("sign_vote", "torch sign, sum float32", PRIMITIVE, lambda: tensor.sign().sum(0), 1.2),
        Peer("sign_vote", "torch sign, sum int8", PRIMITIVE, lambda: small.sign().sum(0, dtype=torch.int8), 0.5),
        Peer("sign_vote", "numpy sign, sum int8", PRIMITIVE,
             lambda: np.sign(matrices.bytes).sum(axis=0, dtype=np.int8), 0.5),
    ]


def _wrap(floats: Any) -> Any:
    """Rows as flwr takes the weights of clients, each of one layer and of one example."""
    return [([row], 1) for row in floats]


def _wrap_records(modules: Modules, floats: Any) -> Any:
    """Rows as flwr's MultiKrum takes them."""
    app = modules.records
    return [app.RecordDict({"arrays": app.ArrayRecord([row])}) for row in floats]


def _clip(torch: Any, tensor: Any, limit: float) -> Any:
    """The mean of rows clipped to a length, as a weighted sum."""
    weights = torch.clamp(limit / tensor.norm(dim=1), max=1.0) / len(tensor)
    return torch.mm(weights[None], tensor)


def _mix(torch: Any, tensor: Any, dropped: int) -> Any:
    """The trimmed mean of the means of nearest neighbours, by matrix products."""
    gram = torch.mm(tensor, tensor.t())
    squares = gram.diagonal()
    distances = squares[:, None] + squares[None] - 2 * gram
    kept = len(tensor) - dropped
    chosen = torch.zeros_like(gram).scatter_(1, torch.topk(distances, kept, largest=False).indices, 1.0 / kept)
    mixed = torch.mm(chosen, tensor)
    return torch.sort(mixed, 0).values[dropped:kept].mean(0)
