"""Proofs of a real database, their exact bytes, and what verifiers refuse. Random cases: tests/properties."""

import pytest

from abci_app.store.branch import Branch
from abci_app.store.disk import Database
from abci_app.wire.fields import Fields, FieldsInvalid, encode_bytes, encode_uint
from abci_app.wire.ics23 import LEAF_OP, commitment_proofs, decode_commitment, ics23_ops, verify_commitments
from abci_app.wire.proof import (
    Absence,
    Existence,
    Proof,
    ProofInvalid,
    Step,
    check_absence,
    check_existence,
    check_proof,
    inner_hash,
    leaf_hash,
    value_ops,
    verify_value_ops,
)
from abci_app.wire.varint import VarintInvalid, VarintTruncated, decode_uvarint, encode_uvarint


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> dict[bytes, Proof]:
    with Database.open(tmp_path_factory.mktemp("db"), ["auth", "bank", "work"], fsync=False) as database:
        branch = Branch(database.latest())
        for number in range(0, 100, 2):
            branch.store("bank").set(b"k%02d" % number, b"v%d" % number)
        version = database.commit(database.stage(branch, 1))
        return {key: version.prove("bank", key) for key in (b"k00", b"k42", b"k98", b"k41", b"a", b"z")}


def test_leaf_and_inner_hashes_are_rfc_6962_with_the_engines_leaves() -> None:
    """Computed apart from the code: H(00 | 01 6b | 20 | H(76)) and H(01 | leaf | leaf)."""
    leaf = leaf_hash(b"k", b"v")
    assert leaf.hex() == "c2b106422cc900d3609f8aa8effd8704cdd41de71375b36deef79de19d4844b4"
    assert inner_hash(leaf, leaf).hex() == "419918d089df59b6c03147fc8e2727b97b036fedf762eedb9b05dd475cc458d3"


def test_single_leaf_proof_has_the_exact_bytes_the_engine_reads() -> None:
    leaf = leaf_hash(b"k", b"v")
    top = leaf_hash(b"bank", leaf)
    proof = Proof(1, top, "bank", Existence(b"k", b"v", ()), Existence(b"bank", leaf, ()))
    entry, store = value_ops(proof)
    assert entry == ("simple:v", b"k", b"\x0a\x01k\x12\x24\x08\x01\x1a\x20" + leaf)
    assert store == ("simple:v", b"bank", b"\x0a\x04bank\x12\x24\x08\x01\x1a\x20" + top)
    verify_value_ops([entry, store], top, "bank", b"k", b"v")


def test_path_bits_become_total_and_index() -> None:
    steps = (Step(True, b"a" * 32), Step(False, b"b" * 32), Step(True, b"c" * 32))
    proof = Proof(1, b"", "s", Existence(b"k", b"v", steps), Existence(b"s", b"r", ()))
    data = value_ops(proof)[0].data
    aunts = b"".join(b"\x22\x20" + step.sibling for step in steps)
    assert data[3:] == b"\x12\x8c\x01\x08\x08\x10\x05\x1a\x20" + leaf_hash(b"k", b"v") + aunts


def test_ics23_bytes_are_those_of_tendermint_spec() -> None:
    entry = Existence(b"k", b"v", (Step(True, b"a" * 32), Step(False, b"b" * 32)))
    proof = Proof(1, b"", "s", entry, Existence(b"s", b"r", ()))
    assert LEAF_OP == bytes.fromhex("0801 1801 2001 2a0100")
    right = b"\x08\x01\x12\x21\x01" + b"a" * 32
    left = b"\x08\x01\x12\x01\x01\x1a\x20" + b"b" * 32
    inner = b"\x0a\x01k\x12\x01v\x1a\x09" + LEAF_OP + b"\x22\x25" + right + b"\x22\x27" + left
    assert commitment_proofs(proof)[0] == b"\x0a" + encode_uvarint(len(inner)) + inner
    assert decode_commitment(commitment_proofs(proof)[0]) == entry
    assert [op.key for op in ics23_ops(proof)] == [b"k", b"s"]


@pytest.mark.parametrize("key, value", [(b"k00", b"v0"), (b"k42", b"v42"), (b"k98", b"v98")])
def test_existence_verifies_in_both_forms(proofs: dict[bytes, Proof], key: bytes, value: bytes) -> None:
    proof = proofs[key]
    assert proof.value == value
    check_proof(proof, proof.app_hash, "bank", key)
    verify_value_ops(value_ops(proof), proof.app_hash, "bank", key, value)
    verify_commitments(commitment_proofs(proof), proof.app_hash, "bank", key, value)


@pytest.mark.parametrize("key, left, right", [(b"k41", b"k40", b"k42"), (b"a", b"\x00", b"k00"), (b"z", b"k98", None)])
def test_absence_is_shown_by_the_neighbours(
    proofs: dict[bytes, Proof], key: bytes, left: bytes, right: bytes | None
) -> None:
    proof = proofs[key]
    assert proof.value is None and isinstance(proof.entry, Absence)
    assert proof.entry.left is not None and proof.entry.left.key == left
    assert (proof.entry.right.key if proof.entry.right else None) == right
    check_proof(proof, proof.app_hash, "bank", key)
    verify_commitments(commitment_proofs(proof), proof.app_hash, "bank", key, None)
    with pytest.raises(ProofInvalid, match="cannot show absence"):
        value_ops(proof)


