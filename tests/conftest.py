"""Settings for every test, and which tests share a worker.

Properties have no deadline. SIGINT is not ignored, whoever started the tests: a shell starts background jobs with it
ignored, children inherit that, and tests that interrupt a command would wait for ever.

`make test` runs with pytest-xdist, a worker for each processor. A file's tests stay together and in order, as networks
that a file starts need; those that run real programs (engines, clients) all go to one worker and begin first, so that
two networks never compete for the processors. `make test` compiles the kernels before: the nodes of a network would all
do it at once, and not be ready in time.
"""

import signal
from typing import Any

import pytest
from hypothesis import settings

PROGRAMS = ("tests/clients/", "tests/crash/", "tests/net/")

settings.register_profile("gradus", deadline=None, print_blob=True)
settings.load_profile("gradus")
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the longest group to the front."""
    items.sort(key=lambda item: not item.nodeid.startswith(PROGRAMS))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One unit of work for each file, and one for all that runs programs."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "programs" if nodeid.startswith(PROGRAMS) else nodeid.partition("::")[0]

    return ByFile(config, log)
