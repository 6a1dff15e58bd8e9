"""Gas: counted exactly, refused past the limit, never unbounded."""

import pytest

from abci_app.runtime.gas import GasMeter, unlimited
from abci_app.wire.errors import OutOfGas
from abci_app.wire.ints import I64_MAX


def test_limit_itself_can_be_used() -> None:
    meter = GasMeter(10)
    meter.use(4, "a")
    meter.use(6, "b")
    assert meter.used == 10


def test_past_the_limit_is_refused_and_tells_how_far_it_came() -> None:
    meter = GasMeter(10, used=8)
    with pytest.raises(OutOfGas, match="in a test: wanted 13, limit 10"):
        meter.use(5, "a test")
    assert meter.used == 13


def test_unpaid_work_has_the_largest_limit() -> None:
    assert unlimited().limit == I64_MAX
