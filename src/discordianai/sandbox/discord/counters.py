"""What has happened so far in the local Discord."""

from dataclasses import dataclass, field

from discordianai.sandbox.discord.api_objects import Json


@dataclass(slots=True)
class Counters:
    """What has happened so far."""

    identifies: int = 0
    resumes: int = 0
    identify_times: list[float] = field(default_factory=list)
    """When, on trio's clock, each IDENTIFY with the right token came, whatever its answer."""
    resume_times: list[float] = field(default_factory=list)
    gateway_questions: list[float] = field(default_factory=list)
    """When, on trio's clock, each `GET /gateway/bot` came, whatever its answer."""
    intents: int = 0
    presence: Json = field(default_factory=dict)
    """The last IDENTIFY's."""
    typing: list[int] = field(default_factory=list)
    """The channels with a typing indicator."""
    rate_limited: int = 0
    """429s."""
    globally_limited: int = 0
    """Of them: for more than 50 requests in a second."""
    late_acknowledgements: int = 0
    user_agents: set[str] = field(default_factory=set)
    """Of all requests of the REST API."""
    refused: list[str] = field(default_factory=list)
    """Every other error response, as `PATCH /webhooks/... 400 50035`; the last thousand."""
    commands_written: int = 0
    while_limited: int = 0
    """Requests that came while `limit_globally` held."""
    while_banned: list[float] = field(default_factory=list)
    """On trio's clock, every request that came while the address was banned."""
