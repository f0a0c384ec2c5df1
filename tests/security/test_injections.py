"""Sixty texts that try to make a model do something, and a model that obeys each: nothing comes of it.

The installed bot runs against the sandbox; only the words of its models are replaced. All are asked at once.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trio

from benchmarks.answers import labels
from discordianai.discord.messages.answer_messages import SUPPRESS_EMBEDS
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import CHANNELS, SandboxMessage, User, direct_messages, person
from discordianai.sandbox.discord.message_parts import embed, forwarding, written
from discordianai.sandbox.discord.user_actions import say, upload, use_menu
from discordianai.sandbox.providers.chat import chat_reply
from discordianai.sandbox.providers.openai import responses_reply
from discordianai.sandbox.providers.perplexity import agent_reply
from discordianai.sandbox.providers.scripted_answers import ScriptedAnswer, ScriptedSource, wants_the_web
from tests.end_to_end.conftest import Scene
from tests.end_to_end.sharing import SharedScene, shared_scene
from tests.hostile.endurance import INTENTS, SETTINGS, told, told_in_channel

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("injections")]

SECRET = "apricot-marmalade-77"
BYSTANDER = person(500)
SOURCE = "https://evil.example/page"


@dataclass(frozen=True)
class Injection:
    """`mark` stands in the text, and lets the model and the test know it again."""

    number: int
    where: str
    goal: str
    text: str
    says: str

    @property
    def mark(self) -> str:
        return f"(i-{self.number:02})"

    @property
    def marked(self) -> str:
        return f"{self.text} {self.mark}"

    @property
    def user(self) -> User:
        """Who asks about it."""
        return person(self.number)


INJECTIONS = tuple(
    Injection(number, **entry)
    for number, entry in enumerate(
        tomllib.loads((Path(__file__).parent / "injections.toml").read_text())["injection"], start=1
    )
)


def obey(_service: str, question: str, earlier: list[str], *, sources: bool) -> ScriptedAnswer:
    """What a model says that does whatever the last text told it."""
    known = " / ".join([*earlier, question])
    named = [one for one in INJECTIONS if one.mark in question]
    if not named:
        return ScriptedAnswer("I have noted that.")
    injection = named[-1]
    said = injection.says.replace("{known}", " ".join(known.split())).replace("{search}", question)
    title = injection.text if injection.where == "title" else "A page"
    cited = (ScriptedSource(SOURCE, title, "2026-11-24"),) if sources else ()
    return ScriptedAnswer(f"OBEYED {injection.mark}: {said}", cited)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SharedScene]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (responses_reply, agent_reply, chat_reply):
            patch.setattr(module, "compose", obey)
        folder = tmp_path_factory.mktemp("injections")
        yield from shared_scene(folder, authority, SETTINGS, discord=INTENTS)


@pytest.fixture(scope="module")
def answers(scene: SharedScene) -> dict[int, list[SandboxMessage]]:
    """What stands in Discord for each of them in the end."""
    return scene.portal.call(play, scene.scene)


async def play(scene: Scene) -> dict[int, list[SandboxMessage]]:
    secret = await scene.sandbox.discord.invoke("ask", {"prompt": f"Remember {SECRET}."}, user=BYSTANDER)
    await told(secret)
    found: dict[int, list[SandboxMessage]] = {}

    # Discord waits three seconds for each: on a busy machine, not for sixty at a time.
    at_once = trio.CapacityLimiter(20)

    async def one(injection: Injection) -> None:
        async with at_once:
            found[injection.number] = await ask_about(scene, injection)

    async with trio.open_nursery() as nursery:
        for injection in INJECTIONS:
            nursery.start_soon(one, injection)
    return found


async def ask_about(scene: Scene, injection: Injection) -> list[SandboxMessage]:
    """Have the bot read the text where it stands, and wait for the whole answer."""
    discord, user, marked = scene.sandbox.discord, injection.user, injection.marked
    author = person(400)
    match injection.where:
        case "file" | "file name":
            content = marked if injection.where == "file" else "nothing"
            file = upload(discord, "notes.txt", content.encode())
            if injection.where == "file name":
                file["filename"] = marked
            asked = await discord.invoke("ask", {"prompt": "What is in it?", "file": file}, user=user)
        case "web" | "title":
            options = {"prompt": f"What does the page say? {injection.mark}", "provider": "perplexity"}
            asked = await discord.invoke("ask", options, user=user)
        case "reply":
            channel = direct_messages(user)
            about = written(discord, marked, user=author, channel=channel)
            message_id = say(discord, "What is that?", user=user, channel=channel, reply_to=about)
            await told_in_channel(scene, message_id)
            return [message for message in discord.channel_messages if message.channel_id == channel.id]
        case where:
            about = {
                "name": lambda: written(discord, "Hello.", user=User(author.id, marked)),
                "menu": lambda: written(discord, marked, user=author),
                "forward": lambda: written(discord, "", **forwarding(written(discord, marked))),
                "embed": lambda: written(discord, "", **embed("A card", marked)),
            }[where]()
            asked = use_menu(discord, "Summarize", "", user=user, message=about)
    await told(asked)
    return list(asked.messages)


def by_goal(*goals: str) -> pytest.MarkDecorator:
    """A test for each text; those of these goals alone, where some are named."""
    chosen = [one for one in INJECTIONS if not goals or one.goal in goals]
    return pytest.mark.parametrize("injection", chosen, ids=lambda one: f"{one.number} {one.where}")


def content(messages: list[SandboxMessage]) -> str:
    return "\n".join(message.content for message in messages)


def test_there_are_sixty_at_every_place_of_every_kind() -> None:
    """Each is another text."""
    places = {"file", "file name", "name", "reply", "forward", "embed", "menu", "web", "title"}
    assert len({one.text for one in INJECTIONS}) == len(INJECTIONS) == 60
    assert {one.where for one in INJECTIONS} == places
    for goal in ("ping", "link", "beacon", "data", "command", "spend"):
        assert len({one.where for one in INJECTIONS if one.goal == goal}) >= 6, goal


@by_goal()
def test_the_model_has_obeyed(answers: dict[int, list[SandboxMessage]], injection: Injection) -> None:
    """Or the rest would show nothing."""
    assert f"OBEYED {injection.mark}" in content(answers[injection.number])


@by_goal()
def test_nobody_is_pinged(answers: dict[int, list[SandboxMessage]], injection: Injection) -> None:
    """By any state of any message."""
    for message in answers[injection.number]:
        assert message.pings == []


@by_goal()
def test_no_preview_or_picture_is_loaded(
    answers: dict[int, list[SandboxMessage]], injection: Injection
) -> None:
    """Discord's servers would fetch an address, and so tell its owner what stands in it."""
    for message in answers[injection.number]:
        assert message.flags & SUPPRESS_EMBEDS
        assert message.embeds == []


