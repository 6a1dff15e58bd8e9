"""What a demo shows of answers that were bought: who was paid, who was slashed, what a session came to.

Every figure is the chain's, from records that the light client has proved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localnet.words import grad

HONEST = "honest"


@dataclass(frozen=True)
class HostOutcome:
    """What became of a host's part of the request, by the chain's record."""

    name: str
    address: str
    behaviour: str
    standing: str
    earned_ugrad: int
    slashed_ugrad: int


@dataclass(frozen=True)
class SessionOutcome:
    """A session as the chain has settled it. milliseconds: an answer took on the mean, asked one after the other."""

    session_id: int
    host: str
    answers: int
    receipts_ugrad: int
    paid_ugrad: int
    refund_ugrad: int
    deposit_ugrad: int
    status: str
    outcome: str
    milliseconds: float


@dataclass(frozen=True)
class Served:
    """What a report says of an answer that was bought. quoted_ugrad: before it was paid."""

    request_id: int
    question: str
    answer: str
    expected: str
    answer_hash: str
    quoted_ugrad: int
    cost_ugrad: int
    refund_ugrad: int
    is_audited: bool
    hosts: list[HostOutcome]
    proved: dict[str, Any]
    session: SessionOutcome


def find_serving_problems(served: Served) -> list[str]:
    """What buying answers must show and does not; empty when it shows all."""
    problems = []
    for host in served.hosts:
        if host.behaviour == HONEST and (host.slashed_ugrad or not host.earned_ugrad):
            problems.append(f"{host.name} answered honestly and " + ("was slashed" if host.slashed_ugrad
                                                                     else "earned nothing"))
        if host.behaviour != HONEST and (host.earned_ugrad or not host.slashed_ugrad):
            problems.append(f"{host.name} lied and was not slashed")
    if not served.proved.get("exists"):
        problems.append(f"request {served.request_id} was not proved")
    if served.cost_ugrad > served.quoted_ugrad:
        problems.append(f"the answer cost {served.cost_ugrad} ugrad and was quoted at {served.quoted_ugrad}")
    session = served.session
    if session.outcome != "paid" or session.paid_ugrad != session.receipts_ugrad:
        problems.append(f"session {session.session_id} ended as {session.outcome!r} and paid {session.paid_ugrad} "
                        f"ugrad, its receipts say {session.receipts_ugrad}")
    if session.paid_ugrad + session.refund_ugrad != session.deposit_ugrad:
        problems.append(f"session {session.session_id} paid and returned other than its deposit")
    return problems


def print_served(served: Served, say: Callable[[str], None]) -> None:
    """The part of the summary about answers."""
    say(f"\n[bold]An answer, bought from {len(served.hosts)} hosts[/] (request {served.request_id})")
    right = f" (right: {served.expected})" if served.expected else ""
    say(f"asked {served.question}: answered {served.answer}{right}")
    for host in served.hosts:
        fate = f"  [red]slashed {grad(host.slashed_ugrad)}[/]" if host.slashed_ugrad else ""
        say(f"{host.address}  {host.behaviour:<7}  {host.standing:<8}  earned {grad(host.earned_ugrad):>13}{fate}")
    say(f"quoted {grad(served.quoted_ugrad)}, paid {grad(served.cost_ugrad)}, "
        f"{grad(served.refund_ugrad)} of the escrow came back; "
        + ("auditors have said who was right" if served.is_audited else "all agreed"))
    say(f"answer hash {served.answer_hash}")
    say(f"record proved at height {served.proved.get('height')} by {served.proved.get('verifier')}, header "
        f"{served.proved.get('header_hash')}")
    one = served.session
    say(f"session {one.session_id} with {one.host}: {one.answers} answers, {one.milliseconds} ms each; receipts for "
        f"{grad(one.receipts_ugrad)}, settled {grad(one.paid_ugrad)}, returned {grad(one.refund_ugrad)}")
