"""An office with two hosts of the text model, and one API key."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernels import dispatch
from tests.unit.gateway.office import Office


@pytest.fixture(autouse=True)
def reference_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """In every thread: hosts compute in threads of their own."""
    monkeypatch.setattr(dispatch, "_choice", dispatch.Choice("ref", "ref"))
    monkeypatch.setattr("abci_app.client.send.INDEX_S", 0.0)
    monkeypatch.setattr("abci_app.host.host.LIST_S", 0.0)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.close()
