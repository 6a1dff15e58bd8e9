"""Proofs as ICS-23 CommitmentProof bytes under TendermintSpec, both ways. Pure.

The trees' hashes are TendermintSpec's byte for byte (leaf prefix 00, key as it is, SHA-256 of the value, lengths
as varints; inner prefix 01, children of 32 bytes, left before right). A client's proof specs are
[TendermintSpec, TendermintSpec]: the entry in its store, then the store under the app hash.
Source: ICS-23, proofs.proto, go/proof.go and go/ops.go.

    CommitmentProof{exist = 1, nonexist = 2}      NonExistenceProof{key = 1, left = 2, right = 3}
    ExistenceProof{key = 1, value = 2, leaf = 3: LeafOp, path = 4: InnerOp}
    LeafOp{hash = 1, prehash_key = 2, prehash_value = 3, length = 4, prefix = 5}
    InnerOp{hash = 1, prefix = 2, suffix = 3}
"""

from typing import Sequence

from abci_app.wire.fields import Fields, encode_bytes, encode_uint
from abci_app.wire.merkle import HASH_BYTES
from abci_app.wire.proof import (
    MAX_DEPTH,
    Absence,
    Existence,
    Proof,
    ProofInvalid,
    ProofOp,
    Step,
    check_absence,
    check_existence,
)

ICS23_SIMPLE = "ics23:simple"  # relayers ignore it; the SDK's name for this kind of tree
SHA256, VAR_PROTO = 1, 1
LEAF_OP = encode_uint(1, SHA256) + encode_uint(3, SHA256) + encode_uint(4, VAR_PROTO) + encode_bytes(5, b"\x00")


def ics23_ops(proof: Proof) -> list[ProofOp]:
    """The two operations for `ResponseQuery.proof_ops`, lowest tree first; existence and absence alike."""
    entry, store = commitment_proofs(proof)
    return [ProofOp(ICS23_SIMPLE, proof.entry.key, entry), ProofOp(ICS23_SIMPLE, proof.store.key, store)]


def commitment_proofs(proof: Proof) -> list[bytes]:
    """CommitmentProof bytes of the entry (or its absence) in its store, and of the store under the app hash."""
    return [encode_commitment(proof.entry), encode_commitment(proof.store)]


def encode_commitment(proof: Existence | Absence) -> bytes:
    """One CommitmentProof."""
    if isinstance(proof, Existence):
        return encode_bytes(1, _encode_existence(proof))
    return encode_bytes(
        2,
        encode_bytes(1, proof.key)
        + (encode_bytes(2, _encode_existence(proof.left)) if proof.left else b"")
        + (encode_bytes(3, _encode_existence(proof.right)) if proof.right else b""),
    )


def _encode_existence(entry: Existence) -> bytes:
    path = (encode_bytes(4, _encode_step(step)) for step in entry.steps)
    return encode_bytes(1, entry.key) + encode_bytes(2, entry.value) + encode_bytes(3, LEAF_OP) + b"".join(path)


def _encode_step(step: Step) -> bytes:
    """A right child has no suffix field at all: the Go verifier refuses an empty one beside a long prefix."""
    if step.is_right:
        return encode_uint(1, SHA256) + encode_bytes(2, b"\x01" + step.sibling)
    return encode_uint(1, SHA256) + encode_bytes(2, b"\x01") + encode_bytes(3, step.sibling)


def decode_commitment(data: bytes) -> Existence | Absence:
    """Read one CommitmentProof; raises ProofInvalid unless it is of TendermintSpec and well formed."""
    try:
        outer = Fields(data, 1)
        exist, nonexist = outer.find(1), outer.find(2)
        outer.done()
        if exist is not None:
            return _decode_existence(exist)
        absence = Fields(nonexist or b"", 3)
        key, left, right = absence.one(1), absence.find(2), absence.find(3)
        absence.done()
        return Absence(
            key,
            None if left is None else _decode_existence(left),
            None if right is None else _decode_existence(right),
        )
    except ProofInvalid:
        raise
    except ValueError as error:
        raise ProofInvalid(f"malformed CommitmentProof: {error}") from error


def _decode_existence(data: bytes) -> Existence:
    fields = Fields(data, MAX_DEPTH + 3)
    key, value, leaf, path = fields.one(1), fields.one(2), fields.one(3), fields.many(4)
    fields.done()
    if leaf != LEAF_OP:
        raise ProofInvalid("the leaf is not of TendermintSpec")
    return Existence(key, value, tuple(_decode_step(step) for step in path))


def _decode_step(data: bytes) -> Step:
    fields = Fields(data, 3)
    hash_op, prefix, suffix = fields.uint(1), fields.one(2), fields.find(3)
    fields.done()
    if hash_op == SHA256 and prefix[:1] == b"\x01":
        if suffix is None and len(prefix) == 1 + HASH_BYTES:
            return Step(True, prefix[1:])
        if suffix is not None and len(suffix) == HASH_BYTES and len(prefix) == 1:
            return Step(False, suffix)
    raise ProofInvalid("a step of the path is not of TendermintSpec")


def verify_commitments(
    proofs: Sequence[bytes], app_hash: bytes, store_name: str, key: bytes, value: bytes | None
) -> None:
    """Raises ProofInvalid unless `proofs` show `key` = `value` (None: absent) in `store_name` under `app_hash`."""
    if len(proofs) != 2:
        raise ProofInvalid(f"two proofs expected, {len(proofs)} given")
    entry, store = decode_commitment(proofs[0]), decode_commitment(proofs[1])
    if not isinstance(store, Existence) or store.key != store_name.encode() or entry.key != key:
        raise ProofInvalid("the proof is about another store or key")
    check_existence(store, app_hash)
    if isinstance(entry, Absence):
        check_absence(entry, store.value)
        found = None
    else:
        check_existence(entry, store.value)
        found = entry.value
    if found != value:
        raise ProofInvalid("the proof shows another value")
