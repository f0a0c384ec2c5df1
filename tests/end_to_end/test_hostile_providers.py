"""A provider that sends without end, or nonsense: the asker is told, and the bot stays small and alive.

The table in docs/security.md has the memory that each of these took.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import person
from discordianai.sandbox.providers import Fault
from tests.end_to_end.conftest import FAST, Scene
from tests.end_to_end.sharing import SharedScene, Tables, shared_scene

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("hostile providers")]

MOST_MEMORY = 60 * 2**20
"""Bytes above what the bot has at rest."""

SETTINGS: Tables = {"dispatch": {"max_attempts": 1}}

GENEROUS = replace(FAST, tokens_per_minute=1_000_000_000)
"""What comes without end counts as tokens, and would make the next question wait for a minute."""


def event(kind: str, **fields: object) -> bytes:
    return f"data: {json.dumps({'type': kind, **fields})}\n\n".encode()


WORDS = event("response.output_text.delta", output_index=0, content_index=0, delta="word " * 3_000)
SOURCES = event(
    "response.reasoning.search_results",
    results=[{"id": n, "url": f"https://a.example/{n}", "title": "t" * 400} for n in range(1000)],
)
ADDRESSES = event(
    "response.reasoning.search_results",
    results=[
        {"id": 1, "url": "https://[docs]/guide", "title": 7},
        {"id": 2, "url": "https://example.com\uff0fpath", "title": "full-width"},
        {"id": 3, "url": 5},
        {"id": 4, "url": "https://[2001:db8::1/x", "title": "half \ud83d"},
    ],
)
COMPLETED = event(
    "response.completed",
    response={"status": "completed", "usage": {"input_tokens": 10**20, "output_tokens": -5}},
)

HOSTILE = {
    "a line without end": (Fault.raw(b"x" * 65_536, times=None), "sent an invalid answer"),
    "an event without end": (
        Fault.raw(b"data: " + b"x" * 65_000 + b"\n", times=None),
        "sent an invalid answer",
    ),
    "text without end": (Fault.raw(WORDS, times=None), "reached the length limit"),
    "an error body without end": (
        Fault.raw(b"x" * 65_536, status=500, content_type="application/json", times=None),
        "is having trouble right now",
    ),
    "a whole answer without end": (
        Fault.raw(b'{"output": "' + b"x" * 65_536, content_type="application/json", times=None),
        "sent an invalid answer",
    ),
    "a whole answer of a million objects": (
        Fault.raw(b'{"output": [' + b'{"a": 1},' * 900_000 + b"1]}", content_type="application/json"),
        "sent an invalid answer",
    ),
    "a compressed gigabyte": (
        Fault.raw(gzip.compress(b"0" * 2**20) * 1000, headers=(("content-encoding", "gzip"),)),
        "sent an invalid answer",
    ),
    "100,000 levels of JSON": (Fault.raw(b"data: " + b"[" * 100_000 + b"\n\n"), "connection to"),
    "sources without sense": (Fault.raw(ADDRESSES + WORDS[:-2] + b"\n\n" + COMPLETED), "word word"),
    "sources without end": (Fault.raw(SOURCES, times=200), "connection to"),
    "numbers without sense": (Fault.raw(WORDS + COMPLETED), "word word"),
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SharedScene]:
    folder = tmp_path_factory.mktemp("hostile")
    for shared in shared_scene(folder, authority, SETTINGS, providers=GENEROUS):
        shared.portal.call(warm_up, shared.scene)
        yield shared


async def warm_up(stage: Scene) -> None:
    """A first answer makes the bot import and allocate what it keeps."""
    for number, who in enumerate(("openai", "perplexity")):
        options = {"prompt": "hello !long", "provider": who}
        await stage.sandbox.discord.invoke("ask", options, user=person(6 + number))
    await stage.wait_answered(2)


def memory(pid: int, key: str) -> int:
    """`VmRSS`, what the process has now, or `VmHWM`, the most since it was looked at."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(key)]
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("who", ["openai", "perplexity"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_the_asker_is_told_and_the_bot_stays_small(scene: SharedScene, kind: str, who: str) -> None:
    fault, sentence = HOSTILE[kind]

    async def play(stage: Scene) -> None:
        pid = stage.bot.process.pid
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # forget the most that there was
        idle = memory(pid, "VmRSS")
        getattr(stage.sandbox, who).misbehave(fault)
        answer = await stage.ask("a question", options={"provider": who}, user=person(5))
        assert sentence in "".join(message.content for message in answer.messages)
        more = memory(pid, "VmHWM") - idle
        print(f"{who}: {kind}: {more / 2**20:.1f} MB")  # noqa: T201  # for the table, with pytest -s
        assert more < MOST_MEMORY

    scene.portal.call(play, scene.scene)
