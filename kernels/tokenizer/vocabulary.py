"""What a tokenizer is made of, and its one canonical file.  Source: README.md, sections 1 to 3.

Reads/Writes: nothing. A `Vocabulary` is checked when it is made, so that whatever has one can rely on it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from kernels import checks
from kernels.errors import KernelInputError

SPLITS = ("whole", "words")
BYTE_COUNT = 256
TOKEN_MAX = 65535
NAME_BYTES_MAX = 255
SPELLING_BYTES_MAX = 1024
MAGIC = b"gin1tok\n"
_COUNTS = struct.Struct("<HH")
_MERGE = struct.Struct("<HHH")
_HEAD_BYTES = len(MAGIC) + 1 + 2 * BYTE_COUNT + _COUNTS.size


class Special(NamedTuple):
    """A token that stands for no bytes of a text: its number, and its name for people."""

    token: int
    name: bytes


class Merge(NamedTuple):
    """Two neighbouring tokens that become one."""

    left: int
    right: int
    result: int


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer's content. Raises KernelInputError where it is not one (README section 2).

    split: `whole` or `words`. byte_tokens: 256 tokens, of byte 0, 1, ...; specials: in ascending order of their
    tokens; merges: the one to be done first stands first.
    """

    split: str
    byte_tokens: tuple[int, ...]
    specials: tuple[Special, ...]
    merges: tuple[Merge, ...]
    spellings: dict[int, bytes] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "spellings", _compute_spellings(self))

    @property
    def size(self) -> int:
        """One more than the highest token: the least vocabulary that a model needs."""
        return 1 + max(*self.spellings, *(special.token for special in self.specials))


def write_file(vocabulary: Vocabulary) -> bytes:
    """The canonical bytes of a vocabulary: equal for equal ones, different for others."""
    parts = [MAGIC, bytes([SPLITS.index(vocabulary.split)]), struct.pack("<256H", *vocabulary.byte_tokens)]
    parts.append(_COUNTS.pack(len(vocabulary.specials), len(vocabulary.merges)))
    parts += [struct.pack("<HB", token, len(name)) + name for token, name in vocabulary.specials]
    parts += [_MERGE.pack(*merge) for merge in vocabulary.merges]
    return b"".join(parts)


def read_file(data: bytes) -> Vocabulary:
    """The vocabulary whose canonical bytes are `data`; anything else is refused with a KernelInputError."""
    checks.check_bytes("tokenizer file", data)
    if len(data) < _HEAD_BYTES or not data.startswith(MAGIC):
        raise KernelInputError("tokenizer file does not begin like one: make it with `python -m kernels.tokenizer`")
    at = len(MAGIC) + 1
    if data[at - 1] >= len(SPLITS):
        raise KernelInputError(f"tokenizer file names split {data[at - 1]}; known are 0..{len(SPLITS) - 1}")
    byte_tokens = struct.unpack_from("<256H", data, at)
    special_count, merge_count = _COUNTS.unpack_from(data, at + 2 * BYTE_COUNT)
    specials, at = [], _HEAD_BYTES
    for _ in range(special_count):
        if at + 3 > len(data) or at + 3 + data[at + 2] > len(data):
            raise KernelInputError("tokenizer file ends inside its special tokens")
        end = at + 3 + data[at + 2]
        specials.append(Special(int.from_bytes(data[at:at + 2], "little"), data[at + 3:end]))
        at = end
    checks.check_bytes("tokenizer file", data, at + _MERGE.size * merge_count)
    merges = tuple(Merge(*values) for values in _MERGE.iter_unpack(data[at:]))
    return Vocabulary(SPLITS[data[len(MAGIC)]], byte_tokens, tuple(specials), merges)


def _compute_spellings(vocabulary: Vocabulary) -> dict[int, bytes]:
    """The bytes that each token but the special ones stands for; refuses what is no vocabulary."""
    if vocabulary.split not in SPLITS:
        raise KernelInputError(f"split must be one of {', '.join(SPLITS)}")
    for token in _iter_tokens(vocabulary):
        checks.check_int("token", token, 0, TOKEN_MAX)
    if len(vocabulary.byte_tokens) != BYTE_COUNT or len(set(vocabulary.byte_tokens)) != BYTE_COUNT:
        raise KernelInputError("byte_tokens must be 256 different tokens")
    spellings = {token: bytes([byte]) for byte, token in enumerate(vocabulary.byte_tokens)}
    special_tokens = _check_specials(vocabulary.specials, spellings)
    tokens = {spelling: token for token, spelling in spellings.items()}
    pairs: set[tuple[int, int]] = set()
    for rank, (left, right, result) in enumerate(vocabulary.merges):
        if left not in spellings or right not in spellings:
            raise KernelInputError(f"merge {rank} joins a token that no earlier merge makes")
        spelling = spellings[left] + spellings[right]
        if len(spelling) > SPELLING_BYTES_MAX:
            raise KernelInputError(f"merge {rank} makes a token of more than {SPELLING_BYTES_MAX} bytes")
        if tokens.setdefault(spelling, result) != result or spellings.setdefault(result, spelling) != spelling:
            raise KernelInputError(f"merge {rank}: equal bytes must be one token, different bytes different tokens")
        if result in special_tokens or (left, right) in pairs:
            raise KernelInputError(f"merge {rank} makes a special token or joins what an earlier merge joins")
        pairs.add((left, right))
    return spellings


def _check_specials(specials: tuple[Special, ...], spellings: dict[int, bytes]) -> dict[int, bytes]:
    """The names by token."""
    names: dict[int, bytes] = {}
    highest = -1
    for token, name in specials:
        checks.check_bytes("name of a special token", name)
        if not 1 <= len(name) <= NAME_BYTES_MAX:
            raise KernelInputError(f"the name of special token {token} must have 1..{NAME_BYTES_MAX} bytes")
        if token in spellings or token <= highest:
            raise KernelInputError(f"special token {token} is taken already or not in ascending order")
        names[token] = name
        highest = token
    if len(set(names.values())) != len(names):
        raise KernelInputError("two special tokens have the same name")
    return names


def _iter_tokens(vocabulary: Vocabulary) -> Iterator[object]:
    yield from vocabulary.byte_tokens
    yield from (special.token for special in vocabulary.specials)
    for merge in vocabulary.merges:
        yield from merge
