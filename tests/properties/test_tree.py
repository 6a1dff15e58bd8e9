"""The tree against a sorted dict, for any sequence of batches: contents, balance, hashes, orphans, proofs."""

import random
from functools import partial
from itertools import islice
from typing import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abci_app.store.errors import DatabaseDamaged
from abci_app.store.kv import SENTINEL_KEY, SENTINEL_VALUE
from abci_app.store.native import NativeDraft, new_draft
from abci_app.store.node import CHILD, LINK_BYTES, LINKS, PAGE_TAG, SENTINEL_ID, SENTINEL_LEAF, Sub, compute_band
from abci_app.store.node import is_node, open_page, split_leaf
from abci_app.store.patch import Patch, ShapeChanges
from abci_app.store.shape import iter_leaves
from abci_app.store.tree import EMPTY_ROOT, Draft, Root, compute_app_hash, find_value, iter_range, prove_entry
from abci_app.store.tree import prove_store
from abci_app.wire.ics23 import commitment_proofs, verify_commitments
from abci_app.wire.proof import (
    Existence,
    Proof,
    ProofInvalid,
    check_absence,
    check_existence,
    check_proof,
    inner_hash,
    leaf_hash,
    value_ops,
    verify_value_ops,
)
from kernels.tree import find_batch

KEYS = st.one_of(st.binary(min_size=1, max_size=2), st.binary(min_size=1, max_size=40)).filter(
    lambda key: key != SENTINEL_KEY
)
VALUES = st.binary(min_size=1, max_size=3)
BATCHES = st.lists(st.dictionaries(KEYS, st.one_of(st.none(), VALUES), max_size=40), max_size=8)


class Trees:
    """Every version of one tree, with all nodes in memory."""

    def __init__(self) -> None:
        self.nodes = {SENTINEL_ID: SENTINEL_LEAF}
        self.root = EMPTY_ROOT
        self.height = 0

    def load(self, node_id: bytes) -> bytes:
        return self.nodes[node_id]

    def apply(self, batch: dict[bytes, bytes | None]) -> tuple[list[bytes], list[bytes]]:
        """(ids of new nodes, ids of orphans)."""
        self.height += 1
        draft = Draft(self.load, self.root, sorted(batch.items()))
        made: list[tuple[bytes, bytes]] = []
        self.root = draft.seal(self.height, made)
        self.nodes.update(made)
        return [node_id for node_id, _ in made], draft.orphans

    def reachable(self, root: Root) -> set[bytes]:
        """Ids of the tree, after checking hashes, depths, balance and separators on the way."""
        ids: set[bytes] = set()

        def visit(node_id: bytes) -> tuple[bytes, int, bytes, bytes]:
            assert node_id not in ids
            ids.add(node_id)
            node = self.nodes[node_id]
            assert is_node(node, node_id)
            if node[0] != PAGE_TAG:
                key, value = split_leaf(node)
                return leaf_hash(key, value), 0, key, key
            found = visit_inner(open_page(node, b""), compute_band(node[LINKS + 2]))
            assert found[1] == node[LINKS + 2]
            return found

        def visit_inner(halves: tuple[Sub, Sub], band: int) -> tuple[bytes, int, bytes, bytes]:
            """An inner node of a page of `band`: what has the same band is in the page, all else is not."""
            (left_hash, left_depth, first, left_last), (right_hash, right_depth, right_first, last) = (
                visit_inner(half[0], band) if compute_band(half[2]) == band else visit(half[0]) for half in halves
            )
            assert abs(left_depth - right_depth) <= 1
            assert left_last < halves[1][3] == right_first
            assert [half[1:3] for half in halves] == [(left_hash, left_depth), (right_hash, right_depth)]
            return inner_hash(left_hash, right_hash), max(left_depth, right_depth) + 1, first, last

        assert visit(root.id)[:3] == (root.hash, root.depth, SENTINEL_KEY)
        return ids


