"""Amounts and coins have one form each."""

import pytest

from abci_app.wire.coin import BASE_DENOM, Coin, base_coin, check_denom, coins_text, parse_amount
from abci_app.wire.coin import parse_base_amount, parse_coins
from abci_app.wire.errors import InvalidCoins
from abci_app.wire.ints import U64_MAX, U128_MAX, mul_div_ceil, mul_div_floor, ppm_floor, u32_bytes, u64_bytes
from abci_app.wire.pb.cosmos.base.v1beta1.coin_pb2 import Coin as CoinPb


@pytest.mark.parametrize("amount", [0, 1, 10, U64_MAX, U128_MAX])
def test_canonical_amount_is_read(amount: int) -> None:
    assert parse_amount(str(amount)) == amount


@pytest.mark.parametrize("text", [
    "", " ", "+1", "-1", "01", "00", "1.0", "1e3", "0x1", "1_000", "1 ", "\u0661", "\u00b2", "nan", str(U128_MAX + 1),
    "9" * 10_000,
])
def test_other_amounts_are_refused(text: str) -> None:
    with pytest.raises(InvalidCoins):
        parse_amount(text)


@pytest.mark.parametrize("denom", ["ugrad", "abc", "a" * 128, "ibc/27A6394C3F9FF9C9DCF5DFFADF9BB5FE9A37C7E92B"])
def test_denom_is_accepted(denom: str) -> None:
    check_denom(denom)


@pytest.mark.parametrize("denom", ["", "ab", "a" * 129, "1abc", "a bc", "a\u00e9c", "\u00e9abc", "abc\n", "a,b"])
def test_denom_is_refused(denom: str) -> None:
    with pytest.raises(InvalidCoins):
        check_denom(denom)


def test_coins_are_read_and_written() -> None:
    coins = parse_coins([CoinPb(denom="aaa", amount="1"), CoinPb(denom="bbb", amount="20")])
    assert coins == (Coin("aaa", 1), Coin("bbb", 20))
    assert coins_text(coins) == "1aaa,20bbb" and coins_text(()) == "" and parse_coins([]) == ()


def test_more_than_sixteen_denoms_are_refused() -> None:
    coins = [CoinPb(denom=f"d{index:02}", amount="1") for index in range(17)]
    assert len(parse_coins(coins[:16])) == 16
    with pytest.raises(InvalidCoins, match="16"):
        parse_coins(coins)


def test_base_amount_is_positive_and_of_the_base_denom() -> None:
    assert parse_base_amount(CoinPb(denom=BASE_DENOM, amount=str(U64_MAX))) == U64_MAX
    assert str(base_coin(7)) == "7ugrad"
    for coin in (CoinPb(denom="other", amount="1"), CoinPb(denom=BASE_DENOM, amount="0"), CoinPb(),
                 CoinPb(denom=BASE_DENOM, amount=str(U64_MAX + 1))):
        with pytest.raises(InvalidCoins):
            parse_base_amount(coin)


def test_divisions_round_as_they_are_named() -> None:
    assert (mul_div_floor(7, 3, 2), mul_div_ceil(7, 3, 2), mul_div_floor(8, 3, 2), mul_div_ceil(8, 3, 2)) == (
        10, 11, 12, 12)
    assert (ppm_floor(999_999, 1), ppm_floor(1_000_000, 1), mul_div_ceil(0, 5, 3)) == (0, 1, 0)
    for a, b, divisor in ((-1, 1, 1), (1, -1, 1), (1, 1, 0), (1, 1, -1)):
        for divide in (mul_div_floor, mul_div_ceil):
            with pytest.raises(ValueError):
                divide(a, b, divisor)


def test_numbers_in_keys_have_fixed_widths() -> None:
    assert u32_bytes(258) == b"\0\0\1\2" and u64_bytes(258) == bytes(6) + b"\1\2"
    for write, value in ((u32_bytes, 2**32), (u32_bytes, -1), (u64_bytes, 2**64), (u64_bytes, -1)):
        with pytest.raises(OverflowError):
            write(value)
