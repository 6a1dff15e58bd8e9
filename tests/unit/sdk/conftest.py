"""Models that hosts answer for, and a client that pays."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from abci_app.sdk import proofs
from abci_app.sdk.client import Client, Trusting
from kernels import dispatch
from tests.answerers import Answering
from tests.chain import new_test_key


@pytest.fixture(autouse=True)
def reference_kernels() -> Iterator[None]:
    with dispatch.forced("ref"):
        yield


@pytest.fixture
def new_answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Answering]]:
    """Makes chains with hosts; the light client reads the last one."""
    made: list[Answering] = []

    def make(**changes: Any) -> Answering:
        made.append(Answering(tmp_path / f"chain{len(made)}", **changes))
        monkeypatch.setattr(proofs, "Rpc", lambda url: made[-1].node)
        return made[-1]

    yield make
    for answering in made:
        answering.chain.database.close()


def new_client(answering: Answering, home: Path, name: str = "una", **changes: Any) -> Client:
    """A client over a chain's node, which makes a block whenever the client sleeps."""
    trusting = Trusting(chain_id=answering.chain.chain_id, **changes)
    return Client(answering.node, new_test_key(name), home, trusting,  # type: ignore[arg-type]
                  sleep=answering.node.sleep)
