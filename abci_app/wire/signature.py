"""secp256k1 signatures of transactions: 64 bytes r‖s with low s, over SHA-256 of the sign bytes."""

import hashlib
from functools import lru_cache

from coincurve import PublicKey
from coincurve.ecdsa import cdata_to_der, deserialize_compact

SIGNATURE_BYTES = 64
CACHED_SIGNATURES = 1 << 14
CACHED_KEYS = 1 << 12
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def is_valid_signature(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` over SHA-256(`message`) is by `public_key` (33 bytes, compressed).

    High-s signatures are refused, so that a signature has one form only.
    """
    if len(signature) != SIGNATURE_BYTES or int.from_bytes(signature[32:], "big") > _HALF_ORDER:
        return False
    return _is_valid(public_key, hashlib.sha256(message).digest(), signature)


@lru_cache(maxsize=CACHED_SIGNATURES)
def _is_valid(public_key: bytes, digest: bytes, signature: bytes) -> bool:
    """A pure function of a few dozen bytes: the cache saves the second check of a transaction that was admitted
    before it was delivered, and changes nothing."""
    try:
        return _parse_key(public_key).verify(cdata_to_der(deserialize_compact(signature)), digest, hasher=None)
    except ValueError:
        return False


@lru_cache(maxsize=CACHED_KEYS)
def _parse_key(public_key: bytes) -> PublicKey:
    """The point of a compressed key, which takes a square root. Raises ValueError for bytes that are none."""
    return PublicKey(public_key)
