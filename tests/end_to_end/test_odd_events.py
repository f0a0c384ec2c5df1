"""What the gateway may carry though Discord does not document it. One bot hears all of it."""

from collections.abc import Iterator

import pytest

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import CHANNELS, DiscordOptions, User, person
from discordianai.sandbox.discord.api_objects import BOT
from discordianai.sandbox.discord.user_actions import say, submit, upload, use_menu
from tests.end_to_end.conftest import Scene
from tests.end_to_end.sharing import SharedScene, Tables, played, shared_scene

pytestmark = pytest.mark.xdist_group("odd events")

SETTINGS: Tables = {
    "discord": {"respond_to": "mentions"},
    "routing": {"strategy": "openai"},
    "conversations": {"scope": "channel"},
}
HALF = "\ud83d"
ODD: list[object] = [float("nan"), 10**400, -1, "9" * 400, None, [], {"id": 1}, True]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SharedScene]:
    folder = tmp_path_factory.mktemp("odd")
    yield from shared_scene(folder, authority, SETTINGS, discord=DiscordOptions(allowed_intents=-1))


@pytest.mark.slow
@played
async def test_half_a_pair_in_anything_that_people_write_is_replaced_and_the_question_is_answered(
    scene: Scene,
) -> None:
    """JSON carries half a surrogate pair; UTF-8, a database and a provider do not."""
    discord, someone = scene.sandbox.discord, User(person(1).id, f"Ann{HALF}")
    file = {**upload(discord, "a.txt", b"spit"), "filename": f"a{HALF}.txt"}
    await scene.ask(f"why {HALF}?", user=someone, options={"file": file})
    asked = scene.sandbox.openai.requests[-1]["input"][-1]["content"]
    assert asked.startswith("“Ann\ufffd” wrote:\n| why \ufffd?")
    assert "a\ufffd.txt" in asked
    answered = scene.answered()
    say(discord, f"<@{BOT.id}> and {HALF}?", user=someone)
    await scene.wait_answered(answered + 1)
    form = use_menu(discord, "Ask about this", f"this {HALF}", user=someone)
    await form.wait_until(lambda i: bool(i.form))
    submit(discord, form, f"and this {HALF}?")
    await scene.wait_answered(answered + 2)
    assert "> this \ufffd" in scene.sandbox.openai.requests[-1]["input"][-1]["content"]
    persona = await discord.invoke(
        "persona", {"instructions": f"Be {HALF}"}, user=User(person(2).id, "Ben", permissions=8)
    )
    await persona.wait_until(lambda i: "Be \ufffd" in i.text)


@pytest.mark.slow
@played
async def test_malformed_events_are_passed_over_and_the_next_question_is_answered(scene: Scene) -> None:
    """Each is a line in the log without a traceback; who did it is told where that is known."""
    discord, channel = scene.sandbox.discord, CHANNELS[1]
    for odd in ODD:
        for key in ("type", "id", "channel_id", "author", "member", "content", "attachments", "mentions"):
            discord.dispatch("MESSAGE_CREATE", {**MESSAGE, key: odd})
        for name in ("GUILD_CREATE", "CHANNEL_UPDATE", "THREAD_LIST_SYNC", "THREAD_DELETE"):
            discord.dispatch(
                name, {"id": odd, "guild_id": odd, "channels": odd, "threads": [odd, {"id": odd}]}
            )
    told = discord.interact(
        2, {"name": "ask", "type": 1, "options": [{"name": "prompt"}]}, person(3), channel
    )
    await told.wait_until(lambda i: "Something went wrong" in i.text)
    assert "You asked" in (await scene.ask("well then?", user=person(4))).text
    assert "malformed gateway event ignored" in scene.log()


MESSAGE = {
    "id": "5",
    "type": 0,
    "channel_id": str(CHANNELS[0].id),
    "guild_id": str(CHANNELS[0].guild_id),
    "author": person(9).json(),
    "member": {"roles": []},
    "content": f"<@{BOT.id}> hello",
    "attachments": [],
    "mentions": [],
}
