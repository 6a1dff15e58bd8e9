"""The strategies: who does what, how many take part, and what each earns by the formulas.

Amounts are in shares: the reward of a round by the units dealt in it, which is what one honest unit earns.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from abci_app.client.txs import compute_fee_ugrad
from abci_app.genesis import GAS_PRICE_PPM
from abci_app.wire.ints import PPM
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from tests.chain import GAS_LIMIT
from tests.sim.strategies import cheats, challengers, judges
from tests.sim.strategies.sides import Side, Trainers


@dataclass(frozen=True)
class Money:
    """A contract's terms in shares.

    n: units of a round. drawn: how many of them are audited, and p their part. watched: the part of the accepted ones
    that the watcher replays. slash: what a wrong claim costs, burnt: what of that nobody gets. withheld: what a
    withheld reveal costs. fee: of one transaction. audit_fee: of one right digest. challenge: the bond of a challenge.
    """

    n: int
    drawn: int
    committee: int
    slash: float
    burnt: float
    withheld: float
    fee: float
    audit_fee: float
    challenge: float
    watched: float

    @property
    def p(self) -> float:
        """The part of the units that is audited."""
        return self.drawn / self.n


def new_money(spec: ModelSpec, units: int, validators: int, is_watched: bool) -> Money:
    """What the formulas are about. is_watched: somebody replays one accepted unit of every round."""
    share = spec.economy.round_reward_ugrad / units
    bond, audit = spec.economy.bond_ugrad / share, spec.audit
    drawn = max(1, -(-units * audit.rate_ppm // PPM))
    committee = min(audit.committee_max, validators)
    slash = bond * audit.mismatch_slash_ppm / PPM
    return Money(
        n=units, drawn=drawn, committee=committee, slash=slash, burnt=slash * audit.burn_ppm / PPM,
        withheld=bond * audit.withhold_slash_ppm / PPM, fee=compute_fee_ugrad(GAS_LIMIT, GAS_PRICE_PPM) / share,
        audit_fee=units * audit.audit_fee_ppm / PPM / (drawn * committee),
        challenge=audit.challenge_bond_ugrad / share, watched=is_watched / units)


NewSide = Callable[[int], Side]
Formula = Callable[[Money, float], float]


@dataclass(frozen=True)
class Strategy:
    """A name, what is done, the side for a number of rounds, and the honest side that it is compared with.

    per: what its figures are by, the units that it was dealt or the blocks. formula: what the side nets by that when
    work costs c of a share; None where none is known. may_stay_away: whether somebody may also do nothing at all, which
    then is the measure where it is better. emission: whether blocks are rewarded. is_watched: whether somebody replays
    units. limit: why it pays, where it is known to; a limit of the design.
    """

    name: str
    told: str
    new_side: NewSide
    new_honest: NewSide
    formula: Formula | None = None
    validators: int = 4
    may_stay_away: bool = True
    emission: bool = False
    per: str = "unit"
    is_watched: bool = True
    limit: str = ""


def honest_unit(money: Money, c: float) -> float:
    """A unit done right: its share, two transactions, the work."""
    return 1 - 2 * money.fee - c


def audited_noise(money: Money, c: float, work: float = 0, kept: float = 0) -> float:
    """A wrong claim: paid where nobody looks, slashed and enrolled anew where it is drawn or the watcher replays it.

    kept: of a slash, by own judges.
    """
    seen = money.p + (1 - money.p) * money.watched
    return (1 - seen) - seen * (money.slash - kept + money.fee) - 2 * money.fee - c * work


def _trainers(kind: type[Trainers], seats: int = 1, validators: tuple[int, ...] = ()) -> NewSide:
    return lambda rounds: kind(seats=seats, spares=(rounds + 2) * seats, validators=validators)


@cache
def _honest(seats: int = 1, validators: tuple[int, ...] = ()) -> NewSide:
    return lambda rounds: Trainers(seats=seats, validators=validators)


def _backer(rounds: int) -> Side:
    return challengers.Backer()


@cache
def _auditors(kind: type[Side], validators: tuple[int, ...] = (0,)) -> NewSide:
    return lambda rounds: kind(validators=validators)


def _trainer(name: str, told: str, kind: type[Trainers], formula: Formula | None = None, seats: int = 1,
             validators: tuple[int, ...] = (), network: int = 4) -> Strategy:
    return Strategy(name, told, _trainers(kind, seats, validators), _honest(seats, validators), formula,
                    validators=network)


def _auditor(name: str, told: str, kind: type[Side], formula: Formula | None, validators: tuple[int, ...] = (0,),
             network: int = 4, limit: str = "") -> Strategy:
    return Strategy(name, told, _auditors(kind, validators), _auditors(judges.HonestAuditor, validators), formula,
                    validators=network, may_stay_away=False, emission=True, per="block", limit=limit)


DUTY = "recomputing at more than 0.7 of a unit's reward costs more than a validator's blocks earn"
FORGIVEN = "one missed audit of nine is forgiven, and the first seven are; their work is saved"
BY_HEART = "backing decides what is worth training, and the chain sees no rows: what is known needs no computing"
THIRD = (7, 8, 9)  # of ten validators

_WATCHED = (
    _trainer("honest", "computes, commits, reveals", Trainers, honest_unit),
    _trainer("garbage", "claims noise", cheats.Garbage, audited_noise),
    _trainer("copy of an earlier claim", "claims what was claimed in the round before", cheats.CopyEarlier,
             audited_noise),
    _trainer("copy of another's claim", "takes over another's commitment and reveal", cheats.CopyCommitment,
             lambda money, c: -money.withheld - 3 * money.fee),
    _trainer("wrong data", "computes on other rows", cheats.WrongData, lambda money, c: audited_noise(money, c, 1)),
    _trainer("fewer steps", "computes half of the steps", cheats.FewerSteps,
             lambda money, c: audited_noise(money, c, 0.5)),
    _trainer("withhold", "commits to noise, never reveals", cheats.Withholder,
             lambda money, c: -money.withheld - 2 * money.fee),
    _trainer("withhold what would be drawn", "noise; reveals last, knows the draw, and withholds where that loses less",
             cheats.Foreseer),
    _trainer("puppets that try draws", "two of five claim noise, and withhold so as to have the best draw",
             cheats.Foreseer, seats=2),
    _trainer("reveal when the draw is good", "noise; waits for a draw that spares it", cheats.PatientForeseer),
    _trainer("choose units", "computes units of even numbers only", cheats.Chooser),
    _trainer("stand down and return", "enrols, never commits, comes back", cheats.Absent),
    _trainer("slow", "commits and reveals in the last block", cheats.Slow, honest_unit),
    _trainer("equivocation", "commits to two claims, reveals two", cheats.Equivocator,
             lambda money, c: honest_unit(money, c) - 3 * money.fee),
    _trainer("colluding trainers", "two of five claim noise", cheats.Garbage, seats=2),
    _trainer("own judge, same operator", "noise; its account operates a validator", judges.SameOperator, audited_noise,
             validators=(0,)),
    _trainer("own judge that lies", "noise; a validator of its own calls it right", judges.OwnJudge, validators=(0,)),
    _trainer("own judge that shares", "noise; a validator of its own takes its part of the slash",
             judges.SlashSharer, validators=(0,)),
    _trainer("a third of the validators, for own noise", "3 of 10 validators keep verdicts from being made",
             judges.MinorityForGarbage, validators=THIRD, network=10),
    _trainer("proposer that grinds the draw", "noise; commits last in its own validator's block, of 16 that it tries",
             cheats.GrindingProposer, audited_noise, validators=(0,)),
    _trainer("proposer that censors", "its validator leaves the others' work out", cheats.CensoringProposer,
             validators=(0,)),
    _auditor("lazy auditor", "never answers", judges.LazyAuditor, None, limit=DUTY),
    _auditor("selective auditor", "answers only what keeps its place", judges.SelectiveAuditor, None,
             limit=FORGIVEN),
    _auditor("copying auditor", "answers when the answer is told", judges.CopyingAuditor, None, limit=DUTY),
    _auditor("guessing auditor", "calls every claim right", judges.GuessingAuditor, None, limit=DUTY),
    _auditor("a third of the validators, against others", "3 of 10 call honest units wrong where they decide alone",
             judges.MinorityAgainstOthers, None, validators=THIRD, network=10, limit=DUTY),
    Strategy("challenger of right units", "trains, and challenges one right unit a round",
             lambda rounds: challengers.Griefer(), _honest(),
             lambda money, c: honest_unit(money, c) - money.challenge - money.fee),
    Strategy("challenge to oneself", "noise; a second account holds the dispute and falls silent",
             lambda rounds: challengers.SelfChallenger(spares=rounds + 2), _honest(),
             None),
    Strategy("sock puppet", "noise; a second account wins the dispute and half of what is left of the slash",
             lambda rounds: challengers.SockPuppet(spares=rounds + 2), _honest(),
             lambda money, c: -money.slash - 3 * money.fee - (1 - money.p) * (money.fee - (
                 money.slash - money.burnt) / 2)),
    Strategy("sham model", "trains a tiny model of its own with coins behind it, for the emission",
             lambda rounds: challengers.Sham(), _backer, emission=True,
             per="block"),
    Strategy("sham model known by heart", "trains a large model of one row, whose weights soon move no more",
             lambda rounds: challengers.ShamByHeart(), _backer, emission=True, per="block", limit=BY_HEART),
)


def _unwatched(name: str, limit: str = "") -> Strategy:
    strategy = next(one for one in _WATCHED if one.name == name)
    return replace(strategy, name=f"{name}, unwatched", is_watched=False, limit=limit)


STRATEGIES = (
    *_WATCHED,
    _unwatched("garbage"),
    _unwatched("own judge that shares"),
    _unwatched("a third of the validators, for own noise"),
    _unwatched("withhold what would be drawn"),
    _unwatched("puppets that try draws"),
    _unwatched("proposer that grinds the draw"),
)