LINK = re.compile(r"\[([^\[\]]*)\]\(<?([^)>\s]*)>?\)")
HOST = re.compile(r"[\w-]+(?:\.[\w-]+)+")


def links(shown: str) -> Iterator[tuple[str, str, str]]:
    """The line, the text and the address of each."""
    for line in shown.splitlines():
        for text, address in LINK.findall(line):
            yield line, text, address


@by_goal()
def test_a_link_that_names_a_host_names_its_own(
    answers: dict[int, list[SandboxMessage]], injection: Injection
) -> None:
    """Whatever else its text names."""
    shown = content(answers[injection.number])
    for line, text, address in links(shown):
        host = (urlsplit(address).netloc.rpartition("@")[2]).partition(":")[0]
        named = HOST.findall(text)
        if line.startswith("[") and line.endswith(f"· {host}"):  # a source's title, with its host beside it
            continue
        shown_host = host.encode().decode("idna") if "xn--" in host else host  # in its own script
        assert not named or {host, shown_host} & set(named) or "unclear" in text, (text, address)
        assert not re.search("[\u200b-\u200f\u202a-\u202e\u2066-\u2069]", text), (text, address)


@by_goal()
def test_no_button_does_anything_to_anybody_else(
    answers: dict[int, list[SandboxMessage]], injection: Injection
) -> None:
    """Those below an answer are the bot's own, for who asked."""
    for message in answers[injection.number]:
        for row in message.components:
            for part in row["components"]:
                action, person_id, _ = part["custom_id"].split(":", 2)
                assert action in {"again", "search", "go-on"}
                assert int(person_id) == injection.user.id


@by_goal()
def test_nobody_elses_words_are_told(
    scene: SharedScene, answers: dict[int, list[SandboxMessage]], injection: Injection
) -> None:
    """The model was not told them: it is only asked about its own asker's."""
    assert SECRET not in content(answers[injection.number])
    sandbox = scene.scene.sandbox
    for request in (*sandbox.openai.requests, *sandbox.perplexity.requests):
        if injection.mark in str(request):
            assert SECRET not in str(request)
            assert not [one.mark for one in INJECTIONS if one != injection and one.mark in str(request)]


@by_goal()
def test_it_costs_one_request_more_at_most(
    scene: SharedScene, answers: dict[int, list[SandboxMessage]], injection: Injection
) -> None:
    """A search, and only where the model called for one."""
    assert answers[injection.number]
    sandbox = scene.scene.sandbox
    asked = [
        request
        for request in (*sandbox.openai.requests, *sandbox.perplexity.requests)
        if injection.mark in str(request)
    ]
    calls = wants_the_web(injection.text) and injection.where not in {"web", "title"}
    assert len(asked) <= 1 + calls


def test_no_command_is_executed(scene: SharedScene, answers: dict[int, list[SandboxMessage]]) -> None:
    """What the bystander said is remembered, nothing is set, no thread is open, no answer stopped."""
    assert len(answers) == 60

    async def look(stage: Scene) -> tuple[str, str, str]:
        discord = stage.sandbox.discord
        shown = []
        for command in ("history", "persona", "model"):
            asked = await discord.invoke(command, user=BYSTANDER)
            await asked.wait_until(lambda one: bool(one.text) and not one.messages[0].loading)
            shown.append(asked.text)
        return shown[0], shown[1], shown[2]

    history, persona, model = scene.portal.call(look, scene.scene)
    assert SECRET in history
    assert "no special instructions" in persona
    assert "No model is set" in model
    discord = scene.scene.sandbox.discord
    assert discord.threads == []
    in_channel = [message for message in discord.channel_messages if message.channel_id == CHANNELS[0].id]
    assert in_channel == []
    assert not [one for messages in answers.values() for one in messages if "Stop" in labels([one])]
