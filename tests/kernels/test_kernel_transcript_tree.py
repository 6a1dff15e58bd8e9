"""The tree of 16 children over a list: its shape, the way to a leaf, and proofs that nothing can be added to."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import transcript
from kernels.errors import KernelInputError
from kernels.transcript import tree

COUNTS = (1, 2, 15, 16, 17, 32, 255, 256, 257, 272, 273, 1000, 4096, 4097)


def new_leaves(count: int) -> list[bytes]:
    return [hashlib.sha256(b"leaf %d" % index).digest() for index in range(count)]


def naive_node(leaves: list[bytes], height: int) -> bytes:
    """A node straight from the definition: over all leaves below it, height 0 is a leaf."""
    if height == 0:
        return leaves[0]
    step = 16 ** (height - 1)
    below = [naive_node(leaves[at:at + step], height - 1) for at in range(0, len(leaves), step)]
    return hashlib.sha256(b"\x02" + bytes([len(below)]) + b"".join(below)).digest()


@pytest.mark.parametrize("count", COUNTS)
def test_root_is_that_of_the_definition(count: int) -> None:
    depth = {1: 1, 16: 1, 17: 2, 256: 2, 257: 3, 4096: 3, 4097: 4}.get(count, transcript.find_depth(count))
    assert transcript.find_depth(count) == depth
    assert transcript.root(new_leaves(count)) == naive_node(new_leaves(count), depth)


def test_committed_roots() -> None:
    assert [transcript.root(new_leaves(count)).hex()[:16] for count in (1, 16, 17, 1000)] == [
        "6d7519e5729985ef", "2d0167d51f8842b5", "501ef43fcd071719", "d1919a590fc2d1a5"]


@pytest.mark.parametrize("count", COUNTS)
def test_children_lead_from_the_root_to_every_leaf(count: int) -> None:
    leaves = new_leaves(count)
    for index in sorted({0, 1, count // 2, count - 1} & {*range(count)}):
        node, path = transcript.root(leaves), transcript.find_path(count, index)
        assert len(path) == transcript.find_depth(count) and transcript.find_leaf(count, path) == index
        for depth, number in enumerate(path):
            found = transcript.children(leaves, path[:depth])
            assert len(found) == transcript.child_count(count, path[:depth])
            assert transcript.verify_children(node, found, count, path[:depth])
            node = found[number]
        assert node == leaves[index]


def test_every_million_leaves_are_five_steps_deep() -> None:
    assert transcript.find_depth(10**6) == transcript.find_depth(transcript.LEAVES_MAX) == 5


def test_children_of_another_number_or_another_node_are_refused() -> None:
    leaves = new_leaves(300)
    root, found = transcript.root(leaves), transcript.children(leaves, ())
    assert len(found) == 2
    wrong = ([found[0]], [*found, found[0]], [], found[::-1], [found[0], found[1][:31]], [found[0], 5], b"x" * 2, None)
    for told in wrong:
        assert not transcript.verify_children(root, told, 300, ())
    assert not transcript.verify_children(transcript.hash_children([found[0]]), [found[0]], 300, ())


@given(count=st.integers(1, 600), drawn=st.lists(st.integers(0, 10**6), min_size=1, max_size=12))
def test_proof_of_any_leaves_holds_and_has_the_size_that_was_told(count: int, drawn: list[int]) -> None:
    leaves, indices = new_leaves(count), [number % count for number in drawn]
    proof = transcript.open_leaves(leaves, indices)
    found = {index: leaves[index] for index in indices}
    assert transcript.verify_leaves(transcript.root(leaves), count, found, proof)
    assert sum(32 * len(node) for node in proof) == tree.proof_bytes(count, indices)


def test_proof_that_was_changed_anywhere_is_refused() -> None:
    leaves, indices, count = new_leaves(700), [3, 4, 300, 699], 700
    root, proof = transcript.root(leaves), transcript.open_leaves(leaves, indices)
    found = {index: leaves[index] for index in indices}
    assert transcript.verify_leaves(root, count, found, proof)
    for at, node in enumerate(proof):
        assert not transcript.verify_leaves(root, count, found, proof[:at] + proof[at + 1:])
        assert not transcript.verify_leaves(root, count, found, [*proof[:at], node, *proof[at:]])
        for number in range(len(node)):
            changed = [*node[:number], hashlib.sha256(node[number]).digest(), *node[number + 1:]]
            assert not transcript.verify_leaves(root, count, found, [*proof[:at], changed, *proof[at + 1:]])
    for index in indices:
        assert not transcript.verify_leaves(root, count, {**found, index: leaves[index - 1]}, proof)
    fewer = {index: leaves[index] for index in (3, 4, 300)}
    assert not transcript.verify_leaves(root, count, fewer, proof)
    assert not transcript.verify_leaves(root, 701, found, proof)
    assert not transcript.verify_leaves(leaves[0], count, found, proof)
    for wrong in ({}, {-1: leaves[0]}, {700: leaves[0]}):
        assert not transcript.verify_leaves(root, count, wrong, proof)


def test_leaf_beside_a_proved_one_is_proved_too() -> None:
    leaves = new_leaves(20)
    proof = transcript.open_leaves(leaves, [17])
    assert transcript.verify_leaves(transcript.root(leaves), 20, {17: leaves[17], 18: leaves[18]}, proof)


@pytest.mark.parametrize("count, path, hint", [
    (0, (), "count"), (2**20 + 1, (), "count"), (17, (0, 1), "longer"), (17, (2,), "no node"), (17, (16,), "child"),
    (17, [0], "tuple"), (17, (True,), "integer"),
])
def test_path_that_leads_nowhere_is_refused(count: int, path: object, hint: str) -> None:
    with pytest.raises(KernelInputError, match=hint):
        transcript.child_count(count, path)


def test_leaf_beyond_the_last_has_no_path_and_a_short_path_no_leaf() -> None:
    for call in (lambda: transcript.find_path(17, 17), lambda: transcript.find_leaf(17, (1, 1)),
                 lambda: transcript.find_leaf(17, (1,)), lambda: transcript.hash_children([]),
                 lambda: transcript.hash_children([bytes(31)]), lambda: transcript.hash_children([bytes(32)] * 17)):
        with pytest.raises(KernelInputError):
            call()
