"""The demo of a text: what the trained weights write, whatever their context."""

import pytest

from kernels.decoder import Decoder, init_weights
from localnet.text_demo import write_text


@pytest.mark.parametrize("context", (1, 2, 7, 64))
def test_sample_goes_on_behind_its_prompt_in_characters_of_the_vocabulary(context: int) -> None:
    vocabulary = " abcdefgh"
    network = Decoder(len(vocabulary), context, 8, 1, 8, 1)
    weights = init_weights(network, bytes(32))
    sample = write_text(network, weights, vocabulary, "a bad ", 50)
    assert len(sample) == 50 and set(sample) <= set(vocabulary)
    assert write_text(network, weights, vocabulary, "a bad ", 50) == sample