def test_forged_absences_are_refused(proofs: dict[bytes, Proof]) -> None:
    below, above, far = (proofs[key].entry for key in (b"k00", b"k42", b"k98"))
    assert isinstance(below, Existence) and isinstance(above, Existence) and isinstance(far, Existence)
    absent = proofs[b"k41"].entry
    assert isinstance(absent, Absence)
    root = proofs[b"k41"].store.value
    check_absence(absent, root)
    for forged, reason in [
        (Absence(b"k41", below, above), "between the neighbours"),
        (Absence(b"k41", absent.left, far), "between the neighbours"),
        (Absence(b"k41", absent.left, None), "between the neighbours"),
        (Absence(b"k41", None, absent.right), "between the neighbours"),
        (Absence(b"k41", absent.right, absent.left), "not below"),
        (Absence(b"k42", absent.left, absent.right), "not above"),
        (Absence(b"k41", absent.left, absent.left), "not above"),
        (Absence(b"k41", None, None), "no neighbour"),
        (Absence(b"", absent.left, absent.right), "no key"),
    ]:
        with pytest.raises(ProofInvalid, match=reason):
            check_absence(forged, root)


def test_forged_existences_are_refused(proofs: dict[bytes, Proof]) -> None:
    entry = proofs[b"k42"].entry
    assert isinstance(entry, Existence)
    root, steps = proofs[b"k42"].store.value, entry.steps
    for forged in [
        Existence(b"k43", entry.value, steps),
        Existence(entry.key, b"v43", steps),
        Existence(entry.key, entry.value, steps[1:]),
        Existence(entry.key, entry.value, steps[::-1]),
        Existence(entry.key, entry.value, (*steps, Step(True, bytes(32)))),
        Existence(entry.key, entry.value, (Step(not steps[0].is_right, steps[0].sibling), *steps[1:])),
        Existence(entry.key, entry.value, (Step(steps[0].is_right, steps[0].sibling[1:]), *steps[1:])),
        Existence(entry.key, b"", steps),
        Existence(b"", entry.value, steps),
        Existence(entry.key, entry.value, steps * 20),
    ]:
        with pytest.raises(ProofInvalid):
            check_existence(forged, root)


def test_ops_of_another_kind_or_form_are_refused(proofs: dict[bytes, Proof]) -> None:
    proof = proofs[b"k42"]
    entry, store = value_ops(proof)
    for forged in [
        [entry],
        [entry, store, store],
        [store, entry],
        [entry._replace(type="ics23:simple"), store],
        [entry._replace(key=b"k43"), store],
        [entry, store._replace(key=b"auth")],
        [entry._replace(data=entry.data + b"\x18\x01"), store],
        [entry._replace(data=entry.data[:-1]), store],
        [entry._replace(data=b""), store],
        [entry._replace(data=b"\xff" * 20), store],
    ]:
        with pytest.raises(ProofInvalid):
            verify_value_ops(forged, proof.app_hash, "bank", b"k42", b"v42")
    with pytest.raises(ProofInvalid):
        verify_value_ops([entry, store], proof.app_hash, "bank", b"k42", b"")


@pytest.mark.parametrize("data", [b"", b"\x1a\x00", b"\x0a\x00", b"\x12\x00", b"\xff", b"\x0a\xff\xff\xff\xff\x0f"])
def test_malformed_commitments_are_refused(data: bytes) -> None:
    with pytest.raises(ProofInvalid):
        decode_commitment(data)


@pytest.mark.parametrize(
    "value, encoded",
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**64 - 1, "ffffffffffffffffff01")],
)
def test_varints_have_one_encoding(value: int, encoded: str) -> None:
    assert encode_uvarint(value).hex() == encoded
    assert decode_uvarint(b"?" + bytes.fromhex(encoded) + b"?", 1) == (value, 1 + len(encoded) // 2)


@pytest.mark.parametrize("encoded", ["8000", "ff80 00", "ffffffffffffffffff02", "80808080808080808080 01", "8080 8000"])
def test_varints_that_are_long_or_large_are_refused(encoded: str) -> None:
    with pytest.raises(VarintInvalid) as caught:
        decode_uvarint(bytes.fromhex(encoded))
    assert not isinstance(caught.value, VarintTruncated)


@pytest.mark.parametrize("encoded", ["", "80", "ffff"])
def test_varints_cut_short_may_go_on(encoded: str) -> None:
    with pytest.raises(VarintTruncated):
        decode_uvarint(bytes.fromhex(encoded))


def test_varint_above_the_callers_limit_is_refused() -> None:
    assert decode_uvarint(b"\x7f", 0, 7) == (127, 1)
    for data in (b"\x80\x01", b"\xff\xff\xff\xff"):
        with pytest.raises(VarintInvalid):
            decode_uvarint(data, 0, 7)
    with pytest.raises(ValueError):
        encode_uvarint(-1)


def test_fields_are_read_strictly() -> None:
    data = encode_bytes(1, b"a") + encode_uint(2, 5) + encode_bytes(3, b"") + encode_bytes(3, b"c")
    fields = Fields(data, 4)
    assert (fields.one(1), fields.uint(2), fields.many(3), fields.find(4)) == (b"a", 5, [b"", b"c"], None)
    fields.done()
    with pytest.raises(FieldsInvalid, match="more than 3"):
        Fields(data, 3)
    with pytest.raises(FieldsInvalid, match="2 times"):
        Fields(data, 4).one(3)
    with pytest.raises(FieldsInvalid, match="missing"):
        Fields(data, 4).one(4)
    with pytest.raises(FieldsInvalid, match="unexpected"):
        Fields(data, 4).done()
    with pytest.raises(FieldsInvalid, match="2 times"):
        Fields(encode_uint(2, 5) * 2, 4).uint(2)
    for wire_type in (1, 3, 4, 5, 6, 7):
        with pytest.raises(FieldsInvalid, match="wire type"):
            Fields(bytes([8 | wire_type, 0]), 4)
