"""Whether a block follows from a trusted one: the rules of the light client. Pure; the clock is a parameter.

A block that is next to a trusted one must have the validators that the trusted header named. Any other later one must
be signed by enough of the trusted set's power that at least one honest validator among them vouches for the new set.
Either must be signed by more than two thirds of its own set. Stricter than the engine's client in one thing: every
signature of a commit is checked, not only as many as are needed, so that no part of a commit can be altered.
Source: CometBFT v0.38 light/verifier.go, types/validation.go.
"""

from dataclasses import dataclass

from abci_app.client.light.blocks import ABSENT, COMMIT, NS, LightBlock
from abci_app.client.light.blocks_json import write_time
from abci_app.client.light.errors import ELSEWHERE, Expired, LightError, Malformed, NotSigned, NotTrusted
from abci_app.client.light.signatures import vote_bytes
from abci_app.wire.ed25519 import is_signed

HOUR_NS = 3_600 * NS
RENEW = ("name a block that you trust: --trust-height H --trust-hash HASH, from a source that you trust; or, to take a "
         "node's word once more: gradus light reset CHAIN_ID")
CLOCK = "check this machine's clock; if it is right, do not trust this node"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a light client goes by.

    trusting_period_ns: how long a block vouches for later ones; shorter than the chain takes evidence, so that who
    signs another chain for a light client still loses his power.
    drift_ns: how far a block's time may be ahead of this machine's clock.
    trust_numerator, trust_denominator: the part of a trusted set that must sign a block further on, 1/3 to 1.
    """

    trusting_period_ns: int = 168 * HOUR_NS
    drift_ns: int = 10 * NS
    trust_numerator: int = 1
    trust_denominator: int = 3

    def __post_init__(self) -> None:
        """Raises ValueError for a trust level outside 1/3..1 or a period that is not positive."""
        numerator, denominator = self.trust_numerator, self.trust_denominator
        if denominator <= 0 or numerator > denominator or numerator * 3 < denominator:
            raise ValueError(f"trust level {numerator}/{denominator} is not from 1/3 to 1")
        if self.trusting_period_ns <= 0 or self.drift_ns < 0:
            raise ValueError("the trusting period must be positive and the drift not negative")


def check_light_block(block: LightBlock, chain_id: str, height: int | None = None) -> None:
    """Raises LightError unless the parts fit each other and more than two thirds of the validators' power signed."""
    check_parts(block, chain_id, height)
    check_commit(block)


def check_parts(block: LightBlock, chain_id: str, height: int | None = None) -> None:
    """Raises Malformed unless header, commit and validators belong together; no signature is looked at."""
    header, commit = block.header, block.commit
    if header.chain_id != chain_id:
        raise Malformed(f"the header is of chain {header.chain_id!r}, not {chain_id!r}")
    if height is not None and header.height != height:
        raise Malformed(f"the header is of height {header.height}, not {height}")
    if commit.height != header.height:
        raise Malformed(f"the commit is for height {commit.height}, the header is of {header.height}")
    if commit.block_id.hash != header.hash:
        raise Malformed(f"the commit of height {header.height} is for another header")
    if header.validators_hash != block.validators.hash:
        raise Malformed(f"the validators are not those that header {header.height} names")
    if len(commit.signatures) != len(block.validators.validators):
        raise Malformed(f"the commit of height {header.height} has not one signature for each validator")


def check_commit(block: LightBlock) -> None:
    """Raises NotSigned unless every signature is valid and more than 2/3 of the power is for the block."""
    signed = 0
    for index, (vote, validator) in enumerate(zip(block.commit.signatures, block.validators.validators, strict=True)):
        if vote.flag == ABSENT:
            continue
        if vote.address != validator.address:
            raise NotSigned(f"signature {index} of height {block.height} is not of the validator whose turn it is")
        _check_signature(block, index, validator.key)
        if vote.flag == COMMIT:
            signed += validator.power
    if signed * 3 <= block.validators.power * 2:
        raise NotSigned(f"{signed} of {block.validators.power} power signed block {block.height}; "
                        "more than two thirds must")


def check_vouched(trusted: LightBlock, block: LightBlock, rules: Rules) -> None:
    """Raises NotTrusted unless more than the trust level of the trusted set's power signed a later block.

    Looks at no more signatures than it needs; `check_commit` looks at all.
    """
    signed, seen = 0, dict[bytes, int]()
    total = trusted.validators.power
    for index, vote in enumerate(block.commit.signatures):
        validator = trusted.validators.by_address.get(vote.address)
        if vote.flag != COMMIT or validator is None:
            continue
        if vote.address in seen:
            raise NotSigned(f"a validator signed block {block.height} twice ({seen[vote.address]} and {index})")
        seen[vote.address] = index
        _check_signature(block, index, validator.key)
        signed += validator.power
        if signed * rules.trust_denominator > total * rules.trust_numerator:
            return
    raise NotTrusted(f"{signed} of the {total} power of height {trusted.height} signed block {block.height}; more than "
                     f"{rules.trust_numerator}/{rules.trust_denominator} must", RENEW)


def _check_signature(block: LightBlock, index: int, key: bytes) -> None:
    message = vote_bytes(block.header.chain_id, block.commit, index)
    if not is_signed(key, message, block.commit.signatures[index].signature):
        raise NotSigned(f"signature {index} of the commit of height {block.height} is wrong")


def check_fresh(trusted: LightBlock, rules: Rules, now_ns: int) -> None:
    """Raises Expired when a block may no longer vouch for later ones."""
    if trusted.header.time_ns + rules.trusting_period_ns <= now_ns:
        hours = rules.trusting_period_ns // HOUR_NS
        raise Expired(f"the trusted block {trusted.height} of {write_time(trusted.header.time_ns)} is older than the "
                      f"trusting period of {hours} hours", RENEW)


def check_not_ahead(block: LightBlock, rules: Rules, now_ns: int) -> None:
    """Raises LightError when a block's time is in the future."""
    if block.header.time_ns >= now_ns + rules.drift_ns:
        raise LightError(f"block {block.height} is of {write_time(block.header.time_ns)}, which is still to come",
                         CLOCK)


def verify_forward(trusted: LightBlock, block: LightBlock, rules: Rules, now_ns: int) -> None:
    """Raises LightError unless a later block follows from a trusted one; NotTrusted: one between them is needed.

    block: its parts fit each other (`check_parts`); its signatures are checked here.
    """
    check_fresh(trusted, rules, now_ns)
    header = block.header
    if header.height <= trusted.height:
        raise LightError(f"block {header.height} does not come after the trusted block {trusted.height}", ELSEWHERE)
    if header.time_ns <= trusted.header.time_ns:
        raise LightError(f"block {header.height} is not later than the trusted block {trusted.height}", ELSEWHERE)
    check_not_ahead(block, rules, now_ns)
    if header.height == trusted.height + 1:
        if header.validators_hash != trusted.header.next_validators_hash:
            raise LightError(f"block {header.height} has other validators than block {trusted.height} named for it",
                             ELSEWHERE)
    else:
        check_vouched(trusted, block, rules)
    check_commit(block)


def verify_backward(trusted: LightBlock, block: LightBlock) -> None:
    """Raises LightError unless `block` is the one before a trusted one, whose header names its hash."""
    if block.height != trusted.height - 1 or block.hash != trusted.header.last_block_id.hash:
        raise LightError(f"block {block.height} is not the one that block {trusted.height} names as its predecessor",
                         ELSEWHERE)
    if block.header.time_ns >= trusted.header.time_ns:
        raise LightError(f"block {block.height} is not earlier than block {trusted.height}", ELSEWHERE)
