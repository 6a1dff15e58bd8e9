"""secp256k1 signatures of transactions: 64 bytes r‖s with low s, over SHA-256 of the sign bytes."""

from functools import lru_cache

from coincurve import PublicKey
from coincurve.ecdsa import cdata_to_der, deserialize_compact

SIGNATURE_BYTES = 64
CACHED_SIGNATURES = 1 << 14
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


@lru_cache(maxsize=CACHED_SIGNATURES)
def is_valid_signature(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` over SHA-256(`message`) is by `public_key` (33 bytes, compressed).

    High-s signatures are refused, so that a signature has one form only. A pure function: the cache saves the second
    check of a transaction that was admitted before it was delivered, and changes nothing.
    """
    if len(signature) != SIGNATURE_BYTES or int.from_bytes(signature[32:], "big") > _HALF_ORDER:
        return False
    try:
        return PublicKey(public_key).verify(cdata_to_der(deserialize_compact(signature)), message)
    except ValueError:
        return False
