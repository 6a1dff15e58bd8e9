"""From a text to a dataset of characters: the vocabulary, the windows that are its rows, the split.

The text is cut into parts of `part_chars`, an order of which the split's seed fixes; the parts at its end are held out.
A row is a window of context + 1 characters within one part: of parts to train on there begins one every `stride`
characters, of held-out ones every `context`, so that each of their characters but the first is predicted once. Needs
neither a float nor a clock.
"""

import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from abci_app.data.csv import read_text
from abci_app.data.dataset import ROWS_BYTES_MAX, Dataset, check_name, check_split, iter_chunks
from abci_app.data.errors import DataError
from abci_app.data.manifest import CONTEXT_MAX, VOCABULARY_MAX, Manifest
from abci_app.data.table import ROWS_MAX, Progress
from abci_app.data.tree import RowTree
from abci_app.wire.ints import mul_div_ceil, ppm_floor, u64_bytes
from abci_app.wire.row import TOKENS, RowForm
from abci_app.wire.seed import hash_fields, shuffle

PYDOC = "pydoc"
CONTEXT = 64
STRIDE_SHARE = 4  # windows to train on begin every context / STRIDE_SHARE characters, unless said otherwise
PART_CHARS_MIN = 4_096
PART_CONTEXTS = 16
HELD_OUT_PPM = 100_000


@dataclass(frozen=True)
class TextOptions:
    """How a text is cut. context: characters that the next is predicted from at most. stride: 0 for a quarter of it."""

    name: str
    context: int = CONTEXT
    stride: int = 0
    held_out_ppm: int = HELD_OUT_PPM
    split_seed: int = 0
    progress: Progress = field(default=lambda what, done, total: None, compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """source: where the text is from, in words."""

    source: str
    text: str


def read_text_file(path: Path) -> Text:
    """The text of a file, UTF-8. Raises DataError."""
    text, digest = read_text(path)
    return Text(f"{path.name}, sha256 {digest}", text)


def load_pydoc() -> Text:
    """The language reference that comes with Python, topic by topic, each paragraph once.

    Another version of Python has another text, and so another root: `source` says which it is.
    """
    topics = import_module("pydoc_data.topics").topics
    paragraphs: dict[str, None] = {}
    for name in sorted(topics):
        for paragraph in topics[name].split("\n\n"):
            if paragraph.strip("\n"):
                paragraphs[paragraph.strip("\n")] = None
    version = ".".join(map(str, sys.version_info[:3]))
    return Text(f"pydoc_data.topics of Python {version}, each paragraph once", "\n\n".join(paragraphs))


def new_text_dataset(text: Text, options: TextOptions) -> Dataset:
    """The dataset of a text. Raises DataError for one that is too short or too varied, and for options."""
    check_name(options.name)
    check_split(options.held_out_ppm, options.split_seed)
    stride = _find_stride(options)
    vocabulary = "".join(sorted(dict.fromkeys(text.text)))
    if not 2 <= len(vocabulary) <= VOCABULARY_MAX:
        raise DataError(f"the text has {len(vocabulary)} different characters; allowed are 2 to {VOCABULARY_MAX}")
    train, held_out = split_text(text.text, options)
    form = RowForm(TOKENS, options.context, len(vocabulary))
    train_rows = _count_rows(train, options.context, stride)
    test_rows = _count_rows(held_out, options.context, options.context)
    if not train_rows:
        raise DataError(f"the text has {len(text.text)} characters: no window of {options.context + 1} is left to "
                        "train on", hint="give a longer text, or a smaller --context")
    if train_rows + test_rows > ROWS_MAX or form.row_bytes * (train_rows + test_rows) > ROWS_BYTES_MAX:
        raise DataError(f"{train_rows + test_rows} windows; the most is {ROWS_MAX}, in {ROWS_BYTES_MAX} bytes",
                        hint="take a larger --stride")
    rows = b"".join(_cut_windows(part, vocabulary, options.context, pace)
                    for parts, pace in ((train, stride), (held_out, options.context)) for part in parts)
    size = form.row_bytes
    tree = RowTree(iter_chunks(rows, size), size, len(rows) // size, options.progress)
    return Dataset(Manifest(
        name=options.name, source=text.source, rows_root=tree.root, train_rows=train_rows, test_rows=test_rows,
        held_out_ppm=options.held_out_ppm, split_seed=options.split_seed, vocabulary=vocabulary,
        context=options.context, stride=stride), rows)


def split_text(text: str, options: TextOptions) -> tuple[list[str], list[str]]:
    """(parts to train on, parts held out), each in the order of the split; what a dataset's windows are cut from."""
    size = max(PART_CHARS_MIN, PART_CONTEXTS * options.context)
    parts = [text[at:at + size] for at in range(0, len(text), size)]
    order = shuffle(hash_fields("gradus/split", u64_bytes(options.split_seed)), len(parts))
    last = len(order) - ppm_floor(len(order), options.held_out_ppm)
    return [parts[place] for place in order[:last]], [parts[place] for place in order[last:]]


def encode_text(vocabulary: str, text: str) -> list[int]:
    """The token of each character. Raises DataError for a character that the vocabulary has not."""
    places = {char: place for place, char in enumerate(vocabulary)}
    try:
        return [places[char] for char in text]
    except KeyError as error:
        raise DataError(f"the character {error.args[0]!r} is not in the model's vocabulary",
                        hint=f"it has: {vocabulary[:120]!r}") from None


def decode_tokens(vocabulary: str, tokens: Sequence[int]) -> str:
    """The characters of tokens. Raises DataError for a token that stands for none."""
    if any(not 0 <= token < len(vocabulary) for token in tokens):
        raise DataError(f"token {max(tokens)} stands for no character; there are {len(vocabulary)}")
    return "".join(vocabulary[token] for token in tokens)


def cut_rows(parts: Sequence[str], context: int, stride: int) -> list[str]:
    """The windows of context + 1 characters that begin every `stride` characters in each part."""
    return [part[at:at + context + 1] for part in parts for at in range(0, len(part) - context, stride)]


def _find_stride(options: TextOptions) -> int:
    stride = options.stride or mul_div_ceil(options.context, 1, STRIDE_SHARE)
    if not 1 <= options.context <= CONTEXT_MAX:
        raise DataError(f"the context is {options.context}, allowed are 1 to {CONTEXT_MAX}")
    if not 1 <= stride <= options.context:
        raise DataError(f"the stride is {stride}, allowed are 1 to the context, {options.context}")
    return stride


def _count_rows(parts: Sequence[str], context: int, stride: int) -> int:
    return sum(len(range(0, len(part) - context, stride)) for part in parts)


def _cut_windows(part: str, vocabulary: str, context: int, stride: int) -> bytes:
    """The rows of a part, u16 tokens."""
    tokens = struct.pack(f"<{len(part)}H", *encode_text(vocabulary, part))
    return b"".join(tokens[2 * at:2 * (at + context + 1)] for at in range(0, len(part) - context, stride))
