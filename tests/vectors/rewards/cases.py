"""Writes the vectors of the rewards room: python -m tests.vectors.rewards.cases, then python -m tests.vectors.runner.

Backing and unbacking of a model that alice makes in the same block, blocks that emit, and what answers brought.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from abci_app.genesis import new_genesis
from abci_app.runtime.records import export_record
from abci_app.wire.address import encode_address, module_address
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Royalties
from kernels import dispatch
from tests.chain import CHAIN_ID, PROPOSERS, address_of
from tests.unit.models.rooms import Rooms, small_spec

FOLDER = Path(__file__).parent
FUNDS_UGRAD = 10_000_000
FEE_UGRAD = 1_000
PEOPLE = ("alice", "bob", "operator0", "operator1", "operator2", "operator3")
NO_COINS, INVALID_COINS, INVALID_ADDRESS, NOT_FOUND = ("sdk", 5), ("sdk", 10), ("sdk", 7), ("sdk", 22)
NO_MODEL, RETIRED, TOO_LARGE, TOO_SMALL = ("models", 2), ("rewards", 3), ("rewards", 4), ("rewards", 5)
BEYOND_RECORD, NOTHING = ("rewards", 6), ("rewards", 7)
PER_UNIT_Q64 = ((200_000 << 64) // 3).to_bytes(16, "big")
Json = dict[str, Any]
Refusal = tuple[str, int]


def tx(signer: str, message: Json, refusal: Refusal | None = None, sequence: int = 0, count: int = 1) -> Json:
    """A transaction of so many equal messages."""
    expect = {} if refusal is None else {"error": {"codespace": refusal[0], "code": refusal[1]}}
    ahead = {"sequence": str(sequence)} if sequence else {}
    return {"signer": signer, "messages": [message] * count, "expect": expect, **ahead}


def coin(amount_ugrad: int, denom: str = "ugrad") -> Json:
    return {"denom": denom, "amount": str(amount_ugrad)}


def back(amount_ugrad: int, owner: str = "@bob", model_id: int = 1, denom: str = "ugrad") -> Json:
    return {"@type": "/gradus.rewards.v1.MsgBack", "owner": owner, "model_id": str(model_id),
            "amount": coin(amount_ugrad, denom)}


def unback(amount_ugrad: int, owner: str = "@bob") -> Json:
    return {"@type": "/gradus.rewards.v1.MsgUnback", "owner": owner, "model_id": "1", "amount": coin(amount_ugrad)}


def query(name: str, request: Json, answer: Json | Refusal) -> Json:
    """A question to the room, and its answer or its refusal."""
    told = {"response": answer} if isinstance(answer, dict) else {
        "error": {"codespace": answer[0], "code": answer[1]}}
    return {"path": f"/gradus.rewards.v1.Query/{name}", "request": request, **told}


def backing(amount_ugrad: int, owner: str = "@bob") -> Json:
    """Bob's backing of the model, and that there is none for 0."""
    key = {"model_id": "1", "owner": owner}
    return query("Backing", key, {"backing": {**key, "amount_ugrad": str(amount_ugrad)}} if amount_ugrad else NOT_FOUND)


def unbacking(amount_ugrad: int) -> Json:
    """Bob's coins on their way back after the first block."""
    record = {"owner": "@bob", "due_height": "1001", "model_id": "1", "amount_ugrad": str(amount_ugrad)}
    return query("Unbackings", {"owner": "@bob"}, {"unbackings": [record], "pagination": {}})


