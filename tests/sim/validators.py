"""Validators of the simulation: with what they vote, and how they audit.

honest: recomputes at once. slow: some blocks later. lazy: signs and never recomputes. wrong: half of the time says what
all wrong ones say. offline: is often away. The chain holds for true what more than 2/3 of a committee's power say; so
that the wrong ones stay within the assumption, they are honest where they alone are that many.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from tests.auditors import NOTHING, RIGHT, WRONG
from tests.chain import PROPOSERS

BEHAVIOURS = ("honest", "honest", "slow", "lazy", "wrong", "offline")


@dataclass(frozen=True)
class Validators:
    """How each of PROPOSERS behaves. dice: those of a topic at the present height."""

    behaviours: dict[bytes, str]
    dice: Callable[[str], random.Random]

    def choose(self, validator: bytes, audit: Audit) -> str:
        """What a validator says of an audit that waits for its digest; the same whenever it is asked in a block."""
        dice = self.dice(f"audit {validator.hex()} {audit.subject.hex()}")
        behaviour = self.behaviours[validator]
        if behaviour == "lazy" or behaviour == "slow" and dice.random() < 0.75:
            return NOTHING
        if behaviour != "wrong" or self._is_all_wrong(audit) or dice.random() < 0.5:
            return RIGHT
        return WRONG

    def list_absent(self) -> list[bytes]:
        """Who did not sign the last block."""
        return [address for address in PROPOSERS
                if self.behaviours[address] == "offline" and self.dice(f"away {address.hex()}").random() < 0.5]

    def _is_all_wrong(self, audit: Audit) -> bool:
        wrong = sum(member.power for member in audit.members if self.behaviours[member.consensus_address] == "wrong")
        return 3 * wrong > 2 * sum(member.power for member in audit.members)


def new_behaviours(dice: random.Random) -> dict[bytes, str]:
    """Two honest validators, and two of any kind."""
    drawn = ["honest", "honest", dice.choice(BEHAVIOURS), dice.choice(BEHAVIOURS)]
    dice.shuffle(drawn)
    return dict(zip(PROPOSERS, drawn))
