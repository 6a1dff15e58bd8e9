"""Text to tokens and back: bytes, and byte-pair merges from a file that its hash names.

One implementation in plain Python (there is no back end to choose); numpy is not needed.
Source: README.md beside this file.
"""

from __future__ import annotations

import struct
from functools import cached_property

from kernels import checks, chunks
from kernels.tokenizer.merging import Rules, merge_tokens
from kernels.tokenizer.pieces import PIECE_BYTES_MAX, split_text
from kernels.tokenizer.vocabulary import Merge, Special, Vocabulary, read_file, write_file

TEXT_BYTES_MAX = 2**24
TOKENS_MAX = 2**24
TOKEN_BYTES = 2
START, STOP, USER, MODEL = 256, 257, 258, 259
SPECIALS = (Special(START, b"start"), Special(STOP, b"stop"), Special(USER, b"user"), Special(MODEL, b"model"))
BYTES = Vocabulary("whole", tuple(range(256)), SPECIALS, ())
_PIECES_KEPT_MAX = 65536

__all__ = ["BYTES", "MODEL", "Merge", "SPECIALS", "START", "STOP", "Special", "Tokenizer", "USER", "Vocabulary",
           "decode", "digest", "encode", "read_file", "write_file"]


def encode(file: bytes, text: bytes) -> bytes:
    """The tokens of `text` under a tokenizer file, uint16 little-endian.

    text: any 0..2**24 bytes. Special tokens never come from a text. For many texts keep a `Tokenizer`.
    Raises: KernelInputError for a file that is none, or too long a text.
    """
    return Tokenizer(read_file(file)).encode(text)


def decode(file: bytes, tokens: bytes) -> bytes:
    """The bytes that tokens (uint16 little-endian, 0..2**24 of them) stand for.

    Special tokens, and numbers without a token, stand for no bytes. decode(file, encode(file, text)) == text.
    """
    return Tokenizer(read_file(file)).decode(tokens)


def digest(file: bytes) -> bytes:
    """The 32 bytes that name a tokenizer file: its chunk root (kernels/README.md, section 11).

    Raises: KernelInputError for a file that is none.
    """
    return chunks.chunk_root(write_file(read_file(file)))


class Tokenizer:
    """A vocabulary ready for use; remembers the tokens of pieces it has seen, 65,536 at most."""

    def __init__(self, vocabulary: Vocabulary = BYTES) -> None:
        self.vocabulary = vocabulary
        self._rules: Rules = {
            (merge.left, merge.right): (rank, merge.result) for rank, merge in enumerate(vocabulary.merges)
        }
        self._known: dict[bytes, bytes] = {}

    @cached_property
    def digest(self) -> bytes:
        """The name of the vocabulary's file."""
        return chunks.chunk_root(write_file(self.vocabulary))

    def encode(self, text: bytes) -> bytes:
        """As `encode` of this module."""
        checks.check_bytes("text", text)
        checks.check_int("length of text", len(text), 0, TEXT_BYTES_MAX)
        return b"".join([self._encode_piece(piece) for piece in split_text(self.vocabulary.split, text)])

    def decode(self, tokens: bytes) -> bytes:
        """As `decode` of this module."""
        checks.check_bytes("tokens", tokens)
        count = checks.check_int("number of tokens", len(tokens) // TOKEN_BYTES, 0, TOKENS_MAX)
        checks.check_bytes("tokens", tokens, TOKEN_BYTES * count)
        spellings = self.vocabulary.spellings
        return b"".join([spellings.get(token, b"") for token in struct.unpack(f"<{count}H", tokens)])

    def find_special(self, name: bytes) -> int | None:
        """The special token of that name, if there is one."""
        return next((special.token for special in self.vocabulary.specials if special.name == name), None)

    def _encode_piece(self, piece: bytes) -> bytes:
        known = self._known.get(piece)
        if known is not None:
            return known
        byte_tokens = self.vocabulary.byte_tokens
        tokens = merge_tokens([byte_tokens[byte] for byte in piece], self._rules)
        packed = struct.pack(f"<{len(tokens)}H", *tokens)
        if len(piece) <= PIECE_BYTES_MAX:
            if len(self._known) >= _PIECES_KEPT_MAX:
                self._known.clear()
            self._known[piece] = packed
        return packed
