"""Desks on real chains, with the reference kernels: these tests are about the room, and need no compiler."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kernels import dispatch
from tests.unit.sessions.desk import Desk


@pytest.fixture(autouse=True)
def reference_kernels() -> Iterator[None]:
    with dispatch.forced("ref"):
        yield


@pytest.fixture
def new_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Makes desks; their chains are closed afterwards."""
    desks: list[Desk] = []

    def make(**terms: Any) -> Desk:
        desks.append(Desk(tmp_path / f"desk{len(desks)}", **terms))
        return desks[-1]

    yield make
    for desk in desks:
        desk.chain.database.close()
