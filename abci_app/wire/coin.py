"""Coins: the base denom, decimal amounts, and the `cosmos.base.v1beta1.Coin` lists that messages carry."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from abci_app.wire.errors import InvalidCoins
from abci_app.wire.ints import U64_MAX, U128_MAX
from abci_app.wire.pb.cosmos.base.v1beta1 import coin_pb2

BASE_DENOM = "ugrad"
DISPLAY_DENOM = "grad"
DISPLAY_EXPONENT = 6
DENOMS_MAX = 16
_DENOM_CHARS = re.compile("[a-zA-Z0-9/:._-]*", re.ASCII)


class Coin(NamedTuple):
    """An amount (1..2^128-1, or 0 where the caller allows it) of a denom."""

    denom: str
    amount: int

    def __str__(self) -> str:
        return f"{self.amount}{self.denom}"


def check_denom(denom: str) -> None:
    """Raises InvalidCoins (sdk/10) unless `denom` is 3..128 characters, beginning with a letter."""
    if not 3 <= len(denom) <= 128 or not denom[0].isascii() or not denom[0].isalpha():
        raise InvalidCoins("a denom has 3 to 128 characters and begins with a letter")
    if not _DENOM_CHARS.fullmatch(denom):
        raise InvalidCoins("a denom has only letters, digits and / : . _ -")


def parse_amount(text: str) -> int:
    """A canonical decimal integer 0..2^128-1. Raises InvalidCoins (sdk/10): sign, zeros in front, anything else."""
    if not text.isascii() or not text.isdigit() or len(text) > 39 or (len(text) > 1 and text[0] == "0"):
        raise InvalidCoins("an amount is a decimal integer without sign or leading zeros")
    amount = int(text)
    if amount > U128_MAX:
        raise InvalidCoins("an amount is below 2^128")
    return amount


def parse_coins(coins: Iterable[coin_pb2.Coin]) -> tuple[Coin, ...]:
    """Message coins as Coin tuples: positive amounts, sorted by denom without repetition, at most 16.

    Raises InvalidCoins (sdk/10).
    """
    parsed = tuple([Coin(coin.denom, parse_amount(coin.amount)) for coin in coins])
    if len(parsed) > DENOMS_MAX:
        raise InvalidCoins(f"at most {DENOMS_MAX} denoms")
    for coin in parsed:
        check_denom(coin.denom)
        if coin.amount == 0:
            raise InvalidCoins("a coin's amount must be positive")
    if len(parsed) > 1 and any(a.denom >= b.denom for a, b in zip(parsed, parsed[1:])):
        raise InvalidCoins("coins must be sorted by denom, each denom once")
    return parsed


def parse_base_amount(coin: coin_pb2.Coin) -> int:
    """The ugrad (1..2^64-1) of a message coin. Raises InvalidCoins (sdk/10) for another denom or zero."""
    if coin.denom != BASE_DENOM:
        raise InvalidCoins(f"only {BASE_DENOM} is taken here")
    amount = parse_amount(coin.amount)
    if not 1 <= amount <= U64_MAX:
        raise InvalidCoins("the amount must be positive and below 2^64")
    return amount


def coins_text(coins: Iterable[Coin]) -> str:
    """`1ugrad,2xyz`, the form of event attributes."""
    return ",".join([str(coin) for coin in coins])


def coin_pb(coin: Coin) -> coin_pb2.Coin:
    """The protobuf form of a coin."""
    return coin_pb2.Coin(denom=coin.denom, amount=str(coin.amount))


def base_coin(amount_ugrad: int) -> Coin:
    """A coin of the base denom."""
    return Coin(BASE_DENOM, amount_ugrad)
