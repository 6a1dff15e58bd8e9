"""Tokenizer files, encoding and decoding, training and import, against a second implementation from the text."""

from __future__ import annotations

import copy
import json
import os
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import chunks, tokenizer
from kernels.errors import KernelInputError
from kernels.tokenizer import BYTES, Merge, Special, Tokenizer, Vocabulary, merging, read_file, write_file
from kernels.tokenizer.hugging_face import convert
from kernels.tokenizer.pieces import split_text
from kernels.tokenizer.training import train

ROOT = Path(__file__).parents[2]
STORY = b"the cat and the hat sat on that mat; the other cat, there, then thought of 1234 things.\n\n  the end \n" * 3
STORY_DIGEST = "bd3431d89cc73a96adba21b4344295cdfff79184446e4664b3f11996e2930d72"
IDENTITY = tuple(range(256))

texts = st.one_of(st.binary(max_size=90), st.text("ab \n12.,é", max_size=60).map(str.encode))


def unpack(tokens: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(tokens) // 2}H", tokens))


def encode_by_the_text(vocabulary: Vocabulary, text: bytes) -> list[int]:
    """README section 5, word by word: look for the best pair, replace it, start again."""
    out = []
    for piece in cut_by_the_text(text) if vocabulary.split == "words" else [text]:
        tokens = [vocabulary.byte_tokens[byte] for byte in piece]
        while True:
            found = [(rank, place, merge.result) for place in range(len(tokens) - 1)
                     for rank, merge in enumerate(vocabulary.merges) if merge[:2] == tuple(tokens[place:place + 2])]
            if not found:
                break
            _, place, result = min(found)
            tokens[place:place + 2] = [result]
        out += tokens
    return out


def cut_by_the_text(text: bytes) -> list[bytes]:
    """README section 4, by hand."""
    def kind(byte: int) -> str:
        character = chr(byte)
        if byte >= 128 or "a" <= character <= "z" or "A" <= character <= "Z":
            return "letter"
        return "digit" if character.isdigit() else "blank" if byte in b"\t\n\v\f\r " else "other"

    pieces, at = [], 0
    while at < len(text):
        start = at + 1 if text[at] == 32 and at + 1 < len(text) and kind(text[at + 1]) != "blank" else at
        end = start + 1
        while end < len(text) and kind(text[end]) == kind(text[start]):
            end += 1
        limit = 3 if kind(text[start]) == "digit" else 64
        if kind(text[start]) == "blank" and start + 1 < end < len(text) and end - start <= limit:
            end -= 1
        end = min(end, start + limit)
        pieces.append(text[at:end])
        at = end
    return pieces


def train_by_the_text(text: bytes, size: int) -> list[Merge]:
    """README section 6, counting everything anew for every merge."""
    pieces = [list(piece) for piece in cut_by_the_text(text)]
    spellings = {byte: bytes([byte]) for byte in range(256)}
    merges: list[Merge] = []
    while 260 + len(merges) < size:
        counts = Counter(pair for piece in pieces for pair in zip(piece, piece[1:]))
        fresh = [(-count, pair) for pair, count in counts.items()
                 if count > 1 and spellings[pair[0]] + spellings[pair[1]] not in spellings.values()]
        if not fresh:
            break
        _, (left, right) = min(fresh)
        result = 260 + len(merges)
        spellings[result] = spellings[left] + spellings[right]
        merges.append(Merge(left, right, result))
        for piece in pieces:
            place = 0
            while place + 1 < len(piece):
                if piece[place:place + 2] == [left, right]:
                    piece[place:place + 2] = [result]
                place += 1
    return merges


@st.composite
def vocabularies(draw: st.DrawFn) -> Vocabulary:
    """Few letters and many merges, so that pairs overlap and spellings meet; tokens in a drawn order."""
    order = draw(st.permutations(range(290)))
    tokens = dict(zip((bytes([byte]) for byte in range(256)), order))
    free, merges = list(order[260:]), []
    known = [b"a", b"b", b" "]
    for left, right in draw(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=30)):
        pair = known[left % len(known)], known[right % len(known)]
        if any((merge.left, merge.right) == (tokens[pair[0]], tokens[pair[1]]) for merge in merges):
            continue
        joined = pair[0] + pair[1]
        if joined not in tokens:
            tokens[joined] = free.pop()
            known.append(joined)
        merges.append(Merge(tokens[pair[0]], tokens[pair[1]], tokens[joined]))
    specials = tuple(Special(token, b"special %d" % token) for token in sorted(order[256:260]))
    return Vocabulary(draw(st.sampled_from(("whole", "words"))), tuple(order[:256]), specials, tuple(merges))