def apply_to_model(model: dict[bytes, bytes], batch: dict[bytes, bytes | None]) -> None:
    for key, value in batch.items():
        if value is None:
            model.pop(key, None)
        else:
            model[key] = value


@given(BATCHES)
def test_tree_equals_a_sorted_dict_and_stays_balanced(batches: list[dict[bytes, bytes | None]]) -> None:
    trees, model = Trees(), {SENTINEL_KEY: SENTINEL_VALUE}
    before = trees.reachable(trees.root)
    for batch in batches:
        made, orphans = trees.apply(batch)
        apply_to_model(model, batch)
        assert list(iter_range(trees.load, trees.root, b"", None)) == sorted(model.items())
        assert all(find_value(trees.load, trees.root, key) == model.get(key) for key in batch)
        after = trees.reachable(trees.root)
        assert sorted(made) == sorted(after - before), "a new node is unused or was not handed over"
        assert sorted(orphans) == sorted(before - after), "an orphan is missing, double or still used"
        before = after


@given(BATCHES)
@settings(deadline=None)
def test_compiled_batches_give_the_same_records_to_the_byte(batches: list[dict[bytes, bytes | None]]) -> None:
    trees = Trees()
    for batch in filter(None, batches):
        assert_compiled_equal(trees, batch)
        trees.apply(batch)


@given(st.integers(0, 2**32), st.integers(2, 4))
@settings(max_examples=15, deadline=None)
def test_compiled_batches_are_the_same_when_whole_ranges_vanish_and_keys_are_long(seed: int, blocks: int) -> None:
    rng = random.Random(seed)
    trees = Trees()
    known: list[bytes] = []
    for _ in range(blocks):
        keys = [rng.randbytes(rng.choice([2, 20, 130, 1024])) for _ in range(rng.choice([5, 100, 600]))]
        batch: dict[bytes, bytes | None] = {b"k" + key[1:]: rng.randbytes(rng.choice([1, 54, 200])) for key in keys}
        known = sorted({*known, *batch})
        begin = rng.randrange(len(known))
        batch |= dict.fromkeys(known[begin : begin + rng.choice([1, 30, 400])])
        assert_compiled_equal(trees, batch)
        trees.apply(batch)
        trees.reachable(trees.root)


def test_batch_too_large_for_compiled_code_is_left_to_the_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_batch() is not None
    trees = Trees()
    changes: list[tuple[bytes, bytes | None]] = [(b"k%03d" % number, bytes(1000)) for number in range(120)]
    for limit, kind in ((1 << 20, NativeDraft), (150_000, Draft), (1000, Draft)):
        monkeypatch.setattr("kernels.tree.batch.MAX_BYTES", limit)
        assert type(new_draft(trees.load, trees.root, changes)) is kind


def assert_compiled_equal(trees: Trees, batch: dict[bytes, bytes | None]) -> None:
    """Compiled code and `Draft` make the same root, records and orphans."""
    new_batch = find_batch()
    assert new_batch is not None
    changes = sorted(batch.items())
    made: list[list[tuple[bytes, bytes]]] = [[], []]
    drafts = Draft(trees.load, trees.root, changes), NativeDraft(new_batch, trees.load, trees.root, changes)
    roots = [draft.seal(trees.height + 1, nodes) for draft, nodes in zip(drafts, made)]
    assert roots[0] == roots[1] and made[0] == made[1]
    assert sorted(drafts[0].orphans) == sorted(drafts[1].orphans)


@given(BATCHES, st.randoms(use_true_random=False), st.integers(0, 12))
@settings(deadline=None)
def test_patches_give_the_same_records_to_the_byte(
    batches: list[dict[bytes, bytes | None]], rng: random.Random, count: int
) -> None:
    trees, model = Trees(), {}
    for batch in batches:
        trees.apply(batch)
        apply_to_model(model, batch)
    keys = rng.sample(sorted(model), k=min(count, len(model)))
    changes = [(key, rng.choice([model[key], rng.randbytes(2)])) for key in sorted(keys)]
    if trees.root.depth == 0:
        return
    made: list[list[tuple[bytes, bytes]]] = [[], []]
    drafts = Draft(trees.load, trees.root, changes), Patch(trees.load, trees.root, changes)
    roots = [draft.seal(trees.height + 1, nodes) for draft, nodes in zip(drafts, made)]
    assert roots[0] == roots[1] and made[0] == made[1]
    assert sorted(drafts[0].orphans) == sorted(drafts[1].orphans)


