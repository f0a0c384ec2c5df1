"""Makes the records that the tests of this room need, with one thing of each that matters."""

from collections.abc import Mapping

from pydantic import SecretStr

from discordianai.discord.interaction import Invocation
from discordianai.model import Person, Place
from discordianai.settings import DiscordSettings, OpenAISettings, Settings

ANN = Person(id=10, name="Ann")


def invocation(
    options: Mapping[str, str | bool] | None = None,
    *,
    person: Person = ANN,
    channel_id: int = 1,
    guild_id: int | None = 5,
    role_ids: frozenset[int] = frozenset(),
    command: str = "ask",
) -> Invocation:
    return Invocation(
        interaction_id=100,
        application_id=200,
        token="interaction-token",
        command=command,
        options={"prompt": "why?"} if options is None else options,
        person=person,
        place=Place(channel_id=channel_id, guild_id=guild_id),
        role_ids=role_ids,
    )


def settings(discord: DiscordSettings | None = None) -> Settings:
    return Settings(
        discord=discord or DiscordSettings(),
        openai=OpenAISettings(api_key=SecretStr("key")),
    )
