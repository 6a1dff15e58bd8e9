"""Records of the tree in memory: those used last, shared between threads."""

from typing import Callable

MAX_CACHED_NODE_BYTES = 2 << 10  # larger records are left to RocksDB's own cache


class NodeCache:
    """The nodes used last, at most `capacity` of them, in two generations.

    A full young generation becomes the old one, and the old one is dropped. Safe to share between threads: a race
    loses cached nodes, never correctness.
    """

    __slots__ = ("_half", "_young", "_old", "_read")

    def __init__(self, capacity: int, read: Callable[[bytes], bytes]) -> None:
        self._half = capacity // 2 + 1
        self._young: dict[bytes, bytes] = {}
        self._old: dict[bytes, bytes] = {}
        self._read = read

    def load(self, node_id: bytes) -> bytes:
        """The node, from here or by `read`, whose errors pass through."""
        node = self.find(node_id)
        if node is None:
            node = self._read(node_id)
            self.put(node_id, node)
        return node

    def find(self, node_id: bytes) -> bytes | None:
        """The node if it is here."""
        node = self._young.get(node_id)
        if node is None:
            node = self._old.get(node_id)
            if node is not None:
                self.put(node_id, node)
        return node

    def put(self, node_id: bytes, node: bytes) -> None:
        """Remember a node, unless it is large."""
        if len(node) > MAX_CACHED_NODE_BYTES:
            return
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[node_id] = node

    def clear(self) -> None:
        """Forget all."""
        self._young, self._old = {}, {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
