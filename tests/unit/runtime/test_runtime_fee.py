"""Who earns by an answer, and that a wrong one never pays: over all policies that a contract may have."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.runtime.fee import compute_fee, compute_request_stake, compute_session_stake, split_fee
from abci_app.wire.ints import PPM
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy

ASKS = st.integers(1, 2**55)


@st.composite
def policies(draw: st.DrawFn) -> InferencePolicy:
    """Six parts of which the hosts' is not 0, and the chance and price of being caught."""
    cuts = sorted(draw(st.lists(st.integers(0, PPM - 1), min_size=5, max_size=5)))
    parts = [after - before for before, after in zip([0, *cuts], [*cuts, PPM])]
    return InferencePolicy(trainers_ppm=parts[0], creator_ppm=parts[1], owner_ppm=parts[2], auditors_ppm=parts[3],
                           burn_ppm=parts[4], hosts_ppm=parts[5], audit_ppm=draw(st.integers(1, PPM)),
                           burn_slash_ppm=draw(st.integers(1, PPM)))


def test_fee_of_a_round_policy() -> None:
    policy = InferencePolicy(hosts_ppm=700_000, trainers_ppm=200_000, creator_ppm=50_000, auditors_ppm=30_000,
                             burn_ppm=20_000)
    assert compute_fee(policy, 700) == 1_000 and compute_fee(policy, 1) == 2
    parts = split_fee(policy, 1_000, 700)
    assert (parts.host_ugrad, parts.trainers_ugrad, parts.creator_ugrad, parts.owner_ugrad, parts.auditors_ugrad,
            parts.burnt_ugrad) == (700, 200, 50, 0, 30, 20)
    assert split_fee(policy, 2, 1).burnt_ugrad == 1  # what is too small to be split


@given(policies(), ASKS)
def test_parts_of_a_fee_add_up_and_none_is_negative(policy: InferencePolicy, ask_ugrad: int) -> None:
    fee_ugrad = compute_fee(policy, ask_ugrad)
    parts = split_fee(policy, fee_ugrad, ask_ugrad)
    values = (parts.host_ugrad, parts.trainers_ugrad, parts.creator_ugrad, parts.owner_ugrad, parts.auditors_ugrad,
              parts.burnt_ugrad)
    assert sum(values) == fee_ugrad and min(values) >= 0 and parts.host_ugrad == ask_ugrad
    for value, ppm in zip(values[1:5], (policy.trainers_ppm, policy.creator_ppm, policy.owner_ppm,
                                        policy.auditors_ppm)):
        assert value == fee_ugrad * ppm // PPM


@given(policies(), ASKS)
def test_fee_is_the_least_of_which_the_hosts_part_is_the_ask(policy: InferencePolicy, ask_ugrad: int) -> None:
    fee_ugrad = compute_fee(policy, ask_ugrad)
    assert fee_ugrad * policy.hosts_ppm >= ask_ugrad * PPM > (fee_ugrad - 1) * policy.hosts_ppm


@given(policies(), ASKS)
def test_made_up_answer_gains_less_than_it_costs(policy: InferencePolicy, ask_ugrad: int) -> None:
    """The chance of not being audited times the ask, against the chance of it times what is burnt of the stake."""
    chance = Fraction(policy.audit_ppm, PPM)
    stake_ugrad = compute_request_stake(policy, ask_ugrad)
    burnt_ugrad = Fraction(stake_ugrad * policy.burn_slash_ppm, PPM)
    assert (1 - chance) * ask_ugrad <= chance * burnt_ugrad and ask_ugrad <= burnt_ugrad
    assert ask_ugrad - chance * (ask_ugrad + burnt_ugrad) <= 0  # not even where computing had cost the whole ask


@given(policies(), ASKS, st.integers(1, 1_000), st.integers(1, 1_000))
def test_session_with_any_part_of_wrong_answers_gains_less_than_it_costs(
        policy: InferencePolicy, deposit_ugrad: int, wrong: int, count: int) -> None:
    """One entry of all is drawn: it is a wrong one with the chance that a part of them is wrong."""
    part = Fraction(min(wrong, count), count)
    burnt_ugrad = Fraction(compute_session_stake(policy, deposit_ugrad) * policy.burn_slash_ppm, PPM)
    assert part * deposit_ugrad <= part * Fraction(policy.audit_ppm, PPM) * burnt_ugrad


@given(policies(), ASKS, ASKS)
def test_stakes_rise_with_what_is_at_stake(policy: InferencePolicy, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert compute_request_stake(policy, low) <= compute_request_stake(policy, high)
    assert compute_session_stake(policy, low) <= compute_session_stake(policy, high)


@pytest.mark.parametrize(("audit_ppm", "stake_ugrad"), [(PPM, 1_000), (PPM // 2, 1_000), (PPM // 10, 9_000)])
def test_stake_of_a_request_is_at_least_its_ask(audit_ppm: int, stake_ugrad: int) -> None:
    assert compute_request_stake(InferencePolicy(audit_ppm=audit_ppm, burn_slash_ppm=PPM), 1_000) == stake_ugrad
