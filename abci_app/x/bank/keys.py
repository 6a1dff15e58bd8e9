"""Keys of the store "bank": those of the Cosmos SDK's bank, so that its tools find balances where they expect them."""

SUPPLY_PREFIX = b"\x00"
BALANCE_PREFIX = b"\x02"


def supply_key(denom: str) -> bytes:
    """Key of the supply of a denom."""
    return SUPPLY_PREFIX + denom.encode()


def holder_prefix(address: bytes) -> bytes:
    """What the keys of all balances of an address begin with; the denom follows."""
    return BALANCE_PREFIX + bytes([len(address)]) + address


def balance_key(address: bytes, denom: str) -> bytes:
    """Key of the balance of a denom at an address of at most 255 bytes."""
    return b"%b%c%b%b" % (BALANCE_PREFIX, len(address), address, denom.encode())


def split_balance_key(key: bytes) -> tuple[bytes, str]:
    """(address, denom) of a balance's key."""
    end = 2 + key[1]
    return key[2:end], key[end:].decode()
