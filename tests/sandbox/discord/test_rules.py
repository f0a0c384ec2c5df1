"""The local Discord refuses what Discord refuses, in Discord's words."""

from collections.abc import AsyncIterator

import httpx
import pytest
import trio

from discordianai.sandbox.discord import Interaction, LocalDiscord, open_local_discord
from discordianai.sandbox.discord.api_objects import BOT_ID

PROMPT: dict[str, object] = {"name": "prompt", "description": "What", "type": 3, "required": True}
ASK: dict[str, object] = {
    "name": "ask",
    "description": "Ask it",
    "options": [PROMPT],
}
DEFER = {"type": 5, "data": {"flags": 64}}


class Api:
    """A bot's view of the local Discord, without a library."""

    def __init__(self, discord: LocalDiscord, client: httpx.AsyncClient) -> None:
        self.discord = discord
        self.client = client

    async def asked(self, *, deferred: bool = True) -> Interaction:
        """An interaction, acknowledged or not."""
        await self.client.put(f"/applications/{BOT_ID}/commands", json=[ASK])
        interaction = self.discord.invoke_now("ask", {"prompt": "why?"})
        if deferred:
            assert (await self.acknowledge(interaction)).status_code == 204
        return interaction

    async def acknowledge(self, interaction: Interaction) -> httpx.Response:
        return await self.client.post(
            f"/interactions/{interaction.id}/{interaction.token}/callback", json=DEFER
        )

    async def edit(self, interaction: Interaction, **body: object) -> httpx.Response:
        path = f"/webhooks/{BOT_ID}/{interaction.token}/messages/@original"
        return await self.client.patch(path, json=body)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_local_discord() as discord:
        headers = {"Authorization": "Bot sandbox-token"}
        async with httpx.AsyncClient(base_url=discord.api_url, headers=headers, timeout=60) as client:
            yield Api(discord, client)


async def test_without_the_token_nothing_is_told(api: Api) -> None:
    answer = await api.client.get("/users/@me", headers={"Authorization": "Bot wrong"})
    assert (answer.status_code, answer.json()) == (401, {"message": "401: Unauthorized", "code": 0})


async def test_an_acknowledgement_after_three_seconds_is_too_late(api: Api) -> None:
    interaction = await api.asked(deferred=False)
    api.discord.advance(3.1)
    assert (await api.acknowledge(interaction)).json()["code"] == 10062


async def test_a_second_acknowledgement_is_refused(api: Api) -> None:
    interaction = await api.asked()
    assert (await api.acknowledge(interaction)).json()["code"] == 40060


async def test_what_responds_during_a_ban_goes_nowhere_and_is_noted(api: Api) -> None:
    """Cloudflare answers with a page, whatever was sent."""
    interaction = await api.asked(deferred=False)
    api.discord.ban(60)
    refused = await api.acknowledge(interaction)
    assert (refused.status_code, refused.headers["content-type"]) == (429, "text/html; charset=utf-8")
    garbled = await api.client.post(
        f"/interactions/{interaction.id}/{interaction.token}/callback",
        content=b"{",
        headers={"Content-Type": "application/json"},
    )
    assert garbled.status_code == 429
    assert interaction.response_type is None
    assert interaction.banned_responses == [5]


async def test_the_token_is_good_for_fifteen_minutes(api: Api) -> None:
    interaction = await api.asked()
    api.discord.advance(14 * 60)
    assert (await api.edit(interaction, content="in time")).status_code == 200
    api.discord.advance(2 * 60)
    late = await api.edit(interaction, content="too late")
    assert (late.status_code, late.json()["code"]) == (401, 50027)


async def test_a_message_has_at_most_two_thousand_characters_and_at_least_one(api: Api) -> None:
    interaction = await api.asked()
    assert (await api.edit(interaction, content="x" * 2000)).status_code == 200
    long = (await api.edit(interaction, content="x" * 2001)).json()
    assert long["code"] == 50035
    assert long["errors"]["content"]["_errors"][0]["code"] == "BASE_TYPE_MAX_LENGTH"
    assert (await api.edit(interaction, content=" ")).json()["code"] == 50006


async def test_ephemeral_is_decided_by_the_acknowledgement(api: Api) -> None:
    interaction = await api.asked()
    await api.edit(interaction, content="now public?", flags=0)
    assert interaction.private
    assert not interaction.loading


async def test_each_interaction_has_a_bucket_of_its_own_under_one_name(api: Api) -> None:
    first, second = await api.asked(), await api.asked()
    answers = [await api.edit(first, content=str(number)) for number in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[4].headers["x-ratelimit-remaining"] == "0"
    assert 0 < answers[5].json()["retry_after"] <= 5
    other = await api.edit(second, content="unharmed")
    assert other.status_code == 200
    assert other.headers["x-ratelimit-bucket"] == answers[0].headers["x-ratelimit-bucket"]
    api.discord.advance(5)
    assert (await api.edit(first, content="again")).status_code == 200
    assert api.discord.counters.rate_limited == 1


async def test_the_bot_has_fifty_requests_a_second_and_interactions_are_exempt(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Discord's clock stands still, since a busy machine sends fewer than fifty in a second."""
    moment = api.discord.now()
    monkeypatch.setattr(api.discord, "now", lambda: moment)
    interactions = [await api.asked(deferred=False) for _ in range(3)]
    moment += 2.0
    statuses = [(await api.client.get("/users/@me")).status_code for _ in range(60)]
    assert statuses == [200] * 50 + [429] * 10
    for interaction in interactions:
        assert (await api.acknowledge(interaction)).status_code == 204


@pytest.mark.parametrize(
    ("content", "allowed", "pings"),
    [
        ("@everyone", None, ["@everyone"]),
        ("@everyone <@5>", {"parse": []}, []),
        ("@here <@5> <@&6>", {"parse": ["users"]}, ["<@5>"]),
        ("<@5> <@7>", {"parse": [], "users": ["7"]}, ["<@7>"]),
    ],
)
async def test_it_notes_who_would_have_been_pinged(
    api: Api, content: str, allowed: dict[str, list[str]] | None, pings: list[str]
) -> None:
    interaction = await api.asked()
    body: dict[str, object] = {} if allowed is None else {"allowed_mentions": allowed}
    await api.edit(interaction, content=content, **body)
    assert interaction.messages[0].pings == pings


@pytest.mark.parametrize(
    "command",
    [
        {**ASK, "name": "Has Spaces"},
        {**ASK, "description": ""},
        {**ASK, "options": [{**PROMPT, "required": False}, PROMPT]},
    ],
)
async def test_commands_that_discord_would_refuse_are_refused(api: Api, command: dict[str, object]) -> None:
    answer = await api.client.put(f"/applications/{BOT_ID}/commands", json=[command])
    assert (answer.status_code, answer.json()["code"]) == (400, 50035)


async def test_a_global_limit_meets_all_but_acknowledgements_until_it_is_over(api: Api) -> None:
    """Set by a test, it is told from one that the bot has brought about."""
    interaction = await api.asked(deferred=False)
    api.discord.limit_globally(0.5)
    assert (await api.acknowledge(interaction)).status_code == 204
    refused = await api.edit(interaction, content="words")
    assert (refused.status_code, refused.json()["global"]) == (429, True)
    assert (api.discord.counters.while_limited, api.discord.counters.globally_limited) == (1, 0)
    await trio.sleep(0.6)
    assert (await api.edit(interaction, content="words")).status_code == 200
    while (await api.client.get("/users/@me")).status_code == 200:
        pass
    assert api.discord.counters.globally_limited == 1
