"""What can go wrong with a provider, each with a sentence for the person and one for the log.

Providers repeat parts of the prompt and of the key in their messages. Only status, type, code and request id
are kept.
"""

from dataclasses import dataclass
from typing import ClassVar

from discordianai.providers.optional_fields import OptionalField
from discordianai.records import Provider


@dataclass(eq=False)
class ProviderError(Exception):
    """A provider did not answer. `detail` is for the log: no content, no key."""

    provider: Provider
    detail: str

    safe_to_retry: ClassVar[bool] = False
    """Whether asking again can help, if nothing was shown yet."""

    helped_by_others: ClassVar[bool] = True
    """Whether another provider may answer instead."""

    sentence: ClassVar[str] = "{label} couldn't answer."
    advice: ClassVar[str] = ""

    @property
    def what_happened(self) -> str:
        """For the person, in plain words."""
        return self.sentence.format(label=self.provider.label)

    @property
    def for_person(self) -> str:
        """What happened and what to do, in plain words."""
        return f"{self.what_happened} {self.advice}".rstrip()

    @property
    def for_log(self) -> str:
        """What the operator needs to know."""
        return f"{type(self).__name__}: {self.provider.name}: {self.detail}"

    def __str__(self) -> str:
        return self.for_log


@dataclass(eq=False)
class AuthenticationFailed(ProviderError):
    """The key is wrong, or may not do this."""

    sentence = "{label} doesn't accept this bot's API key."
    advice = "The bot's operator needs to fix that."


@dataclass(eq=False)
class QuotaExhausted(ProviderError):
    """The account has no money left. Waiting does not help."""

    sentence = "This bot's account with {label} has no credit left."
    advice = "The bot's operator needs to top it up."


@dataclass(eq=False)
class AskedToWait(ProviderError):
    """`retry_after` is in seconds, if the provider named a wait.

    `next_try` says in words how long it is until then, where it is known to be long.
    """

    retry_after: float | None = None
    next_try: str = ""

    @property
    def for_person(self) -> str:
        """See `ProviderError`."""
        advice = f"Please try again in {self.next_try}." if self.next_try else self.advice
        return f"{self.what_happened} {advice}"


@dataclass(eq=False)
class RateLimited(AskedToWait):
    """Too many requests or tokens."""

    safe_to_retry = True
    sentence = "{label} is getting more questions than it allows."
    advice = "Please try again in a minute."


@dataclass(eq=False)
class Overloaded(AskedToWait):
    """The provider has trouble."""

    safe_to_retry = True
    sentence = "{label} is having trouble right now."
    advice = "Please try again in a few minutes."


@dataclass(eq=False)
class PermissionDenied(ProviderError):
    """The key is good, but may not do this, from here or with this model."""

    sentence = "{label} doesn't let this bot's account do that."
    advice = "The bot's operator needs to fix that."


@dataclass(eq=False)
class ModelNotFound(ProviderError):
    """The model does not exist, no longer exists, or is not for this account."""

    sentence = "{label} no longer has the model this bot uses."
    advice = "The bot's operator needs to choose another one."


@dataclass(eq=False)
class EndpointNotFound(ProviderError):
    """Nothing is at that address: it speaks another dialect, or it is wrong."""

    sentence = "This bot isn't set up correctly for {label}."
    advice = "The bot's operator needs to check the address and the dialect."


@dataclass(eq=False)
class BadRequest(ProviderError):
    """The provider refuses this request, and would refuse it again.

    `named` are the optional fields that it names; `hopeless` says that it names one that is always sent.
    `fingerprint` tells two refusals apart, and nothing of what they say.
    """

    named: frozenset[OptionalField] = frozenset()
    hopeless: bool = False
    fingerprint: int = 0

    sentence = "{label} refused this question."
    advice = "Rephrasing it may help."


@dataclass(eq=False)
class ToolsRefused(BadRequest):
    """The endpoint, or the model, takes no function tools: asking without them helps.

    Until `until`, on trio's clock, it is known to, and is not asked with them; None where that is not known.
    """

    until: float | None = None


@dataclass(eq=False)
class ContextTooLong(BadRequest):
    """Question, history and answer do not fit into what the model can read at once."""

    sentence = "That's too long for {label}'s model."
    advice = "Please shorten the question, or start over with /reset."


@dataclass(eq=False)
class FileRefused(BadRequest):
    """An image or a document could not be fetched, or is of a kind that the model does not read."""

    sentence = "{label} couldn't read the file sent with this question."
    advice = "Please send it in another format, or leave it out."


@dataclass(eq=False)
class ContentFiltered(BadRequest):
    """The provider's policy refuses this question; another provider is not asked to get around that."""

    helped_by_others = False
    sentence = "{label}'s content filter refused this question."
    advice = "Rephrasing it may help."


@dataclass(eq=False)
class TimedOut(ProviderError):
    """One of the waits was too long; `detail` says which."""

    safe_to_retry = True
    sentence = "{label} took too long to answer."
    advice = "Please try again."


@dataclass(eq=False)
class ConnectionLost(ProviderError):
    """The connection could not be made, or broke."""

    safe_to_retry = True
    sentence = "The connection to {label} was lost."
    advice = "Please try again."


@dataclass(eq=False)
class MalformedAnswer(ProviderError):
    """The response is not what the dialect allows, or larger than any real answer."""

    sentence = "{label} sent an invalid answer."
    advice = "Please try again; if it keeps happening, tell the bot's operator."
