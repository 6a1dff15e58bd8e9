"""N-gram models: probabilities that add up to one, and losses that can be counted by hand."""

import math
import random

import pytest

from abci_app.client.ngrams import ORDERS, NgramModel, measure_nats

DICE = random.Random(5)
TEXT = "".join(DICE.choice("abbcccd ") for _ in range(600))


@pytest.mark.parametrize("order", ORDERS)
def test_probabilities_behind_any_history_add_up_to_one(order: int) -> None:
    """Also behind one that never occurred, and of characters that never did."""
    vocabulary = "abcdxyz "
    model = NgramModel([TEXT[:300], TEXT[300:]], order, len(vocabulary))
    for history in ("", "a", "ab", "cab ", "xx", "ax", "bcx"):
        found = [model.probability(history, char) for char in vocabulary]
        assert math.isclose(sum(found), 1) and min(found) > 0


def test_unigram_is_the_discounted_count_and_its_share_of_the_uniform() -> None:
    model = NgramModel(["aaab"], 1, 4)  # too little to estimate discounts from: 0.5 of one, 1.5 of three
    assert math.isclose(model.probability("", "a"), (3 - 1.5 + 2.0 / 4) / 4)
    assert math.isclose(model.probability("", "b"), (1 - 0.5 + 2.0 / 4) / 4)
    assert math.isclose(model.probability("", "c"), (2.0 / 4) / 4)


def test_more_context_helps_where_the_text_has_order_and_rows_are_read_alone() -> None:
    text = "abcabd" * 200
    rows = ["abcabdabc", "cabdabcab"]
    losses = [measure_nats([text], rows, order, 4) for order in ORDERS]
    assert all(more < less for less, more in zip(losses[:3], losses[1:]))
    assert losses[3] < 0.35 < losses[0]
    model, second = NgramModel([text], 1, 4), NgramModel([text], 2, 4)
    expected = -(math.log(second.probability("a", "b")) + math.log(second.probability("b", "c"))) / 2
    assert math.isclose(measure_nats([text], ["abc"], 2, 4), expected)
    assert math.isclose(measure_nats([text], ["ab"], 1, 4), -math.log(model.probability("", "b")))
