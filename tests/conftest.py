"""Settings for every test, and which tests share a worker.

Properties have no deadline. SIGINT is not ignored, whoever started the tests: a shell starts background jobs with it
ignored, children inherit that, and tests that interrupt a command would wait for ever.

`make test` runs with pytest-xdist, a worker for each processor. A file's tests stay together; those that run real
programs (engines, clients) are all one group and go first, so that two networks never compete for the processors.
It compiles the kernels before: the nodes of a network would all do it at once, and not be ready in time.
"""

import signal
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent
PROGRAMS = ("clients", "crash", "net")

settings.register_profile("gradus", deadline=None, print_blob=True)
settings.load_profile("gradus")
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name each test's group and bring the longest group to the front."""
    items.sort(key=lambda item: not _runs_programs(item))
    for item in items:
        group = "programs" if _runs_programs(item) else str(item.path.relative_to(TESTS))
        item.add_marker(pytest.mark.xdist_group(group))


def _runs_programs(item: pytest.Item) -> bool:
    return item.path.relative_to(TESTS).parts[0] in PROGRAMS or item.get_closest_marker("net") is not None