def test_byte_tokenizer_is_the_one_whose_hash_stands_in_the_text() -> None:
    assert Tokenizer().digest.hex() in (ROOT / "kernels/tokenizer/README.md").read_text()
    assert unpack(Tokenizer().encode(bytes(range(256)))) == list(range(256))
    assert BYTES.size == 260 and Tokenizer().find_special(b"stop") == tokenizer.STOP == 257
    assert Tokenizer().find_special(b"<stop>") is None


@settings(deadline=None)
@given(text=texts, vocabulary=vocabularies())
def test_text_comes_back_from_its_tokens(text: bytes, vocabulary: Vocabulary) -> None:
    for known in (vocabulary, BYTES, train(STORY, 400)):
        file = tokenizer.write_file(known)
        assert tokenizer.decode(file, tokenizer.encode(file, text)) == text


@settings(deadline=None)
@given(text=st.text("aab ", max_size=50).map(str.encode), vocabulary=vocabularies())
def test_tokens_are_what_the_text_of_the_specification_says(text: bytes, vocabulary: Vocabulary) -> None:
    assert unpack(Tokenizer(vocabulary).encode(text)) == encode_by_the_text(vocabulary, text)


@given(text=st.one_of(texts, st.text(" \na.1", max_size=200).map(str.encode)))
def test_pieces_are_what_the_text_of_the_specification_says(text: bytes) -> None:
    for long in (text, text * 3, b" " * 64 + text, b"a" * 64 + text + b" " * 63 + text):
        assert split_text("words", long) == cut_by_the_text(long)


@settings(deadline=None, max_examples=60)
@given(text=st.one_of(texts, st.text("ab ", max_size=200).map(str.encode)), size=st.integers(260, 290))
def test_merges_are_learned_as_the_text_of_the_specification_says(text: bytes, size: int) -> None:
    assert list(train(text, size).merges) == train_by_the_text(text, size)


def test_trained_file_has_its_golden_hash_whatever_the_hash_seed() -> None:
    program = (
        "from tests.kernels.test_kernel_tokenizer import *\n"
        "print(Tokenizer(train(STORY, 320)).digest.hex())"
    )
    for seed in ("0", "1"):
        result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True,
                                env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)})
        assert result.stdout.strip() == STORY_DIGEST


def test_training_stops_where_no_pair_occurs_twice_and_takes_no_spelling_twice() -> None:
    assert train(b"", 65536).merges == train(b"abc", 65536).merges == ()
    small = train(STORY, 65536)
    assert 260 < small.size < 65536 and len(set(small.spellings.values())) == 256 + len(small.merges)


@given(tokens=st.lists(st.integers(0, 65535), max_size=40), vocabulary=vocabularies())
def test_any_tokens_decode_to_something(tokens: list[int], vocabulary: Vocabulary) -> None:
    packed = struct.pack(f"<{len(tokens)}H", *tokens)
    expected = b"".join(vocabulary.spellings.get(token, b"") for token in tokens)
    assert Tokenizer(vocabulary).decode(packed) == expected


