"""Merkle trees over lists (RFC 6962 hashing, SHA-256) with proofs of several leaves at once.

leaf = H(00 ‖ data), inner = H(01 ‖ left ‖ right); a level's last node without a partner rises unchanged, which gives
the tree of RFC 6962. Used for datasets' rows and for the traces of units.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

HASH_BYTES = 32
LEAVES_MAX = 1 << 32


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def inner_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class MerkleTree:
    """All levels of the tree over `leaves` (at least one), for provers."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        level = [leaf_hash(leaf) for leaf in leaves]
        if not level:
            raise ValueError("a Merkle tree has at least one leaf")
        self.levels: list[Sequence[bytes]] = [level]
        while len(level) > 1:
            level = [inner_hash(*level[i:i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
            self.levels.append(level)

    @property
    def root(self) -> bytes:
        return self.levels[-1][0]

    def prove(self, indices: list[int]) -> list[bytes]:
        """The hashes that, with the leaves at rising `indices`, give the root: level by level, left to right."""
        _check_indices(indices, len(self.levels[0]))
        proof: list[bytes] = []
        known = indices
        for level in self.levels[:-1]:
            missing = [i ^ 1 for i in known if i ^ 1 < len(level) and not _is_paired(known, i)]
            proof.extend(level[i] for i in missing)
            known = _parents(known)
        return proof


class MerkleAppender:
    """The root over leaves that come one by one: O(log n) hashes held, and as many computed at each root."""

    def __init__(self) -> None:
        self.count = 0
        self._peaks: list[bytes] = []

    def append(self, data: bytes) -> None:
        """Add a leaf behind the others."""
        node, left = leaf_hash(data), self.count
        while left & 1:
            node = inner_hash(self._peaks.pop(), node)
            left >>= 1
        self._peaks.append(node)
        self.count += 1

    @property
    def root(self) -> bytes:
        """That of MerkleTree over the same leaves. ValueError without any."""
        if not self._peaks:
            raise ValueError("a Merkle tree has at least one leaf")
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = inner_hash(peak, root)
        return root

    def root_with(self, data: bytes) -> bytes:
        """The root as it would be with one more leaf; nothing is added."""
        following = MerkleAppender()
        following.count, following._peaks = self.count, list(self._peaks)
        following.append(data)
        return following.root


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """Root over at least one leaf."""
    return MerkleTree(leaves).root


def verify_leaves(root: bytes, count: int, indices: list[int], leaves: list[bytes], proof: list[bytes]) -> bool:
    """Whether `leaves` stand at rising `indices` of the tree of `count` leaves under `root`. Uses the whole proof."""
    if not 1 <= count <= LEAVES_MAX or len(leaves) != len(indices) or any(len(part) != HASH_BYTES for part in proof):
        return False
    if not indices or indices[0] < 0 or indices[-1] >= count or not _is_rising(indices):
        return False
    nodes = [(index, leaf_hash(leaf)) for index, leaf in zip(indices, leaves)]
    rest = iter(proof)
    while count > 1:
        raised = _raise_level(nodes, count, rest)
        if raised is None:
            return False
        nodes, count = raised, (count + 1) // 2  # rounded up: the last node without a partner rises
    return next(rest, None) is None and nodes[0][1] == root


def _raise_level(nodes: list[tuple[int, bytes]], count: int, proof: Iterator[bytes]) -> list[tuple[int, bytes]] | None:
    """The known nodes one level up; None when the proof is too short."""
    raised, at = [], 0
    while at < len(nodes):
        index, value = nodes[at]
        at += 1
        if index % 2 == 0 and index + 1 < count:
            if at < len(nodes) and nodes[at][0] == index + 1:
                right: bytes | None = nodes[at][1]
                at += 1
            else:
                right = next(proof, None)
            if right is None:
                return None
            value = inner_hash(value, right)
        elif index % 2 == 1:
            left = next(proof, None)
            if left is None:
                return None
            value = inner_hash(left, value)
        raised.append((index >> 1, value))
    return raised


def _parents(known: list[int]) -> list[int]:
    parents: list[int] = []
    for index in known:
        if not parents or parents[-1] != index >> 1:
            parents.append(index >> 1)
    return parents


def _is_paired(known: list[int], index: int) -> bool:
    """Whether the partner of `index` is among rising `known`."""
    low, high, partner = 0, len(known), index ^ 1
    while low < high:
        middle = (low + high) >> 1
        if known[middle] < partner:
            low = middle + 1
        else:
            high = middle
    return low < len(known) and known[low] == partner


def _is_rising(indices: list[int]) -> bool:
    return all(a < b for a, b in zip(indices, indices[1:]))


def _check_indices(indices: list[int], count: int) -> None:
    if not indices or not _is_rising(indices) or indices[0] < 0 or indices[-1] >= count:
        raise ValueError(f"indices must be rising and below {count}")
