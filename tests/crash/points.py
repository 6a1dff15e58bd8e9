"""The matrix: every point at which a node is hurt, and what is done there.

A point names a kind, a variant and a number; `compute_points` gives all of them in a fixed order.
"""

from dataclasses import dataclass
from itertools import zip_longest

CALLS_FRESH = ("info", "init_chain", "check_tx", "prepare_proposal", "process_proposal", "finalize_block", "commit",
               "query")
CALLS_GROWN = ("info", "check_tx", "prepare_proposal", "process_proposal", "finalize_block", "commit", "query")
FAILS = 40  # four blocks of a single validator, ten exits each
DAMAGES = ("wal-cut", "wal-flip", "sst-cut", "sst-flip", "manifest-cut", "manifest-flip", "current-empty",
           "current-gone", "blob-flip", "sst-gone", "wal-gone", "config-empty", "config-gone", "lock-kept")
PARTS = ("app", "engine", "both")
CUTS = ("all", "some", "zeros")


@dataclass(frozen=True)
class Point:
    """One hurt. kind: call, fail, kill, database, damage, power, network. what, number: which of its kind.

    is_fresh: on a chain that has not begun. may_refuse: a clear refusal with a fix is a right outcome.
    """

    kind: str
    what: str
    number: int = 0
    is_fresh: bool = False
    may_refuse: bool = False

    def __str__(self) -> str:
        return f"{self.kind}:{self.what}:{self.number}{':fresh' if self.is_fresh else ''}"


def compute_points(can_trace: bool) -> list[Point]:
    """Every point, the kinds in turn, so that a prefix of the list has some of each. can_trace: strace is here."""
    kinds = [call_points(), fail_points(), kill_points(), database_points(), damage_points(),
             power_points(can_trace), network_points()]
    return [point for row in zip_longest(*kinds) for point in row if point is not None]


def call_points() -> list[Point]:
    """The app dies before and after calls."""
    points = [Point("call", f"{when} {call}", 1, is_fresh=True) for call in CALLS_FRESH for when in ("before", "after")]
    for number in (1, 2, 5):
        points += [Point("call", f"{when} {call}", number) for call in CALLS_GROWN for when in ("before", "after")
                   if call != "info" or number == 1]
    return points


def fail_points() -> list[Point]:
    """The engine ends itself at each of its fail points, in its first blocks and in later ones."""
    return ([Point("fail", "index", number, is_fresh=True) for number in range(FAILS // 2)]
            + [Point("fail", "index", number) for number in range(FAILS)])


def kill_points() -> list[Point]:
    """SIGKILL at some moment, to one or both."""
    return [Point("kill", part, number) for number in range(8) for part in PARTS]


def database_points() -> list[Point]:
    """The state of one program is another one than it left."""
    return [Point("database", "state-gone"), Point("database", "state-gone", 1),
            Point("database", "state-past", 0), Point("database", "state-past", 1),
            Point("database", "state-past-killed", 0), Point("database", "state-past-killed", 1),
            Point("database", "engine-past", 0, may_refuse=True), Point("database", "engine-past", 1, may_refuse=True),
            Point("database", "engine-gone", 0, may_refuse=True), Point("database", "other-chain", 0, may_refuse=True),
            Point("database", "other-chain", 1, may_refuse=True), Point("database", "state-empty-folder")]


def damage_points() -> list[Point]:
    """Files of the app's state are cut, changed or gone."""
    return [Point("damage", what, number, may_refuse=True) for number in range(2) for what in DAMAGES]


def power_points(can_trace: bool) -> list[Point]:
    """Unsynced writes are gone."""
    points = [Point("power", "log-tail", number) for number in range(10)]
    points += [Point("power", "heights-lost", number) for number in range(12)]
    if can_trace:
        points += [Point("power", f"traced-{cut}", number) for number in range(8) for cut in CUTS]
    return points


def network_points() -> list[Point]:
    """One of four validators is hurt while the others go on."""
    names = ["kill-app", "kill-engine", "kill-both", "state-gone", "engine-gone-both", "state-past",
             "before commit", "after commit", "before finalize_block", "after finalize_block",
             "before process_proposal", "after process_proposal", "before prepare_proposal", "after prepare_proposal",
             *(f"fail {index}" for index in range(0, 20, 2))]
    return [Point("network", name) for name in names]
