"""An error in any function that one question alone runs ends that question, in words, and nothing else."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import trio

from benchmarks.answers import is_whole
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import CHANNELS, DiscordOptions, Interaction, person
from discordianai.sandbox.discord.api_objects import BOT
from discordianai.sandbox.discord.user_actions import say, upload
from discordianai.sandbox.launcher import BotProcess, Sandbox, open_sandbox
from discordianai.sandbox.providers import ServiceOptions

SETTINGS: dict[str, dict[str, object]] = {
    "rate_limits.user": {"questions": 10_000},
    "rate_limits.server": {"questions": 10_000},
    "rate_limits.openai": {"requests_per_minute": 10_000, "tokens_per_minute": 100_000_000},
    "rate_limits.perplexity": {"requests_per_minute": 10_000},
    "discord": {"respond_to": "mentions", "drain_seconds": 3.0, "max_messages": 10},
}
PROVIDERS = ServiceOptions(
    first_token=0.05, between_tokens=0.002, requests_per_minute=10**6, tokens_per_minute=10**9
)
DISCORD = DiscordOptions(allowed_intents=-1, webhook_requests=1000)
WRONG = "Something went wrong inside the bot."
ENDS = (WRONG, "-# OpenAI ·", "-# Perplexity ·")
"""One of these stands below an answer, or in its place."""

AT_ONCE = 4

SHARED = {
    "answering/question_tasks.py:QuestionTasks._answer": "it is the guard",
    "answering/question_tasks.py:QuestionTasks.begin": "it is the guard",
    "discord/interactions/handler.py:InteractionHandler.interaction": "it is the guard",
    "discord/interactions/handler.py:InteractionHandler.message": "it is the guard",
    "answering/open_questions.py:OpenQuestions.release": "what nobody gives back stays taken",
}
"""Functions that are left out, each with its reason."""


@dataclass(frozen=True)
class Way:
    """One way to ask; `ask` returns what the person sees at any moment."""

    name: str
    ask: Callable[[Sandbox, str, int], Callable[[], str]]


def _shown(interaction: Interaction) -> Callable[[], str]:
    return lambda: interaction.text


def _ask(sandbox: Sandbox, text: str, number: int) -> Callable[[], str]:
    return _shown(_invoke(sandbox, "ask", {"prompt": text}, number))


def _search(sandbox: Sandbox, text: str, number: int) -> Callable[[], str]:
    return _shown(_invoke(sandbox, "search", {"query": text}, number))


def _with_a_file(sandbox: Sandbox, text: str, number: int) -> Callable[[], str]:
    file = upload(sandbox.discord, "notes.txt", "Größe\n".encode("cp1252") * 20)
    return _shown(_invoke(sandbox, "ask", {"prompt": text, "file": file}, number))


def _in_private(sandbox: Sandbox, text: str, number: int) -> Callable[[], str]:
    return _shown(_invoke(sandbox, "ask", {"prompt": f"{text} !long", "private": True}, number))


def _in_a_thread(sandbox: Sandbox, text: str, number: int) -> Callable[[], str]:
    discord = sandbox.discord
    interaction = _invoke(sandbox, "ask", {"prompt": text, "thread": True}, number)

    def shown() -> str:
        threads = [thread.id for thread in discord.threads if text[:20] in thread.name]
        messages = [m.content for m in discord.channel_messages if m.channel_id in threads]
        return "\n".join([interaction.text, *messages])

    return shown


def _mention(sandbox: Sandbox, text: str, number: int) -> Callable[[], str]:
    channel = CHANNELS[number % len(CHANNELS)]
    said = say(sandbox.discord, f"<@{BOT.id}> {text}", user=person(number), channel=channel)
    messages = sandbox.discord.channel_messages
    return lambda: "\n".join(m.content for m in messages if m.reply_to == said)


def _invoke(sandbox: Sandbox, command: str, options: dict[str, object], number: int) -> Interaction:
    channel = CHANNELS[number % len(CHANNELS)]
    return sandbox.discord.invoke_now(command, options, user=person(number), channel=channel)


WAYS = tuple(
    Way(ask.__name__, ask) for ask in (_ask, _search, _with_a_file, _in_private, _in_a_thread, _mention)
)
OTHER_TEXTS = (Way("a longer one", _in_private), Way("another", _in_private), Way("spoken", _mention))
SAMPLE = {
    "answering/question_tasks.py:QuestionTasks._begin": _ask,
    "answering/question_tasks.py:QuestionTasks.enqueue": _ask,
    "discord/interactions/admission.py:Admission.admit": _ask,
    "discord/interactions/handler.py:InteractionHandler._ask": _ask,
    "discord/messages/delivery.py:DiscordDelivery._open_thread": _in_a_thread,
    "discord/messages/delivery.py:DiscordDelivery.answer": _ask,
    "conversations/ledger.py:Ledger.reserve": _ask,
    "conversations/sqlite/questions_table.py:insert": _ask,
    "discord/messages/attachments.py:_decoded": _with_a_file,
    "discord/interactions/router.py:InteractionRouter.route_message": _mention,
    "discord/interactions/admission.py:address_of": _ask,
    "discord/interactions/handler.py:InteractionHandler._respond": _ask,
    "discord/messages/reply.py:DiscordReply._show_what_comes": _ask,
    "discord/messages/reply.py:DiscordReply.close": _ask,
    "discord/messages/rest.py:Endpoint._send": _ask,
    "discord/rendering/source_list.py:sources": _search,
    "discord/rendering/splitting.py:cut": _in_private,
    "dispatch/attempt.py:Attempt.__exit__": _ask,
    "dispatch/fair_queue.py:FairQueue.serve": _ask,
}


@asynccontextmanager
async def open_traced_bot(sandbox: Sandbox, plan: Sequence[str] = ()) -> AsyncIterator[BotProcess]:
    """The bot, with a trace function in it; see `tracing`."""
    (sandbox.folder / "plan").write_text("\n".join(plan))
    traced = sandbox.folder / "traced"
    traced.write_text("")
    root = Path(__file__).parents[2]
    environment = {**sandbox.environment, "PLAN": str(sandbox.folder / "plan"), "TRACED": str(traced)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), environment.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "tests.end_to_end.tracing", "run", "--settings", str(sandbox.settings)]
    with sandbox.log.open("ab") as log:
        process = await trio.lowlevel.open_process(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
        )
    bot = BotProcess(process, sandbox)
    try:
        await bot.ready(timeout=60)
        yield bot
    finally:
        with trio.move_on_after(45, shield=True):
            await bot.stop()


def traced(sandbox: Sandbox, kind: str) -> set[str]:
    """What the bot has noted of that kind."""
    lines = (line.split(" ", 1) for line in (sandbox.folder / "traced").read_text().splitlines())
    return {rest for first, rest in lines if first == kind}


async def told(shown: Callable[[], str], what: str, timeout: float = 40.0) -> str:
    """What the person reads in the end."""
    with trio.move_on_after(timeout):
        while not any(end in shown() for end in ENDS):  # noqa: ASYNC110  # several places may show it
            await trio.sleep(0.02)
        return shown()
    raise AssertionError(f"nobody was told after {what}: {shown()!r}")


async def functions(sandbox: Sandbox) -> dict[str, Way]:
    """Those that only a question runs, each with a way to ask that runs it."""
    found: dict[str, Way] = {}
    async with open_traced_bot(sandbox) as bot:
        for number, way in enumerate(WAYS):
            before = traced(sandbox, "asked")
            await told(way.ask(sandbox, f"what about {way.name}?", number), way.name)
            await trio.sleep(0.3)  # it is stored, and the next one's line is free
            found |= dict.fromkeys(traced(sandbox, "asked") - before, way)
        assert await bot.stop() == 0
    others = traced(sandbox, "other")
    own = found.keys() - others - SHARED.keys()
    # The pool belongs to everybody: a request moves others' requests on, too.
    return {name: found[name] for name in sorted(own) if not name.startswith("transport/")}


async def _bystander(sandbox: Sandbox, answers: list[bool], enough: trio.Event) -> None:
    """Somebody else's long answers stream all the time, and each is whole."""
    for number in count():
        text = f"somebody else asks {number} !long"
        interaction = sandbox.discord.invoke_now("ask", {"prompt": text}, user=person(9000 + number))
        await told(_shown(interaction), text)
        answers.append(is_whole(text, interaction.text))
        if enough.is_set():
            return


