"""Light blocks from and to JSON as a node's RPC words it. What comes in is hostile: every field's type, length and
range is checked, lists are bounded, and Malformed names the field. Source: CometBFT v0.38 rpc/core/types, types/*.go.

In JSON 64-bit integers are decimal texts, hashes and addresses hex, keys and signatures base64, times RFC 3339.
"""

import base64
import re
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from abci_app.client.light.blocks import (
    ABSENT, ADDRESS_BYTES, BLOCK_PROTOCOL, CHAIN_ID_BYTES_MAX, NIL, NS, POWER_MAX, VALIDATORS_MAX, ZERO_TIME_NS,
    BlockId, Commit, CommitSig, Header, LightBlock, Validator, ValidatorSet, address_of,
)
from abci_app.client.light.errors import LightError, Malformed
from abci_app.wire.ed25519 import KEY_BYTES, SIGNATURE_BYTES
from abci_app.wire.ints import I64_MAX, U32_MAX, U64_MAX
from abci_app.wire.merkle import HASH_BYTES

Json = dict[str, Any]
KEY_TYPE = "tendermint/PubKeyEd25519"
APP_HASH_BYTES_MAX = 256
ROUND_MAX = 2**31 - 1
TEXT_CHARS_MAX = 200
DIGITS = re.compile("0|[1-9][0-9]{0,19}")
HEX = re.compile("(?:[0-9A-Fa-f]{2})*")
TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)
HASHES = ("last_commit_hash", "data_hash", "validators_hash", "next_validators_hash", "consensus_hash",
          "last_results_hash", "evidence_hash")


def read_signed_header(fields: object) -> tuple[Header, Commit]:
    """The header and its commit: `signed_header` of the RPC's `commit`. Raises Malformed."""
    return read_header(_get(fields, "header")), read_commit(_get(fields, "commit"))


def read_header(fields: object) -> Header:
    """A header whose fields are in range, with all that a header of height 1 or more has. Raises Malformed."""
    version = _get(fields, "version")
    chain_id = _text(_get(fields, "chain_id"), "chain_id")
    if len(chain_id.encode()) > CHAIN_ID_BYTES_MAX:
        raise Malformed(f"the header's chain id is longer than {CHAIN_ID_BYTES_MAX} bytes")
    hashes = {name: _hash(_get(fields, name), name) for name in HASHES}
    if not hashes["validators_hash"] or not hashes["next_validators_hash"]:
        raise Malformed("the header names no validators")
    header = Header(
        version_block=_integer(_get(version, "block"), "version.block", 0, U64_MAX),
        version_app=_integer(_find(version, "app", "0"), "version.app", 0, U64_MAX), chain_id=chain_id,
        height=_integer(_get(fields, "height"), "height", 1, I64_MAX), time_ns=_time(_get(fields, "time")),
        last_block_id=read_block_id(_get(fields, "last_block_id")),
        app_hash=_hex(_get(fields, "app_hash"), "app_hash", APP_HASH_BYTES_MAX),
        proposer_address=_hex(_get(fields, "proposer_address"), "proposer_address", ADDRESS_BYTES), **hashes)
    if header.version_block != BLOCK_PROTOCOL:
        raise Malformed(f"the header is of block protocol {header.version_block}, not {BLOCK_PROTOCOL}",
                        "this client speaks with engines of CometBFT 0.34 to 0.40")
    if len(header.proposer_address) != ADDRESS_BYTES:
        raise Malformed(f"the header's proposer_address has not {ADDRESS_BYTES} bytes")
    return header


def read_block_id(fields: object) -> BlockId:
    """A block id, which may be empty. Raises Malformed."""
    parts = _get(fields, "parts")
    return BlockId(_hash(_get(fields, "hash"), "block id"), _integer(_get(parts, "total"), "parts", 0, U32_MAX),
                   _hash(_get(parts, "hash"), "parts"))


def read_commit(fields: object) -> Commit:
    """A commit for a block, its signatures well formed. Raises Malformed."""
    votes = _list(_get(fields, "signatures"), "signatures")
    commit = Commit(_integer(_get(fields, "height"), "commit height", 1, I64_MAX),
                    _integer(_get(fields, "round"), "commit round", 0, ROUND_MAX),
                    read_block_id(_get(fields, "block_id")), tuple(_read_vote(vote) for vote in votes))
    if len(commit.block_id.hash) != HASH_BYTES or not votes:
        raise Malformed("the commit is for no block, or has no signatures")
    return commit


def _read_vote(fields: object) -> CommitSig:
    flag = _integer(_get(fields, "block_id_flag"), "block_id_flag", ABSENT, NIL)
    signature = _find(fields, "signature", None)
    vote = CommitSig(flag, _hex(_get(fields, "validator_address"), "validator_address", ADDRESS_BYTES),
                     _time(_get(fields, "timestamp")), b"" if signature is None else _base64(signature, "signature"))
    wanted = (0, 0) if flag == ABSENT else (ADDRESS_BYTES, SIGNATURE_BYTES)
    if (len(vote.address), len(vote.signature)) != wanted or flag == ABSENT and vote.time_ns != ZERO_TIME_NS:
        raise Malformed("a signature of the commit has too much or too little for its flag")
    return vote


def read_validators(fields: Sequence[object]) -> ValidatorSet:
    """A validator set: all pages of the RPC's `validators`. Raises Malformed."""
    if not 0 < len(fields) <= VALIDATORS_MAX:
        raise Malformed(f"a validator set has 1 to {VALIDATORS_MAX} validators, not {len(fields)}")
    found = ValidatorSet(tuple(_read_validator(one) for one in fields))
    if len(found.by_address) != len(fields):
        raise Malformed("a validator stands twice in the validator set")
    if found.power > POWER_MAX:
        raise Malformed(f"the validators' power together is above {POWER_MAX}")
    return found


