"""InferenceClient: hosts, requests and sessions, as a node tells them.

`find_x` gives None for what is not there. What a node answers under another name than the one asked for is refused.
"""

from collections.abc import Iterator

from abci_app.client.asking import Asking
from abci_app.client.errors import ProofInvalid
from abci_app.wire.pb.gradus.inference.v1 import query_pb2 as inference_pb2
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Archive, Host, Question, Request
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Params as InferenceParams
from abci_app.wire.pb.gradus.sessions.v1 import query_pb2 as sessions_pb2
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Params as SessionsParams
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Session

INFERENCE = "/gradus.inference.v1.Query/"
SESSIONS = "/gradus.sessions.v1.Query/"


class InferenceClient(Asking):
    """Questions about paid inference. Errors as ChainClient's; addresses are bech32, ids count from 1."""

    def find_host(self, model_id: int, address: str) -> Host | None:
        """An account that answers for a model."""
        request = inference_pb2.QueryHostRequest(model_id=model_id, host=address)
        found = self._find(INFERENCE + "Host", request, inference_pb2.QueryHostResponse)
        if found is not None and (found.host.model_id, found.host.address) != (model_id, address):
            raise ProofInvalid(f"asked for host {address} of model {model_id}, the node answered with another")
        return None if found is None else found.host

    def iter_hosts(self, model_id: int) -> Iterator[Host]:
        """A model's hosts of every status, by address."""
        for page in self._pages(INFERENCE + "Hosts", inference_pb2.QueryHostsRequest(model_id=model_id),
                                inference_pb2.QueryHostsResponse):
            yield from page.hosts

    def find_request(self, request_id: int) -> Request | None:
        """A request for inference; None when there is none, or it is kept no longer."""
        request = inference_pb2.QueryRequestRequest(request_id=request_id)
        found = self._find(INFERENCE + "Request", request, inference_pb2.QueryRequestResponse)
        if found is not None and found.request.id != request_id:
            raise ProofInvalid(f"asked for request {request_id}, the node answered with {found.request.id}")
        return None if found is None else found.request

    def iter_requests(self, user: str = "", host: str = "") -> Iterator[Request]:
        """Requests that are kept, by id: of a user, or the open ones in which a host has a seat, or all."""
        request = inference_pb2.QueryRequestsRequest(user=user, host=host)
        for page in self._pages(INFERENCE + "Requests", request, inference_pb2.QueryRequestsResponse):
            yield from page.requests

    def quote(self, model_id: int, question: Question, replicas: int = 1) -> inference_pb2.QueryQuoteResponse:
        """What an answer by so many hosts costs now. Raises QueryRefused, for a question without an answer too."""
        request = inference_pb2.QueryQuoteRequest(model_id=model_id, question=question, replicas=replicas)
        return self._ask(INFERENCE + "Quote", request, inference_pb2.QueryQuoteResponse)

    def archive(self) -> Archive:
        """The peaks over the hashes of requests that are kept no longer."""
        return self._ask(INFERENCE + "Archive", inference_pb2.QueryArchiveRequest(),
                         inference_pb2.QueryArchiveResponse).archive

    def inference_params(self) -> InferenceParams:
        """How long requests are kept, what one costs besides its fee, and when a host stands down."""
        return self._ask(INFERENCE + "Params", inference_pb2.QueryParamsRequest(),
                         inference_pb2.QueryParamsResponse).params

    def find_session(self, session_id: int) -> Session | None:
        """A session; None when there is none, or it is kept no longer."""
        request = sessions_pb2.QuerySessionRequest(session_id=session_id)
        found = self._find(SESSIONS + "Session", request, sessions_pb2.QuerySessionResponse)
        if found is not None and found.session.id != session_id:
            raise ProofInvalid(f"asked for session {session_id}, the node answered with {found.session.id}")
        return None if found is None else found.session

    def iter_sessions(self, user: str = "", host: str = "") -> Iterator[Session]:
        """Sessions that are kept, by id: of a user, or of a host, or all."""
        request = sessions_pb2.QuerySessionsRequest(user=user, host=host)
        for page in self._pages(SESSIONS + "Sessions", request, sessions_pb2.QuerySessionsResponse):
            yield from page.sessions

    def sessions_params(self) -> SessionsParams:
        """How long sessions may be open, and how long their ends take."""
        return self._ask(SESSIONS + "Params", sessions_pb2.QueryParamsRequest(),
                         sessions_pb2.QueryParamsResponse).params
