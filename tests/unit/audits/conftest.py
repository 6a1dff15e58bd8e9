"""A court for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chain import Chain
from tests.court import Court


@pytest.fixture
def court(tmp_path: Path) -> Iterator[Court]:
    """A fresh chain of four validators of equal power whose audits the test opens."""
    with Chain(tmp_path / "state", {"alice": 10**9}) as chain:
        yield Court(chain)