def _read_validator(fields: object) -> Validator:
    key = _get(fields, "pub_key")
    kind = _text(_get(key, "type"), "type of a validator's key")
    if kind != KEY_TYPE:
        raise Malformed(f"a validator's key is a {kind!r}, not a {KEY_TYPE!r}",
                        "chains whose validators have other keys cannot be followed by this client")
    one = Validator(_hex(_get(fields, "address"), "validator address", ADDRESS_BYTES),
                    _base64(_get(key, "value"), "validator key"),
                    _integer(_get(fields, "voting_power"), "voting_power", 1, POWER_MAX))
    if len(one.key) != KEY_BYTES or address_of(one.key) != one.address:
        raise Malformed("a validator's address is not that of its key")
    return one


def read_light_block(fields: object) -> LightBlock:
    """What `write_light_block` wrote. Raises Malformed."""
    header, commit = read_signed_header(_get(fields, "signed_header"))
    return LightBlock(header, commit, read_validators(_list(_get(fields, "validators"), "validators")))


def write_light_block(block: LightBlock) -> Json:
    """A light block in the RPC's own words: `signed_header` as `commit` gives it, `validators` as a plain list."""
    header, commit = block.header, block.commit
    plain = {name: getattr(header, name).hex().upper() for name in (*HASHES, "app_hash", "proposer_address")}
    version = {"block": str(header.version_block), "app": str(header.version_app)}
    return {
        "signed_header": {
            "header": {"version": version, "chain_id": header.chain_id, "height": str(header.height),
                       "time": write_time(header.time_ns), "last_block_id": _write_block_id(header.last_block_id),
                       **plain},
            "commit": {"height": str(commit.height), "round": commit.round,
                       "block_id": _write_block_id(commit.block_id),
                       "signatures": [_write_vote(vote) for vote in commit.signatures]}},
        "validators": [{"address": one.address.hex().upper(),
                        "pub_key": {"type": KEY_TYPE, "value": base64.b64encode(one.key).decode()},
                        "voting_power": str(one.power)} for one in block.validators.validators]}


def _write_block_id(one: BlockId) -> Json:
    return {"hash": one.hash.hex().upper(), "parts": {"total": one.parts_total, "hash": one.parts_hash.hex().upper()}}


def _write_vote(vote: CommitSig) -> Json:
    return {"block_id_flag": vote.flag, "validator_address": vote.address.hex().upper(),
            "timestamp": write_time(vote.time_ns),
            "signature": base64.b64encode(vote.signature).decode() if vote.signature else None}


def write_time(time_ns: int) -> str:
    """RFC 3339 in UTC, as Go writes it: nanoseconds without the zeros at their end."""
    seconds, nanos = divmod(time_ns, NS)
    days, rest = divmod(seconds, 86_400)
    day = datetime.fromordinal(datetime(1970, 1, 1).toordinal() + days)
    fraction = f".{nanos:09d}".rstrip("0") if nanos else ""
    date = f"{day.year:04d}-{day.month:02d}-{day.day:02d}"
    return f"{date}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}{fraction}Z"


def _time(value: object) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time in UTC."""
    found = TIME.fullmatch(_text(value, "time"))
    if found is None:
        raise Malformed("a time is not in RFC 3339 and UTC")
    try:
        moment = datetime.strptime(found[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        raise Malformed(f"there is no time {found[1]}") from None
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * NS + int((found[2] or "").ljust(9, "0"))


def _get(fields: object, name: str) -> Any:
    """A field that must be there."""
    if not isinstance(fields, dict) or name not in fields:
        raise Malformed(f"the field {name!r} is missing")
    return fields[name]


def _find(fields: object, name: str, default: Any) -> Any:
    return fields.get(name, default) if isinstance(fields, dict) else default


def _list(value: object, name: str) -> list[object]:
    if not isinstance(value, list) or len(value) > VALIDATORS_MAX:
        raise Malformed(f"{name} is no list of at most {VALIDATORS_MAX}")
    return value


def _text(value: object, name: str) -> str:
    """A text that can be encoded."""
    if not isinstance(value, str) or len(value) > TEXT_CHARS_MAX or any("\ud800" <= char <= "\udfff" for char in value):
        raise Malformed(f"{name} is no text of at most {TEXT_CHARS_MAX} characters")
    return value


def _integer(value: object, name: str, least: int, most: int) -> int:
    """An integer, as a number or in decimal."""
    if isinstance(value, str) and DIGITS.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Malformed(f"{name} is no integer from {least} to {most}")
    return value


def _hex(value: object, name: str, bytes_max: int) -> bytes:
    if not isinstance(value, str) or len(value) > 2 * bytes_max or not HEX.fullmatch(value):
        raise Malformed(f"{name} is no hex of at most {bytes_max} bytes")
    return bytes.fromhex(value)


def _hash(value: object, name: str) -> bytes:
    """32 bytes, or none."""
    found = _hex(value, name, HASH_BYTES)
    if len(found) not in (0, HASH_BYTES):
        raise Malformed(f"{name} is no hash of {HASH_BYTES} bytes")
    return found


def _base64(value: object, name: str) -> bytes:
    try:
        return base64.b64decode(_text(value, name), validate=True)
    except LightError:
        raise
    except ValueError:
        raise Malformed(f"{name} is not in base64") from None
