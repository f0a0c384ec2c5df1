"""Discord: whether it knows the bot, which intents it grants, and how often the bot may still start."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

import httpx
import trio

from discordianai import bounded_http
from discordianai.discord.commands.invitation import link
from discordianai.discord.gateway.identifies import LEAST_GAP, RESERVE
from discordianai.discord.gateway.intents import GRANT_IT, MESSAGE_CONTENT, privileged
from discordianai.discord.messages.rest import rejects_token, user_agent
from discordianai.discord.shard_range import SERVERS_PER_SHARD, ShardRange, all_of
from discordianai.operations.checks.findings import Finding, fatal, ok, problem, warning
from discordianai.operations.checks.online_check import Ask, CheckContext, ResponseObserver, Tell, bounded
from discordianai.operations.checks.reach import Unreachable, address, reach
from discordianai.settings.tables import Settings
from discordianai.transport.clients import build_client
from discordianai.transport.options import PoolOptions

READ_TIMEOUT = 15.0
FEW_STARTS = 200
"""Of about a thousand a day: with fewer, something restarts too often."""

PRIVILEGED = {"presence": (12, 13), "server members": (14, 15), MESSAGE_CONTENT: (18, 19)}
"""The bits of an application's flags that grant an intent: for every bot, and for one in under 100 servers.
https://discord.com/developers/docs/resources/application#application-object-application-flags"""

Json = Mapping[str, Any]
"""Discord's JSON: its shape is Discord's, and read here only."""


Body = TypeVar("Body", dict[str, Any], list[Any])


class DiscordCheckFailed(Exception):
    """A request to Discord failed; `finding` says how."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.found)
        self.finding = finding


class DiscordCheck:
    """Checks Discord with the bot's token."""

    name = "discord"

    def __init__(self, settings: Settings, context: CheckContext) -> None:
        self._url = settings.discord.api_url
        self._token = settings.discord.token_text
        self._needed = privileged(settings.discord)
        self._guild_ids = settings.discord.guild_ids
        self._shards = settings.discord.shard_range
        self._context = context

    async def connect(self, tell: Tell) -> None:
        """Past a proxy of the environment: so go the gateway and the acknowledgements."""
        await self._reach("discord connection", self._url, tell)

    async def ask(self, seconds: float, tell: Tell) -> None:
        """Send all requests at once, with a timeout in seconds for each."""
        questions: dict[str, Ask] = {}
        if self._token:
            questions = {
                "bot": self._identity,
                "intents": self._intents,
                "servers": self._servers,
                "commands": self._commands,
                "gateway": self._gateway,
            }
        told: dict[str, list[Finding]] = {name: [] for name in questions}
        async with trio.open_nursery() as nursery:
            for name, question in questions.items():
                answered = partial(self._answered, question)
                nursery.start_soon(bounded, f"discord {name}", seconds, answered, told[name].append)
        for findings in told.values():
            for finding in findings:
                tell(finding)

    async def _answered(self, question: Ask, tell: Tell) -> None:
        try:
            await question(tell)
        except DiscordCheckFailed as failed:
            tell(failed.finding)

    async def _identity(self, tell: Tell) -> None:
        user = await self.get("/users/@me")
        tell(ok("discord bot", f"it is {user['username']}", id=str(user["id"])))

    async def _intents(self, tell: Tell) -> None:
        flags = int((await self.get("/applications/@me")).get("flags") or 0)
        tell(judge_intents(flags, self._needed))

    async def _servers(self, tell: Tell) -> None:
        """How many there are is not asked for: one will do."""
        servers = await self._get("/users/@me/guilds?limit=1", list)
        tell(judge_servers(len(servers), await self.application_id()))

    async def _commands(self, tell: Tell) -> None:
        application = await self.application_id()
        scopes = [f"/guilds/{guild}" for guild in self._guild_ids[:1]] or [""]
        commands = await self._get(f"/applications/{application}{scopes[0]}/commands", list)
        tell(judge_commands(len(commands)))

    async def application_id(self) -> int:
        """Whose token it is. Raises `DiscordCheckFailed`."""
        return int((await self.get("/applications/@me"))["id"])

    async def _gateway(self, tell: Tell) -> None:
        gateway = await self.get("/gateway/bot")
        limit, shards = gateway["session_start_limit"], int(gateway["shards"])
        tell(judge_starts(limit, len((self._shards or all_of(shards)).ids)))
        tell(judge_shards(shards, self._shards, int(limit.get("max_concurrency", 1))))
        await self._reach("discord gateway", str(gateway["url"]), tell)

    async def get(self, path: str) -> Json:
        """Get an object from Discord's API. Raises `DiscordCheckFailed`."""
        return await self._get(path, dict)

    async def _get(self, path: str, kind: type[Body]) -> Body:
        """Get JSON of that kind. Raises `DiscordCheckFailed`."""
        pool = PoolOptions(max_connections=1)
        http2 = self._context.http2
        client = build_client("discord", pool, READ_TIMEOUT, http2=http2, user_agent=user_agent())
        observer = ResponseObserver(client.http)
        try:
            async with client.http:
                request = client.http.build_request(
                    "GET", self._url + path, headers={"Authorization": f"Bot {self._token}"}
                )
                response = await bounded_http.send(client.http, request)
        except httpx.HTTPError as error:
            raise DiscordCheckFailed(_unreachable(error)) from None
        if observer.sample is not None:
            self._context.samples["discord"] = observer.sample
        if rejects_token(response):
            advice = "set DISCORD_TOKEN to a valid one: developer portal, page Bot, Reset Token"
            raise DiscordCheckFailed(fatal("discord", "Discord rejects the bot's token", advice))
        if not response.is_success:
            advice = "try again later" if response.status_code in {429, *range(500, 600)} else "check api_url"
            raise DiscordCheckFailed(
                problem(
                    "discord", f"Discord answers {response.status_code} to {path.partition('?')[0]}", advice
                )
            )
        return _json(response, kind)

    async def _reach(self, subject: str, url: str, tell: Tell) -> None:
        try:
            reached = await reach(url, self._context.ssl_context)
        except Unreachable as error:
            tell(problem(subject, str(error), error.advice))
            return
        found = f"{address(url)} accepted a connection in {reached.seconds * 1000:.0f} ms"
        tell(ok(subject, f"{found}, {reached.tls or 'without TLS'}", seconds=round(reached.seconds, 4)))


