"""Datasets of characters: windows, split, vocabulary, and characters as tokens and back."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.data.errors import DataError
from abci_app.data.manifest import decode_manifest
from abci_app.data.store import DatasetStore
from abci_app.data.text import (
    PART_CHARS_MIN, Text, TextOptions, decode_tokens, encode_text, load_pydoc, new_text_dataset, read_text_file,
    split_text,
)
from abci_app.wire.merkle import merkle_root
from abci_app.wire.row import TOKENS, RowForm, split_rows

ALPHABET = "abcdefg \n"
TEXT = "".join(ALPHABET[(place * place + place // 7) % len(ALPHABET)] for place in range(50_000))


def read_rows(rows: bytes, size: int, vocabulary: str) -> list[str]:
    return [decode_tokens(vocabulary, struct.unpack(f"<{size // 2}H", row)) for row in split_rows(rows, size)]


def test_rows_are_windows_of_the_parts_and_held_out_ones_cover_each_character_once() -> None:
    options = TextOptions("text", context=20, stride=7)
    dataset = new_text_dataset(Text("made here", TEXT), options)
    manifest = dataset.manifest
    train, held_out = split_text(TEXT, options)
    assert sorted(train + held_out) == sorted(TEXT[at:at + PART_CHARS_MIN] for at in range(0, 50_000, PART_CHARS_MIN))
    assert len(held_out) == 1
    assert manifest.vocabulary == "".join(sorted(ALPHABET))
    assert manifest.form == RowForm(TOKENS, 20, len(ALPHABET)) and manifest.row_bytes == 42
    rows = read_rows(dataset.rows, 42, manifest.vocabulary)
    assert len(rows) == manifest.row_count
    assert rows[:manifest.train_rows] == [part[at:at + 21] for part in train for at in range(0, len(part) - 20, 7)]
    covered = "".join(row[1:] for row in rows[manifest.train_rows:])
    assert "".join(held_out)[1:].startswith(covered) and len(covered) > len(held_out[0]) - 21
    assert manifest.rows_root == merkle_root(split_rows(dataset.rows, 42))


def test_stored_text_is_read_back_and_its_manifest_says_how_it_was_made(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    made = new_text_dataset(read_text_file(path), TextOptions("text"))
    assert made.manifest.source.startswith("text.txt, sha256 ")
    store = DatasetStore(tmp_path / "datasets")
    assert store.add(made) and not store.add(made)
    stored = store.open(made.manifest.rows_root)
    assert stored.manifest == made.manifest == decode_manifest(made.manifest.encode())
    tokens, targets = stored.read_held_out(stored.manifest.form)
    assert tokens == made.rows[-len(tokens):] and targets == b"" and len(tokens) == made.manifest.test_rows * 130


def test_another_seed_holds_out_another_part_and_equal_options_give_equal_bytes() -> None:
    text = Text("made here", TEXT)
    first, again, other = (new_text_dataset(text, TextOptions("text", split_seed=seed)) for seed in (0, 0, 1))
    assert first == again and first.manifest.rows_root != other.manifest.rows_root
    assert split_text(TEXT, TextOptions("text"))[1] != split_text(TEXT, TextOptions("text", split_seed=1))[1]


def test_pydoc_has_each_paragraph_once_and_names_the_python_that_it_comes_with() -> None:
    pydoc = load_pydoc()
    paragraphs = pydoc.text.split("\n\n")
    assert len(paragraphs) == len(set(paragraphs)) > 1_000
    assert pydoc.source.startswith("pydoc_data.topics of Python 3.") and pydoc == load_pydoc()
    manifest = new_text_dataset(pydoc, TextOptions("pydoc")).manifest
    assert manifest.test_rows > 100 and manifest.train_rows > 4 * manifest.test_rows


@pytest.mark.parametrize(("text", "options", "problem"), (
    ("ab" * 10, {}, "no window of 65"), ("a" * 9_000, {}, "1 different characters"), (TEXT, {"context": 0}, "context"),
    (TEXT, {"context": 4_097}, "context"), (TEXT, {"stride": 65}, "stride"), (TEXT, {"name": ""}, "name"),
    (TEXT, {"held_out_ppm": 10**6}, "share"), (TEXT, {"split_seed": -1}, "seed")))
def test_text_or_options_that_make_no_dataset_are_refused(text: str, options: dict[str, int], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        new_text_dataset(Text("made here", text), TextOptions(**({"name": "text"} | options)))  # type: ignore[arg-type]


@given(text=st.text(alphabet=ALPHABET))
def test_characters_come_back_from_their_tokens(text: str) -> None:
    vocabulary = "".join(sorted(ALPHABET))
    assert decode_tokens(vocabulary, encode_text(vocabulary, text)) == text


def test_character_or_token_that_is_not_in_the_vocabulary_is_refused() -> None:
    with pytest.raises(DataError, match="'z' is not in the model's vocabulary"):
        encode_text("abc", "abz")
    for token in (3, -1):
        with pytest.raises(DataError, match="no character"):
            decode_tokens("abc", [0, token])
