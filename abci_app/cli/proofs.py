"""Answers proved by the stock light client: header by signatures, value by Merkle proof, nothing by a node's word."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass

from abci_app.client.errors import ProofInvalid
from abci_app.client.rpc import Rpc
from abci_app.wire.address import decode_address
from abci_app.wire.coin import BASE_DENOM
from abci_app.x.auth.keys import account_key
from abci_app.x.bank.keys import balance_key
from abci_app.x.models import keys as models_keys
from abci_app.x.rewards import keys as rewards_keys
from abci_app.x.work import keys as work_keys

PROVER = "localnet.light"


class ValueUnproven(ProofInvalid):
    """The headers verify, but what the node answered is not proved to stand under them."""


@dataclass(frozen=True)
class Place:
    """Where a record stands in the state: a store and a key."""

    store: str
    key: bytes

    @property
    def path(self) -> str:
        """The query path under which proofs are for the stock light client."""
        return f"/store/{self.store}/key"


@dataclass(frozen=True)
class Proved:
    """A value in the state after `height`, proved against the header of height + 1."""

    value: bytes
    height: int
    verifier: str
    trusted_height: int
    trusted_hash: str


@dataclass(frozen=True)
class Trust:
    """What a proof rests on: a block that is believed (hash empty: node's word for it), and nodes that must agree."""

    height: int
    hash: str
    witnesses: Sequence[str]


def balance_place(address: str, denom: str = BASE_DENOM) -> Place:
    """Where a balance stands."""
    return Place("bank", balance_key(decode_address(address), denom))


def account_place(address: str) -> Place:
    """Where an account stands."""
    return Place("auth", account_key(decode_address(address)))


def model_place(model_id: int) -> Place:
    """Where a model contract stands."""
    return Place("models", models_keys.model(model_id))


def trainer_place(model_id: int, address: str) -> Place:
    """Where a trainer stands."""
    return Place("work", work_keys.trainer(model_id, decode_address(address)))


def contribution_place(model_id: int, address: str) -> Place:
    """Where a contribution stands."""
    return Place("rewards", rewards_keys.contribution(model_id, decode_address(address)))


def prove(node: str, place: Place, trust: Trust) -> Proved:
    """The value at a place, by a `cometbft light` proxy that this command starts and ends.

    Raises ClientError: its status is 4 when anything does not verify (ValueUnproven when it is the value's own proof),
    3 when a node does not answer.
    """
    light, engines = importlib.import_module(PROVER), importlib.import_module("localnet.engine")
    with Rpc(node) as source:
        chain_id = source.status().chain_id
        root = light.TrustRoot(trust.height, trust.hash) if trust.hash else light.trust_root(source, trust.height)
    with light.LightProxy(engines.find_engine(), chain_id, node, trust.witnesses or [node], root) as proxy:
        try:
            found = proxy.abci_query(place.path, place.key)
        except light.NotProved as error:
            raise ValueUnproven(error.text, error.hint) from None
    return Proved(found.value, found.height, f"cometbft light {engines.VERSION}", root.height, root.hash)
