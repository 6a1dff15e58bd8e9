"""OpenAI's requests as questions, and answers in OpenAI's words. Pure; what the chain's models cannot do is refused.

Source: https://platform.openai.com/docs/api-reference (completions, chat, models), and the stock Python client.
"""

import csv
import io
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from abci_app.gateway.errors import new_invalid
from abci_app.sdk.translator import QuestionRefused, Translator
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question

COMPLETION_TOKENS, CHAT_TOKENS = 16, 256
PROMPTS_MAX, CHOICES_MAX, STOPS_MAX, STOP_CHARS_MAX = 16, 8, 4, 64
TEMPERATURE_MAX = 16.0
TEXT, CHAT = "text_completion", "chat.completion"
# A text is sampled by its session's seed; the others say how a client keeps its books.
IGNORED = ("user", "seed", "metadata", "store", "service_tier", "parallel_tool_calls", "prompt_cache_key",
           "safety_identifier")
NEUTRAL: Mapping[str, Sequence[Any]] = {
    "top_p": (None, 1, 1.0), "presence_penalty": (None, 0, 0.0), "frequency_penalty": (None, 0, 0.0),
    "logit_bias": (None, {}), "logprobs": (None, False, 0), "top_logprobs": (None, 0),
    "echo": (None, False), "suffix": (None, ""), "best_of": (None, 1), "tools": (None, []),
    "tool_choice": (None, "none", "auto"),
    "functions": (None, []), "response_format": (None, {"type": "text"}), "modalities": (None, ["text"]),
    "reasoning_effort": (None, "none")}
