"""ChainClient: typed answers of the application, each checked against what the chain commits to where it can be.

`find_x` gives None for what is not there, `get_x` raises QueryRefused. Reads a node only; sends nothing (send.py).
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from abci_app.client.errors import ModelMissing, ProofInvalid, QueryRefused
from abci_app.client.inference import InferenceClient
from abci_app.wire.address import decode_address
from abci_app.wire.coin import BASE_DENOM, parse_amount
from abci_app.wire.errors import InvalidCoins
from abci_app.wire.pb.cosmos.auth.v1beta1 import query_pb2 as auth_pb2
from abci_app.wire.pb.cosmos.auth.v1beta1.auth_pb2 import BaseAccount, ModuleAccount
from abci_app.wire.pb.cosmos.bank.v1beta1 import query_pb2 as bank_pb2
from abci_app.wire.pb.cosmos.base.query.v1beta1.pagination_pb2 import PageRequest
from abci_app.wire.pb.cosmos.tx.v1beta1.service_pb2 import SimulateRequest, SimulateResponse
from abci_app.wire.pb.gradus.audits.v1 import query_pb2 as audits_pb2
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit, Auditor
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Params as AuditsParams
from abci_app.wire.pb.gradus.auth.v1 import query_pb2 as price_pb2
from abci_app.wire.pb.gradus.disputes.v1 import query_pb2 as disputes_pb2
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import Dispute, EndedDispute
from abci_app.wire.pb.gradus.models.v1 import query_pb2 as models_pb2
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model, ModelSpec, SpecVersion, Weights
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Params as ModelsParams
from abci_app.wire.pb.gradus.rewards.v1 import query_pb2 as rewards_pb2
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Backing, Contribution, Params, Unbacking, Vesting
from abci_app.wire.pb.gradus.validators.v1 import query_pb2 as validators_pb2
from abci_app.wire.pb.gradus.validators.v1.validators_pb2 import Misbehaviour, Validator
from abci_app.wire.pb.gradus.work.v1 import query_pb2 as work_pb2
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Slash, Trainer, Unit
from abci_app.wire.tx import type_url
from kernels import chunks

INVARIANTS = "/app/invariants"
WEIGHTS_BYTES_MAX = 1 << 30
ChunkReport = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Dealing:
    """A round and units of it: all, or those of one trainer. round, trainer: None where there is none."""

    round: Round | None
    units: tuple[Unit, ...]
    trainer: Trainer | None = None


class ChainClient(InferenceClient):
    """Questions to a node (or several: node.Nodes). Every call may raise NodeUnreachable, NodeRefused, QueryRefused
    (codespace and code of the application) and ProofInvalid. Rounds count from 1; model ids from 1."""

    def chain_id(self) -> str:
        """Name of the chain."""
        return self.node.status().chain_id

    def height(self) -> int:
        """The node's last height."""
        return self.node.status().height

    def find_account(self, address: str) -> BaseAccount | None:
        """Number, sequence and key of an account (a room's own too)."""
        request = auth_pb2.QueryAccountRequest(address=address)
        found = self._find("/cosmos.auth.v1beta1.Query/Account", request, auth_pb2.QueryAccountResponse)
        if found is None:
            return None
        try:
            if found.account.type_url == type_url(ModuleAccount):
                return ModuleAccount.FromString(found.account.value).base_account
            account = BaseAccount.FromString(found.account.value)
        except DecodeError:
            raise ProofInvalid("the node's answer is no account") from None
        if account.address != address:
            raise ProofInvalid(f"asked for account {address}, the node answered with {account.address}")
        return account

    def balance(self, address: str, denom: str = BASE_DENOM, height: int = 0) -> int:
        """Coins of an account after `height` (0: the latest), 0 for one that does not exist."""
        decode_address(address)
        request = bank_pb2.QueryBalanceRequest(address=address, denom=denom)
        answer = self._ask("/cosmos.bank.v1beta1.Query/Balance", request, bank_pb2.QueryBalanceResponse, height)
        try:
            return parse_amount(answer.balance.amount or "0")
        except InvalidCoins as error:
            raise ProofInvalid(f"the node's answer is no balance: {error}") from None

    def gas_price_ppm(self) -> int:
        """ugrad per million gas that a transaction must offer at least."""
        answer = self._ask("/gradus.auth.v1.Query/GasPrice", price_pb2.QueryGasPriceRequest(),
                           price_pb2.QueryGasPriceResponse)
        return answer.gas_price_ppm

    def simulate(self, tx: bytes) -> int:
        """Gas that an unsigned transaction would use now. Raises QueryRefused with the error it would end with."""
        answer = self._ask("/cosmos.tx.v1beta1.Service/Simulate", SimulateRequest(tx_bytes=tx), SimulateResponse)
        return answer.gas_info.gas_used

    def find_model(self, model_id: int) -> Model | None:
        """A model contract and where it stands."""
        request = models_pb2.QueryModelRequest(model_id=model_id)
        found = self._find("/gradus.models.v1.Query/Model", request, models_pb2.QueryModelResponse)
        return None if found is None else found.model

    def get_model(self, model_id: int) -> Model:
        """A model contract. Raises ModelMissing."""
        found = self.find_model(model_id)
        if found is None:
            raise ModelMissing(model_id)
        return found

    def iter_models(self) -> Iterator[Model]:
        """All models, ids rising."""
        for page in self._pages("/gradus.models.v1.Query/Models", models_pb2.QueryModelsRequest(),
                                models_pb2.QueryModelsResponse):
            yield from page.models

    def find_spec(self, model_id: int, version: int) -> ModelSpec | None:
        """The terms of a model by their version, such as Round.spec_version."""
        request = models_pb2.QuerySpecRequest(model_id=model_id, version=version)
        found = self._find("/gradus.models.v1.Query/Spec", request, models_pb2.QuerySpecResponse)
        if found is not None and (found.version.model_id, found.version.version) != (model_id, version):
            raise ProofInvalid(f"asked for version {version} of the terms of model {model_id}, the node answered with "
                               f"version {found.version.version} of model {found.version.model_id}")
        return None if found is None else found.version.spec

    def list_versions(self, model_id: int) -> list[SpecVersion]:
        """The terms that a model has had, the earliest first, and at the end those in force. Raises QueryRefused."""
        found: list[SpecVersion] = []
        current = None
        for page in self._pages("/gradus.models.v1.Query/Versions", models_pb2.QueryVersionsRequest(model_id=model_id),
                                models_pb2.QueryVersionsResponse):
            found += page.versions
            current = page.current
        return found if current is None else [*found, current]

    def find_pending_spec(self, model_id: int) -> ModelSpec | None:
        """The terms of a model that wait for its round to end. Raises QueryRefused for an unknown model."""
        request = models_pb2.QueryVersionsRequest(model_id=model_id, pagination=PageRequest(limit=1))
        answer = self._ask("/gradus.models.v1.Query/Versions", request, models_pb2.QueryVersionsResponse)
        return answer.pending if answer.HasField("pending") else None

    def models_params(self) -> ModelsParams:
        """What contracts must pay their auditors."""
        return self._ask("/gradus.models.v1.Query/Params", models_pb2.QueryParamsRequest(),
                         models_pb2.QueryParamsResponse).params

    def find_weights_record(self, model_id: int, round_number: int) -> Weights | None:
        """What commits to the weights after a round (0: the initial ones); None when no longer kept."""
        request = models_pb2.QueryWeightsRequest(model_id=model_id, round=round_number)
        found = self._find("/gradus.models.v1.Query/Weights", request, models_pb2.QueryWeightsResponse)
        return None if found is None else found.weights

    def find_weights(self, model_id: int, round_number: int, root: bytes | None = None,
                     report: ChunkReport = lambda done, total: None, record: Weights | None = None) -> bytes | None:
        """The weights after a round: every chunk fetched and verified against Weights.root, None when no longer kept.

        root: what Weights.root must be, when the caller knows it already, such as Round.weights_root. record: of the
        round, when the caller has it already, such as a proved one.
        Raises ProofInvalid for another root, a wrong chunk or sizes that do not fit.
        """
        record = record or self.find_weights_record(model_id, round_number)
        if record is None:
            return None
        if root is not None and record.root != root:
            raise ProofInvalid(f"the node names {record.root.hex()} as root of the weights, not {root.hex()}")
        if not 0 < record.total_bytes <= WEIGHTS_BYTES_MAX or not 0 < record.chunk_bytes <= chunks.CHUNK_BYTES_MAX \
                or record.chunk_count != chunks.chunk_count(record.total_bytes, record.chunk_bytes):
            raise ProofInvalid(f"the sizes of the weights of model {model_id} contradict each other")
        parts = []
        for index in range(record.chunk_count):
            chunk = self._find_chunk(record, index)
            if chunk is None:
                return None
            parts.append(chunk)
            report(index + 1, record.chunk_count)
        weights = b"".join(parts)
        if len(weights) != record.total_bytes:
            raise ProofInvalid(f"the weights have {len(weights)} bytes, not {record.total_bytes}")
        return weights

    def _find_chunk(self, record: Weights, index: int) -> bytes | None:
        request = models_pb2.QueryWeightsChunkRequest(model_id=record.model_id, round=record.round, index=index)
        found = self._find("/gradus.models.v1.Query/WeightsChunk", request, models_pb2.QueryWeightsChunkResponse)
        if found is None:
            return None
        if not chunks.verify_chunk(record.root, found.chunk, index, record.chunk_count, list(found.proof)):
            raise ProofInvalid(f"chunk {index} of the weights does not stand under the root {record.root.hex()}",
                               "ask another node")
        return found.chunk

    def find_round(self, model_id: int, number: int = 0) -> Dealing | None:
        """A round with all its units; number 0: the running one. None when there is none or it is no longer kept."""
        request = work_pb2.QueryRoundRequest(model_id=model_id, round=number)
        found = self._find("/gradus.work.v1.Query/Round", request, work_pb2.QueryRoundResponse)
        return None if found is None else Dealing(found.round, tuple(found.units))

    def assignments(self, model_id: int, address: str) -> Dealing:
        """What a trainer has to do now."""
        request = work_pb2.QueryAssignmentsRequest(model_id=model_id, trainer=address)
        answer = self._ask("/gradus.work.v1.Query/Assignments", request, work_pb2.QueryAssignmentsResponse)
        return Dealing(answer.round if answer.HasField("round") else None, tuple(answer.units),
                       answer.trainer if answer.HasField("trainer") else None)

    def find_trainer(self, model_id: int, address: str) -> Trainer | None:
        """A model's trainer."""
        request = work_pb2.QueryTrainerRequest(model_id=model_id, address=address)
        found = self._find("/gradus.work.v1.Query/Trainer", request, work_pb2.QueryTrainerResponse)
        return None if found is None else found.trainer

    def iter_trainers(self, model_id: int) -> Iterator[Trainer]:
        """A model's trainers by address."""
        for page in self._pages("/gradus.work.v1.Query/Trainers", work_pb2.QueryTrainersRequest(model_id=model_id),
                                work_pb2.QueryTrainersResponse):
            yield from page.trainers

    def iter_slashes(self, model_id: int) -> Iterator[Slash]:
        """A model's slashes, the earliest first."""
        for page in self._pages("/gradus.work.v1.Query/Slashes", work_pb2.QuerySlashesRequest(model_id=model_id),
                                work_pb2.QuerySlashesResponse):
            yield from page.slashes

    def find_payload(self, model_id: int, round_number: int, unit: int) -> bytes | None:
        """The payload of a revealed unit, None when there is none or it is no longer kept."""
        request = work_pb2.QueryPayloadRequest(model_id=model_id, round=round_number, unit=unit)
        found = self._find("/gradus.work.v1.Query/Payload", request, work_pb2.QueryPayloadResponse)
        return None if found is None else found.payload

    def find_contribution(self, model_id: int, address: str) -> Contribution | None:
        """What a trainer has done for a model and earned; None before its first accepted unit."""
        request = rewards_pb2.QueryContributionRequest(model_id=model_id, trainer=address)
        found = self._find("/gradus.rewards.v1.Query/Contribution", request, rewards_pb2.QueryContributionResponse)
        return None if found is None else found.contribution

    def iter_contributions(self, model_id: int) -> Iterator[Contribution]:
        """All contributions to a model by address."""
        request = rewards_pb2.QueryContributionsRequest(model_id=model_id)
        path, kind = "/gradus.rewards.v1.Query/Contributions", rewards_pb2.QueryContributionsResponse
        for page in self._pages(path, request, kind):
            yield from page.contributions

    def iter_shares(self, model_id: int) -> Iterator[rewards_pb2.Share]:
        """Each trainer's part of a model's accepted units, by address."""
        for page in self._pages("/gradus.rewards.v1.Query/Shares", rewards_pb2.QuerySharesRequest(model_id=model_id),
                                rewards_pb2.QuerySharesResponse):
            yield from page.shares

    def iter_vestings(self, model_id: int, address: str = "") -> Iterator[Vesting]:
        """Pay of a model that vests, by round: of one trainer, or of all."""
        request = rewards_pb2.QueryVestingsRequest(model_id=model_id, trainer=address)
        for page in self._pages("/gradus.rewards.v1.Query/Vestings", request, rewards_pb2.QueryVestingsResponse):
            yield from page.vestings

    def rewards_params(self) -> Params:
        """The schedule of the emission and its parts."""
        return self._ask("/gradus.rewards.v1.Query/Params", rewards_pb2.QueryParamsRequest(),
                         rewards_pb2.QueryParamsResponse).params

    def emission(self, height: int = 0) -> rewards_pb2.QueryEmissionResponse:
        """The reward of the block at `height` (0: the next one), and what was emitted so far."""
        return self._ask("/gradus.rewards.v1.Query/Emission", rewards_pb2.QueryEmissionRequest(height=height),
                         rewards_pb2.QueryEmissionResponse)

    def get_ledger(self, model_id: int) -> rewards_pb2.QueryLedgerResponse:
        """What rewards book of a model. Raises QueryRefused (sdk/22) when there is no such model."""
        return self._ask("/gradus.rewards.v1.Query/Ledger", rewards_pb2.QueryLedgerRequest(model_id=model_id),
                         rewards_pb2.QueryLedgerResponse)

    def get_royalties(self, model_id: int, address: str = "") -> rewards_pb2.QueryRoyaltiesResponse:
        """What a model's answers have brought, and what a trainer can collect. QueryRefused (sdk/22) without the model.
        """
        request = rewards_pb2.QueryRoyaltiesRequest(model_id=model_id, trainer=address)
        return self._ask("/gradus.rewards.v1.Query/Royalties", request, rewards_pb2.QueryRoyaltiesResponse)

    def find_backing(self, model_id: int, address: str) -> Backing | None:
        """What an account has put behind a model; None for nothing."""
        request = rewards_pb2.QueryBackingRequest(model_id=model_id, owner=address)
        found = self._find("/gradus.rewards.v1.Query/Backing", request, rewards_pb2.QueryBackingResponse)
        return None if found is None else found.backing

    def iter_backings(self, model_id: int) -> Iterator[Backing]:
        """Who backs a model, by address."""
        request = rewards_pb2.QueryBackingsRequest(model_id=model_id)
        for page in self._pages("/gradus.rewards.v1.Query/Backings", request, rewards_pb2.QueryBackingsResponse):
            yield from page.backings

    def iter_unbackings(self, address: str) -> Iterator[Unbacking]:
        """An account's coins on their way back from behind models, the earliest due first."""
        request = rewards_pb2.QueryUnbackingsRequest(owner=address)
        for page in self._pages("/gradus.rewards.v1.Query/Unbackings", request, rewards_pb2.QueryUnbackingsResponse):
            yield from page.unbackings

    def check_invariants(self) -> tuple[int, list[str]]:
        """(height, what is broken): the node reads its whole latest state for it, once a height."""
        answer = self.node.abci_query(INVARIANTS)
        if answer.code:
            raise QueryRefused(answer.codespace, answer.code, answer.log)
        try:
            told = json.loads(answer.value)
            height, broken = told["height"], told["broken"]
        except (ValueError, TypeError, KeyError):
            raise ProofInvalid(f"the node's answer to {INVARIANTS} is not understood") from None
        if type(height) is not int or type(broken) is not list or not all(type(line) is str for line in broken):
            raise ProofInvalid(f"the node's answer to {INVARIANTS} is not understood")
        return height, broken

    def find_dispute(self, model_id: int, round_number: int, unit: int) -> Dispute | None:
        """The open dispute of a unit, None when there is none."""
        request = disputes_pb2.QueryDisputeRequest(model_id=model_id, round=round_number, unit=unit)
        found = self._find("/gradus.disputes.v1.Query/Dispute", request, disputes_pb2.QueryDisputeResponse)
        return None if found is None else found.dispute

    def iter_disputes(self, model_id: int = 0, party: str = "") -> Iterator[Dispute]:
        """Open disputes of a model (0: of all) and of a claimant or challenger (empty: of anybody), by unit."""
        request = disputes_pb2.QueryDisputesRequest(model_id=model_id, party=party)
        for page in self._pages("/gradus.disputes.v1.Query/Disputes", request, disputes_pb2.QueryDisputesResponse):
            yield from page.disputes

    def iter_ended_disputes(self, model_id: int = 0, round_number: int = 0, party: str = "") -> Iterator[EndedDispute]:
        """Ended disputes of a round, of a model (round 0) or of all, of a party or of anybody, by unit and end."""
        request = disputes_pb2.QueryEndedRequest(model_id=model_id, round=round_number, party=party)
        for page in self._pages("/gradus.disputes.v1.Query/Ended", request, disputes_pb2.QueryEndedResponse):
            yield from page.disputes

    def find_posted_trace(self, model_id: int, round_number: int, unit: int) -> tuple[bytes, ...] | None:
        """The digests that the claimant of a disputed unit has posted, while the challenger picks from them."""
        request = disputes_pb2.QueryTraceRequest(model_id=model_id, round=round_number, unit=unit)
        found = self._find("/gradus.disputes.v1.Query/Trace", request, disputes_pb2.QueryTraceResponse)
        return None if found is None else tuple(found.digests)

    def iter_validators(self) -> Iterator[Validator]:
        """All validators of the genesis by consensus address; the power of those who were removed is 0."""
        for page in self._pages("/gradus.validators.v1.Query/Validators", validators_pb2.QueryValidatorsRequest(),
                                validators_pb2.QueryValidatorsResponse):
            yield from page.validators

    def iter_misbehaviours(self) -> Iterator[Misbehaviour]:
        """What was proved of validators and is still kept, by the height of the misbehaviour."""
        for page in self._pages("/gradus.validators.v1.Query/Misbehaviour", validators_pb2.QueryMisbehaviourRequest(),
                                validators_pb2.QueryMisbehaviourResponse):
            yield from page.misbehaviours

    def find_audit(self, subject: bytes) -> Audit | None:
        """The audit of a subject (25 bytes, wire/audit.py); None when there is none, or none any more."""
        request = audits_pb2.QueryAuditRequest(subject=subject)
        found = self._find("/gradus.audits.v1.Query/Audit", request, audits_pb2.QueryAuditResponse)
        return None if found is None else found.audit

    def iter_open_audits(self, validator: bytes = b"") -> Iterator[Audit]:
        """Undecided audits by subject; those that wait for the digest of a validator when its address is given."""
        request = audits_pb2.QueryOpenAuditsRequest(validator=validator)
        for page in self._pages("/gradus.audits.v1.Query/OpenAudits", request, audits_pb2.QueryOpenAuditsResponse):
            yield from page.audits

    def find_auditor(self, validator: bytes) -> Auditor | None:
        """How a validator (consensus address, 20 bytes) has done as an auditor; None before it was judged."""
        request = audits_pb2.QueryAuditorRequest(consensus_address=validator)
        found = self._find("/gradus.audits.v1.Query/Auditor", request, audits_pb2.QueryAuditorResponse)
        return None if found is None else found.auditor

    def iter_auditors(self) -> Iterator[Auditor]:
        """All validators that were judged as auditors, by consensus address."""
        for page in self._pages("/gradus.audits.v1.Query/Auditors", audits_pb2.QueryAuditorsRequest(),
                                audits_pb2.QueryAuditorsResponse):
            yield from page.auditors

    def audits_params(self) -> AuditsParams:
        """When auditors are excluded and for how long."""
        return self._ask("/gradus.audits.v1.Query/Params", audits_pb2.QueryParamsRequest(),
                         audits_pb2.QueryParamsResponse).params


def compute_earned(booked: Contribution | None) -> int:
    """ugrad that a trainer has earned from a model's escrow and from the emission, what still vests included."""
    return booked.earned_ugrad + booked.minted_ugrad if booked is not None else 0
