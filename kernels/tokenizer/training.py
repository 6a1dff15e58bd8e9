"""Learns byte-pair merges from a text; the same text gives the same file.  Source: README.md, section 6.

Reads/Writes: nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from heapq import heapify, heappop, heappush

from kernels import checks
from kernels.tokenizer import BYTES, SPECIALS
from kernels.tokenizer.pieces import split_text
from kernels.tokenizer.vocabulary import TOKEN_MAX, Merge, Vocabulary

FIRST_MERGED = 256 + len(SPECIALS)
TRAINING_BYTES_MAX = 2**28
PAIR_COUNT_MIN = 2
Progress = Callable[[int, int], None]
Pair = tuple[int, int]


class _Pieces:
    """Distinct pieces as lists of tokens, how often each occurs, and the pairs in them."""

    def __init__(self, counts: Counter[bytes]) -> None:
        self.spellings = {byte: bytes([byte]) for byte in range(256)}
        self.known = set(self.spellings.values())
        self.weights = list(counts.values())
        self.tokens = [list(piece) for piece in counts]
        self.counts: Counter[Pair] = Counter()
        self.places: dict[Pair, set[int]] = {}
        for index in range(len(self.tokens)):
            self._add(index, 1)
        self.waiting = [(-count, pair) for pair, count in self.counts.items()]
        heapify(self.waiting)

    def take_best(self) -> Pair | None:
        """The most frequent pair whose bytes are no token yet, of equals the lowest; None if each occurs once."""
        while self.waiting:
            count, pair = heappop(self.waiting)
            if self.counts[pair] < PAIR_COUNT_MIN or self._spell(pair) in self.known:
                continue
            if self.counts[pair] == -count:
                return pair
            heappush(self.waiting, (-self.counts[pair], pair))
        return None

    def merge(self, pair: Pair, result: int) -> None:
        """Write the new token `result` for the pair in all pieces, from left to right."""
        self.spellings[result] = self._spell(pair)
        self.known.add(self.spellings[result])
        for index in sorted(self.places.pop(pair)):
            self._add(index, -1)
            self.tokens[index] = _replace(self.tokens[index], pair, result)
            for fresh in self._add(index, 1):
                if result in fresh:
                    heappush(self.waiting, (-self.counts[fresh], fresh))
        del self.counts[pair]

    def _spell(self, pair: Pair) -> bytes:
        return self.spellings[pair[0]] + self.spellings[pair[1]]

    def _add(self, index: int, sign: int) -> list[Pair]:
        """Count the pairs of a piece, or take them out again; returns them."""
        tokens, weight = self.tokens[index], sign * self.weights[index]
        pairs = list(zip(tokens, tokens[1:]))
        for pair in pairs:
            self.counts[pair] += weight
            if sign > 0:
                self.places.setdefault(pair, set()).add(index)
        return pairs


def train(text: bytes, size: int, progress: Progress | None = None) -> Vocabulary:
    """A vocabulary of up to `size` tokens (260..65536), split `words`, learned from `text` (0..2**28 bytes).

    It has fewer tokens where no pair occurs twice any more. progress(merges done, merges wanted) is told every 64.
    """
    checks.check_bytes("text", text)
    checks.check_int("length of text", len(text), 0, TRAINING_BYTES_MAX)
    checks.check_int("size", size, FIRST_MERGED, TOKEN_MAX + 1)
    pieces = _Pieces(Counter(split_text("words", text)))
    merges: list[Merge] = []
    wanted = size - FIRST_MERGED
    while len(merges) < wanted:
        pair = pieces.take_best()
        if pair is None:
            break
        merges.append(Merge(*pair, FIRST_MERGED + len(merges)))
        pieces.merge(pair, merges[-1].result)
        if progress is not None and len(merges) % 64 == 0:
            progress(len(merges), wanted)
    if progress is not None:
        progress(len(merges), len(merges))
    return Vocabulary("words", BYTES.byte_tokens, SPECIALS, tuple(merges))


def _replace(tokens: list[int], pair: Pair, result: int) -> list[int]:
    merged, at = [], 0
    while at < len(tokens):
        if at + 1 < len(tokens) and (tokens[at], tokens[at + 1]) == pair:
            merged.append(result)
            at += 2
        else:
            merged.append(tokens[at])
            at += 1
    return merged
