"""The records that all packages share: frozen, without behaviour that waits or does I/O."""

from dataclasses import dataclass, field
from enum import StrEnum


class Dialect(StrEnum):
    """The HTTP API that a provider offers."""

    RESPONSES = "responses"
    """OpenAI's `POST /responses`."""
    AGENT = "agent"
    """Perplexity's `POST /v1/agent`."""
    CHAT = "chat"
    """Chat completions, which most other endpoints offer."""


class WebSearch(StrEnum):
    """When a provider searches the live web."""

    NEVER = "never"
    ON_REQUEST = "on request"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Provider:
    """A service that answers questions, and its capabilities.

    `name` is the name of its table in the settings, `label` the name that people see. `images` and `files`
    (documents such as PDF) say what it accepts with a question, `tools` whether it calls functions.
    """

    name: str
    label: str
    dialect: Dialect = Dialect.CHAT
    web_search: WebSearch = WebSearch.NEVER
    images: bool = True
    files: bool = False
    tools: bool = True

    @property
    def searches(self) -> bool:
        """Whether it can search the web at all."""
        return self.web_search is not WebSearch.NEVER


class Role(StrEnum):
    """The author of a turn, as the chat completions API names it."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class FinishReason(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    FILTERED = "content_filter"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing said in a conversation; `at` is in seconds since the epoch.

    `images` are addresses of pictures that go along with it now, `files` other documents; neither is
    remembered. `attachments` are: the files of which `text` has not all.
    """

    role: Role
    text: str
    at: float = 0.0
    images: tuple[str, ...] = ()
    files: tuple["FileLink", ...] = ()
    attachments: tuple["Attachment", ...] = ()


@dataclass(frozen=True, slots=True)
class FileLink:
    """A document by its address, for a provider that fetches it; `size` in bytes."""

    name: str
    url: str = field(repr=False)
    size: int = 0


@dataclass(frozen=True, slots=True)
class Citation:
    """A source that an answer refers to as `[number]`, counted from 1 by its place in the list."""

    url: str
    title: str = ""
    date: str = ""


Citations = tuple[Citation | None, ...]
"""Those of an answer, `[1]` first; None where no source of that number is known."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a provider counted for one request.

    `cached_tokens`, read from its cache, and `cache_writes` are among the input tokens; what a model thinks
    is among the output tokens. `searches` are web searches, which are billed by their number. `cost` is what
    the provider itself says that it charges, in billionths of a dollar; None where it does not say.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_writes: int = 0
    searches: int = 0
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call instead of answering; it takes one text, `parameter`."""

    name: str
    description: str
    parameter: str
    meaning: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model wants `name` to be called with this text."""

    name: str
    argument: str


@dataclass(frozen=True, slots=True)
class Quota:
    """What a provider says of one of its limits; all of it is free again after `reset` seconds."""

    limit: int
    remaining: int
    reset: float


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What a provider says of its limits; None where it says nothing.

    `requests` and `tokens` are for a minute, `requests_per_second` is for a second.
    """

    requests: Quota | None = None
    tokens: Quota | None = None
    requests_per_second: Quota | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Who answers, and why in three words. `note` is for the person, where it is not who would have."""

    provider: Provider
    model: str
    why: str
    note: str = ""


class SearchMode(StrEnum):
    """Whether a provider that searches on request is to search."""

    OFF = "off"
    OFFERED = "offered"
    """The model decides."""
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a provider is asked: the turns oldest first, the last one the person's.

    `person` and `conversation` are identifiers that only this bot can trace back, safe to hand to a provider.
    `number` is the question's number in the log. `tools` and `search` are for a provider that has them.
    """

    model: str
    turns: tuple[Turn, ...]
    instructions: str = ""
    person: str = ""
    conversation: str = ""
    number: int = 0
    tools: tuple[Tool, ...] = ()
    search: SearchMode = SearchMode.OFF

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text that the provider reads, for counting it."""
        tools = (f"{tool.name} {tool.description} {tool.parameter} {tool.meaning}" for tool in self.tools)
        return (self.instructions, *tools, *(turn.text for turn in self.turns))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a question was asked. `guild_id` is None in a direct message.

    `parent_id` is the channel that a thread belongs to.
    """

    channel_id: int
    guild_id: int | None = None
    parent_id: int | None = None


class FileKind(StrEnum):
    """What a file is to a model."""

    UNKNOWN = ""
    """It has not been read yet."""
    IMAGE = "image"
    DOCUMENT = "document"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file at Discord; `size` in bytes, 0 where it is not known.

    One that is `quoted` belongs to a message that the question points at, not to the question itself. Its
    address is good until `expires_at` (seconds since the epoch), 0 where that is not known. `content_type` is
    what the sender says, `kind` what has been read.
    """

    name: str
    url: str = field(repr=False)
    size: int
    content_type: str = ""
    quoted: bool = False
    expires_at: float = 0.0
    kind: FileKind = FileKind.UNKNOWN

    def expired(self, now: float) -> bool:
        """Whether Discord gives it to nobody any more."""
        return 0 < self.expires_at <= now


@dataclass(frozen=True, slots=True)
class Quotation:
    """Others' words that a question points at, marked off so that they read as nobody's instruction.

    `excerpt` is what is kept of them. `own` are the bot's own words, where it is the bot that is quoted. With
    `files_only`, nothing but files is quoted.
    """

    text: str = field(repr=False)
    excerpt: str = field(repr=False)
    own: str = field(default="", repr=False)
    files_only: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """Who asked."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class ReplyAddress:
    """Everything that is needed to write an answer, also after a restart.

    Discord honours `token` for 15 minutes after `acknowledged_at` (seconds since the epoch). A question that
    came as a message has none: its answer is a reply in the channel to `message_id`, which is its
    `interaction_id`, too. The bot is in the server `as_member`, or somebody has brought it along.
    """

    application_id: int
    interaction_id: int
    token: str
    channel_id: int
    private: bool
    acknowledged_at: float
    message_id: int | None = None
    as_member: bool = True

    def __repr__(self) -> str:
        # The token lets its holder write as the bot, so that it stays out of logs and tracebacks.
        return f"ReplyAddress(interaction_id={self.interaction_id}, channel_id={self.channel_id})"


@dataclass(frozen=True, slots=True)
class Question:
    """What one person asked.

    `number` counts the questions of this process and stands in every log line about it. `provider` is the
    name of the one that the person chose, None where the bot is to choose; `model` is empty then. With
    `search`, the person wants the live web. One that is `protected` is stored, and outlives this process.
    With `in_thread`, a thread is to be opened for it. `text` is what the person wrote, and `quotation` what
    that points at. `attachments` have not been read yet. Once they are, `images` and `files` go to a model as
    they are, and `file_text` as text, of which `file_excerpt` is kept; `readable_again` are the attachments
    of which `file_excerpt` has not all. `note` is for the person, below the answer; that comes as a file only
    where the person `may_attach` one. Discord shows the text of one that came `from_form` nowhere.
    """

    number: int
    text: str
    person: Person
    place: Place
    address: ReplyAddress
    provider: str | None = None
    search: bool = False
    protected: bool = False
    model: str = ""
    attachments: tuple[Attachment, ...] = ()
    images: tuple[str, ...] = ()
    files: tuple[FileLink, ...] = ()
    in_thread: bool = False
    quotation: Quotation | None = None
    file_text: str = field(default="", repr=False)
    file_excerpt: str = field(default="", repr=False)
    readable_again: tuple[Attachment, ...] = ()
    note: str = ""
    may_attach: bool = True
    from_form: bool = False
