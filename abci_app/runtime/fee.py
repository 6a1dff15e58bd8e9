"""Who earns by an answer, and what a wrong one must cost, by a contract's terms alone.

A host earns its ask. The fee is so much that the ask is the hosts' part of it; the other parts go to those who made the
model, to those who check it, and to nobody.
Reads/Writes: nothing. Policies are checked ones. Source: abci_app/x/inference/README.md.
"""

from dataclasses import dataclass

from abci_app.runtime.contract import GMA
from abci_app.wire.ints import PPM, mul_div_ceil, ppm_floor
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy

AUDITORS_MAX = 64  # who judge one answer: as many as the audits room can ask


@dataclass(frozen=True, slots=True)
class FeeParts:
    """ugrad of a fee by who has it; they add up to the fee."""

    host_ugrad: int
    trainers_ugrad: int
    creator_ugrad: int
    owner_ugrad: int
    auditors_ugrad: int
    burnt_ugrad: int


def compute_fee(policy: InferencePolicy, ask_ugrad: int) -> int:
    """What a user pays for an answer of which the host earns so much: rounded up."""
    return mul_div_ceil(ask_ugrad, PPM, policy.hosts_ppm)


def split_fee(policy: InferencePolicy, fee_ugrad: int, ask_ugrad: int) -> FeeParts:
    """The parts of a fee, each rounded down; the host's is its ask, what is left over is burnt."""
    trainers_ugrad, creator_ugrad = ppm_floor(fee_ugrad, policy.trainers_ppm), ppm_floor(fee_ugrad, policy.creator_ppm)
    owner_ugrad, auditors_ugrad = ppm_floor(fee_ugrad, policy.owner_ppm), ppm_floor(fee_ugrad, policy.auditors_ppm)
    burnt_ugrad = fee_ugrad - ask_ugrad - trainers_ugrad - creator_ugrad - owner_ugrad - auditors_ugrad
    return FeeParts(ask_ugrad, trainers_ugrad, creator_ugrad, owner_ugrad, auditors_ugrad, burnt_ugrad)


def compute_request_stake(policy: InferencePolicy, ask_ugrad: int) -> int:
    """ugrad of its bond that a host loses for a wrong answer at least; rounded up, at least the ask.

    An answer that nobody computed gains its ask with the chance 1 - p of not being audited, and costs this with p.

    Of it only what is burnt counts, since the rest goes to auditors, who may be the cheat.
    """
    p_ppm = policy.audit_ppm
    return mul_div_ceil(max(mul_div_ceil(ask_ugrad, PPM - p_ppm, p_ppm), ask_ugrad), PPM, policy.burn_slash_ppm)


def compute_session_stake(policy: InferencePolicy, deposit_ugrad: int) -> int:
    """ugrad of its bond that a host loses for a wrong answer in a session. Who answers a part m of a session wrongly
    gains at most that part of the deposit, and one entry drawn of all finds it with the chance m, once an audit is
    drawn at all; so this is the deposit by the chance of that, rounded up, of what is burnt."""
    return mul_div_ceil(mul_div_ceil(deposit_ugrad, PPM, policy.audit_ppm), PPM, policy.burn_slash_ppm)


def compute_judging_cost(work: int, price_ugrad_per_gma: int) -> int:
    """ugrad that an audit of so many multiply-adds is worth, by as many as may be asked; rounded up."""
    return mul_div_ceil(work * AUDITORS_MAX, price_ugrad_per_gma, GMA)


def compute_judging_chance(policy: InferencePolicy, judging_ugrad: int) -> int:
    """ugrad that such an audit costs on the mean, by the chance that it is drawn; rounded up."""
    return mul_div_ceil(judging_ugrad, policy.audit_ppm, PPM)


def compute_auditors_pay(work: int, price_ugrad_per_gma: int, count: int) -> int:
    """ugrad for all who recomputed an answer of so many multiply-adds, at the chain's price: each's rounded up."""
    return mul_div_ceil(work, price_ugrad_per_gma, GMA) * count
