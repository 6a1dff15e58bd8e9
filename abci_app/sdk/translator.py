"""Between people and a model: questions from rows and text, and answers as labels, numbers and text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict

from abci_app.client.errors import ClientError
from abci_app.data.encode import encode_integers, encode_table, new_table
from abci_app.data.errors import DataError
from abci_app.data.manifest import Manifest
from abci_app.data.store import StoredDataset
from abci_app.data.table import Table
from abci_app.data.text import decode_tokens, encode_text
from abci_app.runtime.contract import new_row_form
from abci_app.runtime.question import (
    LABEL_BYTES, ROOT_BYTES, TOKEN_BYTES, VALUE_BYTES, QuestionInvalid, check_question,
)
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from kernels.tokenizer import Tokenizer

TEMPERATURE_ONE = 1 << 16
VALUE_EXPONENT = 16
BYTE_TOKENS = 256
TOKENS_DEFAULT = 64

Rows = Sequence[Mapping[str, object] | Sequence[object]]


class Asking(TypedDict, total=False):
    """What is asked: one of rows, features, prompt and question; the others belong to a prompt."""

    rows: Rows
    features: bytes
    prompt: str | Sequence[int]
    question: Question
    tokens: int
    temperature: float
    top_k: int
    stop: str | int | None


class QuestionRefused(ClientError):
    """A question that the model has no answer to; nothing was sent and nothing paid."""

    exit_status = 2


class Letters(Protocol):
    """Text as a model's tokens, and back."""

    def encode(self, text: str) -> list[int]:
        """The tokens of a text. QuestionRefused for what the model has no token for."""

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens."""


class Bytes:
    """A text's bytes in UTF-8 as tokens: of a model whose dataset names no alphabet. Source: kernels/tokenizer."""

    def __init__(self) -> None:
        self._tokenizer = Tokenizer()

    def encode(self, text: str) -> list[int]:
        """The tokens of a text."""
        return read_tokens(self._tokenizer.encode(text.encode()))

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens; what is no UTF-8 is shown as such."""
        return self._tokenizer.decode(write_tokens(tokens)).decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Characters:
    """A text's characters as tokens: of a model whose dataset was made from a text. Source: data/text.py."""

    vocabulary: str

    def encode(self, text: str) -> list[int]:
        """The tokens of a text. QuestionRefused for a character that the model has not learned."""
        try:
            return encode_text(self.vocabulary, text)
        except DataError as error:
            raise QuestionRefused(str(error), error.hint) from None

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens. DataError for one outside the vocabulary, which an honest answer has not."""
        return decode_tokens(self.vocabulary, tokens)


@dataclass(frozen=True, slots=True)
class Classified:
    """labels: a class for each row; names: their names, empty where the dataset is not here. logits: of each row and
    class, a value is q * 2^-16."""

    labels: tuple[int, ...]
    names: tuple[str, ...]
    logits: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Regressed:
    """outputs: of each row, a value is q * 2^-16."""

    outputs: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Written:
    """tokens: those that follow the prompt; text: what they say, empty where no text is known for them."""

    tokens: tuple[int, ...]
    text: str


Answer = Classified | Regressed | Written


class Translator:
    """Questions to one model and its answers. manifest: of the model's dataset, None where it is not here: then rows
    are features already and classes have no names."""

    def __init__(self, spec: ModelSpec, manifest: Manifest | None = None, letters: Letters | None = None) -> None:
        self.spec, self.manifest = spec, manifest
        self.letters = letters or self._choose_letters()

    def _choose_letters(self) -> Letters | None:
        if self.manifest is not None and self.manifest.vocabulary:
            return Characters(self.manifest.vocabulary)
        return Bytes() if self.spec.HasField("decoder") and self.spec.decoder.vocab >= BYTE_TOKENS else None

    @property
    def takes_text(self) -> bool:
        """Whether the model continues text; else it takes rows."""
        return self.spec.HasField("decoder")

    def ask_rows(self, rows: Rows) -> Question:
        """About rows: cells by column name or in the columns' order. Raises DataError, QuestionRefused."""
        if self.manifest is None:
            names = [f"feature{place}" for place in range(self.spec.dataset.features)]
        else:
            names = [column.name for column in self.manifest.columns]
        return self.ask_table(new_table(rows, names))

    def ask_table(self, table: Table) -> Question:
        """About all rows of a table. Raises DataError, QuestionRefused."""
        if self.manifest is None:
            features = encode_integers(table, self.spec.dataset.features)
        else:
            features = encode_table(table, self.manifest)
        return self.ask_features(features)

    def ask_features(self, features: bytes) -> Question:
        """About rows of features, int8. Raises QuestionRefused."""
        width = self.spec.dataset.features
        if not self.takes_text and len(features) % width:
            raise QuestionRefused(f"{len(features)} bytes are no whole number of rows of {width} features")
        return self.check(Question(rows=len(features) // width, features=features))

    def ask_held_out(self, dataset: StoredDataset, numbers: Sequence[int]) -> tuple[Question, tuple[int, ...]]:
        """About held-out rows of the model's dataset, from 0, and the labels that they have. Raises QuestionRefused."""
        manifest = dataset.manifest
        if any(not 0 <= number < manifest.test_rows for number in numbers):
            raise QuestionRefused(f"the dataset holds out the rows 0 to {manifest.test_rows - 1}")
        features, labels = dataset.read_columns([manifest.train_rows + number for number in numbers],
                                                new_row_form(self.spec))
        return self.ask_features(features), tuple(read_tokens(labels))

    def ask_prompt(self, prompt: str | Sequence[int], tokens: int = TOKENS_DEFAULT, temperature: float = 1.0,
                   top_k: int = 0, stop: str | int | None = None) -> Question:
        """What follows a prompt, a text or tokens: so many tokens at most, drawn at a temperature among the top_k
        likeliest (0: all), until `stop`, which must be one token. Raises QuestionRefused."""
        question = Question(prompt=write_tokens(self.encode(prompt)), tokens=tokens, top_k=top_k,
                            temperature_q16=round(temperature * TEMPERATURE_ONE))
        if stop is not None:
            found = [stop] if isinstance(stop, int) else self.encode(stop)
            if len(found) != 1:
                raise QuestionRefused(f"{stop!r} is {len(found)} tokens; an answer ends at one")
            question.has_stop, question.stop = True, found[0]
        return self.check(question)

    def encode(self, prompt: str | Sequence[int]) -> list[int]:
        """The tokens of a prompt. Raises QuestionRefused."""
        if not isinstance(prompt, str):
            return list(prompt)
        if not self.takes_text:
            raise QuestionRefused(f"{self.spec.name} takes rows and continues no text", "ask it about rows")
        if self.letters is None:
            raise QuestionRefused("this home does not know which text the model's tokens are",
                                  "give the prompt as tokens, or make the model's dataset here: gradus data add")
        return self.letters.encode(prompt)

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, empty where none is known."""
        return "" if self.letters is None else self.letters.decode(tokens)

    def check(self, question: Question) -> Question:
        """The question, if the model has an answer to it. Raises QuestionRefused."""
        try:
            check_question(self.spec, question)
        except QuestionInvalid as error:
            raise QuestionRefused(str(error)) from None
        return question

    def read(self, question: Question, answer: bytes) -> Answer:
        """An answer's bytes, whose hash is checked, as people read them. Their form is that of wire/question.py."""
        if self.takes_text:
            tokens = read_tokens(answer[:-ROOT_BYTES])
            return Written(tuple(tokens), self.decode(tokens))
        width = self.spec.dataset.classes
        if not self.spec.HasField("mlp_classifier"):
            return Regressed(_read_values(answer, width))
        labels = tuple(read_tokens(answer[:LABEL_BYTES * question.rows]))
        classes = self.manifest.classes if self.manifest is not None else ()
        names = tuple(classes[label] for label in labels) if len(classes) == width else ()
        return Classified(labels, names, _read_values(answer[LABEL_BYTES * question.rows:], width))


def _read_values(data: bytes, width: int) -> tuple[tuple[int, ...], ...]:
    values = [int.from_bytes(data[at:at + VALUE_BYTES], "little", signed=True)
              for at in range(0, len(data), VALUE_BYTES)]
    return tuple(tuple(values[at:at + width]) for at in range(0, len(values), width))


def read_tokens(data: bytes) -> list[int]:
    """Numbers of u16 little-endian."""
    return [int.from_bytes(data[at:at + TOKEN_BYTES], "little") for at in range(0, len(data), TOKEN_BYTES)]


def write_tokens(tokens: Sequence[int]) -> bytes:
    """Numbers as u16 little-endian. Raises QuestionRefused for what is none."""
    try:
        return b"".join(token.to_bytes(TOKEN_BYTES, "little") for token in tokens)
    except OverflowError:
        raise QuestionRefused("a token is a number from 0 to 65535") from None


def read_asking(translator: Translator, asking: Asking) -> Question:
    """The question of `infer(rows=...)` and its like. Raises QuestionRefused, DataError."""
    given = [name for name in ("rows", "features", "prompt", "question") if name in asking]
    if len(given) != 1:
        raise QuestionRefused("nothing is asked" if not given else "more than one thing is asked",
                              "give one of rows, features, prompt and question")
    if "rows" in asking:
        return translator.ask_rows(asking["rows"])
    if "features" in asking:
        return translator.ask_features(asking["features"])
    if "question" in asking:
        return translator.check(asking["question"])
    return translator.ask_prompt(asking["prompt"], asking.get("tokens", TOKENS_DEFAULT),
                                 asking.get("temperature", 1.0), asking.get("top_k", 0), asking.get("stop"))
