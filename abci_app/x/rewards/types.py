"""Names of the room, and how a round's reward is divided."""

STORE = "rewards"
BONDS = "work"


def compute_share(round_reward_ugrad: int, escrow_ugrad: int, accepted: int) -> int:
    """ugrad for each of `accepted` (at least 1) units: equal parts of the reward, or of what the escrow still holds.

    Rounded down; the remainder stays in the escrow.
    """
    return min(round_reward_ugrad, escrow_ugrad) // accepted
