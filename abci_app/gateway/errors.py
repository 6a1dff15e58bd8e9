"""What the gateway refuses, in the form that OpenAI's clients expect."""

from typing import Any

INVALID, AUTHENTICATION, LIMIT, SERVER = (
    "invalid_request_error", "authentication_error", "rate_limit_error", "server_error")


class ApiError(Exception):
    """A refusal. status: of HTTP; kind: OpenAI's `type`; code: for programs; param: which field is wrong.
    retry_after_s: when to come back; None: never, as it is."""

    def __init__(self, status: int, kind: str, code: str, message: str, param: str | None = None,
                 retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status, self.kind, self.code, self.message, self.param = status, kind, code, message, param
        self.retry_after_s = retry_after_s

    def body(self) -> dict[str, Any]:
        """As JSON."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """When the stock client shall try again, and whether at all."""
        if self.retry_after_s is None:
            return {"x-should-retry": "false"}
        return {"Retry-After": str(self.retry_after_s), "x-should-retry": "true"}


def new_invalid(message: str, param: str | None = None, code: str = "invalid_value") -> ApiError:
    """A request that is wrong as it is."""
    return ApiError(400, INVALID, code, message, param)


def new_unauthorized() -> ApiError:
    """No key, or none that is known."""
    return ApiError(401, AUTHENTICATION, "invalid_api_key",
                    "this is no API key of the gateway; its owner makes one: gradus gateway keys create NAME")


def new_model_missing(name: str) -> ApiError:
    """A model that the gateway does not serve."""
    return ApiError(404, INVALID, "model_not_found",
                    f"there is no model {name[:64]!r} here; GET /v1/models lists those that there are", "model")


def new_over_limit(whose: str) -> ApiError:
    """What was asked may cost more than may still be spent."""
    return ApiError(429, "insufficient_quota", "insufficient_quota",
                    f"the answer may cost more than is left of the spending limit of {whose}")


def new_too_fast(retry_after_s: int) -> ApiError:
    """More requests than the key may send."""
    return ApiError(429, LIMIT, "rate_limit_exceeded", f"too many requests; come back in {retry_after_s} s", None,
                    retry_after_s)


def new_busy(message: str, retry_after_s: int = 5) -> ApiError:
    """Nobody can answer now."""
    return ApiError(503, SERVER, "no_host_available", message, None, retry_after_s)
