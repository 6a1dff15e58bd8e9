"""A node for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernels import dispatch
from tests.abci.engine import Node


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node whose chain has begun."""
    with Node(tmp_path / "state") as one:
        one.init_chain()
        yield one


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Node]:
    """A node that has seen no InitChain yet."""
    with Node(tmp_path / "state") as one:
        yield one


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels() -> None:
    """A node proves and compiles its kernels before it listens; so do these, before a connection waits for a block."""
    dispatch.choose()
