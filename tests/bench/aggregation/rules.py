"""The rules under attack: byzfl's in float32, and ours over payloads."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import aggregate, payload
from tests.bench.aggregation.attacks import Opened, load_byzfl
from tests.bench.aggregation.learners import Vector

ONE = 2.0**24
DELTA_MAX = 2**32 - 1


@dataclass(frozen=True)
class FloatRule:
    """A rule over float32 vectors: combine(vectors, liars)."""

    name: str
    combine: Callable[[Vector, int], Any]
    codec: str = "float32"

    def open(self, honest: Vector, liars: int, label: str) -> Opened:
        """The update of the honest vectors and any lies."""

        def respond(lies: Vector) -> Vector:
            with np.errstate(all="ignore"):
                return np.asarray(self.combine(np.concatenate([honest, lies]), liars), np.float32)

        return Opened(respond, [])


@dataclass(frozen=True)
class IntegerRule:
    """A rule of ours, over payloads; lies are encoded too, and every payload there is encodes some vector."""

    name: str
    codec: str

    def open(self, honest: Vector, liars: int, label: str) -> Opened:
        """The honest payloads are made once; a lie gets the key of its place."""
        sent = encode(honest, label, 0, self.codec)

        def respond(lies: Vector) -> Vector:
            forged = encode(lies, label, len(sent), self.codec)
            return decode_update(aggregate.aggregate(self.name, sent + forged, honest.shape[1], liars, self.codec))

        return Opened(respond, sent)


def to_deltas(vectors: Vector) -> NDArray[np.int64]:
    """int64 at exponent 24, to the nearest; the ends of the range for what lies beyond, 0 for what is no number."""
    bounded = np.clip(vectors.astype(np.float64) * ONE, -DELTA_MAX, DELTA_MAX)
    return np.rint(np.where(np.isnan(bounded), 0, bounded)).astype("<i8")


def encode(vectors: Vector, label: str, first: int, codec: str) -> list[bytes]:
    """The payloads of workers from `first` on, each rounded with words of its own."""
    keys = [hashlib.sha256(f"{label} {first + place}".encode()).digest() for place in range(len(vectors))]
    return [payload.encode(delta.tobytes(), delta.size, key, codec) for delta, key in zip(to_deltas(vectors), keys)]


def decode_update(update: bytes) -> Vector:
    """An aggregated delta as float32."""
    return (np.frombuffer(update, "<i8") / ONE).astype(np.float32)


def list_float_rules() -> dict[str, FloatRule]:
    """byzfl's counterpart of every rule of ours but the sign vote, which it lacks."""
    byzfl = load_byzfl()

    def find_radius(vectors: Vector) -> float:
        return float(np.median(np.linalg.norm(vectors, axis=1)))

    plain: dict[str, Callable[[Vector, int], Any]] = {
        "mean": lambda vectors, liars: byzfl.Average()(vectors),
        "trimmed_mean": lambda vectors, liars: byzfl.TrMean(liars)(vectors),
        "median": lambda vectors, liars: byzfl.Median()(vectors),
        "krum": lambda vectors, liars: byzfl.Krum(liars)(vectors),
        "multi_krum": lambda vectors, liars: byzfl.MultiKrum(liars)(vectors),
        "geometric_median": lambda vectors, liars: byzfl.GeometricMedian(1e-6, 8)(vectors),
        "clipped_mean": lambda vectors, liars: byzfl.Average()(byzfl.Clipping(find_radius(vectors))(vectors.copy())),
        "centered_clip": lambda vectors, liars: byzfl.CenteredClipping(L=3, tau=find_radius(vectors))(vectors),
    }

    def mixed(inner: Callable[[Vector, int], Any]) -> Callable[[Vector, int], Any]:
        return lambda vectors, liars: inner(byzfl.NNM(liars)(vectors), liars)

    both = plain | {f"nnm+{name}": mixed(inner) for name, inner in plain.items()}
    return {name: FloatRule(name, combine) for name, combine in both.items()}
