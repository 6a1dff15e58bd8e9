"""The terms of a contract: what is refused with which code, the sizes that bound it, the defaults, the schedule."""

import random
from collections.abc import Callable
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from abci_app.runtime.contract import (
    CLOSE_COST_PER_BLOCK, compute_audit_fee_min, compute_close_cost, compute_round_cost,
)
from abci_app.wire.address import encode_address
from abci_app.wire.errors import ChainError, InvalidAddress, InvalidCoins
from abci_app.wire.ints import U64_MAX
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Dataset, LearningRate, MlpClassifier, ModelSpec
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel, MsgFundModel
from abci_app.x.models import errors
from abci_app.x.models.types import defaults, limits, terms
from kernels.payload import payload_bytes
from tests.unit.models.rooms import ALICE_TEXT, BOB_TEXT, Rooms, create_msg, small_spec


REGRESSOR = "spec.ClearField('mlp_classifier'); spec.mlp_regressor.widths[:] = [4, 5, 3]"
DECODER = ("spec.ClearField('mlp_classifier'); spec.decoder.vocab = 3; spec.decoder.context = 4; "
           "spec.decoder.width = 16; spec.decoder.heads = 2; spec.decoder.hidden = 24; spec.decoder.layers = 1; "
           "spec.decoder.positions = 'learned'")


def edit(text: str) -> Callable[[ModelSpec], None]:
    """An edit of a contract, `spec` in its code."""
    return lambda spec: exec(text, {"spec": spec, "encode_address": encode_address, "limits": limits})


