"""The endpoints of REST about the bot itself: user, application, servers and commands, and the gateway."""

from itertools import islice

from starlette.requests import Request

from discordianai.sandbox.discord.api_objects import BOT, GUILD, OWNER_ID, User
from discordianai.sandbox.discord.command_validation import checked
from discordianai.sandbox.discord.local_discord import LocalDiscord
from discordianai.sandbox.discord.sandbox_message import EndpointResult
from discordianai.sandbox.discord.shard import SandboxShard


class ApplicationEndpoints:
    """Their names are those of `RestServer.routes`."""

    def __init__(self, discord: LocalDiscord) -> None:
        self._discord = discord

    async def me(self, _request: Request) -> EndpointResult:
        """The bot's user."""
        return 200, BOT.json()

    async def application(self, _request: Request) -> EndpointResult:
        """The bot's application."""
        return 200, {
            "id": str(BOT.id),
            "name": BOT.name,
            "icon": None,
            "description": "",
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "flags": self._discord.options.application_flags,
            "owner": User(OWNER_ID, "Owner").json(),
            "team": None,
            "summary": "",
        }

    async def gateway(self, _request: Request) -> EndpointResult:
        """The gateway's URL."""
        return 200, {"url": self._discord.gateway_url}

    async def gateway_bot(self, _request: Request) -> EndpointResult:
        """The gateway's URL, how many shards Discord recommends, and how often the bot may identify."""
        discord = self._discord
        return 200, {
            "url": discord.gateway_url,
            "shards": discord.options.recommended_shards,
            "session_start_limit": discord.start_limit.json(discord.now()),
        }

    async def guilds(self, request: Request) -> EndpointResult:
        """The bot's guilds, a page of at most 200."""
        limit, after = (
            int(request.query_params.get(key, most)) for key, most in (("limit", 200), ("after", 0))
        )
        later = (guild_id for guild_id in sorted(self._discord.guild_ids(SandboxShard())) if guild_id > after)
        return 200, [
            {"id": str(guild_id), "name": GUILD.name if guild_id == GUILD.id else "Another", "features": []}
            for guild_id in islice(later, min(limit, 200))
        ]

    async def list_commands(self, request: Request) -> EndpointResult:
        """The registered commands of a guild, or the global ones."""
        return 200, list(self._discord.registered.get(_scope(request), {}).values())

    async def write_commands(self, request: Request) -> EndpointResult:
        """Replace the commands."""
        scope = _scope(request)
        commands = checked(await request.json(), self._discord.ids)
        if scope is not None:
            commands = [{**command, "guild_id": str(scope)} for command in commands]
        self._discord.registered[scope] = {command["name"]: command for command in commands}
        self._discord.counters.commands_written += 1
        return 200, commands


def _scope(request: Request) -> int | None:
    """The guild that a request is about, None where it is about all of them."""
    guild = request.path_params.get("guild")
    return None if guild is None else int(guild)
