"""Every command, one declaration each: what people see of it, and what it is to the bot.

`commands` brings Discord's list up to date with it, the gate goes by it.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from discordianai.model import Provider

LONGEST_PROMPT = 6000
"""Characters; Discord's own limit for a text option."""

LONGEST_PERSONA = 2000
MOST_CHOICES = 25
"""Discord's own."""


AUTO = "auto"
"""The choice of no provider, which leaves it to the bot."""


class OptionKind(StrEnum):
    """What an option takes."""

    TEXT = "text"
    FLAG = "flag"
    FILE = "file"


class Errand(StrEnum):
    """What people want of the bot beside an answer."""

    RESET = "reset"
    HISTORY = "history"
    FORGET = "forget"
    FORGET_FOR_SURE = "forget for sure"
    EXPORT = "export"
    PERSONA = "persona"
    MODEL = "model"
    USAGE = "usage"
    STATUS = "status"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `choices` are (shown, meant); with `suggests` the bot completes what is typed."""

    name: str
    description: str
    kind: OptionKind = OptionKind.TEXT
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    suggests: bool = False
    longest: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One command. `errand` is what it wants, None where it asks a question; a `menu` command belongs to a
    message."""

    name: str
    description: str = ""
    options: tuple[Option, ...] = ()
    errand: Errand | None = None
    menu: bool = False


PRIVATE = Option("private", "Only you see the answer", OptionKind.FLAG)
MODEL = Option("model", "Which model answers", suggests=True, longest=100)

ASK = Entry(
    "ask",
    "Ask me anything",
    (
        Option("prompt", "Your question", required=True, longest=LONGEST_PROMPT),
        Option("provider", "Who answers"),
        MODEL,
        Option("file", "An image, PDF, text or code file that belongs to it", OptionKind.FILE),
        Option("thread", "Answer in a thread of its own", OptionKind.FLAG),
        PRIVATE,
    ),
)
SEARCH = Entry(
    "search",
    "Search the web, with sources",
    (Option("query", "What to search for", required=True, longest=LONGEST_PROMPT), PRIVATE),
)
ASK_ABOUT, SUMMARIZE, EXPLAIN, TRANSLATE = (
    Entry(name, menu=True) for name in ("Ask about this", "Summarize", "Explain", "Translate")
)
ERRANDS = (
    Entry("reset", "Forget this conversation", errand=Errand.RESET),
    Entry("history", "What I remember of this conversation", errand=Errand.HISTORY),
    Entry("forget", "Delete everything that I have stored about you", errand=Errand.FORGET),
    Entry("export", "Get what I have stored about you, as a file", errand=Errand.EXPORT),
    Entry(
        "persona",
        "See or set my instructions for this channel",
        (
            Option("instructions", "How I am to be here; needs Manage Channels", longest=LONGEST_PERSONA),
            Option("clear", "Go back to the usual ones; needs Manage Channels", OptionKind.FLAG),
        ),
        Errand.PERSONA,
    ),
    Entry(
        "model",
        "See or set the model for this channel",
        (
            replace(MODEL, description="Which one; needs Manage Channels"),
            Option("clear", "Go back to the usual one; needs Manage Channels", OptionKind.FLAG),
        ),
        Errand.MODEL,
    ),
    Entry("usage", "Your questions, tokens and cost", errand=Errand.USAGE),
    Entry("status", "How the bot is, for its admins", errand=Errand.STATUS),
    Entry("help", "What I can do", errand=Errand.HELP),
)


def entries(providers: Collection[Provider], *, several_models: bool) -> tuple[Entry, ...]:
    """The commands that can be answered with these providers."""
    questions = [_ask(providers, several_models=several_models)]
    if any(provider.searches for provider in providers):
        questions.append(SEARCH)
    errands = [entry for entry in ERRANDS if several_models or entry.errand is not Errand.MODEL]
    return (*questions, *errands, ASK_ABOUT, SUMMARIZE, EXPLAIN, TRANSLATE)


def _ask(providers: Collection[Provider], *, several_models: bool) -> Entry:
    """Nobody is offered a choice of one."""
    choices = ((AUTO, AUTO), *((provider.label, provider.name) for provider in providers))
    options = []
    for option in ASK.options:
        if option.name == "provider":
            if len(providers) > 1:
                options.append(replace(option, choices=choices[:MOST_CHOICES]))
        elif option is not MODEL or several_models:
            options.append(option)
    return replace(ASK, options=tuple(options))
