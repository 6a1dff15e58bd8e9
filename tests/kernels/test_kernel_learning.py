"""The numerics learn: digits to 95 %, and a threshold that needs biases. Exact counts, the same everywhere."""

from __future__ import annotations

import dataclasses

from curves import Recipe, train

from kernels import checks, chunks, dispatch, mlp, outer, payload, samples, unit
from kernels.mlp import training
from kernels.unit.cases import new_policy


def test_six_rounds_of_digits_reach_95_percent_of_held_out_rows() -> None:
    held_out = 360
    correct = train(dataclasses.replace(Recipe(), rounds=6), 1)
    assert correct[-1] * 100 >= 95 * held_out


def test_zero_learning_rate_leaves_the_weights_alone(backend: str) -> None:
    policy = new_policy((3, 4, 2), 3, 2, 0, 58982, 3)
    weights = mlp.init_weights(policy.model.widths, bytes(32))
    result = unit.run_unit(policy, weights, samples.sample_features("still", 18), bytes(12), bytes(32))
    assert payload.decode(result.payload, mlp.param_count(policy.model.widths), policy.codec) == bytes(8 * 26)


def test_any_part_of_the_state_of_a_traced_step_can_be_proved(backend: str) -> None:
    """Without a learning rate the weights stay; m of the first step is its gradient, which the trace commits to."""
    policy = dataclasses.replace(new_policy((300, 40, 3), 1, 2, 0), optimiser=unit.Adam(0, 0, 4))
    weights = mlp.init_weights((300, 40, 3), bytes(32))
    trained = unit.run_unit(policy, weights, samples.sample_features("state", 600), bytes(4), bytes(32))
    op = dispatch.implementation("optimiser")
    state = op.new_state(policy.optimiser, checks.read_array(weights, "<i4"))
    trainer = training.Trainer(policy.model, state.weights, bytes(32))
    batch = training.read_batches(policy.model, 1, 2, samples.sample_features("state", 600), bytes(4))[0]
    bounds = [0, 12_000, 12_040, 12_160, 12_163]
    for index, gradient in trainer.run_step(*batch, 0):
        op.step(policy.optimiser, (0, 0), state.part(bounds[index], bounds[index + 1]), gradient)
    whole = b"".join(op.dump(state))
    assert len(whole) == 12_163 * (4 + 8 + 8)
    parts = chunks.split(whole)
    for index, part in enumerate(parts):
        assert chunks.verify_chunk(trained.trace[0], part, index, len(parts), chunks.chunk_proof(whole, index))


def test_threshold_on_one_positive_feature_is_learned(backend: str) -> None:
    """Is x above 60, for x in 1..120? Without biases all positive x would get the same answer."""
    policy = new_policy((1, 8, 2), 600, 16, 6554, 58982, 600)
    rows = policy.local_steps * policy.batch_rows
    features = bytes(byte % 120 + 1 for byte in samples.sample("threshold", rows))
    labels = b"".join(bytes([x > 60, 0]) for x in features)
    weights = mlp.init_weights(policy.model.widths, samples.SEED)
    count = mlp.param_count(policy.model.widths)
    sent = unit.run_unit(policy, weights, features, labels, samples.SEED).payload
    delta = payload.decode(sent, count, policy.codec)
    weights, _ = outer.outer_step(weights, bytes(8 * count), delta, 65536, 0)
    answers = mlp.predict(policy.model.widths, weights, bytes(range(1, 121)), 120)[::2]
    wrong = sum(answer != (x > 60) for x, answer in enumerate(answers, 1))
    assert wrong <= 4
