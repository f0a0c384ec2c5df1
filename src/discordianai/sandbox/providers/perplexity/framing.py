"""How Perplexity writes its events: as Go does, keys sorted and `type` last, some numbers left out."""

import json

from discordianai.sandbox.providers.scripted_stream import EventFraming, Json

_MISSING = (2, 17, 19)
"""Numbers that the recorded streams lack, of each twenty."""


def framing(*, event_lines: bool) -> EventFraming:
    """A stream of `POST /v1/agent`: its signs of life are empty lines."""
    return EventFraming(
        "text/event-stream", dump=dump, number=sequence_number, event_lines=event_lines, keep_alive=b"\n"
    )


def dump(event: Json) -> str:
    """One line of JSON."""
    rest = {key: value for key, value in event.items() if key != "type"}
    ordered = {key: _sorted(rest[key]) for key in sorted(rest)} | {"type": event["type"]}
    line = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))
    for character in "&<>\u2028\u2029":
        line = line.replace(character, f"\\u{ord(character):04x}")
    return line


def sequence_number(count: int) -> int:
    """The number of the n-th event: it grows, with gaps."""
    kept = [number for number in range(20) if number not in _MISSING]
    rounds, place = divmod(count, len(kept))
    return 20 * rounds + kept[place]


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
