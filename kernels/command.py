"""How commands of this package end: Ctrl-C with a word and status 130, a reader that has gone without one and 141.

Loads nothing of its own, so that who interrupts a command while numpy is loaded is answered like who does it later.
Reads: sys.argv.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import NoReturn

INTERRUPTED = 128 + signal.SIGINT  # as shells count
READER_GONE = 128 + signal.SIGPIPE


def run(module: str) -> NoReturn:
    """Import a module, call its main(arguments), and end the process with the status that it returns."""
    try:
        status = int(import_module(module).main(sys.argv[1:]))
        sys.stdout.flush()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # one more must not break into the end of the process
        print("\nInterrupted", file=sys.stderr)
        status = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed at the end
        status = READER_GONE
    sys.exit(status)
