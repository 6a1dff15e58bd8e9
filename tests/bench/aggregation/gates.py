"""What must hold of the accuracies under attack, and of the bytes of a round: each gate with what broke it."""

import statistics
from collections.abc import Iterable
from typing import NamedTuple

from kernels import aggregate, dispatch

DENSE = "int8/256"
STANDARD = ("signflip", "ipm0.6", "ipm5", "alie1.5", "gauss", "mimic", "labelflip", "inf")
WIRE = ("exp top", "exp high", "exp low", "exp mixed", "previous")
IID, MIXED = 1.0, 0.3
LEAST, LEAST_KRUM = 0.89, 0.88
LEAST_KRUM_WIRE = 0.86  # free riders are near everybody, so that Krum takes the last update again and again
DIES = 0.15
NEAR = 0.01
LEAST_NNM_TRIMMED, LEAST_MULTI_KRUM = 0.70, 0.68
# cells that are byzfl's own failure: its Weiszfeld begins at zero, where liars sit; its clipping divides inf by inf;
# the distance of inf to inf is no number, by which its NNM happens to mix no liar with another
PEER_FAILS = {("geometric_median", "zero"), ("geometric_median", "previous"), ("clipped_mean", "inf"),
              ("centered_clip", "inf"), ("mean", "gauss"), ("mean", "inf")}
# signs move by a pace of their own, which NNM shortens: within 150 steps it does not get as far even without liars
SLOW = {"nnm+sign_vote"}
Cells = dict[tuple[str, str, float, str], list[float]]


class Gate(NamedTuple):
    """One promise: how many cells or rounds it was checked on, and which broke it."""

    name: str
    checked: int
    broken: list[str]

    @property
    def holds(self) -> bool:
        """Something was checked, and nothing broke it."""
        return self.checked > 0 and not self.broken


def check_cells(cells: Cells) -> list[Gate]:
    """The gates on accuracy. cells: accuracies of all seeds by rule, codec, alpha and attack."""
    means = {key: statistics.mean(shares) for key, shares in cells.items() if shares}
    dense = {(rule, alpha, attack): share for (rule, codec, alpha, attack), share in means.items() if codec == DENSE}
    robust = {key: share for key, share in dense.items() if key[0] not in {"mean", *SLOW} and key[1] == IID}
    return [
        new_gate("every robust rule withstands the standard attacks, IID",
                 ((key, share, find_least(key[0])) for key, share in robust.items() if key[2] in STANDARD)),
        new_gate("... and the attacks on exponents, and free riders",
                 ((key, share, find_least(key[0], LEAST_KRUM_WIRE)) for key, share in robust.items()
                  if key[2] in WIRE)),
        new_gate("the mean is destroyed by ipm5 and inf: the attacks are real",
                 ((key, 1 - share, 1 - DIES) for key, share in dense.items()
                  if key[0] == "mean" and key[2] in ("ipm5", "inf"))),
        check_peers(means),
        new_gate("NNM + trimmed mean and multi-Krum withstand them where workers differ, alpha 0.3",
                 ((key, share, least) for key, share in dense.items()
                  for rule, least in (("nnm+trimmed_mean", LEAST_NNM_TRIMMED), ("multi_krum", LEAST_MULTI_KRUM))
                  if key[0] == rule and key[1] == MIXED and key[2] in (*STANDARD, "zero"))),
    ]


def check_peers(means: dict[tuple[str, str, float, str], float]) -> Gate:
    """No rule loses more than a hundredth to byzfl's on the same vectors."""
    compared, broken = 0, []
    for (rule, codec, alpha, attack), share in means.items():
        peer = means.get((rule, "float32", alpha, attack))
        is_theirs = (rule.removeprefix(aggregate.MIXING), attack) in PEER_FAILS
        if codec != DENSE or alpha != IID or peer is None or is_theirs or attack not in ("none", "zero", *STANDARD):
            continue
        if max(share, peer) < DIES:
            continue  # what a destroyed model answers is chance
        compared += 1
        if abs(share - peer) > NEAR:
            broken.append(f"{rule} {attack}: {share * 100:.1f}, byzfl {peer * 100:.1f}")
    return Gate("int8 is within one point of byzfl's float32, IID", compared, broken)


def new_gate(name: str, found: Iterable[tuple[tuple[str, float, str], float, float]]) -> Gate:
    """Of cells (key, share, the least share)."""
    entries = list(found)
    return Gate(name, len(entries), [f"{rule} {attack}: {share * 100:.1f} below {least * 100:.0f}"
                                     for (rule, _, attack), share, least in entries if share < least])


def find_least(rule: str, of_krum: float = LEAST_KRUM) -> float:
    """What a rule must reach; Krum takes the update of one worker alone."""
    return of_krum if rule == "krum" else LEAST


def check_backends(rounds: dict[tuple[str, str], list[bytes]], params: int, trim: int, backends: Iterable[str]) -> Gate:
    """All back ends make the reference's bytes of a round. rounds: payloads by rule and codec."""
    names, checked, broken = list(backends), 0, []
    for (rule, codec), sent in rounds.items():
        with dispatch.forced("ref"):
            wanted = aggregate.aggregate(rule, sent, params, trim, codec)
        for name in names:
            with dispatch.forced(name):
                same = aggregate.aggregate(rule, sent, params, trim, codec) == wanted
            checked += 1
            broken += [] if same else [f"{rule} {codec} on {name}"]
    return Gate(f"a round has the reference's bytes on {', '.join(names)}", checked, broken)


def check_order(rounds: dict[tuple[str, str], list[bytes]], params: int, trim: int) -> Gate:
    """The order of the workers changes nothing."""
    checked, broken = 0, []
    for (rule, codec), sent in rounds.items():
        turned = sent[len(sent) // 3:][::-1] + sent[:len(sent) // 3]
        orders = [aggregate.aggregate(rule, order, params, trim, codec) for order in (sent, turned)]
        checked += 1
        broken += [] if orders[0] == orders[1] else [f"{rule} {codec}"]
    return Gate("the order of the workers changes no byte", checked, broken)
