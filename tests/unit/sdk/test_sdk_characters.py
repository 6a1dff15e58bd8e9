"""A model of characters is asked by text and answers with text, by the vocabulary of its dataset."""

import pytest

from abci_app.data.text import Text, TextOptions, new_text_dataset
from abci_app.sdk.translator import Characters, QuestionRefused


def test_characters_of_a_dataset_are_tokens_and_back() -> None:
    manifest = new_text_dataset(Text("made here", "to be or not to be " * 300), TextOptions("text", 8)).manifest
    letters = Characters(manifest.vocabulary)
    assert letters.decode(letters.encode("not to be")) == "not to be"
    with pytest.raises(QuestionRefused, match="'z' is not in the model's vocabulary") as refused:
        letters.encode("to zebra")
    assert "it has" in refused.value.hint
