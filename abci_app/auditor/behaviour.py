"""How an auditor behaves. All but `honest` cheat, to show on test networks that cheating is caught and costs.

lazy: answers nothing. copy: believes the claim, whose hashes everybody can read, and makes up the witness, which nobody
can. wrong: computes, and answers the bitwise opposite: those who do agree with each other.
"""

import secrets
from collections.abc import Callable
from enum import StrEnum

from abci_app.auditor.errors import AuditorStopped
from abci_app.units.cheats import TEST_CHAINS, is_test_chain
from abci_app.wire.audit import ROOT_BYTES, new_answer


class Behaviour(StrEnum):
    """What an auditor can be told to do."""

    HONEST = "honest"
    LAZY = "lazy"
    COPY = "copy"
    WRONG = "wrong"

    @property
    def computes(self) -> bool:
        """Whether it computes what it is asked about."""
        return self in (Behaviour.HONEST, Behaviour.WRONG)


def check_behaviour(behaviour: Behaviour, chain_id: str) -> None:
    """Raises AuditorStopped for a cheat on a chain that is no test network."""
    if behaviour is not Behaviour.HONEST and not is_test_chain(chain_id):
        raise AuditorStopped(f"behaviour {behaviour} is for test networks; this is chain {chain_id!r}",
                             f"names of test networks begin with {', '.join(TEST_CHAINS)}")


def make_answer(behaviour: Behaviour, claimed: tuple[bytes, bytes], compute: Callable[[], bytes]) -> bytes | None:
    """What an auditor of this behaviour answers; None for nothing. compute: the right answer.

    claimed: a revealed unit's two roots, or the hashes of an answer that a host claims and of its question.
    """
    if behaviour is Behaviour.LAZY:
        return None
    if behaviour is Behaviour.COPY:
        return new_answer(*claimed, secrets.token_bytes(ROOT_BYTES))
    right = compute()
    return bytes(byte ^ 0xFF for byte in right) if behaviour is Behaviour.WRONG else right
