"""Reads the `tokenizer.json` of a byte-level BPE tokenizer, and refuses what would give other tokens.

Reads/Writes: nothing. Source: README.md, section 7; the format is that of the Hugging Face `tokenizers` library.
"""

from __future__ import annotations

import json
from typing import Any

from kernels import checks
from kernels.errors import KernelInputError
from kernels.tokenizer.vocabulary import TOKEN_MAX, Merge, Special, Vocabulary

JSON_BYTES_MAX = 2**26
_OTHER_SPLITS = ("its pre-tokeniser cuts text by a pattern over Unicode classes, which a tokenizer file cannot hold. "
                 "To take its merges with the split `words` instead, and so other tokens for some texts, say so: "
                 "--split words")


def convert(data: bytes, split: str | None = None) -> Vocabulary:
    """The vocabulary of a `tokenizer.json`, with its own token numbers.

    Every text without a special token's name in it gets the tokens that the original gives it without special
    tokens added. split: take this split in place of the original's, which gives up that promise.
    Raises: KernelInputError saying what it cannot represent.
    """
    checks.check_bytes("tokenizer.json", data)
    checks.check_int("length of tokenizer.json", len(data), 0, JSON_BYTES_MAX)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise KernelInputError(f"not a tokenizer.json: {error}") from error
    model = _get(_expect(content, dict, "file"), "model", dict)
    _check_pipeline(content, split)
    _check_model(model)
    tokens = _read_tokens(_get(model, "vocab", dict))
    specials = _read_specials(content.get("added_tokens") or [], tokens)
    names = {special.token for special in specials}
    spelled = {spelling: token for spelling, token in tokens.items() if token not in names}
    merges = _read_merges(_get(model, "merges", list), spelled)
    byte_tokens = [spelled.get(character) for character in _byte_characters()]
    if None in byte_tokens:
        raise KernelInputError(f"not byte-level: byte {byte_tokens.index(None)} has no token")
    vocabulary = Vocabulary(split or "whole", tuple(byte for byte in byte_tokens if byte is not None), specials, merges)
    left_over = sorted(token for token in spelled.values() if token not in vocabulary.spellings)
    if left_over:
        raise KernelInputError(f"{len(left_over)} tokens, the first {left_over[0]}, are made by no merge")
    return vocabulary


def _check_pipeline(content: dict[str, Any], split: str | None) -> None:
    if content.get("normalizer") is not None:
        raise KernelInputError("it normalises text before it cuts it: decoding could not give the text back")
    if content.get("truncation") is not None or content.get("padding") is not None:
        raise KernelInputError("it truncates or pads: take these settings out of the file")
    steps = content.get("pre_tokenizer")
    found = _expect(steps, dict, "pre_tokenizer")
    parts = found.get("pretokenizers", []) if found.get("type") == "Sequence" else [found]
    kinds = [_expect(part, dict, "pre_tokenizer").get("type") for part in parts]
    if not kinds or kinds[-1] != "ByteLevel" or any(kind not in ("Split", "Digits") for kind in kinds[:-1]):
        raise KernelInputError("its pre-tokeniser is not byte-level")
    if parts[-1].get("add_prefix_space", True):
        raise KernelInputError("it puts a space before the text: decoding could not give the text back")
    if _expect(content.get("decoder"), dict, "decoder").get("type") != "ByteLevel":
        raise KernelInputError("its decoder is not byte-level")
    if split is None and (len(parts) > 1 or parts[-1].get("use_regex", True)):
        raise KernelInputError(_OTHER_SPLITS)


def _check_model(model: dict[str, Any]) -> None:
    if model.get("type", "BPE") != "BPE":
        raise KernelInputError(f"its model is {model.get('type')!r}, not BPE")
    for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "ignore_merges"):
        if model.get(name):
            raise KernelInputError(f"its model sets {name}, which a tokenizer file cannot hold")


def _read_tokens(vocab: dict[str, Any]) -> dict[str, int]:
    for spelling, token in vocab.items():
        checks.check_int(f"token of {spelling!r}", token, 0, TOKEN_MAX)
    if len(set(vocab.values())) != len(vocab):
        raise KernelInputError("two entries of its vocabulary have the same number")
    return vocab


def _read_specials(added: object, tokens: dict[str, int]) -> tuple[Special, ...]:
    specials = []
    for entry in _expect(added, list, "added_tokens"):
        name, token = _get(_expect(entry, dict, "added token"), "content", str), entry.get("id")
        if not entry.get("special"):
            raise KernelInputError(f"added token {name!r} is looked for in texts, which a tokenizer file cannot hold")
        checks.check_int(f"id of added token {name!r}", token, 0, TOKEN_MAX)
        if tokens.get(name, token) != token:
            raise KernelInputError(f"added token {name!r} has two numbers")
        specials.append(Special(_get(entry, "id", int), _encode_utf8(name)))
    return tuple(sorted(specials))


def _read_merges(entries: list[Any], tokens: dict[str, int]) -> tuple[Merge, ...]:
    merges = []
    for rank, entry in enumerate(entries):
        pair = entry.split(" ") if isinstance(entry, str) else entry
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(side, str) for side in pair):
            raise KernelInputError(f"merge {rank} is not a pair")
        found = [tokens.get(spelling) for spelling in (pair[0], pair[1], pair[0] + pair[1])]
        left, right, result = found
        if left is None or right is None or result is None:
            raise KernelInputError(f"merge {rank} names a token that its vocabulary does not have")
        merges.append(Merge(left, right, result))
    return tuple(merges)


def _byte_characters() -> list[str]:
    """The character by which byte-level vocabularies write each byte: itself if it prints, else the next from 256."""
    printing = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    characters, free = [], 256
    for byte in range(256):
        if byte in printing:
            characters.append(chr(byte))
        else:
            characters.append(chr(free))
            free += 1
    return characters


def _encode_utf8(name: str) -> bytes:
    try:
        return name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise KernelInputError(f"the name {name!r} is no text") from error


def _get(holder: dict[str, Any], name: str, kind: type) -> Any:
    return _expect(holder.get(name), kind, name)


def _expect(value: object, kind: type, what: str) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise KernelInputError(f"not a tokenizer.json of byte-level BPE: {what} is not a {kind.__name__}")
    return value
