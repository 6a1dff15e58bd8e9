"""Whether an app that runs also answers: an Echo now and then, over a connection of its own.

An app that is stopped, or stuck where no thread of it runs any more, neither ends nor closes a connection, so the
engine waits for it for ever. Its Echo is answered beside every other call, however long those take.
Source: CometBFT v0.38 abci/types/types.proto (echo, flush), abci/types/messages.go (frames).
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

WORD = b"gradus"
ECHO = bytes([len(WORD) + 2]) + b"\x0a" + bytes([len(WORD)]) + WORD
REQUEST = bytes([len(ECHO) + 1]) + b"\x0a" + ECHO + b"\x02\x12\x00"  # Request{echo}, Request{flush}
ANSWER = bytes([len(ECHO) + 1]) + b"\x12" + ECHO + b"\x02\x1a\x00"  # Response{echo}, Response{flush}


@dataclass
class Pulse:
    """Asks the app at a socket once every `every_s`, and counts the times that it had not answered the last question.

    misses_max: that many times in a row, and the app hangs; with 0, or no path, it is never asked. Time in which the
    asking process was stopped itself counts as one time.
    """

    path: Path | None
    every_s: float
    misses_max: int
    misses: int = 0
    due_s: float = field(default_factory=time.monotonic)
    has_asked: bool = False
    unheard: bytes = b""  # what is left to come of the answer to the last question
    link: socket.socket | None = None

    def tick(self) -> bool:
        """Look for the answer and ask again, when it is time to. Returns whether the app hangs."""
        now_s = time.monotonic()
        if self.path and self.misses_max and now_s >= self.due_s:
            self.due_s = now_s + self.every_s
            if self.has_asked:
                self.misses = 0 if self.is_answered() else self.misses + 1
            self.ask()
        return 0 < self.misses_max <= self.misses

    def ask(self) -> None:
        """Send a question, unless one is on its way; a question that cannot be sent is one that is not answered."""
        self.has_asked = True
        if self.link is not None and self.unheard:
            return
        try:
            if self.link is None:
                self.link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self.link.setblocking(False)
                self.link.connect(str(self.path))
            self.link.sendall(REQUEST)
            self.unheard = ANSWER
        except OSError:
            self.close()

    def is_answered(self) -> bool:
        """Whether the whole answer has come; a connection that ended, or says anything else, is given up."""
        if self.link is None:
            return False
        try:
            data = self.link.recv(len(ANSWER))
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data or not self.unheard.startswith(data):
            self.close()
            return False
        self.unheard = self.unheard[len(data):]
        return not self.unheard

    def close(self) -> None:
        """Give the connection up."""
        if self.link is not None:
            self.link.close()
            self.link = None
