"""`python -m kernels.tokenizer`: trains, imports, shows and uses tokenizer files.

Reads the files it is given; `train` and `import` write the one named by --out.
"""

from __future__ import annotations

import argparse
import json
import os
import struct
import sys
from pathlib import Path

from kernels.command import run as run_command
from kernels.errors import KernelInputError
from kernels.tokenizer import BYTES, Tokenizer, Vocabulary, read_file, write_file
from kernels.tokenizer.hugging_face import convert
from kernels.tokenizer.training import train

EXAMPLE = """example:
  python -m kernels.tokenizer train book.txt --vocab 1024 --out book.tok
  python -m kernels.tokenizer encode book.tok < chapter.txt"""


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit status: 0, 1 for input that is refused, 2 for misuse."""
    options = _parse(arguments)
    try:
        return int(options.run(options))
    except BrokenPipeError:
        raise
    except (KernelInputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m kernels.tokenizer", description="Byte-level tokenizer files: make, show and use them.",
        epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("train", help="learn merges from a text; the same text gives the same file")
    command.add_argument("text", type=Path, metavar="FILE")
    command.add_argument("--vocab", type=int, required=True, metavar="N", help="tokens in all, 260..65536")
    command.add_argument("--out", type=Path, required=True, metavar="TOKENIZER")
    command.set_defaults(run=_train)
    command = commands.add_parser("import", help="convert a byte-level BPE tokenizer.json")
    command.add_argument("json", type=Path, metavar="TOKENIZER.JSON")
    command.add_argument("--out", type=Path, required=True, metavar="TOKENIZER")
    command.add_argument("--split", choices=("words", "whole"), default=None,
                         help="cut texts by this rule instead of the original's: some texts get other tokens")
    command.set_defaults(run=_import)
    command = commands.add_parser("show", help="hash, size and special tokens of a tokenizer file")
    command.add_argument("tokenizer", metavar="TOKENIZER", help="a file, or `bytes` for the tokenizer without merges")
    command.set_defaults(run=_show)
    for name, run, what in (("encode", _encode, "text on standard input to token numbers"),
                            ("decode", _decode, "token numbers on standard input to text")):
        command = commands.add_parser(name, help=what)
        command.add_argument("tokenizer", metavar="TOKENIZER")
        command.set_defaults(run=run)
    for command in commands.choices.values():
        command.add_argument("--output", choices=("text", "json"), default="text")
    return parser.parse_args(arguments)


def _train(options: argparse.Namespace) -> int:
    progress = _show_progress if sys.stderr.isatty() else None
    return _write(options, train(options.text.read_bytes(), options.vocab, progress))


def _import(options: argparse.Namespace) -> int:
    return _write(options, convert(options.json.read_bytes(), options.split))


def _write(options: argparse.Namespace, vocabulary: Vocabulary) -> int:
    """Write the file in one go: a stop leaves the old one or the new one, never a part."""
    draft = options.out.with_name(f".{options.out.name}-{os.getpid()}")
    try:
        draft.write_bytes(write_file(vocabulary))
        draft.replace(options.out)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return _report(options, vocabulary)


def _show(options: argparse.Namespace) -> int:
    return _report(options, _load(options.tokenizer))


def _report(options: argparse.Namespace, vocabulary: Vocabulary) -> int:
    facts = {
        "hash": Tokenizer(vocabulary).digest.hex(),
        "vocab": vocabulary.size,
        "merges": len(vocabulary.merges),
        "split": vocabulary.split,
        "bytes": len(write_file(vocabulary)),
        "specials": {name.decode("utf-8", "backslashreplace"): token for token, name in vocabulary.specials},
    }
    if options.output == "json":
        print(json.dumps(facts))
    else:
        for name, value in facts.items():
            print(f"{name:<9} {value}")
    return 0


def _encode(options: argparse.Namespace) -> int:
    data = Tokenizer(_load(options.tokenizer)).encode(sys.stdin.buffer.read())
    tokens = struct.unpack(f"<{len(data) // 2}H", data)
    print(json.dumps(tokens) if options.output == "json" else " ".join(map(str, tokens)))
    return 0


def _decode(options: argparse.Namespace) -> int:
    words = sys.stdin.buffer.read().replace(b",", b" ").strip(b" []\r\n").split()
    try:
        tokens = struct.pack(f"<{len(words)}H", *map(int, words))
    except (ValueError, struct.error) as error:
        raise KernelInputError("token numbers must be integers in 0..65535, with blanks between them") from error
    text = Tokenizer(_load(options.tokenizer)).decode(tokens)
    if options.output == "json":
        print(json.dumps({"hex": text.hex(), "text": text.decode("utf-8", "replace")}))
    else:
        sys.stdout.buffer.write(text)
    return 0


def _load(name: str) -> Vocabulary:
    return BYTES if name == "bytes" else read_file(Path(name).read_bytes())


def _show_progress(done: int, total: int) -> None:
    end = "\n" if done == total else ""
    print(f"\r\x1b[K{done}/{total} merges", end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run_command("kernels.tokenizer.__main__")