REFUSED = [
    ("spec.name = ''", errors.NameInvalid),
    ("spec.name = 'a' * 65", errors.NameInvalid),
    ("spec.name = ' digits'", errors.NameInvalid),
    ("spec.name = 'digits.'", errors.NameInvalid),
    ("spec.name = 'di\\ngits'", errors.NameInvalid),
    ("spec.name = 'dıgits'", errors.NameInvalid),
    ("spec.numerics = 'gin2'", errors.NumericsUnknown),
    ("spec.ClearField('dataset')", errors.DatasetInvalid),
    ("spec.dataset.rows_root = bytes(31)", errors.DatasetInvalid),
    ("spec.dataset.train_rows = 0", errors.DatasetInvalid),
    ("spec.dataset.train_rows = spec.dataset.test_rows = 2**31", errors.DatasetInvalid),
    ("spec.dataset.features = 0", errors.DatasetInvalid),
    ("spec.dataset.classes = 1", errors.DatasetInvalid),
    ("spec.dataset.classes = 65536", errors.DatasetInvalid),
    ("spec.ClearField('mlp_classifier')", errors.ArchitectureInvalid),
    ("spec.mlp_classifier.widths[:] = [4]", errors.ArchitectureInvalid),
    ("spec.mlp_classifier.widths[:] = [4, 5, 5, 5, 5, 5, 5, 5, 3]", errors.ArchitectureInvalid),
    ("spec.mlp_classifier.widths[:] = [5, 5, 3]", errors.ArchitectureInvalid),
    ("spec.mlp_classifier.widths[:] = [4, 5, 4]", errors.ArchitectureInvalid),
    ("spec.mlp_classifier.widths[:] = [4, 0, 3]", errors.ArchitectureInvalid),
    ("spec.mlp_classifier.widths[:] = [4, 65537, 3]", errors.ArchitectureInvalid),
    ("spec.mlp_classifier.widths[:] = [4, 65536, 64, 3]", errors.ModelTooLarge),
    ("spec.mlp_regressor.widths[:] = [4, 5, 3]", errors.ArchitectureInvalid),  # two networks
    (f"{REGRESSOR}; spec.dataset.classes = 0", errors.DatasetInvalid),
    (f"{REGRESSOR}; spec.mlp_regressor.widths[:] = [4, 5, 2]", errors.ArchitectureInvalid),
    (f"{REGRESSOR}; spec.training.local_steps = spec.training.batch_rows = spec.training.trace_every = 4096",
     errors.UnitPolicyInvalid),
    (f"{DECODER}; spec.mlp_classifier.widths[:] = [4, 3]", errors.ArchitectureInvalid),
    (f"{DECODER}; spec.decoder.context = 5", errors.ArchitectureInvalid),
    (f"{DECODER}; spec.decoder.vocab = 4", errors.ArchitectureInvalid),
    (f"{DECODER}; spec.decoder.heads = 3", errors.ArchitectureInvalid),
    (f"{DECODER}; spec.decoder.positions = 'sinusoidal'", errors.ArchitectureInvalid),
    (f"{DECODER}; spec.decoder.layers = 0", errors.ArchitectureInvalid),
    (f"{DECODER}; spec.dataset.features = spec.decoder.context = 4097", errors.ArchitectureInvalid),
    (f"{DECODER}; spec.dataset.classes = spec.decoder.vocab = 1", errors.DatasetInvalid),
    (f"{DECODER}; spec.decoder.hidden = 65536; spec.decoder.layers = 100", errors.ModelTooLarge),
    (f"{DECODER}; spec.training.batch_rows = 4096; spec.dataset.features = spec.decoder.context = 64",
     errors.UnitPolicyInvalid),
    ("spec.init_seed = bytes(33)", errors.SeedInvalid),
    ("spec.training.rounds = 1_000_001", errors.RoundPolicyInvalid),
    ("spec.training.units_max = 0", errors.RoundPolicyInvalid),
    ("spec.training.units_max = 65", errors.RoundPolicyInvalid),
    ("spec.training.trainers_min = 0", errors.RoundPolicyInvalid),
    ("spec.training.trainers_min = spec.training.units_max + 1", errors.RoundPolicyInvalid),
    ("spec.training.commit_blocks = 2", errors.RoundPolicyInvalid),
    ("spec.training.reveal_blocks = 2", errors.RoundPolicyInvalid),
    ("spec.training.audit_blocks = 2", errors.RoundPolicyInvalid),
    ("spec.training.audit_blocks = 10_001", errors.RoundPolicyInvalid),
    ("spec.training.kept_rounds = 0", errors.RoundPolicyInvalid),
    ("spec.training.kept_rounds = 1_001", errors.RoundPolicyInvalid),
    ("spec.training.learning_rate.peak_q16 = 0", errors.LearningRateInvalid),
    ("spec.training.learning_rate.peak_q16 = 2**20 + 1", errors.LearningRateInvalid),
    ("spec.training.learning_rate.warmup_rounds = 1_000_001", errors.LearningRateInvalid),
    ("spec.training.learning_rate.decay_rounds = 1_000_001", errors.LearningRateInvalid),
    ("spec.training.learning_rate.floor_ppm = 1_000_001", errors.LearningRateInvalid),
    ("spec.training.local_steps = 0", errors.UnitPolicyInvalid),
    ("spec.training.batch_rows = 0", errors.UnitPolicyInvalid),
    ("spec.training.momentum_q16 = 65536", errors.UnitPolicyInvalid),
    ("spec.training.trace_every = 0", errors.UnitPolicyInvalid),
    ("spec.training.codec = 'int5/256'", errors.UnitPolicyInvalid),
    ("spec.training.local_steps = spec.training.batch_rows = spec.training.trace_every = 4096",
     errors.UnitPolicyInvalid),  # a segment of more than 2^20 operations, about which there could be no dispute
    ("spec.training.aggregation = 'mode'", errors.AggregationInvalid),
    ("spec.training.aggregation = 'mean'", errors.AggregationInvalid),
    ("spec.training.trim = 2", errors.AggregationInvalid),
    ("spec.training.trim = 2**32 - 1", errors.AggregationInvalid),
    ("spec.training.aggregation = 'krum'", errors.AggregationInvalid),
    ("spec.training.aggregation = 'nnm+multi_krum'; spec.training.trim = 0; spec.training.trainers_min = 2",
     errors.AggregationInvalid),
    ("spec.training.codec = 'top64/4096'", errors.AggregationInvalid),
    ("spec.training.outer_learning_rate_q16 = 0", errors.OuterPolicyInvalid),
    ("spec.training.outer_momentum_q16 = 65536", errors.OuterPolicyInvalid),
    ("spec.audit.rate_ppm = 0", errors.AuditPolicyInvalid),
    ("spec.audit.rate_ppm = 1_000_001", errors.AuditPolicyInvalid),
    ("spec.audit.mismatch_slash_ppm = 0", errors.AuditPolicyInvalid),
    ("spec.audit.withhold_slash_ppm = 1_000_001", errors.AuditPolicyInvalid),
    ("spec.audit.burn_ppm = 1_000_001", errors.AuditPolicyInvalid),
    ("spec.audit.missed_rounds_max = 0", errors.AuditPolicyInvalid),
    ("spec.audit.missed_rounds_max = 101", errors.AuditPolicyInvalid),
    ("spec.audit.committee_max = 0", errors.AuditPolicyInvalid),
    ("spec.audit.committee_max = 65", errors.AuditPolicyInvalid),
    ("spec.audit.challenge_blocks = 2", errors.AuditPolicyInvalid),
    ("spec.audit.challenge_blocks = 100_001; spec.training.kept_rounds = 1_000", errors.AuditPolicyInvalid),
    ("spec.audit.challenge_blocks = 3 * 63 + 1", errors.AuditPolicyInvalid),
    ("spec.audit.challenge_blocks = 3; spec.training.kept_rounds = 1", errors.AuditPolicyInvalid),
    ("spec.audit.audit_fee_ppm = 500_001", errors.AuditPolicyInvalid),
    ("spec.audit.challenge_bond_ugrad = 0", errors.AuditPolicyInvalid),
    ("spec.training.local_steps = 4096; spec.training.batch_rows = 256; "
     "spec.mlp_classifier.widths[:] = [4, 99, 64, 3]", errors.UnitTooCostly),
    ("spec.mlp_classifier.widths[:] = [4, 1000, 1000, 3]; spec.training.aggregation = 'nnm+multi_krum'; "
     "spec.training.trim = 0; spec.training.units_max = 64", errors.CloseTooCostly),
    ("spec.economy.bond_ugrad = 5_999_999", errors.BondTooLow),
    ("spec.audit.burn_ppm = 0; spec.economy.bond_ugrad = 2**63", errors.BondTooLow),
    ("spec.audit.withhold_slash_ppm = 124_999", errors.BondTooLow),
    ("spec.audit.withhold_slash_ppm = 0; spec.economy.bond_ugrad = 2**63", errors.BondTooLow),
    ("spec.economy.round_reward_ugrad = spec.economy.bond_ugrad = 0", errors.BondTooLow),
    ("spec.invited_trainers.append(encode_address(bytes(20)))", errors.TrainersInvalid),
    ("spec.invited_trainers.extend(encode_address(bytes([n // 2] * 20)) for n in range(8))", errors.TrainersInvalid),
    ("spec.invited_trainers.extend(encode_address(n.to_bytes(20, 'big')) for n in range(257))",
     errors.TrainersInvalid),
    ("spec.invited_trainers.extend(['gradus1', 'a', 'b', 'c'])", InvalidAddress),
    ("spec.limits.ranges.add(field='training.step', max=1)", errors.LimitsInvalid),
    ("spec.limits.ranges.add(field='training.codec', max=1)", errors.LimitsInvalid),
    ("spec.limits.ranges.add(field='training.trim', min=2, max=1)", errors.LimitsInvalid),
    ("[spec.limits.ranges.add(field=name, max=9) for name in ('training.trim', 'training.rounds')]",
     errors.LimitsInvalid),
    ("[spec.limits.ranges.add(field='training.trim', max=9) for _ in range(2)]", errors.LimitsInvalid),
    ("spec.limits.ranges.add(field='training.local_steps', min=33, max=64)", errors.LimitsInvalid),
    ("spec.limits.ranges.add(field='training.learning_rate.peak_q16', min=1, max=6553)", errors.LimitsInvalid),
    ("spec.limits.choices.add(field='training.momentum_q16', values=['int8/256'])", errors.LimitsInvalid),
    ("spec.limits.choices.add(field='training.codec')", errors.LimitsInvalid),
    ("spec.limits.choices.add(field='training.codec', values=['int8/256', 'int9/256'])", errors.LimitsInvalid),
    ("spec.limits.choices.add(field='training.codec', values=['int8/256', 'int4/256'])", errors.LimitsInvalid),
    ("spec.limits.choices.add(field='training.codec', values=['int8/256', 'int8/256'])", errors.LimitsInvalid),
    ("spec.limits.choices.add(field='training.codec', values=['int4/256'])", errors.LimitsInvalid),
]