def _json(response: httpx.Response, kind: type[Body]) -> Body:
    """Raises `DiscordCheckFailed` for what is none: something else than Discord has answered."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, kind):
        raise DiscordCheckFailed(problem("discord", "the response is not from Discord", "check api_url"))
    return body


def judge_intents(flags: int, needed: frozenset[str]) -> Finding:
    """Compare the intents that the application's flags grant with those the settings need."""
    subject = "discord intents"
    granted = {name for name, bits in PRIVILEGED.items() if any(flags >> bit & 1 for bit in bits)}
    figures = {name.replace(" ", "_"): name in granted for name in PRIVILEGED}
    if missing := sorted(needed - granted):
        return fatal(
            subject,
            f"the settings need the intent {' and '.join(missing)}, which is turned off",
            GRANT_IT,
        )
    words = [
        f"{name} is switched on{'' if name in needed else ' and not needed'}" for name in sorted(granted)
    ]
    if needed and any(not flags >> PRIVILEGED[name][0] & 1 for name in needed):
        words.append("for a bot in less than 100 servers")
    return ok(subject, ", ".join(words) or "no privileged one is switched on, none needed", **figures)


def judge_servers(count: int, application_id: int) -> Finding:
    """Judge whether anybody can reach the bot."""
    subject = "discord servers"
    if not count:
        advice = f"open {link(application_id)} to add it to one"
        return warning(subject, "the bot is in no server", advice, some=False)
    return ok(subject, "the bot is in a server", some=True)


def judge_commands(count: int) -> Finding:
    """Judge whether Discord has the bot's commands."""
    subject = "discord commands"
    if not count:  # as it should be before the first start
        found = (
            "none registered yet: the bot registers them when it starts; if Discord does not show them then,"
            " reload Discord (Ctrl+R)"
        )
        return ok(subject, found, registered=0)
    return ok(subject, f"{count} registered", registered=count)


def judge_starts(limit: Json, needed: int = 1) -> Finding:
    """Judge how often the bot may still identify; one start takes as many as `needed`, one for each shard."""
    remaining, total = int(limit["remaining"]), int(limit["total"])
    subject, found = "discord starts", f"{remaining} of {total} are left today"
    if needed > 1:
        found += f"; a start of the bot takes {needed}"
    if remaining - needed < RESERVE:
        hours = float(limit["reset_after"]) / 3_600_000
        advice = f"find out what restarts the bot; it now waits for {hours:.1f} hours"
        return problem(subject, found, advice, remaining=remaining, total=total)
    if remaining < max(FEW_STARTS, RESERVE + 3 * needed):
        advice = "find out what restarts the bot"
        return warning(subject, found, advice, remaining=remaining, total=total)
    return ok(subject, found, remaining=remaining, total=total)


def judge_shards(recommended: int, shards: ShardRange | None, concurrency: int) -> Finding:
    """Compare the shards of the settings (None: "auto") with how many Discord recommends."""
    subject = "discord shards"
    figures = {"recommended": recommended, "total": (shards or all_of(recommended)).total}
    if shards is None:
        found = f'"auto": {_counted(recommended)}, as Discord recommends'
        return ok(subject, f"{found}{_start(all_of(recommended), concurrency)}", **figures)
    found = f"{_counted(shards.total)}{'' if shards.is_all else f', of which this process runs {shards}'}"
    if shards.total < recommended:
        advice = f'set shards = "auto" in [discord]: with more than {SERVERS_PER_SHARD:,} servers on one,'
        found = f"{found}; Discord recommends {recommended}"
        return warning(subject, found, f"{advice} Discord refuses the bot", **figures)
    if shards.total >= 4 * recommended and shards.total > 4:
        found = f"{found}; Discord recommends {recommended}"
        advice = "more shards than needed only make the start longer, and use up the day's identifies"
        return warning(subject, found, advice, **figures)
    return ok(subject, f"{found}{_start(shards, concurrency)}", **figures)


def _counted(shards: int) -> str:
    return f"{shards} shard{'s' * (shards != 1)}"


def _start(shards: ShardRange, concurrency: int) -> str:
    """How long a start takes at least: Discord wants five seconds between the shards of a bucket."""
    buckets = Counter(shard_id % concurrency for shard_id in shards.ids)
    seconds = round(LEAST_GAP * (max(buckets.values()) - 1))
    return f"; a start takes {seconds} s" if seconds else ""


def _unreachable(error: httpx.HTTPError) -> Finding:
    """Without the error's text, which may carry an address with a password."""
    return problem(
        "discord", f"Discord could not be reached: {type(error).__name__}", "see the other findings"
    )
