"""Bech32 against the vectors of BIP-173, and addresses of accounts and modules."""

import pytest

from abci_app.client.keys import derive_key
from abci_app.wire import address
from abci_app.wire.address import (
    account_address, decode_address, decode_bech32, encode_address, encode_bech32, module_address,
)
from abci_app.wire.errors import InvalidAddress, InvalidPubKey

VALID = [
    "a12uel5l",
    "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
    "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
    "11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j",
    "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
    "?1ezyfcl",
]
INVALID = [
    " 1nwldj5", "\x7f1axkwrx", "\x801eym55h",
    "an84characterslonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1569pvx",
    "pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3", "de1lg7wt\xff", "a1g7sgd8", "10a06t8", "1qzzfhee",
    "A12UEL5L", "a12UEL5L", "a12uel5m", "", "1", "split1cheo2y9e2w",
]


@pytest.mark.parametrize("text", VALID)
def test_valid_bech32_is_read_and_written_back(text: str) -> None:
    prefix, data = decode_bech32(text)
    assert encode_bech32(prefix, data) == text


@pytest.mark.parametrize("text", INVALID)
def test_invalid_bech32_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        decode_bech32(text)


@pytest.mark.parametrize("groups", [[0] * 33, [1] * 33, [0, 1], [0, 31], [7]])
def test_padding_that_is_not_minimal_and_zero_is_refused(groups: list[int]) -> None:
    """One more 5-bit group than the bytes need, or set padding bits, would give an address two texts."""
    checksum = address._polymod(address._expand("gradus") + groups + [0] * 6) ^ 1
    values = groups + [checksum >> 5 * (5 - place) & 31 for place in range(6)]
    with pytest.raises(InvalidAddress, match="padding"):
        decode_bech32("gradus1" + "".join(address._CHARSET[value] for value in values))


def test_address_of_the_cosmjs_vector() -> None:
    key = derive_key("abandon " * 11 + "about")
    assert encode_bech32("pych", key.address) == "pych19rl4cm2hmr8afy4kldpxz3fka4jguq0a45l29h"
    assert decode_address("pych19rl4cm2hmr8afy4kldpxz3fka4jguq0a45l29h", prefix="pych") == key.address
    assert encode_bech32("cosmos", key.address) == "cosmos19rl4cm2hmr8afy4kldpxz3fka4jguq0auqdal4"


def test_address_of_another_chain_is_refused() -> None:
    with pytest.raises(InvalidAddress, match="gradus1"):
        decode_address("cosmos19rl4cm2hmr8afy4kldpxz3fka4jguq0auqdal4")


@pytest.mark.parametrize("size", [0, 19, 21, 32])
def test_address_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(InvalidAddress, match="20 bytes"):
        encode_address(bytes(size))
    with pytest.raises(InvalidAddress, match="20 bytes"):
        decode_address(encode_bech32("gradus", bytes(size)))


def test_key_of_another_length_has_no_address() -> None:
    with pytest.raises(InvalidPubKey):
        account_address(bytes(65))


def test_module_addresses_never_change() -> None:
    assert [encode_address(module_address(name)) for name in ("fee_collector", "models", "work")] == [
        "gradus1caewu6xk7fcjjm3h6k0032slq3dukfvn9vzg0m",
        "gradus1s9heyw29da5gtftapyluhm3cf7h0ptc6gr6wh3",
        "gradus108gjzzqn280vtnuyap2jpe702n6k8sgy5t7l7w",
    ]
