"""Stateless validity of the bank's messages, and what its denoms are called."""

from abci_app.wire.address import decode_address
from abci_app.wire.coin import BASE_DENOM, DISPLAY_DENOM, DISPLAY_EXPONENT, Coin, parse_coins
from abci_app.wire.errors import InvalidCoins
from abci_app.wire.pb.cosmos.bank.v1beta1.bank_pb2 import DenomUnit, Metadata
from abci_app.wire.pb.cosmos.bank.v1beta1.tx_pb2 import MsgSend

BURNER = "burner"
MINTER = "minter"


def check_send(msg: MsgSend) -> None:
    """Raises InvalidAddress (sdk/7), InvalidCoins (sdk/10)."""
    decode_address(msg.from_address)
    decode_address(msg.to_address)
    if not parse_coins(msg.amount):
        raise InvalidCoins("nothing to send; name at least one coin")


def new_base_metadata() -> Metadata:
    """How wallets show the base denom."""
    return Metadata(
        description="The coin of Gradus: pays for training, bonds and fees.",
        denom_units=[DenomUnit(denom=BASE_DENOM, exponent=0),
                     DenomUnit(denom=DISPLAY_DENOM, exponent=DISPLAY_EXPONENT)],
        base=BASE_DENOM, display=DISPLAY_DENOM, name="Gradus", symbol=DISPLAY_DENOM.upper(),
    )


def sum_coins(coins: tuple[Coin, ...]) -> tuple[Coin, ...]:
    """The positive coins, sorted by denom, each denom once. ValueError for a negative amount."""
    if len(coins) == 1 and coins[0].amount > 0:
        return coins  # nearly all transfers are of one coin
    totals: dict[str, int] = {}
    for coin in coins:
        if coin.amount < 0:
            raise ValueError(f"a negative amount: {coin}")
        totals[coin.denom] = totals.get(coin.denom, 0) + coin.amount
    return tuple(Coin(denom, totals[denom]) for denom in sorted(totals) if totals[denom])