KNOWN = ("model", "prompt", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_k", "n", "stop",
         "stream", "stream_options")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request, understood. questions: one for each choice; prompt_tokens: of all of them. stops: texts at which an
    answer is cut, which a client never sees. kind: TEXT or CHAT."""

    kind: str
    questions: tuple[Question, ...]
    prompt_tokens: int
    stops: tuple[str, ...]
    streams: bool
    tells_usage: bool


def read_completion(body: Mapping[str, Any], translator: Translator) -> Wanted:
    """POST /v1/completions. Raises ApiError."""
    _check_fields(body)
    prompt = body.get("prompt")
    prompts: list[Any] = prompt if isinstance(prompt, list) and prompt and not isinstance(prompt[0], int) else [prompt]
    if len(prompts) > PROMPTS_MAX or not all(isinstance(one, (str, list)) for one in prompts):
        raise new_invalid(f"prompt is a text, tokens, or a list of at most {PROMPTS_MAX} of them", "prompt")
    return _new_wanted(TEXT, body, translator, prompts, COMPLETION_TOKENS)


def read_chat(body: Mapping[str, Any], translator: Translator) -> Wanted:
    """POST /v1/chat/completions. Raises ApiError."""
    _check_fields(body)
    return _new_wanted(CHAT, body, translator, [render_chat(body.get("messages"), translator)], CHAT_TOKENS)


def render_chat(messages: object, translator: Translator) -> str:
    """A conversation as a text to be continued: what was said, line by line, without who said it, since models of the
    chain were trained on text alone. A model that takes rows is asked about those of the last message."""
    if not isinstance(messages, list) or not messages:
        raise new_invalid("messages is a list of at least one message", "messages")
    texts = [_read_content(message, index) for index, message in enumerate(messages)]
    return "\n".join(texts) if translator.takes_text else texts[-1]


def _read_content(message: object, index: int) -> str:
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
                 for part in content]
        content = None if None in parts else "".join(map(str, parts))
    if not isinstance(content, str):
        raise new_invalid("a message's content is text", f"messages[{index}].content")
    return content


def _new_wanted(kind: str, body: Mapping[str, Any], translator: Translator, prompts: Sequence[str | list[int]],
                tokens_default: int) -> Wanted:
    count = _read_number(body, "n", 1, 1, CHOICES_MAX, whole=True)
    stops = _read_stops(body.get("stop"))
    streams = bool(body.get("stream"))
    questions = []
    for prompt in prompts:
        try:
            question = _ask(prompt, body, translator, stops, tokens_default)
        except QuestionRefused as error:
            raise new_invalid(str(error), "prompt" if kind == TEXT else "messages") from None
        questions += [question] * int(count)
    if streams and len(questions) > 1:
        raise new_invalid("a stream has one choice: leave n and lists of prompts out", "n")
    options = body.get("stream_options")
    return Wanted(kind, tuple(questions), sum(_count_prompt(question) for question in questions), stops, streams,
                  isinstance(options, dict) and options.get("include_usage") is True)


def _ask(prompt: str | list[int], body: Mapping[str, Any], translator: Translator, stops: tuple[str, ...],
         tokens_default: int) -> Question:
    if not translator.takes_text:
        return _ask_rows(prompt, translator)
    if isinstance(prompt, list) and not all(isinstance(token, int) and 0 <= token < 1 << 16 for token in prompt):
        raise new_invalid("a token is a number from 0 to 65535", "prompt")
    said = translator.encode(prompt)
    room = translator.spec.decoder.context + 1 - len(said)
    asked = _read_number(body, "max_completion_tokens", body.get("max_tokens") or 0, 0, 1 << 20, whole=True)
    tokens = int(asked) or min(tokens_default, room)
    if tokens > room or room < 1:
        raise new_invalid(
            f"This model's maximum context length is {translator.spec.decoder.context} tokens. However, you requested "
            f"{len(said) + max(tokens, 1)} tokens ({len(said)} in the prompt, {max(tokens, 1)} for the completion).",
            "max_tokens" if asked else "prompt", "context_length_exceeded")
    temperature = _read_number(body, "temperature", 1.0, 0.0, TEMPERATURE_MAX)
    top_k = int(_read_number(body, "top_k", 0, 0, 1 << 16, whole=True))
    return translator.ask_prompt(said, tokens, float(temperature), top_k, _find_stop_token(stops, translator))


def _ask_rows(prompt: str | list[int], translator: Translator) -> Question:
    """A table's rows without a header, in the order of the dataset's columns."""
    if not isinstance(prompt, str):
        raise new_invalid("this model takes rows, as text: a line for each, cells between commas", "prompt")
    rows = [row for row in csv.reader(io.StringIO(prompt)) if row]
    return translator.ask_rows(rows)


def _find_stop_token(stops: tuple[str, ...], translator: Translator) -> int | None:
    """The one stop that is one token of the model: the host ends there itself, and nobody pays for more."""
    if len(stops) != 1:
        return None
    try:
        found = translator.encode(stops[0])
    except QuestionRefused:
        return None
    return found[0] if len(found) == 1 else None


def _count_prompt(question: Question) -> int:
    return len(question.prompt) // 2 if question.prompt else len(question.features)


def _check_fields(body: Mapping[str, Any]) -> None:
    for name, value in body.items():
        if name in NEUTRAL and value not in NEUTRAL[name]:
            raise new_invalid(f"{name} is not supported by models of the chain; leave it out", name,
                              "unsupported_parameter")
        if name not in NEUTRAL and name not in IGNORED and name not in KNOWN:
            raise new_invalid(f"there is no parameter {name[:64]!r}", name[:64], "unknown_parameter")


def _read_number(body: Mapping[str, Any], name: str, default: float, least: float, most: float,
                 whole: bool = False) -> float:
    value = body.get(name)
    if value is None:
        value = default
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not least <= value <= most:
        raise new_invalid(f"{name} is a {'whole ' if whole else ''}number from {least:g} to {most:g}", name)
    return float(value) if not whole else value


def _read_stops(stop: object) -> tuple[str, ...]:
    found = [] if stop is None else [stop] if isinstance(stop, str) else stop
    if not isinstance(found, list) or len(found) > STOPS_MAX or \
            not all(isinstance(one, str) and 0 < len(one) <= STOP_CHARS_MAX for one in found):
        raise new_invalid(f"stop is a text, or at most {STOPS_MAX} of them, of 1 to {STOP_CHARS_MAX} characters",
                          "stop")
    return tuple(found)


class Cutter:
    """A text in pieces, cut before the first of some stops; what may begin a stop is held back."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.stops, self.is_stopped = stops, False
        self._held = ""

    def feed(self, piece: str) -> str:
        """What may be shown now."""
        if self.is_stopped:
            return ""
        text = self._held + piece
        places = [place for place in (text.find(stop) for stop in self.stops) if place >= 0]
        if places:
            self.is_stopped, self._held = True, ""
            return text[:min(places)]
        held = max((size for stop in self.stops for size in range(1, len(stop)) if text.endswith(stop[:size])),
                   default=0)
        self._held = text[len(text) - held:]
        return text[:len(text) - held]

    def end(self) -> str:
        """What was held back and is no stop after all."""
        held, self._held = self._held, ""
        return held


