"""Header hashes, validator sets, sign bytes and proofs against what CometBFT 0.38.25 made; and every bit of it flipped.

The files of tests/clients/light were recorded from real networks (record.py).
"""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abci_app.client.light.blocks import ABSENT, COMMIT, NIL, LightBlock
from abci_app.client.light.blocks_json import read_light_block, read_signed_header, read_validators, write_light_block
from abci_app.client.light.errors import LightError, NotTrusted
from abci_app.client.light.records import check_answer
from abci_app.client.light.verify import Rules, check_light_block, verify_backward, verify_forward
from abci_app.client.rpc import new_answer

FOLDER = Path(__file__).parents[2] / "clients" / "light"
RECORDED = {name: json.loads((FOLDER / f"{name}.json").read_text()) for name in ("changing", "gradus")}
RULES = Rules()
PROVED_HEIGHT = 6


def read_block(fields: dict[str, Any]) -> LightBlock:
    header, commit = read_signed_header(fields["commit"]["signed_header"])
    return LightBlock(header, commit, read_validators(fields["validators"]["validators"]))


CHAINS = {name: [read_block(fields) for fields in RECORDED[name]["blocks"]] for name in RECORDED}
ANSWERS = RECORDED["gradus"]["answers"]
APP_HASH = CHAINS["gradus"][PROVED_HEIGHT].header.app_hash


@pytest.mark.parametrize("name", CHAINS)
def test_every_recorded_block_verifies_and_is_written_back_as_the_engine_words_it(name: str) -> None:
    chain_id = RECORDED[name]["chain_id"]
    for fields, block in zip(RECORDED[name]["blocks"], CHAINS[name], strict=True):
        check_light_block(block, chain_id, fields["height"])
        assert block.hash.hex().upper() == fields["commit"]["signed_header"]["commit"]["block_id"]["hash"]
        written = write_light_block(block)
        assert written["signed_header"]["commit"] == fields["commit"]["signed_header"]["commit"]
        assert written["signed_header"]["header"] | {"version": None} == \
            fields["commit"]["signed_header"]["header"] | {"version": None}
        assert read_light_block(json.loads(json.dumps(written))) == block


def test_recordings_hold_absent_votes_votes_for_no_block_and_sets_that_change() -> None:
    flags = {vote.flag for blocks in CHAINS.values() for block in blocks for vote in block.commit.signatures}
    assert flags == {ABSENT, COMMIT, NIL}
    assert len({block.header.validators_hash for block in CHAINS["changing"]}) >= 6


@pytest.mark.parametrize("name", CHAINS)
def test_every_recorded_block_follows_from_every_earlier_one_and_leads_back_to_the_one_before(name: str) -> None:
    blocks = CHAINS[name]
    for later in blocks:
        for earlier in blocks[:later.height - 1]:
            verify_forward(earlier, later, RULES, later.header.time_ns)
    for earlier, later in zip(blocks, blocks[1:]):
        verify_backward(later, earlier)


@pytest.mark.parametrize("index", range(len(ANSWERS)))
def test_recorded_answers_prove_what_is_there_and_what_is_not(index: int) -> None:
    fields = ANSWERS[index]
    answer = new_answer(fields["answer"]["response"])
    found = check_answer(answer, APP_HASH, "bank", bytes.fromhex(fields["key"]))
    assert found == (answer.value or None)
    for app_hash, store, key in ((CHAINS["gradus"][0].header.data_hash, "bank", fields["key"]),
                                 (APP_HASH, "auth", fields["key"]), (APP_HASH, "bank", fields["key"] + "00")):
        with pytest.raises(LightError):
            check_answer(answer, app_hash, store, bytes.fromhex(key))


