"""Every application that these tests run records its calls, and their order is checked after each test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.abci.grammar import check_trace

TRACE = "abci.trace"


@pytest.fixture(scope="module", autouse=True)
def traced() -> Iterator[None]:
    """A trace in the home of each node that starts from here on."""
    before = os.environ.get("GRADUS_ABCI_TRACE")
    os.environ["GRADUS_ABCI_TRACE"] = TRACE
    yield
    if before is None:
        del os.environ["GRADUS_ABCI_TRACE"]
    else:
        os.environ["GRADUS_ABCI_TRACE"] = before


@pytest.fixture(autouse=True)
def calls_in_order(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """After the test: what was called so far, in whatever home, is what the protocol allows."""
    yield
    found = []
    for folder, _, files in os.walk(tmp_path_factory.getbasetemp()):  # nodes that run remove folders meanwhile
        found += [Path(folder, TRACE)] if TRACE in files else []
    for path in sorted(found):
        check_trace(path.read_text())
