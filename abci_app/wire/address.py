"""Account addresses: 20 bytes, written in bech32 with the prefix `gradus`.

Source: BIP-173 (bech32); Cosmos ADR-028 for the 20-byte form: ripemd160(sha256(compressed secp256k1 key)).
A module account's address is the first 20 bytes of SHA-256 over its name, so nobody holds a key to it.
"""

import hashlib
from functools import lru_cache

from Crypto.Hash import RIPEMD160

from abci_app.wire.errors import InvalidAddress, InvalidPubKey

ACCOUNT_PREFIX = "gradus"
ADDRESS_BYTES = 20
FEE_COLLECTOR = "fee_collector"  # the module account that holds the fees of the running block
_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_CHAR_VALUE = {char: value for value, char in enumerate(_CHARSET)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_TEXT_MAX = 90
CACHED_ADDRESSES = 1 << 14  # both directions are pure functions: the caches save time and change nothing


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, constant in enumerate(_GENERATOR):
            checksum ^= constant if top >> bit & 1 else 0
    return checksum


def _expand(prefix: str) -> list[int]:
    return [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]


def _regroup(values: bytes | list[int], width: int, new_width: int, pad: bool) -> list[int] | None:
    """Bits of `values` in groups of another width; None when the padding is not zero or too long."""
    pending, bits, groups = 0, 0, []
    for value in values:
        pending, bits = pending << width | value, bits + width
        while bits >= new_width:
            bits -= new_width
            groups.append(pending >> bits)
            pending &= (1 << bits) - 1
    if pad:
        return groups + ([pending << new_width - bits] if bits else [])
    return None if bits >= width or pending else groups


def encode_bech32(prefix: str, data: bytes) -> str:
    """`data` as bech32 text under `prefix`."""
    values = _regroup(data, 8, 5, pad=True) or []
    checksum = _polymod(_expand(prefix) + values + [0] * 6) ^ 1
    values = values + [checksum >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join(_CHARSET[value] for value in values)


def decode_bech32(text: str) -> tuple[str, bytes]:
    """(prefix, data) of bech32 text. Raises InvalidAddress (sdk/7)."""
    if len(text) > _TEXT_MAX or text != text.lower():
        raise InvalidAddress("bech32 text must be lower case and at most 90 characters")
    prefix, separator, body = text.rpartition("1")
    if not separator or not prefix or len(body) < 6 or any(char not in _CHAR_VALUE for char in body):
        raise InvalidAddress("not bech32 text")
    if any(not 33 <= ord(char) <= 126 for char in prefix):
        raise InvalidAddress("not bech32 text")
    values = [_CHAR_VALUE[char] for char in body]
    if _polymod(_expand(prefix) + values) != 1:
        raise InvalidAddress("bech32 checksum is wrong; check the address for a typing error")
    data = _regroup(values[:-6], 5, 8, pad=False)
    if data is None:
        raise InvalidAddress("bech32 padding is not canonical")
    return prefix, bytes(data)


@lru_cache(maxsize=CACHED_ADDRESSES)
def encode_address(address: bytes) -> str:
    """The bech32 text of a 20-byte account address."""
    if len(address) != ADDRESS_BYTES:
        raise InvalidAddress(f"an address has {ADDRESS_BYTES} bytes, not {len(address)}")
    return encode_bech32(ACCOUNT_PREFIX, address)


@lru_cache(maxsize=CACHED_ADDRESSES)
def decode_address(text: str, prefix: str = ACCOUNT_PREFIX) -> bytes:
    """The 20 bytes of a bech32 account address. Raises InvalidAddress (sdk/7) for anything else."""
    found, address = decode_bech32(text)
    if found != prefix:
        raise InvalidAddress(f"expected an address that begins with {prefix}1")
    if len(address) != ADDRESS_BYTES:
        raise InvalidAddress(f"an address has {ADDRESS_BYTES} bytes, not {len(address)}")
    return address


@lru_cache(maxsize=CACHED_ADDRESSES)
def account_address(public_key: bytes) -> bytes:
    """Address of a compressed secp256k1 key (33 bytes). Raises InvalidPubKey (sdk/8) for another length."""
    if len(public_key) != 33:
        raise InvalidPubKey("a secp256k1 key has 33 bytes in compressed form")
    return RIPEMD160.new(hashlib.sha256(public_key).digest()).digest()


@lru_cache(maxsize=CACHED_ADDRESSES)
def module_address(name: str) -> bytes:
    """Address of the module account `name`."""
    return hashlib.sha256(b"gradus/module/" + name.encode()).digest()[:ADDRESS_BYTES]
