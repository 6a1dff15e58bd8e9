"""Keys of the store "auth"."""

ACCOUNT_PREFIX = b"\x01"
NEXT_NUMBER_KEY = b"\x02next_account_number"
GAS_PRICE_KEY = b"\x03gas_price_ppm"


def account_key(address: bytes) -> bytes:
    """Key of the account at a 20-byte address."""
    return ACCOUNT_PREFIX + address
