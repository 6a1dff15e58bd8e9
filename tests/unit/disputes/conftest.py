"""Duels on real chains, with the reference kernels: these tests are about the room, and need no compiler."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kernels import dispatch
from tests.unit.disputes.duel import Duel


@pytest.fixture(autouse=True)
def reference_kernels() -> Iterator[None]:
    with dispatch.forced("ref"):
        yield


@pytest.fixture
def new_duel(tmp_path: Path) -> Iterator[Callable[..., Duel]]:
    """Makes duels; their chains are closed afterwards."""
    duels: list[Duel] = []

    def make(*arguments: Any, **changes: Any) -> Duel:
        duels.append(Duel(tmp_path / f"duel{len(duels)}", *arguments, **changes))
        return duels[-1]

    yield make
    for duel in duels:
        duel.market.chain.database.close()
