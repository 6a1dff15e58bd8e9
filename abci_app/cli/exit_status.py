"""Exit statuses: part of the command's interface, so scripts can rely on them."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """What a `gradus` command's status means."""

    OK = 0
    REFUSED = 1          # the chain, or the data, said no; the message names codespace and code
    USAGE = 2            # the command line is wrong
    UNREACHABLE = 3      # no node answers, or a local process did not start
    UNPROVEN = 4         # an answer's proof does not verify
    TIMED_OUT = 5        # nothing came in time; the transaction may still be included
    INTERRUPTED = 130
