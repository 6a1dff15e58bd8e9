"""Cuts a text into pieces over whose borders no tokens are merged.  Source: README.md, section 4.

Reads/Writes: nothing. The rules know bytes alone, no characters, so no version of Unicode changes a token.
"""

from __future__ import annotations

import re

PIECE_BYTES_MAX = 65

_WORDS = re.compile(
    rb" ?[A-Za-z\x80-\xff]{1,64}"
    rb"| ?[0-9]{1,3}"
    rb"| ?[^A-Za-z\x80-\xff0-9\t-\r ]{1,64}"
    rb"|[\t-\r ]{1,64}(?![^\t-\r ])"
    rb"|[\t-\r ]{1,64}"
)


def split_text(split: str, text: bytes) -> list[bytes]:
    """The pieces of `text`; joined they are the text, and none is empty. Takes time proportional to the text."""
    if split == "whole":
        return [text] if text else []
    return _WORDS.findall(text)
