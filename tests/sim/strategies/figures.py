"""Measured profit of strategies: runs, sums, intervals, tables."""

import math
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from localnet.cli import BLOCK_REWARD_UGRAD
from tests.sim.rows import new_rows
from tests.sim.strategies.catalogue import Money, NewSide, Strategy, new_money
from tests.sim.strategies.challengers import Watcher
from tests.sim.strategies.sides import Side, Trainers
from tests.sim.strategies.stage import Setting, Stage, Standing, new_spec

COSTS = (0.0, 0.5, 1.0)
TRAINERS = 5
NORMAL_95 = 1.96


@dataclass
class Tally:
    """Sums over plays, and over their rounds: (shares, work, asked) since the round before.

    per: "unit": by the units dealt, until all is settled; "block": by the blocks until the last round closed, as the
    blocks that wait for its settlement have no work.
    """

    per: str = "unit"
    shares: float = 0.0
    work: float = 0.0
    dealt: int = 0
    steps: list[tuple[float, float, int]] = field(default_factory=list)

    def add(self, standings: list[Standing], share_ugrad: float) -> None:
        """A play more."""
        counted = standings if self.per == "unit" else standings[:-1]
        for before, after in zip(counted, counted[1:]):
            asked = after.dealt - before.dealt if self.per == "unit" else after.height - before.height
            step = (after.ugrad - before.ugrad) / share_ugrad, after.work - before.work, asked
            self.steps.append(step)
            self.shares, self.work, self.dealt = self.shares + step[0], self.work + step[1], self.dealt + asked

    def net(self, cost: float) -> float:
        """What a unit or block has brought, when work costs so much of a share."""
        return (self.shares - cost * self.work) / self.dealt

    def error(self, cost: float) -> float:
        """Half of the 95 % interval of `net`, by the rounds: those of a ratio's estimate."""
        mean, count = self.net(cost), len(self.steps)
        left = sum((shares - cost * work - mean * dealt) ** 2 for shares, work, dealt in self.steps)
        return NORMAL_95 * math.sqrt(left / max(count - 1, 1) * count) / self.dealt


@dataclass(frozen=True)
class Outcome:
    """What was measured of a strategy, beside honest work."""

    strategy: Strategy
    money: Money
    cheat: Tally
    honest: Tally

    def profit(self, cost: float) -> float:
        """Shares for each unit above honest work, or above doing nothing where that is better and allowed."""
        return self.cheat.net(cost) - self._least(self.honest.net(cost))

    def error(self, cost: float) -> float:
        """Half of its 95 % interval."""
        return math.hypot(self.cheat.error(cost), self.honest.error(cost))

    def expected(self, cost: float) -> float | None:
        """The same by the formulas; None where there is none."""
        if self.strategy.formula is None:
            return None
        return self.strategy.formula(self.money, cost) - self._least(self.honest.net(cost))

    def _least(self, net: float) -> float:
        return max(net, 0.0) if self.strategy.may_stay_away else net


@cache
def play(new_side: NewSide, validators: int, emission: bool, is_watched: bool, seed: int,
         rounds: int) -> list[Standing]:
    """One play of a side among honest ones, as its strategy says; played once."""
    side = new_side(rounds)
    others = tuple(index for index in range(validators) if index not in side.validators)
    taken = len(side.seated) if isinstance(side, Trainers) and side.model_id == 1 else 0
    honest: list[Side] = [Trainers(seats=TRAINERS - taken, prefix="honest"), Side(validators=others)]
    honest += [Watcher()] if is_watched else []
    setting = Setting(seed, rounds, validators, TRAINERS, BLOCK_REWARD_UGRAD if emission else 0)
    with tempfile.TemporaryDirectory(prefix="gradus-strategies-") as folder:
        stage = Stage(Path(folder) / "chain", setting, [side, *honest])
        try:
            return stage.play()
        finally:
            stage.chain.database.close()


def measure(strategy: Strategy, rounds: int, seeds: range) -> Outcome:
    """A strategy and honest work in its place, over some seeds."""
    cheat, honest = Tally(strategy.per), Tally(strategy.per)
    spec = new_spec(new_rows("any", 16, 4, 3, 2), rounds, TRAINERS)
    share_ugrad = spec.economy.round_reward_ugrad / TRAINERS
    for seed in seeds:
        for tally, new_side in ((cheat, strategy.new_side), (honest, strategy.new_honest)):
            standings = play(new_side, strategy.validators, strategy.emission, strategy.is_watched, seed, rounds)
            tally.add(standings, share_ugrad)
    return Outcome(strategy, new_money(spec, TRAINERS, strategy.validators, strategy.is_watched), cheat, honest)
