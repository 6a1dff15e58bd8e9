"""Proofs of state: their types, the stock engine's encoding, and their verification. Pure.

An entry is proven in two steps: the entry in its store's tree, and the store's root in the tree over all stores,
whose root is the app hash in the header of height + 1. Both trees hash as RFC 6962 does with CometBFT's leaves:
    leaf(key, value) = SHA256(00 | uvarint(len key) | key | 20 | SHA256(value))
    inner(left, right) = SHA256(01 | left | right)
so existence verifies in stock CometBFT code (`simple:v`), and existence and absence verify as ICS-23
(`wire/ics23.py`). Source: CometBFT crypto/merkle/{hash,proof,proof_value,proof_op}.go.

The engine's `total` and `index` only steer left or right and are not under the root. With total = 2**depth every
split is in half, so any binary tree is provable: index is the path's bits, root first, right = 1.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple, Sequence

from abci_app.wire.fields import Fields, encode_bytes, encode_uint
from abci_app.wire.merkle import HASH_BYTES
from abci_app.wire.varint import encode_uvarint

MAX_DEPTH = 62  # total = 2**depth must fit an int64
SIMPLE_VALUE = "simple:v"


class ProofInvalid(ValueError):
    """The proof does not show what it claims; the text says at which step."""


@dataclass(frozen=True, slots=True)
class Step:
    """One level of a path: the 32-byte hash beside this node, and whether this node is the right child."""

    is_right: bool
    sibling: bytes


@dataclass(frozen=True, slots=True)
class Existence:
    """`key` has `value`; `steps` lead from the leaf to the root."""

    key: bytes
    value: bytes
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Absence:
    """`key` has no value: `left` and `right` are neighbours in the tree, one below and one above the key.

    At an edge of the tree one of the two is None.
    """

    key: bytes
    left: Existence | None
    right: Existence | None


@dataclass(frozen=True, slots=True)
class Proof:
    """What the state of `height` says about one key: `entry` in its store, and the store's root under `app_hash`.

    `app_hash` stands in the header of height + 1. A verifier takes it from there, never from here.
    """

    height: int
    app_hash: bytes
    store_name: str
    entry: Existence | Absence
    store: Existence

    @property
    def value(self) -> bytes | None:
        """The proven value; None when absence is proven."""
        return self.entry.value if isinstance(self.entry, Existence) else None


class ProofOp(NamedTuple):
    """One operation of `ResponseQuery.proof_ops`: decoder name, key, encoded proof."""

    type: str
    key: bytes
    data: bytes


def leaf_hash(key: bytes, value: bytes) -> bytes:
    """The hash of a leaf, 32 bytes."""
    return sha256(b"\x00" + encode_uvarint(len(key)) + key + b"\x20" + sha256(value).digest()).digest()


def inner_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node over its children's hashes, 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


def compute_root(entry: Existence) -> bytes:
    """The root that an existence proof leads to."""
    node = leaf_hash(entry.key, entry.value)
    for step in entry.steps:
        node = inner_hash(step.sibling, node) if step.is_right else inner_hash(node, step.sibling)
    return node


def check_existence(entry: Existence, root: bytes) -> None:
    """Raises ProofInvalid unless `entry` is under `root`. Keys and values of the tree are never empty."""
    if not entry.key or not entry.value:
        raise ProofInvalid("the proof's key or value is empty")
    if len(entry.steps) > MAX_DEPTH or any(len(step.sibling) != HASH_BYTES for step in entry.steps):
        raise ProofInvalid(f"the path is longer than {MAX_DEPTH} steps or a hash is not {HASH_BYTES} bytes")
    if compute_root(entry) != root:
        raise ProofInvalid("the path does not lead to the root")


def check_absence(proof: Absence, root: bytes) -> None:
    """Raises ProofInvalid unless no leaf with the proof's key is under `root`."""
    left, right = proof.left, proof.right
    if not proof.key or (left is None and right is None):
        raise ProofInvalid("the proof has no key or no neighbour")
    if left is not None:
        check_existence(left, root)
        if left.key >= proof.key:
            raise ProofInvalid("the left neighbour is not below the key")
    if right is not None:
        check_existence(right, root)
        if right.key <= proof.key:
            raise ProofInvalid("the right neighbour is not above the key")
    down_left = list(reversed(left.steps)) if left else []
    down_right = list(reversed(right.steps)) if right else []
    if left and right:
        fork = 0
        while fork < min(len(down_left), len(down_right)) and down_left[fork] == down_right[fork]:
            fork += 1
        if down_left[fork : fork + 1] == [] or down_right[fork : fork + 1] == []:
            raise ProofInvalid("one neighbour's path runs through the other")
        if down_left[fork].is_right or not down_right[fork].is_right:
            raise ProofInvalid("the neighbours are in the wrong order")
        down_left, down_right = down_left[fork + 1 :], down_right[fork + 1 :]
    if not all(step.is_right for step in down_left) or any(step.is_right for step in down_right):
        raise ProofInvalid("there are leaves between the neighbours")