@given(BATCHES, KEYS)
@settings(deadline=None)
def test_new_and_vanishing_keys_are_no_case_for_a_patch(batches: list[dict[bytes, bytes | None]], key: bytes) -> None:
    trees, model = Trees(), {}
    for batch in batches:
        trees.apply(batch)
        apply_to_model(model, batch)
    with pytest.raises(ShapeChanges):
        Patch(trees.load, trees.root, [(key, None if key in model else b"1")])


def apply_once(draft: Callable[[], Draft | NativeDraft | Patch]) -> None:
    draft().seal(10, [])


def list_readers(trees: Trees, load: Callable[[bytes], bytes], keys: list[bytes]) -> list[Callable[[], object]]:
    """Everything that walks a tree or alters it."""
    new_batch = find_batch()
    assert new_batch is not None
    root = trees.root
    changes: list[list[tuple[bytes, bytes | None]]] = [
        [(key, b"other") for key in keys], [(key, None) for key in keys], [(key + b"0", b"new") for key in keys]
    ]
    readers: list[Callable[[], object]] = [
        lambda: [find_value(load, root, key) for key in keys],
        lambda: [prove_entry(load, root, key) for key in keys],
        lambda: sum(1 for _ in islice(iter_range(load, root, b"", None), 10_000)),
        lambda: sum(1 for _ in islice(iter_leaves(load, root), 10_000)),
    ]
    readers += [
        partial(apply_once, partial(draft, load, root, change))
        for change in changes
        for draft in (Draft, new_draft, partial(NativeDraft, new_batch))
    ]
    return readers


@given(st.integers(0, 2**32), st.integers(1, 5))
@settings(deadline=None, max_examples=100)
def test_damaged_records_are_refused_or_walked_to_an_end(seed: int, damages: int) -> None:
    """Random bytes in records, and records in each other's places: an error that says so, never a crash or a circle."""
    rng = random.Random(seed)
    trees = Trees()
    for _ in range(3):
        trees.apply({b"k" + rng.randbytes(2): rng.randbytes(3) for _ in range(rng.choice([3, 40, 150]))})
    whole = dict(trees.nodes)
    for _ in range(damages):
        node_id = rng.choice(sorted(whole)[1:])
        record = bytearray(whole[node_id])
        kind = rng.randrange(4)
        if kind == 0:
            record = bytearray(rng.choice(sorted(whole.values())))
        elif kind == 1:
            record = bytearray(bytes((1, rng.randrange(17))) + rng.randbytes(rng.randrange(1, 900)))
        else:
            end = len(record) if kind == 2 else min(len(record), LINKS + LINK_BYTES * record[1])
            record[rng.randrange(end)] = rng.choice([rng.randrange(256), rng.randrange(16), CHILD + rng.randrange(16)])
        trees.nodes[node_id] = bytes(record)

    def load(node_id: bytes) -> bytes:
        record = trees.nodes.get(node_id)
        if record is None or not is_node(record, node_id):
            raise DatabaseDamaged("malformed")
        return record

    keys = [key for key, _ in sorted(map(split_leaf, (node for node in whole.values() if node[0] != PAGE_TAG)))][1:]
    for read in list_readers(trees, load, sorted({rng.choice(keys) for _ in range(5)})):
        try:
            read()
        except DatabaseDamaged:
            continue