@pytest.mark.parametrize(("change", "error"), REFUSED)
def test_contract_with_wrong_terms_is_refused_and_nothing_is_written(
        rooms: Rooms, change: str, error: type[ChainError]) -> None:
    spec = small_spec()
    edit(change)(spec)
    before = rooms.state()
    with pytest.raises(ChainError) as caught:
        rooms.deliver(create_msg(spec))
    assert type(caught.value) is error
    assert rooms.state() == before


def test_every_error_of_the_terms_is_raised_by_a_case() -> None:
    """Codes 4 to 19, 27 and 28 are those of check_spec; 16 is retired."""
    raised = {error.code for _, error in REFUSED if error.codespace == "models"}
    assert raised == {*range(4, 16), *range(17, 20), 27, 28}


@pytest.mark.parametrize("change", [
    "spec.name = 'A'", "spec.name = 'a b.c_d-9'", "spec.dataset.test_rows = 0", "spec.training.rounds = 0",
    "spec.training.aggregation = 'mean'; spec.training.trim = 0",
    *(f"spec.training.aggregation = '{rule}'; spec.training.trainers_min = 5" for rule in terms.RULES[1:]),
    *(f"spec.training.codec = '{codec}'; spec.training.aggregation = 'sign_vote'" for codec in terms.CODECS),
    "spec.audit.rate_ppm = 1_000_000",
    "spec.audit.rate_ppm = 1_000_000; spec.economy.bond_ugrad = 1",
    "spec.economy.round_reward_ugrad = 0; spec.economy.bond_ugrad = 1",
    "spec.invited_trainers.extend(encode_address(bytes([n] * 20)) for n in range(4)); "
    "spec.economy.round_reward_ugrad = spec.economy.bond_ugrad = 0",
    "spec.mlp_classifier.widths[:] = [4, 3]",
    REGRESSOR, f"{REGRESSOR}; spec.dataset.classes = 1; spec.mlp_regressor.widths[:] = [4, 1]",
    DECODER, f"{DECODER}; spec.decoder.positions = 'rotary'; spec.decoder.tied = True",
    f"{DECODER}; spec.training.local_steps = 64; spec.training.batch_rows = 512; spec.training.trace_every = 64; "
    "spec.decoder.layers = 1",  # more than a dispute could go through
    "spec.training.commit_blocks = spec.training.reveal_blocks = spec.training.audit_blocks = 3",
    "spec.audit.missed_rounds_max = 100",
    "spec.audit.burn_ppm = 0; spec.audit.rate_ppm = 1_000_000",
    "spec.audit.burn_ppm = 0; spec.economy.round_reward_ugrad = 0",
    "spec.audit.burn_ppm = 1_000_000; spec.audit.withhold_slash_ppm = 500_000; spec.economy.bond_ugrad = 3_000_000",
    "spec.economy.bond_ugrad = 6_000_000",
    "spec.audit.committee_max = 1; spec.audit.audit_fee_ppm = 500_000",
    "spec.audit.committee_max = 64; spec.audit.audit_fee_ppm = 0; spec.audit.challenge_bond_ugrad = 2**64 - 1",
    "spec.audit.challenge_blocks = 3 * 63",
    "spec.audit.challenge_blocks = 3; spec.training.kept_rounds = 2",
    "spec.limits.choices.add(field='training.codec', values=['int4/256', 'int8/256'])",
    "[spec.limits.ranges.add(field=name, max=2**64 - 1) for name in limits.NUMBER_FIELDS]",
])
def test_contract_at_the_edge_of_the_terms_is_accepted(rooms: Rooms, change: str) -> None:
    rooms.audit_for_nothing()
    spec = small_spec()
    edit(change)(spec)
    assert rooms.create(spec).spec == spec


