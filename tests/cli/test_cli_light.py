"""`gradus light` and what --prove starts from, without a node."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from abci_app.cli.proofs import Terms, check_chain_id, choose_trust
from abci_app.client.light.client import LightClient, Trust
from abci_app.client.light.errors import HeightTooHigh, LightError, Malformed
from abci_app.client.light.trust import TrustStore
from abci_app.client.light.verify import Rules
from tests.light_chain import CHAIN_ID, FakeSource, new_blocks, now_after

BLOCKS = new_blocks([{1: 10}] * 9)
TERMS = Terms(Path("/nowhere"), "http://127.0.0.1:1")


def new_client(**fields: object) -> LightClient:
    return LightClient(CHAIN_ID, FakeSource(BLOCKS, **fields), clock=now_after(BLOCKS),  # type: ignore[arg-type]
                       sleep=lambda seconds: None)


def test_home_that_trusts_nothing_says_how_to_begin(gradus: Callable) -> None:
    ran = gradus("light", "status")
    assert ran.status == 0 and "no chain is trusted yet" in ran.out
    assert gradus("light", "status", "--output", "json").out == "[]\n"
    assert gradus("light", "reset", "nowhere-1").status == 1


def test_status_shows_what_is_trusted_and_what_is_damaged(gradus: Callable, tmp_path: Path) -> None:
    store = TrustStore(tmp_path / "home")
    store.put(CHAIN_ID, Trust(BLOCKS[0], True, BLOCKS[8]))
    store.path("broken-1").write_text("{}")
    broken, whole = json.loads(gradus("light", "status", "--output", "json").out)
    assert broken["chain_id"] == "broken-1" and "does not hold trusted blocks" in broken["problem"]
    assert (whole["trusted_height"], whole["verified_height"], whole["trusted_by"]) == (1, 9, "hash given")
    assert gradus("light", "reset", "broken-1").status == 0
    assert CHAIN_ID in gradus("light", "status").out


def test_proof_without_a_node_ends_with_3(gradus: Callable) -> None:
    assert gradus("query", "models", "show", "1", "--prove").status == 3
    assert gradus("light", "update").status == 3


def test_first_use_takes_block_one_and_where_that_is_gone_or_too_old_the_newest() -> None:
    assert choose_trust(new_client(), None, TERMS) == Trust(BLOCKS[0], False, BLOCKS[0])
    assert choose_trust(new_client(lowest=5), None, TERMS) == Trust(BLOCKS[8], False, BLOCKS[8])
    late = new_client()
    late.clock = lambda: BLOCKS[0].header.time_ns + Rules().trusting_period_ns
    assert choose_trust(late, None, TERMS) == Trust(BLOCKS[8], False, BLOCKS[8])


def test_what_is_known_is_kept_and_a_given_hash_begins_anew_unless_it_is_the_known_one() -> None:
    known = Trust(BLOCKS[0], False, BLOCKS[5])
    assert choose_trust(new_client(), known, TERMS) is known
    given = Terms(TERMS.home, TERMS.node, trust_height=3, trust_hash=BLOCKS[2].hash.hex())
    fresh = choose_trust(new_client(), known, given)
    assert fresh == Trust(BLOCKS[2], True, BLOCKS[2])
    grown = Trust(BLOCKS[2], True, BLOCKS[7])
    assert choose_trust(new_client(), grown, given) is grown


def test_given_hash_that_no_block_has_changes_nothing() -> None:
    with pytest.raises(LightError, match="has the hash"):
        choose_trust(new_client(), None, Terms(TERMS.home, TERMS.node, trust_hash="AB" * 32))
    with pytest.raises(HeightTooHigh):
        choose_trust(new_client(), None, Terms(TERMS.home, TERMS.node, trust_height=99, trust_hash="AB" * 32))


@pytest.mark.parametrize("name", ["", "x" * 51, "\u00e9" * 26, "a\x1b[31m", "a\nb", "\ud800"])
def test_name_that_no_chain_can_have_is_refused(name: str) -> None:
    with pytest.raises(Malformed, match="no name of a chain"):
        check_chain_id(name)
    assert check_chain_id("gradus-1") == "gradus-1"