def check_proof(proof: Proof, app_hash: bytes, store_name: str, key: bytes) -> None:
    """Raises ProofInvalid unless `proof` shows what the state under `app_hash` says about `key` of `store_name`.

    `app_hash` must come from a verified header. What is shown is then `proof.value`, None for absence.
    """
    if proof.store.key != store_name.encode() or proof.entry.key != key:
        raise ProofInvalid("the proof is about another store or key")
    check_existence(proof.store, app_hash)
    if isinstance(proof.entry, Existence):
        check_existence(proof.entry, proof.store.value)
    else:
        check_absence(proof.entry, proof.store.value)


def value_ops(proof: Proof) -> list[ProofOp]:
    """The two operations that CometBFT's stock proof runtime verifies: the entry's, then the store's.

    Raises ProofInvalid for an absence, which the stock runtime cannot verify: answer those as ICS-23.
    """
    if not isinstance(proof.entry, Existence):
        raise ProofInvalid("simple:v cannot show absence")
    return [_value_op(proof.entry), _value_op(proof.store)]


def _value_op(entry: Existence) -> ProofOp:
    """tendermint.crypto.ValueOp{key = 1, proof = 2: Proof{total = 1, index = 2, leaf_hash = 3, aunts = 4}}."""
    if len(entry.steps) > MAX_DEPTH:
        raise ProofInvalid(f"a tree deeper than {MAX_DEPTH} has no simple:v proof")
    index = sum(1 << level for level, step in enumerate(entry.steps) if step.is_right)
    proof = [
        encode_uint(1, 1 << len(entry.steps)),
        encode_uint(2, index),
        encode_bytes(3, leaf_hash(entry.key, entry.value)),
        *(encode_bytes(4, step.sibling) for step in entry.steps),
    ]
    return ProofOp(SIMPLE_VALUE, entry.key, encode_bytes(1, entry.key) + encode_bytes(2, b"".join(proof)))


def verify_value_ops(
    ops: Sequence[tuple[str, bytes, bytes]], app_hash: bytes, store_name: str, key: bytes, value: bytes
) -> None:
    """Raises ProofInvalid unless `ops` show `key` = `value` in `store_name` under `app_hash`.

    Accepts the one form that `value_ops` writes; CometBFT's runtime accepts that and some others.
    """
    if len(ops) != 2:
        raise ProofInvalid(f"two operations expected, {len(ops)} given")
    store_root = compute_root(_read_value_op(ops[0], key, value))
    check_existence(_read_value_op(ops[1], store_name.encode(), store_root), app_hash)


def _read_value_op(op: tuple[str, bytes, bytes], key: bytes, value: bytes) -> Existence:
    """The path of one encoded operation, as the existence of `key` and `value`."""
    kind, op_key, data = op
    if kind != SIMPLE_VALUE or op_key != key or not key or not value:
        raise ProofInvalid(f"operation {kind} {op_key.hex()} does not show a value of {key.hex()}")
    try:
        outer = Fields(data, 2)
        inner_key, proof = outer.one(1), Fields(outer.one(2), MAX_DEPTH + 3)
        total, index, leaf, aunts = proof.uint(1), proof.uint(2), proof.one(3), proof.many(4)
        outer.done()
        proof.done()
    except ValueError as error:
        raise ProofInvalid(f"malformed ValueOp: {error}") from error
    if inner_key != key or leaf != leaf_hash(key, value):
        raise ProofInvalid("the leaf is not that of the key and value")
    if total != 1 << len(aunts) or index >= total or any(len(aunt) != HASH_BYTES for aunt in aunts):
        raise ProofInvalid("total, index or a hash is out of range")
    return Existence(key, value, tuple(Step(bool(index >> level & 1), aunt) for level, aunt in enumerate(aunts)))
