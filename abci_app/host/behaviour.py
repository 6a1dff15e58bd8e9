"""How a host behaves. All but `honest` cheat, to show on test networks that cheating is caught and costs.

lie: answers with something of the right size that the model never said, on the chain and in sessions. withhold: commits
honestly, never reveals, and shows no drawn entry. vanish: commits to nothing, and leaves sessions without a word.
"""

from enum import StrEnum

from abci_app.host.errors import HostStopped
from abci_app.units.cheats import TEST_CHAINS, is_test_chain


class Behaviour(StrEnum):
    """What a host can be told to do."""

    HONEST = "honest"
    LIE = "lie"
    WITHHOLD = "withhold"
    VANISH = "vanish"

    @property
    def commits(self) -> bool:
        """Whether it answers what it is dealt."""
        return self is not Behaviour.VANISH

    @property
    def reveals(self) -> bool:
        """Whether it reveals what it has committed, and shows what was drawn."""
        return self in (Behaviour.HONEST, Behaviour.LIE)


def check_behaviour(behaviour: Behaviour, chain_id: str) -> None:
    """Raises HostStopped for a cheat on a chain that is no test network."""
    if behaviour is not Behaviour.HONEST and not is_test_chain(chain_id):
        raise HostStopped(f"behaviour {behaviour} is for test networks; this is chain {chain_id!r}",
                          f"names of test networks begin with {', '.join(TEST_CHAINS)}")


def distort(answer: bytes) -> bytes:
    """Another answer of the same size: its first byte is another one, by its lowest bit. Of a classifier that is
    another label, of a decoder another token."""
    return bytes([answer[0] ^ 1]) + answer[1:]
