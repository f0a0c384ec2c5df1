"""What the operator can set of the bot on Discord."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen

from discordianai.option import Credential, Ids, Key, Url


@dataclass(frozen=True, slots=True)
class BotOptions:
    """`[discord]`: the bot's account, who may use it, and how it answers. Empty lists allow everybody."""

    token: Annotated[Credential | None, Key("the bot's own, from the Discord developer portal")] = None
    api_url: Annotated[Url, Key("where Discord's REST interface is")] = "https://discord.com/api/v10"
    # Commands are registered by these at the start.
    guild_ids: Annotated[Ids, Key("servers that may use the bot, and get its commands; empty: all")] = ()
    allowed_channel_ids: Annotated[
        Ids,
        Key(
            "where it may be used; a category covers its channels, a channel its threads; empty: all",
            live=True,
        ),
    ] = ()
    allowed_role_ids: Annotated[Ids, Key("whose members may use it; empty: everybody", live=True)] = ()
    allowed_user_ids: Annotated[Ids, Key("who may use it; empty: everybody", live=True)] = ()
    blocked_guild_ids: Annotated[
        Ids, Key("what is blocked is blocked, also where another list allows it", live=True)
    ] = ()
    blocked_channel_ids: Annotated[Ids, Key("with what is in them, as above", live=True)] = ()
    blocked_role_ids: Annotated[Ids, Key("their members", live=True)] = ()
    blocked_user_ids: Annotated[Ids, Key("people", live=True)] = ()
    admin_user_ids: Annotated[Ids, Key("always let in; /status is for them", live=True)] = ()
    direct_messages: Annotated[
        bool,
        Key("whether people may ask in direct messages; false: nor as an app of their own", live=True),
    ] = True
    guests: Annotated[
        bool, Key("whether people may use the bot as an app of their own, where it is no member", live=True)
    ] = True
    # Commands are registered by this at the start, too.
    ignore_lists_outside_servers: Annotated[
        bool,
        Key("allow both although lists name servers, channels or roles: nobody can check these there"),
    ] = False
    respond_to: Annotated[
        Literal["commands", "mentions"],
        Key('"mentions": also to messages that mention the bot, reply to it, or are in its threads'),
    ] = "commands"
    presence: Annotated[str, MaxLen(128), Key("what the bot is seen to do")] = "your questions"
    presence_kind: Annotated[
        Literal["playing", "listening", "watching", "competing", "custom"],
        Key("playing, listening, watching, competing or custom (only the text)"),
    ] = "watching"
    status: Annotated[
        Literal["online", "idle", "dnd", "invisible"], Key("online, idle, dnd or invisible")
    ] = "online"
    drain_seconds: Annotated[
        float, Ge(0), Le(600), Key("how long answers in flight may go on when the bot is stopped")
    ] = 20.0
    edit_interval: Annotated[
        float, Ge(1), Le(10), Key("least seconds between two edits of a message while an answer streams")
    ] = 1.0
    max_messages: Annotated[int, Ge(1), Le(50), Key("longer answers come as a file")] = 5
    max_file_kilobytes: Annotated[
        int, Ge(0), Le(10_240), Key("text and code files that people send along")
    ] = 256
    max_image_kilobytes: Annotated[
        int,
        Ge(0),
        Le(20_480),
        Key("images and PDFs: a provider gets their addresses, and fetches them from Discord"),
    ] = 8192

    @property
    def token_text(self) -> str:
        """The token as it goes into a header; empty where there is none."""
        return self.token.get_secret_value() if self.token else ""
