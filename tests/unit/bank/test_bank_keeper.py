"""The bank's keeper: every movement is exact, checked before it is written, and never leaves the bounds."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abci_app.runtime.context import Ctx
from abci_app.runtime.gas import WRITE_GAS, GasMeter
from abci_app.wire.address import decode_address, encode_address, module_address
from abci_app.wire.coin import base_coin
from abci_app.wire.errors import ChainError, InsufficientFunds, InvariantBroken, OutOfGas
from abci_app.wire.ints import U128_MAX
from abci_app.x.auth.keeper import Keeper as AuthKeeper
from abci_app.x.bank.invariants import check_amounts, check_holders, check_supply
from abci_app.x.bank.keeper import Keeper
from abci_app.x.bank.keys import balance_key, split_balance_key, supply_key
from tests.chain import Chain, new_test_key

MODULES = {"fee_collector": (), "models": (), "rewards": ("minter", "burner"), "work": ("burner",)}
ALICE, BOB, CAROL = (new_test_key(name).address for name in ("alice", "bob", "carol"))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with Chain(tmp_path_factory.mktemp("chain"), {"alice": 100, "bob": 50}) as chain:
        yield chain


@pytest.fixture
def ctx(chain: Chain) -> Ctx:
    return chain.ctx()


@pytest.fixture
def bank() -> Keeper:
    return Keeper(accounts=AuthKeeper(module_accounts=MODULES))


def test_send_moves_exactly_the_coins_and_tells_of_it(bank: Keeper, ctx: Ctx) -> None:
    bank.send(ctx, ALICE, BOB, (base_coin(30),))
    assert (bank.balance(ctx, ALICE), bank.balance(ctx, BOB), bank.supply(ctx)) == (70, 80, 150)
    assert [(event.type, event.attributes) for event in ctx.events] == [
        ("coin_spent", (("spender", encode_address(ALICE)), ("amount", "30ugrad"))),
        ("coin_received", (("receiver", encode_address(BOB)), ("amount", "30ugrad"))),
        ("transfer", (("recipient", encode_address(BOB)), ("sender", encode_address(ALICE)), ("amount", "30ugrad"))),
    ]


def test_spent_balance_stays_as_zero(bank: Keeper, ctx: Ctx) -> None:
    bank.send(ctx, ALICE, CAROL, (base_coin(100),))
    assert ctx.state.store("bank").get(balance_key(ALICE, "ugrad")) == b"0"
    assert ctx.state.store("bank").get(balance_key(CAROL, "ugrad")) == b"100"
    assert ctx.state.store("auth").has(b"\x01" + CAROL)


def test_nothing_is_sent_for_no_coins(bank: Keeper, ctx: Ctx) -> None:
    for coins in ((), (base_coin(0),)):
        bank.send(ctx, ALICE, CAROL, coins)
        bank.burn(ctx, "work", coins)
    assert ctx.events == [] and not ctx.state.store("auth").has(b"\x01" + CAROL)


def test_same_denom_twice_is_its_sum(bank: Keeper, ctx: Ctx) -> None:
    with pytest.raises(InsufficientFunds):
        bank.send(ctx, ALICE, BOB, (base_coin(60), base_coin(60)))
    bank.send(ctx, ALICE, BOB, (base_coin(40), base_coin(60)))
    assert bank.balance(ctx, BOB) == 150


def test_negative_amount_moves_nothing(bank: Keeper, ctx: Ctx) -> None:
    with pytest.raises(ValueError):
        bank.send(ctx, ALICE, BOB, (base_coin(-1),))
    assert bank.balance(ctx, ALICE) == 100


def test_modules_pay_and_are_paid(bank: Keeper, ctx: Ctx) -> None:
    bank.send_to_module(ctx, ALICE, "work", (base_coin(10),))
    bank.send_between_modules(ctx, "work", "fee_collector", (base_coin(4),))
    bank.send_from_module(ctx, "fee_collector", BOB, (base_coin(3),))
    bank.collect_fee(ctx, BOB, (base_coin(2),))
    assert [bank.balance(ctx, module_address(name)) for name in ("work", "fee_collector")] == [6, 3]
    assert bank.balance(ctx, BOB) == 51


def test_unknown_module_is_a_programming_error(bank: Keeper, ctx: Ctx) -> None:
    for use in (lambda: bank.send_to_module(ctx, ALICE, "none", ()), lambda: bank.burn(ctx, "none", ())):
        with pytest.raises(ValueError, match="no module account"):
            use()


def test_only_a_burner_burns(bank: Keeper, ctx: Ctx) -> None:
    with pytest.raises(ValueError, match="no burner"):
        bank.burn(ctx, "models", (base_coin(1),))


def test_burning_lowers_the_supply(bank: Keeper, ctx: Ctx) -> None:
    bank.send_to_module(ctx, ALICE, "work", (base_coin(7),))
    bank.burn(ctx, "work", (base_coin(5),))
    assert (bank.supply(ctx), bank.balance(ctx, module_address("work"))) == (145, 2)
    assert [event.type for event in ctx.events] == ["coin_spent", "coin_received", "transfer", "coin_spent", "burn"]
    with pytest.raises(InsufficientFunds):
        bank.burn(ctx, "work", (base_coin(3),))


def test_only_a_minter_mints(bank: Keeper, ctx: Ctx) -> None:
    for module in ("work", "models", "fee_collector"):
        with pytest.raises(ValueError, match="no minter"):
            bank.mint(ctx, module, (base_coin(1),))
    assert bank.supply(ctx) == 150


def test_minting_raises_the_supply(bank: Keeper, ctx: Ctx) -> None:
    bank.mint(ctx, "rewards", ())
    assert ctx.events == []
    bank.mint(ctx, "rewards", (base_coin(5),))
    assert (bank.supply(ctx), bank.balance(ctx, module_address("rewards"))) == (155, 5)
    assert [event.type for event in ctx.events] == ["coin_received", "coinbase"]
    bank.burn(ctx, "rewards", (base_coin(5),))
    assert bank.supply(ctx) == 150
    with pytest.raises(InvariantBroken):
        bank.mint(ctx, "rewards", (base_coin(U128_MAX),))


def test_amount_beyond_its_bounds_is_never_written(bank: Keeper, ctx: Ctx) -> None:
    for amount in (-1, U128_MAX + 1):
        with pytest.raises(InvariantBroken):
            bank.put_genesis_balance(ctx, ALICE, base_coin(amount))


def test_every_write_costs_gas(bank: Keeper, chain: Chain) -> None:
    meter = GasMeter(10**6)
    metered = chain.ctx().branch(meter)
    bank.send(metered, ALICE, BOB, (base_coin(1),))
    assert meter.used == 2 * WRITE_GAS
    bank.send(metered, ALICE, CAROL, (base_coin(1),))
    assert meter.used == 2 * WRITE_GAS + 4 * WRITE_GAS
    with pytest.raises(OutOfGas):
        bank.send(chain.ctx().branch(GasMeter(WRITE_GAS)), ALICE, BOB, (base_coin(1),))


def test_keys_are_those_of_the_cosmos_sdk() -> None:
    key = balance_key(ALICE, "ugrad")
    assert key == b"\x02\x14" + ALICE + b"ugrad" and split_balance_key(key) == (ALICE, "ugrad")
    assert supply_key("ugrad") == b"\x00ugrad"


MOVES = st.lists(st.tuples(
    st.sampled_from(["send", "to", "from", "between", "burn"]), st.integers(0, 3), st.integers(0, 3),
    st.integers(0, 200)), max_size=30)


@settings(max_examples=50, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(MOVES)
def test_no_row_of_movements_breaks_an_invariant(chain: Chain, bank: Keeper,
                                                 moves: list[tuple[str, int, int, int]]) -> None:
    ctx = chain.ctx()
    people, modules = [ALICE, BOB, CAROL, decode_address(chain.send_msg("d", "d", 1).to_address)], sorted(MODULES)
    for kind, one, other, amount in moves:
        layer, coins = ctx.branch(), (base_coin(amount),)
        first, second = modules[one % 3], modules[other % 3]
        try:
            match kind:
                case "send":
                    bank.send(layer, people[one], people[other], coins)
                case "to":
                    bank.send_to_module(layer, people[one], second, coins)
                case "from":
                    bank.send_from_module(layer, first, people[other], coins)
                case "between":
                    bank.send_between_modules(layer, first, second, coins)
                case "burn":
                    bank.burn(layer, "work", coins)
        except ChainError:
            continue
        layer.state.write()
    assert [check(ctx, bank) for check in (check_supply, check_amounts, check_holders)] == [None, None, None]


@pytest.mark.parametrize(("key", "value", "name"), [
    (balance_key(ALICE, "ugrad"), b"101", "bank/supply"), (supply_key("ugrad"), b"151", "bank/supply"),
    (supply_key("other"), b"1", "bank/supply"), (balance_key(ALICE, "other"), b"1", "bank/supply"),
    (balance_key(ALICE, "zero"), b"00", "bank/amounts"), (balance_key(ALICE, "zero"), b"-1", "bank/amounts"),
    (balance_key(CAROL, "ugrad"), b"0", "bank/holders"),
])
def test_broken_state_is_found(chain: Chain, ctx: Ctx, key: bytes, value: bytes, name: str) -> None:
    ctx.state.store("bank").set(key, value)
    assert name in [line.split(":")[0] for line in chain.app.check_invariants(ctx)]