@pytest.mark.parametrize(("message", "error"), [
    (MsgCreateModel(creator="gradus1", spec=small_spec()), InvalidAddress),
    (create_msg(escrow_ugrad=1_049_999), errors.EscrowTooLow),
    (MsgCreateModel(creator=ALICE_TEXT, spec=small_spec()), errors.EscrowTooLow),
    (create_msg(escrow_ugrad=0), InvalidCoins),
    (create_msg(escrow_ugrad=2**64), InvalidCoins),
    (MsgFundModel(sender="", model_id=1), InvalidAddress),
    (MsgFundModel(sender=BOB_TEXT, model_id=1), InvalidCoins),
])
def test_message_with_wrong_fields_is_refused_and_nothing_is_written(
        rooms: Rooms, message: MsgCreateModel | MsgFundModel, error: type[ChainError]) -> None:
    before = rooms.state()
    with pytest.raises(error):
        rooms.deliver(message)
    assert rooms.state() == before


def test_a_payload_of_the_largest_model_fits_its_bound_and_one_more_parameter_does_not() -> None:
    fits = (2**22 - 1 - 2**14) // 60_003  # of [60_000, h, 2], each hidden unit has 60_001 + 2 parameters
    assert payload_bytes(2_044 * 2_044, terms.CODEC) <= 2**22 < payload_bytes(2_045 * 2_045, terms.CODEC)
    for widths in ([60_000, fits, 2], [2_043, 2_044]):
        terms.check_architecture(of_widths(widths))
    for widths in ([60_000, fits + 1, 2], [2_044, 2_045]):
        with pytest.raises(errors.ModelTooLarge):
            terms.check_architecture(of_widths(widths))