@given(BATCHES)
def test_old_roots_stay_readable(batches: list[dict[bytes, bytes | None]]) -> None:
    trees, model = Trees(), {SENTINEL_KEY: SENTINEL_VALUE}
    history = []
    for batch in batches:
        trees.apply(batch)
        apply_to_model(model, batch)
        history.append((trees.root, sorted(model.items())))
    for root, items in history:
        assert list(iter_range(trees.load, root, b"", None)) == items


@given(BATCHES, st.binary(max_size=3), st.one_of(st.none(), st.binary(max_size=3)), st.booleans())
def test_ranges_equal_those_of_a_sorted_dict(
    batches: list[dict[bytes, bytes | None]], low: bytes, high: bytes | None, reverse: bool
) -> None:
    trees, model = Trees(), {SENTINEL_KEY: SENTINEL_VALUE}
    for batch in batches:
        trees.apply(batch)
        apply_to_model(model, batch)
    expected = [pair for pair in sorted(model.items()) if low <= pair[0] and (high is None or pair[0] < high)]
    found = list(iter_range(trees.load, trees.root, low, high, reverse))
    assert found == (expected[::-1] if reverse else expected)


@given(BATCHES)
def test_writing_what_is_there_already_makes_no_node(batches: list[dict[bytes, bytes | None]]) -> None:
    trees, model = Trees(), {}
    for batch in batches:
        trees.apply(batch)
        apply_to_model(model, batch)
    root = trees.root
    assert trees.apply({**model, b"absent" * 9: None}) == ([], [])
    assert trees.root == root


@given(BATCHES, st.lists(KEYS, max_size=10))
@settings(deadline=None)
def test_every_key_has_a_proof_that_verifies(batches: list[dict[bytes, bytes | None]], others: list[bytes]) -> None:
    trees, model = Trees(), {}
    for batch in batches:
        trees.apply(batch)
        apply_to_model(model, batch)
    for key in [*model, *others]:
        entry = prove_entry(trees.load, trees.root, key)
        if key in model:
            assert isinstance(entry, Existence) and entry.value == model[key]
            check_existence(entry, trees.root.hash)
        else:
            assert not isinstance(entry, Existence)
            check_absence(entry, trees.root.hash)


def make_proof(batches: list[dict[bytes, bytes | None]], key: bytes, names: list[str]) -> Proof:
    """The proof about `key` in the middle store of `names`, all other stores being empty."""
    trees = Trees()
    for batch in batches:
        trees.apply(batch)
    name = names[len(names) // 2]
    stores = [(other, trees.root.hash if other == name else EMPTY_ROOT.hash) for other in names]
    entry = prove_entry(trees.load, trees.root, key)
    return Proof(1, compute_app_hash(stores), name, entry, prove_store(stores, name))


NAMES = st.lists(st.text("abcxyz", min_size=1, max_size=4), min_size=1, max_size=9, unique=True).map(sorted)


@given(BATCHES, KEYS, NAMES)
@settings(deadline=None)
def test_encoded_proofs_verify(batches: list[dict[bytes, bytes | None]], key: bytes, names: list[str]) -> None:
    proof = make_proof(batches, key, names)
    check_proof(proof, proof.app_hash, proof.store_name, key)
    verify_commitments(commitment_proofs(proof), proof.app_hash, proof.store_name, key, proof.value)
    if proof.value is not None:
        verify_value_ops(value_ops(proof), proof.app_hash, proof.store_name, key, proof.value)


@given(BATCHES, KEYS, NAMES, st.integers(0, 1), st.integers(0), st.integers(0, 7))
@settings(deadline=None)
def test_no_proof_survives_a_flipped_bit(
    batches: list[dict[bytes, bytes | None]], key: bytes, names: list[str], which: int, at: int, bit: int
) -> None:
    proof = make_proof(batches, key, names)

    def flip(data: bytes) -> bytes:
        place = at % len(data)
        return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]

    encoded = commitment_proofs(proof)
    encoded[which] = flip(encoded[which])
    assert_refused(verify_commitments, encoded, proof.app_hash, proof.store_name, key, proof.value)
    if proof.value is not None:
        ops = value_ops(proof)
        ops[which] = ops[which]._replace(data=flip(ops[which].data))
        assert_refused(verify_value_ops, ops, proof.app_hash, proof.store_name, key, proof.value)


