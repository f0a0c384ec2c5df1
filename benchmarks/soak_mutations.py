"""What hostile providers do to the events of their streams: a part of the soak.

Every second question is answered by events of which a fifth are mutated, which is a tenth of all events; the
answers to the others have to be whole.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.json_places import MISSING, changed, places
from tests.providers.json_mutations import NASTY

MUTATED_PART = 0.2
"""Of the events of a hostile stream."""

HOSTILE_TEXTS = (
    "@everyone <@&1> <@1300000000000010001>",
    "\u202e\u2066\u200b\u200d\ufeff",
    "\u0600 \u0915" * 700,
    "e" + "\u0301" * 3000,
    "```" * 50,
    "||**__~~`" * 40,
    "[bank.example](https://evil.example/" + "x" * 3000,
    "https://[docs]/guide https://example.com\uff0fpath",
    "\ud83d \x00 \u2028 \x1b[31m",
    "\n" * 3000,
    "> " * 500,
    "x" * 20_000,
)
"""As a person can have a model write them."""

NO_EVENTS = (
    b"data: " + b"[" * 100_000 + b"\n\n",
    b"data: NaN\n\n",
    b"data: {\n\n",
    b"data:\n\n",
    b"\xff\xfe\x00\n\n",
    b": " + b"x" * 50_000 + b"\n\n",
    b"event: error\n\n",
    b"retry: 999999999999999999\n\n",
)

_NUMBER = re.compile(r"about number (\d+)\?")


def is_hostile(question: str) -> bool:
    """Whether the events of the answer to this question are mutated."""
    match = _NUMBER.search(question)
    return match is not None and int(match[1]) % 2 == 1


@dataclass
class Mutations:
    """Makes the mutations of each stream, and counts `events` and mutations by their kind."""

    seed: int
    part: float = MUTATED_PART
    kinds: Sequence[str] = ()
    """All of `KINDS` without any."""
    events: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def __call__(self, question: str) -> Callable[[bytes], bytes]:
        """See `ProviderService.distortion`."""
        mutation = _StreamMutation(self, random.Random(f"{self.seed} {question}"), is_hostile(question))
        return mutation.distort


@dataclass
class _StreamMutation:
    mutations: Mutations
    chance: random.Random
    hostile: bool
    held_back: bytes = b""

    def distort(self, event: bytes) -> bytes:
        self.mutations.events += 1
        late, self.held_back = self.held_back, b""
        if self.hostile and self.chance.random() < self.mutations.part:
            kind = self.chance.choice(self.mutations.kinds or tuple(KINDS))
            self.mutations.counts[kind] += 1
            event = KINDS[kind](self, event)
        return event + late

    def other_bytes(self, event: bytes) -> bytes:
        mutable = bytearray(event)
        for _ in range(self.chance.randint(1, 4)):
            mutable[self.chance.randrange(len(mutable))] = self.chance.randrange(256)
        return bytes(mutable)

    def other_value(self, event: bytes) -> bytes:
        return self._changed(event, self.chance.choice(NASTY))

    def missing_value(self, event: bytes) -> bytes:
        return self._changed(event, MISSING)

    def _changed(self, event: bytes, other: object) -> bytes:
        before, found, data = event.partition(b"data: ")
        try:
            document = json.loads(data)
        except ValueError:  # as [DONE]
            return event
        path = self.chance.choice(list(places(document)) or [()])
        if not path and other is MISSING:
            return b"{}"
        text = json.dumps(changed(document, path, other))
        return before + found + text.encode() + b"\n\n"

    def hostile_text(self, event: bytes) -> bytes:
        text = json.dumps(self.chance.choice(HOSTILE_TEXTS)).encode()
        return re.sub(rb'("(?:delta|content|text)": ?)"(?:[^"\\]|\\.)*"', lambda m: m[1] + text, event)

    def later(self, event: bytes) -> bytes:
        self.held_back = event
        return b""

    def twice(self, event: bytes) -> bytes:
        return event + event

    def lost(self, _event: bytes) -> bytes:
        return b""

    def cut(self, event: bytes) -> bytes:
        return event[: self.chance.randrange(len(event))]

    def no_event(self, event: bytes) -> bytes:
        return self.chance.choice(NO_EVENTS) + event


KINDS: dict[str, Callable[[_StreamMutation, bytes], bytes]] = {
    "other bytes": _StreamMutation.other_bytes,
    "a value of another type": _StreamMutation.other_value,
    "a value is missing": _StreamMutation.missing_value,
    "hostile text": _StreamMutation.hostile_text,
    "after the next event": _StreamMutation.later,
    "twice": _StreamMutation.twice,
    "not sent": _StreamMutation.lost,
    "cut off": _StreamMutation.cut,
    "something else before it": _StreamMutation.no_event,
}
"""What becomes of one event, by the name in the table."""
