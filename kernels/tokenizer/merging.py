"""Byte-pair merging of one piece in n log n time.  Source: README.md, section 5.

Reads/Writes: nothing.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

Rules = dict[tuple[int, int], tuple[int, int]]
_PLACE_BITS = 32
_PLACE_MASK = (1 << _PLACE_BITS) - 1


def merge_tokens(tokens: list[int], rules: Rules) -> list[int]:
    """`tokens` after all merges: always the neighbours of lowest rank, of these the leftmost.

    rules: (left, right) -> (rank, result). A list of n tokens takes at most 3n steps through a heap: at most n
    pairs at first, and each of at most n - 1 merges makes at most two more.
    """
    count = len(tokens)
    values, after, before = list(tokens), list(range(1, count + 1)), list(range(-1, count - 1))
    waiting = []
    for place, pair in enumerate(zip(tokens, tokens[1:])):
        if pair in rules:
            waiting.append(rules[pair][0] << _PLACE_BITS | place)
    heapify(waiting)
    while waiting:
        entry = heappop(waiting)
        place, rank = entry & _PLACE_MASK, entry >> _PLACE_BITS
        follower = after[place]
        if values[place] < 0 or follower >= count:
            continue
        found = rules.get((values[place], values[follower]))
        if found is None or found[0] != rank:
            continue
        values[place], values[follower] = found[1], -1
        beyond = after[place] = after[follower]
        if beyond < count:
            before[beyond] = place
            _add(waiting, rules, values, place, beyond)
        if before[place] >= 0:
            _add(waiting, rules, values, before[place], place)
    return [value for value in values if value >= 0]


def _add(waiting: list[int], rules: Rules, values: list[int], place: int, follower: int) -> None:
    found = rules.get((values[place], values[follower]))
    if found is not None:
        heappush(waiting, found[0] << _PLACE_BITS | place)
