"""Merkle trees: the one that grows is the one that is built at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.wire.merkle import MerkleAppender, MerkleTree, merkle_root, verify_leaves


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=70))
def test_a_tree_that_grows_leaf_by_leaf_has_the_root_of_the_tree_over_them(leaves: list[bytes]) -> None:
    growing = MerkleAppender()
    for count, leaf in enumerate(leaves, 1):
        ahead = growing.root_with(leaf)
        growing.append(leaf)
        assert growing.count == count
        assert growing.root == ahead == merkle_root(leaves[:count])


def test_a_leaf_of_a_grown_tree_is_proved_by_the_whole_one() -> None:
    leaves, growing = [bytes([index]) for index in range(11)], MerkleAppender()
    for leaf in leaves:
        growing.append(leaf)
    assert all(verify_leaves(growing.root, 11, [index], [leaf], MerkleTree(leaves).prove([index]))
               for index, leaf in enumerate(leaves))


def test_a_tree_without_leaves_has_no_root() -> None:
    with pytest.raises(ValueError):
        MerkleAppender().root
