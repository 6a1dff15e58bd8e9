"""Rigs that are closed when their test ends."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kernels import dispatch
from tests.unit.host.rig import Rig


@pytest.fixture(autouse=True)
def reference_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("abci_app.client.send.INDEX_S", 0.0)
    monkeypatch.setattr("abci_app.host.dealt.WAIT_S", 60.0)
    with dispatch.forced("ref"):
        yield


@pytest.fixture
def new_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Makes rigs; what they hold open is closed afterwards."""
    made: list[Rig] = []

    def make(**policy: Any) -> Rig:
        made.append(Rig(tmp_path / f"rig{len(made)}", **policy))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def rig(new_rig: Callable[..., Rig]) -> Rig:
    return new_rig()
