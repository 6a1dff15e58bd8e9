"""The prepared homes, made once for all tests of the matrix."""

import pytest

from tests.crash.base import Base, new_base


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A chain that has not begun, and one of some ten blocks."""
    return new_base(tmp_path_factory.mktemp("base"))
