"""The rooms, with the reference kernels: these tests are about the rooms, and need no compiler."""

from collections.abc import Iterator

import pytest

from kernels import dispatch
from tests.unit.models.rooms import Rooms


@pytest.fixture(autouse=True)
def reference_kernels() -> Iterator[None]:
    with dispatch.forced("ref"):
        yield


@pytest.fixture
def rooms() -> Rooms:
    return Rooms()
