"""Genesis of the inference room.

{"params": Params, "next_id": "1", "hosts": [Host], "requests": [Request with its question],
 "answers": [{"request_id", "answer": hex}], "archive": Archive}
Records stand as runtime/records.py writes them. All may be left out; params then have their defaults. "answers" are
those that hosts have shown for open requests. The indices are made anew from the records.
"""

from typing import Any

from abci_app.runtime.context import Ctx
from abci_app.runtime.genesis import GenesisInvalid, Section, read_hex
from abci_app.runtime.records import export_record, read_record
from abci_app.wire.address import decode_address
from abci_app.wire.errors import ChainError
from abci_app.wire.merkle import HASH_BYTES
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    HOST_STATUS_UNSPECIFIED, REQUEST_STATUS_UNSPECIFIED, Archive, Host, Params, Question, Request,
)
from abci_app.wire.question import answer_hash, question_hash
from abci_app.x.inference.keeper import Keeper
from abci_app.x.inference.types import BLOCKS_MAX, MISSED_MAX, default_params

PATH = "app_state.inference"


def init_genesis(ctx: Ctx, keeper: Keeper, state: dict[str, Any]) -> None:
    """Write the genesis state. Raises GenesisInvalid."""
    section = Section(PATH, state).only("params", "next_id", "hosts", "requests", "answers", "archive")
    params = read_record(Section(f"{PATH}.params", state["params"]), Params) if "params" in state else default_params()
    is_short = 1 <= params.kept_blocks <= BLOCKS_MAX and params.return_blocks <= BLOCKS_MAX
    if not is_short or not 1 <= params.missed_max <= MISSED_MAX:
        raise GenesisInvalid(f"{PATH}.params", f"{params.kept_blocks} kept_blocks, {params.missed_max} missed_max, "
                             f"{params.return_blocks} return_blocks",
                             f"1 to {BLOCKS_MAX} blocks, 0 to {BLOCKS_MAX} of waiting, 1 to {MISSED_MAX} misses")
    keeper.put_params(ctx, params)
    next_id = section.uint("next_id") if "next_id" in state else 1
    if next_id == 0:
        raise GenesisInvalid(f"{PATH}.next_id", "0 is no id", "the first id is 1")
    keeper.put_next_id(ctx, next_id)
    for item in section.sections("hosts"):
        _init_host(ctx, keeper, item)
    for item in section.sections("requests"):
        _init_request(ctx, keeper, item, next_id)
    for item in section.sections("answers"):
        _init_answer(ctx, keeper, item.only("request_id", "answer"))
    if "archive" in state:
        _init_archive(ctx, keeper, Section(f"{PATH}.archive", state["archive"]))


def export_genesis(ctx: Ctx, keeper: Keeper) -> dict[str, Any]:
    """The genesis state that gives this state again."""
    requests, answers = [], []
    for request in keeper.iter_requests(ctx):
        request.question.CopyFrom(keeper.get_question(ctx, request))
        requests.append(export_record(request))
        answers += [{"request_id": str(request.id), "answer": answer.hex()}
                    for _, answer in keeper.iter_answers(ctx, request.id)]
    exported = {"params": export_record(keeper.params(ctx)), "next_id": str(keeper.next_id(ctx)),
                "hosts": [export_record(host) for host in keeper.iter_hosts(ctx)], "requests": requests,
                "answers": answers}
    archive = keeper.archive(ctx)
    return {**exported, "archive": export_record(archive)} if archive.count else exported


def _init_host(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    host = read_record(item, Host)
    if keeper.models.find_model(ctx, host.model_id) is None:
        raise GenesisInvalid(f"{item.path}.model_id", f"there is no model {host.model_id}", "list it under models")
    if keeper.find_host(ctx, host.model_id, _known_address(item, "address", host.address)) is not None:
        raise GenesisInvalid(item.path, "this host stands in the list twice", "take one of them out")
    if host.status == HOST_STATUS_UNSPECIFIED:
        raise GenesisInvalid(f"{item.path}.status", "missing", "for example HOST_STATUS_ACTIVE")
    keeper.put_host(ctx, host)


def _init_request(ctx: Ctx, keeper: Keeper, item: Section, next_id: int) -> None:
    request = read_record(item, Request)
    if not 0 < request.id < next_id or keeper.find_request(ctx, request.id) is not None:
        raise GenesisInvalid(f"{item.path}.id", f"{request.id} is 0, not below next_id, or stands there twice",
                             "requests are numbered from 1")
    model = keeper.models.find_model(ctx, request.model_id)
    if model is None or not 0 < request.spec_version <= model.spec_version:
        raise GenesisInvalid(f"{item.path}.spec_version", f"not of model {request.model_id}", "list it under models")
    if request.status == REQUEST_STATUS_UNSPECIFIED:
        raise GenesisInvalid(f"{item.path}.status", "missing", "for example REQUEST_STATUS_ANSWERED")
    if question_hash(request.question) != request.question_hash:
        raise GenesisInvalid(f"{item.path}.question", "not what question_hash names", "export it again")
    _known_address(item, "user", request.user)
    for index, seat in enumerate(request.seats):
        _known_address(item, f"seats[{index}].host", seat.host)
    question = Question()
    question.CopyFrom(request.question)
    request.ClearField("question")
    keeper.add_request(ctx, request, question)


def _init_answer(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    answer = read_hex(f"{item.path}.answer", item.value.get("answer"))
    keeper.put_answer(ctx, item.uint("request_id"), answer_hash(answer), answer)


def _init_archive(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    archive = read_record(item, Archive)
    if archive.count.bit_count() != len(archive.peaks) or any(len(peak) != HASH_BYTES for peak in archive.peaks):
        raise GenesisInvalid(item.path, f"{len(archive.peaks)} peaks over {archive.count} requests", "export it again")
    if archive.count:
        keeper.put_archive(ctx, archive)


def _known_address(item: Section, name: str, text: str) -> bytes:
    try:
        return decode_address(text)
    except ChainError as error:
        raise GenesisInvalid(f"{item.path}.{name}", str(error), "an address begins with gradus1") from None
