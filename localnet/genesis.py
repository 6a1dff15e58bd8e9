"""The genesis of a local network: an operator's account for every validator, and the app's own composer.

The app is imported only when a genesis is made: a node or a test with an app inside the engine needs none of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from localnet.errors import HomeError
from localnet.homes import Home, Identity
from localnet.network import ComposeState

OPERATOR_UGRAD = 1_000_000_000_000
FAUCET_UGRAD = 1_000_000_000_000
FAUCET = "faucet"
AMOUNT_DIGITS_MAX = 20


def new_composer(accounts: Mapping[str, int] | None = None, block_reward_ugrad: int = 0) -> ComposeState:
    """A composer for Localnet.new: draws an operator key for each node and gives the app the accounts.

    accounts: further accounts at genesis, bech32 address -> ugrad. Every operator has OPERATOR_UGRAD; its key
    stands unencrypted in <home>/operator.json, and that of the faucet, with FAUCET_UGRAD, in <network>/keys, as only
    a test network may. block_reward_ugrad: emitted by each of the first blocks; 0: nothing is.
    """
    extra = dict(accounts or {})

    def compose(chain_id: str, identities: Sequence[Identity],
                homes: Sequence[Home]) -> tuple[dict[str, Any], Sequence[str]]:
        from abci_app.genesis import GenesisInvalid, new_genesis

        operators = [put_operator(home, one.name) for home, one in zip(homes, identities, strict=True)]
        validators = [{"consensus_address_hex": one.address, "operator": operator}
                      for one, operator in zip(identities, operators, strict=True)]
        funded = {operator: OPERATOR_UGRAD for operator in operators}
        funded[put_faucet(homes[0].path.parent)] = FAUCET_UGRAD
        for address, ugrad in extra.items():
            funded[address] = funded.get(address, 0) + ugrad
        try:
            return new_genesis(chain_id, validators, funded, block_reward_ugrad), operators
        except GenesisInvalid as error:
            raise HomeError(f"genesis: {error.path}: {error.problem}", error.hint) from error

    return compose


def put_faucet(folder: Path) -> str:
    """Draw the key from which a network's users get their first coins, keep it in the folder, return its address."""
    from abci_app.client.keys import Keyring, new_key

    return Keyring(folder / "keys").put(FAUCET, new_key(), None).address


def put_operator(home: Home, name: str) -> str:
    """Draw the key of a node's operator, keep it in the home, and return its address."""
    from abci_app.client.keys import new_key, put_key_file

    return put_key_file(home.operator, name, new_key(), None).address


def parse_account(text: str) -> tuple[str, int]:
    """`ADDRESS=UGRAD` as (address, ugrad); HomeError when it is not that. The app checks the address itself."""
    address, _, amount = text.partition("=")
    if not address or not amount.isascii() or not amount.isdigit() or len(amount) > AMOUNT_DIGITS_MAX:
        raise HomeError(f"{text!r} is not ADDRESS=UGRAD", "such as gradus1…=1000000")
    return address, int(amount)
