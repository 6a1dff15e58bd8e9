"""Payloads and feedback against the second implementation of their specification, plain_payload.py."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import plain
import plain_payload
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import mlp, payload, samples, unit
from kernels.errors import KernelInputError
from kernels.mlp import training
from kernels.unit.cases import new_policy

GOLDEN: dict[str, str] = json.loads((Path(__file__).with_name("golden") / "payload.json").read_text())
codecs = st.sampled_from(payload.CODECS)
values_drawn = st.one_of(st.integers(1 - 2**32, 2**32 - 1), st.integers(-300, 300), st.integers(-1, 1))
deltas = st.lists(values_drawn, min_size=1, max_size=300)


def unpack(data: bytes) -> list[int]:
    return list(memoryview(data).cast("q"))


def decode_or_none(sent: bytes, count: int, codec: str) -> list[int] | None:
    try:
        return unpack(payload.decode(sent, count, codec))
    except KernelInputError:
        return None


@settings(deadline=None)
@given(codec=codecs, delta=deltas, key=st.binary(min_size=32, max_size=32), decay=st.integers(0, 65536))
def test_payload_of_any_delta_is_what_the_text_says(codec: str, delta: list[int], key: bytes, decay: int) -> None:
    sent = plain_payload.encode(delta, key, codec)
    assert payload.encode(plain_payload.pack(delta), len(delta), key, codec) == sent
    assert decode_or_none(sent, len(delta), codec) == plain_payload.decode(sent, len(delta), codec)
    before = [2 * value for value in reversed(delta)]
    fed = payload.encode_with_feedback(
        plain_payload.pack(delta), plain_payload.pack(before), len(delta), key, codec, decay)
    assert (fed.payload, unpack(fed.residual)) == plain_payload.encode_fed(delta, before, key, codec, decay)


@settings(deadline=None, max_examples=300)
@given(codec=codecs, data=st.binary(max_size=80), count=st.integers(1, 90), changes=st.lists(
    st.tuples(st.integers(0, 99), st.integers(0, 255)), max_size=3), drawn=st.booleans())
def test_bytes_are_refused_where_the_text_says(
    codec: str, data: bytes, count: int, changes: list[tuple[int, int]], drawn: bool
) -> None:
    if drawn:
        data = payload.encode(samples.sample_ints("text", count, 8, 12), count, samples.SEED, codec)
    changed = bytearray(data)
    for place, byte in changes:
        if place < len(changed):
            changed[place] = byte
    assert decode_or_none(bytes(changed), count, codec) == plain_payload.decode(bytes(changed), count, codec)


@pytest.mark.parametrize("codec", payload.CODECS)
def test_golden_hash_of_two_regions_follows_from_the_text(codec: str) -> None:
    count = 65536 + (257 if codec == "int8/256" else 4097)
    sent = plain_payload.encode(unpack(samples.sample_ints("regions", count, 8, 20)), samples.SEED, codec)
    decoded = plain_payload.decode(sent, count, codec)
    assert decoded is not None
    name = "regions" if codec == "int8/256" else codec.split("/")[0] + "_regions"
    assert hashlib.sha256(sent + plain_payload.pack(decoded)).hexdigest() == GOLDEN[f"payload/{name}"]


@pytest.mark.parametrize("codec", payload.CODECS)
def test_trace_of_a_unit_with_feedback_commits_to_both_residuals(codec: str, backend: str) -> None:
    """The residual goes through units; the trace root is a tree over the residual before, the states, the one after."""
    widths, share = (7, 9, 3), 60000
    policy = replace(new_policy(widths, 3, 4, every=2), codec=codec)
    fed_policy = replace(policy, feedback_q16=share)
    weights, residual = mlp.init_weights(widths, samples.SEED), b""
    count = mlp.param_count(widths)
    for first_step in (0, 3):
        examples = training.draw_examples(policy.model, f"fed {first_step}", 12)
        alone = unit.run_unit(replace(policy, codec="int8/256"), weights, *examples, samples.SEED, first_step)
        local = find_delta(policy, weights, examples, first_step)
        before = unpack(residual) if residual else [0] * count
        fed = unit.run_unit(fed_policy, weights, *examples, samples.SEED, first_step, residual)
        sent, after = plain_payload.encode_fed(local, before, samples.SEED, codec, share)
        assert (fed.payload, unpack(fed.residual)) == (sent, after)
        roots = [plain.chunk_root(plain_payload.pack(values)) for values in (before, after)]
        assert fed.trace == (roots[0], *alone.trace, roots[1])
        leaves = [hashlib.sha256(b"\0" + digest).digest() for digest in fed.trace]
        assert fed.trace_root == plain.tree(leaves, hashlib.sha256)
        residual = fed.residual


def find_delta(
    policy: unit.UnitPolicy, weights: bytes, examples: tuple[bytes, bytes], first_step: int
) -> list[int]:
    """local - weights of a unit: the residual of feedback, plus what its payload says."""
    fed = unit.run_unit(replace(policy, feedback_q16=1), weights, *examples, samples.SEED, first_step)
    sent = unpack(payload.decode(fed.payload, len(weights) // 4, policy.codec))
    return [value + left for value, left in zip(sent, unpack(fed.residual))]
