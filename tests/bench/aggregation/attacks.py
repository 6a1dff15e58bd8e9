"""What liars send: byzfl's attacks from byzfl itself, and those of our own that need no peer.

An attack makes of a `View` of a round, in which it knows everything, the vectors [liars, d] of all liars; rules that
take payloads encode them with the liars' own keys. Attacks on the wire format itself are in exponents.py.
"""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import click
import numpy as np

from tests.bench.aggregation.learners import Vector


class Opened(NamedTuple):
    """A round whose honest vectors are sent: what any lies [liars, d] make of it, and its payloads, if any."""

    respond: Callable[[Vector], Vector]
    payloads: list[bytes]


class Rule(Protocol):
    """A rule of aggregation; codec: of its payloads, `float32` where it takes vectors."""

    @property
    def name(self) -> str: ...

    @property
    def codec(self) -> str: ...

    def open(self, honest: Vector, liars: int, label: str) -> Opened: ...


class View(NamedTuple):
    """What a liar knows: the honest vectors and payloads, what the rule makes of any lies, and last round's update.

    flipped: vectors of workers that learn from wrong labels.
    """

    honest: Vector
    flipped: Vector
    liars: int
    round: Opened
    codec: str
    previous: Vector


Attack = Callable[[View], Vector]


def repeat(vector: Any, view: View) -> Vector:
    """All liars send the same."""
    with np.errstate(over="ignore"):
        return np.repeat(np.asarray(vector, np.float32)[None], view.liars, axis=0)


def send_zeros(view: View) -> Vector:
    """Nothing learned."""
    return np.zeros((view.liars, view.honest.shape[1]), np.float32)


def send_flipped(view: View) -> Vector:
    """Honest work on wrong labels."""
    return view.flipped


def send_previous(view: View) -> Vector:
    """The last update again: what a free rider has without work."""
    return repeat(view.previous, view)


def send_reversed(view: View) -> Vector:
    """Minus the honest mean."""
    return repeat(-view.honest.mean(axis=0), view)


def copy_one(worker: int) -> Attack:
    """Every liar copies one honest worker."""
    return lambda view: repeat(view.honest[worker], view)


def send_huge(view: View) -> Vector:
    """Against the honest mean, with the largest magnitude that can be sent."""
    return repeat(-np.sign(view.honest.mean(axis=0)) * np.float32(3e38), view)


def shift_by_spread(tau: float) -> Attack:
    """The honest mean and `tau` standard deviations."""
    return lambda view: repeat(view.honest.mean(axis=0) + np.float32(tau) * view.honest.std(axis=0, ddof=1), view)


def from_byzfl(attack: Callable[[Vector], Any]) -> Attack:
    """All liars send what byzfl's attack makes of the honest vectors."""
    return lambda view: repeat(attack(view.honest.copy()), view)


def adapt(kind: Any) -> Attack:
    """byzfl's line search for the factor that moves this very rule farthest from the honest mean."""

    def attack(view: View) -> Vector:
        search = kind(agg=lambda vectors: view.round.respond(vectors[-view.liars:].astype(np.float32)), pre_agg_list=[],
                      f=view.liars)
        return repeat(search(view.honest.copy()), view)

    return attack


def load_byzfl() -> Any:
    """The package, or a word on how to get it."""
    try:
        return importlib.import_module("byzfl")
    except ImportError as missing:
        raise click.ClickException(f"{missing}: byzfl is part of the bench extra, pip install '.[bench]'") from missing


def list_attacks() -> dict[str, Attack]:
    """By name, byzfl's among them."""
    byzfl = load_byzfl()
    return {
        "signflip": from_byzfl(byzfl.SignFlipping()), "ipm0.6": from_byzfl(byzfl.InnerProductManipulation(0.6)),
        "ipm5": from_byzfl(byzfl.InnerProductManipulation(5.0)), "alie1.5": from_byzfl(byzfl.ALittleIsEnough(1.5)),
        "gauss": from_byzfl(byzfl.Gaussian(0.0, 1.0)), "mimic": from_byzfl(byzfl.Mimic(0)), "labelflip": send_flipped,
        "inf": from_byzfl(byzfl.Inf()), "zero": send_zeros, "previous": send_previous,
        "opt alie": adapt(byzfl.Optimal_ALittleIsEnough), "opt ipm": adapt(byzfl.Optimal_InnerProductManipulation),
    }