async def play(sandbox: Sandbox, targets: dict[str, Way]) -> None:
    """Inject an error into each of them, in one bot, while somebody else's answers stream."""
    plan, failures, answers = list(targets), [], list[bool]()
    at_once, enough = trio.Semaphore(AT_ONCE), trio.Event()

    async def inject(number: int, name: str, way: Way) -> None:
        try:
            for again in (way, *OTHER_TEXTS):  # some functions run only for some answers
                await told(again.ask(sandbox, f"#{number} what is it? {again.name}", number), name)
                if str(number) in traced(sandbox, "raised"):
                    break
            text = f"and now, after {number}?"
            after = await told(_ask(sandbox, text, number), f"what followed {name}")
            if WRONG in after or not is_whole(text, after):
                failures.append(f"after {name}: {after!r}")
        except AssertionError as error:
            failures.append(str(error))
        finally:
            at_once.release()

    async with open_traced_bot(sandbox, plan) as bot, trio.open_nursery() as everything:
        everything.start_soon(_bystander, sandbox, answers, enough)
        async with trio.open_nursery() as nursery:
            for number, (name, way) in enumerate(targets.items()):
                await at_once.acquire()
                nursery.start_soon(inject, number, name, way)
                assert bot.process.returncode is None, f"it ended by the time of {name}"
        enough.set()
    missed = set(plan) - {plan[int(number)] for number in traced(sandbox, "raised")}
    assert not failures, "\n".join(failures)
    assert answers
    assert all(answers)
    assert bot.process.returncode == 0
    assert "answers cut short by shutdown" not in sandbox.log.read_text()
    assert len(missed) <= len(plan) // 20, missed
    with closing(sqlite3.connect(sandbox.folder / "conversations.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM questions WHERE state < 2").fetchone() == (0,)


@asynccontextmanager
async def prepared(folder: Path, authority: Authority) -> AsyncIterator[Sandbox]:
    async with open_sandbox(folder, authority=authority, discord=DISCORD, providers=PROVIDERS) as sandbox:
        sandbox.write_settings(SETTINGS)
        yield sandbox


@pytest.mark.slow
async def test_an_error_in_some_functions_of_a_question_ends_that_question_alone(
    tmp_path: Path, authority: Authority
) -> None:
    """A sample of what `make test-long` does with all of them."""
    async with prepared(tmp_path, authority) as sandbox:
        await play(sandbox, {name: Way(ask.__name__, ask) for name, ask in SAMPLE.items()})


@pytest.mark.long
async def test_an_error_in_each_function_of_a_question_ends_that_question_alone(
    tmp_path: Path, authority: Authority
) -> None:
    async with prepared(tmp_path, authority) as sandbox:
        found = await functions(sandbox)
        assert len(found) > 100
        assert SAMPLE.keys() <= found.keys()
        await play(sandbox, found)