def leaves_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all numbers and texts in JSON."""
    if isinstance(value, dict):
        return [leaf for name in sorted(value) for leaf in leaves_of(value[name], (*path, name))]
    if isinstance(value, list):
        return [leaf for index, one in enumerate(value) for leaf in leaves_of(one, (*path, index))]
    return [] if value is None or isinstance(value, bool) else [path]


def flip(value: Any, path: tuple[Any, ...], place: int, bit: int) -> Any:
    """A copy of JSON with one bit of one number or text changed; None when that gives no text or the same value."""
    changed = copy.deepcopy(value)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    old = holder[path[-1]]
    if isinstance(old, int):
        holder[path[-1]] = old ^ 1 << bit
        return changed
    if not old:
        holder[path[-1]] = "00" * 20
        return changed
    place %= len(old)
    char = chr(ord(old[place]) ^ 1 << bit % 7)
    new = old[:place] + char + old[place + 1:]
    if new.lower() == old.lower():
        return None
    holder[path[-1]] = new
    return changed


UNSIGNED = ("proposer_priority",)
FIELDS = [(name, index, part, path) for name in CHAINS for index in range(1, len(CHAINS[name]))
          for part, path in [(part, path) for part in ("commit", "validators")
                             for path in leaves_of(RECORDED[name]["blocks"][index][part])]
          if path[-1] not in UNSIGNED and path[0] in ("signed_header", "validators")]


@settings(max_examples=600)
@given(st.sampled_from(FIELDS), st.integers(0, 200), st.integers(0, 30))
def test_no_bit_of_a_header_commit_or_validator_set_can_be_changed(field: tuple[Any, ...], place: int,
                                                                   bit: int) -> None:
    name, index, part, path = field
    fields = dict(RECORDED[name]["blocks"][index])
    changed = flip(fields[part], path, place, bit)
    if changed is None:
        return
    fields[part] = changed
    with pytest.raises(LightError):
        block = read_block(fields)
        if block == CHAINS[name][index]:
            raise LightError("another spelling of the same block")
        check_light_block(block, RECORDED[name]["chain_id"], index + 1)
        verify_forward(CHAINS[name][0], block, RULES, block.header.time_ns)


@settings(max_examples=400)
@given(st.sampled_from(range(len(ANSWERS))), st.data())
def test_no_byte_of_a_proof_or_value_can_be_changed(index: int, data: st.DataObject) -> None:
    fields = ANSWERS[index]
    answer = new_answer(fields["answer"]["response"])
    ops = list(answer.proof_ops)
    which = data.draw(st.integers(-1, len(ops) - 1))
    if which < 0:
        changed = answer.value + b"\x00" if not answer.value else _flip_bit(answer.value, data)
        altered = type(answer)(0, "", "", answer.key, changed, answer.height, answer.proof_ops)
    else:
        ops[which] = ops[which]._replace(data=_flip_bit(ops[which].data, data))
        altered = type(answer)(0, "", "", answer.key, answer.value, answer.height, tuple(ops))
    with pytest.raises(LightError):
        check_answer(altered, APP_HASH, "bank", bytes.fromhex(fields["key"]))


def _flip_bit(data: bytes, draw: st.DataObject) -> bytes:
    at = draw.draw(st.integers(0, 8 * len(data) - 1))
    changed = bytearray(data)
    changed[at >> 3] ^= 1 << (at & 7)
    return bytes(changed)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2**70, 2**70) | st.floats() | st.text(max_size=70)
    | st.text("0123456789abcdef", max_size=64) | st.just("2026-01-01T00:00:00Z"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["header", "commit", "signatures", "height", "block_id", "hash", "parts", "total", "version"]), inner,
        max_size=5), max_leaves=12)


@settings(max_examples=400)
@given(st.sampled_from(FIELDS), JSON)
def test_any_other_json_in_any_field_is_refused_and_never_a_traceback(field: tuple[Any, ...], value: Any) -> None:
    name, index, part, path = field
    fields = copy.deepcopy({key: RECORDED[name]["blocks"][index][key] for key in ("commit", "validators")})
    holder: Any = fields[part]
    cut = len(path) - 1 if place_is_leaf(value) else max(0, len(path) - 2)
    for step in path[:cut]:
        holder = holder[step]
    old = holder[path[cut]]
    holder[path[cut]] = value
    with pytest.raises(LightError):
        block = read_block(fields)
        if value == old or block == CHAINS[name][index]:
            raise LightError("the same")
        check_light_block(block, RECORDED[name]["chain_id"], index + 1)


def place_is_leaf(value: Any) -> bool:
    return not isinstance(value, (dict, list))


def test_recorded_change_of_validators_needs_a_block_between_when_too_few_of_the_old_are_left() -> None:
    before, after = CHAINS["changing"][0], CHAINS["changing"][-1]
    strict = Rules(trust_numerator=1, trust_denominator=1)
    with pytest.raises(NotTrusted):
        verify_forward(before, after, strict, after.header.time_ns)
