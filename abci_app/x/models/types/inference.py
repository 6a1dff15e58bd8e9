"""How a model may be asked for answers: the ranges of an inference policy, and one to start from.

Reads/Writes: nothing. Source: README.md of the room, sections "Bounds" and "Defaults"; abci_app/runtime/fee.py.
"""

from abci_app.wire.address import decode_address
from abci_app.wire.errors import shown
from abci_app.wire.ints import PPM, U64_MAX
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy, ModelSpec
from abci_app.x.models.errors import InferencePolicyInvalid

PARTS = ("hosts_ppm", "trainers_ppm", "creator_ppm", "owner_ppm", "auditors_ppm", "burn_ppm")
REPLICAS_MAX = 16
AUDIT_PPM_MIN = 1_000
BURN_SLASH_PPM_MIN = 100_000
HOSTS_PPM_MIN = 100_000  # so that the fee for any work at any price is a u64
AUDIT_BLOCKS_MIN = 10  # an audit waits 8 blocks for auditors who sleep, and then for a proposer with the answer
AUDIT_BLOCKS_MAX = 10_000
RANGES = (
    ("audit_ppm", AUDIT_PPM_MIN, PPM), ("host_bond_ugrad", 1, U64_MAX), ("wrong_slash_ppm", 0, PPM),
    ("withhold_slash_ppm", 0, PPM), ("burn_slash_ppm", BURN_SLASH_PPM_MIN, PPM), ("replicas_max", 1, REPLICAS_MAX),
    ("audit_blocks", AUDIT_BLOCKS_MIN, AUDIT_BLOCKS_MAX))
POLICY_DEFAULT = InferencePolicy(
    hosts_ppm=700_000, trainers_ppm=200_000, creator_ppm=50_000, auditors_ppm=30_000, burn_ppm=20_000, audit_ppm=50_000,
    host_bond_ugrad=10_000_000, wrong_slash_ppm=250_000, withhold_slash_ppm=500_000, burn_slash_ppm=500_000,
    replicas_max=8, audit_blocks=12)


def check_inference(spec: ModelSpec) -> None:
    """Raises InferencePolicyInvalid (models/39), InvalidAddress (sdk/7) of its data owner; an absent one passes."""
    if not spec.HasField("inference"):
        return
    policy = spec.inference
    parts = [getattr(policy, name) for name in PARTS]
    if sum(parts) != PPM:
        raise InferencePolicyInvalid(f"{', '.join(PARTS)} are {', '.join(map(str, parts))} and add up to {sum(parts)}; "
                                     f"they are the parts of a fee, {PPM} together")
    if policy.hosts_ppm < HOSTS_PPM_MIN:
        raise InferencePolicyInvalid(f"hosts_ppm is {policy.hosts_ppm}, the least is {HOSTS_PPM_MIN}: a fee is the "
                                     "host's price by its part")
    for name, low, high in RANGES:
        if not low <= getattr(policy, name) <= high:
            raise InferencePolicyInvalid(f"{name} is {getattr(policy, name)}, allowed are {low} to {high}")
    if bool(policy.data_owner) != bool(policy.owner_ppm):
        raise InferencePolicyInvalid(f"data_owner is {shown(policy.data_owner)} and owner_ppm {policy.owner_ppm}; an "
                                     "owner has a part, and a part an owner")
    if policy.data_owner:
        decode_address(policy.data_owner)


def default_policy() -> InferencePolicy:
    """A policy to start from, a copy that callers may change. Source: README.md, section "Defaults"."""
    return InferencePolicy.FromString(POLICY_DEFAULT.SerializeToString(deterministic=True))