def test_special_token_comes_from_no_text_and_stands_for_no_bytes() -> None:
    for name in (b"start", b"stop", b"user", b"model"):
        assert max(unpack(Tokenizer().encode(name))) < 256
    assert Tokenizer().decode(struct.pack("<5H", 256, 65, 257, 258, 259)) == b"A"


def test_file_of_as_many_special_tokens_as_there_are_numbers_is_read() -> None:
    specials = tuple(Special(token, struct.pack(">H", token)) for token in range(256, 65536))
    vocabulary = Vocabulary("whole", tuple(range(256)), specials, ())
    assert read_file(write_file(vocabulary)) == vocabulary and vocabulary.size == 65536


@pytest.mark.parametrize("text", [b"a" * 200_000, b"ab" * 100_000, b" " * 200_000, b"aab" * 70_000],
                         ids=["a", "ab", "blanks", "aab"])
@pytest.mark.parametrize("split", ["whole", "words"])
def test_hostile_text_takes_at_most_three_steps_for_each_byte(
    text: bytes, split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubled = [Merge(97, 97, 260)] + [Merge(260 + i, 260 + i, 261 + i) for i in range(8)]
    others = [Merge(97, 98, 300), Merge(300, 300, 301), Merge(301, 301, 302), Merge(32, 32, 303), Merge(260, 98, 304)]
    steps = 0
    taken = merging.heappop

    def count(waiting: list[int]) -> int:
        nonlocal steps
        steps += 1
        return taken(waiting)

    monkeypatch.setattr(merging, "heappop", count)
    ready = Tokenizer(Vocabulary(split, IDENTITY, (), tuple(doubled + others)))
    assert ready.decode(ready.encode(text)) == text
    assert 0 < steps <= 3 * len(text)


@given(vocabulary=vocabularies())
def test_file_is_canonical(vocabulary: Vocabulary) -> None:
    file = tokenizer.write_file(vocabulary)
    assert tokenizer.read_file(file) == vocabulary
    assert tokenizer.digest(file) == chunks.chunk_root(file) == Tokenizer(vocabulary).digest


@settings(max_examples=300)
@given(vocabulary=vocabularies(), at=st.integers(0, 10**6), change=st.integers(1, 255), cut=st.booleans())
def test_changed_file_is_refused_or_another_tokenizer(vocabulary: Vocabulary, at: int, change: int, cut: bool) -> None:
    file = bytearray(tokenizer.write_file(vocabulary))
    at %= len(file)
    if cut:
        del file[at:]
    else:
        file[at] ^= change
    try:
        found = tokenizer.read_file(bytes(file))
    except KernelInputError:
        return
    assert found != vocabulary and tokenizer.write_file(found) == bytes(file)


@given(data=st.one_of(st.binary(max_size=700), st.none(), st.integers(), st.text(max_size=3)))
def test_anything_as_a_file_is_refused(data: Any) -> None:
    for call in (tokenizer.read_file, tokenizer.digest, lambda file: tokenizer.encode(file, b"")):
        with pytest.raises(KernelInputError):
            call(data)


@pytest.mark.parametrize("change", [
    {"split": "none"}, {"byte_tokens": IDENTITY[:255]}, {"byte_tokens": IDENTITY[:255] + (0,)},
    {"byte_tokens": IDENTITY[:255] + (65536,)}, {"byte_tokens": IDENTITY[:255] + (True,)},
    {"specials": (Special(5, b"x"),)}, {"specials": (Special(257, b"x"), Special(256, b"y"))},
    {"specials": (Special(256, b"x"), Special(257, b"x"))}, {"specials": (Special(256, b""),)},
    {"specials": (Special(256, bytes(256)),)}, {"specials": (Special(256, "x"),)},
    {"merges": (Merge(1, 2, 65536),)}, {"merges": (Merge(1, 300, 301),)}, {"merges": (Merge(1, 2, 3),)},
    {"merges": (Merge(1, 2, 300), Merge(1, 2, 300))}, {"merges": (Merge(1, 2, 300), Merge(2, 1, 300))},
    {"merges": (Merge(1, 2, 300), Merge(300, 3, 301), Merge(2, 3, 302), Merge(1, 302, 303))},
    {"specials": (Special(300, b"x"),), "merges": (Merge(1, 2, 300),)},
    {"specials": (Special(300, b"x"),), "merges": (Merge(1, 300, 301),)},
    {"merges": (Merge(1, 1, 300), *(Merge(300 + i, 300 + i, 301 + i) for i in range(10)))},
], ids=str)
def test_vocabulary_that_is_none_is_refused(change: dict[str, Any]) -> None:
    good: dict[str, Any] = {"split": "whole", "byte_tokens": IDENTITY, "specials": (), "merges": ()}
    Vocabulary(**good)
    with pytest.raises(KernelInputError):
        Vocabulary(**{**good, **change})


def test_two_merges_may_make_one_token_by_its_bytes() -> None:
    """(1 2) 3 and 1 (2 3) are the same bytes, so the same token."""
    merges = (Merge(1, 2, 300), Merge(300, 3, 301), Merge(2, 3, 302), Merge(1, 302, 301))
    assert Vocabulary("whole", IDENTITY, (), merges).size == 303


@pytest.mark.parametrize("call", [
    lambda: Tokenizer().encode("text"),  # type: ignore[arg-type]
    lambda: Tokenizer().encode(bytes(2**24 + 1)),
    lambda: Tokenizer().decode(bytes(3)),
    lambda: Tokenizer().decode(bytes(2**25 + 2)),
    lambda: Tokenizer().decode([1]),  # type: ignore[arg-type]
    lambda: train(b"", 259), lambda: train(b"", 65537),
    lambda: train("text", 300),  # type: ignore[arg-type]
])
def test_wrong_argument_is_refused(call: Any) -> None:
    with pytest.raises(KernelInputError):
        call()


def test_remembered_pieces_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "_PIECES_KEPT_MAX", 10)
    ready = Tokenizer(train(STORY, 300))
    text = b" ".join(b"w%d" % number for number in range(500)) + b"x" * 1000
    assert ready.decode(ready.encode(text)) == text
    assert len(ready._known) <= 10
    assert Tokenizer(BYTES).encode(b"x" * 66) == struct.pack("<66H", *b"x" * 66)


