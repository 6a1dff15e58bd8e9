"""The engine's side of validator updates, written from its rules: what it refuses would halt every node.

Source: CometBFT state/execution.go validateValidatorUpdates, types/validator_set.go updateWithChangeSet.
"""

from collections.abc import Iterable

from abci_app.runtime.validators import ValidatorUpdate

TOTAL_POWER_MAX = (2**63 - 1) // 8


class UpdateRefused(Exception):
    """The engine would stop on this update."""


class EngineSet:
    """A validator set, power by key, and the rules of changing it."""

    def __init__(self, powers: dict[bytes, int]) -> None:
        self.powers = dict(powers)

    def apply(self, updates: Iterable[ValidatorUpdate]) -> None:
        """Change the set. Raises UpdateRefused."""
        changed = dict(self.powers)
        seen: list[bytes] = []
        for update in updates:
            if update.pub_key in seen:
                raise UpdateRefused("duplicate entry")
            seen.append(update.pub_key)
            if update.power < 0 or len(update.pub_key) != 32:
                raise UpdateRefused("voting power below 0, or no ed25519 key")
            if update.power == 0:
                if update.pub_key not in self.powers:
                    raise UpdateRefused("failed to find validator to remove")
                del changed[update.pub_key]
            else:
                changed[update.pub_key] = update.power
        if not changed:
            raise UpdateRefused("the validator set would be empty")
        if sum(changed.values()) > TOTAL_POWER_MAX:
            raise UpdateRefused("total voting power exceeds the most")
        self.powers = changed
