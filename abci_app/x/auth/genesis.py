"""Genesis of accounts.

{"gas_price_ppm": "1000", "accounts": [{"address": "gradus1…", "sequence": "0", "public_key": "<33 bytes hex>"}]}
An account's number is its place in the list. Sequence and public key may be left out for accounts that never signed.
Accounts of modules that are not listed are made after the listed ones.
"""

from typing import Any

from abci_app.runtime.context import Ctx
from abci_app.runtime.genesis import GenesisInvalid, Section
from abci_app.wire.address import account_address, decode_address, encode_address, module_address
from abci_app.wire.pb.cosmos.auth.v1beta1.auth_pb2 import BaseAccount
from abci_app.wire.pb.cosmos.crypto.secp256k1.keys_pb2 import PubKey
from abci_app.wire.tx import pack
from abci_app.x.auth.keeper import Keeper

PATH = "app_state.auth"


def init_genesis(ctx: Ctx, keeper: Keeper, state: dict[str, Any]) -> None:
    """Write the genesis state. Raises GenesisInvalid."""
    section = Section(PATH, state).only("gas_price_ppm", "accounts")
    keeper.put_gas_price_ppm(ctx, section.uint("gas_price_ppm"))
    for item in section.sections("accounts"):
        _init_account(ctx, keeper, item.only("address", "sequence", "public_key"))
    for name in sorted(keeper.module_accounts):
        keeper.ensure_account(ctx, module_address(name))


def _init_account(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    address = item.address("address")
    if keeper.find_account(ctx, address) is not None:
        raise GenesisInvalid(f"{item.path}.address", "this address stands in the list twice", "take one of them out")
    account = keeper.ensure_account(ctx, address)
    account.sequence = item.uint("sequence") if "sequence" in item.value else 0
    if "public_key" in item.value:
        key = item.raw("public_key", 33)
        if account_address(key) != address:
            raise GenesisInvalid(f"{item.path}.public_key", "this key belongs to another address",
                                 f"that is {encode_address(account_address(key))}")
        account.pub_key.CopyFrom(pack(PubKey(key=key)))
    keeper.put_account(ctx, account)


def export_genesis(ctx: Ctx, keeper: Keeper) -> dict[str, Any]:
    """The genesis state that gives this state again."""
    accounts = sorted(keeper.iter_accounts(ctx), key=lambda account: account.account_number)
    return {"gas_price_ppm": str(keeper.gas_price_ppm(ctx)), "accounts": [_export_account(one) for one in accounts]}


def _export_account(account: BaseAccount) -> dict[str, str]:
    item = {"address": encode_address(decode_address(account.address))}
    if account.sequence:
        item["sequence"] = str(account.sequence)
    if account.HasField("pub_key"):
        item["public_key"] = PubKey.FromString(account.pub_key.value).key.hex()
    return item
