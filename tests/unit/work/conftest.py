"""Markets on real chains, with the reference kernels: these tests are about the room, and need no compiler."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kernels import dispatch
from tests.unit.work.market import Market


@pytest.fixture(autouse=True)
def reference_kernels() -> Iterator[None]:
    with dispatch.forced("ref"):
        yield


@pytest.fixture
def new_market(tmp_path: Path) -> Iterator[Callable[..., Market]]:
    """Makes markets; their chains are closed afterwards."""
    markets: list[Market] = []

    def make(**changes: Any) -> Market:
        markets.append(Market(tmp_path / f"market{len(markets)}", **changes))
        return markets[-1]

    yield make
    for market in markets:
        market.chain.database.close()
