"""Options by which people ask a model something, and the question that they make."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import click

from abci_app.cli.data import data_errors, open_store
from abci_app.cli.errors import CommandError
from abci_app.cli.exit_status import ExitStatus
from abci_app.cli.options import combine, data_option
from abci_app.data import csv
from abci_app.data.table import Table
from abci_app.sdk.home import open_translator
from abci_app.sdk.translator import TOKENS_DEFAULT, Translator
from abci_app.wire.ints import U32_MAX
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec

STDIN = "-"
FORMS = ("rows", "features", "held_out", "prompt")
FORMS_TEXT = "--rows FILE.csv, --features NUMBERS, --dataset-row N or --prompt TEXT"

question_options = combine(
    click.option("--rows", metavar="FILE.csv|-",
                 help="A table with a header, or - for the standard input; columns as in the model's dataset where "
                      "that is in this home, else the features themselves, whole numbers from -127 to 127."),
    click.option("--features", metavar="NUMBERS|HEX",
                 help="One row's features, such as 12,-3,0; or all rows' bytes in hex."),
    click.option("--dataset-row", "held_out", type=click.IntRange(min=0), multiple=True, metavar="N",
                 help="A row that the model's dataset holds out, from 0; repeat it for more."),
    click.option("--prompt", metavar="TEXT", help="Text to be continued."),
    click.option("--tokens", type=click.IntRange(1, U32_MAX), default=TOKENS_DEFAULT, show_default=True,
                 help="Of the answer to a prompt, at most."),
    click.option("--temperature", type=click.FloatRange(0, 16), default=1.0, show_default=True,
                 help="0 takes the likeliest token, more makes the others likelier."),
    click.option("--top-k", type=click.IntRange(min=0), default=0, show_default=True,
                 help="Draw among so many of the likeliest tokens; 0: among all."),
    click.option("--stop", metavar="TEXT", help="End the answer with this token, such as a character."),
    data_option)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and what is known of its right answer: the labels of held-out rows."""

    question: Question
    translator: Translator
    truth: tuple[int, ...] = ()


def build_question(home: Path, spec: ModelSpec, options: dict[str, Any]) -> Asked:
    """The question that the options of `question_options` ask. Raises CommandError, DataError, QuestionRefused."""
    given = [form for form in FORMS if options[form] not in (None, ())]
    if len(given) != 1:
        raise CommandError("nothing is asked" if not given else "more than one thing is asked",
                           f"give one of {FORMS_TEXT}", ExitStatus.USAGE)
    store = open_store(home, options["folder"])
    translator = open_translator(store, spec)
    with data_errors(options["rows"] or ""):
        if given == ["rows"]:
            return Asked(translator.ask_table(read_rows(options["rows"])), translator)
        if given == ["features"]:
            return Asked(translator.ask_features(parse_features(options["features"])), translator)
        if given == ["held_out"]:
            question, truth = translator.ask_held_out(store.open(spec.dataset.rows_root), options["held_out"])
            return Asked(question, translator, truth)
    return Asked(translator.ask_prompt(options["prompt"], options["tokens"], options["temperature"], options["top_k"],
                                       options["stop"]), translator)


def read_rows(source: str) -> Table:
    """The table in a file, or in the standard input. Raises DataError."""
    if source != STDIN:
        return csv.read_table(Path(source))
    with NamedTemporaryFile(prefix="rows-", suffix=".csv") as file:
        file.write(sys.stdin.buffer.read(csv.FILE_BYTES_MAX + 1))
        file.flush()
        return csv.read_table(Path(file.name))


def parse_features(text: str) -> bytes:
    """`12,-3,0` or hex as int8. Raises CommandError."""
    try:
        numbers: Sequence[int] = [int(part) for part in text.split(",")] if "," in text else []
        if numbers and not all(-127 <= number <= 127 for number in numbers):
            raise ValueError("a feature is a whole number from -127 to 127")
        return bytes(number & 0xFF for number in numbers) if numbers else bytes.fromhex(text)
    except ValueError as error:
        raise CommandError(f"{text[:40]!r} are no features: {error}", "such as 12,-3,0, or hex of all bytes",
                           ExitStatus.USAGE) from None
