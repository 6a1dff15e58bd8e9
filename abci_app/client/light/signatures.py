"""What validators sign, and whether they did. Pure.

A precommit is signed over tendermint.types.CanonicalVote with its length in front; a vote extension has a signature of
its own and does not matter here. Source: CometBFT v0.38 types/{canonical,vote}.go, crypto/ed25519.

Validity is the engine's: ZIP-215. OpenSSL's rule is stricter, and almost every signature is valid by both, so it is
asked first. What it refuses is judged once more by ZIP-215: else a single validator could sign in a way that the
engines take and that keeps every light client from believing the block.
"""

from hashlib import sha512

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from abci_app.client.light.blocks import COMMIT, KEY_BYTES, SIGNATURE_BYTES, Commit, encode_time
from abci_app.wire.fields import encode_bytes, encode_uint
from abci_app.wire.varint import encode_uvarint

PRECOMMIT = 2
FIXED64 = 1
PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE_D = -121665 * pow(121666, -1, PRIME) % PRIME
ROOT_OF_MINUS_1 = pow(2, (PRIME - 1) // 4, PRIME)
Point = tuple[int, int, int, int]  # x, y, z, t: x/z and y/z are the coordinates, t = x*y/z
IDENTITY: Point = (0, 1, 1, 0)
BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
BASE_Y = 4 * pow(5, -1, PRIME) % PRIME
BASE: Point = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % PRIME)


def vote_bytes(chain_id: str, commit: Commit, index: int) -> bytes:
    """What the validator at an index of a commit signed, for the block or, by its flag, for none."""
    vote = commit.signatures[index]
    block_id = encode_bytes(4, commit.block_id.encode()) if vote.flag == COMMIT else b""
    body = (encode_uint(1, PRECOMMIT) + _fixed64(2, commit.height) + _fixed64(3, commit.round) + block_id
            + encode_bytes(5, encode_time(vote.time_ns)) + (encode_bytes(6, chain_id.encode()) if chain_id else b""))
    return encode_uvarint(len(body)) + body


def _fixed64(number: int, value: int) -> bytes:
    """An sfixed64 field, nothing for 0."""
    return encode_uvarint(number << 3 | FIXED64) + value.to_bytes(8, "little", signed=True) if value else b""


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
    x = pow(square, (PRIME + 3) // 8, PRIME)
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
