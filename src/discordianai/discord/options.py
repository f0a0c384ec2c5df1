"""The settings of the bot on Discord."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from discordianai.discord import shard_range
from discordianai.discord.shard_range import ShardRange
from discordianai.option import Credential, Ids, Key, Url


def _shards(written: object) -> int | str:
    """Kept as it is written; `BotOptions.shard_range` is what it means."""
    try:
        if isinstance(written, bool) or not isinstance(written, int | str):
            raise ValueError('should be a number, "auto", or a range like "0-3/16"')
        shard_range.parse(written)
    except ValueError as error:
        raise PydanticCustomError("shards", "{reason}", {"reason": str(error)}) from None
    return written


Shards = Annotated[int | str, BeforeValidator(_shards)]


@dataclass(frozen=True, slots=True)
class BotOptions:
    """`[discord]`: the bot's account, who may use it, and how it answers. Empty lists allow everybody."""

    token: Annotated[Credential | None, Key("the bot's token, from the Discord developer portal")] = None
    api_url: Annotated[Url, Key("address of Discord's REST API")] = "https://discord.com/api/v10"
    shards: Annotated[
        Shards,
        Key('shards of the bot: a number, "auto" (as many as Discord recommends), or some, as in "0-3/16"'),
    ] = 1
    # Commands are registered by these at the start.
    guild_ids: Annotated[Ids, Key("servers that may use the bot and get its commands; empty: all")] = ()
    allowed_channel_ids: Annotated[
        Ids,
        Key(
            "channels where it may be used; categories include channels, channels their threads; empty: all",
            live=True,
        ),
    ] = ()
    allowed_role_ids: Annotated[Ids, Key("roles whose members may use it; empty: everyone", live=True)] = ()
    allowed_user_ids: Annotated[Ids, Key("people who may use it; empty: everyone", live=True)] = ()
    blocked_guild_ids: Annotated[
        Ids, Key("blocked servers; a block overrides any other list", live=True)
    ] = ()
    blocked_channel_ids: Annotated[
        Ids, Key("blocked channels, with the channels and threads in them", live=True)
    ] = ()
    blocked_role_ids: Annotated[Ids, Key("blocked roles", live=True)] = ()
    blocked_user_ids: Annotated[Ids, Key("blocked people", live=True)] = ()
    admin_user_ids: Annotated[Ids, Key("people who may always use it, and /status", live=True)] = ()
    direct_messages: Annotated[
        bool,
        Key(
            "questions in direct messages; false also turns off use as an app of their own",
            live=True,
        ),
    ] = True
    guests: Annotated[
        bool,
        Key("whether people may use the bot as an app of their own, where it is not a member", live=True),
    ] = True
    # Commands are registered by this at the start, too.
    ignore_lists_outside_servers: Annotated[
        bool,
        Key("allow both even if lists name servers, channels or roles, which cannot be checked there"),
    ] = False
    respond_to: Annotated[
        Literal["commands", "mentions"],
        Key('"mentions": also messages that mention the bot, reply to it, or are in its threads'),
    ] = "commands"
    presence: Annotated[str, MaxLen(128), Key("the activity shown in the bot's profile")] = "your questions"
    presence_kind: Annotated[
        Literal["playing", "listening", "watching", "competing", "custom"],
        Key("playing, listening, watching, competing or custom (the text alone)"),
    ] = "watching"
    status: Annotated[
        Literal["online", "idle", "dnd", "invisible"], Key("online, idle, dnd or invisible")
    ] = "online"
    drain_seconds: Annotated[
        float, Ge(0), Le(600), Key("seconds for answers in flight to finish when the bot is stopped")
    ] = 20.0
    edit_interval: Annotated[
        float, Ge(1), Le(10), Key("minimum seconds between edits of a message while an answer streams")
    ] = 1.0
    max_messages: Annotated[
        int, Ge(1), Le(50), Key("messages per answer; a longer answer is sent as a file")
    ] = 5
    max_file_kilobytes: Annotated[int, Ge(0), Le(10_240), Key("size limit for text and code files")] = 256
    max_image_kilobytes: Annotated[
        int,
        Ge(0),
        Le(20_480),
        Key("size limit for images and PDFs, which the provider fetches from Discord"),
    ] = 8192

    @property
    def token_text(self) -> str:
        """The token as it goes into a header; empty where there is none."""
        return self.token.get_secret_value() if self.token else ""

    @property
    def shard_range(self) -> ShardRange | None:
        """The shards that this process runs; None: all that Discord recommends at the start."""
        return shard_range.parse(self.shards)