def imported() -> dict[str, Any]:
    """A tokenizer.json as the `tokenizers` library 0.23.3 wrote it, and what it answered."""
    return dict(json.loads(Path(__file__).with_name("hugging_face.json").read_text()))


def test_imported_tokenizer_gives_the_tokens_of_the_original() -> None:
    content = imported()
    ready = Tokenizer(convert(json.dumps(content["tokenizer"]).encode()))
    for text, tokens in content["cases"]:
        assert unpack(ready.encode(text.encode())) == tokens
    assert [special.name for special in ready.vocabulary.specials] == [b"<|end|>", b"<|start|>"]


def test_merges_written_with_a_blank_between_are_read_the_same() -> None:
    content = imported()["tokenizer"]
    pairs = convert(json.dumps(content).encode())
    content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
    assert convert(json.dumps(content).encode()) == pairs


def change_import(path: str, value: object) -> bytes:
    content: Any = copy.deepcopy(imported()["tokenizer"])
    holder, names = content, path.split("/")
    for name in names[:-1]:
        holder = holder[int(name)] if isinstance(holder, list) else holder[name]
    holder[int(names[-1]) if isinstance(holder, list) else names[-1]] = value
    return json.dumps(content).encode()


@pytest.mark.parametrize("path, value, reason", [
    ("normalizer", {"type": "NFC"}, "normalises"), ("truncation", {"max_length": 5}, "truncates"),
    ("pre_tokenizer/use_regex", True, "--split words"), ("pre_tokenizer", None, "pre_tokenizer"),
    ("pre_tokenizer/add_prefix_space", True, "space before"), ("pre_tokenizer/type", "Whitespace", "not byte-level"),
    ("decoder/type", "WordPiece", "decoder"), ("decoder", None, "decoder"), ("model/type", "Unigram", "not BPE"),
    ("model/dropout", 0.1, "dropout"), ("model/byte_fallback", True, "byte_fallback"),
    ("model/ignore_merges", True, "ignore_merges"), ("added_tokens/0/special", False, "looked for in texts"),
    ("added_tokens/0/id", 7, "two numbers"), ("model/vocab/a", 65536, "65535"), ("model/vocab/a", 1.5, "integer"),
    ("model/vocab/a", 3, "same number"), ("model/vocab/zzz", 999, "no merge"), ("model/merges/0", ["t", "z"], "vocab"),
    ("model/merges/0", ["t"], "pair"), ("model/merges/0", 5, "pair"), ("model/vocab", [], "dict"),
    ("added_tokens/0", 3, "dict"), ("model/merges/1", ["t", "h"], "earlier merge joins"),
])
def test_import_of_what_a_file_cannot_hold_is_refused_with_the_reason(path: str, value: object, reason: str) -> None:
    with pytest.raises(KernelInputError, match=reason):
        convert(change_import(path, value))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b"{}", b'{"model": 3}'])
