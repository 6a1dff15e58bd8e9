"""Signatures of validators (ed25519), judged as the engine judges them: by ZIP-215. Pure.

OpenSSL's rule is stricter, and almost every signature is valid by both, so it is asked first. What it refuses is judged
once more by ZIP-215: else a validator could sign in a way that the engines take and that we would not. Whatever
OpenSSL takes is valid by ZIP-215 too, so that its release decides nothing.
Source: CometBFT v0.38 crypto/ed25519; ZIP-215.
"""

from hashlib import sha512

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY_BYTES = 32
SIGNATURE_BYTES = 64
PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE_D = -121665 * pow(121666, -1, PRIME) % PRIME
ROOT_OF_MINUS_1 = pow(2, (PRIME - 1) // 4, PRIME)  # exact: the prime is 1 modulo 4
Point = tuple[int, int, int, int]  # x, y, z, t: x/z and y/z are the coordinates, t = x*y/z
IDENTITY: Point = (0, 1, 1, 0)
BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
BASE_Y = 4 * pow(5, -1, PRIME) % PRIME
BASE: Point = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % PRIME)


def is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an ed25519 signature is valid as the engine judges it."""
    if len(key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return is_signed_zip215(key, message, signature)


def is_signed_zip215(key: bytes, message: bytes, signature: bytes) -> bool:
    """ZIP-215: any encoding of a point will do, s is below the order, and [8][s]B = [8]R + [8][k]A."""
    point_a, point_r = _decode_point(key), _decode_point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if point_a is None or point_r is None or scalar >= ORDER:
        return False
    challenge = int.from_bytes(sha512(signature[:32] + key + message).digest(), "little") % ORDER
    right = _add(point_r, _multiply(challenge, point_a))
    difference = _add(_multiply(scalar, BASE), _negate(right))
    for _ in range(3):
        difference = _add(difference, difference)
    x, y, z, _ = difference
    return x % PRIME == 0 and (y - z) % PRIME == 0


def _decode_point(data: bytes) -> Point | None:
    """The point of 32 bytes, of a y at or above the prime too; None when there is none with that y."""
    number = int.from_bytes(data, "little")
    y, is_odd = number & (1 << 255) - 1, number >> 255
    square = (y * y - 1) * pow(CURVE_D * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)  # exact: the prime is 5 modulo 8
    if (x * x - square) % PRIME:
        x = x * ROOT_OF_MINUS_1 % PRIME
    if (x * x - square) % PRIME:
        return None
    if x & 1 != is_odd:
        x = -x % PRIME
    return x, y % PRIME, 1, x * y % PRIME


def _add(one: Point, other: Point) -> Point:
    """The sum, by the complete formulas of twisted Edwards curves in extended coordinates."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % PRIME
    b = (one[1] + one[0]) * (other[1] + other[0]) % PRIME
    c = 2 * CURVE_D * one[3] * other[3] % PRIME
    d = 2 * one[2] * other[2] % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME


def _negate(one: Point) -> Point:
    return -one[0] % PRIME, one[1], one[2], -one[3] % PRIME


def _multiply(scalar: int, point: Point) -> Point:
    total = IDENTITY
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _add(point, point)
        scalar >>= 1
    return total
