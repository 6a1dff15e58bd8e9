"""The file of trusted blocks: written whole, read back strictly, of any chain's name, never believed when damaged."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.client.light.client import Trust
from abci_app.client.light.errors import TrustDamaged
from abci_app.client.light.trust import TrustStore
from tests.light_chain import CHAIN_ID, new_blocks, new_header, new_set, sign

BLOCKS = new_blocks([{1: 10, 2: 20}] * 5)
TRUST = Trust(BLOCKS[0], True, BLOCKS[4])


@pytest.mark.parametrize("trust", [TRUST, Trust(BLOCKS[2], False, BLOCKS[2])])
def test_trust_is_read_back_as_it_was_kept(tmp_path: Path, trust: Trust) -> None:
    store = TrustStore(tmp_path)
    assert store.find(CHAIN_ID) is None and list(store.iter_chains()) == []
    store.put(CHAIN_ID, trust)
    assert store.find(CHAIN_ID) == trust and list(store.iter_chains()) == [CHAIN_ID]
    assert store.drop(CHAIN_ID) and not store.drop(CHAIN_ID) and store.find(CHAIN_ID) is None


def test_broken_write_leaves_the_old_trust_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = TrustStore(tmp_path)
    store.put(CHAIN_ID, TRUST)

    def broken(source: str, target: Path) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError):
        store.put(CHAIN_ID, Trust(BLOCKS[1], True, BLOCKS[1]))
    assert store.find(CHAIN_ID) == TRUST
    assert [path.name for path in store.folder.iterdir()] == [f"{CHAIN_ID}.json"]


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=12))
def test_name_of_a_chain_never_leads_out_of_the_folder(name: str) -> None:
    store = TrustStore(Path("/nowhere"))
    assert store.path(name).parent == store.folder and "/" not in store.path(name).name


@pytest.mark.parametrize("name", ["..", ".", "a/b", "%2e", "../../etc/passwd"])
def test_chain_of_any_name_is_kept_under_it(tmp_path: Path, name: str) -> None:
    header = new_header(1, BLOCKS[0].header.time_ns, BLOCKS[0].header.last_block_id, new_set({1: 1}), new_set({1: 1}),
                        chain_id=name)
    block = sign(header, new_set({1: 1}), {1: 1})
    store = TrustStore(tmp_path)
    store.put(name, Trust(block, False, block))
    assert list(store.iter_chains()) == [name] and store.find(name) == Trust(block, False, block)
    assert [path.parent for path in tmp_path.rglob("*.json")] == [store.folder]


@given(st.data())
def test_altered_file_is_told_and_never_believed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    store = TrustStore(tmp_path_factory.mktemp("home"))
    store.put(CHAIN_ID, TRUST)
    path = store.path(CHAIN_ID)
    text = path.read_bytes()
    at = data.draw(st.integers(0, len(text) - 1))
    cut = data.draw(st.sampled_from([text[:at], text[:at] + bytes([data.draw(st.integers(33, 255))]) + text[at + 1:]]))
    path.write_bytes(cut)
    try:
        assert store.find(CHAIN_ID) in (TRUST, replace(TRUST, is_given=False))
    except TrustDamaged as error:
        assert "gradus light reset" in error.hint and error.exit_status == 4


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", "[" * 100_000, '{"format": 1}', "9" * 10_000])
def test_file_that_holds_something_else_is_told(tmp_path: Path, text: str) -> None:
    store = TrustStore(tmp_path)
    store.folder.mkdir()
    store.path(CHAIN_ID).write_text(text)
    with pytest.raises(TrustDamaged):
        store.find(CHAIN_ID)


def test_trust_of_another_chain_is_not_taken(tmp_path: Path) -> None:
    store = TrustStore(tmp_path)
    store.put(CHAIN_ID, TRUST)
    os.rename(store.path(CHAIN_ID), store.path("other"))
    with pytest.raises(TrustDamaged):
        store.find("other")


def test_evidence_of_two_blocks_is_kept_in_a_file_of_its_own(tmp_path: Path) -> None:
    evidence = {"chain_id": "a/b", "height": 7, "primary": {"hash": "AB" * 32}, "witness": {"hash": "CD" * 32}}
    path = TrustStore(tmp_path).put_evidence(evidence)
    assert path.parent == tmp_path / "light" / "evidence" and json.loads(path.read_text()) == evidence
    assert list(TrustStore(tmp_path).iter_chains()) == []
