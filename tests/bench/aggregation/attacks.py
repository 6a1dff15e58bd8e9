"""What liars send: byzfl's attacks from byzfl itself, and those of our own that need no peer.

An attack makes from a `View` of a round, in which it knows everything, the vectors [liars, d] of all liars; a rule that
takes payloads encodes them with the liars' own keys. Attacks on the wire format itself are in exponents.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tests.bench.aggregation.learners import Vector


class Rule(Protocol):
    """What turns all vectors of a round, liars last, into an update; `takes_payloads` says whether it encodes them."""

    name: str
    codec: str

    def open(self, honest: Vector, liars: int, label: str) -> Callable[[Vector], Vector]:
        """The honest vectors are sent; what is returned makes the update of any vectors of the liars."""


@dataclass
class View:
    """What a liar knows: all honest vectors, what the rule makes of any lie, and last round's update.

    flipped: vectors of workers that learn from wrong labels. respond: lies [liars, d] to the update.
    """

    honest: Vector
    flipped: Vector
    liars: int
    respond: Callable[[Vector], Vector]
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
        search = kind(agg=lambda vectors: view.respond(vectors[-view.liars:].astype(np.float32)), pre_agg_list=[],
                      f=view.liars)
        return repeat(search(view.honest.copy()), view)

    return attack


def list_attacks() -> dict[str, Attack]:
    """By name, byzfl's among them."""
    from tests.bench.aggregation.peers import load_byzfl

    _, byzfl = load_byzfl()
    return {
        "signflip": from_byzfl(byzfl.SignFlipping()), "ipm0.6": from_byzfl(byzfl.InnerProductManipulation(0.6)),
        "ipm5": from_byzfl(byzfl.InnerProductManipulation(5.0)), "alie1.5": from_byzfl(byzfl.ALittleIsEnough(1.5)),
        "gauss": from_byzfl(byzfl.Gaussian(0.0, 1.0)), "mimic": from_byzfl(byzfl.Mimic(0)), "labelflip": send_flipped,
        "inf": from_byzfl(byzfl.Inf()), "zero": send_zeros, "previous": send_previous,
        "opt alie": adapt(byzfl.Optimal_ALittleIsEnough), "opt ipm": adapt(byzfl.Optimal_InnerProductManipulation),
    }
