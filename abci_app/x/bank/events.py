"""Events of the bank: types and attributes of the Cosmos SDK's, which wallets and indexers read."""

from abci_app.runtime.events import Event, new_event
from abci_app.wire.address import encode_address
from abci_app.wire.coin import Coin, coins_text


def new_coin_spent(spender: bytes, coins: tuple[Coin, ...]) -> Event:
    """Coins left an account."""
    return new_event("coin_spent", spender=encode_address(spender), amount=coins_text(coins))


def new_coin_received(receiver: bytes, coins: tuple[Coin, ...]) -> Event:
    """Coins came to an account."""
    return new_event("coin_received", receiver=encode_address(receiver), amount=coins_text(coins))


def new_transfer(sender: bytes, recipient: bytes, coins: tuple[Coin, ...]) -> Event:
    """Coins went from one account to another."""
    return new_event("transfer", recipient=encode_address(recipient), sender=encode_address(sender),
                     amount=coins_text(coins))


def new_coinbase(minter: bytes, coins: tuple[Coin, ...]) -> Event:
    """Coins came to be."""
    return new_event("coinbase", minter=encode_address(minter), amount=coins_text(coins))


def new_burn(burner: bytes, coins: tuple[Coin, ...]) -> Event:
    """Coins ceased to be."""
    return new_event("burn", burner=encode_address(burner), amount=coins_text(coins))
