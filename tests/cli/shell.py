"""The program, run in this process the way a shell would, against a chain without an engine."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from abci_app.cli import sending
from abci_app.client.chain import ChainClient
from abci_app.client.keys import Keyring
from abci_app.client.send import Sender
from tests.chain import Chain, new_test_key
from tests.cli.conftest import Ran
from tests.local_rpc import LocalNode

Gradus = Callable[..., Ran]


class Shell:
    """`gradus` with keys of alice and bob; every node is the one of a chain, whose blocks are made while it waits."""

    def __init__(self, chain: Chain, home: Path, gradus: Gradus, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chain, self.home, self.gradus = chain, home, gradus
        self.node = LocalNode(chain)
        self.client = ChainClient(self.node)
        for place in ("abci_app.cli.connect.Rpc", "abci_app.client.node.Rpc"):
            monkeypatch.setattr(place, lambda url, *_: self.node)
        monkeypatch.setattr(sending, "Sender", partial(Sender, sleep=self.node.sleep))
        for name in ("alice", "bob"):
            Keyring(home / "keys").put(name, new_test_key(name), None)

    def run(self, *arguments: str) -> Ran:
        """What `gradus ARGUMENTS` leaves behind."""
        return self.gradus(*arguments)

    def json(self, *arguments: str) -> Any:
        """The answer of `gradus ARGUMENTS --output json`, which must be one."""
        ran = self.gradus(*arguments, "--output", "json")
        assert ran.status == 0, ran.err
        return json.loads(ran.out)

    def refused(self, *arguments: str) -> tuple[int, str, str]:
        """(exit status, error, hint) of a command that ends with one."""
        ran = self.gradus(*arguments, "--output", "json")
        assert ran.status, ran.out
        told = json.loads(ran.err.splitlines()[-1])
        return ran.status, told["error"], told["hint"]
