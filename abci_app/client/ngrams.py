"""What counting reaches on a text: interpolated Kneser-Ney models of characters, to compare a language model with.

Modified Kneser-Ney smoothing (Chen and Goodman 1999), the strongest of the simple ones: three discounts at every order,
estimated from how many n-grams occur once, twice, three and four times; lower orders count in how many contexts a
character was seen instead of how often; below them is the uniform distribution. Figures for people: floats.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

ORDERS = (1, 2, 3, 4, 5)
LARGEST_DISCOUNTED = 3  # counts of this and above have one discount


class _Level:
    """The share of one order: discounted counts, and what they leave to the order below."""

    def __init__(self, counts: Counter[str]) -> None:
        """counts: of the n-grams, the last character of which is told by those before it."""
        self.counts = counts
        of_count = Counter(counts.values())
        self.discounts = _estimate_discounts(*(of_count[number] for number in (1, 2, 3, 4)))
        self.totals: defaultdict[str, int] = defaultdict(int)
        self.left: defaultdict[str, float] = defaultdict(float)
        for gram, count in counts.items():
            self.totals[gram[:-1]] += count
            self.left[gram[:-1]] += self.discounts[min(count, LARGEST_DISCOUNTED)]

    def refine(self, below: float, history: str, char: str) -> float:
        """The probability of a character behind a history, from that of the order below."""
        total = self.totals.get(history, 0)
        if not total:
            return below
        count = self.counts.get(history + char, 0)
        return (count - self.discounts[min(count, LARGEST_DISCOUNTED)] + self.left[history] * below) / total


class NgramModel:
    """The probability of a character by up to order - 1 characters before it."""

    def __init__(self, parts: Sequence[str], order: int, vocabulary_size: int) -> None:
        """parts: texts to count in, each by itself. order: 1 or more. vocabulary_size: of characters."""
        self.order, self.uniform = order, 1 / vocabulary_size
        counts = Counter(_iter_grams(parts, order))
        self._levels = [_Level(counts)]
        for _ in range(order - 1):
            counts = Counter(gram[1:] for gram in counts)
            self._levels.append(_Level(counts))
        self._levels.reverse()

    def probability(self, history: str, char: str) -> float:
        """Of `char` behind `history`, of which the last order - 1 characters count."""
        found = self.uniform
        for length, level in enumerate(self._levels):
            if length > len(history):
                break
            found = level.refine(found, history[len(history) - length:], char)
        return found


def measure_nats(parts: Sequence[str], rows: Sequence[str], order: int, vocabulary_size: int) -> float:
    """Nats a character of an n-gram model counted in `parts`, on all characters of `rows` but the first of each.

    A character is told by those before it in its row alone, as by a decoder that reads the row; where these are fewer
    than order - 1 by the model of the order that they suffice for.
    """
    models = [NgramModel(parts, each, vocabulary_size) for each in range(1, order + 1)]
    total, count = 0.0, 0
    for row in rows:
        for place in range(1, len(row)):
            model = models[min(order, place + 1) - 1]
            total -= math.log(model.probability(row[max(0, place - order + 1):place], row[place]))
            count += 1
    return total / count


def _iter_grams(parts: Sequence[str], order: int) -> Iterator[str]:
    for part in parts:
        for at in range(len(part) - order + 1):
            yield part[at:at + order]


def _estimate_discounts(once: int, twice: int, thrice: int, four_times: int) -> tuple[float, ...]:
    """What is taken off counts of 0, 1, 2, and 3 or more; half of each where there is too little to estimate from."""
    if not once or not twice:
        return 0.0, 0.5, 1.0, 1.5
    share = once / (once + 2 * twice)
    found = (1 - 2 * share * twice / once, 2 - 3 * share * thrice / twice,
             3 - 4 * share * four_times / thrice if thrice else 1.5)
    return 0.0, *(min(max(discount, 0.0), number) for number, discount in enumerate(found, start=1))
