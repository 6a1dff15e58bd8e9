"""The auth room's state: accounts by address, the next account number, the gas price.

Reads and writes the whole of store "auth". Every record written costs WRITE_GAS.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from abci_app.runtime.context import Ctx
from abci_app.runtime.gas import WRITE_GAS
from abci_app.wire.address import decode_address, encode_address, module_address
from abci_app.wire.errors import InvariantBroken, UnknownAddress
from abci_app.wire.ints import U64_MAX
from abci_app.wire.pb.cosmos.auth.v1beta1.auth_pb2 import BaseAccount
from abci_app.x.auth.keys import ACCOUNT_PREFIX, GAS_PRICE_KEY, NEXT_NUMBER_KEY, account_key

STORE = "auth"


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """Accounts. module_accounts: the rooms' own accounts by name, with what each may do with coins."""

    module_accounts: Mapping[str, tuple[str, ...]]

    def find_account(self, ctx: Ctx, address: bytes) -> BaseAccount | None:
        """The account at an address, None when it has never received anything."""
        record = ctx.state.store(STORE).get(account_key(address))
        return None if record is None else BaseAccount.FromString(record)

    def has_account(self, ctx: Ctx, address: bytes) -> bool:
        """Whether an address has an account."""
        return ctx.state.store(STORE).has(account_key(address))

    def get_account(self, ctx: Ctx, address: bytes) -> BaseAccount:
        """The account at an address. Raises UnknownAddress (sdk/9)."""
        account = self.find_account(ctx, address)
        if account is None:
            raise UnknownAddress(f"account {encode_address(address)} does not exist; send coins to it first")
        return account

    def put_account(self, ctx: Ctx, account: BaseAccount) -> None:
        """Write an account under its own address."""
        key = account_key(decode_address(account.address))
        ctx.gas.use(WRITE_GAS, "write of an account")
        ctx.state.store(STORE).set(key, account.SerializeToString(deterministic=True))

    def ensure_account(self, ctx: Ctx, address: bytes) -> BaseAccount:
        """The account at an address, made with the next account number when there is none."""
        account = self.find_account(ctx, address)
        if account is None:
            number = self.next_account_number(ctx)
            account = BaseAccount(address=encode_address(address), account_number=number)
            self.put_account(ctx, account)
            ctx.gas.use(WRITE_GAS, "write of the next account number")
            ctx.state.store(STORE).set(NEXT_NUMBER_KEY, str(number + 1).encode())
        return account

    def iter_accounts(self, ctx: Ctx) -> Iterator[BaseAccount]:
        """Every account in the order of addresses."""
        for _, record in ctx.state.store(STORE).iter(ACCOUNT_PREFIX):
            yield BaseAccount.FromString(record)

    def next_account_number(self, ctx: Ctx) -> int:
        """The number that the next new account gets: how many accounts there are."""
        record = ctx.state.store(STORE).get(NEXT_NUMBER_KEY)
        return 0 if record is None else int(record)

    def find_module_name(self, address: bytes) -> str | None:
        """The module account's name at an address, None when it is nobody's or a person's."""
        return self._module_names.get(address)

    @cached_property
    def _module_names(self) -> dict[bytes, str]:
        return {module_address(name): name for name in sorted(self.module_accounts)}

    def gas_price_ppm(self, ctx: Ctx) -> int:
        """ugrad per million gas that a transaction must offer at least."""
        record = ctx.state.store(STORE).get(GAS_PRICE_KEY)
        return 0 if record is None else int(record)

    def put_gas_price_ppm(self, ctx: Ctx, gas_price_ppm: int) -> None:
        """Write the gas price (u64)."""
        if not 0 <= gas_price_ppm <= U64_MAX:
            raise InvariantBroken(f"a gas price of {gas_price_ppm}")
        ctx.state.store(STORE).set(GAS_PRICE_KEY, str(gas_price_ppm).encode())