def of_widths(widths: list[int]) -> ModelSpec:
    """As much of a contract as says its network."""
    dataset = Dataset(rows_root=bytes(32), train_rows=1, features=widths[0], classes=widths[-1])
    return ModelSpec(dataset=dataset, mlp_classifier=MlpClassifier(widths=widths))


def test_round_of_an_accepted_contract_is_closed_within_a_block_whatever_its_rule_and_codec() -> None:
    spec = small_spec()
    spec.mlp_classifier.widths[:] = (4, 700, 700, 3)
    for spec.training.aggregation in terms.RULES:
        for spec.training.codec in terms.CODECS:
            for spec.training.units_max in (4, 16, 31, 64):
                cost = compute_close_cost(spec, spec.training.units_max)
                assert compute_close_cost(spec, spec.training.units_max - 1) < cost
                if cost > CLOSE_COST_PER_BLOCK:
                    with pytest.raises(errors.CloseTooCostly):
                        terms.check_size(spec)
                else:
                    terms.check_size(spec)
    assert compute_close_cost(spec, U64_MAX) == compute_close_cost(spec, terms.UNITS_MAX)
    assert compute_close_cost(spec, 0) == compute_close_cost(spec, 1)


def test_a_round_costs_its_reward_and_the_fee_of_its_auditors() -> None:
    spec = small_spec(round_reward_ugrad=999_999)
    spec.audit.audit_fee_ppm = 500_000
    assert compute_round_cost(spec) == 999_999 + 499_999
    spec.audit.audit_fee_ppm = 0
    assert compute_round_cost(spec) == 999_999


@settings(max_examples=60, deadline=None)
@given(features=st.integers(1, 65_536), classes=st.integers(2, 65_535), train_rows=st.integers(1, 2**31),
       test_rows=st.integers(0, 2**30), trainers_min=st.integers(1, 64), rounds=st.integers(0, 10_000),
       reward=st.integers(0, 10**12))
