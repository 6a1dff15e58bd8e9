"""The genesis of a new chain: who has coins, where the fees of each validator's blocks go, what is emitted."""

from collections.abc import Iterator
from typing import Any

from abci_app.app import STORE_NAMES, App, new_app
from abci_app.runtime.context import Ctx
from abci_app.runtime.genesis import GenesisInvalid
from abci_app.runtime.records import export_record
from abci_app.runtime.validators import Founding
from abci_app.store.branch import Branch
from abci_app.wire.address import decode_address
from abci_app.wire.coin import BASE_DENOM
from abci_app.wire.errors import ChainError
from abci_app.wire.ints import U64_MAX
from abci_app.x.rewards.types import default_params

__all__ = ["GenesisInvalid", "check_genesis", "new_genesis"]

GAS_PRICE_PPM = 1_000
CHAIN_ID_CHARS_MAX = 50


class EmptyState:
    """A state without any record, under a branch whose writes nobody keeps."""

    store_names = STORE_NAMES

    @property
    def blobs(self) -> "EmptyState":
        """No blobs."""
        return self

    def store(self, name: str) -> "EmptyState":
        """A store without records."""
        return self

    def get(self, key: bytes) -> bytes | None:
        """None."""
        return None

    def has(self, key: bytes) -> bool:
        """False."""
        return False

    def iter(self, prefix: bytes, start: bytes | None = None, reverse: bool = False,
             limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Nothing."""
        return iter(())


def new_genesis(chain_id: str, validators: list[dict[str, str]], accounts: dict[str, int],
                block_reward_ugrad: int = 0) -> dict[str, Any]:
    """The app_state of a new chain. Integers stand in it as decimal strings.

    validators: each {"consensus_address_hex": 40 hex digits, "operator": bech32 of the account that gets its fees}.
    accounts: ugrad (0..2^64-1) by bech32 address. block_reward_ugrad: of the first blocks, by a schedule that
    halves it (x/rewards); 0: nothing is emitted. The same arguments give the same genesis in any order. Raises
    GenesisInvalid.
    """
    if not 0 < len(chain_id) <= CHAIN_ID_CHARS_MAX:
        raise GenesisInvalid("chain_id", f"{chain_id!r} is not a chain id",
                             f"1 to {CHAIN_ID_CHARS_MAX} characters, such as gradus-local-1")
    for address in sorted(accounts):
        _check_address(f"accounts.{address}", address)
        if not 0 <= accounts[address] <= U64_MAX:
            raise GenesisInvalid(f"accounts.{address}", f"{accounts[address]} ugrad", "0 to 2^64-1")
    payouts = []
    for index, validator in enumerate(validators):
        _check_address(f"validators[{index}].operator", validator["operator"])
        address = validator["consensus_address_hex"].lower()
        payouts.append({"consensus_address": address, "account": validator["operator"]})
    app_state: dict[str, Any] = {
        "auth": {"gas_price_ppm": str(GAS_PRICE_PPM), "accounts": [{"address": one} for one in sorted(accounts)]},
        "bank": {
            "balances": [{"address": one, "coins": [_coin(accounts[one])]} for one in sorted(accounts)],
            "supply": [_coin(sum(accounts.values()))],
        },
        "rewards": {"payouts": sorted(payouts, key=lambda payout: payout["consensus_address"])},
    }
    if block_reward_ugrad:
        app_state["rewards"]["params"] = export_record(default_params(block_reward_ugrad))
    check_genesis(chain_id, app_state)
    return app_state


def check_genesis(chain_id: str, app_state: Any, app: App | None = None, founding: Founding = Founding()) -> None:
    """Start a chain from `app_state` in memory. Raises GenesisInvalid with path and hint.

    founding: the engine's part of the genesis; a state in which validators were removed needs it.
    """
    ctx = Ctx(chain_id, 0, 0, b"", b"", b"", Branch(EmptyState()))
    (app or new_app()).init_chain(ctx, app_state, founding)


def _coin(amount_ugrad: int) -> dict[str, str]:
    return {"denom": BASE_DENOM, "amount": str(amount_ugrad)}


def _check_address(path: str, address: str) -> None:
    try:
        decode_address(address)
    except ChainError as error:
        raise GenesisInvalid(path, error.detail, "an address begins with gradus1") from None