@given(BATCHES, KEYS, VALUES, NAMES)
@settings(deadline=None)
def test_no_proof_shows_another_answer(
    batches: list[dict[bytes, bytes | None]], key: bytes, value: bytes, names: list[str]
) -> None:
    proof = make_proof(batches, key, names)
    name, encoded = proof.store_name, commitment_proofs(proof)
    forged = value if value != proof.value else None
    assert_refused(verify_commitments, encoded, proof.app_hash, name, key, forged)
    assert_refused(verify_commitments, encoded, proof.app_hash, name + "q", key, proof.value)
    assert_refused(verify_commitments, encoded, proof.app_hash, name, key + b"q", proof.value)
    assert_refused(verify_commitments, encoded, bytes(32), name, key, proof.value)
    assert_refused(verify_commitments, encoded[::-1], proof.app_hash, name, key, proof.value)
    if proof.value is not None:
        ops = value_ops(proof)
        assert_refused(verify_value_ops, ops, proof.app_hash, name, key, proof.value + b"q")
        assert_refused(verify_value_ops, ops, proof.app_hash, name + "q", key, proof.value)
        assert_refused(verify_value_ops, ops, bytes(32), name, key, proof.value)
        assert_refused(verify_value_ops, ops[::-1], proof.app_hash, name, key, proof.value)
        assert_refused(verify_value_ops, ops[:1], proof.app_hash, name, key, proof.value)


@given(BATCHES, st.integers(0), st.integers(1, 3))
@settings(deadline=None)
def test_no_two_leaves_with_one_between_prove_an_absence(
    batches: list[dict[bytes, bytes | None]], at: int, gap: int
) -> None:
    trees, model = Trees(), {SENTINEL_KEY: SENTINEL_VALUE}
    for batch in batches:
        trees.apply(batch)
        apply_to_model(model, batch)
    keys = sorted(model)
    left = at % len(keys)
    right = left + 1 + gap
    proofs = [prove_entry(trees.load, trees.root, key) for key in keys]
    between = keys[left] + b"\x00"
    absence = prove_entry(trees.load, trees.root, between)
    if isinstance(absence, Existence):
        return
    wide = [(proofs[left], proofs[right] if right < len(keys) else None), (None, absence.right)]
    if left > 0:
        wide.append((proofs[left - 1], absence.right))
    for low, high in wide:
        if (low, high) == (absence.left, absence.right):
            continue
        forged = type(absence)(between, low, high)  # type: ignore[arg-type]
        assert_refused(check_absence, forged, trees.root.hash)


def assert_refused(verify, *arguments) -> None:  # type: ignore[no-untyped-def]
    try:
        verify(*arguments)
    except ProofInvalid:
        return
    raise AssertionError("a forged proof was accepted")


@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 1500)), max_size=6))
@settings(max_examples=20, deadline=None)
def test_tree_stays_balanced_when_whole_ranges_vanish(
    seed: int, ranges: list[tuple[int, int]]
) -> None:
    trees, model = Trees(), {SENTINEL_KEY: SENTINEL_VALUE}
    full: dict[bytes, bytes | None] = {
        b"k" + number.to_bytes(2, "big"): (seed + number).to_bytes(8, "big") for number in range(1500)
    }
    trees.apply(full)
    apply_to_model(model, full)
    for begin, end in ranges:
        batch: dict[bytes, bytes | None] = dict.fromkeys(sorted(full)[begin:end])
        batch[b"l" + begin.to_bytes(2, "big")] = b"new"
        trees.apply(batch)
        apply_to_model(model, batch)
        trees.reachable(trees.root)
        assert list(iter_range(trees.load, trees.root, b"", None)) == sorted(model.items())