def emission(height: int, reward_ugrad: int, scheduled_ugrad: int, stakers_ugrad: int, community_ugrad: int,
             **more: str) -> Json:
    """The next block's reward in its four parts, and what was emitted so far."""
    so_far = {"scheduled_ugrad": scheduled_ugrad, "stakers_ugrad": stakers_ugrad, "community_ugrad": community_ugrad}
    parts = {"block_reward_ugrad": reward_ugrad, "stakers_ugrad": reward_ugrad * 3 // 10,
             "work_ugrad": reward_ugrad // 2, "hosts_ugrad": reward_ugrad // 10, "community_ugrad": reward_ugrad // 10}
    return query("Emission", {"height": str(height)}, {
        "height": str(height), **{name: str(part) for name, part in parts.items()},
        "so_far": {**{name: str(sum_) for name, sum_ in so_far.items() if sum_},
                   "accrued_q64": "AAAAAAAAAAAAAAAAAAAAAA==", **more}})


def ledger(backing_ugrad: int, **more: str) -> Json:
    return query("Ledger", {"model_id": "1"}, {
        "ledger": {"model_id": "1", "backing_ugrad": str(backing_ugrad), "settled_q64": "AAAAAAAAAAAAAAAAAAAAAA=="},
        "unit_max_ugrad": "2872", "bond_max_ugrad": "1000000", "work_max_ugrad": "2872", **more})


def emitting(reward_ugrad: int, halving_blocks: int, has_operators: bool = True) -> Json:
    """A genesis whose blocks emit."""
    operators = [{"consensus_address_hex": one.hex(), "operator": address_of(f"operator{index}")}
                 for index, one in enumerate(PROPOSERS)]
    accounts = {address_of(name): FUNDS_UGRAD for name in ("alice", "bob")}
    state = new_genesis(CHAIN_ID, operators if has_operators else [], accounts, reward_ugrad)
    state["rewards"]["params"]["halving_blocks"] = str(halving_blocks)
    text = json.dumps(state)
    for name in PEOPLE:
        text = text.replace(address_of(name), f"@{name}")
    named: Json = json.loads(text)
    return named


def backing_cases(create: Json, close: Json) -> Iterator[Json]:
    """MsgBack."""
    yield case("back_puts_coins_behind_a_model", "Anybody backs a model; the coins leave the account.",
               create, tx("bob", back(300)), queries=[backing(300), ledger(300)],
               balances={"bob": str(FUNDS_UGRAD - FEE_UGRAD - 300)})
    yield case("back_adds_to_what_is_there", "Backing of one account is one record.", create,
               tx("bob", back(300), count=2), queries=[backing(600)])
    yield case("back_an_unknown_model", "There is no model 9.", tx("bob", back(300, model_id=9), NO_MODEL))
    yield case("back_a_closed_model", "A closed model earns nothing any more.", create, close,
               tx("bob", back(300), RETIRED), queries=[backing(0)])
    rich = {"alice": str(FUNDS_UGRAD), "bob": str(2**64 - 1)}
    yield case("back_beyond_the_most", "All backing together stays below 2^64.", create,
               tx("bob", back(2**64 - 600_000)), tx("alice", back(600_000, "@alice"), TOO_LARGE, 1),
               queries=[backing(0, "@alice")], accounts=rich)
    yield case("back_without_the_coins", "The fee is paid, and then one ugrad is missing.", create,
               tx("bob", back(FUNDS_UGRAD - FEE_UGRAD + 1), NO_COINS), queries=[backing(0)])
    yield case("back_in_another_denom", "Only the base denom backs models.", create,
               tx("bob", back(1, denom="grad"), INVALID_COINS))
    yield case("back_with_nothing", "An amount of 0.", create, tx("bob", back(0), INVALID_COINS))
    yield case("back_with_a_bad_address", "An address with a typing error.", create,
               tx("bob", back(1, "gradus1bob"), INVALID_ADDRESS))


def unbacking_cases(create: Json, close: Json) -> Iterator[Json]:
    """MsgUnback."""
    backed = (create, tx("bob", back(300)))
    yield case("unback_is_on_its_way", "Coins taken from behind a model come back 1000 blocks later.", *backed,
               tx("bob", unback(120), sequence=1), queries=[backing(180), unbacking(120)],
               balances={"bob": str(FUNDS_UGRAD - 2 * FEE_UGRAD - 300)})
    yield case("unback_everything_in_two_parts", "What comes back at the same height is one record.", *backed,
               tx("bob", unback(299), sequence=1), tx("bob", unback(1), sequence=2),
               queries=[backing(0), unbacking(300)])
    yield case("unback_a_closed_model", "Whoever backs a closed model has its coins back.", *backed, close,
               tx("bob", unback(300), sequence=1), queries=[backing(0), unbacking(300)])
    rich = {"alice": str(2**64 - 1), "bob": str(2**64 - 1)}
    gift = {"@type": "/cosmos.bank.v1beta1.MsgSend", "from_address": "@alice", "to_address": "@bob",
            "amount": [coin(1 << 20)]}
    yield case("unback_beyond_a_record", "What comes back at one height stays below 2^64.", create,
               tx("alice", gift, sequence=1), tx("bob", back(2**63)), tx("bob", unback(2**63), sequence=1),
               tx("bob", back(2**63), sequence=2), tx("bob", unback(2**63), BEYOND_RECORD, 3),
               queries=[backing(2**63), unbacking(2**63)], accounts=rich)
    yield case("unback_more_than_there_is", "One ugrad more than the account has put there.", *backed,
               tx("bob", unback(301), TOO_SMALL, 1), queries=[backing(300)])
    yield case("unback_what_another_backs", "Nobody takes what is another's.", *backed,
               tx("alice", unback(300, "@alice"), TOO_SMALL, 1), queries=[backing(300)])
    yield case("unback_nothing", "An amount of 0.", *backed, tx("bob", unback(0), INVALID_COINS, 1),
               queries=[backing(300)])
    yield case("unback_with_a_bad_address", "An address with a typing error.", *backed,
               tx("bob", unback(1, "gradus1bob"), INVALID_ADDRESS, 1), queries=[backing(300)])


def emission_cases(create: Json) -> Iterator[Json]:
    """Ends of blocks."""
    supply = {"path": "/cosmos.bank.v1beta1.Query/SupplyOf", "request": {"denom": "ugrad"},
              "response": {"amount": coin(2 * FUNDS_UGRAD + 400_000)}}
    yield case("emission_of_a_block", "The proposer's operator has 30 % minted and the community 10 %; the rest of the "
               "reward is not earned.", queries=[emission(2, 1_000_000, 1_000_000, 300_000, 100_000), supply],
               balances={"operator0": "0", "operator1": "300000"}, app_state=emitting(1_000_000, 10**7))
    yield case("emission_halves", "Every two blocks the reward halves: 1000000, 500000, 500000, 250000.",
               queries=[emission(4, 250_000, 2_250_000, 675_000, 225_000)], app_state=emitting(1_000_000, 2), height=4,
               balances={"operator0": "75000", "operator1": "300000", "operator2": "150000", "operator3": "150000"})
    yield case("emission_without_an_operator", "The stakers' part is not minted when nobody is known to earn it.",
               queries=[emission(2, 1_000_000, 1_000_000, 0, 100_000)],
               app_state=emitting(1_000_000, 10**7, has_operators=False))
    accrued = (500_000 << 64 - 20).to_bytes(16, "big")
    yield case("emission_accrues_to_backed_models", "The work part is not minted before a round closes.", create,
               tx("bob", back(1 << 20)), app_state=emitting(1_000_000, 10**7), queries=[
                   ledger(1 << 20, accrued_ugrad="500000"),
                   emission(2, 1_000_000, 1_000_000, 300_000, 100_000, backing_ugrad=str(1 << 20),
                            accrued_q64=base64.b64encode(accrued).decode())])


def collect(trainer: str = "@bob") -> Json:
    return {"@type": "/gradus.rewards.v1.MsgCollectRoyalties", "trainer": trainer, "model_id": "1"}


def royalties(owed_ugrad: int, collected_ugrad: int, collectable_ugrad: int) -> Json:
    """What answers of model 1 brought, and what bob can collect."""
    sums = {"owed_ugrad": owed_ugrad, "collected_ugrad": collected_ugrad, "pool_ugrad": 30_000, "fees_ugrad": 10**6}
    told = {name: str(value) for name, value in sums.items() if value}
    answer: Json = {"royalties": {"model_id": "1", "per_unit_q64": base64.b64encode(PER_UNIT_Q64).decode(), **told}}
    more = {"collectable_ugrad": str(collectable_ugrad)} if collectable_ugrad else {}
    return query("Royalties", {"model_id": "1", "trainer": "@bob"}, answer | more)


def answered() -> Json:
    """A genesis with a model of alice to which bob and operator0 have contributed, and whose answers brought a grad."""
    with dispatch.forced("ref"):
        rooms = Rooms()
        rooms.audit_for_nothing()
        rooms.create(small_spec(round_reward_ugrad=0), escrow_ugrad=1)
        models = rooms.export()["models"]
    models["models"][0] |= {"admin": address_of("alice"), "escrow_ugrad": "0"}
    state = new_genesis(CHAIN_ID, [], {address_of(name): FUNDS_UGRAD for name in ("alice", "bob")}, 0)
    record = Royalties(model_id=1, per_unit_q64=PER_UNIT_Q64, owed_ugrad=200_000, pool_ugrad=30_000, fees_ugrad=10**6)
    state["models"] = models
    state["rewards"] |= {
        "royalties": [export_record(record)], "ledgers": [{"model_id": "1", "units": "3", "settled_q64": "00" * 16}],
        "contributions": [{"model_id": "1", "trainer": address_of(name), "units": units}
                          for name, units in (("bob", "2"), ("operator0", "1"))]}
    state["bank"]["balances"].append({"address": encode_address(module_address("rewards")), "coins": [coin(230_000)]})
    state["bank"].pop("supply", None)
    text = json.dumps(state)
    for name in PEOPLE:
        text = text.replace(address_of(name), f"@{name}")
    named: Json = json.loads(text)
    return named


def royalty_cases(create: Json) -> Iterator[Json]:
    """MsgCollectRoyalties."""
    yield case("collect_pays_by_accepted_units", "Of 200000 ugrad bob has two thirds, rounded down, and nothing the "
               "second time.", tx("bob", collect()), tx("bob", collect(), NOTHING, 1), app_state=answered(),
               queries=[royalties(66_667, 133_333, 0)], balances={"bob": str(FUNDS_UGRAD - 2 * FEE_UGRAD + 133_333)})
    yield case("collect_is_told_before", "The query says what can be collected.", app_state=answered(),
               queries=[royalties(200_000, 0, 133_333)])
    yield case("collect_without_a_unit", "Alice made the model and trained nothing.",
               tx("alice", collect("@alice"), NOTHING), app_state=answered(),
               queries=[royalties(200_000, 0, 133_333)])
    yield case("collect_before_any_answer", "No answer was paid.", create, tx("bob", collect(), NOTHING))
    yield case("collect_with_a_bad_address", "An address with a typing error.", create,
               tx("bob", collect("gradus1bob"), INVALID_ADDRESS))


def case(name: str, about: str, *txs: Json, queries: list[Json] | None = None, balances: Json | None = None,
         accounts: Json | None = None, app_state: Json | None = None, height: int = 1) -> Json:
    """One vector and its name."""
    people = accounts or {name: str(FUNDS_UGRAD) for name in ("alice", "bob")}
    pre = {"app_state": app_state} if app_state else {"accounts": people}
    post = {"balances": balances or {}, "queries": queries or []}
    return {"name": name, "vector": {
        "about": about, "pre": pre | ({"height": str(height)} if height > 1 else {}), "txs": list(txs),
        "post": {field: post[field] for field in post if post[field]}}}


def main() -> None:
    """Write all vectors, without gas."""
    spec = json_format.MessageToDict(small_spec(), preserving_proto_field_name=True)
    create = tx("alice", {"@type": "/gradus.models.v1.MsgCreateModel", "creator": "@alice", "spec": spec,
                          "escrow": coin(5_000_000)})
    close = tx("alice", {"@type": "/gradus.models.v1.MsgCloseModel", "admin": "@alice", "model_id": "1"}, sequence=1)
    for one in (*backing_cases(create, close), *unbacking_cases(create, close), *emission_cases(create),
                *royalty_cases(create)):
        (FOLDER / f"{one['name']}.json").write_text(json.dumps(one["vector"], indent=2) + "\n")


if __name__ == "__main__":
    main()