class Flow:
    """Tokens that come one by one, as text: what ends in the middle of a character waits for the rest of it."""

    def __init__(self, translator: Translator) -> None:
        self._translator = translator
        self._tokens: list[int] = []
        self._shown = 0

    def feed(self, tokens: Sequence[int]) -> str:
        """The text that is new."""
        self._tokens += tokens
        text = self._translator.decode(self._tokens)
        ready = text.rstrip("\ufffd")
        piece = ready[self._shown:]
        self._shown = max(self._shown, len(ready))
        return piece

    def end(self) -> str:
        """What is left, whatever it is."""
        return self._translator.decode(self._tokens)[self._shown:]


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer took. cost_ugrad: what its receipt pays."""

    prompt_tokens: int
    completion_tokens: int
    cost_ugrad: int

    def body(self) -> dict[str, int]:
        """As JSON."""
        return {"prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens,
                "total_tokens": self.prompt_tokens + self.completion_tokens, "cost_ugrad": self.cost_ugrad}


class Envelope:
    """What stands around the answers to one request. created_s: Unix time; fingerprint: of the weights."""

    def __init__(self, kind: str, model: str, created_s: int, fingerprint: str) -> None:
        self.kind, self.model, self.created_s, self.fingerprint = kind, model, created_s, fingerprint
        self.id = ("cmpl-" if kind == TEXT else "chatcmpl-") + secrets.token_hex(12)

    def whole(self, choices: Sequence[tuple[str, str]], usage: Usage) -> dict[str, Any]:
        """An answer at once. choices: (text, finish_reason) of each."""
        shown = [{"index": index, "finish_reason": reason, "logprobs": None, **self._message(text)}
                 for index, (text, reason) in enumerate(choices)]
        return {**self._head(self.kind), "choices": shown, "usage": usage.body()}

    def chunk(self, text: str | None, reason: str | None, is_first: bool = False) -> dict[str, Any]:
        """A piece of a stream. text: None for none."""
        choice: dict[str, Any] = {"index": 0, "finish_reason": reason, "logprobs": None}
        if self.kind == TEXT:
            choice["text"] = text or ""
        else:
            choice["delta"] = {**({"role": "assistant"} if is_first else {}), **({"content": text} if text else {})}
        return {**self._head(TEXT if self.kind == TEXT else "chat.completion.chunk"), "choices": [choice]}

    def last(self, usage: Usage) -> dict[str, Any]:
        """The piece of a stream that tells the usage."""
        return {**self._head(TEXT if self.kind == TEXT else "chat.completion.chunk"), "choices": [],
                "usage": usage.body()}

    def _message(self, text: str) -> dict[str, Any]:
        return {"text": text} if self.kind == TEXT else {"message": {"role": "assistant", "content": text,
                                                                     "refusal": None}}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created_s, "model": self.model,
                "system_fingerprint": self.fingerprint}
