"""The fields of a request that an endpoint may refuse, requests without them, and what each endpoint refuses.

`store` and the limit of an answer are not among them: what people were promised, and what an answer may cost,
hold at every endpoint. A limit only gets its older name.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import structlog
import trio

from discordianai.providers.json_values import Json, piece, tables
from discordianai.records import Role


class OptionalField(StrEnum):
    """What an answer can do without, by the name that operators read."""

    TOOLS = "tools"
    PARALLEL_TOOL_CALLS = "parallel_tool_calls"
    IDENTIFIERS = "identifiers"
    PHASE = "phase"
    EFFORT = "reasoning effort"
    VERBOSITY = "verbosity"
    STREAM_OPTIONS = "stream_options"
    SYSTEM_ROLE = "system role"
    STREAM = "streaming"
    LIMIT_NAME = "max_completion_tokens"


IN_ORDER: tuple[frozenset[OptionalField], ...] = (
    frozenset({OptionalField.TOOLS, OptionalField.PARALLEL_TOOL_CALLS}),
    frozenset({OptionalField.IDENTIFIERS, OptionalField.PHASE}),
    frozenset({OptionalField.EFFORT, OptionalField.VERBOSITY}),
    frozenset({OptionalField.STREAM_OPTIONS}),
    frozenset({OptionalField.SYSTEM_ROLE}),
    frozenset({OptionalField.STREAM}),
    frozenset({OptionalField.LIMIT_NAME}),
)
"""What is left out first where an error names nothing."""

_KEYS: Mapping[OptionalField, tuple[str, ...]] = {
    OptionalField.TOOLS: ("tools", "tool_choice", "parallel_tool_calls"),
    OptionalField.PARALLEL_TOOL_CALLS: ("parallel_tool_calls",),
    OptionalField.IDENTIFIERS: ("safety_identifier", "prompt_cache_key"),
    OptionalField.EFFORT: ("reasoning_effort", "reasoning"),
    OptionalField.VERBOSITY: ("verbosity", "text"),
    OptionalField.STREAM_OPTIONS: ("stream_options",),
    OptionalField.STREAM: ("stream", "stream_options"),
}
"""The keys of a body, in all dialects; the other fields are not a key, or get another one."""

LIMIT, OLDER_LIMIT = "max_completion_tokens", "max_tokens"

_WORDS: Mapping[OptionalField, re.Pattern[str]] = {
    field: re.compile(words, re.IGNORECASE)
    for field, words in {
        OptionalField.PARALLEL_TOOL_CALLS: r"parallel_?tool_?calls",
        OptionalField.TOOLS: r"\btool(s|_choice|_calls|\b)|\bfunction.?call|\bfunctions\b"
        r"|herramienta|werkzeug|\boutils?\b|ferramenta|strumenti|инструмент|ツール|工具|도구",
        OptionalField.IDENTIFIERS: r"safety_?identifier|prompt_?cache_?key",
        OptionalField.PHASE: r"\bphase\b",
        OptionalField.EFFORT: r"reasoning_?\.?effort|\b(reasoning|thinking)\b",
        OptionalField.VERBOSITY: r"\bverbosity\b|\btext\.verbosity\b",
        OptionalField.STREAM_OPTIONS: r"stream_?options|include_usage|include_obfuscation",
        OptionalField.SYSTEM_ROLE: r"\bsystem.?(role|message|prompt|instruction)|\broles?\b|\bdeveloper "
        r"instruction|\binstructions\b",
        OptionalField.STREAM: r"\bstream(ing)?\b",
        OptionalField.LIMIT_NAME: r"max_?completion_?tokens",
    }.items()
}
"""How errors name them, in paths and in sentences."""


def named_in_paths(paths: Iterable[str]) -> frozenset[OptionalField]:
    """The fields that these paths lead to, such as `tools[0].function` or `body.stream_options`."""
    named = {field for path in paths for field, _ in _found("verbosity" if path == "text" else path)}
    return frozenset(named)


def named_first(sentence: str) -> frozenset[OptionalField]:
    """The one field that a sentence mentions first, if it mentions any."""
    first = min(_found(sentence), key=lambda found: found[1], default=None)
    return frozenset() if first is None else frozenset({first[0]})


def _found(text: str) -> Iterator[tuple[OptionalField, int]]:
    for field, words in _WORDS.items():
        if found := words.search(text):
            yield field, found.start()


def fields_of(body: Json) -> frozenset[OptionalField]:
    """Those that a body has."""
    present = {field for field, keys in _KEYS.items() if any(key in body for key in keys)}
    if LIMIT in body:
        present.add(OptionalField.LIMIT_NAME)
    if any("phase" in item for item in tables(body, "input")):
        present.add(OptionalField.PHASE)
    if _system_text(body) and _first_question(body) is not None:
        present.add(OptionalField.SYSTEM_ROLE)
    return frozenset(present)


def without(body: Json, fields: Collection[OptionalField]) -> Json:
    """The same request without these fields; the text of the system role goes into the first question."""
    left_out = {key for field in fields for key in _KEYS.get(field, ())}
    smaller = {key: value for key, value in body.items() if key not in left_out}
    if OptionalField.LIMIT_NAME in fields and LIMIT in smaller:
        smaller[OLDER_LIMIT] = smaller.pop(LIMIT)
    if OptionalField.PHASE in fields and "input" in smaller:
        items = tables(smaller, "input")
        smaller["input"] = [{key: item[key] for key in item if key != "phase"} for item in items]
    if OptionalField.SYSTEM_ROLE in fields:
        smaller = _merged(smaller)
    return smaller


def _system_text(body: Json) -> str:
    first = next(tables(body, "messages"), {})
    return piece(body, "instructions") or (piece(first, "content") if _has_role(first, Role.SYSTEM) else "")


def _has_role(message: Json, role: Role) -> bool:
    return message.get("role") == role.value


def _turns_key(body: Json) -> str:
    return "messages" if "messages" in body else "input"


def _first_question(body: Json) -> Json | None:
    turns = tables(body, _turns_key(body))
    return next((turn for turn in turns if _has_role(turn, Role.USER)), None)


def _merged(body: Json) -> Json:
    """With what the system role says at the beginning of the first question."""
    said, question = _system_text(body), _first_question(body)
    if not said or question is None:
        return body
    key = _turns_key(body)
    turns = [turn for turn in tables(body, key) if not _has_role(turn, Role.SYSTEM)]
    merged = {**question, "content": _with_text(said, question)}
    rest = {name: value for name, value in body.items() if name != "instructions"}
    return rest | {key: [merged if turn is question else turn for turn in turns]}


def _with_text(said: str, question: Json) -> str | list[Json]:
    if words := piece(question, "content"):
        return f"{said}\n\n{words}"
    parts = list(tables(question, "content"))
    kind = piece(parts[0], "type") if parts else "text"
    return [{"type": kind, "text": said}, *parts]


def paths_in(details: Iterable[Json]) -> Iterator[str]:
    """The places in a list of what is wrong with a body, as validators of several languages write it."""
    for detail in details:
        place = detail.get("loc")
        if isinstance(place, list):
            yield ".".join(str(step) for step in place[:10] if step != "body")
        yield from (piece(detail, key) for key in ("field", "param", "path") if piece(detail, key))


AGAIN_AFTER = 24 * 3600.0
"""Seconds until a field is sent again: endpoints are updated, and models exchanged behind a name."""

MOST_REMEMBERED = 1000
"""Pairs of an endpoint and a model."""


@dataclass(frozen=True, slots=True)
class RefusedField:
    """A field that is left out for one model at one endpoint; `reason` is the refusal, without content.

    It is sent again after `until`, on trio's clock.
    """

    provider: str
    model: str
    field: OptionalField
    reason: str
    until: float


class RefusedFields:
    """Remembers them until the bot ends; one for all providers. `clock` gives seconds, trio's by default."""

    def __init__(self, clock: Callable[[], float] = trio.current_time) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], dict[OptionalField, RefusedField]] = OrderedDict()
        self._log = structlog.get_logger("discordianai.providers.optional_fields")

    def known(self, endpoint: str, model: str) -> dict[OptionalField, RefusedField]:
        """What is left out for that model at that address now."""
        known, now = self._known.get((endpoint, model), {}), self._clock()
        return {name: field for name, field in known.items() if now < field.until}

    def learn(
        self, provider: str, endpoint: str, model: str, fields: Iterable[OptionalField], reason: str
    ) -> None:
        """These fields were refused, and the same question was answered without them."""
        until = self._clock() + AGAIN_AFTER
        new = {field: RefusedField(provider, model, field, reason, until) for field in sorted(fields)}
        if not new:
            return
        self._known[endpoint, model] = self.known(endpoint, model) | new
        self._known.move_to_end((endpoint, model))
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        self._log.warning(
            "endpoint refuses fields: leaving them out for 24 hours",
            provider=provider,
            model=model,
            fields=[field.value for field in new],
            reason=reason,
        )

    def left_out(self, provider: str) -> tuple[RefusedField, ...]:
        """All that is left out at a provider now, for health and checks."""
        everything = (
            field for endpoint, model in self._known for field in self.known(endpoint, model).values()
        )
        return tuple(field for field in everything if field.provider == provider)
