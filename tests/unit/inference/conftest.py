"""Desks on real chains."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kernels import dispatch
from tests.unit.inference.desk import Desk


@pytest.fixture(autouse=True)
def reference_kernels() -> Iterator[None]:
    with dispatch.forced("ref"):
        yield


@pytest.fixture
def new_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Makes desks; their chains are closed afterwards."""
    desks: list[Desk] = []

    def make(**changes: Any) -> Desk:
        desks.append(Desk(tmp_path / f"desk{len(desks)}", **changes))
        return desks[-1]

    yield make
    for desk in desks:
        desk.chain.database.close()


@pytest.fixture
def desk(new_desk: Callable[..., Desk]) -> Desk:
    """Three hosts at one price."""
    return new_desk()
