"""Signatures are valid where the engine finds them valid: ZIP-215, also where OpenSSL is stricter."""

from hashlib import sha512
from itertools import product

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from abci_app.wire import ed25519
from abci_app.wire.ed25519 import BASE, ORDER, PRIME, Point, is_signed, is_signed_zip215

MESSAGE = b"Zcash"
SECRET = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
KEY = SECRET.public_key().public_bytes_raw()


def encode_point(point: Point) -> bytes:
    inverse = pow(point[2], -1, PRIME)
    x, y = point[0] * inverse % PRIME, point[1] * inverse % PRIME
    return (y | (x & 1) << 255).to_bytes(32, "little")


def small_points() -> list[bytes]:
    """Every encoding, canonical or not, of the eight points whose eighth multiple is the neutral one."""
    found = []
    ys = [y for y in range(19)] + [PRIME + extra for extra in range(19)] + [PRIME - 1]
    candidates = [(y | sign << 255).to_bytes(32, "little") for y in ys for sign in (0, 1)]
    for seed in range(64):
        point = ed25519._decode_point(sha512(b"%d" % seed).digest()[:32])
        if point is not None:
            candidates.append(encode_point(ed25519._multiply(ORDER, point)))
    for data in candidates:
        point = ed25519._decode_point(data)
        if point is not None and is_neutral(ed25519._multiply(8, point)) and data not in found:
            found.append(data)
    return found


def is_neutral(point: Point) -> bool:
    return point[0] % PRIME == 0 and (point[1] - point[2]) % PRIME == 0


def is_openssl(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def test_small_points_have_fourteen_encodings_and_all_their_pairs_sign_as_zip215_says() -> None:
    points = small_points()
    assert len(points) == 14
    pairs = [(key, nonce + bytes(32)) for key, nonce in product(points, points)]
    assert all(is_signed(key, MESSAGE, signature) for key, signature in pairs)
    assert not all(is_openssl(key, MESSAGE, signature) for key, signature in pairs)


@given(st.binary(max_size=100), st.integers(0, 511))
def test_own_arithmetic_agrees_with_openssl_on_plain_signatures_and_on_altered_ones(message: bytes, bit: int) -> None:
    signature = bytearray(SECRET.sign(message))
    assert is_signed_zip215(KEY, message, bytes(signature)) and is_signed(KEY, message, bytes(signature))
    signature[bit >> 3] ^= 1 << (bit & 7)
    assert not is_signed_zip215(KEY, message, bytes(signature)) and not is_openssl(KEY, message, bytes(signature))


def test_nonce_with_a_small_part_signs_for_the_engine_and_not_for_openssl() -> None:
    """What a single validator could do to keep a stricter client from believing any block."""
    small = next(data for data in small_points() if not is_neutral(ed25519._decode_point(data)))
    digest = sha512(b"\x07" * 32).digest()
    scalar = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
    nonce = 12345
    point = ed25519._add(ed25519._multiply(nonce, BASE), ed25519._decode_point(small))
    first = encode_point(point)
    challenge = int.from_bytes(sha512(first + KEY + MESSAGE).digest(), "little") % ORDER
    signature = first + ((nonce + challenge * scalar) % ORDER).to_bytes(32, "little")
    assert is_signed(KEY, MESSAGE, signature) and not is_openssl(KEY, MESSAGE, signature)
    assert not is_signed(KEY, b"another", signature)


def test_scalar_at_or_above_the_order_is_refused() -> None:
    signature = SECRET.sign(MESSAGE)
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    assert not is_signed(KEY, MESSAGE, signature[:32] + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize("key, signature", [(KEY[:31], bytes(64)), (KEY, bytes(63)), (b"", b""), (KEY, bytes(65)),
                                            (b"\x02" + bytes(31), bytes(64)), (KEY, b"\x02" + bytes(63))])
def test_what_is_no_key_or_no_signature_is_not_valid(key: bytes, signature: bytes) -> None:
    assert not is_signed(key, MESSAGE, signature)