def test_import_of_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(KernelInputError):
        convert(data)


def test_import_with_the_split_named_takes_the_merges_alone() -> None:
    words = convert(change_import("pre_tokenizer/use_regex", True), "words")
    assert words.split == "words" and words.merges == convert(change_import("version", "1.0")).merges


def run_command(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    return subprocess.run([sys.executable, "-m", "kernels.tokenizer", *arguments], cwd=ROOT, input=given,
                          env=environment, capture_output=True, check=False)


def test_commands_train_show_encode_and_decode(tmp_path: Path) -> None:
    book, file = tmp_path / "book.txt", tmp_path / "book.tok"
    book.write_bytes(STORY)
    made = run_command("train", str(book), "--vocab", "320", "--out", str(file), "--output", "json")
    assert json.loads(made.stdout)["hash"] == STORY_DIGEST == tokenizer.digest(file.read_bytes()).hex()
    assert file.stat().st_mode == book.stat().st_mode
    tokens = run_command("encode", str(file), given=STORY + b"\xff\x00").stdout
    assert run_command("decode", str(file), given=tokens).stdout == STORY + b"\xff\x00"
    as_json = run_command("encode", str(file), "--output", "json", given=b"the cat")
    assert json.loads(run_command("decode", str(file), "--output", "json", given=as_json.stdout).stdout) == {
        "hex": b"the cat".hex(), "text": "the cat"}
    assert b"260" in run_command("show", "bytes").stdout


def test_commands_refuse_with_a_reason_and_write_nothing(tmp_path: Path) -> None:
    source, out = tmp_path / "tokenizer.json", tmp_path / "out.tok"
    source.write_bytes(change_import("pre_tokenizer/use_regex", True))
    refused = run_command("import", str(source), "--out", str(out))
    assert refused.returncode == 1 and b"--split words" in refused.stderr and not out.exists()
    assert run_command("import", str(source), "--split", "words", "--out", str(out)).returncode == 0
    assert run_command("show", str(source)).returncode == 1
    for words in (b"1 2 x", b"1 \xff"):
        wrong = run_command("decode", "bytes", given=words)
        assert wrong.returncode == 1 and wrong.stderr.startswith(b"error: token numbers")
    assert run_command("train", str(source), "--vocab", "70000", "--out", str(tmp_path / "no.tok")).returncode == 1
    assert run_command("show", str(tmp_path / "missing")).returncode == 1
    assert run_command("sing").returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.tok", "tokenizer.json"]