def test_default_terms_are_valid_for_every_table(features: int, classes: int, train_rows: int, test_rows: int,
                                                 trainers_min: int, rounds: int, reward: int) -> None:
    dataset = Dataset(rows_root=bytes(32), train_rows=train_rows, test_rows=test_rows, features=features,
                      classes=classes)
    spec = defaults.default_spec("table", dataset, bytes(32), rounds, trainers_min, reward)
    terms.check_spec(spec)
    assert compute_round_cost(spec) >= reward + min(reward // 2, compute_audit_fee_min(spec, 1))


def test_default_terms_for_a_reward_that_no_bond_secures_are_refused_with_a_code() -> None:
    with pytest.raises(errors.BondTooLow):
        terms.check_spec(small_spec(round_reward_ugrad=2**64 - 1))


def test_default_terms_keep_the_measured_recipe_for_a_small_table() -> None:
    dataset = Dataset(rows_root=bytes(32), train_rows=1437, test_rows=360, features=64, classes=10)
    spec = defaults.default_spec("digits", dataset, bytes(32))
    assert list(spec.mlp_classifier.widths) == [64, 128, 64, 10]
    assert (spec.training.local_steps, spec.training.batch_rows, spec.training.trace_every) == (32, 16, 8)


@pytest.mark.parametrize("architecture", ("mlp_regressor", "decoder"))
@pytest.mark.parametrize(("features", "classes"), ((4, 3), (64, 100), (2_000, 2), (16, 30_000)))
def test_default_terms_of_every_network_are_those_of_a_contract(architecture: str, features: int, classes: int) -> None:
    dataset = Dataset(rows_root=bytes(32), train_rows=1437, features=features, classes=classes)
    spec = defaults.default_spec("any", dataset, bytes(32), architecture=architecture)
    terms.check_spec(spec)
    assert spec.HasField(architecture)


@given(reward=st.integers(0, 2**40), rate_ppm=st.integers(1, 1_000_000), slash_ppm=st.integers(1, 1_000_000),
       burn_ppm=st.integers(1, 1_000_000), withhold_ppm=st.integers(1, 1_000_000))
def test_least_bond_makes_cheating_lose_and_one_less_does_not(
        reward: int, rate_ppm: int, slash_ppm: int, burn_ppm: int, withhold_ppm: int) -> None:
    """Even a cheat who proposes the block, and so gets back what is not burnt; and one who withholds what is drawn."""
    spec = small_spec(invited_trainers=(ALICE_TEXT,))
    spec.economy.round_reward_ugrad, spec.audit.rate_ppm, spec.audit.mismatch_slash_ppm = reward, rate_ppm, slash_ppm
    spec.audit.burn_ppm, spec.audit.withhold_slash_ppm = burn_ppm, withhold_ppm
    bond = terms.compute_bond_min(spec.economy, spec.audit)
    assume(bond <= U64_MAX)
    spec.economy.bond_ugrad = bond
    terms.check_economy(spec)
    audited = Fraction(rate_ppm, 10**6)
    least = min(bond * slash_ppm // 10**6 * burn_ppm // 10**6, bond * withhold_ppm // 10**6)
    assert (1 - audited) * reward <= audited * least
    if bond:
        spec.economy.bond_ugrad = bond - 1
        with pytest.raises(errors.BondTooLow):
            terms.check_economy(spec)


RATES = st.builds(LearningRate, peak_q16=st.integers(1, 2**20), warmup_rounds=st.integers(0, 50),
                  decay_rounds=st.integers(0, 50), floor_ppm=st.integers(0, 10**6))


@given(rate=RATES, round_number=st.integers(1, 200))
def test_learning_rate_is_the_exact_line_rounded_up_by_less_than_two(rate: LearningRate, round_number: int) -> None:
    top = max(rate.warmup_rounds, 1)
    floor = Fraction(rate.peak_q16 * rate.floor_ppm, 10**6)
    if round_number <= top:
        exact = Fraction(rate.peak_q16 * round_number, top)
    elif rate.decay_rounds == 0:
        exact = Fraction(rate.peak_q16)
    else:
        left = max(0, rate.decay_rounds - (round_number - top))
        exact = floor + (rate.peak_q16 - floor) * Fraction(left, rate.decay_rounds)
    computed = terms.compute_learning_rate_q16(rate, round_number)
    assert max(1, ceil(exact)) <= computed <= ceil(exact) + 1
    assert 1 <= computed <= rate.peak_q16


@given(rate=RATES)
def test_learning_rate_rises_to_its_peak_and_then_falls_to_its_floor(rate: LearningRate) -> None:
    top = max(rate.warmup_rounds, 1)
    rates = [terms.compute_learning_rate_q16(rate, number) for number in range(1, top + rate.decay_rounds + 3)]
    assert rates[top - 1] == rate.peak_q16
    assert rates[:top] == sorted(rates[:top]) and rates[top - 1:] == sorted(rates[top - 1:], reverse=True)
    least = max(1, ceil(Fraction(rate.peak_q16 * rate.floor_ppm, 10**6))) if rate.decay_rounds else rate.peak_q16
    assert rates[-1] == rates[-2] == least


def test_learning_rate_of_the_defaults_by_round() -> None:
    rate = LearningRate(peak_q16=1000, warmup_rounds=3, decay_rounds=4, floor_ppm=100_000)
    assert [terms.compute_learning_rate_q16(rate, number) for number in range(1, 10)] == [
        334, 667, 1000, 775, 550, 325, 100, 100, 100]


def test_a_random_contract_never_raises_anything_but_a_coded_error() -> None:
    rng = random.Random(1)
    raw = small_spec().SerializeToString()
    for _ in range(500):
        bad = bytearray(raw)
        for _ in range(rng.randrange(1, 4)):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        spec = ModelSpec()
        try:
            spec.ParseFromString(bytes(bad))
        except Exception:
            continue
        try:
            terms.check_spec(spec)
        except ChainError as error:
            assert error.code > 1
